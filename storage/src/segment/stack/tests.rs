#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::super::fixture::{Dice, Shape, batch, batches, trace_id};
use super::super::tests::{Folders, read};
use super::super::{Owner, key_hash, value_hash};
use super::*;
use crate::files::{Mounted, Plan, Simulated};
use crate::model::TraceId;
use crate::segment::{BundleWriter, Scalar, write};

fn all(segment: &Segment) -> RecordBatch {
    let table = schema::of(segment.meta().signal);
    read(segment, &table.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), None)
}

fn stacked(folders: &Folders, inputs: &[Arc<Segment>]) -> Option<Segment> {
    let meta = stack(inputs, &folders.tmp, &folders.seg, &AtomicBool::new(false)).unwrap()?;
    assert!(folders.tmp.names().unwrap().is_empty());
    Some(Segment::open(&folders.seg, meta).unwrap())
}

/// The stack has the rows of its inputs in order, and its indexes say of them what the rows say.
fn check(stack: &Segment, inputs: &[Arc<Segment>]) {
    let signal = stack.meta().signal;
    let mut inputs: Vec<_> = inputs.to_vec();
    inputs.sort_unstable_by_key(|segment| (segment.meta().min_time, segment.meta().id));
    let rows: Vec<RecordBatch> = inputs.iter().map(|segment| all(segment)).collect();
    let rows = concat_batches(&schema::of(signal), &rows).unwrap();
    assert_eq!(all(stack), rows);
    assert!(!stack.is_index_wanting());
    assert_eq!((stack.meta().level, stack.meta().rows as usize), (2, rows.num_rows()));
    assert_eq!(stack.meta().min_time, inputs.iter().map(|segment| segment.meta().min_time).min().unwrap());
    assert_eq!(stack.meta().max_time, inputs.iter().map(|segment| segment.meta().max_time).max().unwrap());
    let times = rows.column_by_name(schema::time_column(signal)).unwrap().as_primitive::<Int64Type>().clone();
    let mut end = 0;
    for group in stack.row_groups() {
        assert_eq!(group.rows.start, end);
        end = group.rows.end;
        let within = || group.rows.clone().map(|row| times.value(row as usize).cast_unsigned());
        assert_eq!((within().min().unwrap(), within().max().unwrap()), (group.min_time.get(), group.max_time.get()));
    }
    assert_eq!(end as usize, rows.num_rows());
    // A part alone: pages and offsets fit together.
    let part = RowRanges::from([end / 3..end / 3 + 1, end / 2..end]);
    let expected = concat_batches(&schema::of(signal), &part.iter().map(|r| rows.slice(r.start as usize, r.len())).collect::<Vec<_>>());
    let table = schema::of(signal);
    let names = table.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
    assert_eq!(read(stack, &names, Some(&part)), expected.unwrap());
    for number in 0..40 {
        let id = TraceId::from_slice(&trace_id(number)).unwrap();
        assert_eq!(stack.trace_rows(id).unwrap(), stack.scan_for_trace(id).unwrap());
    }
    check_attributes(stack, &rows);
    if signal == Signal::Logs {
        check_text(stack, &rows);
    }
}

fn check_attributes(stack: &Segment, rows: &RecordBatch) {
    let map = rows.column_by_name(column::ATTR_STR).unwrap().as_map();
    let (keys, values) = (map.keys().as_string_view(), map.values().as_string_view());
    for row in (0..rows.num_rows()).step_by(1 + rows.num_rows() / 50) {
        for at in map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize {
            let key = key_hash(Owner::Record, keys.value(at));
            for hash in [key, value_hash(key, Scalar::Text(values.value(at))).unwrap()] {
                let found = stack.attribute_rows(hash).unwrap();
                assert!(found.iter().any(|range| range.contains(&(row as u32))), "row {row} of {}: {found:?}", rows.num_rows());
            }
        }
    }
    let index = stack.attributes().unwrap();
    let entry = index.catalogue().unwrap().entry(Owner::Record, "some.attribute.key.1").unwrap();
    let counted: u64 = entry.types.iter().filter(|values| values.kind == crate::segment::Kind::Text).map(|values| values.count).sum();
    assert_eq!(counted, keys.iter().filter(|key| *key == Some("some.attribute.key.1")).count() as u64);
    let resources = rows.column_by_name(column::RESOURCE).unwrap().as_binary_view();
    for row in (0..rows.num_rows()).step_by(1 + rows.num_rows() / 50) {
        let found = index.resources().unwrap().rows(rows.num_rows() as u32, |envelope| envelope == resources.value(row));
        assert!(found.iter().any(|range| range.contains(&(row as u32))));
    }
}

