//! Counts the rows of a window: whole minutes of segments from their roll-ups, everything else from rows.
//!
//! Owns which minutes of which segments are counted from where, and that a span stored in several places counts once. `rolls` keeps
//! what was decoded, `duplicates` knows which spans two segments share, `view` reads rows. What is counted is up to the caller.
//!
//! A span is stored twice only with the same start, so both are in the same minute. Where both minutes are counted from roll-ups, one is
//! taken off again; where one is, the row is left out; where none is, `Seen` tells them apart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::buffer::BooleanBuffer;

use super::answer::QueryStats;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Place, Rows, Scan, Wanted};
use super::window::{DEDUPLICATION, Seen, SpanKeys};
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::rollup::{Cell, MINUTE, Roll, minute_of};
use crate::segment::{RowRanges, Segment, union_rows};
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod duplicates;
mod item;
mod rolls;
mod view;

use self::duplicates::{Duplicate, Runs};
use self::item::Amount;
pub(super) use self::item::{Counts, Item};
pub(crate) use self::rolls::Rolls;
pub(super) use self::view::{View, columns};

/// Which rows are counted, and what is told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) signal: Signal,
    pub(super) range: TimeRange,
    /// Whether span names matter; `filter` may still ask for them.
    pub(super) names: bool,
    /// Whether of the rest only status and time matter.
    pub(super) bare: bool,
    /// Whether the minute of a row says enough of its time.
    pub(super) by_minute: bool,
    pub(super) filter: &'a Predicate,
}

/// A segment whose roll-up is used for some of its minutes.
#[derive(Debug)]
struct Rolled<'a> {
    place: usize,
    segment: &'a Segment,
    roll: Arc<Roll>,
    /// Minutes of which every row is in the window.
    minutes: std::ops::Range<u64>,
}

/// Where everything is counted from.
#[derive(Debug)]
struct Plan<'a> {
    question: Question<'a>,
    control: &'a Control,
    rolls: &'a Rolls,
    rolled: Vec<Rolled<'a>>,
    /// Which of `rolled` count something in a minute.
    by_minute: HashMap<u32, Vec<usize>>,
    stats: QueryStats,
}

/// A row that a segment may have counted already.
#[derive(Debug)]
struct Pending {
    trace: TraceId,
    hash: u64,
    row: Duplicate,
}

/// States of workers, and rows that wait.
type Found<S> = (Vec<S>, Vec<Pending>);

/// Columns that roll-ups can tell apart.
const TOLD_APART: [&str; 5] = {
    use crate::schema::column::{KIND, NAME, SERVICE_NAME, SEVERITY_NUMBER, STATUS_CODE};
    [SERVICE_NAME, NAME, KIND, STATUS_CODE, SEVERITY_NUMBER]
};
/// Rows that wait to be compared; with more, everything is counted from rows.
const MAX_PENDING: usize = 500_000;

