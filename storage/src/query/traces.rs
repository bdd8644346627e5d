//! Traces: one by its id, and searches for those with a matching span.
//!
//! A search finds the best ranked traces by their matching spans alone, then reads all spans of what it found for the summaries.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use parking_lot::Mutex;

use super::answer::{QueryStats, TracePage, TraceSummary};
use super::columns;
use super::language::{Asked, Node, Set, TraceNode};
use super::predicate::Predicate;
use super::question::{Cursor, QueryError, TraceOrder, TraceSearch};
use super::scan::{Control, Kept, Place, Ranking, Rows, Scan, Unit, Wanted, of_map};
use super::unknown;
use crate::model::{Span, TimeRange, TraceId, UnixNanos};
use crate::rows;
use crate::schema::{self, column};
use crate::snapshot::Snapshot;
use crate::spread::Spread;
use crate::store::Signal;
use crate::trace::Trace;

mod counted;
mod structure;
mod summary;

use self::summary::Gathered;

/// A search never looks at more candidates than this for one page.
const MAX_CANDIDATES: usize = 16_384;
/// Traces whose spans are read together.
const TRACES_AT_ONCE: usize = 1_000;

/// Weight of a trace, see [`TraceOrder::weight`], and its id: smaller is earlier on the page.
type Rank = (Reverse<u64>, TraceId);

/// A trace by its id; `None` when there is none.
pub(crate) fn trace(snapshot: &Snapshot, id: TraceId, control: &Control) -> Result<Option<Trace>, QueryError> {
    let (spans, stats) = spans_of(snapshot, id, control)?;
    match (spans.is_empty(), stats.notes.first()) {
        (true, None) => Ok(None),
        // It may be in the part that could not be read.
        (true, Some(note)) => Err(QueryError::Internal(note.clone())),
        (false, _) => Ok(Some(Trace::assemble(id, spans, stats.complete, stats.notes))),
    }
}

/// All spans of a trace as they are stored, those that arrived last at the end, and what could not be read. Plans nothing: buffers are
/// compared id by id, segments know where their traces are.
fn spans_of(snapshot: &Snapshot, id: TraceId, control: &Control) -> Result<(Vec<Span>, QueryStats), QueryError> {
    let table = &snapshot.spans;
    let mut stats = QueryStats { complete: table.unreadable.is_empty(), notes: table.unreadable.clone(), ..QueryStats::default() };
    let schema = schema::of(Signal::Traces);
    let every: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut spans = Vec::new();
    let (mut holding, mut held) = (control.holding(), 0);
    for segment in table.by_arrival().into_iter().filter(|segment| segment.may_hold(id)) {
        control.check()?;
        let read = segment.trace_rows(id).and_then(|rows| {
            let rows = Some(rows).filter(|rows| !rows.is_empty());
            rows.map_or_else(|| Ok(Vec::new()), |rows| segment.read(&every, Some(&rows))?.collect())
        });
        match read {
            Ok(batches) => {
                for batch in batches {
                    // About as much as its spans take.
                    held += batch.get_array_memory_size();
                    holding.set(held);
                    spans.extend(spans_in(&batch, id)?);
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "a segment could not be read for a trace");
                stats.complete = false;
                stats.notes.push(format!("a part of the data could not be read: {error}"));
            }
        }
    }
    for batch in &table.buffered {
        control.check()?;
        spans.extend(spans_in(batch, id)?);
    }
    Ok((spans, stats))
}

fn spans_in(batch: &RecordBatch, id: TraceId) -> Result<Vec<Span>, QueryError> {
    let ids = columns::id(batch, column::TRACE_ID)?;
    let wanted = id.as_bytes().as_slice();
    let mut found = (0..ids.len()).filter(|row| ids.value(*row) == wanted).peekable();
    if found.peek().is_none() {
        return Ok(Vec::new());
    }
    Ok(rows::spans(batch, found)?)
}

/// Numbers of rows by where they lie.
pub(super) fn by_place(rows: Vec<(Place, u32)>) -> BTreeMap<Place, Vec<u32>> {
    let mut places = BTreeMap::new();
    for (place, number) in rows {
        places.entry(place).or_insert_with(Vec::new).push(number);
    }
    places
}

