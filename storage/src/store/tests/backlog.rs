//! Unmerged segments have a bound, and what happens at it.

use std::time::Instant;

use super::*;
use crate::budget::log_share;
use crate::files::Place;
use crate::store::merge::Merger;
use crate::store::open::{Hands, prepare};

/// A store that merges only when it is told to, and writes each request to a segment of its own.
fn without_merging(dir: &Path) -> (Store, Merger) {
    opened(dir, Config { buffer_bytes: 1, max_buffer_bytes: 64 << 20, ..config(dir) })
}

fn opened(dir: &Path, config: Config) -> (Store, Merger) {
    let (inner, Hands { log, merger }) =
        prepare(&Place::real(dir), config.log_file_bytes(), config, Clock::held_at(NOW), Registry::default()).unwrap();
    inner.wal.start(log).unwrap();
    (Store { inner: Arc::new(inner) }, merger)
}

async fn write_segments(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        append(store, Signal::Logs, logs(number, 1)).await;
    }
    store.flush().await.unwrap();
}

fn unmerged(store: &Store) -> usize {
    store.status().signals[1].level0_segments
}

#[tokio::test(flavor = "multi_thread")]
async fn unmerged_segments_slow_requests_down_then_refuse_them_until_they_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut merger) = without_merging(dir.path());
    write_segments(&store, 0..64).await;
    assert_eq!(unmerged(&store), 64);
    // None is held up: they are only written when all have come.
    write_segments(&store, 64..128).await;
    assert_eq!(unmerged(&store), 128);

    let begun = Instant::now();
    let error = store.append(Signal::Logs, logs(128, 1)).await.unwrap_err();
    let AppendError::Busy { reason, retry_after } = &error else { panic!("{error}") };
    assert_eq!(reason, "128 segments of logs wait to be merged");
    assert_eq!(store.status().write_refusal.as_deref(), Some(reason.as_str()), "it is not ready");
    assert!(*retry_after > Duration::ZERO && begun.elapsed() >= Duration::from_secs(4), "{retry_after:?} after {:?}", begun.elapsed());

    // Everything else goes on: the other signal, what was there, and its questions.
    append(&store, Signal::Traces, spans(0, 4)).await;
    assert_eq!(store.facets(Signal::Logs, "", TimeRange::ALL, "severity", 10).await.unwrap().rows, 128);
    assert_eq!(contents(&store), [once(0..4), once(0..128)]);

    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.append(Signal::Logs, logs(128, 1)).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished(), "it waits for fewer");
    let merge = move || {
        assert_eq!(merger.run(), Some(true));
        merger
    };
    let mut merger = tokio::task::spawn_blocking(merge).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().accepted, 1);
    let left = unmerged(&store);
    assert!((65..128).contains(&left), "{left}");

    let slow = Instant::now();
    append(&store, Signal::Logs, logs(129, 1)).await;
    assert!(slow.elapsed() >= Duration::from_millis(250), "it takes a moment longer: {:?}", slow.elapsed());
    tokio::task::spawn_blocking(move || while merger.run() == Some(true) {}).await.unwrap();
    assert!(unmerged(&store) <= 64);
    assert_eq!(store.status().write_refusal, None);
    write_segments(&store, 130..140).await;
    assert_eq!(contents(&store), [once(0..4), once(0..140)]);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_budget_that_is_nearly_full_lets_merging_go_on_in_smaller_steps() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = without_merging(dir.path());
    write_segments(&store, 0..80).await;
    let (listed, _) = store.inner.tables.disk_bytes();
    store.close().await.unwrap();
    drop(store);

    // Room for three of 80 segments and a half as much again; a merge takes sixteen.
    let config = Config { buffer_bytes: 1, max_buffer_bytes: 64 << 20, ..config(dir.path()) };
    let most = log_share(&config) + listed + listed / 16;
    let (store, mut merger) = opened(dir.path(), Config { max_disk_bytes: Some(most), ..config });
    assert_eq!(unmerged(&store), 80);
    tokio::task::spawn_blocking(move || while merger.run() == Some(true) {}).await.unwrap();
    assert!(unmerged(&store) <= 16, "{}", unmerged(&store));
    assert_eq!(contents(&store), [once(0..0), once(0..80)], "nothing had to go");
    store.close().await.unwrap();
}
