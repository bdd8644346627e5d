//! One dependency in detail, and how dependencies differ from the window before.

use std::collections::HashMap;

use storage::{Edge, NodeKind, ServiceMap};

use super::{Facts, Key, Made, shown, written};
use crate::view::chart::{Bars, Lines};
use crate::view::format;
use crate::view::link::{Address, Links, term};

/// The panel of a dependency.
#[derive(Clone, Debug, Default)]
pub(crate) struct EdgePanel {
    pub(crate) facts: Facts,
    /// The same in the window before.
    pub(crate) before: String,
    /// Which call, and its span.
    pub(crate) examples: Vec<(&'static str, String)>,
    /// Traces of the calling and of the called side, and those that failed.
    pub(crate) searches: Vec<(&'static str, String)>,
    pub(crate) close: String,
    /// Its calls over time.
    pub(crate) over_time: Option<Bars>,
    /// How long they took over time.
    pub(crate) durations: Option<Lines>,
    /// What is asked for most: name, number, and traces with it.
    pub(crate) operations: Vec<(String, String, String)>,
    /// Whose numbers these are.
    pub(crate) whose: String,
}

/// What became of a dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) text: String,
    pub(crate) is_worse: bool,
}

/// Names both ends of a dependency in an address.
pub(crate) fn address(page: &Address, edge: &Edge) -> String {
    format!("{}#edge", page.clone().with("caller", &written(&edge.from)).with("callee", &written(&edge.to)).href())
}

/// Fills the panel of an edge; `page` is the map without it, `groups` are the nodes that stand for namespaces.
pub(crate) fn panel(
    edge: &Edge,
    (map, made, before): (&ServiceMap, &Made, Option<&ServiceMap>),
    window: u64,
    groups: &HashMap<String, String>,
    (links, page): (&Links, &Address),
) -> EdgePanel {
    EdgePanel {
        facts: Facts::new(edge, (map, made), before, window),
        before: before.and_then(|before| twin(edge, before)).map(|old| told(old, window)).unwrap_or_default(),
        examples: examples(edge, links),
        searches: searches(edge, groups, links),
        close: page.href(),
        ..EdgePanel::default()
    }
}

/// How an edge differs from the window before; `None` when it does not, or when that window holds nothing.
pub(crate) fn change(edge: &Edge, before: &ServiceMap, window: u64) -> Option<Change> {
    if before.edges.is_empty() {
        return None;
    }
    let Some(old) = twin(edge, before) else {
        return Some(Change { text: "new".to_owned(), is_worse: false });
    };
    let share = |edge: &Edge| format::ratio(edge.errors, edge.calls.max(1));
    let is_many = edge.calls >= FEWEST && old.calls >= FEWEST;
    let mut told = Vec::new();
    let mut is_worse = false;
    if edge.errors != old.errors && is_many && (share(edge) - share(old)).abs() >= 0.01 {
        told.push(format!("failed {} → {}", format::percent(old.errors, old.calls), format::percent(edge.errors, edge.calls)));
        is_worse |= share(edge) > share(old);
    }
    let (low, high) = (edge.p95.min(old.p95), edge.p95.max(old.p95));
    if is_many && high > low.saturating_mul(3) / 2 && high - low >= 2_000_000 {
        told.push(format!("p95 {} → {}", format::duration(old.p95), format::duration(edge.p95)));
        is_worse |= edge.p95 > old.p95;
    }
    let (few, many) = (edge.calls.min(old.calls), edge.calls.max(old.calls));
    if many >= FEWEST && many >= few.saturating_mul(2) {
        told.push(format!("{} → {}", format::rate(old.calls, window), format::rate(edge.calls, window)));
    }
    (!told.is_empty()).then(|| Change { text: told.join(", "), is_worse })
}

/// Dependencies of the window before that are no more: both names.
pub(crate) fn gone(map: &ServiceMap, before: &ServiceMap) -> Vec<(String, String)> {
    let lost = before.edges.iter().filter(|old| old.calls >= FEWEST && twin(old, map).is_none());
    lost.take(MAX_GONE).map(|old| (shown(&old.from, before), shown(&old.to, before))).collect()
}

fn twin<'a>(edge: &Edge, map: &'a ServiceMap) -> Option<&'a Edge> {
    map.edges.iter().find(|other| other.from == edge.from && other.to == edge.to && other.kind == edge.kind)
}

