//! Calls whose callers began long before.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::super::answer::Edge;
use super::super::super::fixtures::Dice;
use super::places::{MINUTE, NOON, random_spans, random_window, segment_of};
use super::*;
use crate::files::Place;
use crate::segment::{self, Segment};
use crate::snapshot::TableSnapshot;

/// A caller at noon and `calls` calls of others that were kept in a queue for `seconds`, each in a trace of its own.
fn late(calls: u64, seconds: u64, parent: u64) -> Snapshot {
    let trace = |trace: u64| {
        let call = with(at(span(trace, 1, 0, "api", Client), 1_000 * S, 2_000 * S), &[("server.address", "jobs.local")]);
        let answer = failed(at(span(trace, 2, parent, "jobs", Server), 1_000 * S + seconds * S, S));
        [call, answer, at(span(trace, 3, 2, "jobs", Internal), 1_000 * S + seconds * S, S)]
    };
    let mut snapshot = Snapshot::default();
    // The pieces of a trace come one after the other.
    for piece in 0..3 {
        let spans: Vec<Span> = (1..=calls).map(|i| trace(i)[piece].clone()).collect();
        snapshot.spans.buffered.push(fixtures::spans(&spans));
    }
    snapshot
}

#[test]
fn a_call_is_joined_with_a_caller_that_began_long_before() {
    let all = |snapshot: &Snapshot| map_in(snapshot, TimeRange::ALL, UnixNanos::MAX).0;
    for (seconds, parent) in [(700, 1), (90_000, 1), (500, 1)] {
        let map = all(&late(3, seconds, parent));
        is(&written(&map), &[("api>jobs", 3, 3)]);
        assert!(map.stats.complete, "{:?}", map.stats.notes);
    }
    // A caller that was never received stays unknown.
    let map = all(&late(3, 700, 9));
    is(&written(&map), &[("api>jobs.local", 3, 0), ("unknown caller>jobs", 3, 3)]);
    assert!(map.stats.complete);
}

#[test]
fn a_call_from_long_before_counts_where_it_began() {
    let snapshot = late(3, 3_600, 1);
    let window = |from: u64, to: u64| TimeRange { from: UnixNanos::new(from * S), to: UnixNanos::new(to * S) };
    let (later, _) = map_in(&snapshot, window(4_000, 6_000), UnixNanos::MAX);
    assert_eq!(written(&later), []);
    assert_eq!(later.nodes.iter().map(|node| (node.name.as_str(), node.requests)).collect::<Vec<_>>(), [("jobs", 3)]);
    assert!(later.stats.complete);
    let (both, _) = map_in(&snapshot, window(900, 6_000), UnixNanos::MAX);
    is(&written(&both), &[("api>jobs", 3, 3)]);
}

#[test]
fn too_many_callers_from_long_before_are_said_to_be_there() {
    let (map, _) = map_in(&late(65, 700, 1), TimeRange::ALL, UnixNanos::MAX);
    assert!(
        !map.stats.complete
            && map.stats.notes[0].starts_with("65 calls are shown as by an unknown caller; 65 of them have a caller that is stored"),
        "{:?}",
        map.stats.notes
    );
    is(&written(&map), &[("api>jobs.local", 65, 0), ("unknown caller>jobs", 65, 65)]);
    let (map, _) = map_in(&late(64, 700, 1), TimeRange::ALL, UnixNanos::MAX);
    assert!(map.stats.complete);
}

/// Calls whose callers were never sent, as behind a gateway that sends nothing, as a batch.
fn behind_a_gateway(calls: u64) -> arrow::array::RecordBatch {
    let spans: Vec<Span> = (0..calls).map(|i| at(span(10_000 + i, 1, 2, "edge", Server), 1_000 * S + i * S, S)).collect();
    fixtures::spans(&spans)
}

