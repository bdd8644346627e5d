//! Failures by where they start: failed traces put together by their cause, each with what it reaches and what is said of it.

use storage::{Operation, ServiceSummary, TraceId, TraceSummary, UnixNanos};

use super::{Attention, Compared, Evidence, MAX_FAILURES, Rank, SAMPLE, Weight, before, is_new, rise, with_it};
use crate::ask::{ErrorGroup, normalised};
use crate::view::answer::is_answer;
use crate::view::colour::Palette;
use crate::view::format;
use crate::view::link::{Links, term};
use crate::view::traces::why;

/// Failed traces whose failure starts in the same place.
pub(super) struct Failure<'a> {
    /// The service in which it starts.
    pub(super) origin: &'a str,
    /// Whether it starts within requests of that service to which it does not reach: those succeed.
    is_within: bool,
    /// Requests that it reaches, with how many traces: service and operation.
    pub(super) reached: Vec<((&'a str, &'a str), u64)>,
    /// Services between, that fail with it.
    pub(super) through: Vec<&'a str>,
    /// What failed traces say, for failures that have no message of their own, each with the newest that says it.
    says: Vec<(&'a str, TraceId)>,
    /// Whether one of them says nothing.
    is_mute: bool,
    traces: u64,
    newest: UnixNanos,
}

// === impl Failure ===

impl Failure<'_> {
    /// Asks for the traces of a request that this failure reaches.
    fn reaching(&self, root: &str, operation: &str) -> String {
        let request = format!("{} {}", term("service", root), term("name", operation));
        let succeeds = if self.is_within { " -status:error" } else { "" };
        format!("{} status:error root:({request}{succeeds})", term("service", self.origin))
    }

    /// What it weighs over the whole window: the failed requests of the service in which it starts. Of a service that begins traces, and of what
    /// fails within requests, only the share that the traces looked at have is known.
    pub(super) fn weight(&self, compared: &Compared<'_>) -> Weight {
        let service = compared.now.iter().find(|service| service.name == self.origin);
        let (requests, errors) = service.map_or((0, 0), |service| (service.requests, service.errors));
        let is_root = self.reached.iter().all(|((root, _), _)| *root == self.origin);
        if errors > 0 && !is_root {
            // Those that it fails with because of others start there.
            let fails = |trace: &&TraceSummary| trace.has_root && has_failed(trace, self.origin);
            let share = (compared.failed.iter().filter(fails).count() as u64).max(self.traces);
            return Weight::new(Rank::Reaches, errors.saturating_mul(self.traces).div_ceil(share.max(1)), requests);
        }
        if self.is_answered() {
            return Weight::new(Rank::Answered, self.traces, requests);
        }
        if !is_root || self.is_within {
            return Weight::new(Rank::Within, self.traces, requests);
        }
        let of_root = compared.failed.iter().filter(|trace| trace.has_root && trace.root_failed && trace.root_service == self.origin);
        let failed = errors.saturating_mul(self.traces) / (of_root.count() as u64).max(1);
        Weight::new(Rank::Reaches, failed.max(self.traces), requests)
    }

    /// Whether it reaches a request by way of a service that is not the one in which it starts.
    fn goes_through(&self, service: &str, request: (&str, &str)) -> bool {
        let is_caller = self.origin != service && (request.0 == service || self.through.contains(&service));
        is_caller && self.reached.iter().any(|(reached, _)| *reached == request)
    }

    /// Whether all that is known to fail are calls that were answered.
    fn is_answered(&self) -> bool {
        !self.is_mute && !self.says.is_empty() && self.says.iter().all(|(said, _)| is_answer(said))
    }
}

