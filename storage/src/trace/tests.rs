use std::sync::Arc;

use super::*;
use crate::model::{KeyValue, Resource, Scope, SpanId, SpanKind, Status, StatusCode, UnixNanos, Value};

const MS: u64 = 1_000_000;

fn id(number: u64) -> SpanId {
    SpanId::from_slice(&number.to_be_bytes()).unwrap()
}

fn resource(service: &str) -> Arc<Resource> {
    let attributes = [("service.name", service), ("host.id", service)];
    let pair = |(key, text): (&str, &str)| KeyValue { key: key.to_owned(), value: Value::String(text.to_owned()) };
    Arc::new(Resource { attributes: attributes.map(pair).to_vec(), ..Resource::default() })
}

/// A span of a service: id, parent or 0, start, duration.
fn span(service: &str, number: u64, parent: u64, start: u64, duration: u64) -> Span {
    Span {
        trace_id: trace_id(),
        span_id: id(number),
        parent_span_id: (parent > 0).then(|| id(parent)),
        trace_state: String::new(),
        flags: 0,
        name: format!("op{number}"),
        kind: SpanKind::Internal,
        start: UnixNanos::new(start),
        end: UnixNanos::new(start + duration),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status { code: StatusCode::Unset, message: String::new() },
        resource: resource(service),
        scope: Arc::new(Scope::default()),
    }
}

fn of_kind(kind: SpanKind, span: Span) -> Span {
    Span { kind, ..span }
}

fn trace_id() -> TraceId {
    TraceId::from_slice(&[1; 16]).unwrap()
}

fn trace(spans: Vec<Span>) -> Trace {
    Trace::assemble(trace_id(), spans, true, Vec::new())
}

/// Id, parent, start, duration; all of one service.
fn small(spans: &[(u64, u64, u64, u64)]) -> Trace {
    trace(spans.iter().map(|(number, parent, start, duration)| span("a", *number, *parent, *start, *duration)).collect())
}

/// The critical path as id, from, to.
fn path(trace: &Trace) -> Vec<(u64, u64, u64)> {
    let number = |place: usize| u64::from_be_bytes(*trace.spans[place].span_id.as_bytes());
    let sheet = Sheet::of(trace);
    critical_path(&sheet.spans, sheet.tree(), sheet.main_root().unwrap())
        .iter()
        .map(|s| (number(s.span), s.from.get(), s.to.get()))
        .collect()
}

#[test]
fn the_last_of_duplicates_is_kept_and_spans_are_ordered() {
    let mut later = span("a", 2, 1, 20, 5);
    later.name = "complete".to_owned();
    let trace = trace(vec![span("a", 2, 1, 20, 5), span("a", 1, 0, 10, 50), later, of_kind(SpanKind::Client, span("a", 2, 1, 20, 5))]);
    assert_eq!(trace.spans.len(), 3);
    assert_eq!(trace.spans[0].span_id, id(1));
    assert!(trace.spans.iter().any(|span| span.name == "complete"));
}

#[test]
fn trees_know_parents_children_depth_and_size() {
    let trace = small(&[(1, 0, 0, 100), (3, 1, 50, 10), (2, 1, 10, 10), (4, 2, 12, 2), (5, 99, 60, 1)]);
    let sheet = Sheet::of(&trace);
    let tree = sheet.tree();
    assert_eq!(tree.roots(), [0, 4]);
    assert_eq!(tree.children(0), [1, 3]);
    assert_eq!((tree.depth(2), tree.subtree_size(0), tree.parent(2)), (2, 4, Some(1)));
    assert_eq!(tree.preorder(), [0, 1, 2, 3, 4]);
    assert!(tree.is_unattached(4) && !tree.is_unattached(0));
}

#[test]
fn loops_of_parents_are_cut_at_their_earliest_span() {
    let trace = small(&[(1, 1, 0, 1), (2, 4, 10, 1), (3, 2, 11, 1), (4, 3, 12, 1), (5, 4, 13, 1)]);
    let sheet = Sheet::of(&trace);
    let tree = sheet.tree();
    assert_eq!(tree.roots(), [0, 1]);
    assert!(tree.is_cut(0) && tree.is_cut(1) && !tree.is_cut(2));
    assert_eq!(tree.preorder().len(), 5);
    assert_eq!(tree.subtree_size(1), 4);
}

