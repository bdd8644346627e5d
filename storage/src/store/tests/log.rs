//! Files of the log that are gone: which of them are missed, and which were never there.

use crate::files::Place;
use crate::repair::{RepairOutcome, repair};

use super::*;

fn log_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.join("wal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What `check` has to say against a folder.
fn problems(dir: &Path) -> Vec<String> {
    check(dir, &mut |_| ())
        .unwrap()
        .lines
        .into_iter()
        .filter_map(|line| Some(format!("{}: {}", line.path.display(), line.problem?)))
        .collect()
}

/// The folder is refused and named; after a repair, which says that something may be lost, it opens and takes in.
async fn is_missed(dir: &Path, named: &str) {
    let error = open_with(config(dir)).await.unwrap_err().to_string();
    assert!(error.contains(named), "{error}");
    let told = problems(dir);
    assert!(told.len() == 1 && told[0].contains(named), "{told:?}");
    let report = repair(dir, false, &mut |_| ()).unwrap();
    assert!(report.lines.iter().any(|line| line.outcome == RepairOutcome::Lost && line.detail.contains(named)), "{report:#?}");
    assert_eq!(problems(dir), [""; 0]);
    let store = open(dir).await;
    append(&store, Signal::Logs, logs(1_000, 5)).await;
    assert!(contents(&store)[1].contains_key(&1_004));
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_only_file_of_a_log_is_missed_although_nothing_was_flushed_yet() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    log_files(copy.path()).iter().for_each(|file| fs::remove_file(file).unwrap());
    is_missed(copy.path(), "all files of the log are missing").await;
}

#[tokio::test]
async fn the_last_file_of_a_log_is_missed_although_others_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    store.inner.wal.rotate();
    append(&store, Signal::Logs, logs(10, 10)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    let files = log_files(copy.path());
    assert_eq!(files.len(), 2, "{files:?}");
    fs::remove_file(&files[1]).unwrap();
    is_missed(copy.path(), files[1].file_name().unwrap().to_str().unwrap()).await;
}

#[tokio::test]
async fn the_last_file_of_a_log_is_missed_when_it_was_emptied_or_zeroed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    let file = log_files(copy.path()).pop().unwrap();
    for blank in [0, fs::metadata(&file).unwrap().len()] {
        fs::write(&file, vec![0; usize::try_from(blank).unwrap()]).unwrap();
        let again = crash(copy.path());
        let error = open_with(config(again.path())).await.unwrap_err().to_string();
        assert!(error.contains("its header is broken"), "{error}");
        let told = problems(again.path());
        assert!(told.len() == 1 && told[0].contains("its header is broken"), "{told:?}");
        let report = repair(again.path(), false, &mut |_| ()).unwrap();
        assert!(report.lines.iter().any(|line| line.outcome == RepairOutcome::Lost && line.detail.contains("nothing is left of")));
        let store = open(again.path()).await;
        append(&store, Signal::Logs, logs(1_000, 5)).await;
        assert!(contents(&store)[1].contains_key(&1_004));
        store.close().await.unwrap();
    }
}

/// Ways in which the last file of a log goes.
fn without_the_log(dir: &Path) -> Vec<tempfile::TempDir> {
    let gone = |lose: &dyn Fn(&Path)| {
        let copy = crash(dir);
        lose(copy.path());
        copy
    };
    let last = |dir: &Path| log_files(dir).pop().unwrap();
    vec![
        gone(&|dir| fs::write(last(dir), []).unwrap()),
        gone(&|dir| fs::write(last(dir), vec![0; usize::try_from(fs::metadata(last(dir)).unwrap().len()).unwrap()]).unwrap()),
        gone(&|dir| fs::remove_file(last(dir)).unwrap()),
        gone(&|dir| fs::remove_dir_all(dir.join("wal")).unwrap()),
    ]
}

