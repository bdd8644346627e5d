//! A disk that fails or is full, simulated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::files::{Mounted, Plan, Simulated};
use crate::wal::Log;

/// A log on a simulated disk.
struct Faulty {
    disk: Arc<Simulated>,
    folder: Place,
    options: Options,
}

impl Faulty {
    fn new(sync: SyncPolicy, file_bytes: u64) -> Self {
        let disk = Simulated::new(7);
        let folder = Place::on(Arc::new(Mounted(disk.clone())), "/wal");
        folder.create_folder().unwrap();
        let options = Options { folder: folder.clone(), sync, ..options(Path::new("/"), file_bytes) };
        Self { disk, folder, options }
    }

    /// With its first file, and without a thread.
    fn begun(&self) -> (Writer<Durable>, Log<Durable>) {
        let (writer, mut log) = Writer::new(self.options.clone(), &empty(), &Registry::default(), send_all);
        log.begin();
        (writer, log)
    }

    /// Has the operation that comes after so many others fail.
    fn break_operation(&self, after: u64) {
        self.disk.plan(Plan { broken: vec![self.disk.operations() + after + 1], ..Plan::default() });
    }

    /// Has the disk be full for the operation that comes after so many others.
    fn fill(&self, after: u64) {
        let at = self.disk.operations() + after + 1;
        self.disk.plan(Plan { full: at..at + 1, ..Plan::default() });
    }

    /// Sequence numbers that the next start finds.
    fn found(&self) -> Vec<u64> {
        self.disk.kill();
        let mut found = Vec::new();
        let replayed = crate::wal::verify(&self.folder, STORE, NEW, &mut |frame| {
            found.push(frame.seq);
            Ok(())
        });
        crate::wal::settle(replayed.unwrap()).unwrap();
        found
    }
}

fn send_all(group: Vec<(u64, Durable)>) {
    for (_, durable) in group {
        durable.send(()).unwrap();
    }
}

/// Whether a record becomes durable.
fn keeps(writer: &Writer<Durable>, log: &mut Log<Durable>, payload: &[u8]) -> bool {
    let (sender, answer) = channel();
    if writer.append(record(payload), sender).is_err() {
        return false;
    }
    assert!(log.step());
    answer.try_recv().is_ok()
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_a_restart() {
    let faulty = Faulty::new(SyncPolicy::Group, 1 << 16);
    let (writer, mut log) = faulty.begun();
    assert!(keeps(&writer, &mut log, b"x"));
    faulty.break_operation(1);
    assert!(!keeps(&writer, &mut log, b"x"));
    assert!(!keeps(&writer, &mut log, b"x"), "the next sync would succeed and is not believed");
    assert!(matches!(writer.refusal(), Some(Refusal::Failed(reason)) if reason.contains("restart")));
    assert!(faulty.found().starts_with(&[1]));
}

#[test]
fn a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room() {
    let faulty = Faulty::new(SyncPolicy::Group, 200);
    let (writer, mut log) = faulty.begun();
    // More than what was set aside for the file.
    let large = [7; 500];
    faulty.fill(0);
    assert!(!keeps(&writer, &mut log, &large));
    assert!(matches!(writer.refusal(), Some(Refusal::NoRoom(_))));
    assert!(keeps(&writer, &mut log, &large));
    assert_eq!(writer.refusal(), None);
    // The file before is synced, cut and synced first.
    faulty.fill(3);
    assert!(!keeps(&writer, &mut log, b"x"), "the next file cannot be begun");
    assert!(keeps(&writer, &mut log, b"x"));
    faulty.break_operation(0);
    assert!(!keeps(&writer, &mut log, b"x") && !keeps(&writer, &mut log, b"x"), "any other failed write ends writing");
    assert!(faulty.found().starts_with(&[1, 2]), "what the full disk refused left no trace");
}

#[test]
fn with_an_interval_records_are_acknowledged_before_they_are_synced() {
    let faulty = Faulty::new(SyncPolicy::Interval(Duration::from_secs(1)), 1 << 16);
    let (writer, log) = Writer::new(faulty.options.clone(), &empty(), &Registry::default(), send_all);
    writer.start(log).unwrap();
    let begun = Instant::now();
    // The first file is created, set aside, headed, synced, and its name too.
    while faulty.disk.operations() < 6 {
        assert!(begun.elapsed().as_secs() < 30, "the log does not begin");
        std::thread::yield_now();
    }
    faulty.break_operation(1);
    assert!(settle(&writer));
    while writer.refusal().is_none() {
        assert!(begun.elapsed().as_secs() < 30, "the sync at the interval is done and its failure noticed");
        std::thread::yield_now();
    }
    assert!(!settle(&writer));
    writer.stop();
    assert_eq!(faulty.found(), [1]);
}

#[test]
fn what_a_full_disk_left_without_a_successor_goes_when_segments_hold_it() {
    let faulty = Faulty::new(SyncPolicy::Group, 200);
    let (writer, mut log) = faulty.begun();
    assert!(keeps(&writer, &mut log, &[7; 500]));
    // The file is synced, cut and synced first.
    faulty.fill(3);
    assert!(!keeps(&writer, &mut log, b"x"), "the next file cannot be begun");
    writer.release(1);
    assert_eq!(writer.files().len(), 1, "it is the last one");
    writer.rotate();
    assert!(log.step());
    assert_eq!(writer.files(), [(2, FILE_HEADER as u64)]);
    assert!(keeps(&writer, &mut log, b"x"));
    assert_eq!(writer.refusal(), None);
    drop((writer, log));
    faulty.disk.kill();
    let mut found = Vec::new();
    let replayed = crate::wal::verify(&faulty.folder, STORE, Expected { through: 1, ..Expected::default() }, &mut |frame| {
        found.push(frame.seq);
        Ok(())
    });
    assert!(replayed.is_ok());
    assert_eq!(found, [2]);
}

#[test]
fn no_file_for_records_begins_in_what_is_kept_free_and_another_one_makes_room() {
    let mut faulty = Faulty::new(SyncPolicy::Group, 600);
    faulty.options.keep_free = u64::MAX;
    let (writer, mut log) = faulty.begun();
    let kept = (0..10).take_while(|_| keeps(&writer, &mut log, &[b'x'; 100])).count();
    assert!((1..10).contains(&kept), "{kept}");
    assert!(matches!(writer.refusal(), Some(Refusal::NoRoom(_))), "{:?}", writer.refusal());
    assert!(!keeps(&writer, &mut log, b"x"), "it is looked up again");
    writer.release(kept as u64);
    assert_eq!(writer.files().len(), 1);
    writer.rotate();
    assert!(log.step());
    assert_eq!(writer.files(), [(kept as u64 + 1, FILE_HEADER as u64)]);
    assert!(keeps(&writer, &mut log, b"x"));
    drop((writer, log));
    faulty.disk.kill();
    let (mut found, expected) = (Vec::new(), Expected { through: kept as u64, ..Expected::default() });
    let replayed = crate::wal::verify(&faulty.folder, STORE, expected, &mut |frame| {
        found.push(frame.seq);
        Ok(())
    });
    assert!(replayed.is_ok());
    assert_eq!(found, [kept as u64 + 1]);
}
