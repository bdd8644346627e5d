//! Walks the rows of a table that can matter to a question, unit by unit.
//!
//! A unit is a batch in memory or a row group of a segment, with bounds on its times. Rows that are older versions of a span are not read. Owns
//! skipping, reading, deadlines and the account of both. Knows nothing of what is done with the rows.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::answer::QueryStats;
use super::predicate::{Hints, Predicate};
use super::question::QueryError;
use super::versions::InOrder;
use crate::model::{TimeRange, UnixNanos};
use crate::segment::RowRanges;
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Signal;

mod control;
mod fetched;
mod finding;
mod folding;
mod holding;
mod late;
mod narrowed;
mod numbers;
mod ranges;
mod selected;
mod shares;
mod stored;
mod unit;
mod worded;
mod workers;

pub(crate) use self::control::Control;
pub(crate) use self::holding::{Holding, Kept, of_map, of_set};
use self::late::Selections;
pub(super) use self::narrowed::Ranking;
pub(super) use self::numbers::Numbers;
pub(super) use self::ranges::{from_rows, intersect};
use self::unit::Account;

/// Where rows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// A batch in memory, by its position.
    Buffer(usize),
    /// A segment, by its position.
    Segment(usize),
}

/// Rows that are read together.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) place: Place,
    rows: RowRanges,
    pub(super) min: UnixNanos,
    pub(super) max: UnixNanos,
}

/// Rows that were read.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) place: Place,
    pub(super) batch: &'a RecordBatch,
    /// Which of them are asked for.
    pub(super) alive: BooleanBuffer,
    /// Whether the batch has all columns because its unit is small: see [`Scan::whole_when_few`].
    pub(super) whole: bool,
    numbers: &'a Numbers<'a>,
    first: usize,
}

/// Everything of a table that can matter to a question.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) table: &'a TableSnapshot,
    signal: Signal,
    range: TimeRange,
    pub(super) units: Vec<Unit>,
    control: &'a Control,
    /// What tells older versions of spans, which are left out; nothing where all versions are wanted.
    arrivals: Option<InOrder<'a>>,
    whole_when_few: bool,
    in_shares: bool,
    /// Where indexes are asked late: see `scan/late.rs`.
    late: Option<Selections>,
    segments_read: BTreeSet<usize>,
    /// Units read so far, and what could not be.
    pub(super) stats: QueryStats,
}

/// Which columns are read, and which rows are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) columns: &'a [&'static str],
    /// Attributes of the record that are looked up by key, beside those of the predicate.
    pub(super) keys: &'a [String],
    pub(super) predicate: &'a Predicate,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    /// Finds the units that can hold rows of `range` that match `hints`, newest first.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        signal: Signal,
        range: TimeRange,
        hints: &Hints,
        control: &'a Control,
    ) -> Result<Self, QueryError> {
        let mut scan = Self::of_memory(snapshot, signal, range, control)?;
        let selections = scan.selections(hints)?;
        for ((i, segment), selection) in scan.table.segments.iter().enumerate().zip(selections) {
            let before = scan.units.len();
            scan.add_segment(i, segment, selection.as_ref());
            scan.stats.prune(segment.meta(), scan.units.get(before..).unwrap_or_default().iter().flat_map(|unit| &unit.rows));
        }
        scan.newest_first();
        Ok(scan)
    }

    /// What is in memory.
    fn of_memory(snapshot: &'a Snapshot, signal: Signal, range: TimeRange, control: &'a Control) -> Result<Self, QueryError> {
        let table = snapshot.table(signal);
        let stats = QueryStats { complete: true, ..QueryStats::default() };
        let arrivals = (signal == Signal::Traces).then(|| snapshot.versions.of(table));
        let (units, segments_read) = (Vec::new(), BTreeSet::new());
        let (whole_when_few, in_shares, late) = (false, false, None);
        let mut scan = Self { table, signal, range, units, control, arrivals, whole_when_few, in_shares, late, segments_read, stats };
        for note in &table.unreadable {
            scan.note(note.clone());
        }
        for (i, batch) in table.buffered.iter().enumerate() {
            let before = scan.units.len();
            scan.add_batch(i, batch)?;
            scan.stats.rows_pruned += if scan.units.len() == before { batch.num_rows() as u64 } else { 0 };
        }
        Ok(scan)
    }

    pub(super) fn control(&self) -> &'a Control {
        self.control
    }

    /// Something that the question is going to hold.
    pub(super) fn holding(&self) -> Holding {
        self.control.holding()
    }

    fn newest_first(&mut self) {
        self.units.sort_by(|a, b| {
            b.max
                .cmp(&a.max)
                .then(a.place.cmp(&b.place))
                .then_with(|| a.rows.first().map(|r| r.start).cmp(&b.rows.first().map(|r| r.start)))
        });
    }

    /// Reads all columns where the indexes leave few rows: what is asked for needs not be read again, page by page.
    pub(super) fn whole_when_few(&mut self) {
        self.whole_when_few = true;
    }

    /// Reads older versions of spans too.
    pub(super) fn every_version(&mut self) {
        self.arrivals = None;
    }

    /// Rows of the units, as far as indexes were asked.
    pub(super) fn rows(&self) -> u64 {
        self.units.iter().map(|unit| self.rows_of(unit)).sum()
    }

    /// Puts the oldest units first.
    pub(super) fn oldest_first(&mut self) {
        self.units.sort_by(|a, b| a.min.cmp(&b.min).then(a.place.cmp(&b.place)));
    }

    /// Leaves one of `parts` equal shares of the units.
    pub(super) fn every(&mut self, parts: usize, part: usize) {
        let mut i = 0;
        self.units.retain(|_| {
            i += 1;
            (i - 1) % parts == part
        });
    }

    /// Reads units in order and hands the asked rows to `each`, until `stop` says of the next unit that it cannot matter.
    pub(super) fn run(
        &mut self,
        wanted: Wanted<'_>,
        mut stop: impl FnMut(&Unit) -> bool,
        mut each: impl FnMut(&Rows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut account = Account::default();
        let units = std::mem::take(&mut self.units);
        for (i, unit) in units.iter().enumerate() {
            if stop(unit) {
                account.skipped = units.iter().skip(i).map(|unit| self.rows_of(unit)).sum();
                break;
            }
            self.unit(unit, wanted, &mut account, &mut each)?;
        }
        self.units = units;
        self.close(account);
        self.note_late();
        Ok(())
    }

    /// Writes down that a part could not be read.
    pub(super) fn note(&mut self, note: String) {
        self.stats.complete = false;
        if !self.stats.notes.contains(&note) {
            self.stats.notes.push(note);
        }
    }

    fn close(&mut self, account: Account) {
        self.stats.rows_scanned += account.rows;
        self.stats.rows_skipped += account.skipped;
        self.segments_read.extend(account.segments);
        self.stats.segments_read = self.segments_read.len();
        for note in account.notes {
            self.note(note);
        }
    }
}

// === impl Rows ===

impl Rows<'_> {
    /// The number of a row within its place.
    pub(super) fn number(&self, row: usize) -> u32 {
        self.numbers.of(self.first + row)
    }
}
