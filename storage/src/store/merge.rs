//! Merging segments and letting old ones go, one step at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use crate::background::{Health, Wake, Work};
use crate::clock::Clock;
use crate::compaction::{self, Job};
use crate::flush::{KeepError, Keeper};
use crate::segment::{self, Segment, SegmentError, SegmentErrorKind, SegmentMeta};
use crate::snapshot::TableSnapshot;

use super::append::retention_nanos;
use super::open::chain;
use super::{Meters, Signal, Tables};

/// Does the work of the merging thread.
pub(super) struct Merger {
    pub(super) keeper: Arc<Keeper>,
    pub(super) tables: Arc<Tables>,
    pub(super) meters: Meters,
    pub(super) health: Arc<Health>,
    pub(super) clock: Clock,
    pub(super) retention: Option<Duration>,
    pub(super) wake: Arc<Wake>,
    /// Segments that could not be read to be merged, and why. They stay as they are; the others are merged without them.
    pub(super) damaged: BTreeMap<Ulid, String>,
    /// Segments whose index bundle could not be made again. It is tried once per start.
    pub(super) unindexed: BTreeSet<Ulid>,
}

impl Merger {
    /// One step: true when there may be more to do, `None` when it failed.
    pub(super) fn run(&mut self) -> Option<bool> {
        let done = self.retire().and_then(|()| self.merge()).and_then(|more| if more { Ok(true) } else { self.reindex() });
        self.keeper.remove_files();
        match done {
            Ok(more) => {
                let damaged = self.damaged.values().next();
                self.health.note(Work::Merge, damaged.map(|why| format!("a segment cannot be merged: {why}; run `throughline check`")));
                Some(more)
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "merging segments failed; it is tried again");
                self.meters.background_errors.add(1);
                self.health.note(Work::Merge, Some(format!("merging segments failed: {error}")));
                None
            }
        }
    }

    /// Lets segments go whose newest row is older than the retention.
    fn retire(&self) -> Result<(), KeepError> {
        let oldest_kept = self.clock.now().minus(retention_nanos(self.retention));
        let snapshot = self.tables.published().load_full();
        let both = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        let old: Vec<Arc<Segment>> = both.filter(|segment| segment.meta().max_time < oldest_kept).cloned().collect();
        if old.is_empty() {
            return Ok(());
        }
        let rows: u64 = old.iter().map(|segment| segment.meta().rows).sum();
        self.keeper.replace(&old, Vec::new())?;
        tracing::info!(segments = old.len(), rows, "segments older than the retention were removed");
        Ok(())
    }

    /// Merges or stacks one group of segments; false when there is none.
    fn merge(&mut self) -> Result<bool, KeepError> {
        for signal in [Signal::Traces, Signal::Logs] {
            let Some(job) = compaction::plan(&self.mergeable(signal), signal, self.clock.now()) else { continue };
            let (Job::Merge(inputs) | Job::Stack(inputs)) = &job;
            match self.work(&job, signal) {
                Ok(outputs) => self.keeper.replace(inputs, outputs)?,
                Err(error) if error.kind == SegmentErrorKind::Stopped => return Ok(false),
                Err(error) if error.kind == SegmentErrorKind::Damaged && inputs.iter().any(|segment| segment.meta().id == error.id) => {
                    tracing::error!(%error, "a segment cannot be merged and stays as it is");
                    self.meters.background_errors.add(1);
                    self.damaged.insert(error.id, error.to_string());
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
            self.meters.compactions.add(1);
            tracing::debug!(segments = inputs.len(), signal = signal.as_str(), "segments were merged or stacked");
            return Ok(true);
        }
        Ok(false)
    }

    /// Makes one index bundle again that is missing, damaged or of an older version; false when all are whole.
    fn reindex(&mut self) -> Result<bool, KeepError> {
        let snapshot = self.tables.published().load_full();
        let both = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        let mut wanting = both.filter(|segment| segment.is_index_wanting() && !self.unindexed.contains(&segment.meta().id));
        let Some(segment) = wanting.next().cloned() else { return Ok(false) };
        drop(snapshot);
        let id = segment.meta().id;
        match self.keeper.reindex(&segment, self.wake.stopping()) {
            Ok(()) => {
                self.meters.reindexed.add(1);
                tracing::info!(segment.id = %id, rows = segment.meta().rows, "the index bundle of a segment was made again");
                Ok(true)
            }
            Err(KeepError::Segment(error)) if error.kind == SegmentErrorKind::Stopped => Ok(false),
            Err(error @ KeepError::Segment(_)) => {
                tracing::error!(error = chain(&error), "the index bundle of a segment cannot be made again; reading it stays slower");
                self.meters.background_errors.add(1);
                self.unindexed.insert(id);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn work(&self, job: &Job<Arc<Segment>>, signal: Signal) -> Result<Vec<SegmentMeta>, SegmentError> {
        let folder = self.keeper.folder();
        let (tmp, seg, stop) = (folder.tmp(), folder.segments(signal), self.wake.stopping());
        match job {
            Job::Merge(inputs) => compaction::merge(inputs, &tmp, &seg, signal, stop),
            Job::Stack(inputs) => match segment::stack(inputs, &tmp, &seg, stop)? {
                Some(meta) => Ok(vec![meta]),
                None => compaction::merge_stack(inputs, &tmp, &seg, signal, stop),
            },
        }
    }

    /// A table's segments without those that cannot be merged.
    fn mergeable(&self, signal: Signal) -> TableSnapshot {
        let snapshot = self.tables.published().load_full();
        let segments = snapshot.table(signal).segments.iter().filter(|segment| !self.damaged.contains_key(&segment.meta().id));
        TableSnapshot { segments: segments.cloned().collect(), ..TableSnapshot::default() }
    }
}