/// Failed traces by the service in which their failure starts; where that is not known, the failing one that is called last. Where that is
/// the service of the request itself, each of its operations is a cause of its own, and so is what fails within it while it succeeds. A trace of which spans may
/// still be on their way is taken for a failure that others show further down.
pub(super) fn failures<'a>(compared: &Compared<'a>) -> Vec<Failure<'a>> {
    let mut found: Vec<Failure<'a>> = Vec::new();
    let is_arriving = |trace: &&TraceSummary| compared.arriving.is_some_and(|arriving| trace.start.plus(trace.duration) > arriving);
    let (young, whole): (Vec<&TraceSummary>, Vec<&TraceSummary>) = compared.failed.iter().partition(is_arriving);
    let is_young = |place: usize| place >= whole.len();
    // What a trace begins with is not known before its root is there.
    for (place, trace) in whole.iter().chain(&young).enumerate().filter(|(_, trace)| trace.has_root) {
        let (root, operation) = (trace.root_service.as_str(), trace.root_name.as_str());
        let failing = || trace.services.iter().filter(|service| service.error_count > 0).map(|service| service.name.as_str());
        let start = trace.failure.as_ref();
        let origin = start.map(|failure| failure.service.as_str()).or_else(|| failing().next_back()).unwrap_or(root);
        let is_within = origin == root && !trace.root_failed;
        if is_young(place)
            && let Some(known) = found.iter_mut().find(|known| known.goes_through(origin, (root, operation)))
        {
            known.traces += 1;
            continue;
        }
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
                    is_mute: false,
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
        for service in start.iter().flat_map(|failure| &failure.through).map(String::as_str) {
            if !failure.through.contains(&service) {
                failure.through.push(service);
            }
        }
        match why(trace) {
            Some(message) if !failure.says.iter().any(|(said, _)| *said == message) => failure.says.push((message, trace.trace_id)),
            Some(_) => {}
            None => failure.is_mute = true,
        }
    }
    // What was answered is told after what is out of order.
    found.sort_by_key(|failure| (failure.is_answered(), std::cmp::Reverse((failure.traces, failure.newest))));
    for failure in &mut found {
        failure.reached.sort_by_key(|(reached, count)| (std::cmp::Reverse(*count), *reached));
    }
    found
}

fn has_failed(trace: &TraceSummary, service: &str) -> bool {
    trace.services.iter().any(|known| known.name == service && known.error_count > 0)
}

/// One line for a failure.
pub(super) fn failing(failure: &Failure<'_>, compared: &Compared<'_>, links: &Links, palette: &Palette) -> Attention {
    let origin = failure.origin;
    let service = compared.now.iter().find(|service| service.name == origin);
    let is_root = failure.reached.iter().all(|((root, _), _)| *root == origin);
    let own = failure.reached.first().map_or("", |((_, operation), _)| *operation);
    let failed_share = service.filter(|service| service.errors > 0 && !is_root);
    let is_answered = failed_share.is_none() && failure.is_answered();
    let text = match failed_share {
        _ if is_answered => answered(failure, own, is_root),
        Some(service) => format!("{} of requests fail", format::percent(service.errors, service.requests)),
        None if failure.is_within => {
            format!("{} within {} fails, the request itself succeeds", within(origin, compared), format::line(own, 90))
        }
        None if is_root => format!("{} fails", format::line(own, 90)),
        None => format!("{} within it fails, requests to it succeed", within(origin, compared)),
    };
    let query = if is_root { failure.reaching(origin, own) } else { format!("{} status:error", term("service", origin)) };
    let mut evidence = if is_root { Vec::new() } else { messages(origin, compared, failed_share.is_some(), links) };
    if evidence.is_empty() && !is_answered {
        // The newest trace that says so, since what it says has no group of its own.
        let said = |(said, trace): &(&str, TraceId)| {
            let new = if is_said_anew(origin, said, compared) { "new: " } else { "" };
            Evidence { text: format!("{new}{}", format::message(said, 90)), href: links.trace(trace).href() }
        };
        evidence.extend(failure.says.iter().take(MAX_MESSAGES).map(said));
    }
    evidence.extend(reach(failure, compared.failed.len(), is_root, links));
    let counted = match failed_share {
        Some(service) => Some(counted(service, compared)),
        None => how_often(failure, own, is_root, compared),
    };
    evidence.extend(counted.map(|text| Evidence { text, href: String::new() }));
    if let Some((rise, service)) = service.and_then(|service| rise(service, compared).zip(Some(service))).filter(|_| !is_root) {
        let text = format!("{rise}{}", with_it(service, compared));
        evidence.push(Evidence { text, href: links.traces(&term("service", origin)).with("sort", "slowest").href() });
    }
    Attention {
        chip: palette.chip(origin),
        class: if is_answered { "answer" } else { "error" },
        text,
        href: links.traces(&query).href(),
        evidence,
    }
}

