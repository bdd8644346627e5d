//! What the store is told at start: where to keep data, and its bounds.

use std::path::PathBuf;
use std::time::Duration;

use crate::query::questions_within;
use crate::retention::Retention;
use crate::wal::LEAST_FILE_BYTES;

/// Settings of a [`crate::Store`]. Every field has a default that suits one machine with two cores.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder; created when absent.
    pub data_dir: PathBuf,
    /// When an append counts as durable.
    pub sync: SyncPolicy,
    /// Rows in memory, as bytes of columns over both signals, at which a flush begins, and that it writes together. Default 56 MiB.
    pub buffer_bytes: usize,
    /// So many rows of a table that are flushed together are not merged again: their segment is put behind others as it is. Default 32,768.
    pub run_rows: usize,
    /// Oldest row in memory at which a flush begins. Default 60 s.
    pub flush_interval: Duration,
    /// Bytes in memory, flushing ones included, at which appends wait; a byte budget sets as much aside for the log. Default four times `buffer_bytes`.
    pub max_buffer_bytes: usize,
    /// Below this much free disk, appends are refused and reads go on; never less than [`Self::least_free_bytes`]. Default 512 MiB.
    pub min_free_bytes: u64,
    /// Bytes that the data folder may take; before it would take more, the oldest segments go. `None` for what the disk has.
    pub max_disk_bytes: Option<u64>,
    /// How long data is kept. Default for ever.
    pub retention: Retention,
    /// Queries that run at once at most, fewer while memory is short; as many again times eight may wait. Default 4.
    pub concurrent_queries: usize,
    /// The longest a query may take. Default 60 s.
    pub query_timeout: Duration,
    /// Bytes that this process may take, for the metrics; `None` when that is not known.
    pub memory_limit_bytes: Option<u64>,
    /// Bytes that DataFusion may use for all queries together. Default 1 GiB.
    pub query_memory_bytes: usize,
}

/// When an append counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Synced to the disk before it is acknowledged; one sync serves all that wait. Survives power loss.
    #[default]
    Group,
    /// Written before it is acknowledged, synced at this interval. Survives `kill -9`; power loss may take the interval.
    Interval(Duration),
}

impl Config {
    /// Defaults, with data under `data_dir`.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            sync: SyncPolicy::Group,
            buffer_bytes: 56 << 20,
            run_rows: 32_768,
            flush_interval: Duration::from_secs(60),
            max_buffer_bytes: 224 << 20,
            min_free_bytes: 512 << 20,
            max_disk_bytes: None,
            retention: Retention::default(),
            concurrent_queries: 4,
            query_timeout: Duration::from_secs(60),
            memory_limit_bytes: None,
            query_memory_bytes: 1 << 30,
        }
    }

    /// Bytes of one file of the log: as large as the buffer, within bounds, and half of it where two of them are set aside of a byte budget.
    pub(crate) fn log_file_bytes(&self) -> u64 {
        let part = if self.max_disk_bytes.is_some() { 2 } else { 1 };
        (self.buffer_bytes as u64 / part).clamp(MIN_LOG_FILE, MAX_LOG_FILE)
    }

    /// Bytes that what is remembered of requests may take on disk: all that is remembered with the default buffer, less with a smaller one.
    pub(crate) fn requests_bytes(&self) -> u64 {
        (self.buffer_bytes as u64 / 4).clamp(64 << 10, 8 << 20)
    }

    /// What is kept free in any case: what is in memory must fit into segments before the log can give room back, and a log that has taken
    /// the last of the disk could never be emptied. One lot, of which segments take a part, and the smallest file of the log.
    #[must_use]
    pub fn least_free_bytes(&self) -> u64 {
        (self.buffer_bytes as u64).saturating_add(LEAST_FILE_BYTES)
    }

    /// Free disk below which nothing is taken in.
    pub(crate) fn kept_free(&self) -> u64 {
        self.min_free_bytes.max(self.least_free_bytes())
    }

    /// The smallest `max_disk_bytes` that goes with the other settings: room for the log, for one flush and for merging it.
    #[must_use]
    pub fn smallest_disk(&self) -> u64 {
        crate::budget::log_share(self).saturating_add(3 * self.buffer_bytes as u64)
    }

    /// Questions that may read everything for which there is memory at once, beside `others` bytes that are taken outside of the store and beside
    /// what the store itself may take; at least one. `None` without a limit.
    #[must_use]
    pub fn questions_with_room(&self, others: usize) -> Option<usize> {
        let limit = self.memory_limit_bytes?;
        let bounded = (self.max_buffer_bytes as u64).saturating_add(self.query_memory_bytes as u64).saturating_add(others as u64);
        Some(questions_within(limit, bounded).max(1))
    }
}

const MIN_LOG_FILE: u64 = 1 << 20;
const MAX_LOG_FILE: u64 = 64 << 20;
