//! The first rows of a table by time, page by page: what searches for log records and for single spans have in common.
//!
//! Owns the early stop, which never changes the answer, and reading of whole rows once it is known which. In which order rows of equal
//! times lie is said by whoever asks.

use std::collections::BTreeMap;
use std::fmt::Debug;

use arrow::array::RecordBatch;
use parking_lot::Mutex;

use super::answer::QueryStats;
use super::columns;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Place, Ranking, Rows, Scan, Unit, Wanted};
use super::traces::by_place;
use crate::model::{TimeRange, UnixNanos};
use crate::schema::{self, ColumnError};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// What one found row takes while others are looked at, about.
const BYTES_FOUND: usize = 128;

/// An order of the rows of a table: by time, and of equal times by something that tells them apart.
pub(super) trait Listed: Sync {
    type Row: Debug + Send;
    type Tie: Copy + Debug + Ord + Send + Sync;

    const SIGNAL: Signal;
    /// What ties are made of, beside the time.
    const COLUMNS: &'static [&'static str];
    /// Whether old and new rows lie side by side in every part of a segment.
    const BY_TRACE: bool;

    fn is_oldest_first(&self) -> bool;

    /// What each row of a batch has for a tie, those that come first being smaller; nothing of a row that is none.
    fn ties(&self, batch: &RecordBatch) -> Result<impl Fn(usize) -> Option<Self::Tie>, QueryError>;

    /// Whole rows.
    fn rows(batch: &RecordBatch, numbers: impl Iterator<Item = usize>) -> Result<Vec<Self::Row>, ColumnError>;

    /// Time and tie of a row.
    fn key(&self, row: &Self::Row) -> (UnixNanos, Self::Tie);
}

/// Which rows are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<T> {
    pub(super) range: TimeRange,
    pub(super) limit: usize,
    /// Time and tie of the last row of the page before.
    pub(super) after: Option<(UnixNanos, T)>,
}

/// Rows in order, and the last of them when there are more.
#[derive(Debug)]
pub(super) struct Page<R, T> {
    pub(super) rows: Vec<R>,
    pub(super) last: Option<(UnixNanos, T)>,
    pub(super) stats: QueryStats,
}

/// Sort key of a row: smaller is earlier on the page.
type Rank<T> = (u64, T);

/// A row that was found.
#[derive(Debug)]
enum Found<R> {
    /// It is read when it is certain that it is asked for.
    At(Place, u32),
    Read(Box<R>),
}

/// Found rows in order.
type InOrder<L> = BTreeMap<Rank<<L as Listed>::Tie>, Found<<L as Listed>::Row>>;

/// The first rows so far.
struct Best<'a, L: Listed> {
    listed: &'a L,
    limit: usize,
    after: Option<Rank<L::Tie>>,
    found: Mutex<InOrder<L>>,
}

/// A page of the rows for which `predicate` holds.
pub(super) fn find<L: Listed>(
    snapshot: &Snapshot,
    listed: &L,
    predicate: &Predicate,
    ask: Ask<L::Tie>,
    control: &Control,
) -> Result<Page<L::Row, L::Tie>, QueryError> {
    let range = ask.behind(listed);
    let new = if L::BY_TRACE { Scan::new } else { Scan::asking_late };
    let mut scan = new(snapshot, L::SIGNAL, range, &predicate.hints, control)?;
    if listed.is_oldest_first() {
        scan.oldest_first();
    }
    scan.whole_when_few();
    let after = ask.after.map(|(time, tie)| (turned(listed, time.get()), tie));
    let best = Best { listed, limit: ask.limit, after, found: Mutex::default() };
    let holding = Mutex::new(control.holding());
    let each = |rows: &Rows<'_>| -> Result<(), QueryError> {
        let found = best.offer(rows)?;
        holding.lock().set(found * BYTES_FOUND);
        Ok(())
    };
    let stop = |unit: &Unit| best.are_before(unit);
    let wanted = Wanted { columns: L::COLUMNS, keys: &[], predicate };
    if L::BY_TRACE {
        let weight: fn(u64) -> u64 = if listed.is_oldest_first() { |time| u64::MAX - time } else { std::convert::identity };
        let ranking = Ranking { column: schema::time_column(L::SIGNAL), weight };
        scan.run_best((wanted, ranking), stop, || best.worst().map(|(key, _)| u64::MAX - key), each)?;
    } else {
        scan.fold_best(wanted, stop, || (), |(), rows| each(rows))?;
    }
    best.page(&mut scan)
}

