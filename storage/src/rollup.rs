//! Roll-ups: what the rows of a segment come to, minute by minute, written with the segment and rewritten with it.
//!
//! Owns how rows are summed up and the blob `roll.red` of the index bundle (`rollup/codec.rs` has its layout). Knows nothing of how
//! questions use it. A roll-up only repeats what rows say: without a usable one, questions read rows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::store::Signal;

mod buckets;
mod builder;
mod codec;
mod notes;
mod numbers;
mod sketch;
mod texts;

pub(crate) use self::buckets::{Buckets, bounds_of, bucket_of, rank};
pub(crate) use self::builder::RollBuilder;
pub(crate) use self::numbers::{Reader, put, put_buckets, put_texts};
pub(crate) use self::sketch::Sketch;
pub(crate) use self::texts::Texts;

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

/// A minute in nanoseconds.
pub(crate) const MINUTE: u64 = 60_000_000_000;
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

// === impl Cell ===

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
