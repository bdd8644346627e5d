use std::time::Duration;

use super::super::answer::{EdgeKind, NodeKind};
use super::super::fixtures;
use super::*;
use crate::model::{Link, Span, SpanKind, Status, StatusCode};

mod far;
mod places;

/// Edges as `from>to`, with `~` for messages, and how often.
fn edges(spans: &[Span]) -> Vec<(String, u64, u64)> {
    written(&map_of(spans))
}

fn written(map: &ServiceMap) -> Vec<(String, u64, u64)> {
    let arrow = |kind| if kind == EdgeKind::Message { "~" } else { ">" };
    map.edges.iter().map(|e| (format!("{}{}{}", e.from.0, arrow(e.kind), e.to.0), e.calls, e.errors)).collect()
}

/// Half of the spans in a segment, half in memory, and one of them in both.
fn map_of(spans: &[Span]) -> ServiceMap {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = spans.split_at(spans.len() / 2);
    let mut new = new.to_vec();
    new.extend(spans.first().cloned());
    let segments = if old.is_empty() { Vec::new() } else { vec![vec![fixtures::spans(old)]] };
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&new)], segments);
    map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX).0
}

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn map_in(snapshot: &Snapshot, range: TimeRange, now: UnixNanos) -> (ServiceMap, bool) {
    let made = service_map(snapshot, (range, Parts::default()), now, &CallRolls::default(), &control()).unwrap();
    (made.map, made.open)
}

/// Edges in a window, as in [`edges`], and whether something waits.
fn edges_in(spans: &[Span], from: u64, to: u64, now: u64) -> (Vec<(String, u64, u64)>, bool) {
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered.push(fixtures::spans(spans));
    let range = TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(to) };
    let (map, open) = map_in(&snapshot, range, UnixNanos::new(now));
    (written(&map), open)
}

fn span(trace: u64, id: u64, parent: u64, service: &str, kind: SpanKind) -> Span {
    let mut span = fixtures::span(trace, id, parent, service, "x", 1_000 + id, 100 + id);
    span.kind = kind;
    span
}

fn with(mut span: Span, attributes: &[(&str, &str)]) -> Span {
    span.attributes = attributes.iter().map(|(key, value)| fixtures::text(key, value)).collect();
    span
}

fn failed(mut span: Span) -> Span {
    span.status = Status { code: StatusCode::Error, message: String::new() };
    span
}

fn is(found: &[(String, u64, u64)], expected: &[(&str, u64, u64)]) {
    let expected: Vec<_> = expected.iter().map(|(edge, calls, errors)| ((*edge).to_owned(), *calls, *errors)).collect();
    assert_eq!(found, expected);
}

use SpanKind::{Client, Consumer, Internal, Producer, Server};

const QUEUE: [(&str, &str); 2] = [("messaging.destination.name", "orders"), ("messaging.system", "kafka")];

#[test]
fn a_call_through_inner_spans_is_one_edge_and_a_true_root_is_called_by_the_user() {
    let spans = [
        span(1, 1, 0, "web", Server),
        span(1, 2, 1, "web", Client),
        span(1, 3, 2, "web", Internal),
        failed(span(1, 4, 3, "api", Server)),
        span(1, 5, 4, "api", Internal),
    ];
    is(&edges(&spans), &[("user>web", 1, 0), ("web>api", 1, 1)]);
    let map = map_of(&spans);
    let api = map.nodes.iter().find(|node| node.name == "api").unwrap();
    assert_eq!((api.kind, api.requests, api.errors, api.p50), (NodeKind::Service, 1, 1, 104));
    let edge = map.edges.iter().find(|edge| edge.to.0 == "api").unwrap();
    assert_eq!((edge.p50, edge.examples.as_slice()), (104, [(fixtures::trace_id(1), fixtures::span_id(4))].as_slice()));
}