fn check_text(stack: &Segment, rows: &RecordBatch) {
    let bodies = rows.column_by_name(column::BODY).unwrap().as_string_view();
    for term in ["timeout", "order", "nowhere"] {
        let mut expected = RowRanges::new();
        for (row, body) in (0..).zip(bodies) {
            if body.is_some_and(|body| crate::text::terms(body).iter().any(|found| found == term)) {
                super::super::push_row(&mut expected, row);
            }
        }
        let found = stack.text_rows(&[term.to_owned()]).unwrap().unwrap();
        assert!(expected.iter().flat_map(Clone::clone).all(|row| super::super::holds_rows(&found, row)), "{term}");
        assert!(super::super::count_rows(&found) <= 31 * super::super::count_rows(&expected) + 16 * 40, "{term}");
    }
    for prefix in ["time", "o", "userid", "grü", "nowhere"] {
        let mut expected = RowRanges::new();
        for (row, body) in (0..).zip(bodies) {
            if body.is_some_and(|body| crate::text::terms(body).iter().any(|found| found.starts_with(prefix))) {
                super::super::push_row(&mut expected, row);
            }
        }
        let found = stack.prefix_rows(prefix).unwrap();
        assert!(expected.iter().flat_map(Clone::clone).all(|row| super::super::holds_rows(&found, row)), "{prefix}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_stack_has_the_rows_and_the_indexes_of_its_inputs(traces in any::<bool>(), seed: u64, sizes in prop::collection::vec(1usize..1_500, 1..5)) {
        let signal = if traces { Signal::Traces } else { Signal::Logs };
        let folders = Folders::new();
        let mut shape = Shape { stray: false, ..Shape::default() };
        let inputs: Vec<_> = sizes.iter().enumerate().map(|(number, size)| {
            let segment = folders.write(signal, 1, batches(signal, seed.wrapping_add(number as u64), *size, shape));
            shape.first_record += *size as i64;
            shape.from += shape.width as i64;
            Arc::new(segment)
        }).collect();
        let stack = stacked(&folders, &inputs).unwrap();
        check(&stack, &inputs);
    }
}

#[test]
fn large_row_groups_are_copied_and_small_ones_joined() {
    for signal in [Signal::Traces, Signal::Logs] {
        let folders = Folders::new();
        let mut dice = Dice(3);
        // All on one day.
        let from = Shape::default().from - 40_000_000_000_000;
        let mut shape = Shape { stray: false, traces: 1 << 40, from, ..Shape::default() };
        let inputs: Vec<_> = [40_000, 5_000, 7_000, 150_000, 3_000, 35_000]
            .into_iter()
            .map(|size: usize| {
                let rows = (0..size / 1_000).map(|_| {
                    shape.first_record += 1_000;
                    batch(signal, dice.roll(), 1_000, shape)
                });
                let segment = folders.write(signal, 1, rows.collect());
                shape.from += shape.width as i64;
                Arc::new(segment)
            })
            .collect();
        let stack = stacked(&folders, &inputs).unwrap();
        let sizes: Vec<usize> = stack.row_groups().iter().map(|group| group.rows.len()).collect();
        assert_eq!(sizes, [40_000, 12_000, 131_072, 21_928, 35_000]);
        check(&stack, &inputs);
    }
}

#[test]
fn spans_that_are_in_two_inputs_are_not_stacked() {
    let folders = Folders::new();
    let rows = batches(Signal::Traces, 5, 300, Shape { stray: false, ..Shape::default() });
    let inputs = [0, 1].map(|_| Arc::new(folders.write(Signal::Traces, 1, rows.clone())));
    assert!(stacked(&folders, &inputs).is_none());
    assert_eq!(folders.seg.names().unwrap().len(), 4, "the files of the inputs");
}

#[test]
fn units_of_words_are_joined_and_a_damaged_one_is_made_again_first() {
    let folders = Folders::new();
    let mut shape = Shape { stray: false, ..Shape::default() };
    let mut inputs: Vec<_> = [700, 900, 40]
        .into_iter()
        .map(|size: usize| {
            let segment = folders.write(Signal::Logs, 1, batches(Signal::Logs, size as u64, size, shape));
            shape.first_record += size as i64;
            shape.from += shape.width as i64;
            Arc::new(segment)
        })
        .collect();
    let units =
        |segment: &Segment| segment.index.as_ref().unwrap().bundle.blobs().iter().filter(|blob| blob.name.ends_with("/ids")).count();
    let whole = stacked(&folders, &inputs).unwrap();
    check(&whole, &inputs);
    assert_eq!(units(&whole), 1);
    let blob = inputs[1].index.as_ref().unwrap().bundle.blobs().iter().find(|blob| blob.name.ends_with("/ids")).unwrap().clone();
    let file = std::fs::OpenOptions::new().write(true).open(inputs[1].meta().index_path(&folders.seg).path()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 8], blob.offset + blob.len / 3).unwrap();
    let stop = AtomicBool::new(false);
    let error = stack(&inputs, &folders.tmp, &folders.seg, &stop).unwrap_err();
    assert_eq!((error.kind, error.id), (super::super::SegmentErrorKind::Io, inputs[1].meta().id));
    assert!(inputs[1].is_index_wanting() && inputs[1].damage().is_none() && folders.tmp.names().unwrap().is_empty());
    let meta = super::super::rebuild_index(&inputs[1], &folders.tmp, &folders.seg, &stop).unwrap();
    inputs[1] = Arc::new(Segment::open(&folders.seg, meta).unwrap());
    check(&stacked(&folders, &inputs).unwrap(), &inputs);
}