#[test]
fn a_server_that_shares_its_callers_id_is_its_child_and_has_the_children() {
    let client = of_kind(SpanKind::Client, span("a", 2, 1, 10, 50));
    let server = of_kind(SpanKind::Server, span("b", 2, 1, 20, 30));
    let trace = trace(vec![span("a", 1, 0, 0, 100), client, server, span("b", 3, 2, 25, 5)]);
    let sheet = Sheet::of(&trace);
    let tree = sheet.tree();
    assert_eq!((tree.parent(1), tree.parent(2), tree.parent(3)), (Some(0), Some(1), Some(2)));
}

#[test]
fn very_deep_and_very_wide_traces_are_no_trouble() {
    let deep: Vec<_> = (1..=100_000).map(|n| (n, n - 1, n, 1_000_000 - n)).collect();
    let trace = small(&deep);
    let sheet = Sheet::of(&trace);
    let tree = sheet.tree();
    assert_eq!((tree.depth(99_999), tree.subtree_size(0)), (99_999, 100_000));
    let total: u64 = path(&trace).iter().map(|(_, from, to)| to - from).sum();
    assert_eq!(total, 999_999);
    let wide: Vec<_> = (1..=50_000).map(|n| (n, u64::from(n > 1), n, 2)).collect();
    assert_eq!(Sheet::of(&small(&wide)).tree().children(0).len(), 49_999);
}

#[test]
fn self_time_is_what_no_child_covers() {
    let trace = small(&[(1, 0, 0, 100), (2, 1, 10, 30), (3, 1, 30, 30), (4, 1, 90, 50), (5, 2, 200, 5)]);
    let sheet = Sheet::of(&trace);
    assert_eq!((0..5).map(|span| sheet.self_time(span)).collect::<Vec<_>>(), [40, 30, 30, 50, 5]);
}

#[test]
fn own_time_of_a_service_is_that_of_its_spans_where_they_do_not_run_side_by_side() {
    // Children that overlap, and one that outlasts its parent.
    let one = Sheet::of(&small(&[(1, 0, 0, 100), (2, 1, 10, 30), (3, 1, 30, 30), (4, 1, 90, 50)]));
    assert_eq!((one.own_times(), (0..4).map(|span| one.self_time(span)).sum::<u64>()), (vec![140], 150));
    let two = Sheet::of(&trace(vec![span("a", 1, 0, 0, 100), span("b", 2, 1, 10, 30), span("b", 3, 1, 30, 30)]));
    assert_eq!((two.own_times(), two.self_time(0)), (vec![50, 50], 50));
}

#[test]
fn critical_paths_match_known_answers() {
    type Case<'a> = (&'a [(u64, u64, u64, u64)], &'a [(u64, u64, u64)]);
    let cases: [Case<'_>; 8] = [
        (&[(1, 0, 1, 100), (2, 1, 20, 20), (3, 1, 50, 10)], &[(1, 1, 20), (2, 20, 40), (1, 40, 50), (3, 50, 60), (1, 60, 101)]),
        (&[(1, 0, 1, 100), (2, 1, 10, 40), (3, 1, 20, 40)], &[(1, 1, 20), (3, 20, 60), (1, 60, 101)]),
        (&[(1, 0, 100, 40), (2, 1, 150, 10)], &[(1, 100, 140)]),
        (&[(1, 0, 1, 30), (2, 1, 40, 40), (3, 2, 50, 10)], &[(1, 1, 31)]),
        (&[(1, 0, 1, 29), (2, 1, 15, 20), (3, 2, 10, 15)], &[(1, 1, 15), (3, 15, 25), (2, 25, 30)]),
        (&[(1, 0, 1, 29), (2, 1, 15, 20), (3, 2, 20, 20)], &[(1, 1, 15), (2, 15, 20), (3, 20, 30)]),
        (&[(1, 0, 10, 20), (2, 1, 5, 30)], &[(2, 10, 30)]),
        (&[(1, 0, 10, 20), (2, 1, 1, 4)], &[(1, 10, 30)]),
    ];
    for (spans, expected) in cases {
        assert_eq!(path(&small(spans)), expected, "{spans:?}");
    }
}

#[test]
fn calls_back_to_back_are_all_on_the_critical_path() {
    let trace = small(&[(1, 0, 0, 100), (2, 1, 0, 50), (3, 1, 50, 50), (4, 1, 50, 0)]);
    assert_eq!(path(&trace), [(2, 0, 50), (3, 50, 100)]);
}

