//! Segments that cannot be opened: they count, and go when it is their turn.

use std::path::PathBuf;

use super::*;
use crate::budget::log_share;

/// Files of segments of log records with this extension, the oldest first.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("seg/logs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    files.sort();
    files
}

/// A folder with two segments of ten log records each, of which the older one cannot be opened any more; and the bytes that both are listed with.
async fn with_one_unopened(dir: &Path) -> u64 {
    let store = open(dir).await;
    for number in [0, 10] {
        append(&store, Signal::Logs, logs(number, 10)).await;
        store.flush().await.unwrap();
    }
    let (listed, _) = store.inner.tables.disk_bytes();
    store.close().await.unwrap();
    let oldest = files(dir, "parquet").remove(0);
    let bytes = fs::read(&oldest).unwrap();
    fs::write(&oldest, bytes.split_last().unwrap().1).unwrap();
    listed
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_counts_and_goes_first_when_it_is_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let listed = with_one_unopened(dir.path()).await;
    let store = open(dir.path()).await;
    assert_eq!((store.inner.tables.disk_bytes(), store.status().damage.len()), ((listed, 0), 1));
    store.close().await.unwrap();

    let mut config = config(dir.path());
    config.max_disk_bytes = Some(log_share(&config) + listed);
    let store = open_with(config).await.unwrap();
    wait_until(&store, |status| status.damage.is_empty()).await;
    assert_eq!(contents(&store), [BTreeMap::new(), once(10..20)], "all else stays");
    wait_until(&store, |_| files(dir.path(), "parquet").len() == 1 && files(dir.path(), "idx").len() == 1).await;
    assert!(store.inner.tables.disk_bytes().0 < listed);
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok(), "it is not listed any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_goes_past_its_age_but_not_while_a_backup_copies_it() {
    let dir = tempfile::tempdir().unwrap();
    with_one_unopened(dir.path()).await;
    let retention = Retention { logs: Some(Duration::from_secs(60)), ..Retention::default() };
    let clock = Clock::held_at(NOW);
    let config = Config { retention, ..config(dir.path()) };
    let store = Store::open(config, clock.clone(), Registry::default()).await.unwrap();
    assert_eq!(store.status().damage.len(), 1);
    let moment = store.backup().await.unwrap();
    clock.set(NOW.plus(61_000_000_000));
    wait_until(&store, |status| status.damage.is_empty()).await;
    wait_until(&store, |_| store.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(files(dir.path(), "parquet").len(), 2);
    assert!(store.inner.tables.disk_bytes().1 > 0, "files that are still there count");
    drop(moment);
    wait_until(&store, |_| files(dir.path(), "parquet").is_empty() && files(dir.path(), "idx").is_empty()).await;
    assert_eq!(store.inner.tables.disk_bytes(), (0, 0));
    store.close().await.unwrap();
}
