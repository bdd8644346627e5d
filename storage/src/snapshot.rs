//! An immutable view of everything stored: what a query runs on.
//!
//! Owns the lists of batches in memory and of open segments at one moment. Each row is in exactly one place.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::segment::Segment;
use crate::store::Signal;

/// Both tables at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Spans.
    pub(crate) spans: TableSnapshot,
    /// Log records.
    pub(crate) logs: TableSnapshot,
    /// Grows with every change.
    pub(crate) version: u64,
}

/// One table at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableSnapshot {
    /// Rows in memory in order of arrival, not sorted, duplicates possible. Columns as in `schema::of`.
    pub(crate) buffered: Vec<RecordBatch>,
    /// Open segments, newest rows first (by `max_time`, then id).
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl Snapshot {
    pub(crate) fn table(&self, signal: Signal) -> &TableSnapshot {
        match signal {
            Signal::Traces => &self.spans,
            Signal::Logs => &self.logs,
        }
    }
}