/// Finds traces.
pub(crate) fn search(snapshot: &Snapshot, search: &TraceSearch, control: &Control) -> Result<TracePage, QueryError> {
    if search.limit == 0 || search.limit > 1_000 {
        return Err(QueryError::Invalid(format!("the limit of a trace search is 1 to 1000, not {}", search.limit)));
    }
    let after = search.after()?.map(|cursor| rank_of(cursor, search.order)).transpose()?;
    let query = match Asked::parse(&search.query).map_err(QueryError::Parse)? {
        Asked::Rows(query) if search.order.counts() && query.root == Node::All => {
            return counted::search(snapshot, search, after, control);
        }
        // What is counted are all spans of traces in which one matches.
        Asked::Rows(query) if search.order.counts() => {
            return structure::search(snapshot, search, &TraceNode::Some(Set::Spans(query.root)), after, control);
        }
        Asked::Rows(query) => query,
        Asked::Trace(node) => return structure::search(snapshot, search, &node, after, control),
    };
    let predicate = Predicate::new(&query);
    let mut want = search.limit + 1;
    loop {
        let (candidates, mut stats) = candidates(snapshot, search, (Signal::Traces, &predicate), after, want, control)?;
        let exhausted = candidates.len() < want;
        let mut found = summaries(snapshot, search, Some(&predicate), &candidates, &mut stats, control)?;
        // A trace with a matching span on a page before was shown there.
        found.retain(|(rank, _)| after.is_none_or(|after| *rank > after));
        if found.len() > search.limit || exhausted || want >= MAX_CANDIDATES {
            if !exhausted && found.len() <= search.limit {
                stats.complete = false;
                stats.notes.push("too many traces reach over the page before; narrow the time range".to_owned());
            }
            if found.is_empty() && after.is_none() {
                stats.notes.extend(unknown::notes(snapshot, &query)?);
            }
            return Ok(page(search, found, stats));
        }
        want = (want * 4).min(MAX_CANDIDATES);
    }
}

fn page(search: &TraceSearch, mut found: Vec<(Rank, TraceSummary)>, stats: QueryStats) -> TracePage {
    found.sort_unstable_by_key(|(rank, _)| *rank);
    let more = found.len() > search.limit;
    found.truncate(search.limit);
    let next = found.last().filter(|_| more).map(|((Reverse(weight), id), _)| search.behind(search.order.weight()(*weight), *id));
    TracePage { traces: found.into_iter().map(|(_, summary)| summary).collect(), next, stats }
}

fn rank_of(cursor: Cursor, order: TraceOrder) -> Result<Rank, QueryError> {
    let id =
        TraceId::from_slice(&cursor.tie).ok_or_else(|| QueryError::Invalid("the cursor is not one that this server gave".to_owned()))?;
    Ok((Reverse(order.weight()(cursor.key)), id))
}

/// The `want` best ranked traces by their matching rows that rank after `after`.
fn candidates(
    snapshot: &Snapshot,
    search: &TraceSearch,
    (signal, predicate): (Signal, &Predicate),
    after: Option<Rank>,
    want: usize,
    control: &Control,
) -> Result<(Vec<Rank>, QueryStats), QueryError> {
    let (by_start, weight) = (search.order.is_by_start(), search.order.weight());
    let is_oldest = search.order == TraceOrder::Oldest;
    let key = if by_start { schema::time_column(signal) } else { column::DURATION };
    let range = if by_start { not_before(after, search) } else { search.range };
    let best = Best { want, after, keys: HashMap::default(), ranks: BTreeSet::new() };
    let best = Mutex::new(Kept { all: best, holding: control.holding() });
    let mut scan = Scan::asking_late(snapshot, signal, range, &predicate.hints, control)?;
    if is_oldest {
        scan.oldest_first();
    }
    let first_of = |unit: &Unit| weight(if is_oldest { unit.min } else { unit.max }.get());
    scan.run_best(
        (Wanted { columns: &[column::TRACE_ID, key], keys: &[], predicate }, Ranking { column: key, weight }),
        |unit| by_start && best.lock().all.worst().is_some_and(|worst| worst > first_of(unit)),
        || best.lock().all.worst(),
        |rows| {
            let ids = columns::id(rows.batch, column::TRACE_ID)?;
            let keys = columns::long(rows.batch, key)?;
            let Kept { all: best, holding } = &mut *best.lock();
            let mut worst = best.worst();
            for row in rows.alive.set_indices() {
                let key = weight(columns::nanos(keys, row));
                if worst.is_none_or(|worst| key >= worst)
                    && let Some(id) = columns::trace_id(ids, row)
                {
                    best.offer(key, id);
                    worst = best.worst();
                }
            }
            holding.set(of_map(&best.keys) + best.ranks.len() * size_of::<Rank>());
            Ok(())
        },
    )?;
    Ok((best.into_inner().all.ranks.into_iter().collect(), scan.stats))
}

