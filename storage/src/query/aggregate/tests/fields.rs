//! Any field tells rows apart, and any attribute with numbers is measured.

use super::super::super::fixtures::{span_id, trace_id};
use super::*;
use crate::model::{Event, Link, Scope};

fn with(key: &str, value: Value) -> Vec<KeyValue> {
    vec![KeyValue { key: key.to_owned(), value }]
}

fn event(name: &str, attributes: Vec<KeyValue>) -> Event {
    Event { time: UnixNanos::new(NOON), name: name.to_owned(), attributes, dropped_attributes_count: 0 }
}

/// Three spans of two traces with events, links and a scope.
fn eventful() -> Snapshot {
    let mut spans: Vec<Span> = (1..=3).map(|i| span(i, "api", NOON + i, i)).collect();
    spans[2].trace_id = trace_id(2);
    spans[2].parent_span_id = Some(spans[1].span_id);
    spans[0].events = vec![
        event("retry", with("attempt", Value::Int(1))),
        event("retry", with("attempt", Value::Int(2))),
        event("gone", with("attempt", Value::Int(1))),
    ];
    spans[1].events = vec![event("retry", with("name", Value::String("x".to_owned())))];
    let link = Link {
        trace_id: trace_id(9).as_bytes().to_vec(),
        span_id: span_id(9).as_bytes().to_vec(),
        trace_state: String::new(),
        attributes: with("why", Value::Bool(true)),
        dropped_attributes_count: 0,
        flags: 0,
    };
    spans[1].links = vec![link.clone(), link];
    let attributes = with("k", Value::Double(f64::INFINITY));
    spans[2].scope = std::sync::Arc::new(Scope { name: "lib".to_owned(), version: "1".to_owned(), attributes, ..Scope::default() });
    in_memory(&spans)
}

#[test]
fn whatever_a_query_names_tells_rows_apart() {
    let snapshot = eventful();
    let found = |group_by: &[&str]| lines(&ask(&snapshot, &of_spans(group_by, &["count"])));
    assert_eq!(found(&["event"]), ["retry: 2", "-: 1", "gone: 1"]);
    assert_eq!(found(&["event.attempt"]), ["-: 2", "1: 1", "2: 1"]);
    assert_eq!(found(&["event.\"name\""]), ["-: 2", "x: 1"]);
    assert_eq!(found(&["event.name", "event.attempt"]).len(), 6);
    assert_eq!(found(&["link.trace"]), ["-: 2".to_owned(), format!("{}: 1", trace_id(9))]);
    assert_eq!(found(&["link.span", "link.why"]), ["- -: 2".to_owned(), format!("{} true: 1", span_id(9))]);
    assert_eq!(found(&["scope.name", "scope.version", "scope.k"]), ["- - -: 2", "lib 1 Infinity: 1"]);
    assert_eq!(found(&["trace"]), [format!("{}: 2", trace_id(2)), format!("{}: 1", trace_id(1))]);
    assert_eq!(found(&["root"]), ["true: 2", "false: 1"]);
    assert_eq!(found(&["parent"])[1], format!("{}: 1", span_id(2)));
    assert_eq!(found(&["duration"]), ["1ns: 1", "2ns: 1", "3ns: 1"]);
    assert_eq!(found(&["exception.message", "trace_state", "peer"]), ["- - -: 3"]);
}

#[test]
fn a_row_counts_for_a_bounded_number_of_groups() {
    let mut spans = vec![span(1, "api", NOON, 1)];
    spans[0].events = (0..100).map(|i| event(&format!("e{i:03}"), Vec::new())).collect();
    let found = ask(&in_memory(&spans), &of_spans(&["event"], &["count"]));
    assert_eq!(found.groups.len(), 64);
    assert!(!found.stats.complete && found.stats.notes[0].contains("64 different values"), "{:?}", found.stats.notes);
}