fn told(edge: &Edge, window: u64) -> String {
    format!("{}, {} failed, p95 {}", format::rate(edge.calls, window), format::percent(edge.errors, edge.calls), format::duration(edge.p95))
}

fn examples(edge: &Edge, links: &Links) -> Vec<(&'static str, String)> {
    let last = edge.examples.len().saturating_sub(1);
    let label = |place: usize| match place {
        _ if place == last && edge.errors > 0 => "failed",
        0 => "typical",
        1 => "slow",
        _ => "slowest",
    };
    let link = |(place, (trace, span)): (usize, &(storage::TraceId, storage::SpanId))| {
        (label(place), format!("{}#s{span}", links.trace(trace).with("span", &span.to_string()).href()))
    };
    edge.examples.iter().enumerate().map(link).collect()
}

fn searches(edge: &Edge, groups: &HashMap<String, String>, links: &Links) -> Vec<(&'static str, String)> {
    let side = |(name, kind): &Key| match groups.get(name) {
        Some(namespace) => Some(term("resource.service.namespace", namespace)),
        None => (*kind == NodeKind::Service).then(|| term("service", name)),
    };
    let calling = side(&edge.from).map(|service| match edge.to.1 {
        NodeKind::Service => service,
        _ => format!("{service} {}", term("peer", &edge.to.0)),
    });
    let called = side(&edge.to);
    let mut searches = Vec::new();
    if let Some(query) = &calling {
        searches.push(("Traces of the caller", links.traces(query).href()));
    }
    if let Some(query) = &called {
        searches.push(("Traces of the called", links.traces(query).href()));
    }
    if let Some(query) = called.or(calling).filter(|_| edge.errors > 0) {
        searches.push(("Failures", links.traces(&format!("{query} status:error")).href()));
    }
    searches
}

/// Fewer calls say nothing about a change.
const FEWEST: u64 = 20;

/// Lost dependencies that are named.
const MAX_GONE: usize = 20;

#[cfg(test)]
mod tests {
    use storage::EdgeKind;

    use super::*;

    fn edge(calls: u64, errors: u64, p95: u64) -> Edge {
        let key = |name: &str| (name.to_owned(), NodeKind::Service);
        Edge { from: key("a"), to: key("b"), kind: EdgeKind::Call, calls, errors, p50: 1, p95, p99: p95, examples: Vec::new() }
    }

    fn map(edges: Vec<Edge>) -> ServiceMap {
        ServiceMap { edges, ..ServiceMap::default() }
    }

    #[test]
    fn a_change_is_told_when_it_is_one_and_says_whether_it_is_for_the_worse() {
        let text = |edge: Edge, before: ServiceMap| change(&edge, &before, 60_000_000_000).map(|change| (change.text, change.is_worse));
        assert_eq!(text(edge(100, 0, 9), map(Vec::new())), None, "nothing to compare with");
        assert_eq!(text(edge(100, 0, 9), map(vec![edge(100, 0, 9)])), None);
        let other = Edge { to: ("c".to_owned(), NodeKind::Service), ..edge(9, 0, 9) };
        assert_eq!(text(edge(100, 0, 9), map(vec![other])), Some(("new".to_owned(), false)));
        let (failing, is_worse) = text(edge(100, 10, 9), map(vec![edge(100, 0, 9)])).unwrap();
        assert!(failing.starts_with("failed 0") && is_worse, "{failing}");
        let (faster, is_worse) = text(edge(100, 0, 1_000_000), map(vec![edge(100, 0, 90_000_000)])).unwrap();
        assert!(faster.starts_with("p95 90") && !is_worse, "{faster}");
        assert_eq!(text(edge(5, 5, 9), map(vec![edge(5, 0, 9)])), None, "too few to tell");
    }

    #[test]
    fn what_is_no_longer_called_is_named() {
        assert_eq!(gone(&map(Vec::new()), &map(vec![edge(50, 0, 1)])), [("a".to_owned(), "b".to_owned())]);
    }
}
