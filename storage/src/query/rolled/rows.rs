//! What is counted row by row beside roll-ups.

use std::collections::BTreeSet;

use super::Item;
use super::plan::{Plan, Rolled};
use super::view::{View, columns};
use crate::model::{TimeRange, UnixNanos};
use crate::query::answer::QueryStats;
use crate::query::question::QueryError;
use crate::query::scan::{Place, Scan, Wanted};
use crate::rollup::{MINUTE, minute_of};

/// What a scan beside roll-ups is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Memory, and segments whose roll-ups are not used.
    Others,
    /// The first minute of the window, of segments with roll-ups.
    Head,
    /// The last one.
    Tail,
    /// Minutes in which roll-ups would not be the same without older versions of spans.
    Apart,
}

/// So many stretches of minutes are read by themselves; with more, all between the first and the last are looked at.
const MAX_STRETCHES: usize = 16;

impl Plan<'_> {
    /// Counts rows.
    pub(super) fn rows<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
    ) -> Result<Vec<S>, QueryError> {
        let question = self.question;
        let columns = columns(&question);
        let mut states = Vec::new();
        for (range, part) in self.parts() {
            let mut scan = Scan::new(question.snapshot, question.signal, range, &question.filter.hints, self.control)?;
            scan.units.retain(|unit| self.is_in(part, unit.place));
            let wanted = Wanted { columns: &columns, keys: &[], predicate: question.filter };
            states.extend(scan.fold(wanted, new, |state, rows| {
                let view = View::of(&question, rows.batch)?;
                let apart = if part == Part::Apart { self.rolled_at(rows.place) } else { None };
                for item in rows.alive.set_indices().map(|row| view.item(row)) {
                    if apart.is_none_or(|rolled| rolled.is_apart(minute_of(item.time))) {
                        take(state, &item);
                    }
                }
                Ok(())
            })?);
            let stats = std::mem::take(&mut scan.stats);
            drop(scan);
            // A scan does not know of what others read or roll-ups have answered: only what it read itself counts.
            let (segments_read, rows_scanned, notes) = (stats.segments_read, stats.rows_scanned, stats.notes);
            self.stats.add(QueryStats { segments_read, rows_scanned, complete: stats.complete, notes, ..QueryStats::default() });
        }
        Ok(states)
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
        let within = |stretch: TimeRange| TimeRange { from: stretch.from.max(range.from), to: stretch.to.min(range.to) };
        parts.extend(self.stretches().into_iter().map(|stretch| (within(stretch), Part::Apart)));
        parts.retain(|(range, _)| range.from < range.to);
        parts
    }

    /// Neighbouring minutes that are apart in any segment.
    fn stretches(&self) -> Vec<TimeRange> {
        let of_rolled = |rolled: &Rolled| rolled.apart.iter().copied().filter(|minute| rolled.is_apart(*minute)).collect::<Vec<_>>();
        let minutes: BTreeSet<u64> = self.rolled.iter().flat_map(of_rolled).map(u64::from).collect();
        let begin = |minute: u64| UnixNanos::new(minute.saturating_mul(MINUTE));
        let mut stretches: Vec<TimeRange> = Vec::new();
        for minute in minutes {
            let whole = TimeRange { from: begin(minute), to: begin(minute + 1) };
            match stretches.last_mut() {
                Some(last) if last.to == whole.from => last.to = whole.to,
                _ => stretches.push(whole),
            }
        }
        match (stretches.first(), stretches.last()) {
            (Some(first), Some(last)) if stretches.len() > MAX_STRETCHES => vec![TimeRange { from: first.from, to: last.to }],
            _ => stretches,
        }
    }

    fn rolled_at(&self, place: Place) -> Option<&Rolled> {
        self.rolled.iter().find(|rolled| Place::Segment(rolled.place) == place)
    }

    fn is_in(&self, part: Part, place: Place) -> bool {
        let rolled = self.rolled_at(place);
        match part {
            Part::Others => rolled.is_none(),
            Part::Head => rolled.is_some_and(|rolled| rolled.minutes.start > 0),
            Part::Apart => rolled.is_some_and(|rolled| !rolled.apart.is_empty()),
            Part::Tail => rolled.is_some_and(|rolled| rolled.minutes.end < u64::MAX),
        }
    }
}
