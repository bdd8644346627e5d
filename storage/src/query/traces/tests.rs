use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::super::{LogOrder, LogSearch, logs};
use super::*;
use crate::model::{SpanKind, Status, StatusCode};

mod failure;

const SERVICES: [&str; 4] = ["api", "cart", "pay", "mail"];
const NAMES: [&str; 4] = ["GET /", "POST /pay", "select", "send"];
const ORDERS: [TraceOrder; 5] =
    [TraceOrder::Newest, TraceOrder::Oldest, TraceOrder::Slowest, TraceOrder::MostSpans, TraceOrder::MostErrors];

/// What a random query asks, in a form that can be checked without the engine.
struct Asked {
    text: String,
    check: Box<dyn Fn(&Span) -> bool>,
}

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn asked(dice: &mut Dice, depth: u32) -> Asked {
    let kind = dice.roll(if depth == 0 { 6 } else { 9 });
    match kind {
        0 => {
            let service = *dice.pick(&SERVICES);
            Asked { text: format!("service:{service}"), check: Box::new(move |s| s.service_name() == service) }
        }
        1 => {
            let bound = dice.roll(1_000);
            Asked { text: format!("duration>={bound}ns"), check: Box::new(move |s| s.duration() >= bound) }
        }
        2 => Asked { text: "status:error".to_owned(), check: Box::new(Span::is_error) },
        3 => {
            let name = *dice.pick(&NAMES);
            Asked { text: format!("name:\"{name}\""), check: Box::new(move |s| s.name == name) }
        }
        4 => {
            let code = dice.roll(4);
            let check = move |s: &Span| s.attribute("code") == Some(&crate::model::Value::Int(code.cast_signed()));
            Asked { text: format!("attr.code={code}"), check: Box::new(check) }
        }
        5 => Asked { text: "*".to_owned(), check: Box::new(|_| true) },
        6 => {
            let inner = asked(dice, depth - 1);
            Asked { text: format!("NOT ({})", inner.text), check: Box::new(move |s| !(inner.check)(s)) }
        }
        kind => {
            let (a, b) = (asked(dice, depth - 1), asked(dice, depth - 1));
            let word = if kind == 7 { "OR" } else { "AND" };
            let check: Box<dyn Fn(&Span) -> bool> =
                if kind == 7 { Box::new(move |s| (a.check)(s) || (b.check)(s)) } else { Box::new(move |s| (a.check)(s) && (b.check)(s)) };
            Asked { text: format!("({}) {word} ({})", a.text, b.text), check }
        }
    }
}

fn random_spans(dice: &mut Dice, count: usize, tick: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for i in 0..count {
        let trace = dice.roll(count as u64 / 5 + 1);
        // Few different times, so that ties are common.
        let start = (1_000 + dice.roll(count as u64 / 2) * 10) * tick;
        let (service, name) = (*dice.pick(&SERVICES), *dice.pick(&NAMES));
        let parent = if dice.roll(3) == 0 { 0 } else { dice.roll(count as u64) + 1 };
        let mut span = fixtures::span(trace, i as u64 + 1, parent, service, name, start, dice.roll(1_000));
        if dice.roll(5) == 0 {
            span.status = Status { code: StatusCode::Error, message: format!("failed {i}") };
        }
        if dice.roll(2) == 0 {
            let value = crate::model::Value::Int(dice.roll(4).cast_signed());
            span.attributes.push(crate::model::KeyValue { key: "code".to_owned(), value });
        }
        spans.push(span);
        if dice.roll(10) == 0 {
            // The same span, with other content now and then.
            let mut again = dice.pick(&spans).clone();
            if dice.roll(2) == 0 {
                (again.name, again.attributes) = ((*dice.pick(&NAMES)).to_owned(), Vec::new());
                again.end = again.start.plus(dice.roll(1_000));
                again.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Error]);
            }
            spans.push(again);
        }
    }
    spans
}

