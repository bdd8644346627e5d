//! Rows in memory: durable in the log, not yet in a segment, visible to queries.
//!
//! Owns the batches of both signals, their order and the memory they may take. Knows nothing of files.
//!
//! Rows come into the newest *lot*. When a lot is full the next one begins, and a flush writes one lot at a time, the oldest first: memory is
//! given back lot by lot, so that nobody waits until everything is written. The rows of a lot stay visible until the segments that hold
//! them replace them.

mod coalesce;
mod room;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Instant;

use arrow::array::RecordBatch;

use crate::store::Signal;

use self::coalesce::coalesce;
pub(crate) use self::room::{Reservation, Room};

/// Both signals' rows in memory.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Full lots, or what a flush was asked to write early; the oldest first.
    full: VecDeque<Lot>,
    newest: Lot,
    /// Bytes that fill a lot.
    lot_bytes: usize,
    /// Everything up to this frame of the log was inserted.
    last_seq: u64,
    /// Everything up to this frame is in segments.
    flushed_through: u64,
}

/// Rows of one request, or of many after they were joined.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Columns as in `schema::of`.
    pub(crate) batch: RecordBatch,
    /// Memory that they take, given back when the entry is dropped.
    pub(crate) room: Reservation,
}

/// How much of what is in memory a flush writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Lots that are full.
    Full,
    /// All rows that are there now.
    All,
}

/// Rows that are written together.
#[derive(Debug, Default)]
pub(crate) struct Lot {
    entries: [Vec<Entry>; 2],
    /// The last frame of it.
    through: u64,
    /// When its first row came in.
    since: Option<Instant>,
}

// === impl Buffer ===

impl Buffer {
    /// An empty buffer that continues after frame `last_seq`, with lots of so many bytes.
    pub(crate) fn after(last_seq: u64, lot_bytes: usize) -> Self {
        Self { last_seq, flushed_through: last_seq, lot_bytes, ..Self::default() }
    }

    /// Adds the rows of frame `seq`; frames come in order.
    pub(crate) fn insert(&mut self, seq: u64, signal: Signal, entry: Entry) {
        self.last_seq = self.last_seq.max(seq);
        let newest = &mut self.newest;
        newest.through = self.last_seq;
        newest.since.get_or_insert_with(Instant::now);
        let entries = newest.of_mut(signal);
        entries.push(entry);
        coalesce(entries);
        if newest.bytes() >= self.lot_bytes {
            self.close();
        }
    }

    /// The lot that a flush has to write: the same again until it is written.
    pub(crate) fn next_lot(&mut self, reach: Reach) -> Option<&Lot> {
        if self.full.is_empty() && reach == Reach::All && self.newest.since.is_some() {
            self.close();
        }
        self.full.front()
    }

    /// Forgets the lot that a flush took: segments hold it now.
    pub(crate) fn written(&mut self) -> Option<Lot> {
        let lot = self.full.pop_front();
        self.flushed_through = lot.as_ref().map_or(self.flushed_through, |lot| lot.through);
        lot
    }

    /// The frame up to which segments hold everything.
    pub(crate) fn flushed_through(&self) -> u64 {
        let waiting = self.lots().any(|lot| lot.since.is_some());
        if waiting { self.flushed_through } else { self.last_seq }
    }

    /// The frames that the rows of the next lot come from.
    pub(crate) fn next_frames(&self) -> RangeInclusive<u64> {
        let through = self.full.front().map_or(self.flushed_through, |lot| lot.through);
        self.flushed_through.saturating_add(1)..=through
    }

    /// Whether a lot is full.
    pub(crate) fn is_due(&self) -> bool {
        !self.full.is_empty()
    }

    /// All rows in order of arrival.
    pub(crate) fn batches(&self, signal: Signal) -> Vec<RecordBatch> {
        self.lots().flat_map(|lot| lot.of(signal)).map(|entry| entry.batch.clone()).collect()
    }

    /// Rows and bytes of a signal.
    pub(crate) fn size(&self, signal: Signal) -> (u64, u64) {
        let add = |(rows, bytes): (u64, u64), entry: &Entry| (rows + entry.batch.num_rows() as u64, bytes + entry.room.bytes() as u64);
        self.lots().flat_map(|lot| lot.of(signal)).fold((0, 0), add)
    }

    /// The last frame that was inserted.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Bytes of all rows.
    pub(crate) fn bytes(&self) -> usize {
        self.lots().map(Lot::bytes).sum()
    }

    /// When the oldest row came in.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.lots().find_map(|lot| lot.since)
    }

    fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.full.iter().chain([&self.newest])
    }

    fn close(&mut self) {
        self.full.push_back(std::mem::take(&mut self.newest));
    }
}

// === impl Lot ===

impl Lot {
    /// Its rows in order of arrival.
    pub(crate) fn batches(&self, signal: Signal) -> Vec<RecordBatch> {
        self.of(signal).iter().map(|entry| entry.batch.clone()).collect()
    }

    /// Rows of a signal.
    pub(crate) fn rows(&self, signal: Signal) -> usize {
        self.of(signal).iter().map(|entry| entry.batch.num_rows()).sum()
    }

    /// Bytes that its rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.iter().flatten().map(|entry| entry.room.bytes()).sum()
    }

    fn of(&self, signal: Signal) -> &[Entry] {
        let [spans, logs] = &self.entries;
        match signal {
            Signal::Traces => spans,
            Signal::Logs => logs,
        }
    }

    fn of_mut(&mut self, signal: Signal) -> &mut Vec<Entry> {
        let [spans, logs] = &mut self.entries;
        match signal {
            Signal::Traces => spans,
            Signal::Logs => logs,
        }
    }
}

/// Bytes that a decoded request is taken to use: its text, plus what the columns need per row.
pub(crate) fn estimated_bytes(payload: usize, rows: usize) -> usize {
    payload + rows * ROW_BYTES + ENTRY_BYTES
}

/// Fixed-width columns, views and offsets of one row with about ten attributes.
const ROW_BYTES: usize = 700;

/// Arrays and buffers of one batch, however small.
const ENTRY_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests;