#[test]
fn one_call_two_and_equal_ones_have_exact_quantiles_wherever_they_lie() {
    for durations in [vec![500_000_000], vec![500_000_000; 7], vec![55_435_001, 500_000_000], vec![500_000_000, 400_000_001]] {
        let call = |(trace, duration): (u64, &u64)| {
            let mut span = fixtures::span(trace, 1, 0, "web", "x", 1_000, *duration);
            span.kind = Server;
            span
        };
        let map = map_of(&(1..).zip(&durations).map(call).collect::<Vec<_>>());
        let (shortest, longest) = (*durations.iter().min().unwrap(), *durations.iter().max().unwrap());
        let [node] = map.nodes.iter().filter(|node| node.name == "web").collect::<Vec<_>>()[..] else { panic!("{map:?}") };
        assert_eq!((node.requests, node.p50, node.p95, node.p99), (durations.len() as u64, shortest, longest, longest));
        let [edge] = map.edges.as_slice() else { panic!("{map:?}") };
        assert_eq!((edge.p50, edge.p95, edge.p99), (shortest, longest, longest));
    }
}

#[test]
fn consumers_by_parent_by_link_and_in_other_traces_hang_on_the_topic() {
    let by_parent = |id| span(1, id, 1, "mail", Consumer);
    let by_link = |trace, id| {
        let mut consumer = span(trace, id, 0, "stock", Consumer);
        let producer = fixtures::span_id(1).as_bytes().to_vec();
        consumer.links = vec![Link { trace_id: fixtures::trace_id(1).as_bytes().to_vec(), span_id: producer, ..Link::default() }];
        consumer
    };
    let producer = with(span(1, 1, 0, "shop", Producer), &QUEUE);
    let all =
        [producer, by_parent(2), by_parent(3), by_parent(4), by_link(1, 5), by_link(1, 6), by_link(2, 7), by_link(3, 8), by_link(4, 9)];
    is(&edges(&all), &[("orders~mail", 3, 0), ("orders~stock", 5, 0), ("shop~orders", 1, 0)]);
    let map = map_of(&all);
    let topic = map.nodes.iter().find(|node| node.name == "orders").unwrap();
    assert_eq!((topic.kind, topic.system.as_str(), topic.requests), (NodeKind::Queue, "kafka", 1));
    // Who took what of whom: nobody else sends to the topic.
    let relays: Vec<_> = map.relays.iter().map(|relay| (relay.from.0.as_str(), relay.to.0.as_str(), relay.calls)).collect();
    assert_eq!(relays, [("shop", "mail", 3), ("shop", "stock", 5)]);
}

#[test]
fn of_several_senders_to_a_topic_descent_says_whose_message_it_was() {
    let linked = with(span(3, 1, 0, "stock", Consumer), &QUEUE);
    let spans = [
        with(span(1, 1, 0, "shop", Producer), &QUEUE),
        with(span(1, 2, 1, "mail", Consumer), &QUEUE),
        with(span(2, 1, 0, "app", Producer), &QUEUE),
        with(span(2, 2, 1, "mail", Consumer), &QUEUE),
        with(span(2, 3, 1, "mail", Consumer), &QUEUE),
        linked,
    ];
    let map = map_of(&spans);
    let relays: Vec<_> = map.relays.iter().map(|relay| (relay.from.0.as_str(), relay.to.0.as_str(), relay.calls)).collect();
    assert_eq!(relays, [("app", "mail", 2), ("shop", "mail", 1)]);
}

#[test]
fn receiving_and_processing_are_one_delivery() {
    let spans = [with(span(1, 1, 0, "mail", Consumer), &QUEUE), with(span(1, 2, 1, "mail", Consumer), &QUEUE)];
    is(&edges(&spans), &[("orders~mail", 1, 0)]);
}

