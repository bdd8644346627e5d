//! Questions to the store: each takes a snapshot and hands it to the query engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::Receiver;

use crate::arrivals::Arrival;
use crate::model::{LogRecord, Span, TimeRange, TraceId, UnixNanos};
use crate::query::{
    self, Aggregate, Aggregation, ExportPart, Facets, Fields, Histogram, LogContext, LogContextSearch, LogPage, LogSearch, OpenTrace,
    Operation, ParseError, QueryError, QueryStats, ServiceMap, ServiceSummary, SpanPage, SpanSearch, SqlAnswer, SqlQuery, Survey, Surveyed,
    TracePage, TraceSearch, Weight,
};
use crate::snapshot::Snapshot;
use crate::trace::Trace;

use super::{Signal, Store};

/// What is stored at one moment. Whoever holds it keeps files from being removed, so it is held for as long as one page takes.
#[derive(Clone, Debug)]
pub struct Moment(Arc<Snapshot>);

impl Store {
    /// Begins to read in the background what the first questions would wait for. It does so once, within the bounds of what is kept of answers,
    /// and stops with the store.
    pub fn read_ahead(&self) {
        self.inner.engine.read_ahead(self.snapshot(), self.inner.clock.now());
    }

    /// All spans of a trace, whatever their time. `None` when there is none.
    ///
    /// # Errors
    /// When too many queries run, or reading failed altogether.
    pub async fn trace(&self, id: TraceId) -> Result<Option<Trace>, QueryError> {
        let snapshot = self.snapshot();
        self.inner.engine.run("trace", Weight::Light, move |control| query::trace(&snapshot, id, control)).await
    }

