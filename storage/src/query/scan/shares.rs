//! Reading all units in shares that do not depend on which worker is faster.
//!
//! Workers take the next unit when they are ready, as a rule, so which rows one of them sees is chance. Where each keeps only a part of what it
//! sees, such as the most frequent keys, the answer would be chance too. Here each has every second unit, however long it takes.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::folding::FEW_UNITS;
use super::unit::Account;
use super::workers::{self, WORKERS};
use super::{Rows, Scan, Wanted};
use crate::query::question::QueryError;

// === impl Scan ===

impl Scan<'_> {
    /// Has [`Self::fold`] give each worker a share of the units that is the same every time.
    pub(in super::super) fn in_shares(&mut self) {
        self.in_shares = true;
    }

    pub(super) fn fold_shares<S: Send>(
        &mut self,
        wanted: Wanted<'_>,
        new: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Rows<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let (this, taken) = (&*self, AtomicUsize::new(0));
        let workers = if this.units.len() < FEW_UNITS { 1 } else { WORKERS };
        let work = || -> Result<(usize, S, Account), QueryError> {
            let share = taken.fetch_add(1, Ordering::Relaxed);
            let (mut state, mut account) = (new(), Account::default());
            for unit in this.units.iter().skip(share).step_by(workers) {
                this.unit(unit, wanted, &mut account, &mut |rows| each(&mut state, rows))?;
            }
            Ok((share, state, account))
        };
        let results = if workers == 1 { vec![work()] } else { workers::on_all(work) };
        let mut results: Vec<_> = results.into_iter().collect::<Result<_, _>>()?;
        results.sort_by_key(|(share, ..)| *share);
        let mut states = Vec::with_capacity(results.len());
        for (_, state, account) in results {
            states.push(state);
            self.close(account);
        }
        self.note_late();
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::model::{Span, TimeRange};
    use crate::query::fixtures;
    use crate::query::predicate::Predicate;
    use crate::query::scan::{Control, Place};
    use crate::schema::column;
    use crate::store::Signal;

    #[test]
    fn a_slow_worker_has_the_same_share_as_a_fast_one() {
        let folder = tempfile::tempdir().unwrap();
        let one = |i: u64| vec![fixtures::spans(&[fixtures::span(i, i, 0, "api", "x", 1_000 + i, i)] as &[Span])];
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), (1..=9).map(one).collect());
        let (predicate, control) = (Predicate::all(), Control::new(Duration::from_secs(60)));
        let wanted = Wanted { columns: &[column::TRACE_ID], keys: &[], predicate: &predicate };
        let shares = |is_slow: fn(usize) -> bool| {
            let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, &control).unwrap();
            scan.in_shares();
            let units = scan.units.clone();
            let number = |place: Place| units.iter().position(|unit| unit.place == place).unwrap();
            let states = scan.fold(wanted, Vec::new, |seen: &mut Vec<usize>, rows| {
                let unit = number(rows.place);
                if is_slow(unit) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                seen.push(unit);
                Ok(())
            });
            states.unwrap().into_iter().collect::<BTreeSet<_>>()
        };
        let expected = BTreeSet::from([vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7]]);
        assert_eq!(shares(|unit| unit % 2 == 0), expected);
        assert_eq!(shares(|unit| unit % 2 == 1), expected);
    }
}
