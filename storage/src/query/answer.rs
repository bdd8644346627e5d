//! Answers: typed results with a statement of how complete they are.

use std::ops::Range;
use std::time::Duration;

use crate::model::{LogRecord, Span, TraceId, UnixNanos};
use crate::segment::{GRANULE_ROWS, SegmentMeta};

use super::Cursor;

mod map;
mod sql;

pub use self::map::{Edge, EdgeKind, Node, NodeKind, ServiceMap};
pub use self::sql::{SqlAnswer, SqlColumn, SqlMeaning};

/// One page of found traces.
#[derive(Clone, Debug, Default)]
pub struct TracePage {
    /// In the order that was asked for.
    pub traces: Vec<TraceSummary>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
    /// What it took.
    pub stats: QueryStats,
}

/// What a list shows of one trace. Computed from all its spans, not only from the matching ones.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// The trace.
    pub trace_id: TraceId,
    /// Service of the root, or of the earliest span when the root is missing.
    pub root_service: String,
    /// Name of the root, or of the earliest span when the root is missing.
    pub root_name: String,
    /// Whether a span without parent was received.
    pub has_root: bool,
    /// Whether that root has status ERROR.
    pub root_failed: bool,
    /// Earliest start.
    pub start: UnixNanos,
    /// Nanoseconds from the earliest start to the latest end.
    pub duration: u64,
    /// Spans received, duplicates counted once.
    pub span_count: usize,
    /// Spans with status ERROR.
    pub error_count: usize,
    /// Spans of this trace in the range asked for that match the query; where it is about whole traces, rows that decide.
    pub matched: usize,
    /// What the list is sorted by: start or duration in nanoseconds of the best matching span, or a number of spans with what tells equal ones
    /// apart, see [`super::TraceOrder::shown`].
    pub key: u64,
    /// Services in the order of their first span.
    pub services: Vec<ServiceInTrace>,
    /// What the spans with status ERROR say of why: the status message, else the exception message, of the one that ended first among those
    /// that have one which is not a number alone. Where none has, that of the one that ended first, else its `error.type` or the type of its
    /// exception.
    pub first_error: Option<String>,
    /// Where the failure starts that is told of it; `None` without failed span, and of traces of more than 1,000 spans.
    pub failure: Option<TraceFailure>,
    /// The call that one of its spans made most often, when that was more than ten times.
    pub repeated: Option<RepeatedCalls>,
}

/// Where the failure of a trace starts: in a failed span that no failed one below explains, of several in one that reaches the root, was not
/// survived for long, and ended first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFailure {
    /// Service of that span.
    pub service: String,
    /// What says why: its message, else that of the nearest span that fails with it; `None` where nothing is said.
    pub message: Option<String>,
    /// Other services that fail with it, from there up to the service of the root, which is not among them.
    pub through: Vec<String>,
}

/// Equal calls that one span made: a loop over single calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedCalls {
    /// Service of the calls.
    pub service: String,
    /// Their name.
    pub name: String,
    /// How many.
    pub count: usize,
}

/// One service's share of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceInTrace {
    /// Service name.
    pub name: String,
    /// Spans of this service.
    pub span_count: usize,
    /// Spans of this service with status ERROR.
    pub error_count: usize,
    /// Up to 16 of its spans, longest first, as (nanoseconds after trace start, duration), for the mini-timeline.
    pub spans: Vec<(u64, u64)>,
}

/// One page of found log records.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// In the order that was asked for.
    pub records: Vec<LogRecord>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
    /// What it took.
    pub stats: QueryStats,
}

/// One page of found spans.
#[derive(Clone, Debug, Default)]
pub struct SpanPage {
    /// Newest first.
    pub spans: Vec<Span>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
    /// What it took.
    pub stats: QueryStats,
}

/// What an answer took, and whether it is the whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryStats {
    /// False when something could not be read or a bound was reached; see `notes`.
    pub complete: bool,
    /// Why the answer is not complete, not exact or empty, one sentence each.
    pub notes: Vec<String>,
    /// Segments whose rows were looked at.
    pub segments_read: usize,
    /// Segments skipped because nothing in them can match.
    pub segments_pruned: usize,
    /// Granules of 4,096 rows that were skipped, those of skipped segments included.
    pub granules_pruned: u64,
    /// Rows looked at, in segments and in memory.
    pub rows_scanned: u64,
    /// Rows that were skipped because nothing in them can match.
    pub rows_pruned: u64,
    /// Rows that may match and were not looked at, because no row of them can change the answer any more. Together with `rows_pruned` and
    /// the rows that the search looked at these are all rows there are; rows of traces or records that were found are then read again, and are
    /// in `rows_scanned` as well.
    pub rows_skipped: u64,
    /// Bytes of Parquet that the skipped rows take, about.
    pub bytes_pruned: u64,
    /// Time on the server.
    pub elapsed: Duration,
}

