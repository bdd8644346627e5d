//! Roll-ups: what the rows of a segment come to, minute by minute, written with the segment and rewritten with it.
//!
//! Owns how rows are summed up and the blob `roll.red` of the index bundle (`rollup/codec.rs` has its layout). Knows nothing of how
//! questions use it. A roll-up only repeats what rows say: without a usable one, questions read rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::schema::{column, time_column};
use crate::spread::Spread;
use crate::store::Signal;

mod buckets;
mod codec;
mod notes;
mod numbers;
mod sketch;
mod texts;

pub(crate) use self::buckets::{Buckets, bounds_of, bucket_of, rank};
use self::notes::Notes;
pub(crate) use self::numbers::{Reader, put, put_buckets, put_texts};
pub(crate) use self::sketch::Sketch;
pub(crate) use self::texts::{KnownViews, Texts};

/// The roll-up of one segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    services: Vec<Arc<str>>,
    names: Vec<Arc<str>>,
    /// Whether span names are told apart. Where there were too many they are not.
    pub(crate) has_names: bool,
    /// Sorted by minute.
    pub(crate) cells: Vec<Cell>,
}

/// Rows of one minute that agree in what is told apart.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Minutes since 1970.
    pub(crate) minute: u32,
    service: u32,
    name: u32,
    /// Spans: kind number.
    pub(crate) kind: i32,
    /// Spans: status code number. Logs: severity number.
    pub(crate) status: i32,
    /// Spans: see [`is_entry`].
    pub(crate) entry: bool,
    /// Rows.
    pub(crate) count: u64,
    /// The latest time of a row.
    pub(crate) last: u64,
    /// Spans: their durations.
    pub(crate) durations: Sketch,
}

/// What rows of a cell agree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    minute: u32,
    service: u32,
    name: u32,
    kind: i32,
    status: i32,
    entry: bool,
}

/// Sums up rows in any order.
#[derive(Debug)]
pub(crate) struct RollBuilder {
    signal: Signal,
    services: Texts,
    names: Texts,
    /// Rows that are in no cell yet.
    notes: Notes,
    cells: Vec<Cell>,
    /// Where in `cells` a key is: a table of cells themselves would move them whenever it grows.
    places: HashMap<Key, usize, Spread>,
    has_names: bool,
    /// There were too many cells even without names.
    given_up: bool,
    max_cells: usize,
}

/// A minute in nanoseconds.
pub(crate) const MINUTE: u64 = 60_000_000_000;
/// Cells of one segment. Beyond, names are no longer told apart; beyond that again, there is no roll-up. About 200 bytes each in memory.
const MAX_CELLS: usize = 50_000;
/// Cells of one segment that others were put into one behind the other: many minutes.
const MAX_STACKED_CELLS: usize = 150_000;

/// Whether something outside of its service caused a span, as far as the span itself says: it has no parent, or flags it as remote.
pub(crate) fn is_entry(has_parent: bool, flags: i64) -> bool {
    const REMOTE: i64 = 0x300;
    !has_parent || flags & REMOTE == REMOTE
}

/// The minute of a time.
pub(crate) fn minute_of(time: u64) -> u32 {
    u32::try_from(time / MINUTE).unwrap_or(u32::MAX)
}

// === impl Roll ===

