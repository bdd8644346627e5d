//! The service map: who calls whom in a window.
//!
//! Owns where calls are counted from: sums of whole minutes and traces that are looked at one by one (`rolled`), or every span around the
//! window (here), which gives the same answer and takes longer; `far` joins what neither does. `crate::calls` has the rules, `tally` makes nodes and edges.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::{QueryStats, ServiceMap};
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Holding, Kept, Scan, Wanted};
use crate::calls::{self, Call, Calls, Linked, REACH, View};
use crate::model::{TimeRange, UnixNanos};
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod far;
mod parts;
mod rolled;
mod rolls;
mod shared;
mod tally;
mod ways;

pub(crate) use self::parts::Parts;
pub(crate) use self::rolls::CallRolls;
use self::tally::{Derived, Tally, Window};

/// Spans of one map; older ones are left out, and the answer says so. About 400 MiB while it is made.
const MAX_SPANS: usize = 5_000_000;
/// Links of one map.
const MAX_LINKS: usize = 1_000_000;

/// How far around a window spans can matter to its calls: a call sees its answer, whose way to the call may lead through spans that are as
/// far away again.
const MARGIN: u64 = 3 * REACH;

/// How often a roll-up may turn out to be damaged in one question.
const MAX_TRIES: usize = 4;

/// A map that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) map: ServiceMap,
    /// The calls of each part that was asked for, without nodes.
    pub(super) parts: Vec<ServiceMap>,
    /// Whether calls were left out that may still find their other half.
    pub(super) open: bool,
    /// Whether everything could be read.
    pub(super) is_read: bool,
}

/// Who calls whom in the window, and in parts of it.
pub(super) fn service_map(
    snapshot: &Snapshot,
    (range, parts): (TimeRange, Parts),
    now: UnixNanos,
    rolls: &CallRolls,
    control: &Control,
) -> Result<Made, QueryError> {
    let window = Window { range, now, parts };
    let (mut tally, mut stats) = counted(snapshot, window, rolls, control)?;
    let too_many = far::join(snapshot, window, (&mut tally, &mut stats), control)?;
    let is_read = stats.complete;
    stats.complete &= too_many.is_none();
    stats.notes.extend(too_many);
    let Derived { nodes, edges, relays, parts: calls, open } = tally.finish();
    let of_part = |(part, (edges, relays))| ServiceMap { range: Some(parts.range(part)), edges, relays, ..ServiceMap::default() };
    let calls = calls.into_iter().enumerate().map(of_part).collect();
    Ok(Made { map: ServiceMap { range: Some(range), nodes, edges, relays, stats }, parts: calls, open, is_read })
}

/// From roll-ups where they are there, else from rows.
fn counted(snapshot: &Snapshot, window: Window, rolls: &CallRolls, control: &Control) -> Result<(Tally, QueryStats), QueryError> {
    for _ in 0..MAX_TRIES {
        match rolled::derive(snapshot, window, rolls, control)? {
            rolled::Outcome::Done(tally, stats) => return Ok((*tally, stats)),
            rolled::Outcome::Damaged => {}
            rolled::Outcome::TooMuch => break,
        }
    }
    of_rows(snapshot, window, control)
}

/// Everything within which spans can matter to a window.
fn around(range: TimeRange) -> TimeRange {
    if range == TimeRange::ALL { range } else { TimeRange { from: range.from.minus(MARGIN), to: range.to.plus(MARGIN) } }
}

/// The map from every span.
fn of_rows(snapshot: &Snapshot, window: Window, control: &Control) -> Result<(Tally, QueryStats), QueryError> {
    let predicate = Predicate::all();
    let mut scan = Scan::new(snapshot, Signal::Traces, around(window.range), &predicate.hints, control)?;
    let (calls, is_full) = collect(&mut scan, &predicate, MAX_SPANS)?;
    if is_full {
        scan.note(format!("only the newest {MAX_SPANS} spans of the window were looked at; narrow the time range"));
    }
    control.check()?;
    let mut holding = control.holding();
    holding.set(bytes(&calls));
    let Calls { calls, links, names } = calls;
    let mut tally = Tally::new(names, window, control.holding());
    let linked = Linked { all: &calls, links: &links };
    let mut facts = Vec::new();
    for (i, trace) in calls.chunk_by(|a, b| a.trace == b.trace).enumerate() {
        if i % 1_024 == 0 {
            control.check()?;
        }
        facts.clear();
        calls::derive(trace, linked, &mut facts);
        tally.add(&facts);
    }
    Ok((tally, std::mem::take(&mut scan.stats)))
}

/// The spans that a scan finds, sorted and each once, and whether there were more.
fn collect(scan: &mut Scan<'_>, predicate: &Predicate, max_spans: usize) -> Result<(Calls, bool), QueryError> {
    let (count, control) = (AtomicUsize::new(0), scan.control());
    let is_full = || count.load(Ordering::Relaxed) >= max_spans;
    let wanted = Wanted { columns: &calls::COLUMNS, keys: &[], predicate };
    let parts = scan.fold_until(
        wanted,
        |_| is_full(),
        || Kept { all: Calls::default(), holding: control.holding() },
        |Kept { all: calls, holding }, rows| {
            let view = View::of(rows.batch).ok_or_else(|| QueryError::Internal("a column of calls is missing".to_owned()))?;
            rows.alive.set_indices().for_each(|row| calls.add(&view, row, MAX_LINKS));
            count.fetch_add(rows.alive.count_set_bits(), Ordering::Relaxed);
            holding.set(bytes(calls));
            Ok(())
        },
    )?;
    let (parts, _held): (Vec<Calls>, Vec<Holding>) = parts.into_iter().map(|Kept { all, holding }| (all, holding)).unzip();
    Ok((joined(parts)?, is_full()))
}

/// Bytes that spans and links take, about.
fn bytes(calls: &Calls) -> usize {
    calls.calls.capacity() * size_of::<Call>() + size_of_val(calls.links.as_slice())
}

/// The parts as one. Each part is sorted on a thread of its own, after which the whole is nearly sorted.
fn joined(mut parts: Vec<Calls>) -> Result<Calls, QueryError> {
    if parts.len() > 1 {
        std::thread::scope(|scope| {
            let others: Vec<_> = parts.iter_mut().map(|part| scope.spawn(|| part.calls.sort_unstable_by_key(Call::key))).collect();
            others.into_iter().try_for_each(|other| other.join())
        })
        .map_err(|_| QueryError::Internal("a query thread failed unexpectedly".to_owned()))?;
    }
    let mut all = parts.into_iter().reduce(|all, more| all.join(more, MAX_LINKS)).unwrap_or_default();
    sort(&mut all);
    Ok(all)
}

/// Finds sorted runs and merges them; each span and link once.
fn sort(all: &mut Calls) {
    all.calls.sort_by_key(Call::key);
    all.calls.dedup_by_key(|call| call.key());
    all.links.sort_unstable();
    all.links.dedup();
}

#[cfg(test)]
mod tests;