#[test]
fn the_path_is_that_of_the_main_root_alone_and_no_time_is_in_it_twice() {
    let mut spans = vec![(1, 0, 0, 100)];
    spans.extend((0..4).map(|number| (10 + number, 90 + number, number * 10, 5)));
    let sheet = Sheet::of(&small(&spans));
    let long: u64 = sheet.path().iter().map(|section| section.to.since(section.from)).sum();
    assert_eq!((long, sheet.is_critical(0), sheet.is_critical(1)), (100, true, false));
}

#[test]
fn corrected_times_are_those_of_everything_that_is_said() {
    // Served 40 ms too early by a clock that is 45 ms behind.
    let call = of_kind(SpanKind::Client, span("front", 2, 1, 50 * MS, 80 * MS));
    let serve = of_kind(SpanKind::Server, span("back", 3, 2, 10 * MS, 70 * MS));
    let sent = Sheet::of(&trace(vec![span("front", 1, 0, 40 * MS, 100 * MS), call, serve]));
    let corrected = sent.by_corrected_times().unwrap();
    assert_eq!((sent.duration(), corrected.duration(), corrected.sent_duration()), (130 * MS, 100 * MS, 130 * MS));
    let serve = corrected.place_of(id(3)).unwrap();
    assert_eq!(sent.place_of(id(3)), Some(serve), "places stay");
    assert_eq!(corrected.spans[serve].start.get(), 55 * MS);
    let sections = |span: u64| -> Vec<(u64, u64)> {
        let place = corrected.place_of(id(span)).unwrap();
        corrected.sections(place).iter().map(|section| (section.from.get() / MS, section.to.get() / MS)).collect()
    };
    assert_eq!((sections(2), sections(3)), (vec![(50, 55), (125, 130)], vec![(55, 125)]));
    let own: Vec<(&str, u64)> =
        corrected.services.iter().map(String::as_str).zip(corrected.own_times().into_iter().map(|own| own / MS)).collect();
    assert!(own.contains(&("front", 30)) && own.contains(&("back", 70)), "{own:?}");
    assert!(corrected.by_corrected_times().is_none() && Sheet::of(&small(&[(1, 0, 0, 9)])).by_corrected_times().is_none());
}

#[test]
fn consumers_are_not_waited_for() {
    let producer = of_kind(SpanKind::Producer, span("a", 1, 0, 1, 30));
    let consumer = of_kind(SpanKind::Consumer, span("b", 2, 1, 10, 10));
    assert_eq!(path(&trace(vec![producer, consumer, span("b", 3, 2, 12, 2)])), [(1, 1, 31)]);
}

#[test]
fn sections_of_a_root_are_disjoint_and_sum_to_its_duration() {
    let mut state = 1_u64;
    let mut dice = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..200 {
        let spans: Vec<_> = (1..=30).map(|n| (n, dice(n), dice(100), dice(80))).collect();
        let trace = small(&spans);
        let sheet = Sheet::of(&trace);
        for root in sheet.tree().roots() {
            let sections = critical_path(&sheet.spans, sheet.tree(), *root);
            assert!(sections.windows(2).all(|pair| pair[0].to == pair[1].from));
            let sum: u64 = sections.iter().map(|section| section.to.since(section.from)).sum();
            assert_eq!(sum, trace.spans[*root].duration());
        }
    }
}

#[test]
fn skew_is_estimated_between_client_and_server_of_different_hosts() {
    // Server start and duration, limit, expected offset, whether a jump is reported.
    let cases = [
        ("b", 20, 50, 1000, 0, false),
        ("b", 20, 150, 1000, 0, false),
        ("b", 0, 150, 1000, 10, true),
        ("b", 0, 50, 1000, 35, true),
        ("b", 50, 70, 1000, -25, true),
        ("b", 0, 50, 10, 0, true),
        ("b", 80, 50, 10, 0, true),
        ("b", 0, 50, 0, 0, true),
        ("a", 0, 50, 1000, 0, false),
    ];
    for (host, start, duration, max, expected, reported) in cases {
        let client = of_kind(SpanKind::Client, span("a", 1, 0, 10 * MS, 100 * MS));
        let server = of_kind(SpanKind::Server, span(host, 2, 1, start * MS, duration * MS));
        let trace = trace(vec![client, server, span(host, 3, 2, start * MS, MS)]);
        let sheet = Sheet::of(&trace);
        let skew = skew(&sheet.spans, sheet.tree(), max * MS);
        let of = |number: u64| skew.offsets[trace.spans.iter().position(|span| span.span_id == id(number)).unwrap()];
        assert_eq!((of(1), of(2), of(3)), (0, expected * 1_000_000, expected * 1_000_000), "{host} {start} {duration}");
        assert_eq!(!skew.jumps.is_empty(), reported, "{host} {start} {duration}");
    }
}