/// Half of the spans in segments, the rest in batches of random size.
fn stored(folder: &std::path::Path, dice: &mut Dice, spans: &[Span]) -> Snapshot {
    let (old, new) = spans.split_at(spans.len() / 2);
    let segments = old.chunks(old.len() / 3 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    let buffered = new.chunks(dice.count(20) + 1).map(fixtures::spans).collect();
    fixtures::snapshot(folder, Signal::Traces, buffered, segments)
}

/// The whole answer, found the slow way: keys with spans in range that match and spans in all.
fn expected(spans: &[Span], check: &dyn Fn(&Span) -> bool, range: TimeRange, order: TraceOrder) -> Vec<(TraceId, u64, usize, usize)> {
    let mut distinct = BTreeMap::new();
    for span in spans {
        distinct.insert((span.trace_id, span.span_id, span.start), span);
    }
    let mut traces: BTreeMap<TraceId, Vec<&Span>> = BTreeMap::new();
    distinct.values().for_each(|span| traces.entry(span.trace_id).or_default().push(span));
    let mut found = Vec::new();
    for (id, all) in traces {
        let in_range: Vec<&Span> = all.iter().copied().filter(|span| range.contains(span.start)).collect();
        let matching: Vec<&Span> = in_range.iter().copied().filter(|span| check(span)).collect();
        let starts = matching.iter().map(|span| span.start.get());
        // Which of its spans match makes no difference to how many there are.
        let counted =
            |spans: Vec<&Span>| spans.iter().map(|span| span.start.get() >> 24).max().map(|newest| (spans.len() as u64) << 40 | newest);
        let weight = match order {
            TraceOrder::Newest => starts.max(),
            TraceOrder::Oldest => starts.map(|start| u64::MAX - start).max(),
            TraceOrder::Slowest => matching.iter().map(|span| span.duration()).max(),
            TraceOrder::MostSpans => counted(in_range.clone()),
            TraceOrder::MostErrors => counted(in_range.iter().copied().filter(|span| span.is_error()).collect()),
        };
        if let Some(weight) = weight.filter(|_| !matching.is_empty()) {
            found.push((Reverse(weight), id, matching.len(), all.len()));
        }
    }
    found.sort();
    let key = |weight: u64| if order == TraceOrder::Oldest { u64::MAX - weight } else { weight };
    found.into_iter().map(|(Reverse(weight), id, matched, count)| (id, key(weight), matched, count)).collect()
}

#[test]
fn pages_of_a_search_join_to_what_looking_at_every_span_finds() {
    let mut dice = Dice(7);
    for round in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        // In every second round traces with as many spans are told apart by their times.
        let tick = if round % 2 == 0 { 1 } else { 1 << 22 };
        let spans = random_spans(&mut dice, 60 + round * 10, tick);
        let snapshot = stored(folder.path(), &mut dice, &spans);
        for _ in 0..6 {
            let Asked { text, check } = asked(&mut dice, 2);
            let range = if dice.roll(2) == 0 {
                TimeRange::ALL
            } else {
                let from = 1_000 + dice.roll(400);
                TimeRange { from: UnixNanos::new(from * tick), to: UnixNanos::new((from + dice.roll(2_000)) * tick) }
            };
            let order = *dice.pick(&ORDERS);
            let mut query = TraceSearch { query: text.clone(), range, order, limit: dice.count(9) + 1, cursor: None };
            let mut found = Vec::new();
            loop {
                let page = search(&snapshot, &query, &control()).unwrap();
                assert!(page.stats.complete);
                assert!(page.traces.len() <= query.limit);
                found.extend(page.traces.iter().map(|t| (t.trace_id, t.key, t.matched, t.span_count)));
                query.cursor = page.next;
                if query.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected(&spans, &check, range, order), "{text} {range:?} {order:?} by {}", query.limit);
        }
    }
}

