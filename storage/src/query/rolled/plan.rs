//! Which minutes of which segments are counted from roll-ups, and counting them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::buffer::BooleanBuffer;

use super::item::Amount;
use super::rolls::{Detail, Rolls};
use super::{Item, Moment, Question, Told, view};
use crate::model::TimeRange;
use crate::query::answer::QueryStats;
use crate::query::question::QueryError;
use crate::query::scan::{Control, Kept, Place};
use crate::query::versions::InOrder;
use crate::rollup::{Cell, MINUTE, Roll, minute_of};
use crate::segment::Segment;
use crate::store::Signal;

/// A segment whose roll-up is used for some of its minutes.
#[derive(Debug)]
pub(super) struct Rolled {
    pub(super) place: usize,
    roll: Arc<Roll>,
    /// Minutes of which every row is in the window.
    pub(super) minutes: std::ops::Range<u64>,
    /// Rows that it counts and that are older versions of spans.
    older: Arc<Vec<Told>>,
    /// Minutes that are counted row by row, because one of these was the shortest, the longest or the last of its cell.
    pub(super) apart: BTreeSet<u32>,
}

/// Where everything is counted from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) question: Question<'a>,
    pub(super) control: &'a Control,
    rolls: &'a Rolls,
    /// What tells older versions of spans.
    arrivals: InOrder<'a>,
    pub(super) rolled: Vec<Rolled>,
    pub(super) stats: QueryStats,
}

/// Columns that roll-ups can tell apart.
pub(super) const TOLD_APART: [&str; 5] = {
    use crate::schema::column::{KIND, NAME, SERVICE_NAME, SEVERITY_NUMBER, STATUS_CODE};
    [SERVICE_NAME, NAME, KIND, STATUS_CODE, SEVERITY_NUMBER]
};

impl<'a> Plan<'a> {
    pub(super) fn new(question: Question<'a>, rolls: &'a Rolls, control: &'a Control) -> Result<Self, QueryError> {
        let stats = QueryStats { complete: true, ..QueryStats::default() };
        let arrivals = question.snapshot.versions.of(&question.snapshot.spans);
        let mut plan = Self { question, control, rolls, arrivals, rolled: Vec::new(), stats };
        if question.moment == Moment::All || !super::is_told_apart(question.filter) {
            return Ok(plan);
        }
        let names = plan.tells_names();
        for (place, segment) in question.snapshot.table(question.signal).segments.iter().enumerate() {
            control.check()?;
            // A roll-up still counts rows that were let go.
            if !segment.hidden().is_empty() {
                continue;
            }
            let Some(minutes) = whole_minutes(segment, question.range) else { continue };
            if let Some(rolled) = plan.whole(place, segment, minutes.clone())? {
                plan.rolled.push(rolled);
                continue;
            }
            let Some(roll) = rolls.of(segment, Detail { names, minutes: true }).filter(|roll| roll.has_names || !names) else { continue };
            let Some(older) = plan.older(place, segment)? else { continue };
            let apart = apart(&roll, names, &older);
            plan.rolled.push(Rolled { place, roll, minutes, older, apart });
        }
        Ok(plan)
    }

    /// A segment of which every minute is counted, and no row is taken off, without telling its minutes apart: those are many cells to keep.
    fn whole(&mut self, place: usize, segment: &Segment, minutes: std::ops::Range<u64>) -> Result<Option<Rolled>, QueryError> {
        if self.question.moment != Moment::Nothing || minutes != (0..u64::MAX) {
            return Ok(None);
        }
        let names = self.tells_names();
        let roll = self.rolls.of(segment, Detail { names, minutes: false }).filter(|roll| roll.has_names || !names);
        let older = if roll.is_some() { self.older(place, segment)? } else { None };
        let whole = roll.zip(older.filter(|older| older.is_empty()));
        Ok(whole.map(|(roll, older)| Rolled { place, roll, minutes, older, apart: BTreeSet::new() }))
    }

    fn tells_names(&self) -> bool {
        self.question.names || self.question.filter.columns().contains(crate::schema::column::NAME)
    }

    /// What must be taken off the roll-up of a segment; `None` when that is too much. What cannot be read is noted.
    fn older(&mut self, place: usize, segment: &Segment) -> Result<Option<Arc<Vec<Told>>>, QueryError> {
        if self.question.signal != Signal::Traces {
            return Ok(Some(Arc::default()));
        }
        let (rows, notes) = self.arrivals.older(Place::Segment(place), self.control)?;
        notes.into_iter().for_each(|note| self.note(note));
        let read = self.rolls.older(segment, &rows, self.control)?;
        Ok(read.unwrap_or_else(|note| {
            self.note(note);
            Some(Arc::default())
        }))
    }

