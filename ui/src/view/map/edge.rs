//! One dependency in detail.

use std::collections::HashMap;

use storage::{Edge, NodeKind, ServiceMap};

use super::change::twin;
use super::{Facts, Key, Made, written};
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
