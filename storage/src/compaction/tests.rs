#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use proptest::prelude::*;

use super::*;
use crate::attributes::tests::{layouts, rows as rows_with_attributes};
use crate::attributes::{Layout, Type};
use crate::files::Place;
use crate::schema;
use crate::segment::fixture::{Shape, batches, write_in};
use crate::segment::{Limits, Origin, SegmentErrorKind, write};

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
        let meta = write(&self.tmp(), &self.seg(), signal, 0, Origin::default(), rows).unwrap().remove(0);
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
        let (tmp, seg) = (folders.tmp(), folders.seg());
        let metas = merge(&inputs, &Target { limits, ..Target::new(&tmp, &seg, &stop) }).unwrap();
        prop_assert!(metas.iter().all(|meta| meta.level == 1 && meta.rows as usize <= cut));
        let newest = inputs.iter().map(|segment| segment.meta().id.timestamp_ms()).max();
        prop_assert!(metas.iter().all(|meta| Some(meta.id.timestamp_ms()) == newest));
        let merged: Vec<_> = metas.into_iter().map(|meta| Arc::new(Segment::open(&folders.seg(), meta).unwrap())).collect();
        prop_assert_eq!(read(&merged, signal), read(&expected, signal));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn segments_of_different_layouts_merge_and_stack_as_if_they_had_none(
        traces in any::<bool>(), seed: u64, inputs in prop::collection::vec((1usize..400, layouts()), 2..5), cut in 200usize..2000,
    ) {
        let signal = if traces { Signal::Traces } else { Signal::Logs };
        let folders = Folders::new();
        let (tmp, seg) = (folders.tmp(), folders.seg());
        let (mut segments, mut everything) = (Vec::new(), Vec::new());
        for (number, (size, layout)) in inputs.iter().enumerate() {
            let rows = numbered(rows_with_attributes(signal, seed.wrapping_add(number as u64), *size), number as i64 * 1_000);
            everything.push(rows.clone());
            std::thread::sleep(std::time::Duration::from_millis(2));
            let written = write_in(layout.clone(), (&tmp, &seg), signal, vec![rows]);
            segments.extend(written.into_iter().map(|meta| Arc::new(Segment::open(&seg, meta).unwrap())));
        }
        let expected = read(&[folders.write(signal, everything)], signal);
        let stop = AtomicBool::new(false);
        let limits = Limits { rows: cut, rows_for_columns: 0, ..Limits::default() };
        let mut target = Target { limits, ..Target::new(&tmp, &seg, &stop) };
        // Once and again: from many layouts to one, and from that to itself or another.
        for before in inputs.iter().map(|(_, layout)| layout.clone()).take(2) {
            target = target.with_layout_before(before);
            let merged = merge(&segments, &target).unwrap();
            segments = merged.into_iter().map(|meta| Arc::new(Segment::open(&seg, meta).unwrap())).collect();
            prop_assert_eq!(read(&segments, signal), expected.clone());
        }
        prop_assert!(segments.iter().all(|segment| !segment.is_index_wanting()));
    }
}

