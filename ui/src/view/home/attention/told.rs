//! What is said of a failure: one line, and the facts beside it, each with the address where more of it is.

use storage::{Operation, ServiceSummary, TraceId, TraceSummary};

use super::failures::{Failure, Reached, Said, failures};
use super::{Attention, Compared, Evidence, MAX_FAILURES, SAMPLE, before, is_new, rise, with_it};
use crate::ask::ErrorGroup;
use crate::view::colour::Palette;
use crate::view::format;
use crate::view::link::{Links, term};

/// One line for a failure.
pub(super) fn failing(
    failure: &Failure<'_>,
    failures: &[Failure<'_>],
    compared: &Compared<'_>,
    (links, palette): (&Links, &Palette),
) -> Attention {
    let origin = failure.origin;
    let service = compared.now.iter().find(|service| service.name == origin);
    let is_root = failure.is_root();
    let own = failure.reached.first().map_or("", |reached| reached.request.1);
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
        let said = |said: &Said<'_>| {
            let new = if is_said_anew(origin, &said.like, compared) { "new: " } else { "" };
            Evidence { text: format!("{new}{}", format::message(&said.text, 90)), href: links.trace(&said.trace).href() }
        };
        evidence.extend(failure.says.iter().take(MAX_MESSAGES).map(said));
    }
    evidence.extend(reach(failure, failures, (compared, is_root), links));
    let counted = match failed_share {
        Some(service) => Some(counted(service, compared)),
        None => how_often(failure, own, is_root, compared),
    };
    evidence.extend(counted.map(|text| Evidence { text, href: String::new() }));
    evidence.extend(contrast(failure, failed_share, (own, is_root), (compared, links)));
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

/// Leads to what the requests that fail have and the others have not, where there are others.
fn contrast(
    failure: &Failure<'_>,
    of: Option<&ServiceSummary>,
    (own, is_root): (&str, bool),
    (compared, links): (&Compared<'_>, &Links),
) -> Option<Evidence> {
    let operations = compared.operations.iter().filter(|(service, _)| service == failure.origin).flat_map(|(_, operations)| operations);
    let is_always = operations.filter(|operation| operation.name == own).any(|operation| operation.errors >= operation.count);
    let all = match of {
        Some(service) if service.errors < service.requests => format!("{} kind:server,consumer", term("service", failure.origin)),
        None if is_root && !failure.is_within && !is_always => {
            format!("{} {} root:true", term("service", failure.origin), term("name", own))
        }
        _ => return None,
    };
    let href = links.windowed("/traces/compare-groups").with("q", &all).with("with", "status:error").href();
    Some(Evidence { text: CONTRAST.to_owned(), href })
}

/// What that is called.
pub(super) const CONTRAST: &str = "compare with those that succeed";

/// Whether failed spans of a service say something that none did in the window before.
fn is_said_anew(service: &str, said: &str, compared: &Compared<'_>) -> bool {
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
        let is_root = failure.is_root();
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
    let codes = failure.says.iter().take(MAX_MESSAGES).map(|said| format::message(&said.text, 40)).collect::<Vec<_>>().join(", ");
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
        let text = format!("{new}{} × {}{of}", format::exact(counted), format::message(&group.shown, 70));
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
fn reach(failure: &Failure<'_>, failures: &[Failure<'_>], (compared, is_root): (&Compared<'_>, bool), links: &Links) -> Vec<Evidence> {
    let is_of = |trace: &&TraceSummary| trace.has_root && trace.root_failed == failure.has_failed_requests();
    let sample = compared.failed.iter().filter(is_of).count();
    let is_all = if failure.has_failed_requests() { sample < SAMPLE } else { compared.failed.len() < SAMPLE };
    let looked = if failure.has_failed_requests() {
        format!("of the {sample} failed traces looked at")
    } else {
        format!("of the {sample} traces looked at that succeed with errors inside")
    };
    let mut told: Vec<Evidence> = Vec::new();
    for reached in failure.reached.iter().take(MAX_REACHED) {
        let Reached { request: (root, operation), traces, through, .. } = reached;
        let passed = through.iter().map(|name| format::line(name, 40)).collect::<Vec<_>>().join(", ");
        let through = if passed.is_empty() { String::new() } else { format!(" through {passed}") };
        let request = format!("{} {}{through}", format::line(root, 40), format::line(operation, 60));
        let text = match (is_all, is_root) {
            (true, true) => format::counted(*traces, "trace", "traces"),
            (true, false) => format!("{} of {request}", format::counted(*traces, "trace", "traces")),
            (false, true) => format!("{traces} {looked}"),
            (false, false) => format!("{request}: {traces} {looked}"),
        };
        told.push(Evidence { text, href: links.traces(&asking(failure, reached, failures)).href() });
    }
    if failure.survived > 0 {
        let text = format!("{} that succeeded all the same", format::counted(failure.survived, "trace", "traces"));
        let query = format!("{} status:error root:(-status:error)", term("service", failure.origin));
        told.push(Evidence { text, href: links.traces(&query).href() });
    }
    let more = failure.reached.len().saturating_sub(MAX_REACHED);
    if more > 0 && !is_root {
        let query = format!("{} status:error", term("service", failure.origin));
        let text = format!("and {more} more {}", if more == 1 { "request" } else { "requests" });
        told.push(Evidence { text, href: links.traces(&query).href() });
    }
    told
}

/// What finds the traces of a request that a failure reaches. Where another failure passes through the same service, no condition tells the two
/// apart, and the traces are named, as long as they are few.
fn asking(failure: &Failure<'_>, reached: &Reached<'_>, failures: &[Failure<'_>]) -> String {
    let passes = |other: &Reached<'_>| other.request == reached.request && other.through.contains(&failure.origin);
    let is_mixed = failures.iter().any(|other| other.origin != failure.origin && other.reached.iter().any(passes));
    if is_mixed && reached.ids.len() <= MAX_NAMED {
        return format!("trace:{}", reached.ids.iter().map(TraceId::to_string).collect::<Vec<_>>().join(","));
    }
    failure.reaching(reached.request.0, reached.request.1)
}

/// Traces that are named in a query.
const MAX_NAMED: usize = 20;

/// Of one failure.
const MAX_MESSAGES: usize = 3;
const MAX_REACHED: usize = 2;
