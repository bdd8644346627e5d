//! Merging segments and letting rows go, one step at a time. What is past its age is in `merge/expire.rs`, and of the log in `merge/log.rs`; writing
//! segments anew without some of their rows in `merge/rewrite.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use crate::background::{Health, Wake, Work};
use crate::budget::{Asked, Share};
use crate::check;
use crate::clock::Clock;
use crate::compaction::{self, Job, Target};
use crate::flush::{KeepError, Keeper};
use crate::model::UnixNanos;
use crate::query::Control;
use crate::retention::Retention;
use crate::segment::{self, Segment, SegmentError, SegmentErrorKind, SegmentMeta, layout_before};
use crate::snapshot::TableSnapshot;
use crate::wal::Writer;

use super::append::Pending;
use super::open::chain;
use super::reserve::RESERVE_BYTES;
use super::{Disk, LetGo, Meters, Reserve, Signal, Tables};

mod expire;
mod log;
mod rewrite;

/// Does the work of the merging thread.
pub(super) struct Merger {
    pub(super) keeper: Arc<Keeper>,
    pub(super) tables: Arc<Tables>,
    pub(super) wal: Arc<Writer<Pending>>,
    pub(super) disk: Arc<Disk>,
    pub(super) reserve: Arc<Reserve>,
    pub(super) meters: Meters,
    pub(super) health: Arc<Health>,
    pub(super) clock: Clock,
    pub(super) retention: Retention,
    pub(super) wake: Arc<Wake>,
    /// Segments that could not be read to be merged. They stay as they are; the others are merged without them.
    pub(super) damaged: BTreeSet<Ulid>,
    /// Segments whose index bundle could not be made again. It is tried once per start.
    pub(super) unindexed: BTreeSet<Ulid>,
    /// When each segment was looked at for rows past their age: what was kept then is kept until it is past another.
    pub(super) looked_at: BTreeMap<Ulid, UnixNanos>,
    /// Since when segments wait that could not be written anew, for want of room or because that failed. Others have their turn meanwhile.
    pub(super) set_aside: BTreeMap<Ulid, UnixNanos>,
    /// The file of the log that is being written, and since when.
    pub(super) log_file: Option<log::LogFile>,
    /// Whether the byte budget had no room for the step before.
    pub(super) had_no_room: bool,
}

/// Tables in the order of work.
const SIGNALS: [Signal; 2] = [Signal::Traces, Signal::Logs];
/// How long it may take to find out which rows of a segment count.
const LOOKING: Duration = Duration::from_secs(600);

