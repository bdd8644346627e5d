//! How the store is doing.

use crate::retention::Retention;
use crate::segment::SegmentMeta;

use super::{Signal, SignalStatus, Store, StoreStatus};

impl Store {
    /// Brings gauges up to date that nobody else does: what consumers of memory hold, the bytes of the data folder, damaged segments.
    pub fn observe(&self) {
        let inner = &self.inner;
        let used = |consumer| inner.registry.memory_used(consumer);
        used("rows").set(inner.room.used() as u64);
        used("sql").set(inner.engine.sql_memory_used());
        let snapshot = inner.snapshot.load_full();
        let others = [("versions", snapshot.versions.memory()), ("answers", inner.requests.memory())];
        for (consumer, (bytes, most)) in inner.engine.kept().into_iter().chain(others) {
            used(consumer).set(bytes as u64);
            inner.meters.bound(consumer, most as u64);
        }
        let segments = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        used("indexes").set(segments.map(|segment| segment.memory() as u64).sum());
        let disk =
            inner.registry.gauge("throughline_disk_used_bytes", "Bytes of the log and of all segments, those being written included.", &[]);
        disk.set(inner.keeper.segment_bytes().saturating_add(inner.wal.disk_bytes()));
        let damaged = inner.tables.damaged();
        for signal in [Signal::Traces, Signal::Logs] {
            let help = "Segments of which rows could not be read; /readyz names them.";
            let gauge = inner.registry.gauge("throughline_damaged_segments", help, &[("signal", signal.as_str())]);
            gauge.set(damaged.iter().filter(|segment| segment.signal == signal).count() as u64);
        }
    }

    /// How long data is kept.
    #[must_use]
    pub fn retention(&self) -> &Retention {
        &self.inner.config.retention
    }

    /// How the store is doing.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let inner = &self.inner;
        StoreStatus {
            write_refusal: inner.write_refusal().or_else(|| inner.stuck()),
            background_error: inner.health.error(),
            damage: inner.tables.damaged().into_iter().map(|segment| segment.why).collect(),
            signals: [self.signal_status(Signal::Traces), self.signal_status(Signal::Logs)],
            wal_bytes: inner.wal.size_bytes(),
            free_bytes: inner.disk.free_bytes(),
            disk_bytes: inner.keeper.segment_bytes().saturating_add(inner.wal.disk_bytes()),
            max_disk_bytes: inner.config.max_disk_bytes,
        }
    }

    fn signal_status(&self, signal: Signal) -> SignalStatus {
        let (buffered_rows, buffered_bytes) = self.inner.tables.buffered(signal);
        let snapshot = self.inner.snapshot.load_full();
        let metas: Vec<&SegmentMeta> = snapshot.table(signal).segments.iter().map(|segment| segment.meta()).collect();
        let of_level = |level| metas.iter().filter(|meta| meta.level == level).count();
        SignalStatus {
            buffered_rows,
            buffered_bytes,
            segment_rows: snapshot.table(signal).segments.iter().map(|segment| segment.visible_rows()).sum(),
            segment_bytes: metas.iter().map(|meta| meta.parquet_bytes + meta.index_bytes).sum(),
            level0_segments: of_level(0),
            level1_segments: of_level(1),
            level2_segments: of_level(2),
            time: snapshot.table(signal).time_bounds(signal),
        }
    }
}
