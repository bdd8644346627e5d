//! How much disk is left, looked up at most once a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::folder::Folder;
use crate::metrics::Gauge;

/// Watches the disk of the data folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Arc<Folder>,
    min_free: u64,
    seen: Mutex<Option<(Instant, u64)>>,
    /// Whether the log was told that writes are refused.
    is_told: AtomicBool,
    gauge: Gauge,
}

impl Disk {
    pub(crate) fn new(folder: Arc<Folder>, min_free: u64, gauge: Gauge) -> Self {
        let disk = Self { folder, min_free, seen: Mutex::new(None), is_told: AtomicBool::new(false), gauge };
        // Also where nobody sends anything yet.
        let _ = disk.refusal();
        disk
    }

    /// Free bytes; the last known value when the system does not say.
    pub(crate) fn free_bytes(&self) -> u64 {
        let mut seen = self.seen.lock();
        if let Some((at, free)) = *seen
            && at.elapsed() < Duration::from_secs(1)
        {
            return free;
        }
        let free = self.folder.free_bytes().unwrap_or_else(|error| {
            tracing::debug!(%error, "the free space of the data folder is not known");
            seen.map_or(u64::MAX, |(_, free)| free)
        });
        *seen = Some((Instant::now(), free));
        self.gauge.set(free);
        free
    }

    /// Has the disk have so many free bytes from now on.
    #[cfg(test)]
    pub(super) fn pretend(&self, free: u64) {
        *self.seen.lock() = Some((Instant::now() + Duration::from_secs(3_600), free));
    }

    /// Whether so many bytes can be written without coming near to what is kept free.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.free_bytes() >= self.min_free.saturating_add(bytes)
    }

    /// Why writes are refused; `None` when there is enough room. The log is told when that changes.
    pub(crate) fn refusal(&self) -> Option<String> {
        let free = self.free_bytes();
        let is_short = free < self.min_free;
        let refusal = is_short.then(|| {
            format!("the disk of the data folder has {} MiB left, {} MiB are kept free; make room", free >> 20, self.min_free >> 20)
        });
        if self.is_told.load(Ordering::Relaxed) != is_short && self.is_told.swap(is_short, Ordering::Relaxed) != is_short {
            match &refusal {
                Some(reason) => tracing::warn!(reason, "nothing new is taken in"),
                None => tracing::info!(free_bytes = free, "the disk has room again: requests are taken in"),
            }
        }
        refusal
    }
}
