use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::*;
use crate::model::UnixNanos;

fn exported(snapshot: &Snapshot, signal: Signal, query: &str, range: TimeRange) -> Vec<ExportPart> {
    let control = Control::new(Duration::from_secs(60));
    let mut parts = Vec::new();
    let mut keep = |part| {
        parts.push(part);
        Ok(())
    };
    export(snapshot, (signal, query, range), &control, &mut keep).unwrap();
    parts
}

#[test]
fn every_span_of_the_window_comes_once_wherever_and_however_often_it_is_stored() {
    let mut dice = Dice(11);
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=3_000)
        .map(|id| fixtures::span(dice.roll(200), id, 0, ["api", "cart"][dice.count(2)], "work", 1_000 + dice.roll(5_000), 10))
        .collect();
    let (old, new) = spans.split_at(1_700);
    let again = &old[1_000..];
    let segments = vec![vec![fixtures::spans(old)], vec![fixtures::spans(again)]];
    let buffered = new.chunks(90).chain([&new[..50]]).map(fixtures::spans).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, buffered, segments);
    let range = TimeRange { from: UnixNanos::new(1_500), to: UnixNanos::new(5_000) };
    let parts = exported(&snapshot, Signal::Traces, "service:api", range);
    assert!(parts.iter().all(|part| matches!(part, ExportPart::Spans(spans) if spans.len() <= PART_ROWS)));
    let mut found: Vec<Span> =
        parts.into_iter().flat_map(|part| if let ExportPart::Spans(spans) = part { spans } else { Vec::new() }).collect();
    found.sort_by_key(|span| span.span_id);
    let mut expected: Vec<Span> = spans.iter().filter(|s| s.service_name() == "api" && range.contains(s.start)).cloned().collect();
    expected.sort_by_key(|span| span.span_id);
    assert!(expected.len() > 500);
    assert_eq!(found, expected);
}

#[test]
fn parts_of_large_records_are_small_in_number_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let large = "x".repeat(PART_BYTES / 3);
    let records: Vec<LogRecord> = (1..=20).map(|id| fixtures::log(id, "api", &format!("{large}{id}"), 1_000 + id)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Logs, vec![fixtures::logs(&records)], Vec::new());
    let parts = exported(&snapshot, Signal::Logs, "", TimeRange::ALL);
    let mut found = BTreeMap::new();
    for part in parts {
        let ExportPart::Logs(logs) = part else { panic!() };
        assert!(logs.len() <= 3, "{}", logs.len());
        found.extend(logs.into_iter().map(|log| (log.record_id, log)));
    }
    assert!(found.into_values().eq(records));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<LogRecord> = (1..=5_000).map(|id| fixtures::log(id, "api", "words", id)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Logs, vec![fixtures::logs(&records)], Vec::new());
    let mut taken = 0;
    let mut refuse = |_| {
        taken += 1;
        if taken < 2 { Ok(()) } else { Err(QueryError::Busy) }
    };
    let ended = export(&snapshot, (Signal::Logs, "", TimeRange::ALL), &Control::new(Duration::from_secs(60)), &mut refuse);
    assert!(matches!(ended, Err(QueryError::Busy)));
    assert_eq!(taken, 2);
}
