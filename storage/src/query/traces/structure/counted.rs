//! Traces by how many spans they have or how many of them failed, of those that match: as a whole, or with a span.
//!
//! Which traces match is decided as for every question; where one stands is decided by all its spans in range. Traces with a row of what
//! decides are found first, then the spans of these are counted and read in the order of their counts. A row that was sent twice makes a
//! count too high, never too low, so a page is done as soon as enough judged traces rank before all that were not read.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::super::super::answer::TracePage;
use super::super::super::language::Node;
use super::super::counted::{MAX_COUNTED, counted, ranked};
use super::super::{MAX_CANDIDATES, Rank};
use super::plan::Plan;
use super::reader::Reader;
use super::{Control, MAX_NAMED, Matching, Predicate, QueryError, QueryStats, Snapshot, TraceSearch, page, rarest, traces_with};
use crate::model::TraceId;

/// Finds the traces that match with most spans or errors.
pub(super) fn search(
    snapshot: &Snapshot,
    search: &TraceSearch,
    plan: &Plan,
    after: Option<Rank>,
    control: &Control,
) -> Result<TracePage, QueryError> {
    let mut stats = QueryStats { complete: true, ..QueryStats::default() };
    let only = named(snapshot, search, plan, &mut stats, control)?;
    let rows = match &only {
        Some(few) if few.len() <= MAX_NAMED => Predicate::traces(few.iter().copied().collect()),
        _ => counted(search.order)?,
    };
    let (ranked, scanned) = ranked(snapshot, search, &rows, only.as_ref(), control)?;
    stats.add(scanned);
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

/// Traces that may match: those with a row in range of the condition that decides, and with one of another that must hold and does so in few;
/// `None` when they are too many.
fn named(
    snapshot: &Snapshot,
    search: &TraceSearch,
    plan: &Plan,
    stats: &mut QueryStats,
    control: &Control,
) -> Result<Option<HashSet<TraceId>>, QueryError> {
    let deciding = plan.source_leg().filter(|leg| *leg.node() != Node::All);
    let deciding = deciding.map(|leg| traces_with(snapshot, leg, search.range, MAX_COUNTED, stats, control)).transpose()?.flatten();
    let rarest = rarest(snapshot, plan, stats, control)?;
    Ok(match (deciding, rarest) {
        (Some(ids), Some(others)) => {
            let others: HashSet<TraceId> = others.into_iter().collect();
            Some(ids.into_iter().filter(|id| others.contains(id)).collect())
        }
        (ids, others) => ids.or(others).map(|ids| ids.into_iter().collect()),
    })
}
