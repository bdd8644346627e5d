//! Writing segments anew without some of their rows: deleted ones, and what is past its age.
//!
//! Owns what becomes of a segment for which there is no room, or whose files cannot be written: it waits a while, so that it stops nothing else.

use std::sync::Arc;

use crate::budget::Share;
use crate::compaction::{self, Target};
use crate::flush::KeepError;
use crate::segment::{RowRanges, Segment, SegmentErrorKind, SegmentMeta};
use crate::snapshot::Snapshot;

use super::{LetGo, Merger, SIGNALS, Signal, index_bytes, scratch};

/// How long a segment waits that could not be written anew.
const SET_ASIDE_NANOS: u64 = 60_000_000_000;

impl Merger {
    /// Writes one segment anew whose rows were deleted, so that they are gone from the disk.
    pub(super) fn rewrite_hidden(&mut self) -> Result<bool, KeepError> {
        let snapshot = self.tables.published().load_full();
        let Some(segment) = self.next_hidden(&snapshot) else { return Ok(false) };
        let outputs = if segment.visible_rows() == 0 {
            Vec::new()
        } else {
            let Some(outputs) = self.write_anew(segment, segment.hidden().clone(), None)? else { return Ok(true) };
            outputs
        };
        self.keeper.replace(std::slice::from_ref(segment), outputs, LetGo::Deleted)?;
        tracing::debug!(segment.id = %segment.meta().id, "a segment was written anew without deleted rows");
        Ok(true)
    }

    /// The next segment to write anew: one of which nothing is left, which takes no space, else that which came first. What came later stays
    /// while a segment with a time in common does: after a crash it says which spans the other holds older versions of. What could not be
    /// written lately waits.
    fn next_hidden<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<Segment>> {
        let hiding = |segment: &&Arc<Segment>| !segment.hidden().is_empty() && !self.damaged.contains(&segment.meta().id);
        let mut hidden: Vec<&Arc<Segment>> = SIGNALS.iter().flat_map(|signal| &snapshot.table(*signal).segments).filter(hiding).collect();
        hidden.sort_unstable_by_key(|segment| segment.meta().id);
        let is_free = |at: usize, meta: &SegmentMeta| {
            let mut before = hidden.iter().take(at).map(|other| other.meta());
            let meets = |other: &SegmentMeta| other.min_time <= meta.max_time && meta.min_time <= other.max_time;
            meta.signal == Signal::Logs || !before.any(|other| other.signal == meta.signal && meets(other))
        };
        let can_go = |segment: &Arc<Segment>| segment.visible_rows() == 0 || !self.is_set_aside(segment);
        let free = hidden.iter().enumerate().filter(|(at, segment)| is_free(*at, segment.meta()) && can_go(segment));
        free.min_by_key(|(_, segment)| segment.visible_rows() > 0).map(|(_, segment)| *segment)
    }

    /// Writes a segment anew without some of its rows; what is written is not listed yet. `None` when it stays as it is: for a while for want of
    /// room, for good when it cannot be read. Where no share is set aside for it, others may have to go.
    pub(super) fn write_anew(
        &mut self,
        segment: &Arc<Segment>,
        gone: RowRanges,
        share: Option<Share>,
    ) -> Result<Option<Vec<SegmentMeta>>, KeepError> {
        let (id, bytes) = (segment.meta().id, scratch(std::slice::from_ref(segment)));
        // It may take of what is kept free: what it makes is smaller.
        if self.disk.free_bytes() < bytes {
            tracing::debug!(segment.id = %id, bytes, "the disk has no room to write a segment anew without rows that are to go; it waits");
            self.set_aside.insert(id, self.clock.now());
            return Ok(None);
        }
        let share = share.map_or_else(|| self.keeper.make_room(bytes), Ok);
        match share.and_then(|_share| self.written_without(segment, gone)) {
            Ok(outputs) => Ok(Some(outputs)),
            Err(KeepError::Segment(error)) if error.kind == SegmentErrorKind::Damaged => {
                tracing::error!(%error, "rows that are to go cannot be removed from a segment; it stays as it is");
                self.leave(segment, &error.detail);
                Ok(None)
            }
            // What was let go for it may be held open by this step alone, which tries again.
            Err(KeepError::NoRoom) if !self.had_no_room => Err(KeepError::NoRoom),
            Err(error) => {
                self.set_aside.insert(id, self.clock.now());
                Err(error)
            }
        }
    }

    /// Whether a segment could not be written anew a moment ago.
    pub(super) fn is_set_aside(&self, segment: &Segment) -> bool {
        let now = self.clock.now();
        self.set_aside.get(&segment.meta().id).is_some_and(|since| (*since..since.plus(SET_ASIDE_NANOS)).contains(&now))
    }

    /// What a segment is without some rows, written and not listed yet. There must be room for it.
    fn written_without(&self, segment: &Arc<Segment>, gone: RowRanges) -> Result<Vec<SegmentMeta>, KeepError> {
        let meta = segment.meta();
        let folder = self.keeper.folder();
        let segments = folder.segments(meta.signal);
        let view = Arc::new(Segment::open(&segments, meta.clone())?.hiding(gone));
        let (tmp, _indexes) = (folder.tmp(), self.meters.merging.hold(index_bytes(std::slice::from_ref(segment))));
        let target = Target { memory: self.meters.merging.clone(), ..Target::new(&tmp, &segments, self.wake.stopping()) };
        Ok(compaction::rewrite(&view, target)?)
    }
}
