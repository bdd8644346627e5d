//! Spans that come again with other content, in any places: every question is answered from what came last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::engine::Engine;
use super::super::fixtures::{self, Dice};
use super::super::question::{SqlQuery, TraceOrder, TraceSearch};
use super::super::rolled::Rolls;
use super::super::sheet::Sheets;
use super::super::{Aggregate, ExportPart, aggregate, export, facets, grid, open_trace, search_traces, trace, trace_spans};
use super::*;
use crate::config::Config;
use crate::metrics::Registry;
use crate::model::{Span, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::rollup::MINUTE;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod changing;

const NOON: u64 = 1_700_000_000_000_000_000 / MINUTE * MINUTE;
const TRACES: u64 = 12;

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn window() -> TimeRange {
    TimeRange { from: UnixNanos::new(NOON - MINUTE), to: UnixNanos::new(NOON + 60 * MINUTE) }
}

/// The same span each time, with what only this version says.
fn version(dice: &mut Dice, id: u64, version: u64) -> Span {
    let start = NOON + id % 7 * MINUTE + id;
    let mut span = fixtures::span(id % TRACES, id, 0, "api", "", start, 1 + dice.roll(1 << 30));
    span.name = format!("v{}", version % 4);
    span.attributes = vec![fixtures::text("ver", &format!("v{}", version % 4))];
    span.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Error]);
    span
}

/// Spans in segments and batches, in the order of arrival, and what of them came last.
fn random(folder: &std::path::Path, dice: &mut Dice) -> (Arc<Snapshot>, Vec<Span>) {
    let (mut last, mut count) = (BTreeMap::new(), 0);
    let mut place = |dice: &mut Dice, most: u64| {
        let spans = (0..1 + dice.roll(most)).map(|_| {
            count += 1;
            let id = 1 + dice.roll(60);
            let span = version(dice, id, count);
            last.insert(span.span_id, span.clone());
            span
        });
        fixtures::spans(&spans.collect::<Vec<_>>())
    };
    let segments = (0..dice.roll(4)).map(|_| vec![place(dice, 40)]).collect();
    let batches = (0..dice.roll(4)).map(|_| place(dice, 25)).collect();
    (Arc::new(fixtures::snapshot(folder, Signal::Traces, batches, segments)), last.into_values().collect())
}

/// Values with how many there are, the most frequent first.
fn counts<'a>(values: impl Iterator<Item = &'a str>) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value.to_owned()).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn matching<'a>(last: &'a [Span], query: &str) -> Vec<&'a Span> {
    let holds = |span: &&Span| match query {
        "attr.ver:v1" => span.name == "v1",
        "status:error" => span.is_error(),
        "duration<500ms" => span.duration() < 500_000_000,
        _ => true,
    };
    last.iter().filter(holds).collect()
}

fn of_counts(snapshot: &Snapshot, query: &str, found: &[&Span]) {
    let expected = counts(found.iter().map(|span| span.name.as_str()));
    for field in ["attr.ver", "name"] {
        for rolls in [Rolls::default(), Rolls::unusable()] {
            let facets = facets(snapshot, Signal::Traces, query, TimeRange::ALL, (field, 100), &rolls, &control()).unwrap();
            assert_eq!((&facets.values, facets.rows, facets.stats.complete), (&expected, found.len() as u64, true), "{query} {field}");
            let ask = Aggregate {
                signal: Signal::Traces,
                query: query.to_owned(),
                range: window(),
                group_by: vec![field.to_owned()],
                measures: vec!["count".parse().unwrap(), "max".parse().unwrap()],
                step: None,
                limit: 100,
            };
            let groups = aggregate(snapshot, &ask, &rolls, &control()).unwrap().groups;
            let counted: Vec<_> = groups.iter().map(|group| group.values[0].clone().unwrap()).collect();
            assert_eq!(counted, expected.iter().map(|(value, _)| value.clone()).collect::<Vec<_>>(), "{query} {field}");
            let rows: Vec<_> = groups.iter().map(|group| format!("{:?}", group.parts[0][0])).collect();
            assert_eq!(rows, expected.iter().map(|(_, rows)| format!("Count({rows})")).collect::<Vec<_>>(), "{query} {field}");
        }
    }
    let grid = grid(snapshot, query, window(), 10, &control()).unwrap();
    let errors = found.iter().filter(|span| span.is_error()).count() as u64;
    let sums = grid.cells.iter().fold((0, 0), |sums, cell| (sums.0 + cell.count, sums.1 + cell.errors));
    assert_eq!(sums, (found.len() as u64, errors), "{query}");
}

