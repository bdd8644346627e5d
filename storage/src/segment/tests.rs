#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use proptest::prelude::*;

use super::fixture::{Dice, Shape, batches, joined, trace_id};
use super::*;
use crate::model::TraceId;
use crate::schema::{self, column};

pub(super) struct Folders {
    _root: tempfile::TempDir,
    pub(super) tmp: Place,
    pub(super) seg: Place,
}

impl Folders {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (tmp, seg) = (Place::real(root.path().join("tmp")), Place::real(root.path().join("seg")));
        tmp.create_folder().unwrap();
        seg.create_folder().unwrap();
        Self { _root: root, tmp, seg }
    }

    pub(super) fn write(&self, signal: Signal, level: u8, rows: Vec<RecordBatch>) -> Segment {
        let metas = write(&self.tmp, &self.seg, signal, level, Origin::default(), rows).unwrap();
        assert_eq!(metas.len(), 1);
        assert_eq!(self.tmp.names().unwrap().len(), 0, "temporary files are gone");
        Segment::open(&self.seg, metas.into_iter().next().unwrap()).unwrap()
    }
}

fn all_columns(signal: Signal) -> Vec<String> {
    schema::of(signal).fields().iter().map(|field| field.name().clone()).collect()
}

pub(super) fn read(segment: &Segment, columns: &[&str], rows: Option<&RowRanges>) -> RecordBatch {
    let batches = segment.read(columns, rows).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let table = schema::of(segment.meta().signal);
    let positions: Vec<usize> =
        table.fields().iter().enumerate().filter(|(_, f)| columns.contains(&f.name().as_str())).map(|(i, _)| i).collect();
    let expected = Arc::new(table.project(&positions).unwrap());
    assert!(batches.iter().all(|batch| batch.schema() == expected && batch.num_rows() <= 8_192));
    concat_batches(&expected, &batches).unwrap()
}

fn read_all(segment: &Segment) -> RecordBatch {
    let columns = all_columns(segment.meta().signal);
    read(segment, &columns.iter().map(String::as_str).collect::<Vec<_>>(), None)
}

/// The rows as they must lie in a segment, found the slow way.
fn model(signal: Signal, rows: &[RecordBatch]) -> RecordBatch {
    let all = joined(signal, rows);
    let time = all.column_by_name(schema::time_column(signal)).unwrap().as_primitive::<arrow::datatypes::Int64Type>().clone();
    let bytes = |name: &str, row: usize| all.column_by_name(name).unwrap().as_fixed_size_binary().value(row).to_vec();
    let mut sorted = BTreeMap::new();
    for row in 0..all.num_rows() {
        let t = time.value(row) as u64;
        let bucket = t / 600_000_000_000;
        let key = match signal {
            Signal::Traces => {
                let kind = all.column_by_name(column::KIND).unwrap().as_primitive::<arrow::datatypes::Int32Type>().value(row);
                (bucket, bytes(column::TRACE_ID, row), t, bytes(column::SPAN_ID, row), i64::from(kind))
            }
            Signal::Logs => {
                let service = all.column_by_name(column::SERVICE_NAME).unwrap().as_string_view().value(row).as_bytes().to_vec();
                let record = all.column_by_name(column::RECORD_ID).unwrap().as_primitive::<arrow::datatypes::Int64Type>().value(row);
                (bucket, service, t, Vec::new(), record)
            }
        };
        sorted.insert(key, row as u32);
    }
    take_record_batch(&all, &UInt32Array::from_iter_values(sorted.into_values())).unwrap()
}

