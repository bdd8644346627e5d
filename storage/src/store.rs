//! The store: the one handle that other crates hold.
//!
//! Owns the life of the log, the buffer and the segments, and routes questions to plans. Knows no wire protocol and
//! no page.
//!
//! What is acknowledged is durable and visible, once: see `store/append.rs` for the way in and `flush.rs` for the way to segments.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::arrivals::Arrivals;
use crate::background::{Health, Threads, Wake};
use crate::backup::Backup;
use crate::buffer::{Reach, Room};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::OpenError;
use crate::flush::Keeper;
use crate::memo::Memo;
use crate::metrics::Registry;
use crate::model::UnixNanos;
use crate::otlp::Flaw;
use crate::query::Engine;
use crate::requests::Requests;
use crate::snapshot::Snapshot;

mod append;
mod ask;
mod backlog;
mod delete;
mod disk;
mod memo;
mod merge;
mod meters;
mod open;
mod reserve;
#[cfg(test)]
mod simulation;
mod status;
mod tables;

use self::append::Pending;
pub(crate) use self::append::context_of;
pub use self::ask::Moment;
use self::disk::Disk;
pub(crate) use self::meters::LetGo;
use self::meters::Meters;
pub(crate) use self::open::payload;
use self::reserve::Reserve;
pub(crate) use self::tables::{Oldest, Tables};

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
    snapshot: Arc<ArcSwap<Snapshot>>,
    engine: Engine,
    registry: Registry,
    config: Config,
    keeper: Arc<Keeper>,
    tables: Arc<Tables>,
    wal: Arc<crate::wal::Writer<Pending>>,
    requests: Arc<Requests>,
    room: Arc<Room>,
    next_record_id: Arc<AtomicU64>,
    disk: Arc<Disk>,
    reserve: Arc<Reserve>,
    memo: Arc<Memo>,
    arrivals: Arrivals,
    /// Held while services get their slots.
    assigning: tokio::sync::Mutex<()>,
    health: Arc<Health>,
    meters: Meters,
    flusher: open::Flusher,
    threads: Threads,
    wake: Arc<Wake>,
    /// Appends in progress, and other changes of the data folder.
    tasks: TaskTracker,
    /// Permits to decode a large request.
    large: Semaphore,
    closing: AtomicBool,
}

/// What became of a request that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Items stored, durable and visible.
    pub accepted: u64,
    /// Items refused for good.
    pub rejected: u64,
    /// How many of them for which reason: `refused_before` when it came before and that is not known any more.
    pub rejected_by: Vec<(&'static str, u64)>,
    /// Whether the request was taken in before, so that nothing was stored this time.
    pub repeated: bool,
    /// Why items were refused; names the first offender and the rule. At most 1 KiB.
    pub message: Option<String>,
    /// What the sender should mend in what was taken in, and how often it was found.
    pub flaws: Vec<(Flaw, u64)>,
}

/// How the store is doing, for `/readyz` and the status page.
#[derive(Clone, Debug, Default)]
pub struct StoreStatus {
    /// Why writes are refused; `None` when they are taken.
    pub write_refusal: Option<String>,
    /// Why the last background work failed; `None` when it did not.
    pub background_error: Option<String>,
    /// What is stored and cannot be read, one sentence per segment, as far as anybody tried to read it.
    pub damage: Vec<String>,
    /// Per signal: traces, then logs.
    pub signals: [SignalStatus; 2],
    /// Bytes of the log on disk.
    pub wal_bytes: u64,
    /// Free bytes on the disk of the data folder.
    pub free_bytes: u64,
    /// Bytes of the log and of all segments, those being written included.
    pub disk_bytes: u64,
    /// Bytes that may be taken.
    pub max_disk_bytes: Option<u64>,
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
    /// Merged segments that are not stacked yet.
    pub level1_segments: usize,
    /// Stacked segments.
    pub level2_segments: usize,
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
        let path = config.data_dir.clone();
        let inner = blocking(&path, "cannot open", move || open::open(config, clock, registry)).await??;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes what is in memory to segments. It happens by itself; this is for tests and tools.
    ///
    /// # Errors
    /// When it failed; nothing is lost, the log still holds it.
    pub async fn flush(&self) -> Result<(), OpenError> {
        let inner = self.inner.clone();
        let path = inner.config.data_dir.clone();
        let flushed = blocking(&path, "cannot flush", move || inner.flush()).await?;
        flushed.map(|_| ()).map_err(|source| OpenError::Io { action: "cannot flush", path, source: std::io::Error::other(source) })
    }