#[test]
fn a_trace_is_found_whole_wherever_its_spans_lie() {
    let mut dice = Dice(11);
    let folder = tempfile::tempdir().unwrap();
    let spans = random_spans(&mut dice, 300, 1);
    let snapshot = stored(folder.path(), &mut dice, &spans);
    let ids: BTreeSet<_> = spans.iter().map(|span| span.trace_id).collect();
    for id in ids {
        let found = trace(&snapshot, id, &control()).unwrap().unwrap();
        let expected: BTreeSet<_> = spans.iter().filter(|span| span.trace_id == id).map(|span| (span.start, span.span_id)).collect();
        assert_eq!(found.spans.iter().map(|span| (span.start, span.span_id)).collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        assert!(found.complete);
        let original = spans.iter().rfind(|span| span.span_id == found.spans[0].span_id).unwrap();
        assert_eq!(found.spans[0], *original);
    }
    assert!(trace(&snapshot, fixtures::trace_id(999_999), &control()).unwrap().is_none());
}

#[test]
fn a_summary_tells_of_all_spans_of_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = vec![
        fixtures::span(1, 2, 1, "cart", "load", 120, 30),
        fixtures::span(1, 1, 0, "api", "GET /", 100, 100),
        fixtures::span(1, 3, 1, "cart", "save", 150, 80),
    ];
    spans[2].status = Status { code: StatusCode::Error, message: "full".to_owned() };
    let snapshot =
        fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&spans)], vec![vec![fixtures::spans(&spans[..1])]]);
    let query = TraceSearch { query: "name:save".to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 10, cursor: None };
    let page = search(&snapshot, &query, &control()).unwrap();
    let [found] = page.traces.as_slice() else { panic!("{page:?}") };
    assert_eq!((found.root_service.as_str(), found.root_name.as_str(), found.has_root), ("api", "GET /", true));
    assert!(!found.root_failed, "another span failed");
    assert_eq!((found.start.get(), found.duration, found.span_count, found.error_count, found.matched), (100, 130, 3, 1, 1));
    assert_eq!(found.first_error.as_deref(), Some("full"));
    let services: Vec<_> = found.services.iter().map(|s| (s.name.as_str(), s.span_count, s.error_count, s.spans.clone())).collect();
    assert_eq!(services, [("api", 1, 0, vec![(0, 100)]), ("cart", 2, 1, vec![(50, 80), (20, 30)])]);
    assert!(page.next.is_none());
}

#[test]
fn a_trace_is_called_the_same_in_whatever_order_its_spans_are_read() {
    let kinds = [SpanKind::Server, SpanKind::Client, SpanKind::Internal];
    let mut spans: Vec<Span> = [("b", "answer", 0, 1), ("a", "call", 0, 1), ("d", "other", 9, 7)]
        .into_iter()
        .zip(kinds)
        .map(|((service, name, parent, id), kind)| Span { kind, ..fixtures::span(1, id, parent, service, name, 100, 10) })
        .collect();
    spans[0].status = Status { code: StatusCode::Error, message: "by the server".to_owned() };
    spans[1].status = Status { code: StatusCode::Error, message: "by the client".to_owned() };
    let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 10, cursor: None };
    for turn in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let mut spans = spans.clone();
        spans.rotate_left(turn % 3);
        if turn > 2 {
            spans.swap(0, 1);
        }
        let (old, new) = spans.split_at(turn % 2 + 1);
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(new)], vec![vec![fixtures::spans(old)]]);
        let page = search(&snapshot, &query, &control()).unwrap();
        let [found] = page.traces.as_slice() else { panic!("{page:?}") };
        let services: Vec<&str> = found.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!((found.root_service.as_str(), found.root_name.as_str()), ("a", "call"), "the server is what the client calls");
        assert_eq!((services.as_slice(), found.first_error.as_deref()), (["a", "b", "d"].as_slice(), Some("by the client")));
        let whole = trace(&snapshot, found.trace_id, &control()).unwrap().unwrap();
        let sheet = crate::trace::Sheet::of(&whole);
        assert_eq!(
            sheet.main_root().map(|root| (sheet.service(root), sheet.name(root))),
            Some(("a", "call")),
            "so does the page of the trace"
        );
    }
}

#[test]
fn a_failed_trace_is_called_by_the_error_that_it_began_with() {
    let mut spans = [
        fixtures::span(1, 1, 0, "gateway", "POST /checkout", 100, 100),
        fixtures::span(1, 2, 1, "orders", "place", 110, 80),
        fixtures::span(1, 3, 2, "payment", "charge", 120, 60),
        fixtures::span(1, 4, 2, "stock", "release", 185, 3),
    ];
    for (span, message) in spans.iter_mut().zip(["502", "payment failed", "card declined", "not reserved"]) {
        span.status = Status { code: StatusCode::Error, message: message.to_owned() };
    }
    for turn in 0..4 {
        let mut snapshot = Snapshot::default();
        spans.rotate_left(turn);
        snapshot.spans.buffered = spans.iter().map(|span| fixtures::spans(std::slice::from_ref(span))).collect();
        let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1, cursor: None };
        let found = search(&snapshot, &query, &control()).unwrap().traces.remove(0);
        assert_eq!((found.first_error.as_deref(), found.root_failed), (Some("card declined"), true));
    }
}