#[test]
fn unanswered_clients_call_what_they_name() {
    let spans = [
        span(1, 1, 0, "api", Server),
        with(span(1, 2, 1, "api", Client), &[("db.system.name", "mysql"), ("db.namespace", "users")]),
        failed(with(span(1, 3, 1, "api", Client), &[("db.system.name", "mysql"), ("db.namespace", "carts")])),
        with(span(1, 4, 1, "api", Client), &[("server.address", "pay.example")]),
        span(1, 5, 1, "api", Client),
    ];
    is(&edges(&spans), &[("api>carts", 1, 1), ("api>pay.example", 1, 0), ("api>users", 1, 0), ("user>api", 1, 0)]);
    let nodes: Vec<_> = map_of(&spans).nodes.iter().map(|n| (n.name.clone(), n.kind, n.system.clone())).collect();
    assert!(nodes.contains(&("users".to_owned(), NodeKind::Database, "mysql".to_owned())), "{nodes:?}");
    assert!(nodes.contains(&("pay.example".to_owned(), NodeKind::External, String::new())), "{nodes:?}");
}

#[test]
fn a_client_that_was_answered_leaves_no_named_node_behind() {
    let client = with(span(1, 2, 1, "api", Client), &[("server.address", "pay:8080")]);
    let spans = [span(1, 1, 0, "api", Server), client];
    is(&edges(&spans), &[("api>pay:8080", 1, 0), ("user>api", 1, 0)]);
    // The server's half arrives later.
    let [root, client] = spans;
    is(&edges(&[root, client, span(1, 3, 2, "pay", Server)]), &[("api>pay", 1, 0), ("user>api", 1, 0)]);
}

#[test]
fn a_server_whose_client_arrives_later_is_resolved() {
    let server = span(1, 2, 1, "pay", Server);
    is(&edges(std::slice::from_ref(&server)), &[("unknown caller>pay", 1, 0)]);
    is(&edges(&[server, span(1, 1, 0, "api", Client)]), &[("api>pay", 1, 0)]);
}

#[test]
fn a_service_that_calls_itself_has_one_edge_and_inner_spans_have_none() {
    let spans = [span(1, 1, 0, "api", Server), span(1, 2, 1, "api", Client), span(1, 3, 2, "api", Server), span(1, 4, 3, "api", Internal)];
    is(&edges(&spans), &[("api>api", 1, 0), ("user>api", 1, 0)]);
    is(&edges(&[span(1, 1, 0, "job", Internal), span(1, 2, 1, "job", Internal)]), &[]);
}

#[test]
fn equal_span_ids_in_two_traces_do_not_cross() {
    let spans = [span(1, 1, 0, "a", Client), span(1, 2, 1, "b", Server), span(2, 1, 0, "c", Client), span(2, 3, 1, "d", Server)];
    is(&edges(&spans), &[("a>b", 1, 0), ("c>d", 1, 0)]);
}

#[test]
fn one_client_with_two_answers_is_one_call_and_shared_ids_pair_up() {
    is(&edges(&[span(1, 1, 0, "a", Client), span(1, 2, 1, "b", Server), failed(span(1, 3, 1, "b", Server))]), &[("a>b", 1, 1)]);
    is(&edges(&[span(1, 1, 0, "a", Client), span(1, 1, 0, "b", Server)]), &[("a>b", 1, 0)]);
}

#[test]
fn halves_with_one_id_find_each_other_past_others_of_that_id() {
    let halves = |begin: u64| {
        let client = at(span(1, 9, 0, "b", Client), begin, 10);
        [client, at(span(1, 9, 0, "a", Server), begin + 1, 8)]
    };
    let (near, far) = (halves(50_000_000_000_000), halves(52_000_000_000_000));
    is(&edges(&[near.as_slice(), &far[1..]].concat()), &[("b>a", 1, 0), ("user>a", 1, 0)]);
}

#[test]
fn nested_clients_are_one_call() {
    let outer = with(span(1, 1, 0, "api", Client), &[("db.system.name", "dynamodb")]);
    let inner = with(span(1, 2, 1, "api", Client), &[("server.address", "dynamodb.example")]);
    is(&edges(&[outer, inner]), &[("api>dynamodb", 1, 0)]);
}