fn of_rows(snapshot: &Snapshot, query: &str, found: &[&Span]) {
    let mut exported = BTreeMap::new();
    export(snapshot, (Signal::Traces, query, TimeRange::ALL), &control(), &mut |part| {
        let ExportPart::Spans(spans) = part else { panic!("spans were asked for") };
        exported.extend(spans.into_iter().map(|span| (span.span_id, (span.name.clone(), span.duration()))));
        Ok(())
    })
    .unwrap();
    let expected = found.iter().map(|span| (span.span_id, (span.name.clone(), span.duration()))).collect();
    assert_eq!(exported, expected, "{query}");
    let mut by_trace: BTreeMap<TraceId, usize> = BTreeMap::new();
    found.iter().for_each(|span| *by_trace.entry(span.trace_id).or_default() += 1);
    for order in [TraceOrder::Newest, TraceOrder::Oldest, TraceOrder::Slowest, TraceOrder::MostSpans] {
        let search = TraceSearch { query: query.to_owned(), range: TimeRange::ALL, order, limit: 100, cursor: None };
        let page = search_traces(snapshot, &search, &control()).unwrap();
        let matched: BTreeMap<TraceId, usize> = page.traces.iter().map(|trace| (trace.trace_id, trace.matched)).collect();
        assert_eq!(matched, by_trace, "{query} {order:?}");
    }
}

fn of_traces(snapshot: &Arc<Snapshot>, last: &[Span]) {
    for number in 0..TRACES {
        let id = fixtures::trace_id(number);
        let expected: BTreeSet<_> = last.iter().filter(|span| span.trace_id == id).map(|span| (span.span_id, span.name.clone())).collect();
        let whole = trace(snapshot, id, &control()).unwrap();
        let found: BTreeSet<_> = whole.iter().flat_map(|trace| &trace.spans).map(|span| (span.span_id, span.name.clone())).collect();
        assert_eq!(found, expected);
        let Some(open) = open_trace(snapshot.clone(), id, &Sheets::default(), &control()).unwrap() else { continue };
        let places: Vec<usize> = (0..open.sheet().spans.len()).collect();
        let spans = trace_spans(&open, &places, &control()).unwrap();
        assert_eq!(spans.values().map(|span| (span.span_id, span.name.clone())).collect::<BTreeSet<_>>(), expected);
        let errors = open.sheet().spans.iter().filter(|span| span.status == StatusCode::Error).count();
        assert_eq!(errors, last.iter().filter(|span| span.trace_id == id && span.is_error()).count());
    }
}

async fn of_sql(snapshot: &Arc<Snapshot>, folder: &std::path::Path, last: &[Span]) {
    let engine = Engine::new(&Config::new(folder.to_owned()), &Registry::default());
    let sql = "SELECT name, count(*) AS n, max(duration) AS d FROM spans GROUP BY name ORDER BY n DESC, name".to_owned();
    let query = SqlQuery { sql, max_rows: 10, timeout: Duration::from_secs(60) };
    let answer = engine.sql(snapshot.clone(), query).await.unwrap();
    let found: Vec<_> = answer.rows.iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap())).collect();
    assert_eq!(found, counts(last.iter().map(|span| span.name.as_str())));
    for row in &answer.rows {
        let longest = last.iter().filter(|span| row["name"] == span.name).map(Span::duration).max();
        assert_eq!(row["d"].as_u64(), longest);
    }
}

#[tokio::test]
async fn every_answer_is_of_the_version_that_came_last() {
    for seed in 1..40 {
        let mut dice = Dice(seed * 15_485_863);
        let folder = tempfile::tempdir().unwrap();
        let (snapshot, last) = random(folder.path(), &mut dice);
        for query in ["", "attr.ver:v1", "status:error", "duration<500ms"] {
            let found = matching(&last, query);
            of_counts(&snapshot, query, &found);
            of_rows(&snapshot, query, &found);
        }
        of_traces(&snapshot, &last);
        of_sql(&snapshot, folder.path(), &last).await;
    }
}