    /// Writes what is in memory to segments, syncs, and stops the background work. Later appends, deletes and saved views are refused.
    ///
    /// # Errors
    /// When the last flush failed; nothing acknowledged is lost, the log still holds it.
    pub async fn close(&self) -> Result<(), OpenError> {
        let inner = self.inner.clone();
        inner.closing.store(true, Ordering::Release);
        inner.engine.end_work_behind();
        inner.tasks.close();
        inner.tasks.wait().await;
        let path = inner.config.data_dir.clone();
        let closed = blocking(&path, "cannot close", move || {
            inner.threads.stop();
            inner.wal.stop();
            let flushed = inner.end();
            inner.keeper.remove_files();
            inner.keeper.folder().unlock();
            flushed
        });
        let flushed = closed.await?;
        flushed.map(|_| ()).map_err(|source| OpenError::Io { action: "cannot flush", path, source: std::io::Error::other(source) })
    }

    /// Holds the present moment, to be copied while the store goes on: everything that was acknowledged before is in it.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub async fn backup(&self) -> Result<Backup, OpenError> {
        let inner = self.inner.clone();
        let path = inner.config.data_dir.clone();
        blocking(&path, "cannot look at", move || Backup::of_store(&inner.keeper, &|| inner.wal.files(), &|| inner.snapshot.load_full()))
            .await?
    }

    /// The clock this store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The series of this process.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Whether nothing is stored: nothing came in yet, or all of it has aged out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let snapshot = self.inner.snapshot.load();
        [&snapshot.spans, &snapshot.logs].iter().all(|table| table.segments.is_empty() && table.buffered.is_empty())
    }
}

// === impl Inner ===

impl Inner {
    /// As long as this is held, the store does not close. `None` when it is closing already: then nothing may be written any more, since
    /// another process may have the data folder soon.
    fn stay_open(&self) -> Option<TaskTrackerToken> {
        // Taken before `closing` is read: close waits for it.
        let in_progress = self.tasks.token();
        (!self.closing.load(Ordering::Acquire)).then_some(in_progress)
    }

    /// Writes what is in memory to segments and lets the log forget it; says up to which frame. Blocks.
    fn flush(&self) -> Result<u64, crate::flush::KeepError> {
        self.flusher.flush(Reach::All)
    }

    /// The same at the end, when the log takes nothing more: then it is recorded that segments have all of it. Blocks.
    fn end(&self) -> Result<u64, crate::flush::KeepError> {
        let through = self.flush()?;
        // Of a log that failed it is not known what is in it.
        let is_known = !matches!(self.wal.refusal(), Some(crate::wal::Refusal::Failed(_))) && through == self.tables.last_seq();
        if is_known && let Err(error) = self.keeper.log_ended(through + 1) {
            tracing::warn!(%error, "that the log ended in good order could not be recorded; nothing is lost by that");
        }
        Ok(through)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without close, threads end after what they are doing; what they hold goes with them.
        self.wake.stop();
    }
}

// === impl Signal ===

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

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(
    path: &std::path::Path,
    action: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OpenError> {
    let failed = |error: tokio::task::JoinError| OpenError::Io { action, path: path.to_owned(), source: std::io::Error::other(error) };
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

#[cfg(test)]
mod tests;
