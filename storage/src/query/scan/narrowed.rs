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

impl Scan<'_> {
    /// As [`Scan::run`], of which rows do not matter whose number in the column `key` is below `least`, which never falls.
    pub(in super::super) fn run_best(
        &mut self,
        (wanted, key): (Wanted<'_>, &'static str),
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
                Some(least) => scan.not_below(segment, rest, (key, least), account)?,
                None => rest,
            };
            if left.is_empty() { Ok(()) } else { scan.unit(&part(left), wanted, account, &mut each) }
        })
    }

    /// Those of some rows whose number is not below `least`, or all when most are; none when it cannot be read, which is noted.
    fn not_below(
        &self,
        segment: &Segment,
        rows: RowRanges,
        bound: (&'static str, u64),
        account: &mut Account,
    ) -> Result<RowRanges, QueryError> {
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
        (key, least): (&'static str, u64),
    ) -> Result<Result<Vec<u32>, SegmentError>, QueryError> {
        let batches = match read(segment, &Needs { columns: [key].into(), ..Needs::default() }, rows) {
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
            let ranks = columns::long(&batch, key)?;
            found.extend((0..ranks.len()).filter(|row| columns::nanos(ranks, *row) >= least).map(|row| numbers.of(position + row)));
            position += batch.num_rows();
        }
        Ok(Ok(found))
    }
}
