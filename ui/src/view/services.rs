//! Services: the list, and what the page of one shows in tables.

use std::cmp::Reverse;

use askama::Template;
use storage::{Edge, NodeKind, Operation, ServiceMap, ServiceSummary, TimeRange};

use super::chart::Spark;
use super::colour::{Chip, Palette};
use super::format::{self, Clockface, Moment};
use super::frame::Frame;
use super::link::{Links, term};
use super::map::{Facts, Made, shown, written};

mod detail;
mod errors;
mod latency;
mod order;
mod trends;

pub(crate) use self::detail::{OperationPage, Service, Tab, instance_rows, version_marks};
pub(crate) use self::errors::{ErrorOrder, ErrorRow, error_rows};
pub(crate) use self::latency::Latency;
pub(crate) use self::order::Order;
pub(crate) use self::trends::Trends;

/// `/services`.
#[derive(Debug, Default, Template)]
#[template(path = "services.html")]
pub(crate) struct Services {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<Row>,
    /// Word, address and whether it is the present order.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    /// What the names of those that are shown hold, as it was written.
    pub(crate) name: String,
    /// `3 of 120 services`; empty while all are shown.
    pub(crate) summary: String,
    /// That no name holds it, when there are services.
    pub(crate) nothing: String,
    /// The same without it.
    pub(crate) any_name: String,
    /// What the form carries along.
    pub(crate) hidden: Vec<(String, String)>,
    /// What they can be narrowed by.
    pub(crate) choices: Vec<Choice>,
    pub(crate) notes: Vec<String>,
    /// What services call that sends nothing itself.
    pub(crate) peers: Vec<Peer>,
    pub(crate) peer_orders: Vec<(&'static str, String, bool)>,
    pub(crate) problem: Option<super::search::Problem>,
    /// Windows to try when there is nothing.
    pub(crate) otherwise: Vec<(String, String)>,
    pub(crate) json: String,
}

/// Values of which one may be chosen: word, address, and whether it is the present one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) title: &'static str,
    pub(crate) words: Vec<(String, String, bool)>,
}

/// A service in a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) chip: Chip,
    pub(crate) href: String,
    pub(crate) rate: String,
    pub(crate) requests: String,
    pub(crate) errors: String,
    pub(crate) errors_exact: String,
    pub(crate) is_failing: bool,
    pub(crate) failed: String,
    pub(crate) p50: String,
    pub(crate) p95: String,
    pub(crate) p99: String,
    pub(crate) logs: String,
    pub(crate) last_seen: Moment,
    pub(crate) rate_line: Spark,
    pub(crate) error_line: Spark,
    pub(crate) p95_line: Spark,
}

/// A database, queue or other system that services call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) rate: String,
    pub(crate) calls: String,
    pub(crate) errors: String,
    pub(crate) errors_exact: String,
    pub(crate) is_failing: bool,
    pub(crate) p50: String,
    pub(crate) p95: String,
    pub(crate) p99: String,
    pub(crate) href: String,
}

/// An operation of a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperationRow {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) href: String,
    pub(crate) rate: String,
    pub(crate) count: String,
    pub(crate) errors: String,
    pub(crate) is_failing: bool,
    pub(crate) failed: String,
    pub(crate) p50: String,
    pub(crate) p95: String,
    pub(crate) p99: String,
    /// Share of the time of the service's requests, for the bar and as text; see [`request_time`].
    pub(crate) share: String,
    pub(crate) part: String,
    /// Its spans over the window.
    pub(crate) trend: Spark,
}

/// Calls to or from a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) chip: Option<Chip>,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) href: String,
    pub(crate) facts: Facts,
    /// A call to look at.
    pub(crate) example: String,
}

