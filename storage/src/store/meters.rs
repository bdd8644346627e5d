//! The series that storage reports about itself.

use crate::buffer::Buffer;
use crate::config::Config;
use crate::manifest::Written;
use crate::metrics::{Counter, Gauge, Registry};
use crate::segment::SegmentMeta;
use crate::snapshot::Snapshot;

use super::Signal;

/// Handles of all series but the log's, which the log has itself.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    /// Requests that were answered again and not stored again.
    pub(crate) deduplicated: Counter,
    /// Flushes that wrote something.
    pub(crate) flushes: Counter,
    /// Merges of segments.
    pub(crate) compactions: Counter,
    /// Index bundles that were made again.
    pub(crate) reindexed: Counter,
    /// Background work that failed.
    pub(crate) background_errors: Counter,
    /// Free bytes on the disk.
    pub(crate) disk_free: Gauge,
    /// Bytes of memory that flushes hold beside the rows they write.
    pub(crate) flushing: Gauge,
    /// Bytes of memory that merging holds.
    pub(crate) merging: Gauge,
    buffer_bytes: Gauge,
    registry: Registry,
    traces: SignalMeters,
    logs: SignalMeters,
}

/// Why rows that were stored are not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// They are kept once.
    Duplicate,
    /// They are older than they are kept.
    Age,
    /// They were the oldest, and the byte budget was full.
    Budget,
    /// Somebody asked for it.
    Deleted,
}

#[derive(Clone, Debug)]
struct SignalMeters {
    /// Rows that were written to segments before this process started, by what wrote them.
    before: [u64; 3],
    stored: Counter,
    /// Rows that came back from the log when this process started.
    read_back: Counter,
    let_go: [Counter; 4],
    buffer_rows: Gauge,
    segments: [Gauge; 3],
    segment_bytes: Gauge,
    written_rows: [Counter; 3],
    written_bytes: [Counter; 3],
    writes: Gauge,
}

// === impl Meters ===

impl Meters {
    /// Registers all series of a store that wrote so much before.
    pub(crate) fn new(registry: &Registry, before: Written) -> Self {
        Self {
            deduplicated: registry.counter(
                "throughline_deduplicated_requests_total",
                "Requests that were sent again, answered again and not stored again.",
                &[],
            ),
            flushes: registry.counter("throughline_flushes_total", "Times that rows in memory were written to segments.", &[]),
            compactions: registry.counter("throughline_compactions_total", "Merges of segments.", &[]),
            reindexed: registry.counter(
                "throughline_indexes_rebuilt_total",
                "Index bundles that were damaged, missing, of an older version or without their text yet and were made again from their rows.",
                &[],
            ),
            background_errors: registry.counter("throughline_background_errors_total", "Flushes and merges that failed.", &[]),
            disk_free: registry.gauge("throughline_disk_free_bytes", "Free bytes on the disk of the data folder.", &[]),
            flushing: registry.memory_used("flushes"),
            merging: registry.memory_used("merges"),
            buffer_bytes: registry.gauge("throughline_buffer_bytes", "Bytes of rows in memory that are in no segment yet.", &[]),
            registry: registry.clone(),
            traces: SignalMeters::new(registry, Signal::Traces, before),
            logs: SignalMeters::new(registry, Signal::Logs, before),
        }
    }

    /// Shows what each consumer of memory may take.
    pub(crate) fn bounds(&self, config: &Config) {
        let bounds = [("rows", config.max_buffer_bytes as u64), ("sql", config.query_memory_bytes as u64)];
        bounds.into_iter().for_each(|(consumer, bytes)| self.bound(consumer, bytes));
        if let Some(limit) = config.memory_limit_bytes {
            self.registry.gauge("throughline_memory_limit_bytes", "Bytes of memory that this process may take.", &[]).set(limit);
        }
    }

    /// Shows what a consumer of memory may take.
    pub(crate) fn bound(&self, consumer: &str, bytes: u64) {
        let help = "Bytes of memory that a consumer may take.";
        self.registry.gauge("throughline_memory_bound_bytes", help, &[("consumer", consumer)]).set(bytes);
    }

    /// Counts rows that became durable and visible.
    pub(crate) fn stored(&self, signal: Signal, rows: usize) {
        self.signal(signal).stored.add(rows as u64);
    }

    /// Counts rows that are in memory again, which another process has counted as stored.
    pub(crate) fn read_back(&self, signal: Signal, rows: usize) {
        self.signal(signal).read_back.add(rows as u64);
    }