#[test]
fn many_unknown_callers_hide_none_that_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    for calls in [1, 3, 70, 990] {
        let mut snapshot = late(5, 2_400, 1);
        snapshot.spans.buffered.push(behind_a_gateway(calls));
        let in_segments = snapshot.spans.buffered.iter().map(|batch| vec![batch.clone()]).collect();
        let in_segments = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), in_segments);
        for snapshot in [snapshot, in_segments] {
            let (map, _) = map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX);
            is(&written(&map), &[("api>jobs", 5, 5), ("unknown caller>edge", calls, 0)]);
            assert!(map.stats.complete, "{:?}", map.stats.notes);
        }
    }
}

#[test]
fn more_unknown_callers_than_are_looked_up_are_said_to_be_there() {
    let mut snapshot = late(5, 2_400, 1);
    snapshot.spans.buffered.push(behind_a_gateway(996));
    let (map, _) = map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX);
    is(&written(&map), &[("api>jobs.local", 5, 0), ("unknown caller>edge", 996, 0), ("unknown caller>jobs", 5, 5)]);
    let notes = &map.stats.notes;
    assert!(
        !map.stats.complete && notes[0].starts_with("1001 calls are shown as by an unknown caller; they are too many to look up"),
        "{notes:?}"
    );
}

#[test]
fn a_caller_of_other_ten_minutes_is_found_in_the_rows_beside_its_call() {
    let folder = tempfile::tempdir().unwrap();
    // Alone in a segment, an index takes both for one run of rows.
    let spans = [at(span(1, 1, 0, "api", Client), NOON, S), at(span(1, 2, 1, "jobs", Server), NOON + 11 * MINUTE, S)];
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = segment_of(folder.path(), 1, &spans);
    snapshot.spans.buffered.push(behind_a_gateway(9));
    for range in [TimeRange::ALL, TimeRange { from: UnixNanos::new(S), to: UnixNanos::new(NOON + 12 * MINUTE) }] {
        let (map, _) = map_in(&snapshot, range, UnixNanos::MAX);
        is(&written(&map), &[("api>jobs", 1, 0), ("unknown caller>edge", 9, 0)]);
    }
}

#[test]
fn only_calls_by_somebody_unknown_are_joined_wherever_spans_lie() {
    let folder = tempfile::tempdir().unwrap();
    let begin = NOON;
    for kind in [SpanKind::Unspecified, Internal, Server, Client, Consumer] {
        let of_trace = |trace| {
            let root = at(span(trace, 1, 0, "gw", Server), begin, S);
            let client = at(span(trace, 2, 1, "gw", Client), begin + 10, S);
            let job = at(span(trace, 4, 1, "orders", kind), begin + 40 * MINUTE, S);
            ([root, client, job], at(span(trace, 3, 2, "users", Server), begin + 1_000, S))
        };
        let (first, second): (Vec<_>, Vec<_>) = (1..=5).map(of_trace).unzip();
        let mut first = first.concat();
        // Another trace that is counted again.
        first.extend([at(span(99, 1, 0, "tax", Client), begin, S), at(span(99, 2, 1, "geo", Server), begin + 70 * MINUTE, S)]);
        let orders = (kind == Server).then_some(("gw>orders", 5, 0));
        let expected: Vec<_> = orders.into_iter().chain([("gw>users", 5, 0), ("tax>geo", 1, 0), ("user>gw", 5, 0)]).collect();
        for snapshot in layouts(folder.path(), &mut Dice(7), &[first, second].concat()) {
            let (map, _) = map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX);
            is(&written(&map), &expected);
        }
    }
}

fn split(dice: &mut Dice, spans: &[Span], places: u64) -> Vec<Vec<Span>> {
    let mut held = vec![Vec::new(); usize::try_from(places).unwrap()];
    spans.iter().for_each(|span| held[dice.count(places)].push(span.clone()));
    held.retain(|spans| !spans.is_empty());
    held
}