/// A time as the first part of a rank, and back.
fn turned(listed: &impl Listed, time: u64) -> u64 {
    if listed.is_oldest_first() { time } else { u64::MAX - time }
}

// === impl Ask ===

impl<T> Ask<T> {
    /// The part of the range in which rows behind the page before lie.
    fn behind(&self, listed: &impl Listed) -> TimeRange {
        let range = self.range;
        match &self.after {
            None => range,
            Some((time, _)) if listed.is_oldest_first() => TimeRange { from: range.from.max(*time), ..range },
            Some((time, _)) => TimeRange { to: range.to.min(time.plus(1)), ..range },
        }
    }
}

// === impl Best ===

impl<L: Listed> Best<'_, L> {
    /// The last of those that are enough, once there are. One more than asked for says whether there is a next page.
    fn worst(&self) -> Option<Rank<L::Tie>> {
        let found = self.found.lock();
        if found.len() > self.limit { found.last_key_value().map(|(rank, _)| *rank) } else { None }
    }

    /// Whether no row of a unit can come before any of them.
    fn are_before(&self, unit: &Unit) -> bool {
        let first = if self.listed.is_oldest_first() { unit.min } else { unit.max };
        self.worst().is_some_and(|(worst, _)| worst < turned(self.listed, first.get()))
    }

    /// Takes those of some rows that come before others, and says how many there are now.
    fn offer(&self, rows: &Rows<'_>) -> Result<usize, QueryError> {
        let times = columns::long(rows.batch, schema::time_column(L::SIGNAL))?;
        let ties = self.listed.ties(rows.batch)?;
        let mut worst = self.worst();
        for row in rows.alive.set_indices() {
            let Some(tie) = ties(row) else { continue };
            let rank = (turned(self.listed, columns::nanos(times, row)), tie);
            if self.after.is_some_and(|after| rank <= after) || worst.is_some_and(|worst| rank > worst) {
                continue;
            }
            let read = if rows.whole { L::rows(rows.batch, row..row + 1)?.pop() } else { None };
            let found = read.map_or_else(|| Found::At(rows.place, rows.number(row)), |read| Found::Read(Box::new(read)));
            let mut best = self.found.lock();
            best.insert(rank, found);
            if best.len() > self.limit + 1 {
                best.pop_last();
            }
            drop(best);
            worst = self.worst();
        }
        Ok(self.found.lock().len())
    }

    fn page(self, scan: &mut Scan<'_>) -> Result<Page<L::Row, L::Tie>, QueryError> {
        let mut found = self.found.into_inner();
        let more = found.len() > self.limit;
        if more {
            found.pop_last();
        }
        let last = found.last_key_value().filter(|_| more).map(|((key, tie), _)| (UnixNanos::new(turned(self.listed, *key)), *tie));
        let unread = found.values().filter_map(|found| if let Found::At(place, row) = found { Some((*place, *row)) } else { None });
        let mut fetched = fetch(self.listed, scan, unread.collect())?;
        let rows = found.into_iter().filter_map(|(rank, found)| match found {
            Found::Read(row) => Some(*row),
            Found::At(..) => fetched.remove(&rank),
        });
        Ok(Page { rows: rows.collect(), last, stats: std::mem::take(&mut scan.stats) })
    }
}

/// Reads whole rows, by their ranks.
fn fetch<L: Listed>(listed: &L, scan: &mut Scan<'_>, found: Vec<(Place, u32)>) -> Result<BTreeMap<Rank<L::Tie>, L::Row>, QueryError> {
    let mut fetched = BTreeMap::new();
    let batches = scan.fetch_all(&by_place(found))?;
    let mut holding = scan.holding();
    // Twice: as columns and as rows.
    holding.set(batches.iter().map(|batch| 2 * batch.get_array_memory_size()).sum());
    for batch in batches {
        for row in L::rows(&batch, 0..batch.num_rows())? {
            let (time, tie) = listed.key(&row);
            fetched.insert((turned(listed, time.get()), tie), row);
        }
    }
    Ok(fetched)
}
