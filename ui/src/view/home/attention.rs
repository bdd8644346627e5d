//! What is not as it should be, one line per cause: a failure is told where it starts, with what it reaches as its evidence, and what
//! became slower is told where it is called, not by its callers again.

use std::collections::HashSet;

use storage::{ServiceSummary, TimeRange, TraceId, TraceSummary, UnixNanos};

use crate::ask::ErrorGroup;
use crate::view::colour::{Chip, Palette};
use crate::view::format;
use crate::view::link::{Links, term};

/// Something that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) chip: Chip,
    /// `error`, `new`, `slow` or `silent`.
    pub(crate) class: &'static str,
    pub(crate) text: String,
    pub(crate) href: String,
    /// What speaks for it.
    pub(crate) evidence: Vec<Evidence>,
}

/// One fact, and the address where more of it is, empty when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) text: String,
    pub(crate) href: String,
}

/// What is compared: this window and the one before it, of the same length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compared<'a> {
    pub(crate) now: &'a [ServiceSummary],
    pub(crate) before: &'a [ServiceSummary],
    /// The newest failed traces.
    pub(crate) failed: &'a [TraceSummary],
    /// The newest traces whose request itself failed, not only something within it.
    pub(crate) failed_requests: &'a [TraceSummary],
    pub(crate) errors: &'a [ErrorGroup],
    pub(crate) errors_before: &'a [ErrorGroup],
    /// Which service calls which.
    pub(crate) calls: &'a [(String, String)],
}

/// Failed traces whose failure starts in the same place.
struct Failure<'a> {
    /// The service in which it starts.
    origin: &'a str,
    /// Whether it starts within requests of that service to which it does not reach: those succeed.
    is_within: bool,
    /// Requests that it reaches, with how many traces: service and operation.
    reached: Vec<((&'a str, &'a str), u64)>,
    /// Services between, that fail with it.
    through: Vec<&'a str>,
    /// What failed traces say, for failures that have no message of their own.
    says: Vec<&'a str>,
    traces: u64,
    newest: UnixNanos,
}

// === impl Failure ===

impl Failure<'_> {
    /// Asks for the traces of a request that this failure reaches.
    fn reaching(&self, root: &str, operation: &str) -> String {
        let request = format!("{} {}", term("service", root), term("name", operation));
        let succeeds = if self.is_within { " -status:error" } else { "" };
        format!("root:({request}{succeeds}) {} status:error", term("service", self.origin))
    }
}

/// What differs for the worse: failures, the most frequent first; services slower than in the window before; silent ones.
pub(crate) fn attention(compared: Compared<'_>, range: TimeRange, (links, palette): (&Links, &Palette)) -> Vec<Attention> {
    let failures = failures(&compared);
    let mut items: Vec<Attention> = failures.iter().take(MAX_FAILURES).map(|failure| failing(failure, &compared, links, palette)).collect();
    items.extend(other_new_errors(&failures, &compared, links, palette));
    items.extend(other_failing(&failures, &compared, links, palette));
    items.extend(slower(&failures, &compared, links, palette));
    items.extend(silent(&compared, range, links, palette));
    items.truncate(MAX_ITEMS);
    items
}

