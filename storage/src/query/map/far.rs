//! Says when callers began too long before their calls to be joined with them.
//!
//! Spans that start more than [`REACH`] apart do not see each other, so that a minute of a map depends on few others. A call whose caller is
//! stored, but began longer before, is therefore shown as one by somebody unknown. Which calls those are is known only of examples: they are
//! looked up by their trace.

use std::collections::{BTreeSet, HashMap};

use super::super::answer::{Edge, NodeKind, ServiceMap};
use super::super::columns;
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{Control, Scan, Wanted};
use super::tally::UNKNOWN;
use crate::calls::REACH;
use crate::model::{SpanId, TimeRange, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Calls that are looked up.
const MAX_LOOKED_AT: usize = 64;

type SpanKey = (TraceId, SpanId);

/// Adds a note when examples show it; the answer is not complete then.
pub(in super::super) fn note(snapshot: &Snapshot, map: &mut ServiceMap, control: &Control) -> Result<(), QueryError> {
    let by_unknown = || map.edges.iter().filter(|edge: &&Edge| edge.from.0 == UNKNOWN && edge.from.1 == NodeKind::User);
    let looked_at: BTreeSet<SpanKey> = by_unknown().flat_map(|edge| edge.examples.iter().copied()).take(MAX_LOOKED_AT).collect();
    if looked_at.is_empty() {
        return Ok(());
    }
    let found = look_up(snapshot, &looked_at, control)?;
    let caller_of = |(trace, span): &SpanKey| Some((*trace, found.get(&(*trace, *span))?.0?));
    let callers = look_up(snapshot, &looked_at.iter().filter_map(caller_of).collect(), control)?;
    let is_far = |key: &&SpanKey| {
        let began = caller_of(key).and_then(|caller| callers.get(&caller));
        began.zip(found.get(key)).is_some_and(|((_, began), (_, start))| began.abs_diff(*start) > REACH)
    };
    let far = looked_at.iter().filter(is_far).count();
    if far > 0 {
        let calls: u64 = by_unknown().map(|edge| edge.calls).sum();
        let examples = looked_at.len();
        map.stats.complete = false;
        map.stats.notes.push(format!(
            "{calls} calls are shown as by an {UNKNOWN}; of {examples} of them that were looked up, {far} have a caller that is stored and \
             began more than ten minutes before, which is further than calls are joined"
        ));
    }
    Ok(())
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