/// Whether failed spans of a service say something that none did in the window before.
fn is_said_anew(service: &str, said: &str, compared: &Compared<'_>) -> bool {
    let said = normalised(said);
    compared.errors.iter().any(|group| group.service == service && group.message == said && is_new(group, compared))
}

/// How many requests of a service failed of how many, and which share in the window before: that is told only beside the one of now.
pub(super) fn counted(service: &ServiceSummary, compared: &Compared<'_>) -> String {
    let earlier = before(compared, &service.name).filter(|earlier| earlier.requests > 0);
    let then = earlier.map(|earlier| format!(", {} in the window before", format::percent(earlier.errors, earlier.requests)));
    format!("{} of {}{}", format::exact(service.errors), format::exact(service.requests), then.unwrap_or_default())
}

/// How often what fails without its requests, or begins traces, failed of how many times; `None` where that was not asked for, or
/// the number would be of more than what is told.
fn how_often(failure: &Failure<'_>, own: &str, is_root: bool, compared: &Compared<'_>) -> Option<String> {
    // Answers of one kind are not counted apart from those of others.
    if failure.is_answered() && (!is_root || failure.is_within) {
        return None;
    }
    let of = |known: &[(String, Vec<Operation>)], is_meant: &dyn Fn(&Operation) -> bool| {
        let operations = known.iter().filter(|(service, _)| service == failure.origin).flat_map(|(_, operations)| operations);
        let meant = operations.filter(|operation| is_meant(operation));
        meant.fold((0_u64, 0_u64), |(failed, all), one| (failed.saturating_add(one.errors), all.saturating_add(one.count)))
    };
    let is_call = |operation: &Operation| matches!(operation.kind, "client" | "producer");
    let is_request = |operation: &Operation| matches!(operation.kind, "server" | "consumer");
    let is_own = |operation: &Operation| operation.name == own && !is_call(operation);
    let is_inner = |operation: &Operation| !is_request(operation);
    let (is_meant, one, many): (&dyn Fn(&Operation) -> bool, _, _) = if is_root && !failure.is_within {
        (&is_own, "time", "times")
    } else if within(failure.origin, compared) == CALL {
        (&is_call, "call that the service makes", "calls that the service makes")
    } else {
        (&is_inner, "span within requests to the service", "spans within requests to the service")
    };
    let (failed, all) = of(compared.operations, is_meant);
    let then = Some(of(compared.operations_before, is_meant)).filter(|(_, all)| *all > 0);
    let then = then.map(|(failed, all)| format!(", {} in the window before", format::percent(failed, all))).unwrap_or_default();
    (failed > 0).then(|| format!("{} of {}{then}", format::exact(failed), format::counted(all, one, many)))
}

/// Services whose failures are told without a share of failed requests: of these is asked how often what fails is done.
pub(crate) fn asks_how_often(compared: &Compared<'_>) -> Vec<String> {
    let has_share = |failure: &Failure<'_>| {
        let is_root = failure.reached.iter().all(|((root, _), _)| *root == failure.origin);
        !is_root && compared.now.iter().any(|service| service.name == failure.origin && service.errors > 0)
    };
    let mut asked: Vec<String> = Vec::new();
    for failure in failures(compared).iter().filter(|failure| !has_share(failure)) {
        if asked.len() < MAX_FAILURES && !asked.iter().any(|known| known == failure.origin) {
            asked.push(failure.origin.to_owned());
        }
    }
    asked
}

/// Calls that were answered, where they are made.
fn answered(failure: &Failure<'_>, operation: &str, is_root: bool) -> String {
    let codes = failure.says.iter().take(MAX_MESSAGES).map(|(said, _)| format::message(said, 40)).collect::<Vec<_>>().join(", ");
    match (is_root, failure.is_within) {
        (true, true) => format!("a call within {} is answered {codes}, the request itself succeeds", format::line(operation, 90)),
        (true, false) => format!("{} is answered {codes}", format::line(operation, 90)),
        (false, _) => format!("a call within it is answered {codes}, requests to it succeed"),
    }
}

