//! What the store is told at start: where to keep data, and its bounds.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`crate::Store`]. Every field has a default that suits one machine with two cores.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder; created when absent.
    pub data_dir: PathBuf,
    /// When an append counts as durable.
    pub sync: SyncPolicy,
    /// Rows in memory, as bytes of columns over both signals, at which a flush begins. Default 96 MiB.
    pub buffer_bytes: usize,
    /// Oldest row in memory at which a flush begins. Default 60 s.
    pub flush_interval: Duration,
    /// Bytes in memory, flushing ones included, at which appends wait. Default four times `buffer_bytes`.
    pub max_buffer_bytes: usize,
    /// Below this much free disk, appends are refused and reads go on. Default 512 MiB.
    pub min_free_bytes: u64,
    /// Spans that started longer ago are refused. `None` keeps and accepts everything.
    pub retention: Option<Duration>,
    /// Queries that run at once; as many again times eight may wait. Default 4.
    pub concurrent_queries: usize,
    /// The longest a query may take. Default 60 s.
    pub query_timeout: Duration,
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
            buffer_bytes: 96 << 20,
            flush_interval: Duration::from_secs(60),
            max_buffer_bytes: 384 << 20,
            min_free_bytes: 512 << 20,
            retention: None,
            concurrent_queries: 4,
            query_timeout: Duration::from_secs(60),
            query_memory_bytes: 1 << 30,
        }
    }
}