    /// `bytes` says what a state holds after so many more items.
    pub(super) fn run<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
        bytes: &(impl Fn(&mut S, usize) -> usize + Sync),
    ) -> Result<Vec<S>, QueryError> {
        let mut first = Kept { all: new(), holding: self.control.holding() };
        self.cells(&mut first, take, bytes)?;
        self.take_off(&mut first.all, take)?;
        let mut states = self.rows(new, take, bytes)?;
        states.push(first.all);
        Ok(states)
    }

    fn cells<S>(
        &self,
        first: &mut Kept<S>,
        take: &impl Fn(&mut S, &Item<'_>),
        bytes: &impl Fn(&mut S, usize) -> usize,
    ) -> Result<(), QueryError> {
        let Kept { all: state, holding } = first;
        let from = self.question.range.from.get();
        for rolled in &self.rolled {
            self.control.check()?;
            let roll = &rolled.roll;
            let cells: Vec<&Cell> = roll.cells.iter().filter(|cell| rolled.counts(cell.minute)).collect();
            let told = cells.iter().map(|cell| (roll.service(cell), roll.name(cell), cell.kind, cell.status));
            let alive = self.filtered(told)?;
            for (_, cell) in cells.iter().enumerate().filter(|(i, _)| alive.as_ref().is_none_or(|alive| alive.value(*i))) {
                take(
                    state,
                    &Item {
                        signal: self.question.signal,
                        service: roll.service(cell),
                        name: roll.name(cell),
                        kind: cell.kind,
                        status: cell.status,
                        entry: cell.entry,
                        time: (u64::from(cell.minute) * MINUTE).max(from),
                        amount: Amount::Cell(cell),
                    },
                );
            }
            holding.set(bytes(state, cells.len()));
        }
        Ok(())
    }

    /// Takes off older versions of spans, which cells count.
    fn take_off<S>(&self, state: &mut S, take: &impl Fn(&mut S, &Item<'_>)) -> Result<(), QueryError> {
        for rolled in self.rolled.iter().filter(|rolled| !rolled.older.is_empty()) {
            let told = rolled.older.iter().map(|row| (&*row.service, &*row.name, row.kind, row.status));
            let alive = self.filtered(told)?;
            for (i, row) in rolled.older.iter().enumerate().filter(|(_, row)| rolled.counts(minute_of(row.start))) {
                if alive.as_ref().is_none_or(|alive| alive.value(i)) {
                    take(state, &row.item(self.question.range.from, Amount::Less(row.duration)));
                }
            }
        }
        Ok(())
    }

    /// Which of these match the filter; `None` for all.
    fn filtered<'t>(&self, told: impl Iterator<Item = (&'t str, &'t str, i32, i32)>) -> Result<Option<BooleanBuffer>, QueryError> {
        if self.question.filter.columns().is_empty() {
            return Ok(None);
        }
        let batch = view::told_apart(self.question.signal, told)?;
        let all = BooleanBuffer::new_set(batch.num_rows());
        self.question.filter.matches(&batch, all).map(Some)
    }

    /// A scan does not know of what roll-ups have answered: only what it read itself counts.
    pub(super) fn note_scan(&mut self, stats: QueryStats) {
        let QueryStats { segments_read, rows_scanned, complete, notes, .. } = stats;
        self.stats.add(QueryStats { segments_read, rows_scanned, complete, notes, ..QueryStats::default() });
    }

    fn note(&mut self, note: String) {
        self.stats.complete = false;
        if !self.stats.notes.contains(&note) {
            self.stats.notes.push(note);
        }
    }
}

/// Minutes in which a cell would not be the same without rows that are taken off it, but for their number and the sum of their durations.
fn apart(roll: &Roll, names: bool, older: &[Told]) -> BTreeSet<u32> {
    let minutes: BTreeSet<u32> = older.iter().map(|row| minute_of(row.start)).collect();
    let key = |cell: &Cell| (cell.minute, cell.kind, cell.status, cell.entry);
    let mut cells: HashMap<_, Vec<&Cell>> = HashMap::new();
    for cell in roll.cells.iter().filter(|cell| minutes.contains(&cell.minute)) {
        cells.entry(key(cell)).or_default().push(cell);
    }
    let is_inside = |row: &Told| {
        let alike = cells.get(&(minute_of(row.start), row.kind, row.status, row.entry)).into_iter().flatten();
        let mut same = alike.filter(|cell| roll.service(cell) == &*row.service && (!names || roll.name(cell) == &*row.name));
        same.next().is_some_and(|cell| cell.durations.min() < row.duration && row.duration < cell.durations.max() && row.start < cell.last)
    };
    older.iter().filter(|row| !is_inside(row)).map(|row| minute_of(row.start)).collect()
}

/// Minutes of which every row of a segment is in the window; `None` when there is none.
fn whole_minutes(segment: &Segment, range: TimeRange) -> Option<std::ops::Range<u64>> {
    let meta = segment.meta();
    if range != TimeRange::ALL && !range.overlaps(meta.min_time, meta.max_time) {
        return None;
    }
    let start = if range.from <= meta.min_time { 0 } else { range.from.get().div_ceil(MINUTE) };
    let end = if range == TimeRange::ALL || meta.max_time < range.to { u64::MAX } else { range.to.get() / MINUTE };
    (start < end).then_some(start..end)
}

impl Rolled {
    /// Whether rows of a minute are counted from the roll-up.
    pub(super) fn counts(&self, minute: u32) -> bool {
        self.minutes.contains(&u64::from(minute)) && !self.apart.contains(&minute)
    }
}
