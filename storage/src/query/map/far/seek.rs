//! Finds calls by somebody unknown whose caller is stored and began long before, or after.
//!
//! A few are known from the examples of the counts. Otherwise the window is read once more for server spans whose parent does not lie with
//! them. Rows of a trace in a segment lie together for each ten minutes, so that a caller from long before lies in other rows than the call:
//! the indexes say which traces have such without reading any, and mostly that is none. Callers of the others are looked up.
//! Where rows lie decides what has to be read, never what is found.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::super::answer::QueryStats;
use super::super::super::columns;
use super::super::super::predicate::Predicate;
use super::super::super::question::QueryError;
use super::super::super::scan::{Control, Place, Rows, Scan, Wanted};
use super::super::around;
use super::super::tally::{Tally, Window};
use super::{AT_ONCE, note};
use crate::calls::REACH;
use crate::model::{SpanId, SpanKind, TimeRange, TraceId};
use crate::schema::{BUCKET_NANOS, column};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::store::Signal;

type SpanKey = (TraceId, SpanId);
/// The caller that a call names, and when the call began.
type Asked = (SpanKey, u64);

/// As few are looked up at once, without asking first where they may lie.
const FEW: usize = if cfg!(test) { 4 } else { AT_ONCE };
/// Traces whose callers are looked up.
const MAX_LOOKED_AT: usize = 8_192;
/// Calls whose callers do not lie with them, as each core finds them.
const MAX_ALONE: usize = 500_000;
/// Traces that are asked for in an index one by one; for more it is read whole.
const FEW_KEYS: usize = 512;

const COLUMNS: [&str; 5] = [column::TRACE_ID, column::SPAN_ID, column::PARENT_SPAN_ID, column::KIND, column::START_TIME];

/// Calls by somebody unknown in the window whose caller is stored, and nowhere near. `None` when there are too many to look at.
pub(super) fn far(
    snapshot: &Snapshot,
    window: Window,
    (tally, stats): (&Tally, &mut QueryStats),
    control: &Control,
) -> Result<Option<Vec<Asked>>, QueryError> {
    let mut asked = match examples(tally) {
        Some(calls) => named_by(snapshot, window, &calls, stats, control)?,
        None => match alone(snapshot, window, stats, control)? {
            Some(alone) => alone,
            None => return Ok(None),
        },
    };
    if traces_of(&asked).len() > FEW {
        let lie_apart = lie_apart(snapshot, &asked, stats, control)?;
        asked.retain(|((trace, _), _), _| lie_apart.contains(trace));
        if traces_of(&asked).len() > MAX_LOOKED_AT {
            return Ok(None);
        }
    }
    let callers = look_up(snapshot, &asked.keys().map(|(caller, _)| *caller).collect(), stats, control)?;
    let is_far = |(caller, start): &Asked| {
        let rows = callers.get(caller);
        rows.is_some_and(|rows| rows.iter().all(|row| row.start.abs_diff(*start) > REACH))
    };
    Ok(Some(asked.into_keys().filter(is_far).collect()))
}

/// All calls by somebody unknown, where they are few and each is an example.
fn examples(tally: &Tally) -> Option<BTreeSet<SpanKey>> {
    let all = usize::try_from(tally.calls_by_unknown()).ok().filter(|all| *all <= FEW)?;
    Some(tally.by_unknown()).filter(|examples| examples.len() == all)
}

fn traces_of(asked: &HashMap<Asked, bool>) -> BTreeSet<TraceId> {
    asked.keys().map(|((trace, _), _)| *trace).collect()
}

