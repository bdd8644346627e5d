//! What counts as a change, and what as chance.

use storage::NodeKind;

use super::*;

fn edge(calls: u64, errors: u64, p95: u64) -> Edge {
    let key = |name: &str| (name.to_owned(), NodeKind::Service);
    Edge { from: key("a"), to: key("b"), kind: EdgeKind::Call, calls, errors, p50: p95 / 10 * 9, p95, p99: p95, examples: Vec::new() }
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
fn failures_that_may_be_chance_are_no_change() {
    let worse = |(calls, errors), (before, failed)| {
        change(&edge(calls, errors, 9), &map(vec![edge(before, failed, 9)]), MINUTE).is_some_and(|change| change.is_worse)
    };
    // As the shop has them while nothing is wrong: 24.4 % and 26.8 %, 10.4 % and 11.5 %, none and one.
    assert!(!worse((41, 11), (41, 10)) && !worse((400, 46), (400, 42)) && !worse((35, 1), (35, 0)));
    assert!(!worse((20, 1), (10_000, 0)) && !worse((20, 2), (10_000, 3)), "one or two failures beside very many calls");
    assert!(!worse((1_000_000, 15_000), (1_000_000, 6_000)), "less than a point");
    assert!(worse((20, 8), (20, 0)) && worse((400, 80), (400, 42)) && worse((9_000, 270), (9_000, 90)));
}

#[test]
fn percentiles_of_few_calls_differ_by_chance() {
    const MS: u64 = 1_000_000;
    let timed = |calls, [p50, p95, p99]: [u64; 3]| Edge { p50: p50 * MS, p95: p95 * MS, p99: p99 * MS, ..edge(calls, 0, 1) };
    let told = |calls, now, old| change(&timed(calls, now), &map(vec![timed(calls, old)]), MINUTE).map(|change| change.is_worse);
    // The second slowest of twenty calls.
    assert_eq!(told(20, [5, 300, 320], [5, 9, 310]), None);
    assert_eq!(told(300, [5, 300, 320], [5, 9, 200]), None, "so few beyond what one in a hundred took before may be chance");
    assert_eq!(told(400, [5, 300, 320], [5, 9, 200]), Some(true));
    assert_eq!(told(100_000, [5, 300, 320], [5, 9, 310]), None, "where slow ones are about one in twenty, a few more do it");
    assert_eq!(told(20, [12, 30, 40], [5, 9, 50]), Some(true), "half of them are beyond what one in twenty took");
    assert_eq!(told(20, [5, 9, 50], [12, 30, 40]), Some(false), "and what got better is told too");
}

#[test]
fn twice_as_many_calls_are_a_change_when_they_are_more_than_a_few() {
    let told = |now, before| change(&edge(now, 0, 9), &map(vec![edge(before, 0, 9)]), MINUTE).map(|change| change.is_worse);
    assert_eq!((told(20, 10), told(60, 30), told(30, 60)), (None, Some(false), Some(false)));
}

#[test]
fn what_changed_in_all_is_said_and_that_nothing_is_worse() {
    let said = |now: Vec<Edge>, before: Vec<Edge>| {
        compared(&map(now), &map(before), MINUTE, "then").map(|(said, is_worse)| (said.replace(['\u{a0}', '\u{202f}'], " "), is_worse))
    };
    let old = || vec![edge(100, 0, 9), to("c", edge(100, 0, 9))];
    assert_eq!(said(old(), Vec::new()), None);
    assert_eq!(said(old(), old()), Some(("Nothing is worse than in the window before (then) by more than chance.".to_owned(), false)));
    let more = vec![edge(300, 0, 9), to("c", edge(100, 0, 9)), to("d", edge(30, 0, 9))];
    let expected = "Nothing is worse than in the window before (then) by more than chance. 1 is new. 1 differs without being worse.";
    assert_eq!(said(more, old()), Some((expected.to_owned(), false)));
    let worse = vec![edge(100, 10, 9), to("c", edge(100, 0, 9))];
    let expected = "1 dependency is worse than in the window before (then): a calls b (failed 0 % → 10.0 %).";
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
        p50: p95 / 10 * 9,
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