/// What is promoted and what is left are the same after stacking, whether row groups were copied or not.
#[test]
fn large_row_groups_of_another_layout_are_encoded_anew() {
    let folders = Folders::new();
    let (tmp, seg) = (folders.tmp(), folders.seg());
    let layout = |key: &str, of| Layout::new([(key.to_owned(), of)]);
    let most = layout("http.route", Type::Text);
    let (mut inputs, mut everything) = (Vec::new(), Vec::new());
    for (number, (size, layout)) in
        [(40_000, &most), (33_000, &layout("k", Type::Int)), (300, &Layout::default()), (50_000, &most)].into_iter().enumerate()
    {
        let parts = (0..size / 100).map(|part| {
            let rows = rows_with_attributes(Signal::Logs, (number * 1_000 + part) as u64, 100);
            later(&rows, number as i64)
        });
        let rows: Vec<RecordBatch> = parts.collect();
        let written = write_in(layout.clone(), (&tmp, &seg), Signal::Logs, rows);
        assert_eq!(written.len(), 1);
        inputs.extend(written.into_iter().map(|meta| Arc::new(Segment::open(&seg, meta).unwrap())));
        everything.push(read(&inputs[number..], Signal::Logs));
    }
    let stacked = crate::segment::stack(&inputs, &tmp, &seg, &AtomicBool::new(false)).unwrap().unwrap();
    let stacked = [Arc::new(Segment::open(&seg, stacked).unwrap())];
    assert!(stacked[0].layout().has_columns_of(&most));
    let sizes: Vec<usize> = stacked[0].row_groups().iter().map(|group| group.rows.len()).collect();
    assert_eq!(sizes, [40_000, 33_000, 300, 50_000]);
    assert_eq!(read(&stacked, Signal::Logs), concat_batches(&schema::of(Signal::Logs), &everything).unwrap());
}

