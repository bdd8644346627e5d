//! Traces by how many spans they have, or how many that failed: an order in which only a look at every row can put them.
//!
//! A row that was sent twice is counted twice at first, so a count is never too low. Traces are read in its order, where each span counts
//! once, until enough of them rank before all that were not read. Of a search that every span matches here; others are in
//! `traces/structure/counted.rs`.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::super::answer::{QueryStats, TracePage};
use super::super::columns;
use super::super::language::Asked;
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

/// Finds the traces with most spans or errors among all.
pub(super) fn search(snapshot: &Snapshot, search: &TraceSearch, after: Option<Rank>, control: &Control) -> Result<TracePage, QueryError> {
    let all = Predicate::all();
    let (ranked, mut stats) = ranked(snapshot, search, &counted(search.order)?, None, control)?;
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
        let fresh = summaries(snapshot, search, Some(&all), round, &mut stats, control)?;
        // A trace that ranks before the cursor was shown on a page before. Of one that failed once, the last version may not.
        let counts = |rank: &Rank| rank.0.0 > 0 && after.is_none_or(|after| *rank > after);
        found.extend(fresh.into_iter().filter(|(rank, _)| counts(rank)));
    }
    Ok(page(search, found, stats))
}

/// How many of the traces that were read rank before all that were not, of which `next` is the first.
fn certain<T>(found: &[(Rank, T)], next: Rank) -> usize {
    found.iter().filter(|(rank, _)| *rank < next).count()
}

/// The rows that are counted.
pub(super) fn counted(order: TraceOrder) -> Result<Predicate, QueryError> {
    if order != TraceOrder::MostErrors {
        return Ok(Predicate::all());
    }
    match Asked::parse("status:error").map_err(QueryError::Parse)? {
        Asked::Rows(query) => Ok(Predicate::new(&query)),
        Asked::Trace(_) => Ok(Predicate::all()),
    }
}

/// Every trace with a matching row in range, one of `only` where there are such, those with most rows first.
pub(super) fn ranked(
    snapshot: &Snapshot,
    search: &TraceSearch,
    predicate: &Predicate,
    only: Option<&HashSet<TraceId>>,
    control: &Control,
) -> Result<(Vec<Rank>, QueryStats), QueryError> {
    let errors_only = search.order == TraceOrder::MostErrors;
    // How many rows, and the start of the newest.
    let counts: RefCell<HashMap<TraceId, (u64, u64)>> = RefCell::default();
    let is_full = std::cell::Cell::new(false);
    let mut holding = control.holding();
    let mut scan = Scan::new(snapshot, Signal::Traces, search.range, &predicate.hints, control)?;
    scan.run(
        Wanted { columns: &[column::TRACE_ID, column::STATUS_CODE, column::START_TIME], keys: &[], predicate },
        |_| false,
        |rows| {
            let ids = columns::id(rows.batch, column::TRACE_ID)?;
            let statuses = columns::int(rows.batch, column::STATUS_CODE)?;
            let starts = columns::long(rows.batch, column::START_TIME)?;
            let mut counts = counts.borrow_mut();
            for row in rows.alive.set_indices() {
                if errors_only && statuses.value(row) != StatusCode::Error.number() {
                    continue;
                }
                let Some(id) = columns::trace_id(ids, row).filter(|id| only.is_none_or(|only| only.contains(id))) else { continue };
                let start = columns::nanos(starts, row);
                if let Some((count, newest)) = counts.get_mut(&id) {
                    (*count, *newest) = (*count + 1, start.max(*newest));
                } else if counts.len() < MAX_COUNTED {
                    counts.insert(id, (1, start));
                } else {
                    is_full.set(true);
                }
            }
            holding.set(of_map(&counts));
            Ok(())
        },
    )?;
    let rank = |(id, (count, newest))| (Reverse(TraceOrder::weight_of(count, newest)), id);
    let mut ranked: Vec<Rank> = counts.into_inner().into_iter().map(rank).collect();
    ranked.sort_unstable();
    let mut stats = scan.stats;
    if is_full.get() {
        stats.complete = false;
        stats.notes.push(format!("only {MAX_COUNTED} traces were counted; narrow the time range"));
    }
    Ok((ranked, stats))
}