fn signals() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::Traces), Just(Signal::Logs)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_come_back_sorted_and_without_duplicates(signal in signals(), seed: u64, rows in 1usize..3000, traces in 1u64..200, level in 0u8..2) {
        let folders = Folders::new();
        let rows = batches(signal, seed, rows, Shape { traces, ..Shape::default() });
        let expected = model(signal, &rows);
        let segment = folders.write(signal, level, rows);
        prop_assert_eq!(segment.meta().rows as usize, expected.num_rows());
        prop_assert_eq!(read_all(&segment), expected);
    }

    #[test]
    fn any_columns_of_any_rows_equal_the_same_part_of_all(signal in signals(), seed: u64, picks in prop::collection::vec(any::<u32>(), 1..8)) {
        let folders = Folders::new();
        let segment = folders.write(signal, 0, batches(signal, seed, 20_000, Shape { traces: 5_000, ..Shape::default() }));
        let all = read_all(&segment);
        let mut dice = Dice(seed);
        let rows = all.num_rows() as u32;
        let ranges = merged_rows(picks.iter().map(|pick| pick % rows..(pick % rows + 1 + dice.below(5_000) as u32).min(rows)).collect());
        let columns = all_columns(signal);
        let columns: Vec<&str> = columns.iter().filter(|_| dice.below(2) == 0).map(String::as_str).collect();
        prop_assume!(!columns.is_empty());
        let part = read(&segment, &columns, Some(&ranges));
        let numbers = UInt32Array::from_iter_values(ranges.iter().cloned().flatten());
        let expected = take_record_batch(&all, &numbers).unwrap();
        for column in columns {
            prop_assert_eq!(part.column_by_name(column), expected.column_by_name(column));
        }
    }

    #[test]
    fn every_trace_is_found_where_it_is(signal in signals(), seed: u64, rows in 1usize..4000, traces in 1u64..3000) {
        let folders = Folders::new();
        let segment = folders.write(signal, 0, batches(signal, seed, rows, Shape { traces, ..Shape::default() }));
        for number in 0..traces.min(300) {
            let id = TraceId::from_slice(&trace_id(number)).unwrap();
            prop_assert_eq!(segment.trace_rows(id).unwrap(), segment.scan_for_trace(id).unwrap());
        }
        let absent = (traces..traces + 1000).map(|number| TraceId::from_slice(&trace_id(number + 1_000_000)).unwrap());
        prop_assert_eq!(absent.filter(|id| !segment.trace_rows(*id).unwrap().is_empty()).count(), 0);
    }
}

#[test]
fn many_keys_are_found_across_pages_whatever_their_spread() {
    let folders = Folders::new();
    for spread in [1u64, 1 << 40] {
        let mut builder = trace_keys::TraceKeysBuilder::default();
        let ids: Vec<[u8; 16]> = (0..30_000u64).map(|n| u128::from((n / 2 + 1) * spread).to_be_bytes()).collect();
        // Odd rows of a trace lie far from the even ones.
        let rows = ids.iter().step_by(2).chain(ids.iter().skip(1).step_by(2));
        for (row, id) in (0..).zip(rows) {
            builder.push(id, row);
        }
        let (pages, fuse) = builder.finish();
        let path = folders.tmp.join(format!("keys{spread}"));
        let mut bundle = BundleWriter::create(path.clone()).unwrap();
        bundle.add(TRACE_KEYS, &pages).unwrap();
        let len = bundle.finish().unwrap().len;
        // The temporary file was removed with its handle.
        assert!(!path.is_there() && len > 0);
        let mut bundle = BundleWriter::create(path.clone()).unwrap();
        bundle.add(TRACE_KEYS, &pages).unwrap();
        let kept = folders.seg.join(format!("keys{spread}"));
        let synced = bundle.finish().unwrap();
        let len = synced.len;
        synced.rename(&kept).unwrap();
        let bundle = Bundle::open(&kept, len).unwrap();
        let keys = trace_keys::TraceKeys::new(bundle.file().clone(), bundle.find(TRACE_KEYS).unwrap()).unwrap();
        let filter = trace_keys::TraceFilter::new(fuse.unwrap()).unwrap();
        for n in 0..15_000u32 {
            let hash = trace_keys::hash(&ids[n as usize * 2]);
            assert!(filter.may_contain(hash));
            let rows = keys.rows(hash).unwrap();
            assert!(rows.iter().any(|range| range.contains(&n)) && rows.iter().any(|range| range.contains(&(n + 15_000))), "{n}: {rows:?}");
        }
    }
}

