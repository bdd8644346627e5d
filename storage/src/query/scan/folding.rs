//! Reading units on both cores, each worker with a state of its own.
//!
//! Workers take the next unit when they are ready, so which of them reads one is chance, and, where reading ends early, how far the others
//! have come by then. The account is kept by unit, so that what an answer says of itself is no chance where that can be told.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::unit::Account;
use super::workers;
use super::{Rows, Scan, Unit, Wanted};
use crate::query::question::QueryError;

/// One worker is enough for a few thousand rows.
pub(super) const FEW_UNITS: usize = 4;
/// So many rows are read, and any number of indexes of attributes asked, sooner than another core is called.
const FEW_ROWS: u64 = if cfg!(test) { 4 } else { 16_384 };

/// How far units are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    All,
    /// Until there is enough, whatever it is.
    Enough,
    /// Until what was found is before all that is left.
    Best,
}

/// What a worker made, and what each unit took.
type Part<S> = (S, Vec<(usize, Account)>);

impl<'a> Scan<'a> {
    /// Reads all units on both cores, each worker with a state of its own.
    pub(in super::super) fn fold<S: Send>(
        &mut self,
        wanted: Wanted<'_>,
        new: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Rows<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<S>, QueryError> {
        if self.in_shares {
            return self.fold_shares(wanted, new, each);
        }
        self.fold_units(Reach::All, |_| false, new, rows_of(wanted, each))
    }

    /// Like [`Self::fold`], until `stop` says of the next unit that it and those after it are not wanted. The first unit is read alone: where
    /// it is enough the other core reads none in vain.
    pub(in super::super) fn fold_until<S: Send>(
        &mut self,
        wanted: Wanted<'_>,
        stop: impl Fn(&Unit) -> bool + Sync,
        new: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Rows<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<S>, QueryError> {
        self.fold_units(Reach::Enough, stop, new, rows_of(wanted, each))
    }

    /// Like [`Self::fold_until`], where `stop` says of a unit that it lies behind the best rows that were found so far, so that at the end it
    /// says it of the same units whoever was faster. What was read of these is accounted for as skipped.
    pub(in super::super) fn fold_best<S: Send>(
        &mut self,
        wanted: Wanted<'_>,
        stop: impl Fn(&Unit) -> bool + Sync,
        new: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Rows<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<S>, QueryError> {
        self.fold_units(Reach::Best, stop, new, rows_of(wanted, each))
    }

    /// Has `read` read units, until `stop` says of the next one that it and those after it are not wanted.
    pub(super) fn fold_units<S: Send>(
        &mut self,
        reach: Reach,
        stop: impl Fn(&Unit) -> bool + Sync,
        new: impl Fn() -> S + Sync,
        read: impl Fn(&Self, &Unit, &mut S, &mut Account) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let next = AtomicUsize::new(0);
        let this = &*self;
        let work = |is_asked: &dyn Fn(&Unit) -> bool| -> Result<Part<S>, QueryError> {
            let (mut state, mut accounts) = (new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(unit) = this.units.get(number).filter(|unit| !stop(unit)) else { break };
                let mut account = Account::default();
                read(this, unit, &mut state, &mut account)?;
                accounts.push((number, account));
                if !this.units.get(next.load(Ordering::Relaxed)).is_some_and(is_asked) {
                    break;
                }
            }
            Ok((state, accounts))
        };
        let first_alone = reach != Reach::All;
        let mut results = if first_alone { vec![Ok(work(&this.alone(&stop))?)] } else { Vec::new() };
        let is_over = first_alone && this.units.get(next.load(Ordering::Relaxed)).is_none_or(&stop);
        if !is_over {
            let all = || work(&|_| true);
            results.extend(if this.units.len() < FEW_UNITS { vec![all()] } else { workers::on_all(all) });
        }
        let (states, accounts): (Vec<S>, Vec<_>) = results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        // Units lie in the order in which they are wanted.
        let behind = if reach == Reach::Best { self.units.iter().position(&stop) } else { None };
        self.close_units(accounts.into_iter().flatten().collect(), behind.unwrap_or(self.units.len()));
        self.note_late();
        Ok(states)
    }

    /// Which units after the first are left to the core that read it: those of which indexes leave nothing, and the first that have few rows.
    /// Where words are asked for, that is as much work as reading, and shared from the second on.
    fn alone(&self, stop: impl Fn(&Unit) -> bool) -> impl Fn(&Unit) -> bool {
        let asks = self.late.as_ref().is_some_and(|late| !late.asks_words());
        // Those of the first are known once it was read.
        let rows = Cell::new(None);
        let of_first = || self.units.first().map_or(0, |unit| self.rows_of(unit));
        move |unit| {
            // Indexes of what is not wanted are not asked.
            let is_left = asks && !stop(unit);
            if is_left {
                self.left(unit, true);
                rows.set(Some(rows.get().unwrap_or_else(of_first) + self.rows_of(unit)));
            }
            is_left && rows.get() <= Some(FEW_ROWS)
        }
    }

    /// Takes together what units took, of which those from `behind` on were read in vain.
    fn close_units(&mut self, mut accounts: Vec<(usize, Account)>, behind: usize) {
        accounts.sort_unstable_by_key(|(number, _)| *number);
        accounts.retain(|(number, _)| *number < behind);
        if let Some(late) = self.late.as_mut().filter(|_| behind < self.units.len()) {
            late.keep(&self.units.iter().take(behind).map(|unit| unit.place).collect());
        }
        let read: BTreeSet<usize> = accounts.iter().map(|(number, _)| *number).collect();
        let skipped = self.units.iter().enumerate().filter(|(number, _)| !read.contains(number));
        self.stats.rows_skipped += skipped.map(|(_, unit)| self.rows_of(unit)).sum::<u64>();
        for (_, account) in accounts {
            self.close(account);
        }
    }
}

/// Reads all rows of a unit that are asked for.
fn rows_of<'a, S>(
    wanted: Wanted<'_>,
    each: impl Fn(&mut S, &Rows<'_>) -> Result<(), QueryError> + Sync,
) -> impl Fn(&Scan<'a>, &Unit, &mut S, &mut Account) -> Result<(), QueryError> + Sync {
    move |scan, unit, state, account| scan.unit(unit, wanted, account, &mut |rows| each(state, rows))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::model::TimeRange;
    use crate::query::columns;
    use crate::query::fixtures;
    use crate::query::predicate::Predicate;
    use crate::query::scan::Control;
    use crate::schema::column;
    use crate::store::Signal;

    #[test]
    fn what_was_read_in_vain_is_accounted_for_as_skipped_whoever_was_faster() {
        let folder = tempfile::tempdir().unwrap();
        let part = |n: u64| vec![fixtures::logs(&(1..=10).map(|i| fixtures::log(n * 10 + i, "api", "x", n * 100 + i)).collect::<Vec<_>>())];
        let snapshot = fixtures::snapshot(folder.path(), Signal::Logs, Vec::new(), (1..=12).map(part).collect());
        let (predicate, control) = (Predicate::all(), Control::new(Duration::from_secs(60)));
        let wanted = Wanted { columns: &[column::RECORD_ID], keys: &[], predicate: &predicate };
        // The newest fifteen records: those of the newest segment, and half of the one before it.
        let account = |is_slow: fn(u64) -> bool| {
            let mut scan = Scan::asking_late(&snapshot, Signal::Logs, TimeRange::ALL, &predicate.hints, &control).unwrap();
            let (best, read) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0));
            let is_behind = |unit: &Unit| {
                let best = best.lock();
                best.len() == 15 && best.first().is_some_and(|worst| *worst > unit.max.get())
            };
            let fold = scan.fold_best(
                wanted,
                is_behind,
                || (),
                |(), rows| {
                    let times = columns::long(rows.batch, column::TIME)?;
                    read.fetch_add(1, Ordering::Relaxed);
                    while is_slow(columns::nanos(times, 0)) && read.load(Ordering::Relaxed) < 3 {
                        std::thread::yield_now();
                    }
                    let mut best = best.lock();
                    best.extend((0..rows.batch.num_rows()).map(|row| columns::nanos(times, row)));
                    while best.len() > 15 {
                        best.pop_first();
                    }
                    Ok(())
                },
            );
            fold.unwrap();
            let stats = &scan.stats;
            ((stats.rows_scanned, stats.rows_skipped, stats.segments_read, stats.rows_pruned), read.into_inner())
        };
        // While one worker is at the half one, the other reads one in vain.
        let (told, read) = account(|first| (1_101..=1_110).contains(&first));
        assert_eq!((told, read), ((20, 100, 2, 0), 3));
        assert_eq!(account(|_| false).0, told);
    }
}
