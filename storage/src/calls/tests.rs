use super::roll::RollWriter;
use super::*;
use crate::segment::fixture::{self, Shape};
use crate::store::Signal;

fn batch(seed: u64) -> RecordBatch {
    fixture::batch(Signal::Traces, seed, 500, Shape { width: 30 * crate::rollup::MINUTE, ..Shape::default() })
}

fn written(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut writer = RollWriter::default();
    let batch = batch(seed);
    writer.push(&batch.slice(0, 200)).unwrap();
    writer.push(&batch.slice(200, 300)).unwrap();
    writer.finish()
}

fn cells_of<'a>(head: &UnitHead, cells: &'a [u8]) -> &'a [u8] {
    let from = usize::try_from(head.offset).unwrap();
    &cells[from..from + head.len as usize]
}

#[test]
fn units_lie_one_behind_the_other_and_say_what_their_rows_show() {
    for seed in 0..20 {
        let batch = batch(seed);
        let (heads, cells) = written(seed);
        let roll = CallRoll::decode(&heads).unwrap().unwrap();
        let mut row = 0;
        for head in &roll.units {
            assert_eq!(head.rows.start, row);
            row = head.rows.end;
            let view = View::of(&batch).unwrap();
            let rows = || head.rows.clone().map(|row| row as usize);
            let starts = rows().map(|row| view.start(row));
            assert_eq!((starts.clone().min(), starts.max()), (Some(head.first), Some(head.last)));
            let unit = head.decode(cells_of(head, &cells)).unwrap();
            let seen = |unit: &Unit| {
                unit.cells.iter().filter(|cell| matches!(cell.subject, Subject::Service(_))).map(|cell| cell.sums.rows).sum::<u64>()
            };
            let mut apart = rows().filter(|row| head.apart.contains(&view.trace(*row)));
            assert_eq!(seen(&unit) + apart.by_ref().count() as u64, u64::from(head.rows.end - head.rows.start));
            let whole = Unit::new(unit.names.clone(), unit.edges.clone(), unit.whole().to_vec());
            assert_eq!(seen(&whole), seen(&unit));
        }
        assert_eq!(row, 500);
    }
}

#[test]
fn taking_over_units_equals_writing_their_rows_again() {
    let (heads, cells) = written(3);
    let roll = CallRoll::decode(&heads).unwrap().unwrap();
    let mut writer = RollWriter::default();
    writer.inherit(Some((roll.clone(), cells.clone())), 500);
    writer.inherit(Some((roll.clone(), cells.clone())), 500);
    let (twice, all) = writer.finish();
    let twice = CallRoll::decode(&twice).unwrap().unwrap();
    assert_eq!(twice.units.len(), roll.units.len() * 2);
    for (i, unit) in twice.units.iter().enumerate() {
        let one = &roll.units[i % roll.units.len()];
        assert_eq!(unit.decode(cells_of(unit, &all)).unwrap().cells, one.decode(cells_of(one, &cells)).unwrap().cells);
        assert_eq!(twice.unit_of(unit.rows.start), Some(i));
    }
    let mut writer = RollWriter::default();
    writer.inherit(Some((roll, cells)), 500);
    writer.inherit(None, 500);
    assert_eq!(CallRoll::decode(&writer.finish().0), Ok(None));
}

#[test]
fn units_of_older_segments_are_read_and_tell_durations_by_their_buckets() {
    let (heads, cells) = written(7);
    let roll = CallRoll::decode(&heads).unwrap().unwrap();
    let mut looked_at = 0;
    for head in &roll.units {
        let unit = codec::decode(cells_of(head, &cells)).unwrap();
        let bytes = codec::encode(&unit);
        let is_timed = |cell: &&Cell| cell.sums.durations.count() > 0;
        let mut more = Vec::new();
        for sums in unit.cells.iter().filter(is_timed).map(|cell| &cell.sums) {
            let (sum, squares) = sums.powers.parts(sums.durations.count()).unwrap();
            crate::rollup::put(&mut more, sum);
            crate::rollup::put(&mut more, squares);
        }
        assert!(bytes.ends_with(&more));
        if more.is_empty() {
            continue;
        }
        looked_at += 1;
        let older = codec::decode(&bytes[..bytes.len() - more.len()]).unwrap();
        assert_eq!(older.cells.len(), unit.cells.len());
        for sums in older.cells.iter().filter(is_timed).map(|cell| &cell.sums) {
            assert_eq!(sums.quantile(0.95), sums.durations.quantile(0.95));
        }
        assert!(codec::decode(&bytes[..bytes.len() - 1]).is_none(), "half of it is damage");
    }
    assert!(looked_at > 0);
}

#[test]
fn damaged_blobs_are_no_roll_ups_and_never_break() {
    let (heads, cells) = written(5);
    for len in 0..heads.len() {
        assert!(CallRoll::decode(&heads[..len]).is_err(), "cut at {len}");
    }
    let roll = CallRoll::decode(&heads).unwrap().unwrap();
    let mut dice = fixture::Dice(5);
    for _ in 0..20_000 {
        let mut bytes = heads.clone();
        let head = &roll.units[usize::try_from(dice.below(roll.units.len() as u64)).unwrap()];
        let mut unit = cells_of(head, &cells).to_vec();
        for bytes in [&mut bytes, &mut unit] {
            for _ in 0..=dice.below(3) {
                let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
                bytes[at] = u8::try_from(dice.below(256)).unwrap();
            }
        }
        drop(CallRoll::decode(&bytes));
        assert!(unit == cells_of(head, &cells) || head.decode(&unit).is_err());
        // Whatever it says behind its checksum, it says it of names and edges that exist.
        if let Some(unit) = codec::decode(&unit) {
            let exists = |cell: &Cell| match cell.subject {
                Subject::Service(name) | Subject::Orphans(name, _) => (name.0 as usize) < unit.names.len(),
                Subject::Edge(edge) => (edge as usize) < unit.edges.len(),
                Subject::Answers(a, b) => (a.0.max(b.0) as usize) < unit.names.len(),
            };
            assert!(unit.cells.iter().all(exists));
        }
    }
}

#[test]
fn rows_that_are_not_in_order_begin_a_unit() {
    let batch = batch(1);
    let mut writer = RollWriter::default();
    writer.push(&batch).unwrap();
    writer.push(&batch).unwrap();
    let roll = CallRoll::decode(&writer.finish().0).unwrap().unwrap();
    let view = View::of(&batch).unwrap();
    for unit in roll.units {
        let place = |row: u32| {
            let row = row as usize % 500;
            (view.start(row) / crate::schema::BUCKET_NANOS.unsigned_abs(), view.trace(row))
        };
        let places: Vec<_> = unit.rows.map(place).collect();
        assert!(places.is_sorted() && places.iter().all(|(bucket, _)| *bucket == places[0].0));
    }
}