/// Failed traces by the service in which their failure starts: the failing one that is called last. Where that is the service of the
/// request itself, each of its operations is a cause of its own, and so is what fails within it while it succeeds.
fn failures<'a>(compared: &Compared<'a>) -> Vec<Failure<'a>> {
    let mut found: Vec<Failure<'a>> = Vec::new();
    let failed_requests: HashSet<TraceId> = compared.failed_requests.iter().map(|trace| trace.trace_id).collect();
    // What a trace begins with is not known before its root is there.
    for trace in compared.failed.iter().filter(|trace| trace.has_root) {
        let (root, operation) = (trace.root_service.as_str(), trace.root_name.as_str());
        let failing = || trace.services.iter().filter(|service| service.error_count > 0).map(|service| service.name.as_str());
        let origin = failing().next_back().unwrap_or(root);
        let is_within = origin == root && !failed_requests.contains(&trace.trace_id);
        let same = |known: &Failure<'_>| {
            (known.origin, known.is_within) == (origin, is_within)
                && (origin != root || known.reached.iter().any(|((_, reached), _)| *reached == operation))
        };
        let place = match found.iter().position(same) {
            Some(place) => place,
            None => {
                let new = Failure {
                    origin,
                    is_within,
                    reached: Vec::new(),
                    through: Vec::new(),
                    says: Vec::new(),
                    traces: 0,
                    newest: trace.start,
                };
                found.push(new);
                found.len() - 1
            }
        };
        let Some(failure) = found.get_mut(place) else { continue };
        failure.traces += 1;
        failure.newest = failure.newest.max(trace.start);
        match failure.reached.iter_mut().find(|(reached, _)| *reached == (root, operation)) {
            Some((_, count)) => *count += 1,
            None => failure.reached.push(((root, operation), 1)),
        }
        for service in failing().filter(|name| *name != origin && *name != root) {
            if !failure.through.contains(&service) {
                failure.through.push(service);
            }
        }
        if let Some(message) = trace.first_error.as_deref().filter(|message| !message.is_empty() && !failure.says.contains(message)) {
            failure.says.push(message);
        }
    }
    found.sort_by_key(|failure| std::cmp::Reverse((failure.traces, failure.newest)));
    for failure in &mut found {
        failure.reached.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }
    found
}

fn failing(failure: &Failure<'_>, compared: &Compared<'_>, links: &Links, palette: &Palette) -> Attention {
    let origin = failure.origin;
    let service = compared.now.iter().find(|service| service.name == origin);
    let is_root = failure.reached.iter().all(|((root, _), _)| *root == origin);
    let own = failure.reached.first().map_or("", |((_, operation), _)| *operation);
    let failed_share = service.filter(|service| service.errors > 0 && !is_root);
    let text = match failed_share {
        Some(service) => format!("{} of requests fail", format::percent(service.errors, service.requests)),
        None if failure.is_within => {
            format!("{} within {} fails, the request itself succeeds", within(origin, compared), format::line(own, 90))
        }
        None if is_root => format!("{} fails", format::line(own, 90)),
        None => "fails within, while its requests succeed".to_owned(),
    };
    let query = if is_root { failure.reaching(origin, own) } else { format!("{} status:error", term("service", origin)) };
    let mut evidence = messages(failure, compared, is_root, links);
    evidence.extend(reach(failure, compared.failed.len(), is_root, links));
    // The share of failed requests is told only beside that of now.
    if let Some(earlier) = failed_share.and_then(|_| before(compared, origin)).filter(|earlier| earlier.requests > 0) {
        let then = format!("{} in the window before", format::percent(earlier.errors, earlier.requests));
        evidence.push(Evidence { text: then, href: String::new() });
    }
    if let Some(rise) = service.and_then(|service| rise(service, compared)).filter(|_| !is_root) {
        evidence.push(Evidence { text: rise, href: links.traces(&term("service", origin)).with("sort", "slowest").href() });
    }
    Attention { chip: palette.chip(origin), class: "error", text, href: links.traces(&query).href(), evidence }
}

