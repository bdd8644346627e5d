//! The bytes that a data folder may take on disk, counted before they are written.
//!
//! Owns the sum of what is being written; what is there already is known to `store::tables`. The log has a fixed share, since what it
//! holds is bounded by the rows in memory; everything else is for segments, with their indexes, and for those being written.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Config;

/// How many bytes segments may take.
#[derive(Debug)]
pub(crate) struct Budget {
    segments: Option<u64>,
    /// Bytes that are to be free when nothing is written.
    ahead: u64,
    writing: Mutex<u64>,
}

/// Bytes set aside for files that are being written, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

/// What a data folder takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InUse {
    /// Segments that are listed.
    pub(crate) listed: u64,
    /// Segments that are not listed any more, whose files are still read.
    pub(crate) leaving: u64,
}

/// What became of asking for a share.
#[derive(Debug)]
pub(crate) enum Asked {
    Granted(Share),
    /// Listed segments take too much: letting go of the oldest would help.
    Full,
    /// What is let go already is enough, but its files are still read.
    Leaving,
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let segments = config.max_disk_bytes.map(|max| max.saturating_sub(log_share(config)));
        let ahead = segments.map_or(0, |most| (config.buffer_bytes as u64).min(most / 16));
        Arc::new(Self { segments, ahead, writing: Mutex::new(0) })
    }

    /// Whether segments are so near to the limit that the next flush would have to let some go, and to wait for whoever reads them.
    pub(crate) fn is_short(&self, listed: u64) -> bool {
        self.segments.is_some_and(|most| listed.saturating_add(*self.writing.lock()).saturating_add(self.ahead) > most)
    }

    /// Sets `bytes` aside for files to be written, if they fit.
    pub(crate) fn ask(self: &Arc<Self>, in_use: InUse, bytes: u64) -> Asked {
        let mut writing = self.writing.lock();
        let wanted = bytes.saturating_add(*writing);
        if let Some(most) = self.segments {
            if in_use.listed.saturating_add(wanted) > most {
                return Asked::Full;
            }
            if in_use.listed.saturating_add(in_use.leaving).saturating_add(wanted) > most {
                return Asked::Leaving;
            }
        }
        *writing = wanted;
        Asked::Granted(Share { budget: self.clone(), bytes })
    }

    /// Bytes set aside now.
    pub(crate) fn writing(&self) -> u64 {
        *self.writing.lock()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut writing = self.budget.writing.lock();
        *writing = writing.saturating_sub(self.bytes);
    }
}

/// Bytes that the log, the manifest and the small files may take: rows in memory are in the log, a file of it goes when all of it is in
/// segments, and the one being written is set aside whole.
pub(crate) fn log_share(config: &Config) -> u64 {
    let requests = 2 * config.requests_bytes();
    (config.max_buffer_bytes as u64).saturating_add(2 * config.log_file_bytes()).saturating_add(requests + small_files(config))
}

/// The manifest, twice while it is replaced, and files of a few bytes: more of it where there is room for many segments.
fn small_files(config: &Config) -> u64 {
    (config.buffer_bytes as u64).clamp(1 << 20, 4 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_counts_until_it_is_there() {
        let mut config = Config::new("x".into());
        (config.buffer_bytes, config.max_buffer_bytes) = (1 << 20, 4 << 20);
        config.max_disk_bytes = Some(log_share(&config) + 100);
        let budget = Budget::new(&config);
        let in_use = InUse { listed: 40, leaving: 20 };
        let Asked::Granted(share) = budget.ask(in_use, 40) else { panic!("it fits") };
        assert!(matches!(budget.ask(in_use, 1), Asked::Leaving));
        assert!(matches!(budget.ask(in_use, 21), Asked::Full));
        drop(share);
        assert!(matches!(budget.ask(in_use, 40), Asked::Granted(_)));
        assert!(!budget.is_short(94) && budget.is_short(95), "a sixteenth is to be free");
        config.max_disk_bytes = None;
        assert!(matches!(Budget::new(&config).ask(InUse { listed: u64::MAX, leaving: 1 }, u64::MAX), Asked::Granted(_)));
    }
}
