//! The store: the one handle that other crates hold.
//!
//! Owns the life of the log, the buffer and the segments, and routes questions to plans. Knows no wire protocol and
//! no page.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{AppendError, OpenError};
use crate::metrics::Registry;
use crate::model::UnixNanos;
use crate::query::Engine;
use crate::snapshot::Snapshot;

mod ask;

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
pub struct Store {
    inner: Arc<Inner>,
}

/// What clones of a store share.
#[derive(Debug)]
struct Inner {
    clock: Clock,
    snapshot: ArcSwap<Snapshot>,
    engine: Engine,
}

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
