use std::time::Duration;

use super::super::super::fixtures::{self, Dice};
use super::super::super::question::TraceOrder;
use super::super::search as search_traces;
use super::*;
use crate::model::{LogRecord, Span, SpanKind, StatusCode, UnixNanos};
use crate::store::Signal;

mod model;

use self::model::{expected, question, text};

const ORDERS: [TraceOrder; 5] =
    [TraceOrder::Newest, TraceOrder::Oldest, TraceOrder::Slowest, TraceOrder::MostSpans, TraceOrder::MostErrors];

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// Spans whose parents come before them, some of them missing; records of traces, of spans, and of neither. Times are multiples
/// of `tick`.
fn random(dice: &mut Dice, traces: u64, tick: u64) -> (Vec<Span>, Vec<LogRecord>) {
    let (mut spans, mut logs) = (Vec::new(), Vec::new());
    let mut id = 0;
    for trace in 1..=traces {
        let first = id + 1;
        for place in 0..dice.roll(7) {
            id += 1;
            let parent = if place == 0 { dice.roll(2) * 999_999 } else { first + dice.roll(place) };
            let service = *dice.pick(&["api", "pay", "cart"]);
            let name = *dice.pick(&["GET /", "select", "send"]);
            let start = (1_000 + dice.roll(traces) * 10) * tick;
            let mut span = fixtures::span(trace, id, parent, service, name, start, dice.roll(1_000));
            span.kind = *dice.pick(&[SpanKind::Internal, SpanKind::Server]);
            if dice.roll(4) == 0 {
                span.status.code = StatusCode::Error;
            }
            if dice.roll(20) == 0 {
                span.attributes.push(fixtures::text("rare", "yes"));
            }
            spans.push(span);
            if dice.roll(12) == 0 {
                let again = spans.last().unwrap().clone();
                spans.push(again);
            }
        }
        for _ in 0..dice.roll(3) {
            let number = logs.len() as u64 + 1;
            let body = *dice.pick(&["all fine", "deadlock found"]);
            let mut record = fixtures::log(number, ["api", "pay"][dice.count(2)], body, (1_000 + dice.roll(traces) * 10) * tick);
            record.severity_number = *dice.pick(&[9, 17]);
            record.trace_id = Some(fixtures::trace_id(trace + traces * (dice.roll(12) / 11)));
            record.span_id = (dice.roll(4) > 0 && id >= first).then(|| fixtures::span_id(first + dice.roll(id + 1 - first)));
            logs.push(record);
        }
    }
    (spans, logs)
}

/// All in memory, all in segments, or mixed.
fn stored(folder: &std::path::Path, dice: &mut Dice, spans: &[Span], logs: &[LogRecord]) -> Snapshot {
    let part = |dice: &mut Dice, count: usize| count * dice.count(3) / 2;
    let (old, new) = spans.split_at(part(dice, spans.len()));
    let segments = old.chunks(old.len() / 3 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    let traces = fixtures::snapshot(folder, Signal::Traces, new.chunks(dice.count(30) + 1).map(fixtures::spans).collect(), segments);
    let (old, new) = logs.split_at(part(dice, logs.len()));
    let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::logs(chunk)]).collect();
    let records = fixtures::snapshot(folder, Signal::Logs, new.chunks(7).map(fixtures::logs).collect(), segments);
    Snapshot { spans: traces.spans, logs: records.logs, ..Snapshot::default() }
}

fn walk(snapshot: &Snapshot, mut query: TraceSearch) -> Vec<(TraceId, usize)> {
    let mut found = Vec::new();
    loop {
        let page = search_traces(snapshot, &query, &control()).unwrap_or_else(|e| panic!("{}: {e}", query.query));
        let again = search_traces(snapshot, &query, &control()).unwrap();
        assert_eq!(format!("{page:?}"), format!("{again:?}"), "{}", query.query);
        assert!(page.stats.complete, "{:?}", page.stats);
        assert!(page.traces.len() <= query.limit);
        found.extend(page.traces.iter().map(|trace| (trace.trace_id, trace.matched)));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return found;
        }
    }
}

#[test]
fn pages_join_to_what_looking_at_every_trace_finds() {
    let mut dice = Dice(41);
    for round in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        // In every second round traces with as many spans are told apart by their times.
        let tick = if round % 2 == 0 { 1 } else { 1 << 22 };
        let (spans, logs) = random(&mut dice, 20 + round * 16, tick);
        let snapshot = stored(folder.path(), &mut dice, &spans, &logs);
        for _ in 0..12 {
            let asked = question(&mut dice, 2);
            let range = if dice.roll(2) == 0 {
                TimeRange::ALL
            } else {
                let from = 1_000 + dice.roll(300);
                TimeRange { from: UnixNanos::new(from * tick), to: UnixNanos::new((from + dice.roll(2_000)) * tick) }
            };
            let order = *dice.pick(&ORDERS);
            let limit = if dice.roll(2) == 0 { 1_000 } else { dice.count(9) + 1 };
            let query = TraceSearch { query: text(&asked), range, order, limit, cursor: None };
            assert_eq!(walk(&snapshot, query.clone()), expected(&spans, &logs, &asked, range, order), "{query:?}");
        }
    }
}

