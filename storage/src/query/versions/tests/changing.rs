//! Places that come, are joined, written, hidden and go, asked for in any order and in old snapshots too.

use std::collections::HashSet;

use arrow::array::AsArray as _;
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};

use super::super::keys::KEY_COLUMNS;
use super::*;
use crate::files;
use crate::segment::{self, SegmentMeta, without_rows};

type Key = (Vec<u8>, Vec<u8>, i32, i64);

struct World {
    folder: files::Place,
    table: TableSnapshot,
    versions: Versions,
    dice: Dice,
    count: u64,
}

impl World {
    fn append(&mut self) {
        let spans = (0..1 + self.dice.roll(12)).map(|_| {
            self.count += 1;
            let id = 1 + self.dice.roll(70);
            version(&mut self.dice, id, self.count)
        });
        self.table.buffered.push(fixtures::spans(&spans.collect::<Vec<_>>()));
    }

    fn join(&mut self) {
        let from = self.table.buffered.len().saturating_sub(2);
        let last = self.table.buffered.split_off(from);
        if let Some(first) = last.first() {
            self.table.buffered.push(concat_batches(&first.schema(), &last).unwrap());
        }
    }

    fn flush(&mut self) {
        let most = self.table.buffered.len() as u64;
        let written: Vec<_> = self.table.buffered.drain(..self.dice.count(most + 1)).collect();
        if !written.is_empty() {
            let metas = segment::write(&self.folder, &self.folder, Signal::Traces, 0, segment::Origin::default(), written).unwrap();
            metas.into_iter().for_each(|meta| self.open(meta, RowRanges::new()));
        }
    }

    fn open(&mut self, meta: SegmentMeta, hidden: RowRanges) {
        self.table.segments.push(Arc::new(Segment::open(&self.folder, meta).unwrap().hiding(hidden)));
        self.table.segments.sort_by_key(|segment| std::cmp::Reverse((segment.meta().max_time, segment.meta().id)));
    }

    /// Lets a segment go, or opens it again, with fewer rows or the same.
    fn change(&mut self) {
        if self.table.segments.is_empty() {
            return;
        }
        let at = self.dice.count(self.table.segments.len() as u64);
        let meta = self.table.segments.remove(at).meta().clone();
        let hidden = u32::try_from(self.dice.roll(meta.rows)).unwrap();
        match self.dice.roll(3) {
            0 => {}
            1 => self.open(meta, std::iter::once(0..hidden).filter(|rows| !rows.is_empty()).collect()),
            _ => self.open(meta, RowRanges::new()),
        }
    }

    fn step(&mut self) {
        match self.dice.roll(12) {
            0..5 => self.append(),
            5 | 6 => self.join(),
            7 | 8 => self.flush(),
            9 => self.change(),
            10 => self.versions.clear(),
            _ => self.versions.state.lock().crowded = 0,
        }
    }

    fn check(&self, table: &TableSnapshot, places: &[Place]) {
        let arrivals = self.versions.of(table);
        for place in places {
            let (rows, notes) = arrivals.older(*place, &control()).unwrap();
            let found: Vec<u32> = rows.iter().cloned().flatten().collect();
            assert_eq!((found, notes), (expected(table, *place), Vec::new()), "{place:?}");
        }
    }
}

fn keys(batch: &RecordBatch) -> Vec<Key> {
    let [traces, spans] = [0, 1].map(|at| batch.column_by_name(KEY_COLUMNS[at]).unwrap().as_fixed_size_binary());
    let kinds = batch.column_by_name(KEY_COLUMNS[2]).unwrap().as_primitive::<Int32Type>();
    let starts = batch.column_by_name(KEY_COLUMNS[3]).unwrap().as_primitive::<Int64Type>();
    let key = |row| (traces.value(row).to_vec(), spans.value(row).to_vec(), kinds.value(row), starts.value(row));
    (0..batch.num_rows()).map(key).collect()
}

/// Rows with their keys.
fn rows(table: &TableSnapshot, place: Place) -> Vec<(u32, Key)> {
    match place {
        Place::Buffer(at) => (0..).zip(keys(&table.buffered[at])).collect(),
        Place::Segment(at) => {
            let segment = &table.segments[at];
            let numbers = without_rows(&segment.every_row(), segment.hidden()).into_iter().flatten();
            let read = segment.read(&KEY_COLUMNS, None).unwrap();
            numbers.zip(read.flat_map(|batch| keys(&batch.unwrap()))).collect()
        }
    }
}

fn places(table: &TableSnapshot) -> Vec<Place> {
    let mut segments: Vec<usize> = (0..table.segments.len()).collect();
    segments.sort_by_key(|at| table.segments[*at].meta().id);
    segments.into_iter().map(Place::Segment).chain((0..table.buffered.len()).map(Place::Buffer)).collect()
}

fn expected(table: &TableSnapshot, place: Place) -> Vec<u32> {
    let later = places(table).into_iter().skip_while(|other| *other != place).skip(1);
    let elsewhere: HashSet<Key> = later.flat_map(|place| rows(table, place)).map(|(_, key)| key).collect();
    let rows = rows(table, place);
    let again = |number: u32, key: &Key| rows.iter().any(|(other, known)| *other > number && known == key);
    rows.iter().filter(|(number, key)| elsewhere.contains(key) || again(*number, key)).map(|(number, _)| *number).collect()
}

#[test]
fn what_is_known_of_places_holds_in_every_snapshot_whatever_was_asked_before() {
    for seed in 1..16 {
        let folder = tempfile::tempdir().unwrap();
        let (table, versions) = (TableSnapshot::default(), Versions::default());
        let mut world = World { folder: files::Place::real(folder.path()), table, versions, dice: Dice(seed * 32_452_843), count: 0 };
        let mut old: Vec<TableSnapshot> = Vec::new();
        for _ in 0..60 {
            world.step();
            if world.dice.roll(4) == 0 {
                old.push(world.table.clone());
            }
            if old.len() > 3 {
                old.swap_remove(world.dice.count(4));
            }
            for table in old.iter().chain([&world.table.clone()]) {
                let asked: Vec<Place> = places(table).into_iter().filter(|_| world.dice.roll(3) == 0).collect();
                world.check(table, &asked);
            }
        }
        drop(old);
        world.table = TableSnapshot::default();
        world.versions.order(&world.table).unwrap();
        world.versions.clear();
        world.versions.state.lock().crowded = 0;
        world.append();
        world.check(&world.table, &[Place::Buffer(0)]);
        let state = world.versions.state.lock();
        assert_eq!((state.places.len(), state.segments.len(), state.batches.len()), (1, 0, 1), "nothing that is gone is watched");
        assert_eq!(world.versions.shares.load(Ordering::Relaxed), 0);
    }
}
