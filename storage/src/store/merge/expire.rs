//! Letting go of what is past its age: whole segments, and what is past it in others.

use std::sync::Arc;

use ulid::Ulid;

use crate::flush::KeepError;
use crate::model::UnixNanos;
use crate::query::{Among, Control, QueryError};
use crate::retention::{NEAR_NANOS, Verdict};
use crate::segment::{RowRanges, Segment};
use crate::snapshot::{Snapshot, TableSnapshot};

use super::{LOOKING, LetGo, Merger, SIGNALS, Signal};

/// A segment that was not merged yet will be soon, unless its newest row is so far in the future.
const SOON_NANOS: u64 = 3_600_000_000_000;

impl Merger {
    /// Lets go of what is past every age, then writes one segment anew of which some is. True when there may be more.
    pub(super) fn expire(&mut self) -> Result<bool, KeepError> {
        let snapshot = self.tables.published().load_full();
        let now = self.clock.now();
        let (mut old, mut mixed) = (Vec::new(), Vec::new());
        for signal in SIGNALS {
            for segment in &snapshot.table(signal).segments {
                let meta = segment.meta();
                let looked_at = self.looked_at.get(&meta.id).copied();
                match self.retention.judge(signal, (meta.min_time, meta.max_time), looked_at, now) {
                    Verdict::LetGo => old.push(segment.clone()),
                    // What hides rows is written anew first.
                    Verdict::Look if segment.hidden().is_empty() && !self.damaged.contains(&meta.id) => mixed.push(segment),
                    Verdict::Look | Verdict::Keep => {}
                }
            }
        }
        let listed = |id: &Ulid| SIGNALS.iter().any(|signal| snapshot.table(*signal).segments.iter().any(|known| known.meta().id == *id));
        self.looked_at.retain(|id, _| listed(id));
        self.set_aside.retain(|id, _| listed(id));
        // First: it takes no room, and makes some.
        self.let_go(&old)?;
        self.let_unopened_go(now)?;
        for segment in mixed {
            if !self.is_set_aside(segment) && self.look_at(segment, &snapshot, now)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn let_go(&self, old: &[Arc<Segment>]) -> Result<(), KeepError> {
        if !old.is_empty() {
            let rows: u64 = old.iter().map(|segment| segment.visible_rows()).sum();
            self.keeper.replace(old, Vec::new(), LetGo::Age)?;
            tracing::info!(segments = old.len(), rows, "segments older than the retention were removed");
        }
        Ok(())
    }

    /// What could not be opened cannot be looked at, so it goes once it is past every age.
    fn let_unopened_go(&self, now: UnixNanos) -> Result<(), KeepError> {
        let mut old = self.tables.unopened();
        old.retain(|meta| matches!(self.retention.judge(meta.signal, (meta.min_time, meta.max_time), None, now), Verdict::LetGo));
        if !old.is_empty() {
            let rows: u64 = old.iter().map(|meta| meta.rows).sum();
            self.keeper.forget(&old, LetGo::Age)?;
            tracing::info!(segments = old.len(), rows, "segments older than the retention were removed, which could not be opened");
        }
        Ok(())
    }

    /// Writes a segment anew without what is past its age. False when it was not looked at: it will be merged soon, or there is no room.
    fn look_at(&mut self, segment: &Arc<Segment>, all: &Snapshot, now: UnixNanos) -> Result<bool, KeepError> {
        let meta = segment.meta();
        let share = if self.retention.is_past(meta.signal, meta.max_time, now) {
            // Little is left of it; for that, others may have to go.
            None
        } else if meta.level == 0 && meta.max_time <= now.plus(SOON_NANOS) {
            return Ok(false);
        } else {
            let Some(share) = self.spare_room(std::slice::from_ref(segment)) else { return Ok(false) };
            Some(share)
        };
        let gone = match self.gone(segment, all, now) {
            Ok(gone) => gone,
            Err(error) => {
                tracing::error!(%error, segment.id = %meta.id, "it is not known what retention rules keep of a segment; it stays as it is");
                self.meters.background_errors.add(1);
                RowRanges::new()
            }
        };
        if gone.is_empty() {
            self.looked_at.insert(meta.id, now);
            return Ok(true);
        }
        let outputs = if gone == segment.every_row() {
            Vec::new()
        } else {
            let Some(outputs) = self.write_anew(segment, gone, share)? else { return Ok(true) };
            outputs
        };
        let ids: Vec<Ulid> = outputs.iter().map(|meta| meta.id).collect();
        self.keeper.replace(std::slice::from_ref(segment), outputs, LetGo::Age)?;
        self.looked_at.extend(ids.into_iter().map(|id| (id, now)));
        tracing::debug!(segment.id = %meta.id, "a segment was written anew without what is past its age");
        Ok(true)
    }

    /// The rows of a segment that are past their age, found among those that may be of their traces.
    fn gone(&self, segment: &Arc<Segment>, all: &Snapshot, now: UnixNanos) -> Result<RowRanges, QueryError> {
        let meta = segment.meta();
        let reach = (meta.min_time.minus(NEAR_NANOS), meta.max_time.plus(NEAR_NANOS));
        let is_near = |other: &&Arc<Segment>| {
            let at = other.meta();
            at.id == meta.id || (meta.signal == Signal::Traces && at.min_time <= reach.1 && at.max_time >= reach.0)
        };
        let table = all.table(meta.signal);
        let segments = table.segments.iter().filter(is_near).cloned().collect();
        let near = TableSnapshot { segments, buffered: table.buffered.clone(), ..TableSnapshot::default() };
        self.retention.gone(segment, &Among::new(meta.signal, near, all.versions.clone()), now, &Control::new(LOOKING))
    }
}