fn find(snapshot: &Snapshot, text: &str) -> Vec<TraceId> {
    let query = TraceSearch { query: text.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 100, cursor: None };
    walk(snapshot, query).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn logs_and_spans_are_asked_for_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = vec![
        fixtures::span(1, 1, 0, "api", "POST /pay", 100, 50),
        fixtures::span(1, 2, 1, "pay", "charge", 110, 20),
        fixtures::span(2, 3, 0, "api", "POST /pay", 200, 50),
        fixtures::span(2, 4, 3, "pay", "charge", 210, 20),
        fixtures::span(3, 5, 0, "api", "GET /", 300, 50),
    ];
    spans[0].attributes = vec![fixtures::text("http.route", "/pay")];
    spans[2].attributes = vec![fixtures::text("http.route", "/pay")];
    spans[3].status.code = StatusCode::Error;
    let record = |id, trace, span, body: &str, severity| LogRecord {
        trace_id: Some(fixtures::trace_id(trace)),
        span_id: Some(fixtures::span_id(span)),
        severity_number: severity,
        ..fixtures::log(id, "pay", body, 100 * trace + 15)
    };
    let logs = vec![
        record(1, 1, 2, "deadlock found", 17),
        record(2, 2, 4, "card declined", 17),
        record(3, 3, 5, "deadlock found", 9),
        record(4, 9, 9, "deadlock of a trace without spans", 17),
    ];
    let snapshot = stored(folder.path(), &mut Dice(1), &spans, &logs);
    let id = fixtures::trace_id;
    assert_eq!(find(&snapshot, "log:(severity>=error) NOT trace:(status:error)"), [id(1)]);
    assert_eq!(find(&snapshot, "(http.route:/pay) >> log:(deadlock)"), [id(1)]);
    assert_eq!(find(&snapshot, "(http.route:/pay) > log:(*)"), []);
    assert_eq!(find(&snapshot, "log:(deadlock) << (service:api)"), [id(3), id(1)]);
    assert_eq!(find(&snapshot, "service:pay has:log"), [id(2), id(1)]);
    assert_eq!(find(&snapshot, "root:(name:\"POST /pay\") trace:(status:error)"), [id(2)]);
    assert_eq!(find(&snapshot, "service:api status:error log:(*)"), [], "what stands beside holds for one span");
    assert_eq!(find(&snapshot, "trace:(service:api) trace:(status:error)"), [id(2)]);
    assert_eq!(find(&snapshot, "(service:api) !> (service:pay)"), []);
    assert_eq!(find(&snapshot, "count(service:pay)=0"), [id(3)]);
    assert_eq!(find(&snapshot, "trace.services:2.. -log:(declined)"), [id(1)]);
    assert_eq!(find(&snapshot, "trace:(name:charge) OR trace.spans<2"), [id(3), id(2), id(1)]);
}

#[test]
fn shared_ids_and_loops_make_the_same_tree_as_the_page_of_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = vec![
        // A client and its server share an id: the server is the child, and has the children.
        fixtures::span(1, 7, 0, "api", "call", 100, 50),
        fixtures::span(1, 7, 0, "pay", "serve", 110, 20),
        fixtures::span(1, 8, 7, "pay", "select", 115, 5),
        // A loop is cut above its earliest span.
        fixtures::span(2, 1, 3, "a", "one", 100, 1),
        fixtures::span(2, 2, 1, "a", "two", 101, 1),
        fixtures::span(2, 3, 2, "a", "three", 102, 1),
        // A span that names itself.
        fixtures::span(3, 1, 1, "a", "self", 100, 1),
    ];
    spans[0].kind = SpanKind::Client;
    spans[1].kind = SpanKind::Server;
    let snapshot = stored(folder.path(), &mut Dice(3), &spans, &[]);
    let id = fixtures::trace_id;
    assert_eq!(find(&snapshot, "(name:call) > (name:serve)"), [id(1)]);
    assert_eq!(find(&snapshot, "(name:serve) > (name:select)"), [id(1)]);
    assert_eq!(find(&snapshot, "(name:call) > (name:select)"), []);
    assert_eq!(find(&snapshot, "(name:one) >> (name:three)"), [id(2)]);
    assert_eq!(find(&snapshot, "(name:three) >> (name:one)"), []);
    assert_eq!(find(&snapshot, "(name:self) >> (name:self)"), []);
}

#[test]
fn a_search_that_finds_little_says_where_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let count = MAX_JUDGED as u64 + 3_000;
    let mut spans: Vec<_> = (1..=count).map(|n| fixtures::span(n, n, 0, "api", "x", 1_000 + n, 1)).collect();
    spans.push(fixtures::span(5, count + 1, 5, "api", "y", 1_000, 1));
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
    let mut query =
        TraceSearch { query: "trace.spans>1".to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 5, cursor: None };
    let oldest = TraceSearch { order: TraceOrder::Oldest, limit: 1, ..query.clone() };
    let at_once = search_traces(&snapshot, &oldest, &control()).unwrap();
    assert_eq!(at_once.traces.iter().map(|trace| trace.trace_id).collect::<Vec<_>>(), [fixtures::trace_id(5)], "it is the oldest");
    let first = search_traces(&snapshot, &query, &control()).unwrap();
    assert!(first.traces.is_empty() && !first.stats.complete && first.next.is_some(), "{first:?}");
    query.cursor = first.next;
    let second = search_traces(&snapshot, &query, &control()).unwrap();
    assert_eq!(second.traces.iter().map(|trace| trace.trace_id).collect::<Vec<_>>(), [fixtures::trace_id(5)]);
    assert!(second.next.is_none() && second.stats.complete);
    // A condition that holds in few traces leads there at once.
    let query = TraceSearch { query: "trace:(name:x) trace:(name:y)".to_owned(), cursor: None, ..query };
    let found = search_traces(&snapshot, &query, &control()).unwrap();
    assert_eq!(found.traces.len(), 1);
    assert!(found.stats.complete && found.next.is_none());
}