#[test]
fn numbers_of_attributes_are_measured_and_what_is_none_is_said() {
    let values = [
        Some(Value::Int(4)),
        Some(Value::Double(0.5)),
        Some(Value::Int(-1)),
        Some(Value::String("7".to_owned())),
        Some(Value::Double(f64::NAN)),
        None,
    ];
    let measures = ["count", "count(attr.n)", "avg(attr.n)", "min(attr.n)", "max(attr.n)", "sum(attr.n)", "p50(attr.n)"];
    let mut spans: Vec<Span> = (1..=6).map(|i| span(i, "api", NOON + i, i)).collect();
    let mut logs: Vec<LogRecord> = (1..=6).map(|i| fixtures::log(i, "api", "x", NOON + i)).collect();
    for ((span, log), value) in spans.iter_mut().zip(&mut logs).zip(values) {
        span.attributes = value.into_iter().flat_map(|value| with("n", value)).collect();
        log.attributes.clone_from(&span.attributes);
    }
    let mut snapshot = in_memory(&spans);
    snapshot.logs.buffered.push(fixtures::logs(&logs));
    let note = "2 rows have a value of `attr.n` that is no finite number; nothing was measured of it there";
    for signal in [Signal::Traces, Signal::Logs] {
        let found = ask(&snapshot, &Aggregate { signal, ..of_spans(&[], &measures) });
        assert_eq!(lines(&found), [": 6 3 1.167 -1.000 4.000 3.500 0.500"], "{signal:?}");
        assert!(found.stats.complete && found.stats.notes == [note], "{:?}", found.stats);
    }
    let both = of_spans(&["attr.n"], &["sum(attr.n)", "sum(resource.service.name)", "max"]);
    let found = ask(&snapshot, &Aggregate { limit: 2, query: "attr.n>0".to_owned(), ..both });
    assert_eq!(lines(&found), ["0.5: 0.500 nothing 2", "4: 4.000 nothing 1"]);
    assert_eq!(found.stats.notes.len(), 1, "{:?}", found.stats.notes);
}

#[test]
fn numbers_are_found_wherever_they_lie() {
    let mut spans: Vec<Span> = (1..=2).map(|i| span(i, "api", NOON + i, i)).collect();
    spans[0].events = vec![event("a", with("size", Value::String("big".to_owned()))), event("b", with("size", Value::Int(3)))];
    spans[1].scope = std::sync::Arc::new(Scope { attributes: with("weight", Value::Double(1.5)), ..Scope::default() });
    spans[1].attributes = with("http.status_code", Value::Int(500));
    let measures = ["avg(event.size)", "max(scope.weight)", "sum(http.response.status_code)", "count(link.x)", "p99(resource.none)"];
    let found = ask(&in_memory(&spans), &of_spans(&[], &measures));
    assert_eq!(lines(&found), [": 3.000 1.500 500.000 0 nothing"]);
    assert!(found.stats.notes.is_empty(), "{:?}", found.stats.notes);
}

#[test]
fn the_same_sums_come_out_of_memory_and_of_segments_in_any_split() {
    for seed in 1..12 {
        let mut dice = Dice(seed * 15_485_863);
        let mut all: Vec<Span> = (0..200).map(|_| random_span(&mut dice)).collect();
        for span in &mut all {
            let number = if dice.roll(3) == 0 { Value::Int(1) } else { Value::Double((dice.roll(1 << 40) as f64 - 5e11) / 97.0) };
            span.attributes.extend(with("n", number));
            let name: &str = dice.pick::<&str>(&["a", "b"]);
            span.events = vec![event(name, with("n", Value::Int(dice.roll(9).cast_signed())))];
        }
        // A span that is stored twice is the same both times.
        all.sort_by_key(|span| (span.trace_id, span.span_id));
        all.dedup_by_key(|span| (span.trace_id, span.span_id));
        let ask_all = of_spans(&["event.n", "event"], &["count", "sum(attr.n)", "avg(attr.n)", "p95(attr.n)", "sum(event.n)"]);
        let whole = ask(&in_memory(&all), &ask_all).groups;
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = all.split_at(dice.count(200).min(all.len()));
        let segments = vec![vec![fixtures::spans(a)], vec![fixtures::spans(&all[..all.len() / 2])]];
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(b)], segments);
        assert_eq!(ask(&snapshot, &ask_all).groups, whole, "seed {seed}");
    }
}