/// What fails within requests of a service, as far as its failed spans are of one kind.
fn within(origin: &str, compared: &Compared<'_>) -> &'static str {
    let mut groups = compared.errors.iter().filter(|group| group.service == origin && group.count > group.requests).peekable();
    let is_some = groups.peek().is_some();
    if is_some && groups.all(|group| group.count == group.requests.saturating_add(group.calls)) { CALL } else { "a span" }
}

const CALL: &str = "a call";

/// What the failed spans of the origin say, new ones first; of failed requests those that say it of most of them. Each kind is told before
/// a second one of its like.
pub(super) fn messages(origin: &str, compared: &Compared<'_>, of_requests: bool, links: &Links) -> Vec<Evidence> {
    let mut groups: Vec<&ErrorGroup> =
        compared.errors.iter().filter(|group| group.service == origin && !group.message.is_empty()).collect();
    let requests = |group: &ErrorGroup| if of_requests { group.requests } else { 0 };
    groups.sort_by_key(|group| std::cmp::Reverse((is_new(group, compared), requests(group), group.failures())));
    let told = |group: &ErrorGroup| {
        let new = if is_new(group, compared) { "new: " } else { "" };
        let (counted, of) = match requests(group) {
            0 if of_requests => (group.failures(), if group.calls > 0 { " in calls it makes" } else { " in steps within" }),
            0 => (group.failures(), ""),
            requests => (requests, ""),
        };
        let text = format!("{new}{} × {}{of}", format::exact(counted), format::message(&group.message, 70));
        Evidence { text, href: group.newest(links) }
    };
    let mut listed: Vec<Evidence> = one_of_each(&groups).into_iter().map(told).collect();
    let more = groups.len().saturating_sub(MAX_MESSAGES);
    if more > 0 {
        listed.push(Evidence { text: format!("and {more} more"), href: links.service(origin).with("tab", "errors").href() });
    }
    listed
}

/// The first of each kind, then others, as many as are told, in their order.
fn one_of_each<'a>(groups: &[&'a ErrorGroup]) -> Vec<&'a ErrorGroup> {
    let likeness = |group: &'a ErrorGroup| {
        let word = group.message.split_whitespace().next().unwrap_or_default();
        if group.kind.is_empty() { word } else { group.kind.as_str() }
    };
    let is_first =
        |place: usize| groups.iter().position(|known| Some(likeness(known)) == groups.get(place).map(|own| likeness(own))) == Some(place);
    let mut places: Vec<usize> = (0..groups.len()).collect();
    places.sort_by_key(|place| !is_first(*place));
    places.truncate(MAX_MESSAGES);
    places.sort_unstable();
    places.into_iter().filter_map(|place| groups.get(place).copied()).collect()
}

/// The requests that end in this failure, and in how many of the traces that were looked at.
fn reach(failure: &Failure<'_>, sample: usize, is_root: bool, links: &Links) -> Vec<Evidence> {
    let mut told: Vec<Evidence> = Vec::new();
    for ((root, operation), count) in failure.reached.iter().take(MAX_REACHED) {
        let traces = if sample < SAMPLE {
            format::counted(*count, "trace", "traces")
        } else {
            format!("{count} of the newest {sample} failed traces")
        };
        let text = if is_root { traces } else { format!("{traces} of {} {}", format::line(root, 40), format::line(operation, 60)) };
        let query = failure.reaching(root, operation);
        told.push(Evidence { text, href: links.traces(&query).href() });
    }
    let more = failure.reached.len().saturating_sub(MAX_REACHED);
    if let (Some(last), false) = (told.last_mut(), failure.through.is_empty()) {
        last.text =
            format!("{} through {}", last.text, failure.through.iter().map(|name| format::line(name, 40)).collect::<Vec<_>>().join(", "));
    }
    if more > 0 && !is_root {
        let query = format!("{} status:error", term("service", failure.origin));
        let text = format!("and {more} more {}", if more == 1 { "request" } else { "requests" });
        told.push(Evidence { text, href: links.traces(&query).href() });
    }
    told
}

/// Of one failure.
const MAX_MESSAGES: usize = 3;
const MAX_REACHED: usize = 2;
