//! Reading the rows alone that can still change an answer of so many best ones, by the column that ranks them.
//!
//! Rows of a segment lie by trace within ten minutes, so new and old, slow and fast ones lie side by side in every unit. Once enough are
//! known, of further rows the ranking column is read, and everything else of those only that do not rank behind all of these.

use super::numbers::Numbers;
use super::selected::read;
use super::{Account, Place, RowRanges, Rows, Scan, Unit, Wanted, ranges};
use crate::query::columns;
use crate::query::predicate::Needs;
use crate::query::question::QueryError;
use crate::segment::{Segment, SegmentError};

/// Rows of a unit that are read to begin with; units with fewer are read at once.
const HEAD_ROWS: usize = if cfg!(test) { 4 } else { 8_192 };

/// What ranks rows.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ranking {
    /// A column of numbers.
    pub(in super::super) column: &'static str,
    /// Makes a weight of its numbers, of which the greatest ranks first.
    pub(in super::super) weight: fn(u64) -> u64,
}

impl Scan<'_> {
    /// As [`Scan::run`], of which rows do not matter whose weight is below `least`, which never falls.
    pub(in super::super) fn run_best(
        &mut self,
        (wanted, ranking): (Wanted<'_>, Ranking),
        stop: impl FnMut(&Unit) -> bool,
        least: impl Fn() -> Option<u64>,
        mut each: impl FnMut(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.walk(stop, |scan, unit, account| {
            let (head, rest) = if least().is_some() { (RowRanges::new(), unit.rows.clone()) } else { ranges::split(&unit.rows, HEAD_ROWS) };
            let is_long = rest.iter().map(ExactSizeIterator::len).sum::<usize>() > HEAD_ROWS;
            let place = if let Place::Segment(at) = unit.place { Some(at).filter(|_| is_long) } else { None };
            let Some((at, segment)) = place.and_then(|at| Some((at, scan.table.segments.get(at)?))) else {
                return scan.unit(unit, wanted, account, &mut each);
            };
            account.segments.insert(at);
            let part = |rows| Unit { rows, ..unit.clone() };
            if !head.is_empty() {
                scan.unit(&part(head), wanted, account, &mut each)?;
            }
            let left = match least() {
                Some(least) => scan.not_below(segment, rest, (ranking, least), account)?,
                None => rest,
            };
            if left.is_empty() { Ok(()) } else { scan.unit(&part(left), wanted, account, &mut each) }
        })
    }

    /// Those of some rows whose weight is not below `least`, or all when most are; none when it cannot be read, which is noted.
    fn not_below(&self, segment: &Segment, rows: RowRanges, bound: (Ranking, u64), account: &mut Account) -> Result<RowRanges, QueryError> {
        let found = match self.numbers_not_below(segment, &rows, bound)? {
            Ok(found) => found,
            Err(error) => return account.unreadable(&error).map(|()| RowRanges::new()),
        };
        let all = rows.iter().map(ExactSizeIterator::len).sum::<usize>();
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