/// What fails within requests of a service, as far as its failed spans are of one kind.
fn within(origin: &str, compared: &Compared<'_>) -> &'static str {
    let mut groups = compared.errors.iter().filter(|group| group.service == origin && group.count > group.requests).peekable();
    let is_some = groups.peek().is_some();
    if is_some && groups.all(|group| group.count == group.requests.saturating_add(group.calls)) { "a call" } else { "a span" }
}

/// What the failed spans of the origin say; new ones first.
fn messages(failure: &Failure<'_>, compared: &Compared<'_>, is_root: bool, links: &Links) -> Vec<Evidence> {
    let mut groups: Vec<&ErrorGroup> =
        compared.errors.iter().filter(|group| !is_root && group.service == failure.origin && !group.message.is_empty()).collect();
    groups.sort_by_key(|group| std::cmp::Reverse((is_new(group, compared), group.failures())));
    let told = |group: &&ErrorGroup| {
        let new = if is_new(group, compared) { "new: " } else { "" };
        let href = group.newest(links);
        Evidence { text: format!("{new}{} × {}", format::exact(group.failures()), format::line(&group.message, 70)), href }
    };
    if groups.is_empty() {
        let plain = |message: &&str| Evidence { text: format::line(message, 90), href: String::new() };
        return failure.says.iter().take(MAX_MESSAGES).map(plain).collect();
    }
    groups.iter().take(MAX_MESSAGES).map(told).collect()
}

/// The requests that end in this failure; how many is told only when all failed traces were looked at.
fn reach(failure: &Failure<'_>, sample: usize, is_root: bool, links: &Links) -> Vec<Evidence> {
    let mut told: Vec<Evidence> = Vec::new();
    for ((root, operation), count) in failure.reached.iter().take(MAX_REACHED) {
        let traces = if sample < FAILED_SAMPLE { format::counted(*count, "trace", "traces") } else { "traces".to_owned() };
        let text = if is_root { traces } else { format!("{traces} of {} {}", format::line(root, 40), format::line(operation, 60)) };
        let query = failure.reaching(root, operation);
        told.push(Evidence { text, href: links.traces(&query).href() });
    }
    if let (Some(last), false) = (told.last_mut(), failure.through.is_empty()) {
        last.text =
            format!("{} through {}", last.text, failure.through.iter().map(|name| format::line(name, 40)).collect::<Vec<_>>().join(", "));
    }
    told
}

/// Messages that no failed span had in the window before, of services that no failure above is told of.
fn other_new_errors(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let is_other = |group: &&ErrorGroup| !group.message.is_empty() && is_new(group, compared) && !is_told(&group.service, failures);
    let item = |group: &ErrorGroup| Attention {
        chip: palette.chip(&group.service),
        class: "new",
        text: format!("new error: {}", format::line(&group.message, 90)),
        href: group.newest(links),
        evidence: plain(format!("{}, none in the window before", format::counted(group.failures(), "time", "times"))),
    };
    compared.errors.iter().filter(is_other).take(3).map(item).collect()
}

/// Failing services that are in none of the traces looked at.
fn other_failing(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let mut failing: Vec<&ServiceSummary> =
        compared.now.iter().filter(|service| service.errors > 0 && !is_told(&service.name, failures)).collect();
    failing.sort_by(|a, b| format::ratio(b.errors, b.requests.max(1)).total_cmp(&format::ratio(a.errors, a.requests.max(1))));
    let item = |service: &&ServiceSummary| {
        let earlier = before(compared, &service.name).filter(|earlier| earlier.requests > 0);
        let then = earlier.map(|earlier| format!(", {} in the window before", format::percent(earlier.errors, earlier.requests)));
        Attention {
            chip: palette.chip(&service.name),
            class: "error",
            text: format!("{} of requests fail", format::percent(service.errors, service.requests)),
            href: links.traces(&format!("{} status:error", term("service", &service.name))).href(),
            evidence: plain(format!(
                "{} of {}{}",
                format::exact(service.errors),
                format::exact(service.requests),
                then.unwrap_or_default()
            )),
        }
    };
    failing.iter().take(3).map(item).collect()
}

/// Services that became slower, without those that call one of them: they wait for it.
fn slower(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let slow: Vec<(&ServiceSummary, String)> =
        compared.now.iter().filter_map(|service| rise(service, compared).map(|rise| (service, rise))).collect();
    let is_slow = |name: &str| slow.iter().any(|(service, _)| service.name == name);
    let calls = |from: &str, to: &str| from != to && compared.calls.iter().any(|(caller, called)| caller == from && called == to);
    let waits = |name: &str| {
        compared.calls.iter().any(|(caller, called)| caller == name && called != name && is_slow(called) && !calls(called, name))
    };
    let is_cause = |service: &ServiceSummary| !waits(&service.name) && !failures.iter().any(|failure| failure.origin == service.name);
    let item = |(service, rise): &(&ServiceSummary, String)| {
        let waiting: Vec<String> =
            slow.iter().filter(|(other, _)| calls(&other.name, &service.name)).map(|(other, _)| format::line(&other.name, 40)).collect();
        let with = if waiting.is_empty() { String::new() } else { format!(", and with it {}", waiting.join(", ")) };
        Attention {
            chip: palette.chip(&service.name),
            class: "slow",
            text: rise.clone(),
            href: links.traces(&term("service", &service.name)).with("sort", "slowest").href(),
            evidence: plain(format!("against the window before{with}")),
        }
    };
    slow.iter().filter(|(service, _)| is_cause(service)).map(item).collect()
}

/// Services that sent requests in the window before and nothing in this one.
fn silent(compared: &Compared<'_>, range: TimeRange, links: &Links, palette: &Palette) -> Vec<Attention> {
    let window = range.to.since(range.from);
    let gone = compared.before.iter().filter(|old| old.requests >= 10 && !compared.now.iter().any(|known| known.name == old.name));
    let item = |service: &ServiceSummary| Attention {
        chip: palette.chip(&service.name),
        class: "silent",
        text: "went silent".to_owned(),
        href: links
            .service(&service.name)
            .with("from", &range.from.minus(window).get().to_string())
            .with("to", &range.from.get().to_string())
            .href(),
        evidence: plain(format!("{} in the window before, nothing now", format::counted(service.requests, "request", "requests"))),
    };
    gone.map(item).collect()
}

fn plain(text: String) -> Vec<Evidence> {
    vec![Evidence { text, href: String::new() }]
}

fn before<'a>(compared: &Compared<'a>, name: &str) -> Option<&'a ServiceSummary> {
    compared.before.iter().find(|earlier| earlier.name == name)
}

