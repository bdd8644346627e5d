//! Calls whose callers began long before.

use super::*;

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
        !map.stats.complete && map.stats.notes[0].starts_with("65 calls are shown as by an unknown caller; of 64 of them"),
        "{:?}",
        map.stats.notes
    );
    let (map, _) = map_in(&late(64, 700, 1), TimeRange::ALL, UnixNanos::MAX);
    assert!(map.stats.complete);
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
