use std::time::Duration;

use super::super::fixtures;
use super::super::traces::trace;
use super::*;
use crate::model::{KeyValue, Resource, Status, StatusCode, Value};

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// A trace of 300 spans with a number each, and another trace between its rows.
fn rows() -> Vec<Span> {
    let mut spans = Vec::new();
    for n in 0..300_u64 {
        let mut span = fixtures::span(1, n + 1, n / 3, if n % 2 == 0 { "web" } else { "db" }, &format!("op {}", n % 7), 1_000 - n, n);
        span.attributes.push(KeyValue { key: "n".to_owned(), value: Value::Int(n.cast_signed()) });
        if n % 50 == 3 {
            span.status = Status { code: StatusCode::Error, message: format!("failed {n}") };
        }
        spans.push(span);
        spans.push(fixtures::span(2, n + 1, 0, "other", "op", 1_000, 1));
    }
    spans
}

fn stored(folder: &std::path::Path, spans: &[Span]) -> Arc<Snapshot> {
    let (old, new) = spans.split_at(spans.len() / 2);
    let segments = old.chunks(120).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    Arc::new(fixtures::snapshot(folder, Signal::Traces, new.chunks(70).map(fixtures::spans).collect(), segments))
}

fn opened(snapshot: &Arc<Snapshot>, sheets: &Sheets) -> OpenTrace {
    open(snapshot.clone(), fixtures::trace_id(1), sheets, &control()).unwrap().unwrap()
}

#[test]
fn columns_agree_with_the_spans_they_stand_for_wherever_these_lie() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = rows();
    spans.extend(rows().into_iter().take(9));
    let snapshot = stored(folder.path(), &spans);
    let open = opened(&snapshot, &Sheets::default());
    let whole = trace(&snapshot, fixtures::trace_id(1), &control()).unwrap().unwrap();
    let (sheet, expected) = (open.sheet().as_ref(), Sheet::of(&whole));
    assert_eq!(sheet.spans.len(), whole.spans.len());
    for place in 0..whole.spans.len() {
        let brief = |sheet: &Sheet| {
            let brief = sheet.spans[place];
            (brief.span_id, brief.parent_span_id, brief.kind, brief.status, brief.start, brief.end)
        };
        assert_eq!(brief(sheet), brief(&expected));
        let words = |sheet: &Sheet| [sheet.service(place).to_owned(), sheet.name(place).to_owned(), format!("{:?}", sheet.message(place))];
        assert_eq!(words(sheet), words(&expected));
        assert_eq!((sheet.rank(place), sheet.self_time(place)), (expected.rank(place), expected.self_time(place)));
    }
    let places: Vec<usize> = (0..whole.spans.len()).rev().step_by(3).collect();
    let read = super::spans(&open, &places, &control()).unwrap();
    assert_eq!(read.len(), places.len());
    for place in places {
        assert_eq!(read[&place], whole.spans[place]);
    }
}

#[test]
fn an_unchanged_trace_is_kept_and_a_new_span_makes_a_new_version() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spans, sheets) = (rows(), Sheets::default());
    let snapshot = stored(folder.path(), &spans);
    let first = opened(&snapshot, &sheets);
    let second = opened(&snapshot, &sheets);
    assert!(Arc::ptr_eq(&first.held, &second.held) && first.version() == second.version());
    spans.push(fixtures::span(1, 900, 1, "web", "late", 2_000, 1));
    let elsewhere = tempfile::tempdir().unwrap();
    let later = opened(&stored(elsewhere.path(), &spans), &sheets);
    assert!(later.version() != first.version() && later.sheet().spans.len() == 301);
    assert!(open(snapshot, fixtures::trace_id(77), &sheets, &control()).unwrap().is_none());
}

#[test]
fn searches_speak_the_query_language_and_look_at_every_span() {
    let folder = tempfile::tempdir().unwrap();
    let open = opened(&stored(folder.path(), &rows()), &Sheets::default());
    let found = |query: &str| find(&open, query, &control()).unwrap_or_else(|error| panic!("{query}: {error}"));
    let high = found("attr.n>=290");
    assert_eq!(high.len(), 10);
    assert!(high.windows(2).all(|pair| open.sheet().rank(pair[0]) < open.sheet().rank(pair[1])));
    assert!(Arc::ptr_eq(&high, &found("attr.n>=290")));
    let counts =
        [("service:web", 150), ("root:true", 3), ("status:error", 6), ("(attr.n:1 OR attr.n:2) -service:db", 1), ("duration>=298ns", 2)];
    for (query, expected) in counts.into_iter().chain([("name~\"[56]$\"", 85), ("*", 300), ("attr.n:*", 300), ("-attr.n:*", 0)]) {
        assert_eq!(found(query).len(), expected, "{query}");
    }
}

#[test]
fn a_word_is_found_anywhere_in_a_span() {
    let mut spans = rows();
    let marked = spans.iter_mut().find(|span| span.trace_id == fixtures::trace_id(1) && span.span_id == fixtures::span_id(150)).unwrap();
    marked.attributes.push(fixtures::text("Cart.Key", "some SnowyOwl"));
    marked
        .attributes
        .push(KeyValue { key: "list".to_owned(), value: Value::Array(vec![Value::Int(777), Value::String("barn".to_owned())]) });
    marked.resource = Arc::new(Resource {
        attributes: vec![fixtures::text("service.name", "web"), fixtures::text("host.id", "tawny-1")],
        ..Resource::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let open = opened(&stored(folder.path(), &spans), &Sheets::default());
    let count = |query: &str| find(&open, query, &control()).unwrap().len();
    for query in
        ["owl", "\"some snowy\"", "cart.k", "777", "BARN", "tawny", "host.id", "149 owl", "case:SnowyOwl", "snow*", "0000000000000096 owl"]
    {
        assert_eq!(count(query), 1, "{query}");
    }
    for (query, expected) in [("case:snowyowl", 0), ("owl -tawny", 0), ("web", 151), ("\"failed 1\"", 2), ("-web", 149), ("owls", 0)] {
        assert_eq!(count(query), expected, "{query}");
    }
}

#[test]
fn what_is_no_search_for_spans_is_refused_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let open = opened(&stored(folder.path(), &rows()), &Sheets::default());
    for (query, place) in [("service:web durration>1s", 12), ("(a OR b", 0), ("trace.spans>3", 0)] {
        let QueryError::Parse(error) = find(&open, query, &control()).unwrap_err() else { panic!("{query} was understood") };
        assert_eq!(error.offset, place, "{query}: {}", error.message);
    }
}
