//! Files that are damaged or lost.

use super::*;
use crate::query::{LogOrder, LogSearch};

#[tokio::test]
async fn check_names_the_file_that_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 50)).await;
    assert!(matches!(check(dir.path(), &mut |_| ()), Err(OpenError::Locked { .. })));
    store.close().await.unwrap();
    let report = check(dir.path(), &mut |_| ()).unwrap();
    assert!(report.is_ok(), "{report:?}");
    for extension in ["parquet", "idx"] {
        let copy = crash(dir.path());
        let file = fs::read_dir(copy.path().join("seg/traces")).unwrap().map(|e| e.unwrap().path());
        let file = file.into_iter().find(|path| path.extension().is_some_and(|e| e == extension)).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        let report = check(copy.path(), &mut |_| ()).unwrap();
        let broken: Vec<_> = report.lines.iter().filter(|line| line.problem.is_some()).map(|line| &line.path).collect();
        assert_eq!(broken, [&file], "{report:?}");
    }
}

#[tokio::test]
async fn an_index_that_is_damaged_or_lost_is_made_again_and_no_crash_in_between_harms() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 50)).await;
    append(&store, Signal::Logs, logs(0, 5)).await;
    store.close().await.unwrap();
    let index = |signal: &str| {
        let files = fs::read_dir(dir.path().join("seg").join(signal)).unwrap().map(|e| e.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "idx")).unwrap()
    };
    let damage = || {
        // All of the footer's checksums are before the tail.
        let mut bytes = fs::read(index("traces")).unwrap();
        let at = bytes.len() - 30;
        bytes[at] ^= 1;
        fs::write(index("traces"), bytes).unwrap();
        fs::remove_file(index("logs")).unwrap();
    };
    damage();
    assert!(!check(dir.path(), &mut |_| ()).unwrap().is_ok());
    let store = open(dir.path()).await;
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (seen, root) = (copies.clone(), dir.path().to_owned());
    store.inner.keeper.watch_steps(move |step| seen.lock().push((step, crash(&root))));
    assert_eq!(contents(&store), [once(0..50), once(0..5)]);
    let wanting = |store: &Store| {
        let snapshot = store.inner.snapshot.load_full();
        snapshot.spans.segments.iter().chain(&snapshot.logs.segments).filter(|segment| segment.is_index_wanting()).count()
    };
    wait_until(&store, |_| wanting(&store) == 0).await;
    assert_eq!(store.inner.meters.reindexed.get(), 2);
    assert_eq!(contents(&store), [once(0..50), once(0..5)]);
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
    let copies = std::mem::take(&mut *copies.lock());
    for (step, copy) in copies {
        let crashed = open(copy.path()).await;
        assert_eq!(contents(&crashed), [once(0..50), once(0..5)], "crash after: {step}");
        wait_until(&crashed, |_| wanting(&crashed) == 0).await;
        crashed.close().await.unwrap();
        assert!(check(copy.path(), &mut |_| ()).unwrap().is_ok(), "crash after: {step}");
    }
}

#[tokio::test]
async fn a_lost_segment_does_not_keep_the_rest_from_being_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 50)).await;
    append(&store, Signal::Logs, logs(0, 5)).await;
    store.close().await.unwrap();
    for entry in fs::read_dir(dir.path().join("seg/traces")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let store = open(dir.path()).await;
    assert_eq!(contents(&store), [BTreeMap::new(), once(0..5)]);
    let [damage] = store.status().damage.try_into().unwrap();
    assert!(damage.contains("50 rows of traces are missing"), "{damage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_questions_use_is_made_again_wherever_it_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 500)).await;
    store.close().await.unwrap();
    // With the index of words.
    let store = open(dir.path()).await;
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, |status| status.signals[1].level0_segments == 0).await;
    store.close().await.unwrap();
    for part in 1..6 {
        let copy = crash(dir.path());
        let file = fs::read_dir(copy.path().join("seg/logs")).unwrap().map(|entry| entry.unwrap().path());
        let index = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "idx")).unwrap();
        let mut bytes = fs::read(&index).unwrap();
        let at = bytes.len() * part / 6;
        bytes[at] ^= 4;
        fs::write(&index, bytes).unwrap();
        let store = open(copy.path()).await;
        let query = "line".to_owned();
        let search = LogSearch { query, range: TimeRange::ALL, order: LogOrder::Newest, limit: 10, cursor: None };
        store.search_logs(search).await.unwrap();
        wait_until(&store, |_| store.inner.meters.reindexed.get() == 1).await;
        store.close().await.unwrap();
        assert!(check(copy.path(), &mut |_| ()).unwrap().is_ok(), "damage at byte {at}");
    }
}
