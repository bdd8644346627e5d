//! The series that storage reports about itself.

use crate::buffer::Buffer;
use crate::metrics::{Counter, Gauge, Registry};
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
    buffer_bytes: Gauge,
    traces: SignalMeters,
    logs: SignalMeters,
}

#[derive(Clone, Debug)]
struct SignalMeters {
    stored: Counter,
    buffer_rows: Gauge,
    segments: [Gauge; 2],
    segment_bytes: Gauge,
}

// === impl Meters ===

impl Meters {
    /// Registers all series.
    pub(crate) fn new(registry: &Registry) -> Self {
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
                "Index bundles that were damaged, missing or of an older version and were made again from their rows.",
                &[],
            ),
            background_errors: registry.counter("throughline_background_errors_total", "Flushes and merges that failed.", &[]),
            disk_free: registry.gauge("throughline_disk_free_bytes", "Free bytes on the disk of the data folder.", &[]),
            buffer_bytes: registry.gauge("throughline_buffer_bytes", "Bytes of rows in memory that are in no segment yet.", &[]),
            traces: SignalMeters::new(registry, Signal::Traces),
            logs: SignalMeters::new(registry, Signal::Logs),
        }
    }

    /// Counts rows that became durable and visible.
    pub(crate) fn stored(&self, signal: Signal, rows: usize) {
        self.signal(signal).stored.add(rows as u64);
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
            let [level0, level1] = &meters.segments;
            level0.set(metas().filter(|meta| meta.level == 0).count() as u64);
            level1.set(metas().filter(|meta| meta.level > 0).count() as u64);
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
    fn new(registry: &Registry, signal: Signal) -> Self {
        let labels = [("signal", signal.as_str())];
        let level = |level| {
            let labels = [("signal", signal.as_str()), ("level", level)];
            registry.gauge("throughline_segments", "Segments by signal and level; level 0 is not merged yet.", &labels)
        };
        Self {
            stored: registry.counter("throughline_stored_items_total", "Spans and log records stored by this process.", &labels),
            buffer_rows: registry.gauge("throughline_buffer_rows", "Rows in memory that are in no segment yet.", &labels),
            segments: [level("0"), level("1")],
            segment_bytes: registry.gauge("throughline_segment_bytes", "Bytes of segments and their indexes.", &labels),
        }
    }
}
