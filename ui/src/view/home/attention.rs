//! What is not as it should be, one line per cause: a failure is told where it starts, with what it reaches as its evidence, and what
//! became slower is told where it is called, not by its callers again.

use std::cmp::Reverse;

use storage::{Edge, EdgeKind, NodeKind, Operation, ServiceSummary, TimeRange, TraceSummary, UnixNanos};

use crate::ask::ErrorGroup;
use crate::view::colour::{Chip, Palette};
use crate::view::format;
use crate::view::link::{Links, term};
use crate::view::map::address;

mod failures;
mod repeated;
mod told;

use self::failures::{Failure, failures};
use self::repeated::repeated;
pub(crate) use self::told::asks_how_often;
use self::told::{counted, failing, messages};

/// Something that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) chip: Chip,
    /// `error`, `answer`, `new`, `slow`, `many` or `silent`.
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
    /// What durations are compared by where the window before cannot be.
    pub(crate) parts: Option<Parts<'a>>,
    /// Failed traces: all, or the newest and some of each part of the time before them.
    pub(crate) failed: &'a [TraceSummary],
    /// The newest traces, whether they failed or not.
    pub(crate) newest: &'a [TraceSummary],
    pub(crate) errors: &'a [ErrorGroup],
    pub(crate) errors_before: &'a [ErrorGroup],
    /// Who calls whom, where [`asks_who_waits`] says that it matters.
    pub(crate) edges: &'a [Edge],
    /// Operations of services of which [`asks_how_often`] says that they matter.
    pub(crate) operations: &'a [(String, Vec<Operation>)],
    /// The same in the window before.
    pub(crate) operations_before: &'a [(String, Vec<Operation>)],
    /// From when on spans of a trace may still be on their way, so that where its failure starts is not known yet.
    pub(crate) arriving: Option<UnixNanos>,
}

/// Two parts of this window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) later: &'a [ServiceSummary],
    pub(crate) earlier: &'a [ServiceSummary],
    /// The time between them, in words.
    pub(crate) at: &'a str,
}

/// What differs for the worse, and what comes after that: failures, by what they weigh; services slower than in the window before; loops over
/// single calls; silent services.
pub(crate) fn attention(compared: Compared<'_>, range: TimeRange, (links, palette): (&Links, &Palette)) -> [Vec<Attention>; 2] {
    let failures = failures(&compared);
    let weigh = |failure: &Failure<'_>| (failure.weight(&compared), is_told_of(failure.origin, failure, &failures));
    let mut weighed: Vec<((Weight, bool), Attention)> =
        failures.iter().map(|failure| (weigh(failure), failing(failure, &failures, &compared, (links, palette)))).collect();
    weighed.extend(other_failing(&failures, &compared, links, palette));
    weighed.sort_by(|(a, told), (b, other)| (a, &told.chip.name, &told.text).cmp(&(b, &other.chip.name, &other.text)));
    let mut items: Vec<Attention> = weighed.into_iter().map(|(_, item)| item).collect();
    let mut rest = items.split_off(items.len().min(MAX_FAILURES));
    items.extend(other_new_errors(&failures, &compared, links, palette));
    items.extend(slower(&failures, &compared, links, palette));
    items.extend(repeated(&compared, links, palette));
    items.extend(silent(&compared, range, links, palette));
    rest.extend(items.split_off(items.len().min(MAX_ITEMS)));
    rest.truncate(MAX_REST);
    [items, rest]
}

/// What comes first: failures that reach callers, then those within requests that succeed, then answers; of each those that weigh most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    rank: Rank,
    /// Failed requests times their share, as a power of two: what is about as bad keeps its place. One that failed of one is no outage.
    weight: Reverse<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Reaches,
    Within,
    Answered,
}

impl Weight {
    /// `failed` of `requests` over the whole window.
    fn new(rank: Rank, failed: u64, requests: u64) -> Self {
        let weight = u128::from(failed) * u128::from(failed) * 1_000 / (u128::from(requests.max(failed)) + DOUBT);
        Self { rank, weight: Reverse(u128::BITS - weight.leading_zeros()) }
    }
}

/// Messages that no failed span had in the window before, of services that have no line of their own above and no failure is told of.
fn other_new_errors(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let has_own = |name: &str| compared.now.iter().any(|service| service.name == name && service.errors > 0);
    let is_other = |group: &&ErrorGroup| {
        !group.message.is_empty() && is_new(group, compared) && !is_told(&group.service, failures) && !has_own(&group.service)
    };
    let item = |group: &ErrorGroup| Attention {
        chip: palette.chip(&group.service),
        class: "new",
        text: format!("new error: {}", format::line(&group.shown, 90)),
        href: group.newest(links),
        evidence: plain(format!("{}, none in the window before", format::counted(group.failures(), "time", "times"))),
    };
    compared.errors.iter().filter(is_other).take(3).map(item).collect()
}

