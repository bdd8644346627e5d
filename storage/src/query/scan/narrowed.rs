//! Reading the rows alone that can still change an answer of so many best ones, by the column that ranks them.
//!
//! Rows of a segment lie by trace within ten minutes, so new and old, slow and fast ones lie side by side in every unit. Once enough are
//! known, of further rows the ranking column is read, and everything else of those only that do not rank behind all of these.

use std::borrow::Cow;
use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::folding::Reach;
use super::numbers::Numbers;
use super::selected::read;
use super::stored::Left;
use super::{Account, Place, RowRanges, Rows, Scan, Unit, Wanted, ranges};
use crate::query::columns;
use crate::query::predicate::Needs;
use crate::query::question::QueryError;
use crate::segment::{Segment, SegmentError};

/// Rows of a unit that are read to begin with; units with fewer are read at once.
const HEAD_ROWS: usize = if cfg!(test) { 4 } else { 8_192 };

/// Rows of a damaged unit that are read together: those of a page.
const PIECE_ROWS: usize = 2_048;

/// What ranks rows.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ranking {
    /// A column of numbers.
    pub(in super::super) column: &'static str,
    /// Makes a weight of its numbers, of which the greatest ranks first.
    pub(in super::super) weight: fn(u64) -> u64,
}

impl Scan<'_> {
    /// As [`Scan::fold_best`], of which rows do not matter whose weight is below `least`, which never falls. How many rows were looked at is
    /// the same however soon it rises.
    pub(in super::super) fn run_best(
        &mut self,
        (wanted, ranking): (Wanted<'_>, Ranking),
        stop: impl Fn(&Unit) -> bool + Sync,
        least: impl Fn() -> Option<u64> + Sync,
        each: impl Fn(&Rows<'_>) -> Result<(), QueryError> + Sync,
    ) -> Result<(), QueryError> {
        let damaged = Mutex::new(BTreeMap::new());
        let best = (wanted, ranking);
        let read = |scan: &Self, unit: &Unit, (): &mut (), account: &mut Account| {
            scan.best_of(unit, best, account, &least, &each)?;
            if account.is_damaged {
                *account = Account::default();
                damaged.lock().insert(name_of(unit), scan.last_left(unit, account)?.into_owned());
            }
            Ok(())
        };
        self.fold_units(Reach::Best, &stop, || (), read)?;
        let mut damaged = damaged.into_inner();
        let units = self.units.iter().filter_map(|unit| Some((unit.clone(), damaged.remove(&name_of(unit))?)));
        for (unit, rows) in units.collect::<Vec<_>>() {
            if !stop(&unit) {
                let mut account = Account::default();
                self.best_of_damaged((&unit, rows), best, &mut account, &least, &each)?;
                self.close(account);
            }
        }
        Ok(())
    }

    /// Reads a unit once more of which something could not be read, when all others have been: how much of it was read before is chance, and
    /// whether that is a part that matters. Piece by piece, so that all is found that can be.
    fn best_of_damaged(
        &self,
        (unit, mut rest): (&Unit, RowRanges),
        (wanted, ranking): (Wanted<'_>, Ranking),
        account: &mut Account,
        least: &dyn Fn() -> Option<u64>,
        each: &dyn Fn(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let Place::Segment(at) = unit.place else { return Ok(()) };
        let Some(segment) = self.table.segments.get(at) else { return Ok(()) };
        account.segments.insert(at);
        while !rest.is_empty() {
            let (piece, more) = ranges::split(&rest, PIECE_ROWS);
            rest = more;
            let left = match least() {
                Some(least) => self.not_below(segment, piece, (ranking, least), account)?,
                None => piece,
            };
            if !left.is_empty() {
                let left = Left { rows: Cow::Owned(left), known: None };
                self.some_of(unit, left, wanted, account, &mut |rows| each(rows))?;
            }
        }
        Ok(())
    }

    fn best_of(
        &self,
        unit: &Unit,
        (wanted, ranking): (Wanted<'_>, Ranking),
        account: &mut Account,
        least: &dyn Fn() -> Option<u64>,
        each: &dyn Fn(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        // Older versions do not count as looked at, whether their ranks are read or not.
        let mut left = Left { rows: self.last_left(unit, account)?, known: None };
        let mut head = 0;
        if least().is_none() {
            left = self.stored(unit.place, left.rows, wanted.predicate, account);
            head = HEAD_ROWS;
        }
        let read = |left, account: &mut Account| self.some_of(unit, left, wanted, account, &mut |rows| each(rows));
        let is_long = ranges::count(&left.rows) > head + HEAD_ROWS;
        let place = if let Place::Segment(at) = unit.place { Some(at).filter(|_| is_long) } else { None };
        let Some((at, segment)) = place.and_then(|at| Some((at, self.table.segments.get(at)?))) else { return read(left, account) };
        let (head, rest) = ranges::split(&left.rows, head);
        let of = |rows| Left { rows: Cow::Owned(rows), known: left.known.clone() };
        account.segments.insert(at);
        if !head.is_empty() {
            read(of(head), account)?;
        }
        let rows = match least() {
            Some(least) => self.not_below(segment, rest, (ranking, least), account)?,
            None => rest,
        };
        if rows.is_empty() { Ok(()) } else { read(of(rows), account) }
    }

    /// Those of some rows whose weight is not below `least`, or all when most are; none when it cannot be read, which is noted.
    fn not_below(&self, segment: &Segment, rows: RowRanges, bound: (Ranking, u64), account: &mut Account) -> Result<RowRanges, QueryError> {
        let found = match self.numbers_not_below(segment, &rows, bound)? {
            Ok(found) => found,
            Err(error) => return account.unreadable(&error).map(|()| RowRanges::new()),
        };
        let all = ranges::count(&rows);
        if found.len() > all / 2 {
            return Ok(rows);
        }
        // Those that are left are counted when they are read.
        account.rows += (all - found.len()) as u64;
        Ok(ranges::from_rows(found))
    }

    fn numbers_not_below(
        &self,
        segment: &Segment,
        rows: &RowRanges,
        (Ranking { column, weight }, least): (Ranking, u64),
    ) -> Result<Result<Vec<u32>, SegmentError>, QueryError> {
        let batches = match read(segment, &Needs { columns: [column].into(), ..Needs::default() }, rows) {
            Ok(batches) => batches,
            Err(error) => return Ok(Err(error)),
        };
        let (numbers, mut position, mut found) = (Numbers::new(rows), 0, Vec::new());
        for batch in batches {
            self.control.check()?;
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error)),
            };
            let ranks = columns::long(&batch, column)?;
            found.extend((0..ranks.len()).filter(|row| weight(columns::nanos(ranks, *row)) >= least).map(|row| numbers.of(position + row)));
            position += batch.num_rows();
        }
        Ok(Ok(found))
    }
}

/// The place of a unit and its first row.
fn name_of(unit: &Unit) -> (Place, Option<u32>) {
    (unit.place, unit.rows.first().map(|range| range.start))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::model::{Span, TimeRange};
    use crate::query::fixtures;
    use crate::query::predicate::Predicate;
    use crate::query::scan::Control;
    use crate::schema::column;
    use crate::store::Signal;

    #[test]
    fn as_many_rows_are_looked_at_however_soon_enough_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let span = |id: u64| fixtures::span(id, id, 0, "api", "x", 1_000 + id, id);
        let part = |ids: std::ops::Range<u64>| vec![fixtures::spans(&ids.map(span).collect::<Vec<Span>>())];
        // The last of them has spans of all others once more, so that those are older versions.
        let again = vec![fixtures::spans(&(1..90).step_by(7).map(span).collect::<Vec<Span>>())];
        let segments = (0..9).map(|n| part(n * 10 + 1..n * 10 + 11)).chain([again]).collect();
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), segments);
        let (predicate, control) = (Predicate::all(), Control::new(Duration::from_secs(60)));
        let wanted = Wanted { columns: &[column::START_TIME], keys: &[], predicate: &predicate };
        let ranking = Ranking { column: column::START_TIME, weight: std::convert::identity };
        let of = |least: Option<u64>| {
            let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, &control).unwrap();
            let found = Mutex::new(Vec::new());
            let each = |rows: &Rows<'_>| {
                let starts = columns::long(rows.batch, column::START_TIME)?;
                found.lock().extend(rows.alive.set_indices().map(|row| columns::nanos(starts, row)));
                Ok(())
            };
            scan.run_best((wanted, ranking), |_| false, || least, each).unwrap();
            let mut found = found.into_inner();
            found.sort_unstable();
            (found, (scan.stats.rows_scanned, scan.stats.rows_skipped, scan.stats.segments_read))
        };
        let (all, account) = of(None);
        assert_eq!((all, account), ((1_001..=1_090).collect(), (90, 0, 10)));
        let (some, account) = of(Some(1_083));
        assert!((1_083..=1_090).all(|start| some.contains(&start)) && some.len() < 60, "{some:?}");
        assert_eq!(account, (90, 0, 10));
    }

    /// Spans of one trace, which lie in the order of their starts, of which a few ids cannot be read; starts of those found of the newest, and whether all could be read, when so
    /// many units and parts of them are read before enough are known.
    fn of_damaged(damaged: u64, known_after: usize) -> (Vec<u64>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let spans: Vec<Span> = (1..=12_000).map(|id| fixtures::span(1, id, 0, "api", "x", 1_000 + id, id)).collect();
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
        let id = fixtures::span(1, damaged, 0, "api", "x", 0, 0).span_id;
        let mut files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let file = files.find(|path| path.extension().is_some_and(|of| of == "parquet")).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(8).position(|bytes| bytes == id.as_bytes()).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let (predicate, control) = (Predicate::all(), Control::new(Duration::from_secs(60)));
        let wanted = Wanted { columns: &[column::START_TIME, column::SPAN_ID], keys: &[], predicate: &predicate };
        let ranking = Ranking { column: column::START_TIME, weight: std::convert::identity };
        let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, &control).unwrap();
        let (found, asked) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0));
        let each = |rows: &Rows<'_>| {
            let starts = columns::long(rows.batch, column::START_TIME)?;
            found.lock().extend(rows.alive.set_indices().map(|row| columns::nanos(starts, row)));
            Ok(())
        };
        let least = || (asked.fetch_add(1, Ordering::Relaxed) >= known_after).then_some(9_001);
        scan.run_best((wanted, ranking), |_| false, least, each).unwrap();
        (found.into_inner().into_iter().filter(|start| *start >= 9_001).collect(), scan.stats.complete)
    }

    #[test]
    fn damage_is_told_where_it_matters_to_the_answer_however_soon_enough_are_known() {
        for known_after in 0..3 {
            let (found, is_complete) = of_damaged(100, known_after);
            assert_eq!((found, is_complete), ((9_001..=13_000).collect(), true), "{known_after}");
        }
        let told = of_damaged(9_000, 0);
        assert!(!told.1 && told.0.len() < 4_000);
        for known_after in 1..3 {
            assert_eq!(of_damaged(9_000, known_after), told, "{known_after}");
        }
    }
}
