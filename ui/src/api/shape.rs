//! What several answers have in common.

use serde::Serialize;
use storage::{Histogram, QueryStats, Signal, TimeRange, TraceOrder, TraceSummary, UnixNanos};

use super::csv;

/// What an answer took of the store, and whether it is the whole answer. How long it took is in a header: the same question about the same
/// data has the same body.
#[derive(Debug, Serialize)]
pub(super) struct Stats {
    complete: bool,
    notes: Vec<String>,
    segments_read: usize,
    segments_pruned: usize,
    granules_pruned: u64,
    rows_scanned: u64,
    rows_pruned: u64,
    rows_skipped: u64,
    bytes_pruned: u64,
}

/// The window that an answer is about.
#[derive(Debug, Serialize)]
pub(super) struct Range {
    from: String,
    to: String,
}

/// A trace in a list.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    trace_id: String,
    root_service: String,
    root_name: String,
    has_root: bool,
    start: String,
    duration: String,
    span_count: usize,
    error_count: usize,
    matched: usize,
    sort_key: String,
    services: Vec<ServiceShare>,
    first_error: Option<String>,
    failure_service: Option<String>,
    failure_message: Option<String>,
}

#[derive(Debug, Serialize)]
struct ServiceShare {
    name: String,
    span_count: usize,
    error_count: usize,
}

/// Parts of a histogram when nobody says how many.
pub(super) const BARS: usize = 60;

/// Counts over time.
#[derive(Debug, Serialize)]
pub(super) struct Bars {
    step: String,
    buckets: Vec<Bar>,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct Bar {
    start: String,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Counts {
    Spans { ok: u64, error: u64 },
    Records { unknown: u64, trace: u64, debug: u64, info: u64, warn: u64, error: u64, fatal: u64 },
}

// === conversions ===

/// Nanoseconds as text.
pub(super) fn nanos(time: UnixNanos) -> String {
    time.get().to_string()
}

impl From<QueryStats> for Stats {
    fn from(stats: QueryStats) -> Self {
        Self {
            complete: stats.complete,
            notes: stats.notes,
            segments_read: stats.segments_read,
            segments_pruned: stats.segments_pruned,
            granules_pruned: stats.granules_pruned,
            rows_scanned: stats.rows_scanned,
            rows_pruned: stats.rows_pruned,
            rows_skipped: stats.rows_skipped,
            bytes_pruned: stats.bytes_pruned,
        }
    }
}

impl From<TimeRange> for Range {
    fn from(range: TimeRange) -> Self {
        Self { from: nanos(range.from), to: nanos(range.to) }
    }
}

impl Summary {
    /// A trace of a list in this order.
    pub(super) fn new(trace: TraceSummary, order: TraceOrder) -> Self {
        let share = |service: storage::ServiceInTrace| ServiceShare {
            name: service.name,
            span_count: service.span_count,
            error_count: service.error_count,
        };
        let (failure_service, failure_message) = trace.failure.map(|failure| (failure.service, failure.message)).unzip();
        Self {
            failure_service,
            failure_message: failure_message.flatten(),
            trace_id: trace.trace_id.to_string(),
            root_service: trace.root_service,
            root_name: trace.root_name,
            has_root: trace.has_root,
            start: nanos(trace.start),
            duration: trace.duration.to_string(),
            span_count: trace.span_count,
            error_count: trace.error_count,
            matched: trace.matched,
            sort_key: order.shown(trace.key).to_string(),
            services: trace.services.into_iter().map(share).collect(),
            first_error: trace.first_error,
        }
    }
}

/// Columns of a list of traces.
pub(super) const TRACE_COLUMNS: [&str; 12] = [
    "trace_id",
    "root_service",
    "root_name",
    "has_root",
    "start_time",
    "duration_ms",
    "span_count",
    "error_count",
    "services",
    "first_error",
    "failure_service",
    "failure_message",
];

/// A trace as a line of a table.
pub(super) fn trace_line(trace: TraceSummary) -> [String; 12] {
    let services = trace.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(" ");
    let (failed_in, failed_with) = trace.failure.map(|failure| (failure.service, failure.message)).unwrap_or_default();
    [
        trace.trace_id.to_string(),
        trace.root_service,
        trace.root_name,
        trace.has_root.to_string(),
        csv::time(trace.start),
        csv::milliseconds(trace.duration),
        trace.span_count.to_string(),
        trace.error_count.to_string(),
        services,
        trace.first_error.unwrap_or_default(),
        failed_in,
        failed_with.unwrap_or_default(),
    ]
}

impl Bars {
    pub(super) fn new(signal: Signal, histogram: Histogram) -> Self {
        let bars = histogram.buckets.into_iter().map(|bucket| {
            let [unknown, trace, debug, info, warn, error, fatal] = bucket.counts;
            let counts = match signal {
                Signal::Traces => Counts::Spans { ok: unknown, error },
                Signal::Logs => Counts::Records { unknown, trace, debug, info, warn, error, fatal },
            };
            Bar { start: nanos(bucket.start), counts }
        });
        Self { step: histogram.step.to_string(), buckets: bars.collect(), stats: histogram.stats.into() }
    }
}