#[test]
fn messages_are_never_moved() {
    let producer = of_kind(SpanKind::Producer, span("a", 1, 0, 100, 10));
    let consumer = of_kind(SpanKind::Consumer, span("b", 2, 1, 5000, 10));
    let trace = trace(vec![producer, consumer]);
    let sheet = Sheet::of(&trace);
    assert_eq!(skew(&sheet.spans, sheet.tree(), u64::MAX).offsets, [0, 0]);
}

#[test]
fn sheets_know_rows_ids_messages_and_errors_below() {
    let mut failed = span("b", 3, 2, 20, 10);
    failed.status = Status { code: StatusCode::Error, message: "no".to_owned() };
    let sheet = Sheet::of(&trace(vec![span("a", 1, 0, 0, 100), span("a", 2, 1, 10, 30), failed, span("a", 4, 1, 15, 5)]));
    assert_eq!((0..4).map(|span| sheet.rank(span)).collect::<Vec<_>>(), [0, 1, 3, 2]);
    assert_eq!((0..4).map(|span| sheet.errors_below(span)).collect::<Vec<_>>(), [1, 1, 0, 0]);
    assert_eq!((sheet.place_of(id(3)), sheet.place_of(id(9))), (Some(3), None));
    assert_eq!((sheet.service(3), sheet.name(3), sheet.message(3), sheet.message(0)), ("b", "op3", Some("no"), None));
    assert_eq!((sheet.ancestors(3), sheet.start().get(), sheet.duration()), (vec![0, 1], 0, 100));
    assert_eq!(sheet.sections(3).iter().map(|section| (section.from.get(), section.to.get())).collect::<Vec<_>>(), [(20, 30)]);
}

#[test]
fn the_uncertainty_of_a_skew_is_the_room_the_server_has_inside_its_caller() {
    let jump = |start: u64, duration: u64| {
        let client = of_kind(SpanKind::Client, span("a", 1, 0, 100, 100));
        let sheet = Sheet::of(&trace(vec![client, of_kind(SpanKind::Server, span("b", 2, 1, start, duration))]));
        let jump = skew(&sheet.spans, sheet.tree(), u64::MAX).jumps[0];
        (jump.delta, jump.uncertainty)
    };
    assert_eq!(jump(10, 60), (110, Some(20)));
    assert_eq!(jump(10, 160), (90, None));
}

mod findings;

#[test]
fn durations_and_counts_are_written_as_pages_write_them() {
    let told =
        [812, 41_300, 999_949, 2_105_000, 61_960_000, 999_600_000, 1_240_000_000, 59_990_000_000, 125_000_000_000, 11_520_000_000_000];
    let expected = ["812 ns", "41.3 µs", "1.00 ms", "2.11 ms", "62.0 ms", "1.00 s", "1.24 s", "1 min 00 s", "2 min 05 s", "3 h 12 min"];
    assert_eq!(told.map(human), expected);
    let long = [3_599_400, 3_599_600, 7_199_900, 172_799_900, 178_200_000].map(|millis| human(millis * MS));
    assert_eq!(long, ["59 min 59 s", "1 h 00 min", "2 h 00 min", "2 d 00 h", "2 d 02 h"], "rounded, not cut");
    assert_eq!([7_usize, 999, 1_000, 1_234_567].map(grouped), ["7", "999", "1,000", "1,234,567"]);
}

#[test]
fn ids_that_are_used_twice_are_counted_and_clients_with_their_servers_are_not() {
    let mut spans =
        vec![span("a", 1, 0, 0, 10), span("a", 2, 1, 1, 5), span("b", 2, 1, 2, 3), span("a", 3, 1, 4, 1), span("a", 3, 1, 4, 1)];
    spans[1].kind = SpanKind::Client;
    spans[2].kind = SpanKind::Server;
    let counted = |spans: Vec<Span>| {
        let mut collector = Collector::default();
        for span in &spans {
            collector.add_span(span, 0);
        }
        let (sheet, _) = collector.finish(trace_id(), true, Vec::new());
        (sheet.spans.len(), sheet.replaced, sheet.tree().reused())
    };
    assert_eq!(counted(spans.clone()), (4, 0, 0));
    spans.push(span("a", 3, 1, 4, 3));
    spans.push(span("a", 1, 0, 7, 1));
    assert_eq!(counted(spans), (5, 1, 1));
}