#[test]
fn services_without_kinds_are_linked_by_their_parents() {
    let spans = [span(1, 1, 0, "a", Internal), span(1, 2, 1, "b", Internal), span(1, 3, 2, "b", Internal), span(1, 4, 3, "c", Internal)];
    is(&edges(&spans), &[("a>b", 1, 0), ("b>c", 1, 0)]);
}

#[test]
fn circles_and_strange_parents_end() {
    let spans = [span(1, 1, 2, "a", Internal), span(1, 2, 1, "b", Internal), span(1, 3, 3, "c", Server), span(1, 4, 2, "d", Server)];
    let found = edges(&spans);
    assert!(found.contains(&("b>d".to_owned(), 1, 0)), "{found:?}");
}

#[test]
fn named_parties_are_bounded() {
    let spans: Vec<_> =
        (0..1_500).map(|i| with(span(i, 1, 0, "api", Client), &[("server.address", format!("host-{i}").as_str())])).collect();
    let map = map_of(&spans);
    assert_eq!(map.nodes.len(), 1_002);
    let other = map.nodes.iter().find(|node| node.name == "other").unwrap();
    assert_eq!((other.kind, other.requests), (NodeKind::External, 500));
}

const S: u64 = 1_000_000_000;

fn at(mut span: Span, start: u64, duration: u64) -> Span {
    (span.start, span.end) = (UnixNanos::new(start), UnixNanos::new(start + duration));
    span
}

#[test]
fn halves_outside_of_the_window_are_found_and_every_call_belongs_to_one_window() {
    // A call every second; its server starts half a second later, on the other side of every edge between windows of one second.
    let spans: Vec<_> = (0..100)
        .flat_map(|i| {
            let client = with(span(i, 1, 0, "api", Client), &[("server.address", "pay:1")]);
            [at(client, (1_000 + i) * S + S * 3 / 4, S), at(span(i, 2, 1, "pay", Server), (1_001 + i) * S + S / 4, S / 4)]
        })
        .collect();
    is(&edges_in(&spans, 1_010 * S, 1_020 * S, u64::MAX).0, &[("api>pay", 10, 0)]);
    let mut calls = 0;
    for second in 990..1_110 {
        for (edge, count, _) in edges_in(&spans, second * S, (second + 1) * S, u64::MAX).0 {
            assert_eq!(edge, "api>pay");
            calls += count;
        }
    }
    assert_eq!(calls, 100);
}

#[test]
fn a_span_whose_caller_may_still_come_has_no_unknown_caller_yet() {
    let spans = [at(span(1, 2, 1, "pay", Server), 1_000 * S, S)];
    let (from, to) = (900 * S, 1_100 * S);
    assert_eq!(edges_in(&spans, from, to, 1_002 * S), (Vec::new(), true));
    assert_eq!(edges_in(&spans, from, to, 1_017 * S), (Vec::new(), true));
    let (edges, open) = edges_in(&spans, from, to, 1_031 * S);
    is(&edges, &[("unknown caller>pay", 1, 0)]);
    assert!(!open);
    // A clock that runs ahead waits for nobody.
    is(&edges_in(&spans, from, to, 980 * S).0, &[("unknown caller>pay", 1, 0)]);
}

#[test]
fn an_unanswered_call_goes_to_the_service_that_answers_at_its_address() {
    let to = |trace, id, address| with(span(trace, id, 0, "api", Client), &[("server.address", address)]);
    let answered = |trace, address, service| [to(trace, 1, address), span(trace, 2, 1, service, Server)];
    let mut spans = [answered(1, "pay:1", "pay"), answered(2, "gate", "a"), answered(3, "gate", "b")].concat();
    spans.extend([failed(to(4, 1, "pay:1")), to(5, 1, "gate"), to(6, 1, "a"), to(7, 1, "elsewhere")]);
    is(&edges(&spans), &[("api>a", 2, 0), ("api>b", 1, 0), ("api>elsewhere", 1, 0), ("api>gate", 1, 0), ("api>pay", 2, 1)]);
}
