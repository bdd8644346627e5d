//! Sums up the rows of a segment, or the roll-ups of several.
//!
//! Owns which cells there are and when names are no longer told apart. Not what a blob looks like.

use std::collections::HashMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use super::notes::Notes;
use super::texts::{KnownViews, Texts};
use super::{Cell, Key, MAX_STACKED_CELLS, Roll, codec, is_entry, minute_of};
use crate::schema::{column, time_column};
use crate::spread::Spread;
use crate::store::Signal;

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
    pub(super) max_cells: usize,
}

/// Cells of one segment. Beyond, names are no longer told apart; beyond that again, there is no roll-up. About 200 bytes each in memory.
pub(super) const MAX_CELLS: usize = 50_000;

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
