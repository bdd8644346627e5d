//! Joins calls with callers that began long before them.
//!
//! While a map is counted, spans that start more than [`REACH`] apart do not see each other, so that a minute of it depends on few others.
//! What a queue held for longer would then be called by somebody unknown. Where examples show such calls, the traces of calls by somebody
//! unknown are read whole, whatever their time, taken off, and counted again without that bound. With too many of them the map stays as it
//! is, and says so.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::answer::QueryStats;
use super::super::columns;
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{Control, Place, Scan, Wanted};
use super::tally::{Tally, UNKNOWN, Window};
use super::{around, collect};
use crate::calls::{self, Fact, Linked, REACH};
use crate::model::{SpanId, SpanKind, TimeRange, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Calls that are looked up to see whether there is something to join.
const MAX_LOOKED_AT: usize = 64;
/// Traces that are counted again.
const MAX_TRACES: usize = if cfg!(test) { 64 } else { 4_096 };
/// Traces that are read at a time: an index of traces is asked for no more.
const AT_ONCE: usize = 1_024;
/// Spans of those.
const MAX_SPANS: usize = 500_000;

type SpanKey = (TraceId, SpanId);

/// Counts calls again whose callers began long before; says when these are too many.
pub(super) fn join(
    snapshot: &Snapshot,
    window: Window,
    (tally, stats): (&mut Tally, &mut QueryStats),
    control: &Control,
) -> Result<Option<String>, QueryError> {
    let looked_at: BTreeSet<SpanKey> = tally.by_unknown().into_iter().take(MAX_LOOKED_AT).collect();
    if looked_at.is_empty() {
        return Ok(None);
    }
    let far = far_of(snapshot, &looked_at, control)?;
    if far == 0 {
        return Ok(None);
    }
    let traces = candidates(snapshot, window, stats, control)?;
    if traces.len() <= MAX_TRACES && count_again(snapshot, &traces, (tally, stats), control)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} calls are shown as by an {UNKNOWN}; of {} of them that were looked up, {far} have a caller that is stored and began more than \
         ten minutes before; they are too many to join all of them with it, ask for a shorter window",
        tally.calls_by_unknown(),
        looked_at.len()
    )))
}

/// How many of these have a caller that is stored and began long before.
fn far_of(snapshot: &Snapshot, looked_at: &BTreeSet<SpanKey>, control: &Control) -> Result<usize, QueryError> {
    let found = look_up(snapshot, looked_at, control)?;
    let caller_of = |(trace, span): &SpanKey| Some((*trace, found.get(&(*trace, *span))?.0?));
    let callers = look_up(snapshot, &looked_at.iter().filter_map(caller_of).collect(), control)?;
    let is_far = |key: &&SpanKey| {
        let began = caller_of(key).and_then(|caller| callers.get(&caller));
        began.zip(found.get(key)).is_some_and(|((_, began), (_, start))| began.abs_diff(*start) > REACH)
    };
    Ok(looked_at.iter().filter(is_far).count())
}

