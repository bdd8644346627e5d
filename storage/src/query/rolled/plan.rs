//! Which minutes of which segments are counted from roll-ups, and counting them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::buffer::BooleanBuffer;

use super::duplicates::Runs;
use super::item::Amount;
use super::rolls::{Detail, Rolls};
use super::{Item, Moment, Question, view};
use crate::model::TimeRange;
use crate::query::answer::QueryStats;
use crate::query::question::QueryError;
use crate::query::scan::Control;
use crate::rollup::{Cell, MINUTE, Roll, minute_of};
use crate::segment::Segment;
use crate::store::Signal;

/// A segment whose roll-up is used for some of its minutes.
#[derive(Debug)]
pub(super) struct Rolled<'a> {
    pub(super) place: usize,
    pub(super) segment: &'a Segment,
    /// Tells minutes apart.
    roll: Arc<Roll>,
    /// What is counted when all minutes are.
    whole: Arc<Roll>,
    /// Minutes of which every row is in the window.
    pub(super) minutes: std::ops::Range<u64>,
}

/// Where everything is counted from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) question: Question<'a>,
    pub(super) control: &'a Control,
    pub(super) rolls: &'a Rolls,
    pub(super) rolled: Vec<Rolled<'a>>,
    /// Which of `rolled` count something in a minute.
    pub(super) by_minute: HashMap<u32, Vec<usize>>,
    pub(super) stats: QueryStats,
}

/// Columns that roll-ups can tell apart.
pub(super) const TOLD_APART: [&str; 5] = {
    use crate::schema::column::{KIND, NAME, SERVICE_NAME, SEVERITY_NUMBER, STATUS_CODE};
    [SERVICE_NAME, NAME, KIND, STATUS_CODE, SEVERITY_NUMBER]
};

impl<'a> Plan<'a> {
    pub(super) fn of_rows(question: Question<'a>, rolls: &'a Rolls, control: &'a Control) -> Self {
        let stats = QueryStats { complete: true, ..QueryStats::default() };
        Self { question, control, rolls, rolled: Vec::new(), by_minute: HashMap::new(), stats }
    }

    pub(super) fn new(question: Question<'a>, rolls: &'a Rolls, control: &'a Control) -> Result<Self, QueryError> {
        let mut plan = Self::of_rows(question, rolls, control);
        let asked = question.filter.columns();
        if question.moment == Moment::All || !super::is_told_apart(question.filter) {
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
            let Some(roll) = rolls.of(segment, Detail { names, minutes: true }).filter(|roll| roll.has_names || !names) else { continue };
            let is_whole = question.moment == Moment::Nothing && minutes == (0..u64::MAX);
            let whole = if is_whole { rolls.of(segment, Detail { names, minutes: false }) } else { None };
            let whole = whole.unwrap_or_else(|| roll.clone());
            plan.rolled.push(Rolled { place, segment, roll, whole, minutes });
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
    pub(super) fn run<S: Send>(
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
            let roll = &rolled.whole;
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

    /// Which of these match the filter; `None` for all.
    fn filtered<'t>(&self, told: impl Iterator<Item = (&'t str, &'t str, i32, i32)>) -> Result<Option<BooleanBuffer>, QueryError> {
        if self.question.filter.columns().is_empty() {
            return Ok(None);
        }
        let batch = view::told_apart(self.question.signal, told)?;
        let all = BooleanBuffer::new_set(batch.num_rows());
        self.question.filter.matches(&batch, all).map(Some)
    }

    pub(super) fn note(&mut self, note: String) {
        self.stats.complete = false;
        if !self.stats.notes.contains(&note) {
            self.stats.notes.push(note);
        }
    }
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
    pub(super) fn counts(&self, minute: u32) -> bool {
        self.minutes.contains(&u64::from(minute))
    }

    /// Whether it counts a row of that minute.
    fn has(&self, minute: u32) -> bool {
        self.counts(minute) && self.roll.cells.binary_search_by_key(&minute, |cell| cell.minute).is_ok()
    }
}