/// The same spans in other places: in memory as one batch or several, in a segment, in several, in memory too, and stacked.
fn layouts(folder: &Path, dice: &mut Dice, spans: &[Span]) -> Vec<Snapshot> {
    let snapshot = |buffered, mut segments: Vec<Arc<Segment>>| {
        segments.sort_by_key(|segment| (Reverse(segment.meta().max_time), Reverse(segment.meta().id)));
        Snapshot { spans: TableSnapshot { buffered, segments, ..TableSnapshot::default() }, ..Snapshot::default() }
    };
    let batches = |parts: &[Vec<Span>]| parts.iter().map(|spans| fixtures::spans(spans)).collect::<Vec<_>>();
    let segments = |level: u8, parts: &[Vec<Span>]| parts.iter().flat_map(|spans| segment_of(folder, level, spans)).collect::<Vec<_>>();
    let (few, many) = (split(dice, spans, 2), split(dice, spans, 5));
    let mut stacked = segments(1, &few);
    let place = Place::real(folder);
    if let Some(meta) = segment::stack(&stacked, &place, &place, &AtomicBool::new(false)).unwrap() {
        stacked = vec![Arc::new(Segment::open(&place, meta).unwrap())];
    }
    vec![
        snapshot(batches(&[spans.to_vec()]), Vec::new()),
        snapshot(batches(&many), Vec::new()),
        snapshot(Vec::new(), segments(0, &many)),
        snapshot(batches(&many[..1]), segments(0, &many[1..])),
        snapshot(batches(&few[..1]), segments(1, &few[1..])),
        snapshot(Vec::new(), segments(1, &[spans.to_vec()])),
        snapshot(Vec::new(), stacked),
    ]
}

/// Without examples, which are some of many, and what was read.
fn plain(made: Made) -> impl PartialEq + std::fmt::Debug {
    let bare = |map: ServiceMap| {
        let edges = |edges: Vec<Edge>| edges.into_iter().map(|edge| Edge { examples: Vec::new(), ..edge }).collect::<Vec<_>>();
        (map.nodes, edges(map.edges), edges(map.relays), map.stats.complete, map.stats.notes)
    };
    (bare(made.map), made.parts.into_iter().map(bare).collect::<Vec<_>>(), made.open)
}

#[test]
fn where_spans_lie_changes_no_call_from_long_before() {
    let mut joined = 0;
    for seed in 1..25 {
        let mut dice = Dice(seed * 6_007);
        let folder = tempfile::tempdir().unwrap();
        let mut spans = random_spans(&mut dice);
        for span in &mut spans {
            let late = if dice.roll(4) == 0 { dice.roll(60) * MINUTE } else { 0 };
            (span.start, span.end) = (span.start.plus(late), span.end.plus(late));
        }
        let snapshots = layouts(folder.path(), &mut dice, &spans);
        for _ in 0..4 {
            let window = random_window(&mut dice);
            let made =
                |snapshot| service_map(snapshot, (window.range, window.parts), window.now, &CallRolls::default(), &control()).unwrap();
            let near = of_rows(&snapshots[0], window, &control()).unwrap().0.finish();
            let first = made(&snapshots[0]);
            let calls = |edges: &[Edge]| edges.iter().map(|edge| (edge.from.clone(), edge.to.clone(), edge.calls)).collect::<Vec<_>>();
            joined += usize::from(calls(&first.map.edges) != calls(&near.edges));
            let first = plain(first);
            for (i, snapshot) in snapshots.iter().enumerate().skip(1) {
                assert_eq!(plain(made(snapshot)), first, "seed {seed}, place {i}, {window:?}");
            }
        }
    }
    assert!(joined > 20, "{joined}");
}

#[test]
fn joined_or_not_places_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let batches = late(40, 4_000, 1).spans.buffered;
    let in_memory = written(&map_in(&late(40, 4_000, 1), TimeRange::ALL, UnixNanos::MAX).0);
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), batches.into_iter().map(|batch| vec![batch]).collect());
    assert_eq!(written(&map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX).0), in_memory);
    is(&in_memory, &[("api>jobs", 40, 40)]);
}