/// Counts over time.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Consecutive buckets that cover the range.
    pub buckets: Vec<HistogramBucket>,
    /// Width of each bucket in nanoseconds.
    pub step: u64,
    /// What it took.
    pub stats: QueryStats,
}

/// One bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramBucket {
    /// Start of the bucket.
    pub start: UnixNanos,
    /// Log records by severity: unknown, trace, debug, info, warn, error, fatal. For spans: index 0 not errors, index 5 errors.
    pub counts: [u64; 7],
}

/// A service in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSummary {
    /// Service name.
    pub name: String,
    /// Spans in the window.
    pub span_count: u64,
    /// Requests: spans of kind server or consumer; when there are none, spans without a parent or with one that they flag as remote.
    pub requests: u64,
    /// Requests with status ERROR.
    pub errors: u64,
    /// Median, 95th and 99th percentile of request durations in nanoseconds; within 1 %.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
    /// Log records in the window.
    pub log_count: u64,
    /// Newest span or record.
    pub last_seen: UnixNanos,
    /// The window in equal parts; parts of a minute or more to the minute.
    pub points: Vec<ServicePoint>,
}

/// One part of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServicePoint {
    /// Requests.
    pub requests: u64,
    /// Requests with status ERROR.
    pub errors: u64,
    /// Median of request durations in nanoseconds.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
}

/// An operation of a service: a span name with its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Span name.
    pub name: String,
    /// See [`crate::SpanKind::as_str`].
    pub kind: &'static str,
    /// Spans in the window.
    pub count: u64,
    /// Spans with status ERROR.
    pub errors: u64,
    /// Median, 95th and 99th percentile of durations in nanoseconds; within 1 %.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
    /// Sum of durations in nanoseconds.
    pub total: u64,
}

impl QueryStats {
    /// Notes which rows of a segment are left to be looked at, in order.
    pub(super) fn prune<'a>(&mut self, meta: &SegmentMeta, left: impl Iterator<Item = &'a Range<u32>>) {
        let granules = |rows: u64| rows.div_ceil(u64::from(GRANULE_ROWS));
        let (mut rows, mut touched, mut next) = (0, 0, 0);
        for range in left {
            rows += u64::from(range.end - range.start);
            let (first, last) = (range.start / GRANULE_ROWS, (range.end - 1) / GRANULE_ROWS);
            touched += u64::from((last + 1).saturating_sub(first.max(next)));
            next = last + 1;
        }
        self.segments_pruned += usize::from(rows == 0);
        self.granules_pruned += granules(meta.rows).saturating_sub(touched);
        let pruned = meta.rows.saturating_sub(rows);
        self.rows_pruned += pruned;
        let bytes = u128::from(meta.parquet_bytes) * u128::from(pruned) / u128::from(meta.rows.max(1));
        self.bytes_pruned += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Of an answer that was kept: what it took when it was made, so that the same question has the same answer, and the time of now.
    pub(super) fn of_kept(&self, started: std::time::Instant) -> Self {
        Self { elapsed: started.elapsed(), ..self.clone() }
    }

    /// The same for rows that were fetched after they were found: what was skipped then says nothing of the search.
    pub(super) fn of_fetching(self) -> Self {
        Self { segments_pruned: 0, granules_pruned: 0, rows_pruned: 0, rows_skipped: 0, bytes_pruned: 0, ..self }
    }

    /// Adds what another part of the same answer took.
    pub(crate) fn add(&mut self, other: Self) {
        self.complete &= other.complete;
        self.segments_read = self.segments_read.max(other.segments_read);
        self.segments_pruned = self.segments_pruned.max(other.segments_pruned);
        self.granules_pruned = self.granules_pruned.max(other.granules_pruned);
        self.rows_pruned = self.rows_pruned.max(other.rows_pruned);
        self.rows_skipped = self.rows_skipped.max(other.rows_skipped);
        self.bytes_pruned = self.bytes_pruned.max(other.bytes_pruned);
        self.rows_scanned += other.rows_scanned;
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}
