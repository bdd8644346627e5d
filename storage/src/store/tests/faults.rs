//! Faults in this program: what panics in the background is noticed, and takes nothing with it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_panics_ends_writing_and_loses_and_doubles_nothing() {
    for at in ["segments renamed", "edit synced", "snapshot swapped"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        append(&store, Signal::Logs, logs(0, 10)).await;
        store.inner.keeper.watch_steps(move |step| assert!(step != at, "a fault"));
        store.inner.wake.flush(Reach::All);
        wait_until(&store, |status| status.write_refusal.is_some()).await;
        let status = store.status();
        assert!(status.write_refusal.is_some_and(|why| why.contains("fault in this program") && why.contains("restart")));
        assert!(status.background_error.is_some());
        assert!(matches!(store.append(Signal::Logs, logs(10, 10)).await, Err(AppendError::Unavailable { .. })));
        store.inner.keeper.watch_steps(|_| ());
        assert!(store.flush().await.is_err() && store.close().await.is_err(), "it is not done once more");
        drop(store);
        let store = open(dir.path()).await;
        store.flush().await.unwrap();
        assert_eq!(contents(&store)[1], once(0..10), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_that_panics_is_told_and_requests_are_taken_on() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::held_at(NOW));
    let store = Store::open(config(dir.path()), clock.clone(), Registry::default()).await.unwrap();
    five_flushes(&store).await;
    store.inner.keeper.watch_steps(|step| assert!(step != "outputs renamed", "a fault"));
    clock.set(AFTER_THE_BUCKET);
    wait_until(&store, |status| status.background_error.is_some()).await;
    store.inner.keeper.watch_steps(|_| ());
    append(&store, Signal::Logs, logs(50, 10)).await;
    store.flush().await.unwrap();
    let status = store.status();
    assert!(status.background_error.is_some_and(|why| why.contains("merging ended")) && status.write_refusal.is_none());
    store.close().await.unwrap();
    assert_eq!(contents(&open(dir.path()).await)[1], once(0..60));
}
