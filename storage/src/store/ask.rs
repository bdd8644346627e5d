//! Questions to the store: each takes a snapshot and hands it to the query engine.

use crate::model::{LogRecord, TimeRange, TraceId};
use crate::query::{
    Histogram, LogPage, LogSearch, Operation, ParseError, QueryError, ServiceMap, ServiceSummary, SqlAnswer, SqlQuery, TracePage,
    TraceSearch,
};
use crate::trace::Trace;

use super::{Signal, Store};

impl Store {
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
