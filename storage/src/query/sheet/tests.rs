use std::time::Duration;

use super::super::fixtures;
use super::super::traces::trace;
use super::*;
use crate::model::{KeyValue, Status, StatusCode, Value};

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
fn searches_look_at_every_span_and_remember_what_they_found() {
    let folder = tempfile::tempdir().unwrap();
    let open = opened(&stored(folder.path(), &rows()), &Sheets::default());
    let is_high = |span: &Span| matches!(span.attribute("n"), Some(Value::Int(n)) if *n >= 290);
    let found = find(&open, "high", &|_, _| None, &is_high, &control()).unwrap();
    assert_eq!(found.len(), 10);
    assert!(found.windows(2).all(|pair| open.sheet().rank(pair[0]) < open.sheet().rank(pair[1])));
    let again = find(&open, "high", &|_, _| None, &|_| panic!("read again"), &control()).unwrap();
    assert!(Arc::ptr_eq(&found, &again));
    let web = find(&open, "web", &|sheet, place| Some(sheet.service(place) == "web"), &|_| panic!("read whole"), &control()).unwrap();
    assert_eq!(web.len(), 150);
}