/// `p95 rose from … to …`, when it did and there are enough requests to tell.
fn rise(service: &ServiceSummary, compared: &Compared<'_>) -> Option<String> {
    let earlier = before(compared, &service.name)?;
    let is_slower = service.p95 > earlier.p95.saturating_mul(3) / 2 && service.p95 > earlier.p95.saturating_add(5_000_000);
    let is_many = service.requests >= 20 && earlier.requests >= 20;
    (is_slower && is_many).then(|| format!("p95 rose from {} to {}", format::duration(earlier.p95), format::duration(service.p95)))
}

/// Whether no failed span said so in the window before, while its service was there.
fn is_new(group: &ErrorGroup, compared: &Compared<'_>) -> bool {
    let alike = |old: &ErrorGroup| old.service == group.service && old.kind == group.kind && old.message == group.message;
    before(compared, &group.service).is_some_and(|service| service.requests > 0) && !compared.errors_before.iter().any(alike)
}

/// Whether a failure is told that starts in this service, reaches it or goes through it.
fn is_told(name: &str, failures: &[Failure<'_>]) -> bool {
    let is_in = |failure: &Failure<'_>| {
        failure.origin == name || failure.through.contains(&name) || failure.reached.iter().any(|((root, _), _)| *root == name)
    };
    failures.iter().take(MAX_FAILURES).any(is_in)
}

/// How many failed traces Home looks at.
pub(crate) const FAILED_SAMPLE: usize = 100;

/// Items of the list.
const MAX_ITEMS: usize = 9;

/// Failures among them.
const MAX_FAILURES: usize = 5;

/// Of one failure.
const MAX_MESSAGES: usize = 3;
const MAX_REACHED: usize = 2;

#[cfg(test)]
mod tests;