/// The same records with ids from `first` on, as no two records of a store have one id.
fn numbered(rows: RecordBatch, first: i64) -> RecordBatch {
    let Ok(place) = rows.schema().index_of(schema::column::RECORD_ID) else { return rows };
    let mut columns = rows.columns().to_vec();
    let ids = columns[place].as_primitive::<Int64Type>();
    columns[place] = Arc::new(ids.unary::<_, Int64Type>(|id| id + first));
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// The same rows of one day, `hours` later.
fn later(rows: &RecordBatch, hours: i64) -> RecordBatch {
    let time = rows.schema().index_of(schema::column::TIME).unwrap();
    let mut columns = rows.columns().to_vec();
    let start = 1_700_000_000_000_000_000 / 86_400_000_000_000 * 86_400_000_000_000;
    let times = (0..rows.num_rows() as i64).map(|row| start + hours * 3_600_000_000_000 + row);
    columns[time] = Arc::new(arrow::array::Int64Array::from_iter_values(times));
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

#[test]
fn a_stopped_merge_leaves_nothing_behind() {
    let folders = Folders::new();
    let inputs = [folders.write(Signal::Logs, batches(Signal::Logs, 1, 500, Shape::default()))];
    let error = merge(&inputs, &Target::new(&folders.tmp(), &folders.seg(), &AtomicBool::new(true))).unwrap_err();
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

/// Places of what is chosen, and whether it is to be stacked.
fn job(metas: &[SegmentMeta], now_minute: u64) -> Option<(bool, Vec<usize>)> {
    let (stacked, ids) = match choose(&metas.iter().collect::<Vec<_>>(), UnixNanos::new(now_minute * MINUTE))? {
        Job::Merge(ids) => (false, ids),
        Job::Stack(ids) => (true, ids),
    };
    let mut places: Vec<usize> = ids.iter().map(|id| metas.iter().position(|meta| meta.id == *id).unwrap()).collect();
    places.sort_unstable();
    Some((stacked, places))
}

fn chosen(metas: &[SegmentMeta], now_minute: u64) -> Option<Vec<usize>> {
    let (stacked, places) = job(metas, now_minute)?;
    assert!(!stacked);
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
fn a_late_flush_is_merged_alone_so_that_no_row_is_written_more_than_four_times() {
    let metas = [meta(1, 90, 20, 25), meta(1, 5_000, 21, 26), meta(0, 100, 22, 23)];
    assert_eq!(chosen(&metas, 100), Some(vec![2]));
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
fn runs_of_a_day_are_stacked_when_it_is_over_or_when_they_are_enough() {
    let run: Vec<_> = (0..100).map(|n| meta(1, 10_000, 1_440 + n * 10, 1_449 + n * 10)).collect();
    assert_eq!(job(&run[..47], 2_000), None);
    assert_eq!(job(&run[..49], 2_000), Some((true, (0..48).collect())));
    assert_eq!(job(&run[..5], 2_880), None, "a minute of grace");
    assert_eq!(job(&run[..5], 2_882), Some((true, (0..5).collect())));
    assert_eq!(job(&run[..1], 9_000), None);
    let large: Vec<_> = (0..8).map(|n| meta(1, 1_500_000, 1_440 + n * 10, 1_449 + n * 10)).collect();
    assert_eq!(job(&large, 2_000), Some((true, vec![0, 1])));
    let full: Vec<_> = (0..8).map(|_| meta(1, 3_900_000, 1_440, 1_449)).collect();
    assert_eq!(job(&full, 9_000), None);
    let two_days = [meta(1, 10, 1_400, 1_439), meta(1, 10, 1_440, 1_449)];
    assert_eq!(job(&two_days, 9_000), None);
}

#[test]
fn what_comes_late_for_a_stacked_day_waits_for_company() {
    let mut metas = vec![meta(2, 100_000, 1_440, 2_879)];
    metas.extend((0..3).map(|n| meta(1, 10, 1_500 + n, 1_501 + n)));
    assert_eq!(job(&metas, 9_000), None);
    metas.push(meta(1, 10, 1_700, 1_701));
    assert_eq!(job(&metas, 9_000), Some((true, vec![1, 2, 3, 4])));
}

#[test]
fn no_row_is_written_more_than_four_times_whatever_comes_when() {
    let mut dice = crate::segment::fixture::Dice(7);
    let mut metas: Vec<SegmentMeta> = Vec::new();
    let mut writes = std::collections::HashMap::new();
    for minute in 1_440..4_400u64 {
        // Mostly now, at times from hours before.
        let back = if dice.below(20) == 0 { dice.below(900) } else { dice.below(3) };
        let late = meta(0, 1 + dice.below(400_000), minute - back, minute - back / 2);
        writes.insert(late.id, 2u8);
        metas.push(late);
        while let Some((stacked, places)) = job(&metas, minute) {
            let group: Vec<SegmentMeta> = places.iter().map(|place| metas[*place].clone()).collect();
            let from = group.iter().map(|meta| meta.min_time.get()).min().unwrap() / MINUTE;
            let to = group.iter().map(|meta| meta.max_time.get()).max().unwrap() / MINUTE;
            let output = meta(if stacked { 2 } else { 1 }, group.iter().map(|meta| meta.rows).sum(), from, to);
            writes.insert(output.id, 1 + group.iter().map(|meta| writes[&meta.id]).max().unwrap());
            metas.retain(|meta| !group.contains(meta));
            metas.push(output);
        }
        assert!(metas.iter().filter(|meta| meta.level < 2).count() < 200);
    }
    assert!(writes.values().all(|writes| *writes <= 4));
    assert!(writes.values().any(|writes| *writes == 4) && metas.len() < 250, "{}", metas.len());
}

#[test]
fn a_stack_of_several_parts_leaves_nothing_when_a_later_one_fails() {
    let folders = Folders::new();
    let mut shape = Shape { stray: false, ..Shape::default() };
    let inputs: Vec<Arc<Segment>> = (0..17)
        .map(|seed| {
            shape.from += shape.width as i64;
            folders.write(Signal::Logs, batches(Signal::Logs, seed, 40, shape))
        })
        .collect();
    let stop = AtomicBool::new(false);
    let (tmp, seg) = (folders.tmp(), folders.seg());
    let target = Target::new(&tmp, &seg, &stop);
    let names = seg.names().unwrap();
    assert_eq!(names.len(), 34);
    assert_eq!(merge_stack(&inputs[..16], &target).unwrap().len(), 1);
    let path = inputs[16].meta().parquet_path(&seg);
    let mut bytes = std::fs::read(path.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].fill(0xff);
    std::fs::write(path.path(), bytes).unwrap();
    let before = seg.names().unwrap();
    assert_eq!(merge_stack(&inputs, &target).unwrap_err().kind, SegmentErrorKind::Damaged);
    assert_eq!(seg.names().unwrap(), before);
    assert!(tmp.names().unwrap().is_empty());
}
