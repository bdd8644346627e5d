//! How often rows were written, over the whole life of a data folder.
//!
//! Derived from the edits themselves, so that it cannot disagree with what is listed: an edit that only adds segments is a flush, one that
//! replaces segments wrote those that it adds by their level, and a segment that replaces itself only got another index. When the manifest
//! is replaced by a shorter one, that begins with the sums. A manifest of before they were kept begins with what its segments say at most.

use crate::segment::SegmentMeta;
use crate::store::Signal;

/// Rows written to segments: by flushes, by merges, and by putting segments one behind the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    spans: [u64; STAGES],
    logs: [u64; STAGES],
}

const STAGES: usize = 3;

impl Written {
    /// Rows of a signal by what wrote them.
    pub(crate) fn of(&self, signal: Signal) -> [u64; STAGES] {
        match signal {
            Signal::Traces => self.spans,
            Signal::Logs => self.logs,
        }
    }

    /// What segments say of how often their rows were written: once for each level, at most.
    pub(crate) fn at_most<'a>(segments: impl IntoIterator<Item = &'a SegmentMeta>) -> Self {
        let mut written = Self::default();
        for meta in segments {
            (0..=usize::from(meta.level)).for_each(|stage| written.count(meta, stage));
        }
        written
    }

    /// Counts segments that an edit adds in the place of others, or of none.
    pub(super) fn add(&mut self, added: &[SegmentMeta], is_flush: bool) {
        for meta in added {
            self.count(meta, if is_flush { 0 } else { usize::from(meta.level) });
        }
    }

    fn count(&mut self, meta: &SegmentMeta, stage: usize) {
        let rows = match meta.signal {
            Signal::Traces => &mut self.spans,
            Signal::Logs => &mut self.logs,
        };
        if let Some(rows) = rows.get_mut(stage) {
            *rows = rows.saturating_add(meta.rows);
        }
    }

    pub(super) fn to_numbers(self) -> Vec<u64> {
        [self.spans, self.logs].concat()
    }

    /// `None` when these are not such numbers.
    pub(super) fn from_numbers(numbers: &[u64]) -> Option<Self> {
        let (spans, logs) = numbers.split_first_chunk()?;
        Some(Self { spans: *spans, logs: logs.try_into().ok()? })
    }
}
