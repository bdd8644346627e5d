//! Merges and stacks.

use super::*;

/// Five flushes of ten spans and ten log records each.
#[tokio::test]
async fn a_crash_between_any_two_steps_of_a_merge_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    five_flushes(&store).await;
    assert_eq!(store.status().signals[0].level0_segments, 5);
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (seen, root) = (copies.clone(), dir.path().to_owned());
    store.inner.keeper.watch_steps(move |step| seen.lock().push((step, crash(&root))));
    let before = store.inner.snapshot.load_full();
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, merged).await;
    assert_eq!(contents(&store), [once(0..50), once(0..50)]);
    let read: usize =
        before.spans.segments.iter().map(|s| s.read(&[column::NAME], None).unwrap().map(|b| b.unwrap().num_rows()).sum::<usize>()).sum();
    assert_eq!(read, 50, "a query that runs keeps what it reads");
    let copies = std::mem::take(&mut *copies.lock());
    assert!(copies.iter().any(|(step, _)| *step == "outputs renamed") && copies.iter().any(|(step, _)| *step == "inputs replaced"));
    for (step, copy) in &copies {
        let crashed = open(copy.path()).await;
        assert_eq!(contents(&crashed), [once(0..50), once(0..50)], "crash after: {step}");
        crashed.close().await.unwrap();
        assert!(check(copy.path(), &mut |_| ()).unwrap().is_ok());
        let files =
            fs::read_dir(copy.path().join("seg/logs")).unwrap().count() + fs::read_dir(copy.path().join("seg/traces")).unwrap().count();
        assert_eq!(files, 2 * crashed.inner.keeper.listed().len(), "left-over files are gone after: {step}");
    }
    drop(before);
    let files = || fs::read_dir(dir.path().join("seg/logs")).unwrap().count();
    wait_until(&store, |status| files() == 2 * status.signals[1].level1_segments).await;
}

