//! Traces that match as a whole, by how many spans they have or how many of them failed.
//!
//! Which traces match is decided as for every question; where one stands is decided by all its spans in range, which are counted first
//! and read in the order of these counts. A row that was sent twice makes a count too high, never too low, so a page is done as soon as
//! enough judged traces rank before all that were not read.

use std::collections::HashSet;

use super::super::super::answer::TracePage;
use super::super::super::language::{Asked, Node};
use super::super::super::question::TraceOrder;
use super::super::counted::{MAX_COUNTED, ranked};
use super::super::{MAX_CANDIDATES, Rank};
use super::plan::Plan;
use super::reader::Reader;
use super::{Control, Matching, Predicate, QueryError, QueryStats, Reverse, Snapshot, TraceSearch, page, rarest, traces_with};
use crate::model::TraceId;

/// Finds the traces that match with most spans or errors.
pub(super) fn search(
    snapshot: &Snapshot,
    search: &TraceSearch,
    plan: &Plan,
    after: Option<Rank>,
    control: &Control,
) -> Result<TracePage, QueryError> {
    let (mut ranked, mut stats) = ranked(snapshot, search, &counted(search.order)?, control)?;
    keep_named(&mut ranked, snapshot, search, plan, &mut stats, control)?;
    let mut reader = Reader::new(snapshot, plan, control);
    let mut matching = Matching::new();
    let mut read = 0;
    while let Some(next) = ranked.get(read).filter(|next| matching.range(..**next).count() <= search.limit) {
        if read >= MAX_CANDIDATES || reader.is_spent() {
            stats.complete = false;
            stats.notes.push(format!("only the first {read} traces were looked at in this order; narrow the time range"));
            matching.retain(|rank, _| rank < next);
            break;
        }
        let round = ranked.get(read..(read + (search.limit + 1).max(read)).min(ranked.len())).unwrap_or_default();
        read += round.len();
        let ids: Vec<TraceId> = round.iter().map(|(_, id)| *id).collect();
        reader.judge(&ids, search, &mut |id, verdict| {
            let rank = (Reverse(verdict.weight), id);
            // A trace that ranks before the cursor was shown on a page before.
            if after.is_none_or(|after| rank > after) {
                matching.insert(rank, verdict.rows);
            }
        })?;
    }
    stats.add(reader.finish().of_fetching());
    page(snapshot, search, matching, None, read, stats, control)
}

/// The rows that are counted.
fn counted(order: TraceOrder) -> Result<Predicate, QueryError> {
    if order != TraceOrder::MostErrors {
        return Ok(Predicate::all());
    }
    match Asked::parse("status:error").map_err(QueryError::Parse)? {
        Asked::Rows(query) => Ok(Predicate::new(&query)),
        Asked::Trace(_) => Ok(Predicate::all()),
    }
}

/// Leaves out traces that cannot match: those without a row in range of the condition that decides, or of another one that must hold
/// and does so in few traces.
fn keep_named(
    ranked: &mut Vec<Rank>,
    snapshot: &Snapshot,
    search: &TraceSearch,
    plan: &Plan,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<(), QueryError> {
    let mut keep = |ids: Option<Vec<TraceId>>| {
        if let Some(ids) = ids {
            let ids: HashSet<TraceId> = ids.into_iter().collect();
            ranked.retain(|(_, id)| ids.contains(id));
        }
    };
    if let Some(leg) = plan.source_leg().filter(|leg| *leg.node() != Node::All) {
        keep(traces_with(snapshot, leg, search.range, MAX_COUNTED, stats, control)?);
    }
    keep(rarest(snapshot, plan, stats, control)?);
    Ok(())
}
