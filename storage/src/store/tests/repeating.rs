//! Requests that are sent again after the process was started again, more than once.

use super::*;

async fn is_known(store: &Store) {
    for (signal, payload, count) in [(Signal::Traces, spans(0, 10), 10), (Signal::Logs, logs(0, 7), 7)] {
        let again = store.append(signal, payload).await.unwrap();
        assert_eq!((again.accepted, again.repeated), (count, true), "{}", signal.as_str());
    }
    assert_eq!(contents(store), [once(0..10), once(0..7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_after_several_starts_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 10)).await;
    append(&store, Signal::Logs, logs(0, 7)).await;
    let killed = crash(dir.path());
    store.close().await.unwrap();
    for _ in 0..3 {
        let store = open(dir.path()).await;
        is_known(&store).await;
        store.close().await.unwrap();
    }

    // The log is replayed by the first start, flushed, and lets its file go.
    let store = open(killed.path()).await;
    store.flush().await.unwrap();
    let killed_again = crash(killed.path());
    drop(store);
    let store = open(killed_again.path()).await;
    is_known(&store).await;
    append(&store, Signal::Logs, logs(100, 1)).await;
    store.flush().await.unwrap();
    store.close().await.unwrap();
    let store = open(killed_again.path()).await;
    let again = store.append(Signal::Logs, logs(100, 1)).await.unwrap();
    assert!(again.repeated);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_may_be_sent_again_after_several_starts_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 7)).await;
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    let what = crate::deletion::DeleteWhat::Matching { signal: Signal::Logs, query: "line".to_owned(), range: TimeRange::ALL };
    assert_eq!(store.delete(what).await.unwrap().logs, 7);
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    assert!(!store.append(Signal::Logs, logs(0, 7)).await.unwrap().repeated);
    assert_eq!(contents(&store)[1], once(0..7));
    store.close().await.unwrap();
}
