//! What is counted row by row beside roll-ups: memory, segments whose roll-ups are not used, and of the others the minutes that are not counted
//! whole. All of it is one scan, so that no row is read twice, and what was read is told as it is.

use super::Item;
use super::plan::{Plan, Rolled};
use super::view::{View, columns};
use crate::model::{TimeRange, UnixNanos};
use crate::query::columns as typed;
use crate::query::question::QueryError;
use crate::query::scan::{Kept, Place, Scan, Unit, Wanted};
use crate::rollup::{MINUTE, minute_of};
use crate::schema::time_column;

/// Parts of the window that are no whole minutes, at its begin and at its end.
#[derive(Clone, Copy, Debug)]
struct Cut {
    head: TimeRange,
    tail: TimeRange,
}

impl Plan<'_> {
    /// Counts rows.
    pub(super) fn rows<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
        bytes: &(impl Fn(&mut S, usize) -> usize + Sync),
    ) -> Result<Vec<S>, QueryError> {
        let (question, cut) = (self.question, Cut::of(self.question.range));
        let columns = columns(&question);
        let mut scan = Scan::new(question.snapshot, question.signal, question.range, &question.filter.hints, self.control)?;
        scan.units.retain(|unit| self.rolled_at(unit.place).is_none_or(|rolled| rolled.leaves(unit, cut)));
        if question.in_shares {
            scan.in_shares();
        }
        let wanted = Wanted { columns: &columns, keys: &[], predicate: question.filter };
        let new = || Kept { all: new(), holding: self.control.holding() };
        let states = scan.fold(wanted, new, |Kept { all: state, holding }, rows| {
            let view = View::of(&question, rows.batch)?;
            let rolled = self.rolled_at(rows.place);
            let times = typed::long(rows.batch, time_column(question.signal))?;
            let is_open = |row: usize| rolled.is_none_or(|rolled| !rolled.counts(minute_of(typed::nanos(times, row))));
            rows.alive.set_indices().filter(|row| is_open(*row)).for_each(|row| take(state, &view.item(row)));
            holding.set(bytes(state, rows.batch.num_rows()));
            Ok(())
        })?;
        let stats = std::mem::take(&mut scan.stats);
        drop(scan);
        self.note_scan(stats);
        Ok(states.into_iter().map(|kept| kept.all).collect())
    }

    fn rolled_at(&self, place: Place) -> Option<&Rolled> {
        self.rolled.iter().find(|rolled| Place::Segment(rolled.place) == place)
    }
}

impl Cut {
    fn of(range: TimeRange) -> Self {
        let begin = UnixNanos::new(range.from.get().div_ceil(MINUTE).saturating_mul(MINUTE));
        let end = UnixNanos::new(range.to.get() / MINUTE * MINUTE);
        Self { head: TimeRange { to: range.to.min(begin), ..range }, tail: TimeRange { from: range.from.max(end), ..range } }
    }
}

impl Rolled {
    /// Whether rows of a unit may lie in minutes that are not counted from the roll-up.
    fn leaves(&self, unit: &Unit, cut: Cut) -> bool {
        let touches = |part: TimeRange| part.from < part.to && part.overlaps(unit.min, unit.max);
        let (first, last) = (minute_of(unit.min.get().min(unit.max.get())), minute_of(unit.max.get()));
        (self.minutes.start > 0 && touches(cut.head))
            || (self.minutes.end < u64::MAX && touches(cut.tail))
            || self.apart.range(first..=last).any(|minute| self.minutes.contains(&u64::from(*minute)))
    }
}
