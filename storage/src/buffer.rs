//! Rows in memory: durable in the log, not yet in a segment, visible to queries.
//!
//! Owns the batches of both signals, their order and the memory they may take. Knows nothing of files.
//!
//! Rows are `active` until a flush freezes them; they stay visible as `frozen` until the segments that hold them replace them.

mod coalesce;
mod room;

use std::ops::RangeInclusive;
use std::time::Instant;

use arrow::array::RecordBatch;

use crate::store::Signal;

use self::coalesce::coalesce;
pub(crate) use self::room::{Reservation, Room};

/// Both signals' rows in memory.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    tables: [Table; 2],
    /// Everything up to this frame of the log was inserted.
    last_seq: u64,
    /// The first frame whose rows may be frozen now.
    frozen_from: u64,
    /// Everything up to this frame is frozen, or was flushed earlier.
    frozen_through: u64,
    /// When the oldest active row was inserted.
    oldest: Option<Instant>,
}

/// Rows of one request, or of many after they were joined.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Columns as in `schema::of`.
    pub(crate) batch: RecordBatch,
    /// Memory that they take, given back when the entry is dropped.
    pub(crate) room: Reservation,
}

#[derive(Debug, Default)]
struct Table {
    active: Vec<Entry>,
    frozen: Vec<Entry>,
}

// === impl Buffer ===

impl Buffer {
    /// An empty buffer that continues after frame `last_seq`.
    pub(crate) fn after(last_seq: u64) -> Self {
        Self { last_seq, frozen_from: last_seq.saturating_add(1), frozen_through: last_seq, ..Self::default() }
    }

    /// Adds the rows of frame `seq`; frames come in order.
    pub(crate) fn insert(&mut self, seq: u64, signal: Signal, entry: Entry) {
        self.last_seq = self.last_seq.max(seq);
        self.oldest.get_or_insert_with(Instant::now);
        let active = &mut self.table_mut(signal).active;
        active.push(entry);
        coalesce(active);
    }

    /// Makes the active rows the frozen ones, unless rows are frozen already. Returns the frames they come from.
    pub(crate) fn freeze(&mut self) -> RangeInclusive<u64> {
        if self.tables.iter().all(|table| table.frozen.is_empty()) {
            for table in &mut self.tables {
                table.frozen = std::mem::take(&mut table.active);
            }
            self.frozen_from = self.frozen_through.saturating_add(1);
            self.frozen_through = self.last_seq;
            self.oldest = None;
        }
        self.frozen_from..=self.frozen_through
    }

    /// The rows being flushed.
    pub(crate) fn frozen(&self, signal: Signal) -> Vec<RecordBatch> {
        self.table(signal).frozen.iter().map(|entry| entry.batch.clone()).collect()
    }

    /// Forgets the frozen rows: segments hold them now.
    pub(crate) fn drop_frozen(&mut self) {
        for table in &mut self.tables {
            table.frozen = Vec::new();
        }
    }

    /// All rows in order of arrival.
    pub(crate) fn batches(&self, signal: Signal) -> Vec<RecordBatch> {
        let table = self.table(signal);
        table.frozen.iter().chain(&table.active).map(|entry| entry.batch.clone()).collect()
    }

    /// Rows and bytes of a signal.
    pub(crate) fn size(&self, signal: Signal) -> (u64, u64) {
        let table = self.table(signal);
        let all = || table.frozen.iter().chain(&table.active);
        (all().map(|entry| entry.batch.num_rows() as u64).sum(), all().map(|entry| entry.room.bytes() as u64).sum())
    }

    /// The last frame that was inserted.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Bytes that are frozen and in no segment yet.
    pub(crate) fn frozen_bytes(&self) -> usize {
        self.tables.iter().flat_map(|table| &table.frozen).map(|entry| entry.room.bytes()).sum()
    }

    /// Bytes that are not frozen.
    pub(crate) fn active_bytes(&self) -> usize {
        self.tables.iter().flat_map(|table| &table.active).map(|entry| entry.room.bytes()).sum()
    }

    /// When the oldest row that is not frozen came in.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    fn table(&self, signal: Signal) -> &Table {
        let [spans, logs] = &self.tables;
        match signal {
            Signal::Traces => spans,
            Signal::Logs => logs,
        }
    }

    fn table_mut(&mut self, signal: Signal) -> &mut Table {
        let [spans, logs] = &mut self.tables;
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