#[test]
fn row_groups_and_lists_describe_the_rows() {
    let folders = Folders::new();
    let mut shape = Shape { traces: 100_000, stray: false, ..Shape::default() };
    let rows: Vec<RecordBatch> = (0..18)
        .map(|seed| {
            shape.first_record += 8_000;
            fixture::batch(Signal::Logs, seed, 8_000, shape)
        })
        .collect();
    let segment = folders.write(Signal::Logs, 0, rows);
    assert_eq!(segment.row_groups().iter().map(|group| group.rows.clone()).collect::<Vec<_>>(), [0..131_072, 131_072..144_000]);
    assert_eq!(segment.services().unwrap().len(), 5);
    let times = read(&segment, &[column::TIME], None);
    let times = times.column(0).as_primitive::<arrow::datatypes::Int64Type>();
    for group in segment.row_groups() {
        let inside = group.rows.clone().map(|row| times.value(row as usize) as u64);
        assert_eq!((inside.clone().min(), inside.max()), (Some(group.min_time.get()), Some(group.max_time.get())));
    }
    assert_eq!(segment.meta().min_time, segment.row_groups()[0].min_time);
    let last = read(&segment, &[column::TIME], Some(&vec![131_000..131_100, 143_999..144_000]));
    assert_eq!(last.num_rows(), 101);
}

#[test]
fn operations_count_spans_by_service_name_and_kind() {
    let folders = Folders::new();
    let rows = batches(Signal::Traces, 3, 900, Shape { traces: 1_000_000, ..Shape::default() });
    let segment = folders.write(Signal::Traces, 0, rows);
    let operations = segment.operations().unwrap();
    assert!(operations.complete);
    assert_eq!(operations.entries.iter().map(|entry| entry.count).sum::<u64>(), segment.meta().rows);
    assert!(operations.entries.len() <= 5 * 9 * 3 && operations.entries.is_sorted());
}

#[test]
fn a_flipped_bit_in_the_bundle_is_noticed_and_only_slows_reads() {
    let folders = Folders::new();
    for signal in [Signal::Traces, Signal::Logs] {
        let segment = folders.write(signal, 1, batches(signal, 9, 600, Shape::default()));
        let meta = segment.meta().clone();
        let path = meta.index_path(&folders.seg);
        let whole = path.read().unwrap();
        let ids: Vec<TraceId> = (0..45).map(|number| TraceId::from_slice(&trace_id(number)).unwrap()).collect();
        let expected: Vec<RowRanges> = ids.iter().map(|id| segment.scan_for_trace(*id).unwrap()).collect();
        let timeouts = segment.text_rows(&["timeout".to_owned()]).unwrap();
        assert_eq!(timeouts.is_some(), signal == Signal::Logs);
        let hashes: Vec<u64> = (0..4).map(|key| key_hash(Owner::Record, &format!("some.attribute.key.{key}"))).collect();
        let granules: Vec<Option<RowRanges>> = hashes.iter().map(|hash| segment.attribute_rows(*hash)).collect();
        assert_eq!(granules[0], Some(vec![Range { start: 0, end: meta.rows as u32 }]));
        assert_eq!(granules[3], Some(RowRanges::new()));
        for at in (0..whole.len()).step_by(1 + whole.len() / 300) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            // A new file: open ones keep their bytes.
            path.remove().unwrap();
            std::fs::write(path.path(), &damaged).unwrap();
            let reopened = Segment::open(&folders.seg, meta.clone()).unwrap();
            assert!(reopened.services().is_none() || reopened.services() == segment.services());
            assert!(reopened.operations().is_none() || reopened.operations() == segment.operations());
            assert!(reopened.row_groups()[0].min_time <= segment.row_groups()[0].min_time);
            for (id, rows) in ids.iter().zip(&expected).step_by(7) {
                assert_eq!(&reopened.trace_rows(*id).unwrap(), rows, "byte {at}");
            }
            for (hash, rows) in hashes.iter().zip(&granules) {
                let found = reopened.attribute_rows(*hash);
                assert!(found.is_none() || found == *rows, "byte {at}");
            }
            if let Some(attributes) = reopened.attributes() {
                assert!(attributes.catalogue().is_none() || attributes.catalogue() == segment.attributes().unwrap().catalogue());
                assert!(attributes.resources().is_none() || attributes.resources() == segment.attributes().unwrap().resources());
            }
            let found = reopened.text_rows(&["timeout".to_owned()]).unwrap();
            assert!(found.is_none() || found == timeouts, "byte {at}");
        }
        path.remove().unwrap();
        let without = Segment::open(&folders.seg, meta).unwrap();
        assert_eq!((without.services(), without.trace_rows(ids[1]).unwrap()), (None, expected[1].clone()));
        assert_eq!(without.text_rows(&["timeout".to_owned()]).unwrap(), None);
        assert_eq!(without.attribute_rows(hashes[3]), None);
    }
}