/// One service of a list.
pub(crate) fn row(summary: &ServiceSummary, range: TimeRange, links: &Links, clock: &Clockface, palette: &Palette) -> Row {
    let window = range.to.since(range.from);
    let rate = format::rate(summary.requests, window);
    let errors = format::percent(summary.errors, summary.requests);
    let p95 = if summary.requests == 0 { format::MISSING.to_owned() } else { format::duration(summary.p95) };
    // The last part is not over yet and would look like a fall; where it has all that there is, it is a rise.
    let earlier = summary.points.len().saturating_sub(1);
    let is_new = summary.points.iter().take(earlier).all(|point| point.requests == 0);
    let shown = if is_new { summary.points.len() } else { earlier };
    let series = |value: fn(&storage::ServicePoint) -> u64| summary.points.iter().take(shown).map(value).collect::<Vec<_>>();
    let quantile = |nanos: u64| if summary.requests == 0 { format::MISSING.to_owned() } else { format::duration(nanos) };
    Row {
        chip: palette.chip(&summary.name),
        href: links.service(&summary.name).href(),
        rate_line: Spark::new(&series(|point| point.requests), format!("requests, now {rate}")),
        error_line: Spark::new(&series(|point| point.errors), format!("failed requests, {errors} in all")),
        p95_line: Spark::new(&series(|point| point.p95), format!("95th percentile, {p95} in all")),
        rate,
        requests: format::counted(summary.requests, "request", "requests"),
        errors_exact: format!("{} of {}", format::exact(summary.errors), format::exact(summary.requests)),
        errors,
        is_failing: summary.errors > 0,
        failed: links.traces(&format!("{} status:error", term("service", &summary.name))).href(),
        p50: quantile(summary.p50),
        p95,
        p99: quantile(summary.p99),
        logs: format::count(summary.log_count),
        last_seen: clock.moment(summary.last_seen),
    }
}

/// What a map knows besides services, in an order.
pub(crate) fn peers(map: &ServiceMap, order: Order, range: TimeRange, links: &Links) -> Vec<Peer> {
    let window = range.to.since(range.from);
    let is_other = |node: &&storage::Node| matches!(node.kind, NodeKind::Database | NodeKind::Queue | NodeKind::External);
    let mut others: Vec<&storage::Node> = map.nodes.iter().filter(is_other).collect();
    order.systems(&mut others);
    let quantile = |node: &storage::Node, nanos| if node.requests == 0 { format::MISSING.to_owned() } else { format::duration(nanos) };
    let peer = |node: &storage::Node| Peer {
        name: shown(&(node.name.clone(), node.kind), map),
        kind: node.kind.as_str(),
        rate: format::rate(node.requests, window),
        calls: format::counted(node.requests, "call", "calls"),
        errors: format::percent(node.errors, node.requests),
        errors_exact: format!("{} of {}", format::exact(node.errors), format::exact(node.requests)),
        is_failing: node.errors > 0,
        p50: quantile(node, node.p50),
        p95: quantile(node, node.p95),
        p99: quantile(node, node.p99),
        href: links.windowed("/map").with("focus", &written(&(node.name.clone(), node.kind))).href(),
    };
    others.into_iter().map(peer).collect()
}

/// The time that a service's requests took, of which operations have their share, and whether there were requests: the time of its
/// server and consumer spans, and of all its spans where it has none of these.
pub(crate) fn request_time(operations: &[Operation]) -> (u64, bool) {
    let sum = |of: fn(&&Operation) -> bool| operations.iter().filter(of).map(|operation| operation.total).fold(0, u64::saturating_add);
    match sum(|operation| matches!(operation.kind, "server" | "consumer")) {
        0 => (sum(|_| true), false),
        requests => (requests, true),
    }
}

/// Operations in their order; `whole` is what the time that they took in all is a share of.
pub(crate) fn operations(service: &str, operations: &[Operation], whole: u64, range: TimeRange, links: &Links) -> Vec<OperationRow> {
    let window = range.to.since(range.from);
    let row = |operation: &Operation| {
        let query = format!("{} {}", term("service", service), term("name", &operation.name));
        OperationRow {
            name: format::name(&operation.name),
            kind: operation.kind,
            rate: format::rate(operation.count, window),
            count: format::counted(operation.count, "span", "spans"),
            errors: format::percent(operation.errors, operation.count),
            is_failing: operation.errors > 0,
            failed: links.traces(&format!("{query} status:error")).href(),
            href: links.operation(service, &operation.name).with("kind", operation.kind).href(),
            p50: format::duration(operation.p50),
            p95: format::duration(operation.p95),
            p99: format::duration(operation.p99),
            share: format::position(operation.total, whole),
            part: format::percent(operation.total, whole),
            trend: Spark::default(),
        }
    };
    operations.iter().take(MAX_OPERATIONS).map(row).collect()
}

