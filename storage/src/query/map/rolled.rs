//! The map from roll-ups: cells of whole minutes, and every trace by itself that cells cannot speak for.
//!
//! A unit says what its own spans show. That is not all where a trace has spans elsewhere: in another unit, in memory, behind a link, or in a
//! minute that the window cuts. Such traces are taken off the cells that were counted and counted again as a whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::super::answer::QueryStats;
use super::super::columns;
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{self, Control, Scan, Wanted, of_set};
use super::rolls::{CallRolls, Known, copy};
use super::tally::{Tally, Window};
use super::{MAX_LINKS, around, bytes, collect, shared, sort};
use crate::calls::{self, Calls, Kind, Linked, UnitHead, queue};
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::rollup::MINUTE;
use crate::schema::column;
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// What came of it.
pub(super) enum Outcome {
    Done(Box<Tally>, QueryStats),
    /// A roll-up turned out to be damaged and was made anew.
    Damaged,
    /// Reading all rows takes less.
    TooMuch,
}

/// A segment whose roll-up is used.
struct Place<'a> {
    number: usize,
    segment: &'a Segment,
    known: Arc<Known>,
}

/// Spans of a trace as one unit knows them.
struct Run {
    place: usize,
    unit: usize,
    calls: Range<usize>,
}

struct Plan<'a> {
    snapshot: &'a Snapshot,
    window: Window,
    rolls: &'a CallRolls,
    control: &'a Control,
    places: Vec<Place<'a>>,
    stats: QueryStats,
    notes: Vec<String>,
}

/// Spans that are looked at one by one; with more, all are.
const MAX_LOOSE: usize = 1_000_000;
/// Traces that are.
const MAX_TRACES: usize = 100_000;

/// The map of a window.
pub(super) fn derive(snapshot: &Snapshot, window: Window, rolls: &CallRolls, control: &Control) -> Result<Outcome, QueryError> {
    let stats = QueryStats { complete: true, ..QueryStats::default() };
    let mut plan = Plan { snapshot, window, rolls, control, places: Vec::new(), stats, notes: Vec::new() };
    plan.find_places()?;
    let Some(loose) = plan.loose()? else { return Ok(Outcome::TooMuch) };
    let of_loose: HashSet<u128> = loose.calls.iter().map(|call| call.trace).collect();
    let Some(mut apart) = plan.apart()? else { return Ok(Outcome::TooMuch) };
    apart.extend(of_loose.iter().filter(|trace| plan.is_held(**trace)));
    if apart.len() > MAX_TRACES {
        return Ok(Outcome::TooMuch);
    }
    plan.count(loose, &of_loose, &apart)
}

