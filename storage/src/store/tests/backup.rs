//! Backups while the store is busy.

use std::collections::HashSet;

use super::*;
use crate::backup::{Vault, restore};
use crate::deletion::DeleteWhat;
use crate::model::TimeRange;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_rows_are_deleted_and_rewritten_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (data, kept) = (dir.path().join("data"), dir.path().join("vault"));
    let store = open(&data).await;
    for part in 0..8 {
        append(&store, Signal::Logs, logs(part * 50, 50)).await;
        append(&store, Signal::Traces, spans(part * 20, 20)).await;
        store.flush().await.unwrap();
    }
    let deleting = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0..80 {
                let range = TimeRange { from: NOW.plus(number * 5), to: NOW.plus(number * 5 + 4) };
                let receipt = store.delete(DeleteWhat::Matching { signal: Signal::Logs, query: String::new(), range }).await.unwrap();
                assert_eq!(receipt.logs, 4);
            }
        }
    });
    let vault = Vault::open(&kept).unwrap();
    let mut backups = 0;
    while !deleting.is_finished() || backups < 3 {
        let stream = store.backup().await.unwrap().stream(HashSet::new());
        let mut receiver = vault.receive().unwrap();
        let done = tokio::task::spawn_blocking(move || {
            for piece in stream {
                receiver.push(&piece).unwrap();
                // Long enough for segments to be rewritten meanwhile.
                std::thread::sleep(Duration::from_millis(2));
            }
            receiver.finish().unwrap()
        });
        let done = done.await.unwrap();
        assert_eq!(done.damaged, [""; 0], "backup {backups}");
        backups += 1;
    }
    deleting.await.unwrap();
    store.close().await.unwrap();
    for (number, point) in vault.points().unwrap().iter().enumerate() {
        let restored = dir.path().join(format!("restored-{number}"));
        restore(&vault, point, &restored, &mut |_| ()).unwrap();
        assert!(check(&restored, &mut |_| ()).unwrap().is_ok());
        let store = open(&restored).await;
        let [spans, logs] = contents(&store);
        assert_eq!(spans, once(0..160));
        // Each delete takes four of five, all or none of them.
        for delete in 0..80 {
            let left = (delete * 5..delete * 5 + 4).filter(|log| logs.contains_key(log)).count();
            assert!([0, 4].contains(&left) && logs.contains_key(&(delete * 5 + 4)), "{delete}: {left}");
        }
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_a_power_failure_left_as_another_name_of_a_file_takes_nothing_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, restored) = (Vault::open(&dir.path().join("vault")).unwrap(), dir.path().join("restored"));
    let store = open(&dir.path().join("data")).await;
    append(&store, Signal::Logs, logs(0, 50)).await;
    store.flush().await.unwrap();
    let stream = store.backup().await.unwrap().stream(HashSet::new());
    let mut receiver = vault.receive().unwrap();
    stream.for_each(|piece| receiver.push(&piece).unwrap());
    receiver.finish().unwrap();
    store.close().await.unwrap();
    let point = vault.points().unwrap().pop().unwrap();
    restore(&vault, &point, &restored, &mut |_| ()).unwrap();
    // As if it had been interrupted, with the rename of the rows done in one folder entry and not in the other.
    let folder = restored.join("seg/logs");
    let of = |extension: &str| {
        let mut files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|own| own == extension)).unwrap()
    };
    fs::hard_link(of("parquet"), folder.join("restoring.partial")).unwrap();
    fs::remove_file(of("idx")).unwrap();
    fs::write(restored.join("RESTORING"), &point.id).unwrap();
    assert_eq!(restore(&vault, &point, &restored, &mut |_| ()).unwrap().damaged, [""; 0]);
    assert!(check(&restored, &mut |_| ()).unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_damaged_or_missing_in_a_backup_is_named_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("vault");
    let vault = Vault::open(&kept).unwrap();
    let store = open(&dir.path().join("data")).await;
    append(&store, Signal::Logs, logs(0, 50)).await;
    append(&store, Signal::Traces, spans(0, 20)).await;
    store.flush().await.unwrap();
    let back_up = |stream: crate::backup::Stream| {
        let mut receiver = vault.receive().unwrap();
        stream.for_each(|piece| receiver.push(&piece).unwrap());
        receiver.finish().unwrap();
    };
    let one_of = |folder: std::path::PathBuf| {
        let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.to_string_lossy().contains(".idx")).unwrap()
    };
    back_up(store.backup().await.unwrap().stream(HashSet::new()));
    let index = one_of(kept.join("seg/logs"));
    let mut bytes = fs::read(&index).unwrap();
    bytes[9] ^= 1;
    fs::write(&index, bytes).unwrap();
    // Another moment does not have it at all, because it was damaged where it was read.
    fs::write(one_of(dir.path().join("data/seg/logs")), "not one").unwrap();
    std::thread::sleep(Duration::from_millis(2));
    back_up(store.backup().await.unwrap().stream(HashSet::new()));
    store.close().await.unwrap();
    let name = index.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
    for (number, point) in vault.points().unwrap().iter().enumerate() {
        let folder = dir.path().join(format!("restored-{number}"));
        for _ in 0..2 {
            let restored = restore(&vault, point, &folder, &mut |_| ()).unwrap();
            assert_eq!((restored.damaged, restored.indexes), (Vec::new(), vec![format!("seg/logs/{name}")]));
        }
        assert!(!check(&folder, &mut |_| ()).unwrap().is_ok());
        let store = open(&folder).await;
        wait_until(&store, |_| store.inner.meters.reindexed.get() == 1).await;
        assert_eq!(contents(&store), [once(0..20), once(0..50)]);
        store.close().await.unwrap();
        assert!(check(&folder, &mut |_| ()).unwrap().is_ok());
    }
}