/// The callers that these calls name.
fn named_by(
    snapshot: &Snapshot,
    window: Window,
    calls: &BTreeSet<SpanKey>,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<HashMap<Asked, bool>, QueryError> {
    let found = look_up(snapshot, calls, stats, control)?;
    let rows = found.into_iter().flat_map(|((trace, _), rows)| rows.into_iter().map(move |row| (trace, row)));
    let servers = rows.filter(|(_, row)| row.is_server && window.counts(row.start));
    Ok(servers.filter_map(|(trace, row)| Some((((trace, row.parent?), row.start), true))).collect())
}

/// What is read of a span.
#[derive(Clone, Copy, Debug)]
struct Row {
    parent: Option<SpanId>,
    start: u64,
    is_server: bool,
}

/// Hands on the rows that are asked for of a batch.
fn each_of(rows: &Rows<'_>, mut each: impl FnMut(SpanKey, Row)) -> Result<(), QueryError> {
    let (traces, spans) = (columns::id(rows.batch, column::TRACE_ID)?, columns::id(rows.batch, column::SPAN_ID)?);
    let (parents, kinds) = (columns::id(rows.batch, column::PARENT_SPAN_ID)?, columns::int(rows.batch, column::KIND)?);
    let starts = columns::long(rows.batch, column::START_TIME)?;
    for row in rows.alive.set_indices() {
        if let Some(key) = columns::trace_id(traces, row).zip(columns::span_id(spans, row)) {
            let is_server = SpanKind::from(kinds.value(row)) == SpanKind::Server;
            each(key, Row { parent: columns::span_id(parents, row), start: columns::nanos(starts, row), is_server });
        }
    }
    Ok(())
}

/// Spans of these ids, wherever they are.
fn look_up(
    snapshot: &Snapshot,
    wanted: &BTreeSet<SpanKey>,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<HashMap<SpanKey, Vec<Row>>, QueryError> {
    let mut found: HashMap<SpanKey, Vec<Row>> = HashMap::new();
    let traces: BTreeSet<TraceId> = wanted.iter().map(|(trace, _)| *trace).collect();
    let traces: Vec<TraceId> = traces.into_iter().collect();
    for some in traces.chunks(AT_ONCE) {
        let of_traces = Predicate::traces(some.to_vec());
        let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &of_traces.hints, control)?;
        scan.run(
            Wanted { columns: &COLUMNS, keys: &[], predicate: &of_traces },
            |_| false,
            |rows| {
                each_of(rows, |key, row| {
                    if wanted.contains(&key) {
                        found.entry(key).or_default().push(row);
                    }
                })
            },
        )?;
        note(stats, std::mem::take(&mut scan.stats));
    }
    Ok(found)
}

/// Spans that may be called by somebody unknown, as they were read.
#[derive(Debug, Default)]
struct Seen {
    /// Calls of the window whose callers were not read with them; true where these may lie in the same rows, or the call is in memory.
    alone: HashMap<Asked, bool>,
    /// When spans in memory began, where traces come in pieces.
    in_memory: HashMap<SpanKey, u64>,
    is_full: bool,
}

/// Server spans of the window whose parent does not lie with them: all that are called by somebody unknown, and some more. `None` for too
/// many.
fn alone(
    snapshot: &Snapshot,
    window: Window,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<Option<HashMap<Asked, bool>>, QueryError> {
    let predicate = Predicate::all();
    let mut scan = Scan::new(snapshot, Signal::Traces, around(window.range), &predicate.hints, control)?;
    // What lies before and after the window matters in memory alone, where it may hold a parent.
    scan.units.retain(|unit| {
        let is_all = window.range == TimeRange::ALL || matches!(unit.place, Place::Buffer(_));
        is_all || window.range.overlaps(unit.min, unit.max)
    });
    let parts = scan.fold(Wanted { columns: &COLUMNS, keys: &[], predicate: &predicate }, Seen::default, |seen, rows| {
        let mut here: HashMap<SpanKey, u64> = HashMap::new();
        each_of(rows, |key, row| {
            here.insert(key, row.start);
        })?;
        let is_in_memory = matches!(rows.place, Place::Buffer(_));
        let at_edges = if is_in_memory { HashSet::new() } else { at_edges(rows)? };
        each_of(rows, |(trace, _), row| {
            let Some(parent) = row.parent.filter(|_| row.is_server && window.counts(row.start)) else { return };
            if !is_near(&here, &(trace, parent), row.start) {
                seen.is_full |= seen.alone.len() >= MAX_ALONE;
                if !seen.is_full {
                    *seen.alone.entry(((trace, parent), row.start)).or_default() |= is_in_memory || at_edges.contains(&trace);
                }
            }
        })?;
        if is_in_memory {
            seen.in_memory.extend(here);
        }
        Ok(())
    })?;
    note(stats, std::mem::take(&mut scan.stats));
    if parts.iter().any(|seen| seen.is_full) {
        return Ok(None);
    }
    let in_memory = |(parent, start): &Asked| parts.iter().any(|seen| is_near(&seen.in_memory, parent, *start));
    let mut all: HashMap<Asked, bool> = HashMap::new();
    for (asked, may_be_beside) in parts.iter().flat_map(|seen| &seen.alone).filter(|(asked, _)| !in_memory(asked)) {
        *all.entry(*asked).or_default() |= *may_be_beside;
    }
    Ok(Some(all))
}

/// Whether a span is among these and began near a time.
fn is_near(spans: &HashMap<SpanKey, u64>, wanted: &SpanKey, start: u64) -> bool {
    spans.get(wanted).is_some_and(|began| began.abs_diff(start) <= REACH)
}

/// Traces at the edges of what was read, and of each ten minutes in it: rows of the same trace but another time may be their neighbours, and
/// an index then takes them for one.
fn at_edges(rows: &Rows<'_>) -> Result<HashSet<TraceId>, QueryError> {
    let traces = columns::id(rows.batch, column::TRACE_ID)?;
    let starts = columns::long(rows.batch, column::START_TIME)?;
    let bucket = |row: usize| columns::nanos(starts, row) / BUCKET_NANOS.unsigned_abs();
    let count = rows.batch.num_rows();
    let inner = (1..count).filter(|row| bucket(*row) != bucket(row - 1)).flat_map(|row| [row - 1, row]);
    Ok(inner.chain([0, count.saturating_sub(1)]).filter(|row| *row < count).filter_map(|row| columns::trace_id(traces, row)).collect())
}

/// A trace, and how many more runs of rows it must have for a caller to lie in another one than its call.
struct Counted {
    key: u32,
    trace: TraceId,
    missing: usize,
}

/// Traces that have spans in other rows than those next to the call, as far as indexes and memory can say.
fn lie_apart(
    snapshot: &Snapshot,
    asked: &HashMap<Asked, bool>,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<HashSet<TraceId>, QueryError> {
    let mut apart: HashSet<TraceId> = HashSet::new();
    let callers: HashSet<SpanKey> = asked.keys().map(|(caller, _)| *caller).collect();
    let predicate = Predicate::all();
    let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, control)?;
    scan.units.retain(|unit| matches!(unit.place, Place::Buffer(_)));
    let wanted = Wanted { columns: &COLUMNS, keys: &[], predicate: &predicate };
    scan.run(wanted, |_| false, |rows| each_of(rows, |key, _| apart.extend(callers.contains(&key).then_some(key.0))))?;
    note(stats, std::mem::take(&mut scan.stats));
    let mut least: HashMap<TraceId, usize> = HashMap::new();
    for (((trace, _), _), may_be_beside) in asked {
        let runs = if *may_be_beside { 1 } else { 2 };
        least.entry(*trace).and_modify(|least| *least = runs.min(*least)).or_insert(runs);
    }
    let counted = |(trace, missing)| Counted { key: Segment::trace_key(trace), trace, missing };
    let mut counted: Vec<Counted> = least.into_iter().filter(|(trace, _)| !apart.contains(trace)).map(counted).collect();
    counted.sort_unstable_by_key(|counted| counted.key);
    for segment in &snapshot.spans.segments {
        control.check()?;
        count_runs(segment, &mut counted);
    }
    apart.extend(counted.iter().filter(|counted| counted.missing == 0).map(|counted| counted.trace));
    Ok(apart)
}

/// Counts runs of traces in a segment; where it cannot be said how many there are, they are enough.
fn count_runs(segment: &Segment, counted: &mut [Counted]) {
    let mut held: Vec<&mut Counted> = counted.iter_mut().filter(|counted| counted.missing > 0 && segment.may_hold(counted.trace)).collect();
    if held.len() <= FEW_KEYS {
        for counted in held {
            counted.missing = segment.trace_rows(counted.trace).map_or(0, |runs| counted.missing.saturating_sub(runs.len()));
        }
        return;
    }
    let all = segment.trace_runs();
    let mut runs = all.as_deref().unwrap_or_default();
    for counted in &mut held {
        runs = runs.get(runs.partition_point(|(key, _)| *key < counted.key)..).unwrap_or_default();
        let own = runs.iter().take_while(|(key, _)| *key == counted.key).count();
        counted.missing = if all.is_some() { counted.missing.saturating_sub(own) } else { 0 };
    }
}