impl Plan<'_> {
    /// Segments around the window, with their roll-ups.
    fn find_places(&mut self) -> Result<(), QueryError> {
        let near = around(self.window.range);
        for (number, segment) in self.snapshot.spans.segments.iter().enumerate() {
            let meta = segment.meta();
            // A roll-up still counts rows that were let go.
            if !segment.hidden().is_empty() || !(near == TimeRange::ALL || near.overlaps(meta.min_time, meta.max_time)) {
                continue;
            }
            self.control.check()?;
            if let Some(known) = self.rolls.of(segment, self.control)? {
                self.places.push(Place { number, segment, known });
            }
        }
        // The latest first: of a span in several of them the first one stays.
        self.places.sort_unstable_by_key(|place| std::cmp::Reverse(place.segment.meta().id));
        Ok(())
    }

    /// Spans in memory and in segments without a roll-up. `None` for too many.
    fn loose(&mut self) -> Result<Option<Calls>, QueryError> {
        let mut scan = Scan::new(self.snapshot, Signal::Traces, around(self.window.range), &Predicate::all().hints, self.control)?;
        let rolled: BTreeSet<usize> = self.places.iter().map(|place| place.number).collect();
        scan.units.retain(|unit| !matches!(unit.place, scan::Place::Segment(number) if rolled.contains(&number)));
        let (calls, is_full) = collect(&mut scan, &Predicate::all(), MAX_LOOSE)?;
        self.note_scan(std::mem::take(&mut scan.stats));
        Ok((!is_full).then_some(calls))
    }

    /// Whether a segment with a roll-up may hold spans of a trace.
    fn is_held(&self, trace: u128) -> bool {
        let id = TraceId::from_slice(&trace.to_be_bytes());
        id.is_some_and(|id| self.places.iter().any(|place| place.segment.may_hold(id)))
    }

    /// Traces that the cells cannot speak for, spans in memory aside. `None` for too many.
    fn apart(&mut self) -> Result<Option<HashSet<u128>>, QueryError> {
        let mut apart = self.in_cut_minutes()?;
        let near = around(self.window.range);
        let mut runs = shared::Runs::default();
        for (i, a) in self.places.iter().enumerate() {
            let units = a.known.roll.units.iter().filter(|unit| overlaps(near, unit));
            apart.extend(units.flat_map(|unit| &unit.apart));
            for b in self.places.iter().skip(i).filter(|b| are_near(a.segment, b.segment)) {
                let found = self.rolls.shared((a.segment, &a.known), (b.segment, &b.known), &mut runs, &mut self.notes, self.control)?;
                let Some(found) = found else { return Ok(None) };
                apart.extend(found.iter());
            }
            if apart.len() > MAX_TRACES {
                return Ok(None);
            }
        }
        Ok(Some(apart))
    }

    /// Traces with spans in the parts of the window that are no whole minutes.
    fn in_cut_minutes(&mut self) -> Result<HashSet<u128>, QueryError> {
        let range = self.window.range;
        if range == TimeRange::ALL {
            return Ok(HashSet::new());
        }
        let head = TimeRange { to: range.to.min(UnixNanos::new(whole_from(range))), ..range };
        let tail = TimeRange { from: range.from.max(UnixNanos::new(whole_to(range))), ..range };
        // Of each segment the parts in which the window cuts a unit of it. Both are read in one go, so that no row is read twice.
        let cut_by = |place: &Place<'_>| {
            let is_cut_at = |time| place.known.roll.units.iter().any(UnitHead::is_cut_at(time));
            let parts = [(head, is_cut_at(range.from)), (tail, is_cut_at(range.to))];
            let parts: Vec<TimeRange> =
                parts.into_iter().filter(|(part, is_cut)| *is_cut && part.from < part.to).map(|part| part.0).collect();
            (!parts.is_empty()).then_some((place.number, parts))
        };
        let cut: BTreeMap<usize, Vec<TimeRange>> = self.places.iter().filter_map(cut_by).collect();
        if cut.is_empty() {
            return Ok(HashSet::new());
        }
        let parts_of = |place| if let scan::Place::Segment(number) = place { cut.get(&number) } else { None };
        let predicate = Predicate::all();
        let mut scan = Scan::new(self.snapshot, Signal::Traces, range, &predicate.hints, self.control)?;
        scan.units.retain(|unit| parts_of(unit.place).is_some_and(|parts| parts.iter().any(|part| part.overlaps(unit.min, unit.max))));
        let wanted = Wanted { columns: &[column::TRACE_ID, column::START_TIME], keys: &[], predicate: &predicate };
        let traces = scan.fold(wanted, HashSet::new, |traces: &mut HashSet<u128>, rows| {
            let (ids, times) = (columns::id(rows.batch, column::TRACE_ID)?, columns::long(rows.batch, column::START_TIME)?);
            let parts = parts_of(rows.place).map(Vec::as_slice).unwrap_or_default();
            let is_cut = |row: &usize| parts.iter().any(|part| part.contains(UnixNanos::new(columns::nanos(times, *row))));
            let of_row = |row| columns::trace_id(ids, row).map(|trace| u128::from_be_bytes(*trace.as_bytes()));
            traces.extend(rows.alive.set_indices().filter(is_cut).filter_map(of_row));
            Ok(())
        })?;
        let stats = std::mem::take(&mut scan.stats);
        drop(scan);
        self.note_scan(stats);
        Ok(traces.into_iter().flatten().collect())
    }

    /// Counts cells, and the traces that are looked at by themselves.
    fn count(mut self, mut pool: Calls, of_loose: &HashSet<u128>, apart: &HashSet<u128>) -> Result<Outcome, QueryError> {
        let runs = self.gather(apart, &mut pool)?;
        let linked: HashSet<u128> = links_of_nobody(&pool).filter(|trace| !apart.contains(trace)).collect();
        if linked.len() > MAX_TRACES {
            return Ok(Outcome::TooMuch);
        }
        self.gather(&linked, &mut pool)?;
        let mut holding = self.control.holding();
        holding.set(bytes(&pool) + of_set(of_loose) + of_set(apart) + of_set(&linked));
        let mut tally = Tally::new(std::mem::take(&mut pool.names), self.window, self.control.holding());
        let mut facts = Vec::new();
        for place in &self.places {
            for (number, head) in place.known.roll.units.iter().enumerate().filter(|(_, head)| overlaps(self.window.range, head)) {
                self.control.check()?;
                let minutes = minutes_of(head, self.window.range);
                if minutes.start >= minutes.end {
                    continue;
                }
                let Some(unit) = self.rolls.unit(place.segment, &place.known, number, self.control)? else { return Ok(Outcome::Damaged) };
                // All minutes together are in no part.
                let is_whole = minutes == (0..u64::MAX) && self.window.parts.count() == 0;
                let cells = if is_whole { unit.whole() } else { unit.between(&minutes) };
                tally.add_cells(&unit, cells, apart);
            }
        }
        for run in &runs {
            let place = self.places.get(run.place);
            let Some(head) = place.and_then(|place| place.known.roll.units.get(run.unit)) else { continue };
            let calls = pool.calls.get(run.calls.clone()).unwrap_or_default();
            let is_counted = overlaps(self.window.range, head) && calls.first().is_some_and(|call| !head.apart.contains(&call.trace));
            if is_counted {
                facts.clear();
                calls::derive(calls, Linked::default(), &mut facts);
                tally.take_off(&facts, &minutes_of(head, self.window.range));
            }
        }
        sort(&mut pool);
        let whole = Linked { all: &pool.calls, links: &pool.links };
        let is_asked = |trace: &u128| apart.contains(trace) || of_loose.contains(trace);
        let traces = pool.calls.chunk_by(|a, b| a.trace == b.trace);
        for (i, trace) in traces.filter(|trace| trace.first().is_some_and(|call| is_asked(&call.trace))).enumerate() {
            if i % 1_024 == 0 {
                self.control.check()?;
            }
            facts.clear();
            calls::derive(trace, whole, &mut facts);
            tally.add(&facts);
        }
        std::mem::take(&mut self.notes).into_iter().for_each(|note| self.note(note));
        Ok(Outcome::Done(Box::new(tally), self.stats))
    }

    /// Reads what segments with roll-ups hold of some traces.
    fn gather(&mut self, traces: &HashSet<u128>, pool: &mut Calls) -> Result<Vec<Run>, QueryError> {
        let mut found = Vec::new();
        for (number, place) in self.places.iter().enumerate() {
            let held = |trace: &&u128| TraceId::from_slice(&trace.to_be_bytes()).is_some_and(|id| place.segment.may_hold(id));
            let mut wanted: Vec<u128> = traces.iter().filter(held).copied().collect();
            wanted.sort_unstable();
            self.control.check()?;
            let (spans, rows) = self.rolls.spans(place.segment, &place.known, &wanted, &mut self.notes, self.control)?;
            self.stats.rows_scanned += rows;
            self.stats.segments_read += usize::from(rows > 0);
            for run in spans.iter().flat_map(|runs| runs.iter()) {
                found.push(Run { place: number, unit: run.unit, calls: copy(run, pool) });
            }
        }
        Ok(found)
    }

    /// A scan does not know of what roll-ups have answered: only what it read itself counts.
    fn note_scan(&mut self, stats: QueryStats) {
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

/// Traces that consumers without a topic of their own link to.
fn links_of_nobody(pool: &Calls) -> impl Iterator<Item = u128> {
    let consumers = pool.calls.iter().filter(|call| call.kind == Kind::Consumer && queue(call).is_none());
    let consumers: HashSet<(u128, u64)> = consumers.map(|call| (call.trace, call.span)).collect();
    pool.links.iter().take(MAX_LINKS).filter(move |(from, _)| consumers.contains(from)).map(|(_, to)| to.0)
}

/// Begin of the first whole minute.
fn whole_from(range: TimeRange) -> u64 {
    range.from.get().div_ceil(MINUTE).saturating_mul(MINUTE)
}

/// End of the last whole minute.
fn whole_to(range: TimeRange) -> u64 {
    range.to.get() / MINUTE * MINUTE
}

/// Minutes of which every call of a unit is in the window.
fn minutes_of(unit: &UnitHead, range: TimeRange) -> Range<u64> {
    if range == TimeRange::ALL {
        return 0..u64::MAX;
    }
    let start = if range.from.get() <= unit.first { 0 } else { whole_from(range) / MINUTE };
    let end = if unit.last < range.to.get() { u64::MAX } else { whole_to(range) / MINUTE };
    start..end
}

fn overlaps(range: TimeRange, unit: &UnitHead) -> bool {
    range == TimeRange::ALL || range.overlaps(UnixNanos::new(unit.first), UnixNanos::new(unit.last))
}

fn are_near(a: &Segment, b: &Segment) -> bool {
    let (a, b) = (a.meta(), b.meta());
    a.min_time <= b.max_time.plus(shared::GAP) && b.min_time <= a.max_time.plus(shared::GAP)
}

impl UnitHead {
    /// Whether spans start before a time and others then or later.
    fn is_cut_at(time: UnixNanos) -> impl Fn(&Self) -> bool {
        move |unit| unit.first < time.get() && time.get() <= unit.last
    }
}
