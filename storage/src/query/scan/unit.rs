//! Reading one unit: its rows in the window that match and are no older versions.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::numbers::Numbers;
use super::selected::read;
use super::stored::Left;
use super::{Place, RowRanges, Rows, Scan, Unit, Wanted};
use crate::model::{TimeRange, UnixNanos};
use crate::query::columns;
use crate::query::predicate::{Needs, Rest};
use crate::query::question::QueryError;
use crate::schema;
use crate::segment::{SegmentError, holds_rows, without_rows};

/// Rows of a unit of which all columns are read at once, when that is wanted.
const FEW_ROWS: usize = 64;

/// What one worker did.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) rows: u64,
    /// Rows of units after the one at which the answer was full.
    pub(super) skipped: u64,
    pub(super) segments: BTreeSet<usize>,
    pub(super) notes: Vec<String>,
    /// Whether something could not be read.
    pub(super) is_damaged: bool,
}

// === impl Scan ===

impl Scan<'_> {
    pub(super) fn unit(
        &self,
        unit: &Unit,
        wanted: Wanted<'_>,
        account: &mut Account,
        each: &mut dyn FnMut(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let rows = self.last_left(unit, account)?;
        self.some_of(unit, Left { rows, known: None }, wanted, account, each)
    }

    /// Reads some rows of a unit, none of them older versions; all of a part of the buffer.
    pub(super) fn some_of<'p>(
        &self,
        unit: &Unit,
        left: Left<'_, 'p>,
        wanted: Wanted<'p>,
        account: &mut Account,
        each: &mut dyn FnMut(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.control.check()?;
        if left.rows.is_empty() && matches!(unit.place, Place::Segment(_)) {
            return Ok(());
        }
        let older = if let Place::Buffer(_) = unit.place { self.older(unit.place, account)? } else { Arc::default() };
        let left = if left.known.is_some() { left } else { self.stored(unit.place, left.rows, wanted.predicate, account) };
        let rest = left.rest(wanted.predicate);
        let left = Left { rows: self.worded(unit.place, left.rows, wanted.predicate, account)?, ..left };
        let rows = &*left.rows;
        let whole = self.is_read_whole(unit.place, rows);
        let needs =
            if whole { Needs { columns: schema::names(self.signal).collect(), ..Needs::default() } } else { self.needs(wanted, &rest) };
        let numbers = Numbers::new(rows);
        let mut first = 0;
        let mut hand = |batch: &RecordBatch, account: &mut Account| -> Result<(), QueryError> {
            account.rows += batch.num_rows() as u64;
            let alive = self.in_range(unit, batch)?;
            let mut alive = left.matches(&rest, batch, alive, (&numbers, first))?;
            if !older.is_empty() {
                alive = &alive & &last_versions(batch.num_rows(), &older);
            }
            if alive.count_set_bits() > 0 {
                each(&Rows { place: unit.place, batch, alive, whole, numbers: &numbers, first })?;
            }
            first += batch.num_rows();
            self.control.check()
        };
        match unit.place {
            Place::Buffer(i) => match self.table.buffered.get(i) {
                Some(batch) => hand(batch, account),
                None => Ok(()),
            },
            Place::Segment(i) => {
                let Some(segment) = self.table.segments.get(i).filter(|_| !rows.is_empty()) else { return Ok(()) };
                account.segments.insert(i);
                let batches = match read(segment, &needs, rows) {
                    Ok(batches) => batches,
                    Err(error) => return account.unreadable(&error),
                };
                let mut holding = self.control.holding();
                for batch in batches {
                    match batch {
                        Ok(batch) => {
                            holding.set(batch.get_array_memory_size());
                            hand(&batch, account)?;
                        }
                        Err(error) => return account.unreadable(&error),
                    }
                }
                Ok(())
            }
        }
    }

    /// Which rows of a segment are left that are not older versions.
    pub(super) fn last_left<'u>(&self, unit: &'u Unit, account: &mut Account) -> Result<Cow<'u, RowRanges>, QueryError> {
        let rows = self.left(unit, true);
        // Mostly indexes leave none, and then nobody has to know which are older.
        if rows.is_empty() {
            return Ok(rows);
        }
        let older = self.older(unit.place, account)?;
        Ok(if older.is_empty() { rows } else { Cow::Owned(without_rows(&rows, &older)) })
    }

    fn older(&self, place: Place, account: &mut Account) -> Result<Arc<RowRanges>, QueryError> {
        let Some(arrivals) = &self.arrivals else { return Ok(Arc::default()) };
        let (rows, notes) = arrivals.older(place, self.control)?;
        account.notes.extend(notes);
        Ok(rows)
    }

    fn is_read_whole(&self, place: Place, rows: &RowRanges) -> bool {
        let count = || rows.iter().map(ExactSizeIterator::len).sum::<usize>();
        self.whole_when_few && matches!(place, Place::Segment(_)) && count() <= FEW_ROWS
    }

    /// What to read.
    fn needs<'w>(&self, wanted: Wanted<'w>, rest: &Rest<'w>) -> Needs<'w> {
        let mut needs = rest.needs();
        needs.columns.extend(wanted.columns);
        needs.columns.insert(schema::time_column(self.signal));
        needs.keys.extend(wanted.keys.iter().map(String::as_str));
        needs
    }

    fn in_range(&self, unit: &Unit, batch: &RecordBatch) -> Result<BooleanBuffer, QueryError> {
        if self.range == TimeRange::ALL || (self.range.from <= unit.min && unit.max < self.range.to) {
            return Ok(BooleanBuffer::new_set(batch.num_rows()));
        }
        let times = columns::long(batch, schema::time_column(self.signal))?;
        Ok(BooleanBuffer::collect_bool(batch.num_rows(), |row| self.range.contains(UnixNanos::new(columns::nanos(times, row)))))
    }
}

/// Rows of a batch that are not older versions.
fn last_versions(rows: usize, older: &RowRanges) -> BooleanBuffer {
    let is_last = |row| u32::try_from(row).is_ok_and(|row| !holds_rows(older, row));
    BooleanBuffer::collect_bool(rows, is_last)
}

// === impl Account ===

impl Account {
    #[expect(clippy::unnecessary_wraps, reason = "it ends a unit without failing the question")]
    pub(super) fn unreadable(&mut self, error: &SegmentError) -> Result<(), QueryError> {
        tracing::warn!(error = %error, "a segment could not be read for a query");
        self.is_damaged = true;
        self.notes.push(format!("a part of the data could not be read: {error}"));
        Ok(())
    }
}