impl Merger {
    /// One step: true when there may be more to do, `None` when it failed.
    pub(super) fn run(&mut self) -> Option<bool> {
        let _watch = self.health.watch(Work::Merge);
        let done = self.step();
        self.keeper.remove_files();
        match done.and_then(|more| self.settle().map(|()| more)) {
            Ok(more) => {
                self.had_no_room = false;
                self.health.note(Work::Merge, None);
                Some(more)
            }
            Err(KeepError::Outdated) => Some(true),
            // The step may itself have held open what was let go for it, and does not any more.
            Err(KeepError::NoRoom) if !std::mem::replace(&mut self.had_no_room, true) => Some(true),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "merging segments failed; it is tried again");
                self.meters.background_errors.add(1);
                self.health.note(Work::Merge, Some(format!("merging segments failed: {error}")));
                None
            }
        }
    }

    fn step(&mut self) -> Result<bool, KeepError> {
        if self.reserve.is_wanting() && self.disk.has_room_for(RESERVE_BYTES) {
            self.reserve.set_aside();
        }
        self.renew_log();
        self.keeper.let_go_ahead();
        let has_worked = self.expire()? || self.rewrite_hidden()? || self.merge()? || self.reindex()?;
        Ok(has_worked || self.compare())
    }

    /// Leaves a segment that cannot be read as it is from now on.
    fn leave(&mut self, segment: &Segment, why: &str) {
        self.meters.background_errors.add(1);
        segment.note_damage(why);
        self.damaged.insert(segment.meta().id);
    }

    /// Notes which deletes are physically done; has the log let go of what holds the rest.
    fn settle(&self) -> Result<(), KeepError> {
        let oldest_frame = self.wal.oldest_seq().unwrap_or(u64::MAX);
        if self.keeper.settle(oldest_frame, self.clock.now())? {
            self.wal.rotate();
        }
        Ok(())
    }

    /// Merges or stacks one group of segments; false when there is none, or no room for any of it.
    fn merge(&mut self) -> Result<bool, KeepError> {
        // Where more waits comes first.
        let mut signals = SIGNALS;
        signals.sort_by_key(|signal| std::cmp::Reverse(*self.tables.unmerged(*signal).borrow()));
        for signal in signals {
            let Some(job) = compaction::plan(&self.mergeable(signal), signal, self.clock.now()) else { continue };
            let Some((job, _share)) = self.room_for(job) else { continue };
            let (Job::Merge(inputs) | Job::Stack(inputs)) = &job;
            match self.work(&job, signal) {
                Ok(outputs) => self.keeper.replace(inputs, outputs, LetGo::Duplicate)?,
                Err(error) if error.kind == SegmentErrorKind::Stopped => return Ok(false),
                Err(error) if error.kind == SegmentErrorKind::Damaged && inputs.iter().any(|segment| segment.meta().id == error.id) => {
                    tracing::error!(%error, "a segment cannot be merged and stays as it is");
                    inputs.iter().filter(|segment| segment.meta().id == error.id).for_each(|segment| self.leave(segment, &error.detail));
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

    /// Makes one index bundle again that is missing, damaged, of an older version or without its text yet; false when all are whole, or when
    /// there is no room.
    fn reindex(&mut self) -> Result<bool, KeepError> {
        let snapshot = self.tables.published().load_full();
        let both = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        let mut wanting = both
            .filter(|segment| segment.is_index_wanting() && segment.hidden().is_empty() && !self.unindexed.contains(&segment.meta().id));
        let Some(segment) = wanting.next().cloned() else { return Ok(false) };
        drop(snapshot);
        let id = segment.meta().id;
        let Some(_share) = self.spare_room(std::slice::from_ref(&segment)) else { return Ok(false) };
        let _indexes = self.meters.merging.hold(index_bytes(std::slice::from_ref(&segment)));
        match self.keeper.reindex(&segment, self.wake.stopping()) {
            Ok(()) => {
                self.meters.reindexed.add(1);
                tracing::debug!(segment.id = %id, rows = segment.meta().rows, "the index bundle of a segment was made again");
                Ok(true)
            }
            Err(KeepError::Segment(error)) if error.kind == SegmentErrorKind::Stopped => Ok(false),
            Err(KeepError::Segment(error)) => {
                if error.kind == SegmentErrorKind::Damaged {
                    segment.note_damage(&error.detail);
                }
                tracing::error!(%error, "the index bundle of a segment cannot be made again; reading it stays slower");
                self.meters.background_errors.add(1);
                self.unindexed.insert(id);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads one index bundle that questions use and compares it with its checksum, so that damage where nobody reads is found too. False when
    /// it is whole, or there is none: one at each look around is enough.
    fn compare(&self) -> bool {
        let snapshot = self.tables.published().load_full();
        let both = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        let Some(segment) = both.into_iter().find(|segment| segment.is_index_to_be_compared()) else { return false };
        let meta = segment.meta();
        let place = meta.index_path(&self.keeper.folder().segments(meta.signal));
        let is_whole = check::sums(&place).is_ok_and(|sums| (sums.len, sums.crc) == (meta.index_bytes, meta.index_crc));
        if !is_whole {
            tracing::warn!(segment.id = %meta.id, "the index bundle of a segment does not match its checksum; it is made again");
        }
        segment.note_compared(is_whole);
        !is_whole
    }

    /// As much of this as there is room for, from its first segments on. Where a byte budget is nearly full that is less than the whole: merging
    /// must go on, or flushes pile up until senders are refused.
    fn room_for(&self, mut job: Job<Arc<Segment>>) -> Option<(Job<Arc<Segment>>, Share)> {
        loop {
            let (inputs, least) = match &mut job {
                Job::Merge(inputs) => (inputs, 1),
                Job::Stack(inputs) => (inputs, 2),
            };
            if let Some(share) = self.spare_room(inputs) {
                return Some((job, share));
            }
            let fewer = inputs.len() / 2;
            if fewer < least {
                return None;
            }
            inputs.truncate(fewer);
        }
    }

    /// Room for what these are written into, when there is some for which nothing has to go.
    fn spare_room(&self, inputs: &[Arc<Segment>]) -> Option<Share> {
        let bytes = scratch(inputs);
        match self.keeper.ask_room(bytes) {
            Asked::Granted(share) if self.disk.has_room_for(bytes) => Some(share),
            _ => None,
        }
    }

    fn work(&self, job: &Job<Arc<Segment>>, signal: Signal) -> Result<Vec<SegmentMeta>, SegmentError> {
        let folder = self.keeper.folder();
        let (tmp, seg, stop) = (folder.tmp(), folder.segments(signal), self.wake.stopping());
        let before = layout_before(&self.tables.published().load().table(signal).segments);
        let memory = self.meters.merging.clone();
        let target = Target { memory, ..Target::new(&tmp, &seg, stop).with_layout_before(before) };
        let (Job::Merge(inputs) | Job::Stack(inputs)) = job;
        let _indexes = self.meters.merging.hold(index_bytes(inputs));
        match job {
            Job::Merge(inputs) => compaction::merge(self.last_versions(inputs, signal)?.as_ref().unwrap_or(inputs), &target),
            Job::Stack(inputs) => match self.last_versions(inputs, signal)? {
                Some(views) => compaction::merge_stack(&views, &target),
                None => match segment::stack(inputs, &tmp, &seg, stop)? {
                    Some(meta) => Ok(vec![meta]),
                    None => compaction::merge_stack(inputs, &target),
                },
            },
        }
    }

    /// Segments without spans of which a later version is stored, here or elsewhere; `None` when they have none. What is written takes its place
    /// in the order of arrival by its newest rows, so nothing in it may be older than what others hold.
    fn last_versions(&self, inputs: &[Arc<Segment>], signal: Signal) -> Result<Option<Vec<Arc<Segment>>>, SegmentError> {
        let (snapshot, control) = (self.tables.published().load_full(), Control::new(LOOKING));
        let (arrivals, mut views, mut any) = (snapshot.versions.of(&snapshot.spans), Vec::with_capacity(inputs.len()), false);
        for segment in inputs.iter().filter(|_| signal == Signal::Traces) {
            let id = segment.meta().id;
            if self.wake.stopping().load(std::sync::atomic::Ordering::Relaxed) {
                return Err(SegmentError::stopped(id));
            }
            // What cannot be read makes it known to fewer: such rows stay.
            let found = arrivals.older_in(id, &control);
            let (older, _) = found.map_err(|error| SegmentError::io(id, format!("cannot find out what came again later: {error}")))?;
            if older.is_empty() {
                views.push(segment.clone());
                continue;
            }
            any = true;
            let view = Segment::open(&self.keeper.folder().segments(signal), segment.meta().clone())?;
            views.push(Arc::new(view.hiding(older.to_vec())));
        }
        Ok(any.then_some(views))
    }

    /// A table's segments without those that cannot be merged, and those with rows that must not be copied.
    fn mergeable(&self, signal: Signal) -> TableSnapshot {
        let snapshot = self.tables.published().load_full();
        let segments = snapshot
            .table(signal)
            .segments
            .iter()
            .filter(|segment| segment.hidden().is_empty() && !self.damaged.contains(&segment.meta().id));
        TableSnapshot { segments: segments.cloned().collect(), ..TableSnapshot::default() }
    }
}

/// Bytes of memory for the indexes of what segments are written into, which are made while it is written: about those of the segments, and what
/// tells their rows apart.
fn index_bytes(inputs: &[Arc<Segment>]) -> usize {
    let bytes: u64 = inputs.iter().map(|segment| segment.meta().index_bytes + 8 * segment.meta().rows).sum();
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Bytes to set aside for what segments are written into: as much again, and what an index that they do not have yet may take.
fn scratch(inputs: &[Arc<Segment>]) -> u64 {
    let bytes: u64 = inputs.iter().map(|segment| segment.meta().parquet_bytes + segment.meta().index_bytes).sum();
    bytes + bytes / 2
}
