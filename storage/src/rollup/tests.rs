use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use super::builder::MAX_CELLS;
use super::*;
use crate::schema::{column, time_column};
use crate::segment::fixture::{self, Shape};

type Told<'a> = (u32, &'a str, &'a str, i32, i32, bool);

fn rows(signal: Signal, seed: u64) -> RecordBatch {
    fixture::batch(signal, seed, 2_000, Shape { width: 30 * MINUTE, ..Shape::default() })
}

fn built(signal: Signal, batch: &RecordBatch, max_cells: usize) -> Option<Roll> {
    let mut builder = RollBuilder::new(signal);
    builder.max_cells = max_cells;
    let half = batch.num_rows() / 2;
    builder.push(&batch.slice(0, half)).unwrap();
    builder.push(&batch.slice(half, batch.num_rows() - half)).unwrap();
    Roll::decode(signal, &builder.finish()).unwrap()
}

/// Count, last time and sum of durations by what is told apart, from rows one by one.
fn expected(signal: Signal, batch: &RecordBatch, with_names: bool) -> BTreeMap<Told<'_>, (u64, u64, u128)> {
    let text = |name| batch.column_by_name(name).unwrap().as_string_view();
    let int = |name, row| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(row);
    let long = |name, row| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row);
    let mut cells = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let time = long(time_column(signal), row).cast_unsigned();
        let (name, kind, status, entry, duration) = if signal == Signal::Traces {
            let has_parent = batch.column_by_name(column::PARENT_SPAN_ID).unwrap().is_valid(row);
            let entry = is_entry(has_parent, long(column::FLAGS, row));
            let name = if with_names { text(column::NAME).value(row) } else { "" };
            (name, int(column::KIND, row), int(column::STATUS_CODE, row), entry, long(column::DURATION, row).cast_unsigned())
        } else {
            ("", 0, int(column::SEVERITY_NUMBER, row), false, 0)
        };
        let key = (minute_of(time), text(column::SERVICE_NAME).value(row), name, kind, status, entry);
        let cell: &mut (u64, u64, u128) = cells.entry(key).or_default();
        *cell = (cell.0 + 1, cell.1.max(time), cell.2 + u128::from(duration));
    }
    cells
}

fn found(roll: &Roll) -> BTreeMap<Told<'_>, (u64, u64, u128)> {
    let told = |cell| (roll.service(cell), roll.name(cell));
    roll.cells.iter().map(|c| ((c.minute, told(c).0, told(c).1, c.kind, c.status, c.entry), (c.count, c.last, c.durations.sum()))).collect()
}

#[test]
fn cells_are_the_sums_of_their_rows() {
    for seed in 0..20 {
        for signal in [Signal::Traces, Signal::Logs] {
            let batch = rows(signal, seed);
            let roll = built(signal, &batch, MAX_CELLS).unwrap();
            assert!(roll.has_names && roll.cells.is_sorted_by_key(|cell| cell.minute));
            assert_eq!(found(&roll), expected(signal, &batch, true));
        }
    }
}

#[test]
fn too_many_names_are_counted_together_and_too_many_cells_not_at_all() {
    let batch = fixture::batch(Signal::Traces, 1, 2_000, Shape { width: MINUTE, stray: false, ..Shape::default() });
    let without = expected(Signal::Traces, &batch, false);
    let roll = built(Signal::Traces, &batch, without.len() * 2).unwrap();
    let with = expected(Signal::Traces, &batch, true);
    assert!(with.len() > without.len() * 2, "{} {}", with.len(), without.len());
    assert!(!roll.has_names);
    assert_eq!(found(&roll), without);
    assert!(built(Signal::Traces, &batch, 100).is_none());
}

#[test]
fn damaged_blobs_are_no_roll_ups_and_never_break() {
    let mut builder = RollBuilder::new(Signal::Traces);
    builder.push(&rows(Signal::Traces, 3).slice(0, 50)).unwrap();
    let blob = builder.finish();
    assert!(Roll::decode(Signal::Logs, &blob).is_err());
    for len in 0..blob.len() {
        assert!(Roll::decode(Signal::Traces, &blob[..len]).is_err(), "cut at {len}");
    }
    let mut dice = fixture::Dice(5);
    for _ in 0..20_000 {
        let mut bytes = blob.clone();
        for _ in 0..=dice.below(3) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[at] = u8::try_from(dice.below(256)).unwrap();
        }
        // Whatever it says, it says it of services and names that exist, with as many durations as rows.
        if let Ok(Some(roll)) = Roll::decode(Signal::Traces, &bytes) {
            assert!(roll.cells.iter().all(|cell| (cell.service as usize) < roll.services.len() && cell.durations.count() == cell.count));
        }
    }
}

#[test]
fn entries_have_no_parent_or_a_remote_one() {
    assert!(is_entry(false, 0) && is_entry(true, 0x301));
    assert!(!is_entry(true, 0) && !is_entry(true, 0x100) && !is_entry(true, 0x200));
}

#[test]
fn absorbing_roll_ups_equals_summing_up_all_rows() {
    for signal in [Signal::Traces, Signal::Logs] {
        let batch = rows(signal, 9);
        let whole = built(signal, &batch, MAX_CELLS).unwrap();
        let absorbed = |max_cells, parts: [Option<Roll>; 2]| {
            let mut builder = RollBuilder::new(signal);
            builder.max_cells = max_cells;
            parts.into_iter().for_each(|part| builder.absorb(part));
            Roll::decode(signal, &builder.finish()).unwrap()
        };
        let parts = || [batch.slice(0, 800), batch.slice(800, 1_200)].map(|part| built(signal, &part, MAX_CELLS));
        let roll = absorbed(MAX_CELLS, parts()).unwrap();
        assert_eq!(found(&roll), found(&whole));
        let [first, _] = parts();
        assert!(absorbed(MAX_CELLS, [first, None]).is_none());
        let without = expected(signal, &batch, false);
        let few = absorbed(without.len() * 2, parts()).unwrap();
        assert_eq!(found(&few), if few.has_names { found(&whole) } else { without });
    }
}