#[test]
fn a_flipped_bit_in_the_parquet_file_is_an_error_and_never_other_rows() {
    let folders = Folders::new();
    for signal in [Signal::Traces, Signal::Logs] {
        let segment = folders.write(signal, 0, batches(signal, 4, 900, Shape::default()));
        let meta = segment.meta().clone();
        let expected = read_all(&segment);
        let columns = all_columns(signal);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let (path, index) = (meta.parquet_path(&folders.seg), meta.index_path(&folders.seg));
        let (whole, bundle) = (path.read().unwrap(), index.read().unwrap());
        let read_back = || -> Result<RecordBatch, SegmentError> {
            let segment = Segment::open(&folders.seg, meta.clone())?;
            let rows = segment.read(&columns, None)?.collect::<Result<Vec<_>, _>>()?;
            Ok(concat_batches(&schema::of(signal), &rows).unwrap())
        };
        for at in (0..whole.len()).step_by(1 + whole.len() / 400) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(path.path(), &damaged).unwrap();
            let with_index = read_back();
            index.remove().unwrap();
            let error = read_back().expect_err("without the index, too");
            assert_eq!(error.kind, SegmentErrorKind::Damaged);
            std::fs::write(index.path(), &bundle).unwrap();
            match with_index {
                // Some bytes, such as the first four, belong to no column.
                Ok(rows) => assert!(rows == expected, "byte {at}"),
                Err(error) => assert!(error.to_string().contains("do not match their checksum"), "byte {at}: {error}"),
            }
        }
    }
}

#[test]
fn a_truncated_parquet_file_is_refused_when_opened() {
    let folders = Folders::new();
    let meta = folders.write(Signal::Traces, 0, batches(Signal::Traces, 1, 100, Shape::default())).meta().clone();
    let path = meta.parquet_path(&folders.seg);
    let whole = path.read().unwrap();
    assert_eq!((whole.len() as u64, crc32c::crc32c(&whole)), (meta.parquet_bytes, meta.parquet_crc));
    std::fs::write(path.path(), &whole[..whole.len() - 1]).unwrap();
    let error = Segment::open(&folders.seg, meta).unwrap_err();
    assert_eq!(error.kind, SegmentErrorKind::Damaged);
    assert!(error.to_string().contains("expected"), "{error}");
}

#[test]
fn an_unknown_column_is_an_error_that_names_it() {
    let folders = Folders::new();
    let segment = folders.write(Signal::Logs, 0, batches(Signal::Logs, 1, 10, Shape::default()));
    let error = segment.read(&["nonsense"], None).err().unwrap();
    assert!(error.to_string().contains("`nonsense`"), "{error}");
}

#[test]
fn rows_are_cut_at_limits_and_between_days_but_stray_times_stay_together() {
    let folders = Folders::new();
    let day = 86_400_000_000_000i64;
    let on_day = |number: i64, rows| {
        model(
            Signal::Traces,
            &[fixture::batch(Signal::Traces, 5, rows, Shape { from: number * day, width: 1_000, traces: 1 << 40, ..Shape::default() })],
        )
    };
    let cut = |limits, batches: &[RecordBatch]| {
        let mut output = Output::new(&folders.tmp, &folders.seg, Signal::Traces, 1).with_limits(limits);
        batches.iter().for_each(|batch| output.push(&batch.slice(0, batch.num_rows().min(90))).unwrap());
        output.finish().unwrap().iter().map(|meta| meta.rows).collect::<Vec<_>>()
    };
    let days = [on_day(100, 100), on_day(101, 100), on_day(102, 100)];
    let wide = Limits::default();
    assert_eq!(cut(Limits { rows_for_day_cut: 50, ..wide }, &days), [90, 90, 90]);
    assert_eq!(cut(Limits { rows_for_day_cut: 100, ..wide }, &days), [180, 90]);
    assert_eq!(cut(wide, &days), [270]);
    assert_eq!(cut(Limits { rows: 100, ..wide }, &days), [100, 100, 70]);
}
