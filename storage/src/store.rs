//! The store: the one handle that other crates hold.
//!
//! Owns the life of the log, the buffer and the segments, and routes questions to plans. Knows no wire protocol and
//! no page.

use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{AppendError, OpenError};
use crate::metrics::Registry;
use crate::model::{LogRecord, TimeRange, TraceId, UnixNanos};
use crate::query::{
    Histogram, LogPage, LogSearch, Operation, ParseError, QueryError, ServiceMap, ServiceSummary, SqlAnswer, SqlQuery, TracePage,
    TraceSearch,
};
use crate::trace::Trace;

/// What a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
}

/// A durable, indexed store of spans and log records. Cloning is cheap and shares it.
#[derive(Clone, Debug)]
pub struct Store {}

/// What became of a request that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Items stored, durable and visible.
    pub accepted: u64,
    /// Items refused for good.
    pub rejected: u64,
    /// Why items were refused, or a warning when none was; names the first offender and the rule. At most 1 KiB.
    pub message: Option<String>,
}

/// How the store is doing, for `/readyz` and the status page.
#[derive(Clone, Debug, Default)]
pub struct StoreStatus {
    /// Why writes are refused; `None` when they are taken.
    pub write_refusal: Option<String>,
    /// Why the last background work failed; `None` when it did not.
    pub background_error: Option<String>,
    /// Per signal: traces, then logs.
    pub signals: [SignalStatus; 2],
    /// Bytes of the log on disk.
    pub wal_bytes: u64,
    /// Free bytes on the disk of the data folder.
    pub free_bytes: u64,
}

/// One signal's part of [`StoreStatus`].
#[derive(Clone, Debug, Default)]
pub struct SignalStatus {
    /// Rows in memory.
    pub buffered_rows: u64,
    /// Bytes of columns in memory.
    pub buffered_bytes: u64,
    /// Rows in segments.
    pub segment_rows: u64,
    /// Bytes of segments and their indexes on disk.
    pub segment_bytes: u64,
    /// Segments not yet merged.
    pub level0_segments: usize,
    /// Merged segments.
    pub level1_segments: usize,
    /// Oldest and newest time stored.
    pub time: Option<(UnixNanos, UnixNanos)>,
}

// === impl Store ===

impl Store {
    /// Opens or creates the data folder, replays the log and starts the background work.
    ///
    /// # Errors
    /// When the folder is locked, of another version, damaged or not accessible.
    pub async fn open(config: Config, clock: Clock, registry: Registry) -> Result<Self, OpenError> {
        todo!()
    }

    /// Takes in one `ExportTraceServiceRequest` or `ExportLogsServiceRequest` in protobuf. Returns when what was accepted is
    /// durable and visible to queries.
    ///
    /// # Errors
    /// When nothing was stored; the error says whether to send again.
    pub async fn append(&self, signal: Signal, payload: Bytes) -> Result<Appended, AppendError> {
        todo!()
    }

    /// Writes what is in memory to segments, syncs, and stops the background work. Later appends are refused.
    ///
    /// # Errors
    /// When the last flush failed; nothing acknowledged is lost, the log still holds it.
    pub async fn close(&self) -> Result<(), OpenError> {
        todo!()
    }

    /// How the store is doing.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        todo!()
    }

    /// The clock this store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        todo!()
    }

    /// Whether nothing was ever stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// All spans of a trace, whatever their time. `None` when there is none.
    ///
    /// # Errors
    /// When too many queries run, or reading failed altogether.
    pub async fn trace(&self, id: TraceId) -> Result<Option<Trace>, QueryError> {
        todo!()
    }

    /// All log records of a trace in time order, at most `limit`; the page says when it was cut.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn trace_logs(&self, id: TraceId, limit: usize) -> Result<LogPage, QueryError> {
        todo!()
    }

    /// One log record by its [`LogRecord::record_id`].
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn log(&self, record_id: u64) -> Result<Option<LogRecord>, QueryError> {
        todo!()
    }

    /// Finds traces.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn search_traces(&self, search: TraceSearch) -> Result<TracePage, QueryError> {
        todo!()
    }

    /// Finds log records.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn search_logs(&self, search: LogSearch) -> Result<LogPage, QueryError> {
        todo!()
    }

    /// Counts what a search would find, over time, in `buckets` (1 to 500) equal parts of `range`.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn histogram(&self, signal: Signal, query: &str, range: TimeRange, buckets: usize) -> Result<Histogram, QueryError> {
        todo!()
    }

    /// Services with spans or logs in the window, by name, each with `points` parts of the window for sparklines.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn services(&self, range: TimeRange, points: usize) -> Result<Vec<ServiceSummary>, QueryError> {
        todo!()
    }

    /// Names of all services ever stored and not yet aged out, sorted. Cheap.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        todo!()
    }

    /// Operations of a service in the window, by name and kind.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn operations(&self, service: &str, range: TimeRange) -> Result<Vec<Operation>, QueryError> {
        todo!()
    }

    /// Who calls whom in the window.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn service_map(&self, range: TimeRange) -> Result<ServiceMap, QueryError> {
        todo!()
    }

    /// Runs a read-only SQL statement.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn sql(&self, query: SqlQuery) -> Result<SqlAnswer, QueryError> {
        todo!()
    }

    /// Says whether a text is a query for `signal`, and if not, where it is wrong.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn check_query(&self, signal: Signal, query: &str) -> Result<(), ParseError> {
        todo!()
    }
}

impl Signal {
    /// The word used in metrics, pages and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

/// How long a refused sender is asked to wait. SDKs give up after ten seconds in all, so it is short.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);