impl Roll {
    /// Reads the blob: nothing when there were too many cells to keep.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(signal: Signal, blob: &[u8]) -> Result<Option<Self>, &'static str> {
        if codec::is_given_up(signal, blob) {
            return Ok(None);
        }
        codec::decode(signal, blob).map(Some).ok_or("it does not fit together")
    }

    /// Service of a cell.
    pub(crate) fn service(&self, cell: &Cell) -> &str {
        self.services.get(cell.service as usize).map_or("", |text| text)
    }

    /// Span name of a cell; empty when names are not told apart.
    pub(crate) fn name(&self, cell: &Cell) -> &str {
        self.names.get(cell.name as usize).map_or("", |text| text)
    }

    /// The same with names or minutes no longer told apart. Without minutes all cells are of the first one.
    pub(crate) fn summed(&self, names: bool, minutes: bool) -> Self {
        let first = self.cells.first().map_or(0, |cell| cell.minute);
        let mut sums: HashMap<Key, Cell> = HashMap::new();
        for cell in &self.cells {
            let own = cell.key();
            let key = Key { minute: if minutes { own.minute } else { first }, name: if names { own.name } else { 0 }, ..own };
            sums.entry(key).or_insert_with(|| Cell::new(key)).absorb(cell);
        }
        let mut cells: Vec<(Key, Cell)> = sums.into_iter().collect();
        cells.sort_unstable_by_key(|(key, _)| *key);
        let texts = if names { self.names.clone() } else { Vec::new() };
        let packed = |(_, mut cell): (Key, Cell)| {
            cell.durations.pack();
            cell
        };
        let cells = cells.into_iter().map(packed).collect();
        Self { services: self.services.clone(), names: texts, has_names: self.has_names && names, cells }
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let texts = self.services.iter().chain(&self.names).map(|text| text.len() + 32).sum::<usize>();
        texts + self.cells.iter().map(|cell| size_of::<Cell>() + cell.durations.heap_bytes()).sum::<usize>()
    }
}

// === impl RollBuilder ===

impl RollBuilder {
    pub(crate) fn new(signal: Signal) -> Self {
        Self {
            signal,
            services: Texts::default(),
            names: Texts::default(),
            notes: Notes::default(),
            cells: Vec::new(),
            places: HashMap::default(),
            has_names: true,
            given_up: false,
            max_cells: MAX_CELLS,
        }
    }

    /// For segments that are put one behind the other.
    pub(crate) fn stacked(signal: Signal) -> Self {
        Self { max_cells: MAX_STACKED_CELLS, ..Self::new(signal) }
    }