#[test]
fn a_failed_trace_is_called_by_the_first_error_that_says_why() {
    let mut spans = [
        fixtures::span(1, 1, 0, "orders", "place", 100, 100),
        fixtures::span(1, 2, 1, "payment", "charge", 110, 60),
        fixtures::span(1, 3, 2, "payment", "POST", 120, 20),
        fixtures::span(2, 4, 0, "orders", "place", 90, 100),
        fixtures::span(2, 5, 4, "orders", "POST", 95, 20),
    ];
    for (span, message) in spans.iter_mut().zip(["payment failed", "card declined", "402", "", ""]) {
        span.status = Status { code: StatusCode::Error, message: message.to_owned() };
        span.attributes = vec![fixtures::text("error.type", if span.name == "POST" { "402" } else { "other" })];
    }
    for said in ["402", ""] {
        said.clone_into(&mut spans[2].status.message);
        for turn in 0..5 {
            let mut snapshot = Snapshot::default();
            spans.rotate_left(turn);
            snapshot.spans.buffered = spans.iter().map(|span| fixtures::spans(std::slice::from_ref(span))).collect();
            spans.rotate_right(turn);
            let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 2, cursor: None };
            let found: Vec<_> = search(&snapshot, &query, &control()).unwrap().traces.into_iter().map(|trace| trace.first_error).collect();
            assert_eq!(found, [Some("card declined".to_owned()), Some("402".to_owned())], "of numbers alone, the first stands");
        }
    }
}

#[test]
fn an_error_without_message_is_called_by_its_exception_or_its_type() {
    let folder = tempfile::tempdir().unwrap();
    let event = |key: &str, value: &str| crate::model::Event {
        name: "exception".to_owned(),
        attributes: vec![fixtures::text(key, value)],
        ..crate::model::Event::default()
    };
    let mut spans: Vec<_> = (1..=5).map(|n| fixtures::span(n, n, 0, "api", "GET /", 100 * n, 10)).collect();
    for span in &mut spans {
        span.status.code = StatusCode::Error;
        span.attributes = vec![fixtures::text("error.type", "timeout")];
    }
    spans[0].status.message = "said".to_owned();
    spans[1].events = vec![event("exception.message", "thrown")];
    spans[3].attributes.clear();
    spans[3].events = vec![event("exception.type", "IoError")];
    spans[4].attributes.clear();
    let (old, new) = spans.split_at(2);
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(old)], vec![vec![fixtures::spans(new)]]);
    let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 10, cursor: None };
    let found: Vec<_> = search(&snapshot, &query, &control()).unwrap().traces.into_iter().map(|trace| trace.first_error).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found, [None, text("IoError"), text("timeout"), text("thrown"), text("said")]);
}

#[test]
fn a_page_goes_on_for_its_own_question_alone() {
    let snapshot = Snapshot::default();
    let question = |text: &str, order| TraceSearch { query: text.to_owned(), range: TimeRange::ALL, order, limit: 1, cursor: None };
    let asked = question("a", TraceOrder::Newest);
    let cursor = asked.behind(7, TraceId::from_slice(&[1; 16]).unwrap());
    assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    let with = |search: TraceSearch| super::search(&snapshot, &TraceSearch { cursor: Some(cursor), ..search }, &control());
    assert!(with(asked).is_ok());
    for other in [question("b", TraceOrder::Newest), question("a", TraceOrder::Slowest), question("a", TraceOrder::Oldest)] {
        assert!(matches!(with(other), Err(QueryError::Invalid(message)) if message.contains("another question")));
    }
    let logs = LogSearch { query: "a".to_owned(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 1, cursor: Some(cursor) };
    assert!(matches!(logs::search(&snapshot, &logs, &control()), Err(QueryError::Invalid(_))));
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    let snapshot = Snapshot::default();
    let query =
        |text: &str, limit| TraceSearch { query: text.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit, cursor: None };
    assert!(matches!(search(&snapshot, &query("", 0), &control()), Err(QueryError::Invalid(_))));
    assert!(matches!(search(&snapshot, &query("", usize::MAX), &control()), Err(QueryError::Invalid(_))));
    assert!(matches!(search(&snapshot, &query("a(", 1), &control()), Err(QueryError::Parse(_))));
    let mut forged = query("", 1);
    for cursor in ["f", "0"].map(|digit| digit.repeat(56)) {
        forged.cursor = Some(cursor.parse().unwrap());
        assert!(matches!(search(&snapshot, &forged, &control()), Err(QueryError::Invalid(_))));
    }
    assert!(search(&snapshot, &query("", 1), &control()).unwrap().traces.is_empty());
}