#[tokio::test]
async fn rows_go_through_log_flush_merge_and_stack_and_are_written_four_times() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::default();
    let store = Store::open(config(dir.path()), Clock::held_at(NOW), registry.clone()).await.unwrap();
    let value = |name: &str, label: &str| {
        let found = registry.values().into_iter().filter(|(of, labels, _)| *of == name && labels.contains(label));
        found.map(|(_, _, value)| value).collect::<Vec<_>>()
    };
    for round in 0..10 {
        append(&store, Signal::Traces, spans(round * 10, 10)).await;
        append(&store, Signal::Logs, logs(round * 10, 10)).await;
        if round == 0 {
            assert_eq!(value("throughline_writes_per_100_rows", ""), [100, 100]);
        }
        store.flush().await.unwrap();
        if round >= 4 {
            store.inner.clock.set(AFTER_THE_BUCKET);
            wait_until(&store, merged).await;
        }
    }
    assert!(store.status().signals.iter().all(|signal| signal.level1_segments > 1));
    assert_eq!(value("throughline_writes_per_100_rows", ""), [300, 300]);
    store.inner.clock.set(NOW.plus(25 * 3_600_000_000_000));
    wait_until(&store, |status| status.signals.iter().all(|signal| (signal.level1_segments, signal.level2_segments) == (0, 1))).await;
    assert_eq!(contents(&store), [once(0..100), once(0..100)]);
    assert_eq!(value("throughline_writes_per_100_rows", ""), [400, 400]);
    for stage in ["flush", "merge", "stack"] {
        assert_eq!(value("throughline_written_rows_total", stage), [100, 100], "{stage}");
    }
    assert_eq!(value("throughline_segments", "level=\"2\""), [1, 1]);
    // What a delete leaves of a segment is written once more.
    let range = TimeRange { from: NOW, to: NOW.plus(1) };
    let what = crate::deletion::DeleteWhat::Matching { signal: Signal::Logs, query: String::new(), range };
    let receipt = store.delete(what).await.unwrap();
    wait_until(&store, |_| store.deletion(&receipt.id).unwrap().done.is_some()).await;
    assert_eq!(value("throughline_writes_per_100_rows", ""), [400, 499]);
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
    let registry = Registry::default();
    let store = Store::open(config(dir.path()), Clock::held_at(NOW), registry.clone()).await.unwrap();
    assert_eq!(contents(&store), [once(0..100), once(1..100)]);
    let writes = |registry: &Registry| {
        let values = registry.values().into_iter();
        values.filter(|(name, _, _)| *name == "throughline_writes_per_100_rows").map(|(_, _, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(writes(&registry), [400, 499], "what was written before a start is known after it");
    // Twice of each hundred more, so far: to the log, and by a flush.
    append(&store, Signal::Traces, spans(100, 100)).await;
    store.flush().await.unwrap();
    assert_eq!(writes(&registry), [300, 499]);
}

#[tokio::test]
async fn a_flush_of_many_rows_is_a_run_that_is_stacked_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::default();
    let config = Config { run_rows: 10, ..config(dir.path()) };
    let store = Store::open(config, Clock::held_at(NOW), registry.clone()).await.unwrap();
    five_flushes(&store).await;
    let levels = |status: &StoreStatus| {
        status.signals.clone().map(|signal| [signal.level0_segments, signal.level1_segments, signal.level2_segments])
    };
    assert_eq!(levels(&store.status()), [[0, 5, 0], [0, 5, 0]]);
    // The text of logs is indexed when there is time.
    wait_until(&store, |_| store.inner.meters.reindexed.get() == 5).await;
    assert!(!store.inner.snapshot.load().logs.segments.iter().any(|segment| segment.is_index_wanting()));
    store.inner.clock.set(NOW.plus(25 * 3_600_000_000_000));
    wait_until(&store, |status| levels(status) == [[0, 0, 1], [0, 0, 1]]).await;
    assert_eq!(contents(&store), [once(0..50), once(0..50)]);
    for signal in ["traces", "logs"] {
        let written = registry.values().into_iter().filter(|(name, _, _)| *name == "throughline_written_rows_total");
        let written: Vec<i64> = written.filter(|(_, labels, _)| labels.contains(signal)).map(|(_, _, value)| value).collect();
        assert_eq!(written, [50, 0, 50], "flushed, not merged, stacked");
    }
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
}

#[tokio::test]
async fn words_of_a_flush_that_is_merged_later_are_indexed_before_unless_it_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 2_000)).await;
    store.flush().await.unwrap();
    append(&store, Signal::Logs, logs(2_000, 20)).await;
    store.flush().await.unwrap();
    wait_until(&store, |_| store.inner.meters.reindexed.get() == 1).await;
    let snapshot = store.inner.snapshot.load();
    let mut segments: Vec<_> = snapshot.logs.segments.iter().collect();
    segments.sort_by_key(|segment| segment.meta().rows);
    let has_text = |at: usize| segments[at].text_comparison().unwrap().is_some();
    assert_eq!((segments.len(), has_text(0), has_text(1)), (2, false, true));
    assert!(segments.iter().all(|segment| segment.meta().level == 0 && !segment.is_index_wanting()));
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, |status| status.signals[1].level1_segments == 1).await;
    assert_eq!(contents(&store)[1], once(0..2_020));
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
}

#[tokio::test]
async fn a_damaged_segment_does_not_keep_the_others_from_being_merged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    five_flushes(&store).await;
    let broken = store.inner.snapshot.load().spans.segments[2].meta().id;
    store.close().await.unwrap();
    let file = dir.path().join(format!("seg/traces/{broken}.parquet"));
    let mut bytes = fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[4..length / 2].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let store = open(dir.path()).await;
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, |status| status.signals[0].level0_segments == 1 && status.signals[0].level1_segments > 0).await;
    wait_until(&store, |status| status.damage.iter().any(|damage| damage.contains(&broken.to_string()))).await;
    assert_eq!((store.status().damage.len(), store.status().background_error), (1, None));
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_flushes_and_merges_is_shown_while_it_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, registry) = (Clock::held_at(NOW), Registry::default());
    let store = Store::open(config(dir.path()), clock.clone(), registry.clone()).await.unwrap();
    let seen = Arc::new(Mutex::new(BTreeMap::<&str, i64>::new()));
    let (noted, flushes) = (seen.clone(), registry.memory_used("flushes"));
    store.inner.keeper.watch_steps(move |step| {
        let now = flushes.get();
        noted.lock().entry(step).and_modify(|most| *most = now.max(*most)).or_insert(now);
    });
    five_flushes(&store).await;
    assert!(seen.lock()["segments renamed"] > 0, "{:?}", seen.lock());
    clock.set(AFTER_THE_BUCKET);
    wait_until(&store, merged).await;
    let used = |consumer| registry.memory_used(consumer).get();
    assert_eq!((used("flushes"), used("merges")), (0, 0));
    store.observe();
    assert!(registry.render().contains("throughline_memory_used_bytes{consumer=\"merges\"} 0"));
    store.close().await.unwrap();
}