    /// Counts rows that a flush wrote to a segment.
    pub(crate) fn flushed(&self, meta: &SegmentMeta) {
        self.written_by(0, meta);
    }

    /// Counts rows that were written to a segment of their level.
    pub(crate) fn written(&self, meta: &SegmentMeta) {
        self.written_by(usize::from(meta.level), meta);
    }

    fn written_by(&self, stage: usize, meta: &SegmentMeta) {
        let meters = self.signal(meta.signal);
        if let (Some(rows), Some(bytes)) = (meters.written_rows.get(stage), meters.written_bytes.get(stage)) {
            rows.add(meta.rows);
            bytes.add(meta.parquet_bytes + meta.index_bytes);
        }
    }

    /// Counts rows that are not there any more.
    pub(crate) fn let_go(&self, signal: Signal, why: LetGo, rows: u64) {
        let [duplicate, age, budget, deleted] = &self.signal(signal).let_go;
        let counter = match why {
            LetGo::Duplicate => duplicate,
            LetGo::Age => age,
            LetGo::Budget => budget,
            LetGo::Deleted => deleted,
        };
        counter.add(rows);
    }

    /// Shows a new state of the tables.
    pub(crate) fn tables(&self, snapshot: &Snapshot, buffer: &Buffer) {
        let mut bytes = 0;
        for signal in [Signal::Traces, Signal::Logs] {
            let meters = self.signal(signal);
            let (rows, signal_bytes) = buffer.size(signal);
            bytes += signal_bytes;
            meters.buffer_rows.set(rows);
            let metas = || snapshot.table(signal).segments.iter().map(|segment| segment.meta());
            for (level, gauge) in (0..).zip(&meters.segments) {
                gauge.set(metas().filter(|meta| meta.level == level).count() as u64);
            }
            meters.writes.set(meters.writes_per_100_rows());
            meters.segment_bytes.set(metas().map(|meta| meta.parquet_bytes + meta.index_bytes).sum());
        }
        self.buffer_bytes.set(bytes);
    }

    fn signal(&self, signal: Signal) -> &SignalMeters {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        }
    }
}

// === impl SignalMeters ===

impl SignalMeters {
    fn writes_per_100_rows(&self) -> u64 {
        let [flushed_before, ..] = self.before;
        // The log has what is stored once. What was read back from it at the start was in no segment before.
        let stored = flushed_before.saturating_add(self.stored.get()).saturating_add(self.read_back.get());
        let counted = self.before.into_iter().chain(self.written_rows.iter().map(Counter::get));
        let written = counted.fold(stored, u64::saturating_add);
        written.saturating_mul(100).checked_div(stored).unwrap_or(0)
    }

    fn new(registry: &Registry, signal: Signal, before: Written) -> Self {
        let labels = [("signal", signal.as_str())];
        let level = |level| {
            let labels = [("signal", signal.as_str()), ("level", level)];
            registry.gauge("throughline_segments", "Segments by signal and level: 0 flushed, 1 merged, 2 stacked.", &labels)
        };
        let stages = |name, help| {
            ["flush", "merge", "stack"].map(|stage| registry.counter(name, help, &[("signal", signal.as_str()), ("stage", stage)]))
        };
        let let_go = |why| {
            let help = "Stored rows that are not there any more, by what took them.";
            registry.counter("throughline_rows_let_go_total", help, &[("signal", signal.as_str()), ("why", why)])
        };
        Self {
            before: before.of(signal),
            stored: registry.counter("throughline_stored_items_total", "Spans and log records stored by this process.", &labels),
            read_back: registry.counter(
                "throughline_read_back_items_total",
                "Spans and log records that were read back from the log when this process started: stored before, and in no segment yet.",
                &labels,
            ),
            let_go: ["duplicate", "age", "budget", "deleted"].map(let_go),
            buffer_rows: registry.gauge("throughline_buffer_rows", "Rows in memory that are in no segment yet.", &labels),
            segments: [level("0"), level("1"), level("2")],
            segment_bytes: registry.gauge("throughline_segment_bytes", "Bytes of segments and their indexes.", &labels),
            written_rows: stages("throughline_written_rows_total", "Rows written to segments, by what wrote them."),
            written_bytes: stages("throughline_written_bytes_total", "Bytes of segments and indexes written, by what wrote them."),
            writes: registry.gauge(
                "throughline_writes_per_100_rows",
                "Rows written to the log and to segments over the life of the data folder, for each 100 that were stored: at most 400, and more \
                 by deletes and by retention rules.",
                &labels,
            ),
        }
    }
}