    /// A trace of any size in columns, built once and kept for as long as no span is added to it. `None` when there is none.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn open_trace(&self, id: TraceId) -> Result<Option<OpenTrace>, QueryError> {
        let (snapshot, sheets) = (self.snapshot(), self.inner.engine.sheets.clone());
        self.inner.engine.run("open_trace", Weight::Light, move |control| query::open_trace(snapshot, id, &sheets, control)).await
    }

    /// The spans at some places of an open trace, whole.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn trace_spans(&self, open: &OpenTrace, places: Vec<usize>) -> Result<HashMap<usize, Span>, QueryError> {
        let open = open.clone();
        self.inner.engine.run("trace_spans", Weight::Light, move |control| query::trace_spans(&open, &places, control)).await
    }

    /// Places of the spans of an open trace that a query for spans describes, in the order of rows. A text without a field is looked for
    /// anywhere in a span. The next page of the same search is answered from memory.
    ///
    /// # Errors
    /// When the text is not a query, or asks for whole traces; else see [`QueryError`].
    pub async fn find_in_trace(&self, open: &OpenTrace, query: String) -> Result<Arc<Vec<usize>>, QueryError> {
        let open = open.clone();
        let work = move |control: &_| query::find_in_trace(&open, &query, control);
        self.inner.engine.run("find_in_trace", Weight::Heavy, work).await
    }

    /// One sentence for each attribute of a query that nothing has which is stored, with what was perhaps meant.
    ///
    /// # Errors
    /// When the text is not a query; else see [`QueryError`].
    pub async fn unknown_attributes(&self, signal: Signal, query: String) -> Result<Vec<String>, QueryError> {
        let snapshot = self.snapshot();
        self.inner.engine.run("unknown_attributes", Weight::Light, move |_| query::told_of_unknown(&snapshot, signal, &query)).await
    }

    /// All log records of a trace in time order, at most `limit`; the page says when it was cut.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn trace_logs(&self, id: TraceId, limit: usize) -> Result<LogPage, QueryError> {
        let (snapshot, started) = (self.snapshot(), Instant::now());
        let page =
            self.inner.engine.run("trace_logs", Weight::Light, move |control| query::trace_logs(&snapshot, id, limit, control)).await;
        page.map(|mut page| {
            page.stats.elapsed = started.elapsed();
            page
        })
    }

    /// One log record by its [`LogRecord::record_id`].
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn log(&self, record_id: u64) -> Result<Option<LogRecord>, QueryError> {
        let snapshot = self.snapshot();
        self.inner.engine.run("log", Weight::Light, move |control| query::log(&snapshot, record_id, control)).await
    }

    /// What the same service or instance logged around one record; `None` when the record is not there.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn log_context(&self, asked: LogContextSearch) -> Result<Option<LogContext>, QueryError> {
        let (snapshot, started) = (self.snapshot(), Instant::now());
        let work = move |control: &_| query::log_context(&snapshot, asked, control);
        self.inner.engine.run("log_context", Weight::Heavy, work).await.map(|found| {
            found.map(|mut context| {
                context.stats.elapsed = started.elapsed();
                context
            })
        })
    }

    /// Finds traces.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn search_traces(&self, search: TraceSearch) -> Result<TracePage, QueryError> {
        let (snapshot, started) = (self.snapshot(), Instant::now());
        let page =
            self.inner.engine.run("search_traces", Weight::Heavy, move |control| query::search_traces(&snapshot, &search, control)).await;
        page.map(|mut page| {
            page.stats.elapsed = started.elapsed();
            page
        })
    }

    /// Finds log records.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn search_logs(&self, search: LogSearch) -> Result<LogPage, QueryError> {
        let (snapshot, started) = (self.snapshot(), Instant::now());
        let page =
            self.inner.engine.run("search_logs", Weight::Heavy, move |control| query::search_logs(&snapshot, &search, control)).await;
        page.map(|mut page| {
            page.stats.elapsed = started.elapsed();
            page
        })
    }

    /// Finds single spans.
    ///
    /// # Errors
    /// See [`QueryError`]; what asks for whole traces is refused.
    pub async fn search_spans(&self, search: SpanSearch) -> Result<SpanPage, QueryError> {
        let (snapshot, started) = (self.snapshot(), Instant::now());
        let page =
            self.inner.engine.run("search_spans", Weight::Heavy, move |control| query::search_spans(&snapshot, &search, control)).await;
        page.map(|mut page| {
            page.stats.elapsed = started.elapsed();
            page
        })
    }

    /// Counts what a search would find, over time, in `buckets` (1 to 500) equal parts of `range`.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn histogram(&self, signal: Signal, query: &str, range: TimeRange, buckets: usize) -> Result<Histogram, QueryError> {
        let (snapshot, query, rolls, started) = (self.snapshot(), query.to_owned(), self.inner.engine.rolls(), Instant::now());
        let work = move |control: &_| query::histogram(&snapshot, signal, &query, range, buckets, &rolls, control);
        self.inner.engine.run("histogram", Weight::Heavy, work).await.map(|mut histogram| {
            histogram.stats.elapsed = started.elapsed();
            histogram
        })
    }

    /// Counts the spans that a search would find by start, in `columns` (1 to 200) equal parts of `range`, and by duration.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn grid(&self, query: &str, range: TimeRange, columns: usize) -> Result<query::Grid, QueryError> {
        let (snapshot, query, started) = (self.snapshot(), query.to_owned(), Instant::now());
        let work = move |control: &_| query::grid(&snapshot, &query, range, columns, control);
        self.inner.engine.run("grid", Weight::Heavy, work).await.map(|mut grid| {
            grid.stats.elapsed = started.elapsed();
            grid
        })
    }

    /// The spans that a search would find, one by one, when these are at most `limit` (up to 1,000).
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn points(&self, query: &str, range: TimeRange, limit: usize) -> Result<query::Points, QueryError> {
        let (snapshot, query, started) = (self.snapshot(), query.to_owned(), Instant::now());
        let work = move |control: &_| query::points(&snapshot, &query, range, limit, control);
        self.inner.engine.run("points", Weight::Heavy, work).await.map(|mut points| {
            points.stats.elapsed = started.elapsed();
            points
        })
    }

    /// The most frequent values of `field`, any that the query language knows, among what a search would find, at most `limit` (1 to
    /// 1,000).
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn facets(&self, signal: Signal, query: &str, range: TimeRange, field: &str, limit: usize) -> Result<Facets, QueryError> {
        let (snapshot, query, field, started) = (self.snapshot(), query.to_owned(), field.to_owned(), Instant::now());
        let rolls = self.inner.engine.rolls();
        let work = move |control: &_| query::facets(&snapshot, signal, &query, range, (&field, limit), &rolls, control);
        self.inner.engine.run("facets", Weight::Heavy, work).await.map(|mut facets| {
            facets.stats.elapsed = started.elapsed();
            facets
        })
    }

    /// What is stored now, for questions whose answers should add up.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.snapshot())
    }

    /// The values of several fields and a grid of what a search would find, of what was stored at a moment: the same as one by one, but
    /// rows are read once.
    ///
    /// # Errors
    /// See [`QueryError`]; what is wrong with one field is in its place.
    pub async fn survey_at(&self, moment: &Moment, asked: Survey) -> Result<Surveyed, QueryError> {
        let (snapshot, rolls, started) = (moment.0.clone(), self.inner.engine.rolls(), Instant::now());
        let work = move |control: &_| query::survey(&snapshot, &asked, &rolls, control);
        self.inner.engine.run("survey", Weight::Heavy, work).await.map(|mut counted| {
            let elapsed = started.elapsed();
            counted.values.iter_mut().flatten().for_each(|facets| facets.stats.elapsed = elapsed);
            counted.grid.iter_mut().for_each(|grid| grid.stats.elapsed = elapsed);
            counted
        })
    }

    /// The fields of what a search would find, with how many rows have each.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn fields(&self, signal: Signal, query: &str, range: TimeRange) -> Result<Fields, QueryError> {
        let (snapshot, query, started) = (self.snapshot(), query.to_owned(), Instant::now());
        let work = move |control: &_| query::fields(&snapshot, signal, &query, range, control);
        self.inner.engine.run("fields", Weight::Heavy, work).await.map(|mut fields| {
            fields.stats.elapsed = started.elapsed();
            fields
        })
    }

    /// Services with spans or logs in the window, by name, each with `points` parts of the window for sparklines.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn services(&self, range: TimeRange, points: usize) -> Result<Vec<ServiceSummary>, QueryError> {
        Ok(self.services_with_stats(range, points).await?.0)
    }

    /// [`Self::services`], and whether that is all.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn services_with_stats(&self, range: TimeRange, points: usize) -> Result<(Vec<ServiceSummary>, QueryStats), QueryError> {
        self.inner.engine.services(self.snapshot(), range, points).await
    }

    /// Names of all services ever stored and not yet aged out, sorted. Cheap.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        query::service_names(&self.snapshot())
    }

    /// Who sent something to this process at `since` or later, by the clock of this machine; by name. Cheap.
    #[must_use]
    pub fn arrivals(&self, since: UnixNanos) -> Vec<Arrival> {
        self.inner.arrivals.since(since)
    }

    /// Operations of a service in the window, by name and kind.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn operations(&self, service: &str, range: TimeRange) -> Result<Vec<Operation>, QueryError> {
        Ok(self.operations_with_stats(service, range).await?.0)
    }

    /// [`Self::operations`], and whether that is all.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn operations_with_stats(&self, service: &str, range: TimeRange) -> Result<(Vec<Operation>, QueryStats), QueryError> {
        self.inner.engine.operations(self.snapshot(), service, range).await
    }

    /// Who calls whom in the window.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn service_map(&self, range: TimeRange) -> Result<ServiceMap, QueryError> {
        self.inner.engine.service_map(self.snapshot(), range, self.inner.clock.now()).await
    }

    /// [`Self::service_map`], and from the same count the calls of each of `count` parts of so many minutes, the first of which begins with the
    /// minute of the window: maps without nodes, whose edges and relays add up to those of the whole.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn service_map_in_parts(
        &self,
        range: TimeRange,
        minutes: u64,
        count: usize,
    ) -> Result<(ServiceMap, Vec<ServiceMap>), QueryError> {
        self.inner.engine.service_map_in_parts(self.snapshot(), (range, minutes, count), self.inner.clock.now()).await
    }

    /// Sums up spans or log records by group and over time.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn aggregate(&self, ask: Aggregate) -> Result<Aggregation, QueryError> {
        let (snapshot, rolls, started) = (self.snapshot(), self.inner.engine.rolls(), Instant::now());
        let work = move |control: &_| query::aggregate(&snapshot, &ask, &rolls, control);
        self.inner.engine.run("aggregate", Weight::Heavy, work).await.map(|mut found| {
            found.stats.elapsed = started.elapsed();
            found
        })
    }

    /// Everything of `range` that matches `query`, as it is stored now, part by part: as fast as the parts are taken, for at most a day.
    ///
    /// # Errors
    /// When the query is wrong or other exports run. Later errors come instead of a part, and end it.
    pub fn export(&self, signal: Signal, query: &str, range: TimeRange) -> Result<Receiver<Result<ExportPart, QueryError>>, QueryError> {
        self.check_query(signal, query).map_err(QueryError::Parse)?;
        let (snapshot, query) = (self.snapshot(), query.to_owned());
        self.inner.engine.stream("export", move |control, hand_out| query::export(&snapshot, (signal, &query, range), control, hand_out))
    }

    /// Runs a read-only SQL statement.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn sql(&self, query: SqlQuery) -> Result<SqlAnswer, QueryError> {
        self.inner.engine.sql(self.snapshot(), query).await
    }

    /// Says whether a text is a query for `signal`, and if not, where it is wrong.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn check_query(&self, signal: Signal, query: &str) -> Result<(), ParseError> {
        query::check(signal, query)
    }

    /// The fields that a query compares, as the query language writes them, each once.
    ///
    /// # Errors
    /// What is wrong with the query and where.
    pub fn query_fields(&self, signal: Signal, query: &str) -> Result<Vec<String>, ParseError> {
        query::compared(signal, query)
    }

    /// Whether a query finds rows of traces alone that it names by their ids.
    #[must_use]
    pub fn names_traces(&self, signal: Signal, query: &str) -> bool {
        query::names_traces(signal, query)
    }

    /// Whether a search for traces speaks of each as a whole, rather than of one of its spans.
    #[must_use]
    pub fn asks_for_whole_traces(&self, query: &str) -> bool {
        query::is_of_whole_traces(query)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }
}
