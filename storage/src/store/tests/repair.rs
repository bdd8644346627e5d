//! A data folder that was damaged opens after a repair and holds what is left, once.

use crate::repair::{RepairOutcome, RepairReport, repair};

use super::*;

/// A folder that was closed once and then crashed: old segments, young segments whose frames are in the log, and frames that are in no
/// segment.
async fn lived_in() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 200)).await;
    append(&store, Signal::Logs, logs(0, 200)).await;
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(200, 100)).await;
    append(&store, Signal::Logs, logs(200, 100)).await;
    store.flush().await.unwrap();
    append(&store, Signal::Traces, spans(300, 50)).await;
    append(&store, Signal::Logs, logs(300, 50)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    copy
}

fn everything() -> [BTreeMap<u64, usize>; 2] {
    [once(0..350), once(0..350)]
}

/// Files in a folder with their contents.
fn files(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Paths of a kind, oldest first.
fn of_kind(dir: &Path, folder: &str, extension: &str) -> Vec<std::path::PathBuf> {
    let found = files(&dir.join(folder)).into_keys();
    found.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

fn mend(dir: &Path) -> RepairReport {
    let before = files(dir);
    let dry = repair(dir, true, &mut |_| ()).unwrap();
    assert_eq!(files(dir), before, "a dry run writes nothing");
    let report = repair(dir, false, &mut |_| ()).unwrap();
    let outcomes = |report: &RepairReport| report.lines.iter().map(|line| line.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(&dry), outcomes(&report), "{dry:#?} {report:#?}");
    let segments =
        |report: &RepairReport| report.lines.iter().find_map(|line| Some(line.detail.split_once("made again with ")?.1.to_owned()));
    assert_eq!(segments(&dry), segments(&report), "a dry run counts the segments that a repair makes");
    // Whatever was there is there or was set aside.
    let after: Vec<Vec<u8>> = files(dir).into_values().collect();
    for (path, bytes) in before {
        assert!(path.ends_with("LOCK") || after.contains(&bytes), "{} is gone", path.display());
    }
    let checked = check(dir, &mut |_| ()).unwrap();
    assert!(checked.is_ok(), "{report:#?} {checked:#?}");
    let again = repair(dir, false, &mut |_| ()).unwrap();
    assert_eq!(again, RepairReport::default(), "after {report:#?}");
    report
}

#[tokio::test]
async fn what_can_be_made_again_is_and_nothing_is_lost_or_there_twice() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 12] = [
        ("nothing", |_| ()),
        ("no manifest", |dir| fs::remove_file(dir.join("manifest/log")).unwrap()),
        ("no folder of the manifest and no version", |dir| {
            fs::remove_dir_all(dir.join("manifest")).unwrap();
            fs::remove_file(dir.join("FORMAT")).unwrap();
        }),
        ("a broken head of the manifest", |dir| flip(&dir.join("manifest/log"), 3)),
        ("a broken edit of the manifest", |dir| flip(&dir.join("manifest/log"), 70)),
        ("no version", |dir| fs::remove_file(dir.join("FORMAT")).unwrap()),
        ("no index of an old segment", |dir| fs::remove_file(&of_kind(dir, "seg/logs", "idx")[0]).unwrap()),
        ("a broken index", |dir| flip(&of_kind(dir, "seg/traces", "idx")[0], 9)),
        ("no manifest and no index", |dir| {
            fs::remove_file(dir.join("manifest/log")).unwrap();
            of_kind(dir, "seg", "idx").iter().for_each(|path| fs::remove_file(path).unwrap());
        }),
        ("a damaged file of what is remembered", |dir| fs::write(dir.join("memo/deletes"), "not one").unwrap()),
        ("a young segment is damaged", |dir| flip(&of_kind(dir, "seg/traces", "parquet")[1], 500)),
        ("a young segment is missing", |dir| fs::remove_file(&of_kind(dir, "seg/logs", "parquet")[1]).unwrap()),
    ];
    let original = lived_in().await;
    for (name, damage) in damages {
        let copy = crash(original.path());
        damage(copy.path());
        let report = mend(copy.path());
        let missing = report.lines.iter().filter(|line| line.outcome == RepairOutcome::Lost).count();
        // Of a file that cannot be read it is not known that the log holds all its rows.
        assert_eq!(missing, usize::from(name.starts_with("a young segment")), "{name}: {report:#?}");
        assert_eq!(report.lines.is_empty(), name == "nothing", "{name}: {report:#?}");
        let store = open(copy.path()).await;
        assert_eq!(contents(&store), everything(), "{name}: {report:#?}");
        // What comes in later is not taken for what was there.
        append(&store, Signal::Logs, logs(350, 5)).await;
        assert_eq!(contents(&store)[1], once(0..355), "{name}");
        let ids = store.sql(crate::query::SqlQuery {
            sql: "SELECT count(DISTINCT record_id) AS n FROM logs".to_owned(),
            max_rows: 1,
            timeout: Duration::from_secs(30),
        });
        assert_eq!(ids.await.unwrap().rows[0]["n"], 355, "{name}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_can_be_read_are_saved_from_a_damaged_segment() {
    let dir = tempfile::tempdir().unwrap();
    // Memory for all of them, so that they are flushed to one segment with many pages.
    let store = open_with(Config { buffer_bytes: 1 << 30, ..config(dir.path()) }).await.unwrap();
    for part in 0..20 {
        append(&store, Signal::Traces, spans(part * 1_000, 1_000)).await;
    }
    store.close().await.unwrap();
    open(dir.path()).await.close().await.unwrap();
    let mut partly = 0;
    for place in 1..10 {
        let copy = crash(dir.path());
        let segments = of_kind(copy.path(), "seg/traces", "parquet");
        for segment in &segments {
            flip(segment, fs::read(segment).unwrap().len() * place / 10);
        }
        let report = mend(copy.path());
        assert!(!report.is_lossless(), "{report:#?}");
        let store = open(copy.path()).await;
        let [left, _] = contents(&store);
        assert!(left.values().all(|count| *count == 1) && left.len() < 20_000);
        partly += usize::from(!left.is_empty());
        store.close().await.unwrap();
    }
    assert!(partly > 2, "rows were saved in {partly} of 9 cases");
}

#[tokio::test]
async fn a_broken_log_keeps_every_request_that_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for part in 0..5 {
        append(&store, Signal::Logs, logs(part * 10, 10)).await;
    }
    let copy = crash(dir.path());
    store.close().await.unwrap();
    let log = &of_kind(copy.path(), "wal", "wal")[0];
    let bytes = fs::read(log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // Within the third of five equal frames.
    flip(log, 44 + (end - 44) / 2);
    assert!(open_with(config(copy.path())).await.is_err());
    let report = mend(copy.path());
    let told: Vec<_> = report.lines.iter().filter(|line| line.outcome == RepairOutcome::Lost).collect();
    assert!(told.len() == 1 && told[0].detail.contains("request 3") && told[0].detail.contains("4 requests were kept"), "{report:#?}");
    let store = open(copy.path()).await;
    let expected: BTreeMap<u64, usize> = (0..50).filter(|number| number / 10 != 2).map(|number| (number, 1)).collect();
    assert_eq!(contents(&store)[1], expected);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_in_use_or_of_another_version_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert!(matches!(repair(dir.path(), false, &mut |_| ()), Err(OpenError::Locked { .. })));
    store.close().await.unwrap();
    fs::write(dir.path().join("FORMAT"), "throughline\nformat 99\nstore 0\n").unwrap();
    assert!(matches!(repair(dir.path(), false, &mut |_| ()), Err(OpenError::Version { found: 99, .. })));
}

/// Copies of the folder after each step of what is done from now on.
fn at_every_step(store: &Store, dir: &Path) -> Arc<Mutex<Vec<(&'static str, tempfile::TempDir)>>> {
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (seen, root) = (copies.clone(), dir.to_owned());
    store.inner.keeper.watch_steps(move |step| seen.lock().push((step, crash(&root))));
    copies
}

type Lose = fn(&Path);

/// Ways to lose the list of segments.
const LOST_LISTS: [(&str, Lose); 3] = [
    ("the file is gone", |dir| fs::remove_file(dir.join("manifest/log")).unwrap()),
    ("the folder is gone", |dir| fs::remove_dir_all(dir.join("manifest")).unwrap()),
    ("its head is broken", |dir| flip(&dir.join("manifest/log"), 3)),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_stays_so_when_the_list_of_segments_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 40)).await;
    append(&store, Signal::Logs, logs(0, 20)).await;
    store.flush().await.unwrap();
    append(&store, Signal::Logs, logs(20, 20)).await;
    let copies = at_every_step(&store, dir.path());
    let range = TimeRange { from: NOW.plus(5), to: NOW.plus(25) };
    let what = crate::deletion::DeleteWhat::Matching { signal: Signal::Logs, query: String::new(), range };
    let receipt = store.delete(what).await.unwrap();
    assert_eq!(receipt.logs, 20);
    wait_until(&store, |_| store.deletion(&receipt.id).unwrap().done.is_some()).await;
    let mut copies = std::mem::take(&mut *copies.lock());
    copies.push(("done", crash(dir.path())));
    store.close().await.unwrap();
    let recorded = copies.iter().position(|(step, _)| *step == "delete recorded").unwrap();
    let expected = [once(0..40), (0..40).filter(|number| !(5..25).contains(number)).map(|number| (number, 1)).collect()];
    for (step, copy) in &copies[recorded..] {
        for (lost, lose) in LOST_LISTS {
            let copy = crash(copy.path());
            lose(copy.path());
            let report = mend(copy.path());
            assert!(report.is_lossless(), "{step}, {lost}: {report:#?}");
            let store = open(copy.path()).await;
            assert_eq!(contents(&store), expected, "{step}, {lost}: {report:#?}");
            wait_until(&store, |_| store.deletions().iter().all(|deletion| deletion.done.is_some())).await;
            assert_eq!(contents(&store), expected, "{step}, {lost}");
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_merged_is_there_once_when_the_list_of_segments_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    five_flushes(&store).await;
    let copies = at_every_step(&store, dir.path());
    let read_by_a_question = store.inner.snapshot.load_full();
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, merged).await;
    let mut copies = std::mem::take(&mut *copies.lock());
    copies.push(("the inputs are still there", crash(dir.path())));
    drop(read_by_a_question);
    store.close().await.unwrap();
    copies.push(("closed", crash(dir.path())));
    for (step, copy) in &copies {
        for (lost, lose) in LOST_LISTS {
            let copy = crash(copy.path());
            lose(copy.path());
            let report = mend(copy.path());
            let store = open(copy.path()).await;
            assert_eq!(contents(&store), [once(0..50), once(0..50)], "{step}, {lost}: {report:#?}");
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_list_of_segments_that_was_cut_off_is_not_believed() {
    let original = lived_in().await;
    let bytes = fs::read(original.path().join("manifest/log")).unwrap();
    let (mut ends, mut at) = (Vec::new(), 28);
    while let Some(length) = bytes.get(at..at + 4) {
        at += 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    assert!(ends.len() > 2, "{ends:?}");
    for end in ends {
        let copy = crash(original.path());
        fs::write(copy.path().join("manifest/log"), &bytes[..end]).unwrap();
        let report = mend(copy.path());
        let store = open(copy.path()).await;
        assert_eq!(contents(&store), everything(), "cut at {end}: {report:#?}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_index_is_made_again_under_its_name() {
    let original = lived_in().await;
    let copy = crash(original.path());
    let index = of_kind(copy.path(), "seg/traces", "idx")[0].clone();
    flip(&index, 9);
    let report = mend(copy.path());
    assert_eq!(report.lines.iter().map(|line| (&line.path, line.outcome)).collect::<Vec<_>>()[0], (&index, RepairOutcome::Rebuilt));
    assert!(index.exists() && report.set_aside.unwrap().join(format!("traces-{}", index.file_name().unwrap().to_str().unwrap())).exists());
}

/// A folder whose merged log records are damaged, while the log holds the requests still.
async fn damaged_while_the_log_has_it() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    five_flushes(&store).await;
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, merged).await;
    append(&store, Signal::Logs, logs(50, 5)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    let listed = store.inner.snapshot.load().logs.segments.iter().find(|segment| segment.meta().level == 1).unwrap().meta().id;
    fs::write(copy.path().join(format!("seg/logs/{listed}.parquet")), "nothing of it is left").unwrap();
    copy
}

#[tokio::test]
async fn the_log_is_kept_where_it_may_hold_rows_that_are_lost() {
    type More = fn(&Path);
    let more: [(&str, More); 2] = [
        ("the log is whole", |_| ()),
        ("the log is damaged too", |dir| {
            // The header: frames are found without it.
            flip(&of_kind(dir, "wal", "wal")[0], 3);
        }),
    ];
    let damaged = damaged_while_the_log_has_it().await;
    for (name, hurt) in more {
        let copy = crash(damaged.path());
        hurt(copy.path());
        let report = mend(copy.path());
        let kept = report.lines.iter().find(|line| line.outcome == RepairOutcome::Kept);
        let kept = kept.unwrap_or_else(|| panic!("{name}: {report:#?}"));
        assert!(kept.detail.contains("10 requests") && kept.detail.contains("2023-11-14 22:13:20 UTC"), "{name}: {report:#?}");
        let aside = report.set_aside.clone().unwrap().join("log");
        assert!(kept.detail.contains(&format!("`throughline repair {}`", aside.display())), "{name}: {report:#?}");
        let store = open(copy.path()).await;
        assert_eq!(contents(&store)[0], once(0..50), "{name}");
        assert!(!contents(&store)[1].contains_key(&0), "{name}");
        store.close().await.unwrap();
        // A start lets go of the log; what was put aside is a folder of its own.
        repair(&aside, false, &mut |_| ()).unwrap();
        let store = open(&aside).await;
        assert_eq!(contents(&store)[0], once(0..50), "{name}");
        assert!((0..50).all(|number| contents(&store)[1].get(&number) == Some(&1)), "{name}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_log_without_the_requests_that_are_lost_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 20)).await;
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(20, 20)).await;
    let copy = crash(dir.path());
    store.close().await.unwrap();
    fs::remove_file(&of_kind(copy.path(), "seg/logs", "parquet")[0]).unwrap();
    let report = mend(copy.path());
    assert!(!report.is_lossless(), "{report:#?}");
    assert!(report.lines.iter().all(|line| line.outcome != RepairOutcome::Kept), "{report:#?}");
}
