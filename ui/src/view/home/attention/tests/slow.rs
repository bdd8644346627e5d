//! What became slower, and what waits for it.

use super::*;

#[test]
fn what_became_slower_within_a_window_is_told_where_the_window_before_is_not_compared() {
    let now = [service("seats", 300, 0, 900_000_000)];
    let (earlier, later) = ([service("seats", 150, 0, 15_000_000)], [service("seats", 150, 0, 1_200_000_000)]);
    let parts = Some(Parts { later: &later, earlier: &earlier, at: "11:19:00" });
    let compared = Compared { now: &now, parts, ..Compared::default() };
    assert!(asks_who_waits(&compared));
    let slow = Edge { to: ("res-corvid".to_owned(), NodeKind::Database), calls: 15, p95: 1_350_000_000, ..edge("seats", "") };
    let edges = [edge("seats", "pricing"), slow];
    let items = told(Compared { edges: &edges, ..compared });
    assert_eq!(items[0].text.replace('\u{202f}', " "), "p95 rose from 15.0 ms to 1.20 s");
    let told_of = evidence(&items[0]).replace('\u{202f}', " ");
    assert_eq!(told_of, "of 150 requests, against the time before 11:19:00 | its calls to the database res-corvid take 1.35 s at p95");
    assert!(items[0].evidence[1].href.contains("callee="), "{}", items[0].evidence[1].href);
    let compare = &items[0].evidence[2];
    assert_eq!(compare.text.replace('\u{202f}', " "), "compare those over 15.0 ms with the others");
    let asked = Links::default().plain("/traces/compare-groups").with("q", "service:seats kind:server,consumer");
    assert_eq!(compare.href, asked.with("with", "duration>15ms").href());
    let rare = Edge { calls: 14, ..edges[1].clone() };
    for edges in [&edges[..1], &[rare]] {
        assert_eq!(told(Compared { edges, ..compared })[0].evidence.len(), 2, "they take little of it, or are few");
    }
}

#[test]
fn who_waits_for_two_slow_services_is_told_with_the_slower() {
    let before = ["quote", "geo", "recs"].map(|name| service(name, 50, 0, 10_000_000));
    let now = [service("quote", 50, 0, 999_000_000), service("geo", 50, 0, 900_000_000), service("recs", 50, 0, 90_000_000)];
    let edges = [edge("quote", "geo"), edge("quote", "recs")];
    let items = told(Compared { now: &now, before: &before, edges: &edges, ..Compared::default() });
    let with: Vec<(&str, bool)> =
        items.iter().map(|item| (item.chip.name.as_str(), evidence(item).contains("and with it quote"))).collect();
    assert_eq!(with, [("geo", true), ("recs", false)]);
    let failing = [service("quote", 50, 0, 999_000_000), service("geo", 50, 5, 900_000_000), service("recs", 50, 0, 90_000_000)];
    let traces = [failed("quote", "GET /", &[("quote", 1), ("geo", 1)])];
    let items = told(Compared { now: &failing, before: &before, edges: &edges, failed: &traces, ..Compared::default() });
    assert!(evidence(&items[0]).contains("and with it quote"), "{items:?}");
}

#[test]
fn who_waits_for_a_slow_service_is_told_with_it() {
    let before = [service("web", 50, 0, 10_000_000), service("store", 50, 0, 10_000_000)];
    let now = [service("web", 50, 0, 99_000_000), service("store", 50, 0, 90_000_000)];
    let items = told(Compared { now: &now, before: &before, edges: &[edge("web", "store")], ..Compared::default() });
    assert_eq!(items.iter().map(|item| item.chip.name.as_str()).collect::<Vec<_>>(), ["store"]);
    assert_eq!(evidence(&items[0]), "of 50 requests, against the window before, and with it web");
    assert!(asks_who_waits(&Compared { now: &now, before: &before, ..Compared::default() }));
    let alone = Compared { now: &now[1..], before: &before, ..Compared::default() };
    assert!(asks_who_waits(&alone), "it may wait for a database");
    assert!(!asks_who_waits(&Compared { now: &now, ..Compared::default() }), "nothing is compared");
    let ring = [edge("web", "store"), edge("store", "web")];
    assert_eq!(told(Compared { now: &now, before: &before, edges: &ring, ..Compared::default() }).len(), 2, "neither waits alone");
}

#[test]
fn failing_slow_and_silent_services_come_in_this_order() {
    let before = [service("slow", 50, 0, 10_000_000), service("gone", 50, 0, 1), service("bad", 100, 0, 1)];
    let now = [service("slow", 50, 0, 90_000_000), service("bad", 100, 3, 1), service("fine", 10, 0, 1)];
    let items = told(Compared { now: &now, before: &before, ..Compared::default() });
    let classes: Vec<_> = items.iter().map(|item| (item.class, item.chip.name.as_str())).collect();
    assert_eq!(classes, [("error", "bad"), ("slow", "slow"), ("silent", "gone")]);
    assert_eq!(items[0].href, "/traces?q=service%3Abad%20status%3Aerror");
    assert_eq!(items[2].href, "/services/gone?from=0&to=100");
}
