//! Joins calls with callers that began long before them.
//!
//! While a map is counted, spans that start more than [`REACH`](calls::REACH) apart do not see each other, so that a minute of it depends on
//! few others. What a queue held for longer would then be called by somebody unknown. Such calls whose caller is stored are found (`seek`),
//! their traces read whole, whatever their time, and counted again so that these calls, and nothing else, see callers without that bound. So
//! what is joined depends on the spans alone, not on where they lie. With too many of them the map stays as it is, and says so.

use std::collections::BTreeSet;

use super::super::answer::QueryStats;
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{Control, Scan};
use super::collect;
use super::tally::{Tally, UNKNOWN, Window};
use crate::calls::{self, Fact, Linked};
use crate::model::{TimeRange, TraceId};
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod seek;

/// Calls by somebody unknown whose callers are looked for.
const MAX_UNKNOWN: u64 = if cfg!(test) { 1_000 } else { 100_000 };
/// Traces that are counted again.
const MAX_TRACES: usize = if cfg!(test) { 64 } else { 4_096 };
/// Traces that are read at a time: an index of traces is asked for no more.
const AT_ONCE: usize = 1_024;
/// Spans of those that are counted again.
const MAX_SPANS: usize = 500_000;

/// Counts calls again whose callers began long before; says when these, or those that might be, are too many.
pub(super) fn join(
    snapshot: &Snapshot,
    window: Window,
    (tally, stats): (&mut Tally, &mut QueryStats),
    control: &Control,
) -> Result<Option<String>, QueryError> {
    let unknown = tally.calls_by_unknown();
    if unknown == 0 {
        return Ok(None);
    }
    let found = if unknown <= MAX_UNKNOWN { seek::far(snapshot, window, (&*tally, &mut *stats), control)? } else { None };
    let Some(far) = found else {
        return Ok(Some(format!(
            "{unknown} calls are shown as by an {UNKNOWN}; they are too many to look up whether callers of them are stored that began more \
             than ten minutes before, ask for a shorter window"
        )));
    };
    let traces: BTreeSet<TraceId> = far.iter().map(|((trace, _), _)| *trace).collect();
    let traces: Vec<TraceId> = traces.into_iter().collect();
    if traces.len() <= MAX_TRACES && count_again(snapshot, window, &traces, (tally, stats), control)? {
        return Ok(None);
    }
    Ok(Some(format!(
        "{unknown} calls are shown as by an {UNKNOWN}; {} of them have a caller that is stored and began more than ten minutes before; they \
         are too many to join all of them with it, ask for a shorter window",
        far.len()
    )))
}

/// Takes off what traces show and counts them again, their calls by somebody unknown joined with callers at any time; false, and nothing
/// is changed, when that is too much.
fn count_again(
    snapshot: &Snapshot,
    window: Window,
    traces: &[TraceId],
    (tally, stats): (&mut Tally, &mut QueryStats),
    control: &Control,
) -> Result<bool, QueryError> {
    let (mut gone, mut new, mut count): (Vec<Fact>, Vec<Fact>, usize) = (Vec::new(), Vec::new(), 0);
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
        // What depends on other traces by links is the same both times, and stays.
        let linked = Linked { all: &[], links: &calls.links };
        for trace in spans.chunk_by(|a, b| a.trace == b.trace) {
            control.check()?;
            let (mut bounded, mut far) = (Vec::new(), Vec::new());
            calls::derive(trace, linked, &mut bounded);
            calls::derive_far(trace, linked, |call| window.counts(call.start), &mut far);
            part(bounded, far, (&mut gone, &mut new));
        }
    }
    tally.take_back(&gone);
    tally.add(&new);
    Ok(true)
}

/// Adds what only the first list has, and what only the second one has.
fn part(mut before: Vec<Fact>, mut after: Vec<Fact>, (gone, new): (&mut Vec<Fact>, &mut Vec<Fact>)) {
    before.sort_unstable();
    after.sort_unstable();
    let mut after = after.into_iter().peekable();
    for fact in before {
        while let Some(other) = after.next_if(|other| *other < fact) {
            new.push(other);
        }
        if after.next_if_eq(&fact).is_none() {
            gone.push(fact);
        }
    }
    new.extend(after);
}

/// What was read is not all that the map was made of.
fn note(stats: &mut QueryStats, of_scan: QueryStats) {
    let QueryStats { rows_scanned, complete, notes, .. } = of_scan;
    stats.add(QueryStats { rows_scanned, complete, notes, ..QueryStats::default() });
}