/// Edges that end at a service, and edges that begin there.
pub(crate) fn dependencies(
    service: &str,
    map: &ServiceMap,
    range: TimeRange,
    links: &Links,
    palette: &Palette,
) -> (Vec<Dependency>, Vec<Dependency>) {
    let (window, made) = (range.to.since(range.from), Made::of(map));
    let is_this = |(name, kind): &(String, NodeKind)| name == service && *kind == NodeKind::Service;
    let view = |edge: &Edge, key: &(String, NodeKind)| {
        let (name, kind) = key;
        let is_service = *kind == NodeKind::Service;
        Dependency {
            chip: is_service.then(|| palette.chip(name)),
            name: shown(key, map),
            kind: kind.as_str(),
            href: if is_service { links.service(name).href() } else { links.windowed("/map").with("focus", &written(key)).href() },
            facts: Facts::new(edge, (map, &made), None, window),
            example: example(edge, links),
        }
    };
    // The busiest first, as everywhere.
    let mut edges: Vec<&Edge> = map.edges.iter().collect();
    edges.sort_by_key(|edge| Reverse(edge.calls));
    let callers = edges.iter().filter(|edge| is_this(&edge.to) && !is_this(&edge.from)).map(|edge| view(edge, &edge.from)).collect();
    let callees = edges.iter().filter(|edge| is_this(&edge.from)).map(|edge| view(edge, &edge.to)).collect();
    (callers, callees)
}

/// A call over an edge; the failed one when there is one.
pub(crate) fn example(edge: &Edge, links: &Links) -> String {
    let chosen = if edge.errors > 0 { edge.examples.last() } else { edge.examples.first() };
    chosen.map(|(trace, span)| format!("{}#s{span}", links.trace(trace).with("span", &span.to_string()).href())).unwrap_or_default()
}

/// More operations are not listed.
const MAX_OPERATIONS: usize = 200;

#[cfg(test)]
mod tests {
    use storage::{EdgeKind, Node, UnixNanos};

    use super::*;

    #[test]
    fn systems_and_dependencies_come_by_calls() {
        let node = |name: &str, kind, requests| Node {
            name: name.to_owned(),
            kind,
            system: String::new(),
            requests,
            errors: 1,
            p50: 1,
            p95: 2,
            p99: 3,
        };
        let edge = |to: &str, calls| Edge {
            from: ("web".to_owned(), NodeKind::Service),
            to: (to.to_owned(), NodeKind::Database),
            kind: EdgeKind::Call,
            calls,
            errors: 0,
            p50: 1,
            p95: 2,
            p99: 3,
            examples: Vec::new(),
        };
        let map = ServiceMap {
            nodes: vec![
                node("a", NodeKind::Database, 2),
                node("web", NodeKind::Service, 99),
                node("b", NodeKind::Queue, 7),
                node("c", NodeKind::External, 2),
            ],
            edges: vec![edge("a", 2), edge("d", 9)],
            ..ServiceMap::default()
        };
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(1_000_000_000) };
        let links = Links::default();
        let idle = ServiceMap { nodes: vec![node("unused", NodeKind::Queue, 0)], ..ServiceMap::default() };
        let unused = peers(&idle, Order::Most, range, &links).remove(0);
        assert_eq!([unused.p50, unused.p95, unused.p99], [format::MISSING; 3], "nobody sent to it");
        let told: Vec<_> =
            peers(&map, Order::Most, range, &links).into_iter().map(|peer| (peer.name, peer.errors_exact, peer.p99)).collect();
        let p99 = || format::duration(3);
        let [b, a, c] = [("b", "1 of 7"), ("a", "1 of 2"), ("c", "1 of 2")].map(|(name, of)| (name.to_owned(), of.to_owned(), p99()));
        assert_eq!(told, [b, a, c]);
        let by_name: Vec<_> = peers(&map, Order::Name, range, &links).into_iter().map(|peer| peer.name).collect();
        assert_eq!(by_name, ["a", "b", "c"]);
        let failing: Vec<_> = peers(&map, Order::Failures, range, &links).into_iter().map(|peer| peer.name).collect();
        assert_eq!(failing, ["a", "c", "b"], "one of two fails, and one of seven");
        let (_, callees) = dependencies("web", &map, range, &links, &Palette::default());
        assert_eq!(callees.into_iter().map(|one| one.name).collect::<Vec<_>>(), ["d", "a"]);
    }
}
