use std::fs;
use std::path::Path;

use ulid::Ulid;

use crate::deletion::DeleteWhat;
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::store::Signal;

use super::*;

const STORE: [u8; 16] = [7; 16];

fn meta(number: u64) -> SegmentMeta {
    SegmentMeta {
        id: Ulid::from_parts(number, u128::from(number)),
        signal: if number.is_multiple_of(2) { Signal::Traces } else { Signal::Logs },
        level: 1,
        rows: number,
        min_time: UnixNanos::new(number),
        max_time: UnixNanos::MAX,
        parquet_bytes: 3,
        index_bytes: 4,
        parquet_crc: 5,
        index_crc: 6,
    }
}

fn add(number: u64) -> Change {
    Change { add: vec![meta(number)], wal_through: number, next_record_id: number * 10, ..Change::default() }
}

fn open(dir: &Path) -> Result<Manifest, OpenError> {
    let place = Place::real(dir);
    Manifest::open(&place, &place, STORE, true)
}

#[test]
fn edits_add_up_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    assert_eq!(*manifest.contents(), Contents::default());
    manifest.commit(add(1)).unwrap();
    manifest.commit(add(2)).unwrap();
    manifest.commit(Change { add: vec![meta(3)], remove: vec![meta(1).id, meta(2).id], ..Change::default() }).unwrap();
    let contents = manifest.contents().clone();
    assert_eq!(contents.segments.values().cloned().collect::<Vec<_>>(), [meta(3)]);
    assert_eq!((contents.wal_through, contents.next_record_id), (2, 20));
    assert_eq!(*open(dir.path()).unwrap().contents(), contents);
}

#[test]
fn that_the_log_ended_holds_until_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    let ended = |manifest: &Manifest| (manifest.contents().log().ended, open(dir.path()).unwrap().contents().log().ended);
    manifest.commit(Change { log_begun: 1, ..Change::default() }).unwrap();
    manifest.commit(add(4)).unwrap();
    assert_eq!(ended(&manifest), (false, false));
    manifest.commit(Change { log_ended: 5, ..Change::default() }).unwrap();
    assert_eq!(ended(&manifest), (true, true));
    // The file of the list is replaced by one edit.
    manifest.replace_at = 1;
    manifest.commit(Change { remove: vec![meta(4).id], ..Change::default() }).unwrap();
    assert_eq!(ended(&manifest), (true, true));
    // The same file of the log is begun again.
    manifest.commit(Change { log_begun: 1, ..Change::default() }).unwrap();
    assert_eq!(ended(&manifest), (false, false));
    // What a version did that does not know of it.
    manifest.commit(Change { log_ended: 5, ..Change::default() }).unwrap();
    manifest.commit(add(6)).unwrap();
    assert_eq!(ended(&manifest), (false, false));
}

#[test]
fn deletes_are_remembered_changed_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    let by_trace = Deletion {
        id: Ulid::from_parts(1, 1),
        what: DeleteWhat::Traces(vec![TraceId::from_slice(&[1; 16]).unwrap(), TraceId::from_slice(&[2; 16]).unwrap()]),
        asked: UnixNanos::new(5),
        rows: [3, 4],
        segments: [meta(1).id, meta(2).id].into(),
        wal_through: 9,
        done: None,
    };
    let what = DeleteWhat::Matching { signal: Signal::Logs, query: "secret".to_owned(), range: TimeRange::ALL };
    let by_query = Deletion { id: Ulid::from_parts(2, 2), what, segments: [].into(), ..by_trace.clone() };
    manifest.commit(Change { deletions: vec![by_trace.clone(), by_query.clone()], ..add(1) }).unwrap();
    let known = |dir: &Path| open(dir).unwrap().contents().deletions.values().cloned().collect::<Vec<_>>();
    assert_eq!(known(dir.path()), [by_trace.clone(), by_query.clone()]);
    let done = Deletion { done: Some(UnixNanos::new(7)), ..by_query };
    manifest.commit(Change { deletions: vec![done.clone()], forget: vec![by_trace.id], ..Change::default() }).unwrap();
    assert_eq!(known(dir.path()), [done]);
    manifest.replace_at = 1;
    manifest.commit(add(2)).unwrap();
    assert_eq!(open(dir.path()).unwrap().contents(), manifest.contents());
}

