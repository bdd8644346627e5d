//! How a map differs from the one of the window before: what is new, what is gone, and what has other numbers.

use storage::{Edge, EdgeKind, Node, ServiceMap};

use super::shown;
use crate::view::format;

/// What became of a dependency or a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) is_new: bool,
    /// `failed 1 % → 5 %`, `p95 2 ms → 9 ms` and `4/s → 12/s`; empty for what is as it was.
    pub(crate) failed: String,
    pub(crate) p95: String,
    pub(crate) rate: String,
    pub(crate) is_worse: bool,
}

/// How often, how many failed, and the 95th percentile.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    calls: u64,
    errors: u64,
    p95: u64,
}

// === impl Change ===

impl Change {
    /// Each difference in words.
    pub(crate) fn parts(&self) -> Vec<String> {
        let new = if self.is_new { "new" } else { "" };
        [new, &self.failed, &self.p95, &self.rate].into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn words(&self) -> String {
        self.parts().join(", ")
    }

    /// `None` for what is as it was.
    fn between(old: Numbers, now: Numbers, window: u64) -> Option<Self> {
        let share = |of: Numbers| format::ratio(of.errors, of.calls.max(1));
        let is_many = now.calls >= FEWEST && old.calls >= FEWEST;
        let mut change = Self::default();
        if now.errors != old.errors && is_many && (share(now) - share(old)).abs() >= 0.01 {
            change.failed = format!("failed {} → {}", format::percent(old.errors, old.calls), format::percent(now.errors, now.calls));
            change.is_worse |= share(now) > share(old);
        }
        let (low, high) = (now.p95.min(old.p95), now.p95.max(old.p95));
        if is_many && high > low.saturating_mul(3) / 2 && high - low >= 2_000_000 {
            change.p95 = format!("p95 {} → {}", format::duration(old.p95), format::duration(now.p95));
            change.is_worse |= now.p95 > old.p95;
        }
        let (few, many) = (now.calls.min(old.calls), now.calls.max(old.calls));
        if many >= FEWEST && many >= few.saturating_mul(2) {
            change.rate = format!("{} → {}", format::rate(old.calls, window), format::rate(now.calls, window));
        }
        (change != Self::default()).then_some(change)
    }
}

/// How an edge differs from the window before; `None` when it does not, or when that window holds nothing.
pub(super) fn change(edge: &Edge, before: &ServiceMap, window: u64) -> Option<Change> {
    if before.edges.is_empty() {
        return None;
    }
    let numbers = |edge: &Edge| Numbers { calls: edge.calls, errors: edge.errors, p95: edge.p95 };
    let Some(old) = twin(edge, before) else { return Some(Change { is_new: true, ..Change::default() }) };
    Change::between(numbers(old), numbers(edge), window)
}

/// The same of a node.
pub(super) fn of_node(node: &Node, before: &ServiceMap, window: u64) -> Option<Change> {
    if before.edges.is_empty() {
        return None;
    }
    let numbers = |node: &Node| Numbers { calls: node.requests, errors: node.errors, p95: node.p95 };
    let Some(old) = before.nodes.iter().find(|old| old.name == node.name && old.kind == node.kind) else {
        return Some(Change { is_new: true, ..Change::default() });
    };
    Change::between(numbers(old), numbers(node), window)
}

/// What became of all dependencies in words, and whether any is worse; `when` is the window before.
pub(crate) fn compared(map: &ServiceMap, before: &ServiceMap, window: u64, when: &str) -> Option<(String, bool)> {
    if before.edges.is_empty() {
        return None;
    }
    let changes: Vec<(&Edge, Change)> = map.edges.iter().filter_map(|edge| Some((edge, change(edge, before, window)?))).collect();
    let worse: Vec<&(&Edge, Change)> = changes.iter().filter(|(_, change)| change.is_worse).collect();
    let named = |(edge, change): &&(&Edge, Change)| {
        let how = if edge.kind == EdgeKind::Message { "sends to" } else { "calls" };
        format!("{} {how} {} ({})", shown(&edge.from, map), shown(&edge.to, map), change.words())
    };
    let mut said = if worse.is_empty() {
        format!("Nothing is worse than in the window before ({when}).")
    } else {
        let mut all: Vec<String> = worse.iter().take(MAX_NAMED).map(named).collect();
        let more = worse.len().saturating_sub(MAX_NAMED);
        all.extend((more > 0).then(|| format!("and {more} more")));
        let are = format::counted(worse.len() as u64, "dependency is", "dependencies are");
        format!("{are} worse than in the window before ({when}): {}.", all.join("; "))
    };
    let new = changes.iter().filter(|(_, change)| change.is_new).count() as u64;
    let other = (changes.len() - worse.len()) as u64 - new;
    if new > 0 {
        said.push_str(&format!(" {}.", format::counted(new, "is new", "are new")));
    }
    if other > 0 {
        said.push_str(&format!(" {} without being worse.", format::counted(other, "differs", "differ")));
    }
    Some((said, !worse.is_empty()))
}

/// Dependencies of the window before that are no more: both names.
pub(crate) fn gone(map: &ServiceMap, before: &ServiceMap) -> Vec<(String, String)> {
    let lost = before.edges.iter().filter(|old| old.calls >= FEWEST && twin(old, map).is_none());
    lost.take(MAX_GONE).map(|old| (shown(&old.from, before), shown(&old.to, before))).collect()
}

/// The same dependency in another map.
pub(super) fn twin<'a>(edge: &Edge, map: &'a ServiceMap) -> Option<&'a Edge> {
    map.edges.iter().find(|other| other.from == edge.from && other.to == edge.to && other.kind == edge.kind)
}

