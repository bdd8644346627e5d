//! Traces by how many of their spans match, or match and failed: an order in which only a look at every matching row can put them.
//!
//! A row that was sent twice is counted twice at first, so a count is never too low. Traces are read in its order, where each span counts
//! once, until enough of them rank before all that were not read.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::answer::{QueryStats, TracePage};
use super::super::columns;
use super::super::predicate::Predicate;
use super::super::question::{QueryError, TraceOrder, TraceSearch};
use super::super::scan::{Control, Scan, Wanted, of_map};
use super::{MAX_CANDIDATES, Rank, page, summaries};
use crate::model::{StatusCode, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Traces that are counted; a window with more says so.
pub(super) const MAX_COUNTED: usize = 1_000_000;

/// Whether an order is decided by counting.
pub(super) fn counts(order: TraceOrder) -> bool {
    matches!(order, TraceOrder::MostSpans | TraceOrder::MostErrors)
}

/// Finds the traces with most spans or errors among those that match.
pub(super) fn search(
    snapshot: &Snapshot,
    search: &TraceSearch,
    predicate: &Predicate,
    after: Option<Rank>,
    control: &Control,
) -> Result<TracePage, QueryError> {
    let (ranked, mut stats) = ranked(snapshot, search, predicate, control)?;
    let mut found = Vec::new();
    let mut read = 0;
    while let Some(next) = ranked.get(read).filter(|next| certain(&found, **next) <= search.limit) {
        if read >= MAX_CANDIDATES {
            stats.complete = false;
            stats.notes.push(format!("only the first {MAX_CANDIDATES} traces can be paged through in this order; narrow the time range"));
            found.retain(|(rank, _)| rank < next);
            break;
        }
        let round = ranked.get(read..(read + search.limit + 1).min(ranked.len())).unwrap_or_default();
        read += round.len();
        let fresh = summaries(snapshot, search, Some(predicate), round, &mut stats, control)?;
        // A trace that ranks before the cursor was shown on a page before.
        found.extend(fresh.into_iter().filter(|(rank, _)| after.is_none_or(|after| *rank > after)));
    }
    Ok(page(search, found, stats))
}

/// How many of the traces that were read rank before all that were not, of which `next` is the first.
fn certain<T>(found: &[(Rank, T)], next: Rank) -> usize {
    found.iter().filter(|(rank, _)| *rank < next).count()
}

/// Every trace with a matching row in range, those with most rows first.
pub(super) fn ranked(
    snapshot: &Snapshot,
    search: &TraceSearch,
    predicate: &Predicate,
    control: &Control,
) -> Result<(Vec<Rank>, QueryStats), QueryError> {
    let errors_only = search.order == TraceOrder::MostErrors;
    let counts: RefCell<HashMap<TraceId, u64>> = RefCell::default();
    let is_full = std::cell::Cell::new(false);
    let mut holding = control.holding();
    let mut scan = Scan::new(snapshot, Signal::Traces, search.range, &predicate.hints, control)?;
    scan.run(
        Wanted { columns: &[column::TRACE_ID, column::STATUS_CODE], keys: &[], predicate },
        |_| false,
        |rows| {
            let ids = columns::id(rows.batch, column::TRACE_ID)?;
            let statuses = columns::int(rows.batch, column::STATUS_CODE)?;
            let mut counts = counts.borrow_mut();
            for row in rows.alive.set_indices() {
                if errors_only && statuses.value(row) != StatusCode::Error.number() {
                    continue;
                }
                let Some(id) = columns::trace_id(ids, row) else { continue };
                if let Some(count) = counts.get_mut(&id) {
                    *count += 1;
                } else if counts.len() < MAX_COUNTED {
                    counts.insert(id, 1);
                } else {
                    is_full.set(true);
                }
            }
            holding.set(of_map(&counts));
            Ok(())
        },
    )?;
    let mut ranked: Vec<Rank> = counts.into_inner().into_iter().map(|(id, count)| (Reverse(count), id)).collect();
    ranked.sort_unstable();
    let mut stats = scan.stats;
    if is_full.get() {
        stats.complete = false;
        stats.notes.push(format!("only {MAX_COUNTED} traces were counted; narrow the time range"));
    }
    Ok((ranked, stats))
}