#[tokio::test]
async fn a_log_that_was_ended_in_good_order_may_go_and_one_that_goes_on_may_not() {
    let dir = tempfile::tempdir().unwrap();
    // Stopped with requests and, the second time, without any.
    for stop in 0..2 {
        let store = open(dir.path()).await;
        if stop == 0 {
            append(&store, Signal::Logs, logs(0, 10)).await;
        }
        store.close().await.unwrap();
        assert_eq!(problems(dir.path()), [""; 0]);
        for copy in without_the_log(dir.path()) {
            let mended = crash(copy.path());
            let report = repair(mended.path(), false, &mut |_| ()).unwrap();
            assert!(report.is_lossless() && !report.lines.is_empty(), "{report:#?}");
            assert!(report.lines[0].detail.contains("nothing was in it that segments do not have"), "{report:#?}");
            let said = check(copy.path(), &mut |_| ()).unwrap();
            assert!(said.is_ok() && said.lines.iter().any(|line| line.summary.contains("nothing was in it")), "{said:#?}");
            for dir in [copy.path(), mended.path()] {
                let store = open(dir).await;
                assert_eq!(contents(&store)[1], once(0..10));
                append(&store, Signal::Logs, logs(1_000, 5)).await;
                let killed = crash(dir);
                store.close().await.unwrap();
                for lost in without_the_log(killed.path()) {
                    let error = open_with(config(lost.path())).await.map(drop).unwrap_err().to_string();
                    assert!(error.contains("wal"), "{error}");
                    assert!(!check(lost.path(), &mut |_| ()).unwrap().is_ok());
                    assert!(!repair(lost.path(), false, &mut |_| ()).unwrap().is_lossless());
                }
                let store = open(dir).await;
                assert!(contents(&store)[1].contains_key(&1_004));
                store.close().await.unwrap();
                assert_eq!(problems(dir), [""; 0]);
            }
        }
    }
}

#[tokio::test]
async fn of_a_log_that_is_gone_with_the_list_it_is_said_that_nobody_knows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    for is_served in [false, true] {
        let copy = crash(copy.path());
        for folder in ["manifest", "wal", "memo"] {
            let _ = fs::remove_dir_all(copy.path().join(folder));
        }
        let _ = fs::remove_file(copy.path().join("RESERVE"));
        if is_served {
            fs::write(copy.path().join("RESERVE"), []).unwrap();
        }
        let report = repair(copy.path(), false, &mut |_| ()).unwrap();
        let said = report.lines.iter().find(|line| line.detail.contains("may have been in the log that is gone"));
        let told = said.unwrap_or_else(|| panic!("{report:#?}"));
        assert!(told.detail.contains("cannot be told"), "{report:#?}");
        assert_eq!(told.outcome == RepairOutcome::Lost, is_served, "{report:#?}");
        assert_eq!(problems(copy.path()), [""; 0]);
    }
}

#[tokio::test]
async fn a_folder_that_was_served_from_does_not_begin_anew_without_its_list() {
    let dir = tempfile::tempdir().unwrap();
    drop(crate::folder::Folder::open(&Place::real(dir.path())).unwrap());
    assert_eq!(problems(dir.path()), [""; 0], "a first start that was killed early leaves this");
    open(dir.path()).await.close().await.unwrap();
    fs::write(dir.path().join("RESERVE"), []).unwrap();
    for folder in ["wal", "manifest"] {
        fs::remove_dir_all(dir.path().join(folder)).unwrap();
    }
    assert!(problems(dir.path())[0].contains("manifest/log: it is missing"));
    assert!(open_with(config(dir.path())).await.unwrap_err().to_string().contains("manifest/log"));
}

#[tokio::test]
async fn a_log_that_was_never_begun_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    {
        // As a first start leaves it that ends before the log has a file, and a version of this program that did not record it.
        let folder = crate::folder::Folder::open(&Place::real(dir.path())).unwrap();
        crate::manifest::Manifest::open(&folder.manifest(), &folder.tmp(), folder.id(), true).unwrap();
    }
    assert_eq!(problems(dir.path()), [""; 0]);
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    assert_eq!(contents(&store)[1], once(0..10));
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_is_read_back_is_not_counted_as_stored_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 30)).await;
    append(&store, Signal::Traces, spans(0, 20)).await;
    let copy = crash(dir.path());
    let registry = Registry::default();
    let store = Store::open(config(copy.path()), Clock::held_at(NOW), registry.clone()).await.unwrap();
    append(&store, Signal::Logs, logs(30, 5)).await;
    store.flush().await.unwrap();
    let counted = |name: &str| {
        ["traces", "logs"]
            .map(|signal| registry.values().into_iter().find(|(known, labels, _)| *known == name && labels.contains(signal)).unwrap().2)
    };
    assert_eq!(counted("throughline_stored_items_total"), [0, 5]);
    assert_eq!(counted("throughline_read_back_items_total"), [20, 30]);
    assert_eq!(counted("throughline_writes_per_100_rows"), [200, 200], "once to the log, once to a segment");
}
