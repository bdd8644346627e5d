use std::sync::atomic::AtomicBool;

use arrow::compute::concat_batches;
use proptest::prelude::*;
use ulid::Ulid;

use super::super::fixture::{Dice, Shape, batch};
use super::super::origin::{Origin, Part};
use super::super::stack::stack;
use super::super::tests::{Folders, read};
use super::super::writer::{FORMAT_VERSION, Writer};
use super::super::{RowRanges, Segment};
use super::*;
use crate::attributes::{Layout, Type};

/// Times that are the sums, near them, anywhere, and unset.
fn with_times(signal: Signal, batch: &RecordBatch, dice: &mut Dice) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    for (name, bases) in told(signal) {
        let times = sums(batch, bases).unwrap().into_iter().map(|sum| match dice.below(5) {
            0 => 0,
            1 => i64::from_le_bytes(dice.roll().to_le_bytes()),
            2 => sum.wrapping_add(i64::try_from(dice.below(2_000)).unwrap() - 1_000),
            _ => sum,
        });
        columns[batch.schema_ref().index_of(name).unwrap()] = Arc::new(times.collect::<Int64Array>());
    }
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn all(segment: &Segment) -> RecordBatch {
    read(segment, &schema::names(segment.meta().signal).collect::<Vec<_>>(), None)
}

/// A segment as a version wrote it that wrote this format. Rows lie as they come.
fn written(folders: &Folders, format: u32, layout: Layout, rows: &RecordBatch) -> Arc<Segment> {
    let signal = if rows.column_by_name(column::DURATION).is_some() { Signal::Traces } else { Signal::Logs };
    let id = Ulid::new();
    let mut writer = Writer::of_format(format, &folders.tmp, id, (signal, 1, layout));
    writer.push(rows).unwrap();
    let written = writer.finish(&Origin::default(), Part { group: id, number: 1, last: true }).unwrap();
    Arc::new(Segment::open(&folders.seg, written.rename(&folders.seg).unwrap()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn times_come_back_as_they_were_sent(seed: u64, rows in 1usize..900, logs: bool, format in 1..=FORMAT_VERSION) {
        let (folders, mut dice) = (Folders::new(), Dice(seed));
        let signal = if logs { Signal::Logs } else { Signal::Traces };
        let rows = with_times(signal, &batch(signal, seed, rows, Shape::default()), &mut dice);
        let layout = if format == 1 { Layout::default() } else { Layout::new([("some.attribute.key.1".to_owned(), Type::Text)]) };
        let segment = written(&folders, format, layout, &rows);
        prop_assert_eq!(segment.footer().unwrap().tells_times, format == 3);
        prop_assert_eq!(&all(&segment), &rows);
        for (name, _) in told(signal) {
            let first = 0..1;
            let alone = read(&segment, &[name], Some(&RowRanges::from([first])));
            prop_assert_eq!(alone.column(0), &rows.column_by_name(name).unwrap().slice(0, 1));
        }
    }

    #[test]
    fn older_segments_are_stacked_with_new_ones(seed: u64, logs: bool) {
        let (folders, mut dice) = (Folders::new(), Dice(seed));
        let signal = if logs { Signal::Logs } else { Signal::Traces };
        // Large row groups would be copied as they are.
        let inputs = [(2, 40_000), (3, 40_000), (1, 300)].map(|(format, rows)| {
            let shape = Shape { traces: 90_000, first_record: i64::from(format) * 100_000, stray: false, ..Shape::default() };
            let rows = with_times(signal, &batch(signal, dice.roll(), rows, shape), &mut dice);
            written(&folders, format, Layout::default(), &rows)
        });
        let Some(stacked) = stack(&inputs, &folders.tmp, &folders.seg, &AtomicBool::new(false)).unwrap() else {
            // A span was there twice.
            return Ok(());
        };
        let mut inputs = inputs.to_vec();
        inputs.sort_unstable_by_key(|segment| (segment.meta().min_time, segment.meta().id));
        let expected: Vec<RecordBatch> = inputs.iter().map(|segment| all(segment)).collect();
        prop_assert_eq!(all(&Segment::open(&folders.seg, stacked).unwrap()), concat_batches(&schema::of(signal), &expected).unwrap());
    }
}

#[test]
fn what_follows_takes_next_to_nothing() {
    let (folders, mut dice) = (Folders::new(), Dice(1));
    let shape = Shape { stray: false, ..Shape::default() };
    let rows = batch(Signal::Traces, dice.roll(), 20_000, shape);
    let mut columns = rows.columns().to_vec();
    let at = rows.schema_ref().index_of(column::END_TIME).unwrap();
    columns[at] = Arc::new(Int64Array::from(sums(&rows, &[column::START_TIME, column::DURATION]).unwrap()));
    let rows = RecordBatch::try_new(rows.schema(), columns).unwrap();
    let bytes = |format| {
        let segment = written(&folders, format, Layout::default(), &rows);
        segment.footer().unwrap().parquet.metadata().row_groups().iter().map(|group| group.column(at).compressed_size()).sum::<i64>()
    };
    assert!(bytes(3) * 50 < bytes(2), "{} and {}", bytes(3), bytes(2));
}