#[test]
fn places_are_compared_once_and_again_with_what_is_new_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(5);
    let mut spans = |ids: std::ops::Range<u64>| fixtures::spans(&ids.map(|id| version(&mut dice, id, id)).collect::<Vec<_>>());
    let segments = vec![vec![spans(1..40)], vec![spans(30..50)]];
    let mut snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![spans(48..60), spans(1..3)], segments);
    let ids: Vec<Ulid> = snapshot.spans.by_arrival().iter().map(|segment| segment.meta().id).collect();
    let counts = |snapshot: &Snapshot| {
        let arrivals = snapshot.versions.of(&snapshot.spans);
        let older = ids.iter().map(|id| arrivals.older_in(*id, &control()).unwrap().0);
        older.map(|rows| rows.iter().map(ExactSizeIterator::len).sum::<usize>()).collect::<Vec<_>>()
    };
    assert_eq!(counts(&snapshot), [10 + 2, 2]);
    assert_eq!(snapshot.versions.state.lock().numbers, 4, "each place is known once");
    // Segments that cannot be read any more need not be: nothing that is known is found out again.
    for id in &ids {
        std::fs::write(folder.path().join(format!("{id}.parquet")), "").unwrap();
    }
    assert_eq!(counts(&snapshot), [10 + 2, 2]);
    snapshot.spans.buffered.push(spans(100..110));
    assert_eq!(counts(&snapshot), [10 + 2, 2], "a batch without traces of a segment");
    snapshot.spans.buffered.clear();
    assert_eq!(counts(&snapshot), [10, 0]);
    assert_eq!(snapshot.versions.state.lock().numbers, 5);
}

#[test]
fn what_segments_share_is_bounded_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(9);
    let mut spans = || vec![fixtures::spans(&(1..20).map(|id| version(&mut dice, id, id)).collect::<Vec<_>>())];
    let segments = (0..4).map(|_| spans()).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), segments);
    let (versions, arrivals) = (&snapshot.versions, snapshot.versions.of(&snapshot.spans));
    let ask = || {
        let older = (0..4).map(|at| arrivals.older(Place::Segment(at), &control()).unwrap().0);
        older.map(|rows| rows.iter().map(ExactSizeIterator::len).sum::<usize>()).sum::<usize>()
    };
    assert_eq!(ask(), 3 * 19);
    let all = versions.shares.load(Ordering::Relaxed);
    assert!(all > 0);
    versions.let_go(all / 2);
    assert!(versions.shares.load(Ordering::Relaxed) <= all / 2);
    assert_eq!((ask(), versions.shares.load(Ordering::Relaxed)), (3 * 19, all));
}

#[test]
fn a_version_that_was_let_go_does_not_hide_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    let spans = |dice: &mut Dice| fixtures::spans(&(1..20).map(|id| version(dice, id, id)).collect::<Vec<_>>());
    let (old, new) = (spans(&mut dice), spans(&mut dice));
    let mut snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![old], vec![new]]);
    let ids: Vec<Ulid> = snapshot.spans.by_arrival().iter().map(|segment| segment.meta().id).collect();
    let hidden = |snapshot: &Snapshot| {
        let found = snapshot.versions.of(&snapshot.spans).older_in(ids[0], &control()).unwrap().0;
        found.iter().map(ExactSizeIterator::len).sum::<usize>()
    };
    assert_eq!(hidden(&snapshot), 19);
    let place = crate::files::Place::real(folder.path());
    for segment in &mut snapshot.spans.segments {
        if segment.meta().id == ids[1] {
            *segment = Arc::new(Segment::open(&place, segment.meta().clone()).unwrap().hiding(std::iter::once(3..8).collect()));
        }
    }
    assert_eq!(hidden(&snapshot), 14);
    let all = facets(&snapshot, Signal::Traces, "", TimeRange::ALL, ("span", 100), &Rolls::default(), &control()).unwrap();
    assert_eq!((all.rows, all.values.len()), (19, 19));
}