    /// Adds rows. `None` when a column is missing.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Option<()> {
        if self.given_up {
            return Some(());
        }
        match self.signal {
            Signal::Traces => self.push_spans(batch),
            Signal::Logs => self.push_logs(batch),
        }
    }

    /// Adds the rows of another roll-up; without one, what would be finished is too little to be used.
    pub(crate) fn absorb(&mut self, roll: Option<Roll>) {
        let Some(roll) = roll else { return self.give_up() };
        if self.given_up {
            return;
        }
        if !roll.has_names && self.has_names {
            self.forget_names();
        }
        for cell in &roll.cells {
            let service = self.services.number(roll.service(cell));
            let name = if self.has_names { self.names.number(roll.name(cell)) } else { 0 };
            self.sum_up(&Cell { service, name, ..cell.clone() });
            if self.cells.len() > self.max_cells {
                self.forget_names();
            }
        }
    }

    /// The blob.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.cells.is_empty() && !self.given_up {
            let cells = self.notes.cells();
            if cells <= self.max_cells {
                return self.finish_notes(cells);
            }
        }
        self.sum_up_notes();
        if self.given_up {
            return codec::given_up(self.signal);
        }
        let mut cells = self.cells;
        cells.sort_unstable_by_key(Cell::key);
        let roll = Roll { services: self.services.into_texts(), names: self.names.into_texts(), has_names: self.has_names, cells };
        codec::encode(self.signal, &roll)
    }

    /// The blob of so many cells, of which none was made.
    fn finish_notes(mut self, cells: usize) -> Vec<u8> {
        let mut writing = codec::Writing::begin(self.signal, [self.services.texts(), self.names.texts()], self.has_names, cells);
        self.notes.drain(|run| writing.put_run(&run));
        writing.finish()
    }

    fn push_spans(&mut self, batch: &RecordBatch) -> Option<()> {
        let column = |name| batch.column_by_name(name);
        let starts = column(column::START_TIME)?.as_primitive_opt::<Int64Type>()?;
        let durations = column(column::DURATION)?.as_primitive_opt::<Int64Type>()?;
        let services = column(column::SERVICE_NAME)?.as_string_view_opt()?;
        let names = column(column::NAME)?.as_string_view_opt()?;
        let kinds = column(column::KIND)?.as_primitive_opt::<Int32Type>()?;
        let statuses = column(column::STATUS_CODE)?.as_primitive_opt::<Int32Type>()?;
        let parents = column(column::PARENT_SPAN_ID)?.as_fixed_size_binary_opt()?;
        let flags = column(column::FLAGS)?.as_primitive_opt::<Int64Type>()?;
        let (mut known_services, mut known_names) = (KnownViews::default(), KnownViews::default());
        for row in 0..batch.num_rows() {
            let time = starts.value(row).cast_unsigned();
            let key = Key {
                minute: minute_of(time),
                service: known_services.number(&mut self.services, services, row),
                name: if self.has_names { known_names.number(&mut self.names, names, row) } else { 0 },
                kind: kinds.value(row),
                status: statuses.value(row),
                entry: is_entry(parents.is_valid(row), flags.value(row)),
            };
            self.add(key, time, durations.value(row).cast_unsigned());
        }
        Some(())
    }

    fn push_logs(&mut self, batch: &RecordBatch) -> Option<()> {
        let times = batch.column_by_name(time_column(Signal::Logs))?.as_primitive_opt::<Int64Type>()?;
        let services = batch.column_by_name(column::SERVICE_NAME)?.as_string_view_opt()?;
        let severities = batch.column_by_name(column::SEVERITY_NUMBER)?.as_primitive_opt::<Int32Type>()?;
        let mut known = KnownViews::default();
        for row in 0..batch.num_rows() {
            let time = times.value(row).cast_unsigned();
            let service = known.number(&mut self.services, services, row);
            let key = Key { minute: minute_of(time), service, name: 0, kind: 0, status: severities.value(row), entry: false };
            self.add(key, time, 0);
        }
        Some(())
    }

    fn add(&mut self, key: Key, time: u64, duration: u64) {
        if self.given_up {
            return;
        }
        if self.notes.is_full() {
            self.sum_up_notes();
        }
        if !self.notes.push(&key, time, duration) {
            self.count(key, [(time, duration)].into_iter());
        }
    }

    /// Makes cells of the rows that wait.
    fn sum_up_notes(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.drain(|run| self.count(run.key, run.rows()));
        self.notes = notes;
    }

    fn count(&mut self, key: Key, rows: impl Iterator<Item = (u64, u64)>) {
        if self.given_up {
            return;
        }
        let (key, has_durations) = (if self.has_names { key } else { Key { name: 0, ..key } }, self.signal == Signal::Traces);
        if let Some(cell) = self.cell(key) {
            for (time, duration) in rows {
                cell.count += 1;
                cell.last = cell.last.max(time);
                if has_durations {
                    cell.durations.add(duration);
                }
            }
        }
        if self.cells.len() > self.max_cells {
            self.forget_names();
        }
    }

    fn forget_names(&mut self) {
        self.has_names = false;
        self.names = Texts::default();
        self.places = HashMap::default();
        for cell in std::mem::take(&mut self.cells) {
            self.sum_up(&Cell { name: 0, ..cell });
        }
        // Half of the room must be left, or the next names would have to be forgotten soon again.
        if self.cells.len() > self.max_cells / 2 {
            self.give_up();
        }
    }

    fn sum_up(&mut self, cell: &Cell) {
        if self.given_up {
            return;
        }
        if let Some(sum) = self.cell(cell.key()) {
            sum.absorb(cell);
        }
    }

    /// The cell of a key.
    fn cell(&mut self, key: Key) -> Option<&mut Cell> {
        let next = self.cells.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.cells.push(Cell::new(key));
        }
        self.cells.get_mut(place)
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.notes = Notes::default();
        self.cells = Vec::new();
        self.places = HashMap::default();
    }
}

impl Cell {
    fn new(key: Key) -> Self {
        let Key { minute, service, name, kind, status, entry } = key;
        Self { minute, service, name, kind, status, entry, count: 0, last: 0, durations: Sketch::default() }
    }

    fn key(&self) -> Key {
        let Self { minute, service, name, kind, status, entry, .. } = *self;
        Key { minute, service, name, kind, status, entry }
    }

    fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.last = self.last.max(other.last);
        self.durations.merge(&other.durations);
    }
}

#[cfg(test)]
mod tests;
