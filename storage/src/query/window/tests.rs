use std::time::Duration;

use super::super::engine::Engine;
use super::super::fixtures;
use super::*;
use crate::config::Config;
use crate::metrics::Registry;
use crate::model::{Span, SpanKind, Status};

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn served(id: u64, service: &str, name: &str, start: u64, duration: u64) -> Span {
    let mut span = fixtures::span(id, id, 0, service, name, start, duration);
    span.kind = SpanKind::Server;
    span
}

const ALL: TimeRange = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(10_000) };

#[test]
fn requests_are_counted_once_with_exact_counts_and_near_percentiles() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans: Vec<Span> =
        (1..=1_000).map(|i| served(i, "api", if i % 2 == 0 { "a" } else { "b" }, i * 10 - 1, i * 1_000_000)).collect();
    spans.iter_mut().step_by(10).for_each(|span| span.status = Status { code: StatusCode::Error, message: String::new() });
    let batch = fixtures::spans(&spans);
    // Everything three times: in two segments and in memory.
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![batch.clone()], vec![vec![batch.clone()], vec![batch]]);
    let found = services(&snapshot, ALL, 2, &Rolls::default(), &control()).unwrap().0;
    let [api] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((api.span_count, api.requests, api.errors, api.last_seen.get()), (1_000, 1_000, 100, 9_999));
    for (found, exact) in [(api.p50, 500e6), (api.p95, 950e6), (api.p99, 990e6)] {
        assert!((found as f64 / exact - 1.0).abs() < 0.02, "{found}");
    }
    assert_eq!(api.points.iter().map(|p| (p.requests, p.errors)).collect::<Vec<_>>(), [(500, 50), (500, 50)]);
    let found = operations(&snapshot, "api", ALL, &Rolls::default(), &control()).unwrap().0;
    assert_eq!(
        found.iter().map(|o| (o.name.as_str(), o.kind, o.count, o.errors)).collect::<Vec<_>>(),
        [("a", "server", 500, 0), ("b", "server", 500, 100)]
    );
    assert_eq!(found[0].total, (1..=500).map(|i| i * 2_000_000).sum::<u64>());
    assert_eq!(service_names(&snapshot), ["api"]);
}

#[test]
fn a_service_that_serves_nobody_is_counted_by_the_spans_that_others_caused() {
    let folder = tempfile::tempdir().unwrap();
    let spans = [
        fixtures::span(1, 1, 0, "job", "run", 10, 100),
        fixtures::span(1, 2, 1, "job", "step", 20, 10),
        fixtures::span(1, 3, 99, "job", "unknown", 30, 10),
        Span { flags: 0x300, ..fixtures::span(1, 4, 99, "job", "called", 30, 10) },
    ];
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&spans)], Vec::new());
    let found = services(&snapshot, ALL, 0, &Rolls::default(), &control()).unwrap().0;
    assert_eq!((found[0].span_count, found[0].requests), (4, 2));
    assert!(found[0].points.is_empty());
}

#[test]
fn logs_alone_make_a_service_and_spans_out_of_the_window_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut snapshot =
        fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&[served(1, "old", "x", 20_000, 1)])], Vec::new());
    snapshot.logs.buffered.push(fixtures::logs(&[fixtures::log(1, "quiet", "x", 50), fixtures::log(2, "quiet", "x", 60)]));
    let found = services(&snapshot, ALL, 1, &Rolls::default(), &control()).unwrap().0;
    assert_eq!(found.iter().map(|s| (s.name.as_str(), s.log_count, s.last_seen.get())).collect::<Vec<_>>(), [("quiet", 2, 60)]);
    assert_eq!(service_names(&snapshot), ["old", "quiet"]);
    assert!(services(&snapshot, ALL, 1_000_000, &Rolls::default(), &control()).is_err());
}

#[test]
fn kept_answers_are_bounded_and_belong_to_one_state() {
    let cache = Cache::default();
    for version in 0..100 {
        cache.keep(Key::Map(version, ALL, None), Answer::Operations(std::sync::Arc::default()));
    }
    assert!(cache.find(&Key::Map(0, ALL, None)).is_none());
    assert!(cache.find(&Key::Map(99, ALL, None)).is_some());
    assert!(cache.find(&Key::Map(100, ALL, None)).is_none());
}

#[test]
fn what_cannot_be_read_is_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut snapshot =
        fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&[served(1, "api", "x", 20, 1)])], Vec::new());
    snapshot.logs.unreadable.push("segment X cannot be opened".to_owned());
    let (found, stats) = services(&snapshot, ALL, 0, &Rolls::default(), &control()).unwrap();
    assert_eq!((found.len(), stats.complete, stats.notes.as_slice()), (1, false, ["segment X cannot be opened".to_owned()].as_slice()));
}

#[tokio::test]
async fn a_map_with_calls_that_wait_is_kept_until_they_have_waited_longer() {
    const SECOND: u64 = 1_000_000_000;
    let start = 1_700_000_000 * SECOND;
    let mut orphan = fixtures::span(1, 2, 9, "cart", "get", start, 5);
    orphan.kind = SpanKind::Server;
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = vec![fixtures::spans(&[orphan])];
    let snapshot = std::sync::Arc::new(snapshot);
    let engine = Engine::new(&Config::new("x".into()), &Registry::default());
    // The same state of the store as far as it says, with a row more: who reads it reads two.
    let mut more = Snapshot::clone(&snapshot);
    more.spans.buffered.extend(snapshot.spans.buffered.clone());
    let more = std::sync::Arc::new(more);
    let ask = async |snapshot: &std::sync::Arc<Snapshot>, seconds| {
        let map = engine.service_map(snapshot.clone(), TimeRange::ALL, UnixNanos::new(start + seconds * SECOND)).await.unwrap();
        (map.edges.len(), map.stats.rows_scanned)
    };
    // The row for the map, again to see what it names as its caller, and again to find that.
    assert_eq!(ask(&snapshot, 1).await, (0, 3));
    assert_eq!(ask(&more, 2).await, (0, 3), "nothing was read again, and the answer is the same");
    assert_eq!(ask(&snapshot, 60).await, (1, 3));
    assert_eq!(ask(&more, 600).await, (1, 3));
}
