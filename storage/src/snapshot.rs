//! An immutable view of everything stored: what a query runs on.
//!
//! Owns the lists of batches in memory and of open segments at one moment, and their order of arrival. Each row is in exactly one place; a span
//! that was sent more than once is in several, of which the last one counts (see `query/versions.rs`).

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::model::{TimeRange, UnixNanos};
use crate::query::Versions;
use crate::schema;
use crate::segment::{Segment, SegmentMeta};
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
    /// Which spans are older versions; shared by all snapshots of a store.
    pub(crate) versions: Arc<Versions>,
}

/// One table at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableSnapshot {
    /// Rows in memory in order of arrival, not sorted, duplicates possible. Columns as in `schema::of`.
    pub(crate) buffered: Vec<RecordBatch>,
    /// Open segments, newest rows first (by `max_time`, then id).
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Segments that could not be opened, one sentence each. Answers lack their rows and must say so.
    pub(crate) unreadable: Vec<String>,
    /// What is listed of them. Their files stay as long as this does.
    pub(crate) unopened: Vec<Arc<SegmentMeta>>,
}

impl Snapshot {
    /// The part of a window in which something is stored, so that windows with the same content are the same. Of one without any, and of
    /// all time, the window itself.
    pub(crate) fn within(&self, range: TimeRange) -> TimeRange {
        if range == TimeRange::ALL {
            return range;
        }
        let bounds = [Signal::Traces, Signal::Logs].into_iter().filter_map(|signal| self.table(signal).time_bounds(signal));
        let Some((oldest, newest)) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return range };
        let within = TimeRange { from: range.from.max(oldest), to: range.to.min(newest.plus(1)) };
        if within.from < within.to { within } else { range }
    }

    pub(crate) fn table(&self, signal: Signal) -> &TableSnapshot {
        match signal {
            Signal::Traces => &self.spans,
            Signal::Logs => &self.logs,
        }
    }
}

impl TableSnapshot {
    /// Segments by arrival of their newest rows, the latest last. Everything in memory is later still.
    pub(crate) fn by_arrival(&self) -> Vec<&Arc<Segment>> {
        let mut segments: Vec<_> = self.segments.iter().collect();
        segments.sort_unstable_by_key(|segment| segment.meta().id);
        segments
    }

    /// Oldest and newest time of a row; `None` when there is no row.
    pub(crate) fn time_bounds(&self, signal: Signal) -> Option<(UnixNanos, UnixNanos)> {
        let segments = self.segments.iter().map(|segment| (segment.meta().min_time, segment.meta().max_time));
        let buffered = self.buffered.iter().filter_map(|batch| {
            let times = batch.column_by_name(schema::time_column(signal))?.as_primitive_opt::<Int64Type>()?;
            // A time beyond `i64::MAX` keeps its bits.
            let times = || times.values().iter().map(|time| time.cast_unsigned());
            Some((UnixNanos::new(times().min()?), UnixNanos::new(times().max()?)))
        });
        segments.chain(buffered).reduce(|(from, to), (min, max)| (from.min(min), to.max(max)))
    }
}
