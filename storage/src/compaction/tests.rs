#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::merge::merge_within;
use super::*;
use crate::files::Place;
use crate::schema;
use crate::segment::fixture::{Shape, batches};
use crate::segment::{Limits, SegmentErrorKind, write};

const MINUTE: u64 = 60_000_000_000;

struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folders = Self { root };
        folders.tmp().create_folder().unwrap();
        folders.seg().create_folder().unwrap();
        folders
    }

    fn tmp(&self) -> Place {
        Place::real(self.root.path().join("tmp"))
    }

    fn seg(&self) -> Place {
        Place::real(self.root.path().join("seg"))
    }

    fn write(&self, signal: Signal, rows: Vec<RecordBatch>) -> Arc<Segment> {
        let meta = write(&self.tmp(), &self.seg(), signal, 0, rows).unwrap().remove(0);
        // Ids made within one millisecond are in no order.
        std::thread::sleep(std::time::Duration::from_millis(2));
        Arc::new(Segment::open(&self.seg(), meta).unwrap())
    }
}

fn read(segments: &[Arc<Segment>], signal: Signal) -> RecordBatch {
    let table = schema::of(signal);
    let columns: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).collect();
    let batches = segments.iter().flat_map(|segment| segment.read(&columns, None).unwrap().map(Result::unwrap)).collect::<Vec<_>>();
    concat_batches(&table, &batches).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_merge_equals_sorting_everything_at_once(
        traces in any::<bool>(), seed: u64, sizes in prop::collection::vec(1usize..1500, 1..6), variety in 1u64..60, cut in 200usize..5000,
    ) {
        let signal = if traces { Signal::Traces } else { Signal::Logs };
        let folders = Folders::new();
        let mut inputs = Vec::new();
        let mut everything = Vec::new();
        let mut first_record = 0;
        for (number, size) in sizes.iter().enumerate() {
            let rows = batches(signal, seed.wrapping_add(number as u64), *size, Shape { traces: variety, first_record, ..Shape::default() });
            first_record += *size as i64;
            everything.extend(rows.iter().cloned());
            inputs.push(folders.write(signal, rows));
        }
        let expected = [folders.write(signal, everything)];
        inputs.rotate_left(sizes.len() / 2);
        let limits = Limits { rows: cut, ..Limits::default() };
        let stop = AtomicBool::new(false);
        let metas = merge_within(limits, &inputs, &folders.tmp(), &folders.seg(), signal, &stop).unwrap();
        prop_assert!(metas.iter().all(|meta| meta.level == 1 && meta.rows as usize <= cut));
        let newest = inputs.iter().map(|segment| segment.meta().id.timestamp_ms()).max();
        prop_assert!(metas.iter().all(|meta| Some(meta.id.timestamp_ms()) == newest));
        let merged: Vec<_> = metas.into_iter().map(|meta| Arc::new(Segment::open(&folders.seg(), meta).unwrap())).collect();
        prop_assert_eq!(read(&merged, signal), read(&expected, signal));
    }
}

#[test]
fn a_stopped_merge_leaves_nothing_behind() {
    let folders = Folders::new();
    let inputs = [folders.write(Signal::Logs, batches(Signal::Logs, 1, 500, Shape::default()))];
    let error = merge(&inputs, &folders.tmp(), &folders.seg(), Signal::Logs, &AtomicBool::new(true)).unwrap_err();
    assert_eq!(error.kind, SegmentErrorKind::Stopped);
    assert_eq!(folders.tmp().names().unwrap().len(), 0);
    assert_eq!(folders.seg().names().unwrap().len(), 2, "the input's files");
}

fn meta(level: u8, rows: u64, from_minute: u64, to_minute: u64) -> SegmentMeta {
    SegmentMeta {
        id: ulid::Ulid::new(),
        signal: Signal::Traces,
        level,
        rows,
        min_time: UnixNanos::new(from_minute * MINUTE),
        max_time: UnixNanos::new(to_minute * MINUTE),
        parquet_bytes: 0,
        index_bytes: 0,
        parquet_crc: 0,
        index_crc: 0,
    }
}

fn chosen(metas: &[SegmentMeta], now_minute: u64) -> Option<Vec<usize>> {
    let ids = choose(&metas.iter().collect::<Vec<_>>(), UnixNanos::new(now_minute * MINUTE))?;
    let mut places: Vec<usize> = ids.iter().map(|id| metas.iter().position(|meta| meta.id == *id).unwrap()).collect();
    places.sort_unstable();
    Some(places)
}

#[test]
fn flushes_wait_until_their_newest_bucket_is_over() {
    let metas = [meta(0, 100, 20, 21), meta(0, 100, 28, 31), meta(0, 100, 22, 25)];
    assert_eq!(chosen(&metas, 30), None);
    assert_eq!(chosen(&metas, 31), None, "a minute of grace");
    assert_eq!(chosen(&metas, 32), Some(vec![0, 2]));
    assert_eq!(chosen(&metas, 42), Some(vec![0, 1, 2]));
}

#[test]
fn a_late_flush_takes_small_merged_neighbours_with_it_but_not_large_ones() {
    let metas = [meta(1, 90, 20, 25), meta(1, 5_000, 21, 26), meta(1, 50, 50, 55), meta(0, 100, 22, 23)];
    assert_eq!(chosen(&metas, 100), Some(vec![0, 3]));
}

#[test]
fn a_row_from_1970_does_not_rewrite_everything() {
    let mut metas: Vec<_> = (0..500).map(|n| meta(1, 200_000, 1_000_000 + n * 10, 1_000_000 + n * 10 + 9)).collect();
    metas.push(meta(0, 1_000, 0, 1_000_500));
    assert_eq!(chosen(&metas, 2_000_000), Some(vec![500]));
}

#[test]
fn more_than_sixteen_open_flushes_are_merged_sixteen_at_a_time() {
    let metas: Vec<_> = (0..17).map(|_| meta(0, 100, 20, 21)).collect();
    assert_eq!(chosen(&metas[..16], 25), None);
    assert_eq!(chosen(&metas, 25).unwrap().len(), 16);
    let large: Vec<_> = (0..17).map(|_| meta(0, 1_500_000, 20, 21)).collect();
    assert_eq!(chosen(&large, 25).unwrap().len(), 2);
}

#[test]
fn merged_segments_of_like_size_are_folded_together_within_a_day() {
    let run: Vec<_> = (0..8).map(|n| meta(1, 10_000, 1_440 + n * 10, 1_449 + n * 10)).collect();
    assert_eq!(chosen(&run[..7], 5_000), None);
    assert_eq!(chosen(&run, 5_000).unwrap().len(), 8);
    let two_days: Vec<_> = (0..8).map(|n| meta(1, 10_000, 1_400 + n * 10, 1_409 + n * 10)).collect();
    assert_eq!(chosen(&two_days, 5_000), None);
    let overlapping: Vec<_> = (0..4).map(|_| meta(1, 100_000, 20, 25)).collect();
    assert_eq!(chosen(&overlapping, 5_000).unwrap().len(), 4);
    let large: Vec<_> = (0..8).map(|_| meta(1, 3_000_000, 20, 25)).collect();
    assert_eq!(chosen(&large, 5_000), None);
}