#[test]
fn a_torn_last_edit_is_cut_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    manifest.commit(add(1)).unwrap();
    let before = manifest.bytes;
    manifest.commit(add(2)).unwrap();
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    for cut in usize::try_from(before).unwrap()..whole.len() {
        fs::write(dir.path().join(FILE), &whole[..cut]).unwrap();
        let mut manifest = open(dir.path()).unwrap();
        assert_eq!(manifest.contents().wal_through, 1);
        manifest.commit(add(5)).unwrap();
        assert_eq!(open(dir.path()).unwrap().contents().wal_through, 5, "edits go on after the cut");
    }
}

#[test]
fn a_flipped_bit_before_the_last_edit_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    manifest.commit(add(1)).unwrap();
    let middle = usize::try_from(manifest.bytes).unwrap();
    manifest.commit(add(2)).unwrap();
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 4;
        fs::write(dir.path().join(FILE), &bytes).unwrap();
        match open(dir.path()) {
            Ok(manifest) => assert!(byte >= middle && manifest.contents().wal_through == 1, "byte {byte} passed unnoticed"),
            Err(error) => assert!(byte < middle && matches!(error, OpenError::Damaged { .. }), "{error}"),
        }
    }
    let place = Place::real(dir.path());
    assert!(Manifest::open(&place, &place, [0; 16], true).is_err(), "a manifest of another folder");
}

#[test]
fn a_grown_file_is_replaced_and_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    manifest.replace_at = 1000;
    for number in 1..60 {
        let remove = if number > 3 { vec![meta(number - 3).id] } else { Vec::new() };
        manifest.commit(Change { remove, ..add(number) }).unwrap();
        manifest.replace_at = manifest.replace_at.min(1000);
    }
    assert!(manifest.bytes < 2000, "{}", manifest.bytes);
    assert_eq!(manifest.contents().segments.len(), 3);
    assert_eq!(open(dir.path()).unwrap().contents(), manifest.contents());
}

#[test]
fn rows_written_are_counted_by_what_wrote_them_over_starts_and_replacements() {
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = open(dir.path()).unwrap();
    let of = |level, number| SegmentMeta { level, signal: Signal::Logs, rows: 10 * number, ..meta(number) };
    let change = |remove: &[u64], add: Vec<SegmentMeta>| Change {
        remove: remove.iter().map(|number| meta(*number).id).collect(),
        add,
        ..Change::default()
    };
    let written = |manifest: &Manifest| {
        let [now, again] = [manifest.contents().written, open(dir.path()).unwrap().contents().written];
        assert_eq!(now, again);
        (now.of(Signal::Traces), now.of(Signal::Logs))
    };
    manifest.commit(change(&[], vec![of(0, 1), of(0, 2), of(1, 3)])).unwrap();
    assert_eq!(written(&manifest), ([0; 3], [60, 0, 0]), "a flush, also of a run");
    manifest.commit(change(&[1], vec![of(0, 1)])).unwrap();
    assert_eq!(written(&manifest), ([0; 3], [60, 0, 0]), "another index");
    manifest.commit(change(&[1, 2], vec![of(1, 4)])).unwrap();
    manifest.replace_at = 1;
    manifest.commit(change(&[3, 4], vec![of(2, 5)])).unwrap();
    assert_eq!(written(&manifest), ([0; 3], [60, 40, 50]));
    manifest.commit(change(&[5], Vec::new())).unwrap();
    assert_eq!(written(&manifest), ([0; 3], [60, 40, 50]), "what is gone was written");
}

#[test]
fn a_list_of_before_writes_were_counted_begins_with_what_its_segments_say() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let all = Change { written: None, add: vec![meta(2), SegmentMeta { level: 2, ..meta(4) }], ..Change::default() };
    let mut bytes = header(STORE);
    let first = frame(bytes.len() as u64, &Edit::from(all));
    bytes.extend(first);
    let flush = frame(bytes.len() as u64, &Edit::from(Change { add: vec![SegmentMeta { level: 0, ..meta(6) }], ..Change::default() }));
    bytes.extend(flush);
    fs::write(&file, bytes).unwrap();
    let manifest = open(dir.path()).unwrap();
    assert_eq!(manifest.contents().segments.len(), 3);
    assert_eq!(manifest.contents().written.of(Signal::Traces), [2 + 4 + 6, 2 + 4, 4]);
}