/// Hands everything that is asked for to `take`, each item to one of the states that are given back.
pub(super) fn fold<S: Send>(
    question: Question<'_>,
    rolls: &Rolls,
    control: &Control,
    new: impl Fn() -> S + Sync,
    take: impl Fn(&mut S, &Item<'_>) + Sync,
) -> Result<(Vec<S>, QueryStats), QueryError> {
    let mut plan = Plan::new(question, rolls, control)?;
    if let Some(states) = plan.run(&new, &take)? {
        return Ok((states, plan.stats));
    }
    let mut plan = Plan::of_rows(question, rolls, control);
    let states = plan.run(&new, &take)?.unwrap_or_default();
    Ok((states, plan.stats))
}

impl<'a> Plan<'a> {
    fn of_rows(question: Question<'a>, rolls: &'a Rolls, control: &'a Control) -> Self {
        let stats = QueryStats { complete: true, ..QueryStats::default() };
        Self { question, control, rolls, rolled: Vec::new(), by_minute: HashMap::new(), stats }
    }

    fn new(question: Question<'a>, rolls: &'a Rolls, control: &'a Control) -> Result<Self, QueryError> {
        let mut plan = Self::of_rows(question, rolls, control);
        let asked = question.filter.columns();
        if !question.by_minute || asked.iter().any(|column| !TOLD_APART.contains(column)) {
            return Ok(plan);
        }
        let names = question.names || asked.contains(crate::schema::column::NAME);
        for (place, segment) in question.snapshot.table(question.signal).segments.iter().enumerate() {
            control.check()?;
            // A roll-up still counts rows that were let go.
            if !segment.hidden().is_empty() {
                continue;
            }
            let Some(minutes) = whole_minutes(segment, question.range) else { continue };
            let Some(roll) = rolls.of(segment).filter(|roll| roll.has_names || !names) else { continue };
            plan.rolled.push(Rolled { place, segment, roll, minutes });
        }
        for (i, rolled) in plan.rolled.iter().enumerate() {
            let mut before = None;
            for cell in rolled.cells().filter(|cell| before.replace(cell.minute) != Some(cell.minute)) {
                plan.by_minute.entry(cell.minute).or_default().push(i);
            }
        }
        Ok(plan)
    }

    /// `None` when too much is stored more than once for roll-ups to help.
    fn run<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
    ) -> Result<Option<Vec<S>>, QueryError> {
        let mut first = new();
        self.cells(&mut first, take)?;
        if self.question.signal == Signal::Traces && !self.subtract(&mut first, take)? {
            return Ok(None);
        }
        let Some((mut states, pending)) = self.rows(new, take)? else { return Ok(None) };
        self.settle(&pending, &mut first, take)?;
        states.push(first);
        Ok(Some(states))
    }

    fn cells<S>(&self, state: &mut S, take: &impl Fn(&mut S, &Item<'_>)) -> Result<(), QueryError> {
        let from = self.question.range.from.get();
        for rolled in &self.rolled {
            self.control.check()?;
            let cells: Vec<&Cell> = rolled.cells().collect();
            let told = cells.iter().map(|cell| (rolled.roll.service(cell), rolled.roll.name(cell), cell.kind, cell.status));
            let alive = self.filtered(told)?;
            for (_, cell) in cells.iter().enumerate().filter(|(i, _)| alive.as_ref().is_none_or(|alive| alive.value(*i))) {
                take(
                    state,
                    &Item {
                        signal: self.question.signal,
                        service: rolled.roll.service(cell),
                        name: rolled.roll.name(cell),
                        kind: cell.kind,
                        status: cell.status,
                        entry: cell.entry,
                        time: (u64::from(cell.minute) * MINUTE).max(from),
                        amount: Amount::Cell(cell),
                    },
                );
            }
        }
        Ok(())
    }

    /// Takes off what two segments both counted. False when that is too much.
    fn subtract<S>(&mut self, state: &mut S, take: &impl Fn(&mut S, &Item<'_>)) -> Result<bool, QueryError> {
        let mut runs = Runs::default();
        let mut taken = HashSet::new();
        let mut notes = Vec::new();
        for (i, a) in self.rolled.iter().enumerate() {
            for b in self.rolled.iter().skip(i + 1).filter(|b| self.share(a, b)) {
                let (older, newer) = if a.segment.meta().id < b.segment.meta().id { (a, b) } else { (b, a) };
                let shared = self.rolls.shared(older.segment, newer.segment, &mut runs, &mut notes, self.control)?;
                let Some(shared) = shared else { return Ok(false) };
                let told = shared.iter().map(|(_, row)| (&*row.service, &*row.name, row.kind, row.status));
                let alive = self.filtered(told)?;
                for (i, (hash, row)) in shared.iter().enumerate() {
                    let both = older.counts(minute_of(row.start)) && newer.counts(minute_of(row.start));
                    // In three segments the oldest is shared with both others.
                    if both && alive.as_ref().is_none_or(|alive| alive.value(i)) && taken.insert((*hash, older.place)) {
                        take(state, &row.item(self.question.range.from, Amount::Less(row.duration)));
                    }
                }
            }
        }
        notes.into_iter().for_each(|note| self.note(note));
        Ok(true)
    }

    /// Whether two segments count the same minute.
    fn share(&self, a: &Rolled<'_>, b: &Rolled<'_>) -> bool {
        let both = a.segment.meta().min_time <= b.segment.meta().max_time && b.segment.meta().min_time <= a.segment.meta().max_time;
        both && {
            let mut before = None;
            let mut minutes = a.cells().map(|cell| cell.minute).filter(|minute| before.replace(*minute) != Some(*minute));
            minutes.any(|minute| self.by_minute.get(&minute).is_some_and(|all| all.len() > 1) && b.has(minute))
        }
    }

    /// Counts rows, and gives back those that a segment may have counted already.
    fn rows<S: Send>(
        &mut self,
        new: &(impl Fn() -> S + Sync),
        take: &(impl Fn(&mut S, &Item<'_>) + Sync),
    ) -> Result<Option<Found<S>>, QueryError> {
        let question = self.question;
        let seen = Seen::of(question.snapshot)?;
        let columns = columns(&question);
        let waiting = AtomicUsize::new(0);
        let (mut states, mut pending) = (Vec::new(), Vec::new());
        for (range, part) in self.parts() {
            let mut scan = Scan::new(question.snapshot, question.signal, range, &question.filter.hints, self.control)?;
            scan.units.retain(|unit| self.is_in(part, unit.place));
            let wanted = Wanted { columns: &columns, keys: &[], predicate: question.filter };
            let found = scan.fold_until(
                wanted,
                || waiting.load(Ordering::Relaxed) > MAX_PENDING,
                || (new(), Vec::new()),
                |(state, pending), rows| {
                    let before = pending.len();
                    self.take_rows(rows, &seen, state, pending, take)?;
                    waiting.fetch_add(pending.len() - before, Ordering::Relaxed);
                    Ok(())
                },
            )?;
            let stats = std::mem::take(&mut scan.stats);
            drop(scan);
            // A scan does not know of what others read or roll-ups have answered: only what it read itself counts.
            let (segments_read, rows_scanned, notes) = (stats.segments_read, stats.rows_scanned, stats.notes);
            self.stats.add(QueryStats { segments_read, rows_scanned, complete: stats.complete, notes, ..QueryStats::default() });
            for (state, more) in found {
                states.push(state);
                pending.extend(more);
            }
        }
        Ok((waiting.into_inner() <= MAX_PENDING).then_some((states, pending)))
    }

    fn take_rows<S>(
        &self,
        rows: &Rows<'_>,
        seen: &Seen,
        state: &mut S,
        pending: &mut Vec<Pending>,
        take: &impl Fn(&mut S, &Item<'_>),
    ) -> Result<(), QueryError> {
        let view = View::of(&self.question, rows.batch)?;
        for row in rows.alive.set_indices() {
            let item = view.item(row);
            let Some(keys) = view.keys() else {
                take(state, &item);
                continue;
            };
            if !seen.is_first(item.time, || keys.hash(row)) {
                continue;
            }
            let trace = view.trace(row);
            match trace.filter(|trace| self.may_be_counted(rows.place, item.time, *trace)) {
                Some(trace) => pending.push(Pending { trace, hash: keys.hash(row), row: view.owned(row) }),
                None => take(state, &item),
            }
        }
        Ok(())
    }

    /// Whether a segment in another place may have counted this row in a cell.
    fn may_be_counted(&self, place: Place, time: u64, trace: TraceId) -> bool {
        let Some(all) = self.by_minute.get(&minute_of(time)) else { return false };
        let others = all.iter().filter_map(|i| self.rolled.get(*i)).filter(|rolled| Place::Segment(rolled.place) != place);
        others.into_iter().any(|rolled| rolled.segment.may_hold(trace))
    }

    /// Counts those of the pending rows that no segment has counted.
    fn settle<S>(&mut self, pending: &[Pending], state: &mut S, take: &impl Fn(&mut S, &Item<'_>)) -> Result<(), QueryError> {
        let traces: HashSet<TraceId> = pending.iter().map(|row| row.trace).collect();
        let mut counted = HashSet::new();
        let mut notes = Vec::new();
        for rolled in self.rolled.iter().filter(|_| !pending.is_empty()) {
            let mut rows = RowRanges::new();
            for trace in traces.iter().filter(|trace| rolled.segment.may_hold(**trace)) {
                self.control.check()?;
                match rolled.segment.trace_rows(*trace) {
                    Ok(more) => rows.extend(more),
                    Err(error) => notes.push(format!("a part of the data could not be read: {error}")),
                }
            }
            let read = duplicates::each(rolled.segment, &DEDUPLICATION, Some(&union_rows(rows, Vec::new())), self.control, |batch| {
                let keys = SpanKeys::of(batch)?;
                let rows = (0..batch.num_rows()).filter(|row| rolled.counts(minute_of(keys.start(*row))));
                counted.extend(rows.map(|row| keys.hash(row)));
                Ok(())
            })?;
            notes.extend(read.err());
        }
        for row in pending.iter().filter(|row| !counted.contains(&row.hash)) {
            take(state, &row.row.item(UnixNanos::new(0), Amount::Row(row.row.duration)));
        }
        notes.into_iter().for_each(|note| self.note(note));
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

    /// The scans that are needed beside roll-ups, with what they are about.
    fn parts(&self) -> Vec<(TimeRange, Part)> {
        let range = self.question.range;
        let mut parts = vec![(range, Part::Others)];
        if self.rolled.iter().any(|rolled| rolled.minutes.start > 0) {
            let to = range.to.min(UnixNanos::new(range.from.get().div_ceil(MINUTE).saturating_mul(MINUTE)));
            parts.push((TimeRange { to, ..range }, Part::Head));
        }
        if self.rolled.iter().any(|rolled| rolled.minutes.end < u64::MAX) {
            let from = range.from.max(UnixNanos::new(range.to.get() / MINUTE * MINUTE));
            parts.push((TimeRange { from, ..range }, Part::Tail));
        }
        parts.retain(|(range, _)| range.from < range.to);
        parts
    }

    fn is_in(&self, part: Part, place: Place) -> bool {
        let rolled = match place {
            Place::Buffer(_) => None,
            Place::Segment(place) => self.rolled.iter().find(|rolled| rolled.place == place),
        };
        match part {
            Part::Others => rolled.is_none(),
            Part::Head => rolled.is_some_and(|rolled| rolled.minutes.start > 0),
            Part::Tail => rolled.is_some_and(|rolled| rolled.minutes.end < u64::MAX),
        }
    }

    fn note(&mut self, note: String) {
        self.stats.complete = false;
        if !self.stats.notes.contains(&note) {
            self.stats.notes.push(note);
        }
    }
}

/// What a scan beside roll-ups is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Memory, and segments whose roll-ups are not used.
    Others,
    /// The first minute of the window, of segments with roll-ups.
    Head,
    /// The last one.
    Tail,
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

impl Rolled<'_> {
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.roll.cells.iter().filter(|cell| self.counts(cell.minute))
    }

    /// Whether rows of a minute are counted from the roll-up.
    fn counts(&self, minute: u32) -> bool {
        self.minutes.contains(&u64::from(minute))
    }

    /// Whether it counts a row of that minute.
    fn has(&self, minute: u32) -> bool {
        self.counts(minute) && self.roll.cells.binary_search_by_key(&minute, |cell| cell.minute).is_ok()
    }
}

#[cfg(test)]
mod tests;
