//! Searches for traces by what stands in them together: spans and log records beside, above and below each other.
//!
//! One set of rows decides when a trace counts and where it stands (`TraceNode::decider`). Its rows are scanned in order, newest or oldest first, for
//! candidates; the spans and records of the candidates are read, many traces at a time, and each trace is judged in memory. A candidate
//! ranks no better than the row that named it, so a page is done as soon as enough judged traces rank before all rows not yet seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::answer::{QueryStats, TracePage, TraceSummary};
use super::super::columns;
use super::super::language::TraceNode;
use super::super::predicate::Predicate;
use super::super::question::{QueryError, TraceSearch};
use super::super::scan::{Control, Scan, Wanted, of_set};
use super::{Rank, candidates, summaries};
use crate::model::{TimeRange, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;

mod counted;
mod judge;
mod plan;
mod reader;
mod rows;

use self::plan::{Leg, Plan};
use self::reader::Reader;

/// Traces that are judged for one page. The page says where to go on when there may be more.
const MAX_JUDGED: usize = 16_384;
/// Candidates of the first round and at most of a later one.
const FIRST_ROUND: usize = 64;
const MAX_ROUND: usize = 4_096;
/// A condition that holds in no more traces than this leaves only these as candidates.
const MAX_NAMED: usize = 2_048;

/// Judged traces that match, with how many of the deciding rows they have.
type Matching = BTreeMap<Rank, usize>;

/// Finds the traces that match `node`.
pub(super) fn search(
    snapshot: &Snapshot,
    search: &TraceSearch,
    node: &TraceNode,
    after: Option<Rank>,
    control: &Control,
) -> Result<TracePage, QueryError> {
    let plan = Plan::new(node, search.order);
    if search.order.counts() {
        return counted::search(snapshot, search, &plan, after, control);
    }
    let mut stats = QueryStats { complete: true, ..QueryStats::default() };
    let mut reader = Reader::new(snapshot, &plan, control);
    let mut source = plan.source();
    let mut matching = Matching::new();
    let mut judged: HashSet<TraceId> = HashSet::new();
    let mut boundary = after;
    let mut round = FIRST_ROUND.max(search.limit + 1);
    loop {
        let (named, scanned) = candidates(snapshot, search, (plan.source_signal(), &source), boundary, round, control)?;
        if judged.is_empty() {
            stats = scanned;
        } else {
            stats.add(scanned);
        }
        let exhausted = named.len() < round;
        let fresh: Vec<TraceId> = named.iter().map(|(_, id)| *id).filter(|id| judged.insert(*id)).collect();
        reader.judge(&fresh, search, &mut |id, verdict| {
            let rank = (Reverse(verdict.weight), id);
            // A trace that ranks before the cursor was shown on a page before.
            if after.is_none_or(|after| rank > after) {
                matching.insert(rank, verdict.rows);
            }
        })?;
        boundary = named.last().copied().or(boundary);
        let certain = |rank: &Rank| exhausted || boundary.is_some_and(|boundary| *rank <= boundary);
        let cut = judged.len() >= MAX_JUDGED || reader.is_spent();
        if exhausted || cut || matching.keys().filter(|rank| certain(rank)).count() > search.limit {
            stats.add(reader.finish().of_fetching());
            matching.retain(|rank, _| certain(rank));
            let next = boundary.filter(|_| cut && !exhausted);
            return page(snapshot, search, matching, next, judged.len(), stats, control);
        }
        if judged.len() == fresh.len() {
            source = narrowed(snapshot, &plan, source, &mut stats, control)?;
        }
        round = (round * 4).min(MAX_ROUND).min(MAX_JUDGED - judged.len());
    }
}

/// The first of the traces that match. `cut` is where judging ended before all were seen.
fn page(
    snapshot: &Snapshot,
    search: &TraceSearch,
    matching: Matching,
    cut: Option<Rank>,
    judged: usize,
    mut stats: QueryStats,
    control: &Control,
) -> Result<TracePage, QueryError> {
    let more = matching.len() > search.limit;
    let shown: Vec<(Rank, usize)> = matching.into_iter().take(search.limit).collect();
    let ranks: Vec<Rank> = shown.iter().map(|(rank, _)| *rank).collect();
    let next = if more { ranks.last().copied() } else { cut };
    if let Some(_cut) = cut.filter(|_| !more) {
        stats.complete = false;
        stats.notes.push(format!("{judged} traces were looked at for this page; the next page goes on from there"));
    }
    let mut summaries: HashMap<TraceId, TraceSummary> =
        summaries(snapshot, search, None, &ranks, &mut stats, control)?.into_iter().map(|((_, id), summary)| (id, summary)).collect();
    let traces =
        shown.into_iter().filter_map(|((_, id), rows)| summaries.remove(&id).map(|summary| TraceSummary { matched: rows, ..summary }));
    let next = next.map(|(Reverse(weight), id)| search.behind(search.order.weight()(weight), id));
    Ok(TracePage { traces: traces.collect(), next, stats })
}

/// When another condition that must hold does so in few traces, only those are candidates. Changes how fast the answer is, never what it is.
fn narrowed(
    snapshot: &Snapshot,
    plan: &Plan,
    source: Predicate,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<Predicate, QueryError> {
    Ok(match rarest(snapshot, plan, stats, control)? {
        Some(ids) => source.within(ids),
        None => source,
    })
}

/// The traces in which the rarest of the other conditions that must hold does so; `None` when each holds in many.
fn rarest(snapshot: &Snapshot, plan: &Plan, stats: &mut QueryStats, control: &Control) -> Result<Option<Vec<TraceId>>, QueryError> {
    let mut fewest: Option<Vec<TraceId>> = None;
    for leg in plan.other_needs() {
        if let Some(ids) = traces_with(snapshot, leg, TimeRange::ALL, MAX_NAMED, stats, control)?
            && fewest.as_ref().is_none_or(|fewest| ids.len() < fewest.len())
        {
            fewest = Some(ids);
        }
    }
    Ok(fewest)
}

/// The traces with a row of `leg` in `range`; `None` when there are more than `most`.
fn traces_with(
    snapshot: &Snapshot,
    leg: &Leg,
    range: TimeRange,
    most: usize,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<Option<Vec<TraceId>>, QueryError> {
    let mut scan = Scan::new(snapshot, leg.signal, range, &leg.predicate.hints, control)?;
    let found = std::cell::RefCell::new(HashSet::new());
    let mut holding = control.holding();
    scan.run(
        Wanted { columns: &[column::TRACE_ID], keys: &[], predicate: &leg.predicate },
        |_| found.borrow().len() > most,
        |rows| {
            let ids = columns::id(rows.batch, column::TRACE_ID)?;
            let mut found = found.borrow_mut();
            for row in rows.alive.set_indices() {
                if found.len() <= most
                    && let Some(id) = columns::trace_id(ids, row)
                {
                    found.insert(id);
                }
            }
            holding.set(of_set(&found));
            Ok(())
        },
    )?;
    let complete = scan.stats.complete;
    stats.add(scan.stats);
    // Where a part cannot be read there may be others; the answer says that it is not complete.
    Ok(Some(found.into_inner()).filter(|found| complete && found.len() <= most).map(|found| found.into_iter().collect()))
}

#[cfg(test)]
mod tests;