/// The same segment with the text in its index bundle as the version before wrote it.
fn of_older_text(folders: &Folders, segment: &Segment) -> Segment {
    let meta = segment.meta();
    let (new, old) = (crate::text::VERSION, crate::text::VERSION - 1);
    let bundle = &segment.index.as_ref().unwrap().bundle;
    let mut out = BundleWriter::create(folders.tmp.join("older")).unwrap();
    for blob in bundle.blobs() {
        out.add(blob.name.replace(&format!("ft/v{new}/"), &format!("ft/v{old}/")), &bundle.read_blob(blob).unwrap()).unwrap();
    }
    let written = out.finish().unwrap();
    let meta = SegmentMeta { index_bytes: written.len, index_crc: written.crc, ..meta.clone() };
    written.rename(&meta.index_path(&folders.seg)).unwrap();
    Segment::open(&folders.seg, meta).unwrap()
}

#[test]
fn text_that_an_older_version_indexed_is_indexed_again_before_it_is_stacked() {
    let folders = Folders::new();
    let shape = |number: i64| {
        let first = Shape { stray: false, ..Shape::default() };
        Shape { from: first.from + number * first.width as i64, first_record: number * 300, ..first }
    };
    let written = |number| Arc::new(folders.write(Signal::Logs, 1, batches(Signal::Logs, number as u64, 300, shape(number))));
    let mut inputs = [0, 1].map(written).to_vec();
    inputs[1] = Arc::new(of_older_text(&folders, &inputs[1]));
    let is_asked = |segment: &Segment| segment.text_rows(&["order".to_owned()]).unwrap().is_some();
    assert_eq!([0, 1].map(|at| (is_asked(&inputs[at]), inputs[at].is_index_wanting())), [(true, false), (false, true)]);
    let blobs = |segment: &Segment| segment.index.as_ref().unwrap().bundle.blobs().len();
    let before = blobs(&inputs[1]);
    let meta = super::super::rebuild_index(&inputs[1], &folders.tmp, &folders.seg, &AtomicBool::new(false)).unwrap();
    inputs[1] = Arc::new(Segment::open(&folders.seg, meta).unwrap());
    assert!(is_asked(&inputs[1]) && !inputs[1].is_index_wanting());
    assert_eq!(blobs(&inputs[1]), before, "nothing of the older index is left");
    check(&stacked(&folders, &inputs).unwrap(), &inputs);
}

#[test]
fn a_stack_that_cannot_be_put_in_place_leaves_nothing() {
    let disk = Simulated::new(1);
    let place = |path: &str| Place::on(Arc::new(Mounted(disk.clone())), path);
    let (tmp, seg) = (place("/tmp"), place("/seg"));
    tmp.create_folder().unwrap();
    seg.create_folder().unwrap();
    let mut shape = Shape { stray: false, ..Shape::default() };
    let written = [1, 2].map(|seed| {
        shape.from += shape.width as i64;
        let metas = write(&tmp, &seg, Signal::Logs, 1, Origin::default(), batches(Signal::Logs, seed, 40, shape)).unwrap();
        Arc::new(Segment::open(&seg, metas[0].clone()).unwrap())
    });
    let stacked = || stack(&written, &tmp, &seg, &AtomicBool::new(false));
    let begun = disk.operations();
    stacked().unwrap().unwrap();
    let (operations, mut failed) = (disk.operations() - begun, 0);
    for number in 1..=operations {
        let before = seg.names().unwrap();
        disk.plan(Plan { broken: vec![disk.operations() + number], ..Plan::default() });
        if stacked().is_err() {
            failed += 1;
            assert_eq!(seg.names().unwrap(), before, "operation {number} of {operations}");
        }
    }
    assert!(failed > 5, "{failed} of {operations}");
}
