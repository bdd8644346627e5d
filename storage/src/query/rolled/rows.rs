//! What is counted row by row beside roll-ups.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::plan::Plan;
use super::view::{View, columns};
use super::{Amount, Duplicate, Item, duplicates};
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::query::answer::QueryStats;
use crate::query::question::QueryError;
use crate::query::scan::{Place, Rows, Scan, Wanted};
use crate::query::window::{DEDUPLICATION, Seen, SpanKeys};
use crate::rollup::{MINUTE, minute_of};
use crate::segment::{RowRanges, union_rows};

/// A row that a segment may have counted already.
#[derive(Debug)]
pub(super) struct Pending {
    trace: TraceId,
    hash: u64,
    row: Duplicate,
}

/// States of workers, and rows that wait.
pub(super) type Found<S> = (Vec<S>, Vec<Pending>);

/// What a scan beside roll-ups is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Memory, and segments whose roll-ups are not used.
    Others,
    /// The first minute of the window, of segments with roll-ups.
    Head,
    /// The last one.
    Tail,
}

/// Rows that wait to be compared; with more, everything is counted from rows.
const MAX_PENDING: usize = 500_000;

impl Plan<'_> {
    /// Counts rows, and gives back those that a segment may have counted already.
    pub(super) fn rows<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
    ) -> Result<Option<Found<S>>, QueryError> {
        let question = self.question;
        let seen = Seen::of(question.snapshot)?;
        let columns = columns(&question);
        let waiting = AtomicUsize::new(0);
        let (mut states, mut pending) = (Vec::new(), Vec::new());
        for (range, part) in self.parts() {
            let mut scan = Scan::new(question.snapshot, question.signal, range, &question.filter.hints, self.control)?;
            scan.units.retain(|unit| self.is_in(part, unit.place));
            let wanted = Wanted { columns: &columns, keys: &[], predicate: question.filter };
            let found = scan.fold_until(
                wanted,
                || waiting.load(Ordering::Relaxed) > MAX_PENDING,
                || (new(), Vec::new()),
                |(state, pending), rows| {
                    let before = pending.len();
                    self.take_rows(rows, &seen, state, pending, take)?;
                    waiting.fetch_add(pending.len() - before, Ordering::Relaxed);
                    Ok(())
                },
            )?;
            let stats = std::mem::take(&mut scan.stats);
            drop(scan);
            // A scan does not know of what others read or roll-ups have answered: only what it read itself counts.
            let (segments_read, rows_scanned, notes) = (stats.segments_read, stats.rows_scanned, stats.notes);
            self.stats.add(QueryStats { segments_read, rows_scanned, complete: stats.complete, notes, ..QueryStats::default() });
            for (state, more) in found {
                states.push(state);
                pending.extend(more);
            }
        }
        Ok((waiting.into_inner() <= MAX_PENDING).then_some((states, pending)))
    }

    fn take_rows<S>(
        &self,
        rows: &Rows<'_>,
        seen: &Seen,
        state: &mut S,
        pending: &mut Vec<Pending>,
        take: &impl Fn(&mut S, &Item<'_>),
    ) -> Result<(), QueryError> {
        let view = View::of(&self.question, rows.batch)?;
        for row in rows.alive.set_indices() {
            let item = view.item(row);
            let Some(keys) = view.keys() else {
                take(state, &item);
                continue;
            };
            if !seen.is_first(item.time, || keys.hash(row)) {
                continue;
            }
            let trace = view.trace(row);
            match trace.filter(|trace| self.may_be_counted(rows.place, item.time, *trace)) {
                Some(trace) => pending.push(Pending { trace, hash: keys.hash(row), row: view.owned(row) }),
                None => take(state, &item),
            }
        }
        Ok(())
    }

    /// Whether a segment in another place may have counted this row in a cell.
    fn may_be_counted(&self, place: Place, time: u64, trace: TraceId) -> bool {
        let Some(all) = self.by_minute.get(&minute_of(time)) else { return false };
        let others = all.iter().filter_map(|i| self.rolled.get(*i)).filter(|rolled| Place::Segment(rolled.place) != place);
        others.into_iter().any(|rolled| rolled.segment.may_hold(trace))
    }

    /// Counts those of the pending rows that no segment has counted.
    pub(super) fn settle<S>(&mut self, pending: &[Pending], state: &mut S, take: &impl Fn(&mut S, &Item<'_>)) -> Result<(), QueryError> {
        let traces: HashSet<TraceId> = pending.iter().map(|row| row.trace).collect();
        let mut counted = HashSet::new();
        let mut notes = Vec::new();
        for rolled in self.rolled.iter().filter(|_| !pending.is_empty()) {
            let mut rows = RowRanges::new();
            for trace in traces.iter().filter(|trace| rolled.segment.may_hold(**trace)) {
                self.control.check()?;
                match rolled.segment.trace_rows(*trace) {
                    Ok(more) => rows.extend(more),
                    Err(error) => notes.push(format!("a part of the data could not be read: {error}")),
                }
            }
            let read = duplicates::each(rolled.segment, &DEDUPLICATION, Some(&union_rows(rows, Vec::new())), self.control, |batch| {
                let keys = SpanKeys::of(batch)?;
                let rows = (0..batch.num_rows()).filter(|row| rolled.counts(minute_of(keys.start(*row))));
                counted.extend(rows.map(|row| keys.hash(row)));
                Ok(())
            })?;
            notes.extend(read.err());
        }
        for row in pending.iter().filter(|row| !counted.contains(&row.hash)) {
            take(state, &row.row.item(UnixNanos::new(0), Amount::Row(row.row.duration)));
        }
        notes.into_iter().for_each(|note| self.note(note));
        Ok(())
    }

    /// The scans that are needed beside roll-ups, with what they are about.
    fn parts(&self) -> Vec<(TimeRange, Part)> {
        let range = self.question.range;
        let mut parts = vec![(range, Part::Others)];
        if self.rolled.iter().any(|rolled| rolled.minutes.start > 0) {
            let to = range.to.min(UnixNanos::new(range.from.get().div_ceil(MINUTE).saturating_mul(MINUTE)));
            parts.push((TimeRange { to, ..range }, Part::Head));
        }
        if self.rolled.iter().any(|rolled| rolled.minutes.end < u64::MAX) {
            let from = range.from.max(UnixNanos::new(range.to.get() / MINUTE * MINUTE));
            parts.push((TimeRange { from, ..range }, Part::Tail));
        }
        parts.retain(|(range, _)| range.from < range.to);
        parts
    }

    fn is_in(&self, part: Part, place: Place) -> bool {
        let rolled = match place {
            Place::Buffer(_) => None,
            Place::Segment(place) => self.rolled.iter().find(|rolled| rolled.place == place),
        };
        match part {
            Part::Others => rolled.is_none(),
            Part::Head => rolled.is_some_and(|rolled| rolled.minutes.start > 0),
            Part::Tail => rolled.is_some_and(|rolled| rolled.minutes.end < u64::MAX),
        }
    }
}