/// The part of the searched range in which what ranks behind `after` by its start can lie.
fn not_before(after: Option<Rank>, search: &TraceSearch) -> TimeRange {
    let range = search.range;
    let Some((Reverse(weight), _)) = after else { return range };
    let time = UnixNanos::new(search.order.weight()(weight));
    match search.order {
        TraceOrder::Oldest => TimeRange { from: range.from.max(time), ..range },
        _ => TimeRange { to: range.to.min(time.plus(1)), ..range },
    }
}

/// The best ranked traces so far.
#[derive(Debug)]
struct Best {
    want: usize,
    after: Option<Rank>,
    keys: HashMap<TraceId, u64, Spread>,
    ranks: BTreeSet<Rank>,
}

impl Best {
    /// The weight that a trace must at least have, once there are enough.
    fn worst(&self) -> Option<u64> {
        if self.ranks.len() < self.want {
            return None;
        }
        self.ranks.last().map(|(Reverse(key), _)| *key)
    }

    fn offer(&mut self, key: u64, id: TraceId) {
        let rank = (Reverse(key), id);
        if self.after.is_some_and(|after| rank <= after) {
            return;
        }
        match self.keys.get(&id).copied() {
            Some(known) if known >= key => return,
            Some(known) => {
                self.ranks.remove(&(Reverse(known), id));
            }
            None => {}
        }
        self.keys.insert(id, key);
        self.ranks.insert(rank);
        if self.ranks.len() > self.want
            && let Some((_, id)) = self.ranks.pop_last()
        {
            self.keys.remove(&id);
        }
    }
}

/// Reads all spans of the candidates. The ranks are those of all their matching spans in range; without predicate they stay.
fn summaries(
    snapshot: &Snapshot,
    search: &TraceSearch,
    predicate: Option<&Predicate>,
    candidates: &[Rank],
    stats: &mut QueryStats,
    control: &Control,
) -> Result<Vec<(Rank, TraceSummary)>, QueryError> {
    let needs = predicate.map(Predicate::needs).unwrap_or_default();
    let needed: Vec<&'static str> = summary::COLUMNS.into_iter().chain(needs.columns).collect();
    let keys: Vec<String> = needs.keys.into_iter().map(str::to_owned).collect();
    let mut found = Vec::with_capacity(candidates.len());
    for chunk in candidates.chunks(TRACES_AT_ONCE) {
        let of_traces = Predicate::traces(chunk.iter().map(|(_, id)| *id).collect());
        // The traces, and how many spans of them.
        let gathered = (HashMap::<TraceId, Gathered, Spread>::default(), 0);
        let gathered = Mutex::new(Kept { all: gathered, holding: control.holding() });
        let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &of_traces.hints, control)?;
        let each = |rows: &Rows<'_>| {
            let matching = match predicate {
                Some(predicate) => predicate.matches(rows.batch, rows.alive.clone())?,
                None => BooleanBuffer::new_unset(rows.alive.len()),
            };
            let Kept { all: (gathered, spans), holding } = &mut *gathered.lock();
            *spans += rows.alive.count_set_bits();
            holding.set(summary::bytes(gathered, *spans));
            summary::gather(gathered, rows.batch, &rows.alive, &matching, search)
        };
        let wanted = Wanted { columns: &needed, keys: &keys, predicate: &of_traces };
        if scan.rows() <= summary::IN_ANY_ORDER {
            scan.fold(wanted, || (), |(), rows| each(rows))?;
        } else {
            scan.run(wanted, |_| false, each)?;
        }
        let Kept { all: (mut gathered, _), holding: _held } = gathered.into_inner();
        stats.add(std::mem::take(&mut scan.stats).of_fetching());
        stats.add(summary::name_errors(snapshot, &mut gathered, control)?.of_fetching());
        for (Reverse(weight), id) in chunk {
            if let Some(gathered) = gathered.remove(id) {
                let weight = gathered.weight.unwrap_or(*weight);
                found.push(((Reverse(weight), *id), gathered.finish(*id, search.order.weight()(weight))));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