/// Failing services that are in none of the traces looked at, and of each whether its requests fail with the calls that it makes: then they
/// fail where these calls end, which comes before it.
fn other_failing(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<((Weight, bool), Attention)> {
    let failing = compared.now.iter().filter(|service| service.errors > 0 && !is_told(&service.name, failures));
    let item = |service: &ServiceSummary| {
        let mut evidence = messages(&service.name, compared, true, links);
        evidence.extend(plain(counted(service, compared)));
        let attention = Attention {
            chip: palette.chip(&service.name),
            class: "error",
            text: format!("{} of requests fail", format::percent(service.errors, service.requests)),
            href: links.traces(&format!("{} status:error", term("service", &service.name))).href(),
            evidence,
        };
        let groups = compared.errors.iter().filter(|group| group.service == service.name);
        let failed_calls = groups.map(|group| group.calls).fold(0, u64::saturating_add);
        let is_caller = failed_calls.saturating_mul(2) >= service.errors;
        ((Weight::new(Rank::Reaches, service.errors, service.requests), is_caller), attention)
    };
    failing.map(item).collect()
}

/// Whether it matters who calls whom: where a service became slower it perhaps waits for another.
pub(crate) fn asks_who_waits(compared: &Compared<'_>) -> bool {
    compared.now.iter().any(|service| rise(service, compared).is_some())
}

/// Services that became slower, without those that call one of them: they wait for it.
fn slower(failures: &[Failure<'_>], compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let slow: Vec<(&ServiceSummary, String)> =
        compared.now.iter().filter_map(|service| rise(service, compared).map(|rise| (service, rise))).collect();
    let is_slow = |name: &str| slow.iter().any(|(service, _)| service.name == name);
    let calls = |from: &str, to: &str| from != to && services_only(compared.edges).any(|edge| edge.from.0 == from && edge.to.0 == to);
    let waits = |name: &str| {
        let mut called = services_only(compared.edges).filter(|edge| edge.from.0 == name).map(|edge| edge.to.0.as_str());
        called.any(|called| called != name && is_slow(called) && !calls(called, name))
    };
    let is_cause = |service: &ServiceSummary| !waits(&service.name) && !failures.iter().any(|failure| failure.origin == service.name);
    let item = |(service, rise): &(&ServiceSummary, String)| {
        let with = with_it(service, compared);
        let later = compared.parts.and_then(|parts| parts.later.iter().find(|known| known.name == service.name));
        let requests = later.unwrap_or(service).requests;
        let against = compared.parts.map_or_else(|| "the window before".to_owned(), |parts| format!("the time before {}", parts.at));
        let mut evidence = plain(format!("of {}, against {against}{with}", format::counted(requests, "request", "requests")));
        evidence.extend(awaited(service, compared, links));
        evidence.extend(slow_ones(service, compared, links));
        Attention {
            chip: palette.chip(&service.name),
            class: "slow",
            text: rise.clone(),
            href: links.traces(&term("service", &service.name)).with("sort", "slowest").href(),
            evidence,
        }
    };
    slow.iter().filter(|(service, _)| is_cause(service)).map(item).collect()
}

/// Leads to what the requests that take longer than one in twenty did before have, and the others have not.
fn slow_ones(service: &ServiceSummary, compared: &Compared<'_>, links: &Links) -> Option<Evidence> {
    let earlier = match compared.parts {
        Some(parts) => parts.earlier.iter().find(|known| known.name == service.name),
        None => before(compared, &service.name),
    };
    let than = earlier.map(|earlier| earlier.p95).filter(|p95| *p95 > 0)?;
    let all = format!("{} kind:server,consumer", term("service", &service.name));
    let href = links.windowed("/traces/compare-groups").with("q", &all).with("with", &format!("duration>{}", format::written(than)));
    Some(Evidence { text: format!("compare those over {} with the others", format::duration(than)), href: href.href() })
}

/// Who became slower with a service: who calls it, and nothing slower that became slower too. Needs [`Compared::edges`].
fn with_it(service: &ServiceSummary, compared: &Compared<'_>) -> String {
    let calls = |from: &str, to: &str| from != to && services_only(compared.edges).any(|edge| edge.from.0 == from && edge.to.0 == to);
    let slow: Vec<&ServiceSummary> = compared.now.iter().filter(|known| rise(known, compared).is_some()).collect();
    let waits_elsewhere = |other: &ServiceSummary| {
        slow.iter().any(|third| third.name != service.name && third.p95 > service.p95 && calls(&other.name, &third.name))
    };
    let waiting = slow.iter().filter(|other| calls(&other.name, &service.name) && !waits_elsewhere(other));
    let waiting: Vec<String> = waiting.map(|other| format::line(&other.name, 40)).collect();
    if waiting.is_empty() { String::new() } else { format!(", and with it {}", waiting.join(", ")) }
}

/// What a service waits for longest, where that takes half of its own time or more. Calls that fewer than one in twenty requests makes do
/// not move what one in twenty takes.
fn awaited(service: &ServiceSummary, compared: &Compared<'_>, links: &Links) -> Option<Evidence> {
    let is_awaited = |edge: &&Edge| {
        edge.kind == EdgeKind::Call
            && (edge.from.0.as_str(), edge.from.1) == (service.name.as_str(), NodeKind::Service)
            && edge.to != edge.from
            && edge.calls.saturating_mul(20) >= service.requests
    };
    let slowest = compared.edges.iter().filter(is_awaited).max_by_key(|edge| edge.p95)?;
    let kind = if slowest.to.1 == NodeKind::Database { "the database " } else { "" };
    let text = format!("its calls to {kind}{} take {} at p95", format::line(&slowest.to.0, 60), format::duration(slowest.p95));
    let is_much = slowest.p95.saturating_mul(2) >= service.p95;
    is_much.then(|| Evidence { text, href: address(&links.windowed("/map"), slowest) })
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

/// Calls of services to services.
fn services_only(edges: &[Edge]) -> impl Iterator<Item = &Edge> {
    edges.iter().filter(|edge| edge.from.1 == NodeKind::Service && edge.to.1 == NodeKind::Service)
}

fn plain(text: String) -> Vec<Evidence> {
    vec![Evidence { text, href: String::new() }]
}

fn before<'a>(compared: &Compared<'a>, name: &str) -> Option<&'a ServiceSummary> {
    compared.before.iter().find(|earlier| earlier.name == name)
}

/// `p95 rose from … to …`, when it did and there are enough requests to tell.
fn rise(service: &ServiceSummary, compared: &Compared<'_>) -> Option<String> {
    let (later, earlier) = compared.parts.map_or((compared.now, compared.before), |parts| (parts.later, parts.earlier));
    let service = later.iter().find(|known| known.name == service.name)?;
    let earlier = earlier.iter().find(|known| known.name == service.name)?;
    let is_slower = service.p95 > earlier.p95.saturating_mul(3) / 2 && service.p95 > earlier.p95.saturating_add(5_000_000);
    let is_many = service.requests >= 20 && earlier.requests >= 20;
    (is_slower && is_many).then(|| format!("p95 rose from {} to {}", format::duration(earlier.p95), format::duration(service.p95)))
}

/// Whether another failure is told that reaches this service or goes through it: what starts there comes after that, of what weighs as much.
fn is_told_of(name: &str, own: &Failure<'_>, failures: &[Failure<'_>]) -> bool {
    let mut others = failures.iter().filter(|failure| failure.origin != own.origin);
    others.any(|failure| failure.meets(name))
}

/// Whether no failed span said so in the window before, while its service was there.
fn is_new(group: &ErrorGroup, compared: &Compared<'_>) -> bool {
    let alike = |old: &ErrorGroup| old.service == group.service && old.kind == group.kind && old.message == group.message;
    before(compared, &group.service).is_some_and(|service| service.requests > 0) && !compared.errors_before.iter().any(alike)
}

/// Whether a failure is told that starts in this service, reaches it or goes through it.
fn is_told(name: &str, failures: &[Failure<'_>]) -> bool {
    failures.iter().any(|failure| failure.origin == name || failure.meets(name))
}

/// How many failed traces Home looks at, and how many of the newest.
pub(crate) const SAMPLE: usize = 100;

/// So many requests more count as answered where a share is weighed: of few it says little.
const DOUBT: u128 = 10;

/// Items of the list.
const MAX_ITEMS: usize = 9;

/// Items after those.
const MAX_REST: usize = 100;

/// Failures among them.
const MAX_FAILURES: usize = 5;

#[cfg(test)]
mod tests;