/// Fewer calls say nothing about a change.
const FEWEST: u64 = 20;

/// Dependencies that are named: lost ones, and worse ones.
const MAX_GONE: usize = 20;
const MAX_NAMED: usize = 3;

#[cfg(test)]
mod tests {
    use storage::NodeKind;

    use super::*;

    fn edge(calls: u64, errors: u64, p95: u64) -> Edge {
        let key = |name: &str| (name.to_owned(), NodeKind::Service);
        Edge { from: key("a"), to: key("b"), kind: EdgeKind::Call, calls, errors, p50: 1, p95, p99: p95, examples: Vec::new() }
    }

    fn to(name: &str, edge: Edge) -> Edge {
        Edge { to: (name.to_owned(), NodeKind::Service), ..edge }
    }

    fn map(edges: Vec<Edge>) -> ServiceMap {
        ServiceMap { edges, ..ServiceMap::default() }
    }

    #[test]
    fn a_change_is_told_when_it_is_one_and_says_whether_it_is_for_the_worse() {
        let text = |edge: Edge, before: ServiceMap| change(&edge, &before, MINUTE).map(|change| (change.words(), change.is_worse));
        assert_eq!(text(edge(100, 0, 9), map(Vec::new())), None, "nothing to compare with");
        assert_eq!(text(edge(100, 0, 9), map(vec![edge(100, 0, 9)])), None);
        assert_eq!(text(edge(100, 0, 9), map(vec![to("c", edge(9, 0, 9))])), Some(("new".to_owned(), false)));
        let (failing, is_worse) = text(edge(100, 10, 9), map(vec![edge(100, 0, 9)])).unwrap();
        assert!(failing.starts_with("failed 0") && is_worse, "{failing}");
        let (faster, is_worse) = text(edge(100, 0, 1_000_000), map(vec![edge(100, 0, 90_000_000)])).unwrap();
        assert!(faster.starts_with("p95 90") && !is_worse, "{faster}");
        assert_eq!(text(edge(5, 5, 9), map(vec![edge(5, 0, 9)])), None, "too few to tell");
    }

    #[test]
    fn what_changed_in_all_is_said_and_that_nothing_is_worse() {
        let said = |now: Vec<Edge>, before: Vec<Edge>| {
            compared(&map(now), &map(before), MINUTE, "then").map(|(said, is_worse)| (said.replace(['\u{a0}', '\u{202f}'], " "), is_worse))
        };
        let old = || vec![edge(100, 0, 9), to("c", edge(100, 0, 9))];
        assert_eq!(said(old(), Vec::new()), None);
        assert_eq!(said(old(), old()), Some(("Nothing is worse than in the window before (then).".to_owned(), false)));
        let more = vec![edge(300, 0, 9), to("c", edge(100, 0, 9)), to("d", edge(30, 0, 9))];
        let expected = "Nothing is worse than in the window before (then). 1 is new. 1 differs without being worse.";
        assert_eq!(said(more, old()), Some((expected.to_owned(), false)));
        let worse = vec![edge(100, 5, 9), to("c", edge(100, 0, 9))];
        let expected = "1 dependency is worse than in the window before (then): a calls b (failed 0 % → 5.00 %).";
        assert_eq!(said(worse, old()), Some((expected.to_owned(), true)));
    }

    #[test]
    fn a_node_is_compared_as_its_calls_are() {
        let node = |name: &str, requests, p95| Node {
            name: name.to_owned(),
            kind: NodeKind::Service,
            system: String::new(),
            requests,
            errors: 0,
            p50: 1,
            p95,
            p99: p95,
        };
        let before = ServiceMap { nodes: vec![node("a", 50, 1_000_000)], ..map(vec![edge(50, 0, 1)]) };
        let told = |node: Node| of_node(&node, &before, MINUTE).map(|change| change.words().replace('\u{202f}', " "));
        assert_eq!(told(node("a", 50, 1_000_000)), None);
        assert_eq!(told(node("a", 60, 4_000_000)), Some("p95 1.00 ms → 4.00 ms".to_owned()));
        assert_eq!(told(node("b", 60, 1)), Some("new".to_owned()));
    }

    #[test]
    fn what_is_no_longer_called_is_named() {
        assert_eq!(gone(&map(Vec::new()), &map(vec![edge(50, 0, 1)])), [("a".to_owned(), "b".to_owned())]);
    }

    const MINUTE: u64 = 60_000_000_000;
}