/// Parents and starts of some spans.
fn look_up(
    snapshot: &Snapshot,
    wanted: &BTreeSet<SpanKey>,
    control: &Control,
) -> Result<HashMap<SpanKey, (Option<SpanId>, u64)>, QueryError> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let of_traces = Predicate::traces(wanted.iter().map(|(trace, _)| *trace).collect());
    let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &of_traces.hints, control)?;
    let names = [column::TRACE_ID, column::SPAN_ID, column::PARENT_SPAN_ID, column::START_TIME];
    scan.run(
        Wanted { columns: &names, keys: &[], predicate: &of_traces },
        |_| false,
        |rows| {
            let (traces, spans) = (columns::id(rows.batch, column::TRACE_ID)?, columns::id(rows.batch, column::SPAN_ID)?);
            let parents = columns::id(rows.batch, column::PARENT_SPAN_ID)?;
            let starts = columns::long(rows.batch, column::START_TIME)?;
            for row in rows.alive.set_indices() {
                let key = columns::trace_id(traces, row).zip(columns::span_id(spans, row));
                if let Some(key) = key.filter(|key| wanted.contains(key)) {
                    found.insert(key, (columns::span_id(parents, row), columns::nanos(starts, row)));
                }
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// Spans that may be called by somebody unknown, as they were read.
#[derive(Debug, Default)]
struct Seen {
    /// Parents of server spans of the window that were not read with them, and when those spans began.
    alone: HashSet<(SpanKey, u64)>,
    /// When spans in memory began, where traces come in pieces.
    in_memory: HashMap<SpanKey, u64>,
}

/// Traces of the window with a server span whose parent does not lie with it: in segments those of a trace lie together. Sorted. They are all
/// of those that have a call by somebody unknown, and a few more.
fn candidates(snapshot: &Snapshot, window: Window, stats: &mut QueryStats, control: &Control) -> Result<Vec<TraceId>, QueryError> {
    let predicate = Predicate::all();
    let mut scan = Scan::new(snapshot, Signal::Traces, around(window.range), &predicate.hints, control)?;
    let names = [column::TRACE_ID, column::SPAN_ID, column::PARENT_SPAN_ID, column::KIND, column::START_TIME];
    // What lies before and after the window matters in memory alone, where it may hold a parent.
    scan.units.retain(|unit| {
        let is_all = window.range == TimeRange::ALL || matches!(unit.place, Place::Buffer(_));
        is_all || window.range.overlaps(unit.min, unit.max)
    });
    let parts = scan.fold(Wanted { columns: &names, keys: &[], predicate: &predicate }, Seen::default, |seen, rows| {
        let (traces, spans) = (columns::id(rows.batch, column::TRACE_ID)?, columns::id(rows.batch, column::SPAN_ID)?);
        let (parents, kinds) = (columns::id(rows.batch, column::PARENT_SPAN_ID)?, columns::int(rows.batch, column::KIND)?);
        let starts = columns::long(rows.batch, column::START_TIME)?;
        let key = |row| columns::trace_id(traces, row).zip(columns::span_id(spans, row));
        let start = |row| columns::nanos(starts, row);
        let here: HashMap<SpanKey, u64> = rows.alive.set_indices().filter_map(|row| Some((key(row)?, start(row)))).collect();
        for row in rows.alive.set_indices().filter(|row| SpanKind::from(kinds.value(*row)) == SpanKind::Server) {
            let parent = columns::trace_id(traces, row).zip(columns::span_id(parents, row));
            let asked = parent.filter(|parent| window.counts(start(row)) && !is_near(&here, parent, start(row)));
            seen.alone.extend(asked.map(|parent| (parent, start(row))));
        }
        if matches!(rows.place, Place::Buffer(_)) {
            seen.in_memory.extend(here);
        }
        Ok(())
    })?;
    note(stats, std::mem::take(&mut scan.stats));
    let in_memory = |parent: &SpanKey, start: u64| parts.iter().any(|seen| is_near(&seen.in_memory, parent, start));
    let alone = parts.iter().flat_map(|seen| &seen.alone).filter(|(parent, start)| !in_memory(parent, *start));
    let traces: BTreeSet<TraceId> = alone.map(|((trace, _), _)| *trace).collect();
    Ok(traces.into_iter().collect())
}

/// Whether a span is among these and began near a time.
fn is_near(spans: &HashMap<SpanKey, u64>, wanted: &SpanKey, start: u64) -> bool {
    spans.get(wanted).is_some_and(|began| began.abs_diff(start) <= REACH)
}

/// Takes off what traces show and counts them again as if all of their spans saw each other; false when that is too much.
fn count_again(
    snapshot: &Snapshot,
    traces: &[TraceId],
    (tally, stats): (&mut Tally, &mut QueryStats),
    control: &Control,
) -> Result<bool, QueryError> {
    let (mut again, mut count): (Vec<Fact>, usize) = (Vec::new(), 0);
    let mut changed = HashSet::new();
    for some in traces.chunks(AT_ONCE) {
        let of_traces = Predicate::traces(some.to_vec());
        let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &of_traces.hints, control)?;
        let (calls, is_full) = collect(&mut scan, &of_traces, MAX_SPANS - count)?;
        note(stats, std::mem::take(&mut scan.stats));
        if is_full {
            return Ok(false);
        }
        count += calls.calls.len();
        let numbers = tally.names.take_in(calls.names.texts());
        let number = |name: calls::Name| numbers.get(name.0 as usize).copied().unwrap_or(name);
        let spans: Vec<calls::Call> = calls.calls.iter().map(|call| call.renamed(number)).collect();
        let linked = Linked { all: &[], links: &calls.links };
        let (mut bounded, mut whole) = (Vec::new(), Vec::new());
        for trace in spans.chunk_by(|a, b| a.trace == b.trace) {
            control.check()?;
            bounded.clear();
            whole.clear();
            // What depends on other traces by links stays as it is.
            if calls::derive(trace, linked, &mut bounded) || calls::derive_whole(trace, linked, &mut whole) || bounded == whole {
                continue;
            }
            tally.take_back(&bounded);
            again.append(&mut whole);
            changed.extend(trace.first().map(|call| call.trace));
        }
    }
    tally.forget_examples(&changed);
    tally.add(&again);
    Ok(true)
}

/// What was read is not all that the map was made of.
fn note(stats: &mut QueryStats, of_scan: QueryStats) {
    let QueryStats { rows_scanned, complete, notes, .. } = of_scan;
    stats.add(QueryStats { rows_scanned, complete, notes, ..QueryStats::default() });
}
