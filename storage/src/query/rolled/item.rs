//! What is counted: rows, cells of roll-ups, and rows that were counted twice.

use crate::rollup::{Cell, Sketch};
use crate::store::Signal;

/// Rows that are counted together.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Item<'a> {
    pub(in super::super) signal: Signal,
    pub(in super::super) service: &'a str,
    /// Empty when names do not matter.
    pub(in super::super) name: &'a str,
    pub(in super::super) kind: i32,
    /// Of spans the status, of logs the severity.
    pub(in super::super) status: i32,
    /// See [`crate::rollup::is_entry`].
    pub(in super::super) entry: bool,
    /// Of a row its time, of a cell the begin of its minute, but not before the window.
    pub(in super::super) time: u64,
    pub(super) amount: Amount<'a>,
}

/// How many rows an item is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Amount<'a> {
    /// One row and its duration.
    Row(u64),
    Cell(&'a Cell),
    /// A row that was counted twice, and its duration.
    Less(u64),
}

/// Sums of items.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) rows: u64,
    /// The latest time.
    pub(in super::super) last: u64,
    /// Spans: durations.
    pub(in super::super) durations: Sketch,
}

impl Item<'_> {
    /// How many rows, negative when they were counted twice.
    pub(in super::super) fn rows(&self) -> i64 {
        match self.amount {
            Amount::Row(_) => 1,
            Amount::Cell(cell) => cell.count.cast_signed(),
            Amount::Less(_) => -1,
        }
    }

    /// The latest time, as far as it counts.
    pub(in super::super) fn last(&self) -> u64 {
        match self.amount {
            Amount::Row(_) => self.time,
            Amount::Cell(cell) => cell.last,
            Amount::Less(_) => 0,
        }
    }
}

impl Counts {
    pub(in super::super) fn take(&mut self, item: &Item<'_>) {
        match item.amount {
            Amount::Row(duration) => {
                self.rows += 1;
                self.last = self.last.max(item.time);
                self.durations.add(duration);
            }
            Amount::Cell(cell) => {
                self.rows += cell.count;
                self.last = self.last.max(cell.last);
                self.durations.merge(&cell.durations);
            }
            Amount::Less(duration) => {
                self.rows = self.rows.saturating_sub(1);
                self.durations.remove(duration);
            }
        }
    }

    /// Bytes that are held beside this itself.
    pub(in super::super) fn heap_bytes(&self) -> usize {
        self.durations.heap_bytes()
    }

    pub(in super::super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.last = self.last.max(other.last);
        self.durations.merge(&other.durations);
    }
}
