//! The service map: who calls whom in a window, derived from whole traces as they are stored.
//!
//! Owns reading the spans of a window and of the seconds around it, where the other halves of its calls lie. `derive` has the rules.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::Array;

use super::answer::ServiceMap;
use super::columns;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Rows, Scan, Wanted};
use super::wire::{self, Content};
use crate::model::{SpanId, SpanKind, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod derive;
mod tally;

/// Spans of one map; older ones are left out, and the answer says so. About 400 MiB while it is made.
const MAX_SPANS: usize = 5_000_000;
/// Links of one map.
const MAX_LINKS: usize = 1_000_000;

/// How far around the window other halves of its calls are looked for.
const MARGIN: u64 = 30_000_000_000;
/// How long after its end a span whose caller was not received waits for it before the caller is called unknown.
const SETTLING: u64 = 15_000_000_000;

const COLUMNS: [&str; 12] = [
    column::TRACE_ID,
    column::SPAN_ID,
    column::PARENT_SPAN_ID,
    column::START_TIME,
    column::DURATION,
    column::KIND,
    column::STATUS_CODE,
    column::SERVICE_NAME,
    column::LINKS,
    column::PEER,
    column::PEER_KIND,
    column::PEER_SYSTEM,
];

/// What the map needs of one span.
#[derive(Clone, Copy, Debug)]
struct Call {
    trace: u128,
    span: u64,
    /// Zero for a root.
    parent: u64,
    start: u64,
    duration: u64,
    service: Name,
    /// Name, kind and system of what it says it talks to.
    peer: Option<(Name, PeerKind, Name)>,
    kind: Kind,
    error: bool,
}

/// A text by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Name(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Server,
    Client,
    Producer,
    Consumer,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PeerKind {
    Database,
    Queue,
    External,
}

/// From the linking span to the linked one, as trace and span id.
type LinkBetween = ((u128, u64), (u128, u64));

/// Every text once.
#[derive(Debug, Default)]
struct Names {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Name>,
}

/// Who calls whom in the window, and whether calls were left out that may still find their other half.
pub(super) fn service_map(
    snapshot: &Snapshot,
    range: TimeRange,
    now: UnixNanos,
    control: &Control,
) -> Result<(ServiceMap, bool), QueryError> {
    let predicate = Predicate::all();
    let around = if range == TimeRange::ALL { range } else { TimeRange { from: range.from.minus(MARGIN), to: range.to.plus(MARGIN) } };
    let mut scan = Scan::new(snapshot, Signal::Traces, around, &predicate.hints, control)?;
    let count = AtomicUsize::new(0);
    let is_full = || count.load(Ordering::Relaxed) >= MAX_SPANS;
    let wanted = Wanted { columns: &COLUMNS, keys: &[], predicate: &predicate };
    let parts = scan.fold_until(wanted, is_full, Collected::default, |collected, rows| {
        let before = collected.calls.len();
        collected.add(rows)?;
        count.fetch_add(collected.calls.len() - before, Ordering::Relaxed);
        Ok(())
    })?;
    if is_full() {
        scan.note(format!("only the newest {MAX_SPANS} spans of the window were looked at; narrow the time range"));
    }
    control.check()?;
    let Collected { calls, links, names } = joined(parts)?;
    control.check()?;
    let window = tally::Window { range, settled: now.minus(SETTLING), now };
    let tally::Derived { nodes, edges, open } = derive::derive(calls, links, names, window, control)?;
    Ok((ServiceMap { range: Some(range), nodes, edges, stats: scan.stats }, open))
}

/// The parts as one, its calls sorted. Each part is sorted on a thread of its own, after which the whole is nearly sorted.
fn joined(mut parts: Vec<Collected>) -> Result<Collected, QueryError> {
    if parts.len() > 1 {
        std::thread::scope(|scope| {
            let others: Vec<_> = parts.iter_mut().map(|part| scope.spawn(|| part.calls.sort_unstable_by_key(Call::key))).collect();
            others.into_iter().try_for_each(|other| other.join())
        })
        .map_err(|_| QueryError::Internal("a query thread failed unexpectedly".to_owned()))?;
    }
    let mut all = parts.into_iter().reduce(Collected::join).unwrap_or_default();
    // Finds the sorted runs and merges them.
    all.calls.sort_by_key(Call::key);
    Ok(all)
}

#[derive(Debug, Default)]
struct Collected {
    calls: Vec<Call>,
    links: Vec<LinkBetween>,
    names: Names,
}

impl Call {
    /// What tells spans apart, those of a trace together.
    fn key(&self) -> (u128, u64, Kind, u64) {
        (self.trace, self.span, self.kind, self.start)
    }
}

impl Collected {
    /// Both, with one number for each name.
    fn join(mut self, other: Self) -> Self {
        let numbers: Vec<Name> = other.names.texts.iter().map(|text| self.names.number(text)).collect();
        let number = |name: Name| numbers.get(name.0 as usize).copied().unwrap_or(name);
        self.calls.reserve(other.calls.len());
        self.calls.extend(other.calls.into_iter().map(|call| Call {
            service: number(call.service),
            peer: call.peer.map(|(name, kind, system)| (number(name), kind, number(system))),
            ..call
        }));
        let room = MAX_LINKS.saturating_sub(self.links.len());
        self.links.extend(other.links.into_iter().take(room));
        self
    }

    fn add(&mut self, rows: &Rows<'_>) -> Result<(), QueryError> {
        let batch = rows.batch;
        let ids = columns::id(batch, column::TRACE_ID)?;
        let spans = columns::id(batch, column::SPAN_ID)?;
        let parents = columns::id(batch, column::PARENT_SPAN_ID)?;
        let starts = columns::long(batch, column::START_TIME)?;
        let durations = columns::long(batch, column::DURATION)?;
        let kinds = columns::int(batch, column::KIND)?;
        let statuses = columns::int(batch, column::STATUS_CODE)?;
        let services = columns::text(batch, column::SERVICE_NAME)?;
        let links = columns::binary(batch, column::LINKS)?;
        let peers = columns::text(batch, column::PEER)?;
        let peer_kinds = columns::int(batch, column::PEER_KIND)?;
        let peer_systems = columns::text(batch, column::PEER_SYSTEM)?;
        for row in rows.alive.set_indices() {
            let (Some(trace), Some(span)) = (columns::trace_id(ids, row), columns::span_id(spans, row)) else { continue };
            let kind = Kind::from(SpanKind::from(kinds.value(row)));
            let (trace, span) = (u128::from_be_bytes(*trace.as_bytes()), number(span));
            let peer_kind = if peer_kinds.is_null(row) { None } else { PeerKind::from_number(peer_kinds.value(row)) };
            let peer = peer_kind
                .filter(|_| peers.is_valid(row))
                .map(|kind| (self.names.number(peers.value(row)), kind, self.names.number(columns::text_or_empty(peer_systems, row))));
            if kind == Kind::Consumer && links.is_valid(row) {
                let room = MAX_LINKS.saturating_sub(self.links.len());
                self.links.extend(linked(links.value(row)).take(room).map(|to| ((trace, span), to)));
            }
            self.calls.push(Call {
                trace,
                span,
                parent: columns::span_id(parents, row).map_or(0, number),
                start: columns::nanos(starts, row),
                duration: columns::nanos(durations, row),
                service: self.names.number(services.value(row)),
                peer,
                kind,
                error: statuses.value(row) == StatusCode::Error.number(),
            });
        }
        Ok(())
    }
}

fn number(id: SpanId) -> u64 {
    u64::from_be_bytes(*id.as_bytes())
}

/// The spans that an encoded `Span` with nothing but links points at.
fn linked(span: &[u8]) -> impl Iterator<Item = (u128, u64)> + '_ {
    let part = |link, wanted| {
        wire::fields(link).find_map(|field| match field {
            (number, Content::Bytes(bytes)) if number == wanted => Some(bytes),
            _ => None,
        })
    };
    wire::fields(span).filter_map(move |field| match field {
        (13, Content::Bytes(link)) => {
            let trace = TraceId::from_slice(part(link, 1)?)?;
            let span = SpanId::from_slice(part(link, 2)?)?;
            Some((u128::from_be_bytes(*trace.as_bytes()), number(span)))
        }
        _ => None,
    })
}

impl Names {
    fn number(&mut self, text: &str) -> Name {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, name);
        name
    }

    fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }
}

impl From<SpanKind> for Kind {
    fn from(kind: SpanKind) -> Self {
        match kind {
            SpanKind::Server => Self::Server,
            SpanKind::Client => Self::Client,
            SpanKind::Producer => Self::Producer,
            SpanKind::Consumer => Self::Consumer,
            SpanKind::Internal | SpanKind::Unspecified | SpanKind::Other(_) => Self::Other,
        }
    }
}

impl PeerKind {
    fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Database),
            2 => Some(Self::Queue),
            3 => Some(Self::External),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
