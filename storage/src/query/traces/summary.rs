//! What a list shows of a trace, gathered from its spans in any order, duplicates counted once.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::super::answer::{ServiceInTrace, TraceFailure, TraceSummary};
use super::super::columns;
use super::super::question::{QueryError, TraceOrder, TraceSearch};
use super::super::scan::of_map;
use crate::model::{SpanKind, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::schema::column;
use crate::spread::Spread;

mod failure;
mod naming;
mod siblings;

use self::failure::{Stand, Stands};
pub(super) use self::naming::name_errors;
use self::siblings::Siblings;

/// Columns that [`gather`] reads besides those of the query.
pub(super) const COLUMNS: [&str; 12] = [
    column::TRACE_ID,
    column::SPAN_ID,
    column::PARENT_SPAN_ID,
    column::START_TIME,
    column::END_TIME,
    column::DURATION,
    column::NAME,
    column::KIND,
    column::STATUS_CODE,
    column::STATUS_MESSAGE,
    column::SERVICE_NAME,
    column::EXCEPTION_MESSAGE,
];
/// So many spans give the same summaries in whichever order they are gathered; of more calls, those of the first are counted.
pub(super) const IN_ANY_ORDER: u64 = siblings::MAX_CALLS as u64;
/// Services of a trace, as a rule.
const SERVICES: usize = 4;
/// Spans per service in the mini-timeline.
const SPANS_SHOWN: usize = 16;

/// What is known of one trace so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    seen: HashSet<(u64, i32, u64), Spread>,
    /// The weight that its matching spans in range make; in an order by numbers every span matches.
    pub(super) weight: Option<u64>,
    /// Spans that are counted, and the start of the newest of them.
    counted: (u64, u64),
    start: Option<u64>,
    end: u64,
    error_count: usize,
    matched: usize,
    /// The best candidate so far.
    root: Option<Root>,
    /// What says why, of those the first.
    first_error: Option<((bool, Failed), Option<String>)>,
    stands: Stands,
    /// Where its failure starts, once all its spans are there.
    failure: Option<(Failed, TraceFailure)>,
    services: Vec<Service>,
    siblings: Siblings,
}

/// Spans in order, whatever the order in which they are read: by start, then id, then kind, servers behind the clients that they share an id with.
type Order = (u64, u64, i32);

/// Failed spans in the order in which they failed: by end, since who calls fails after who was called; of equal ends the later start.
type Failed = (u64, Reverse<u64>, u64, i32);

/// What a trace is called by: its root, or its earliest span.
#[derive(Debug, Default)]
struct Root {
    /// Whether it is none, and its place.
    rank: (bool, Order),
    service: String,
    name: String,
    is_error: bool,
}

#[derive(Debug)]
struct Service {
    name: String,
    first: Order,
    span_count: usize,
    error_count: usize,
    /// Duration and start, longest first.
    longest: Vec<(u64, u64)>,
}

/// Bytes that so many traces with so many spans take, about: of each span that it was seen, of each trace a few services.
pub(super) fn bytes(traces: &HashMap<TraceId, Gathered, Spread>, spans: usize) -> usize {
    let stands = spans.min(traces.len() * failure::MAX_SPANS) * size_of::<Stand>();
    of_map(traces) + stands + spans * 2 * size_of::<(u64, i32, u64)>() + traces.len() * SERVICES * (size_of::<Service>() + SPANS_SHOWN * 16)
}

/// Adds the alive rows of a batch to their traces.
pub(super) fn gather(
    traces: &mut HashMap<TraceId, Gathered, Spread>,
    batch: &RecordBatch,
    alive: &BooleanBuffer,
    matching: &BooleanBuffer,
    search: &TraceSearch,
) -> Result<(), QueryError> {
    let ids = columns::id(batch, column::TRACE_ID)?;
    let spans = columns::id(batch, column::SPAN_ID)?;
    let parents = columns::id(batch, column::PARENT_SPAN_ID)?;
    let starts = columns::long(batch, column::START_TIME)?;
    let ends = columns::long(batch, column::END_TIME)?;
    let durations = columns::long(batch, column::DURATION)?;
    let names = columns::text(batch, column::NAME)?;
    let kinds = columns::int(batch, column::KIND)?;
    let statuses = columns::int(batch, column::STATUS_CODE)?;
    let messages = columns::text(batch, column::STATUS_MESSAGE)?;
    let services = columns::text(batch, column::SERVICE_NAME)?;
    let exceptions = columns::text(batch, column::EXCEPTION_MESSAGE)?;
    for row in alive.set_indices() {
        let (Some(trace), Some(span)) = (columns::trace_id(ids, row), columns::span_id(spans, row)) else { continue };
        let row_of = Row {
            id: u64::from_be_bytes(*span.as_bytes()),
            start: columns::nanos(starts, row),
            end: columns::nanos(ends, row),
            duration: columns::nanos(durations, row),
            name: names.value(row),
            service: services.value(row),
            kind: kinds.value(row),
            parent: columns::span_id(parents, row).map(|parent| u64::from_be_bytes(*parent.as_bytes())),
            status: statuses.value(row),
            is_error: statuses.value(row) == StatusCode::Error.number(),
            matches: matching.value(row),
        };
        let gathered = traces.entry(trace).or_default();
        if gathered.seen.insert((row_of.id, row_of.kind, row_of.start)) {
            let message =
                || [messages, exceptions].into_iter().map(|column| columns::text_or_empty(column, row)).find(|text| !text.is_empty());
            gathered.add(&row_of, message, search);
        }
    }
    Ok(())
}

/// A server that shares its id with a client is what that client calls.
fn order(start: u64, id: u64, kind: i32) -> Order {
    let after_clients = i32::from(kind == SpanKind::Server.number());
    let kind = if after_clients > 0 { SpanKind::Client.number() } else { kind };
    (start, id, kind.saturating_mul(2).saturating_add(after_clients))
}

fn failed(end: u64, (start, id, kind): Order) -> Failed {
    (end.max(start), Reverse(start), id, kind)
}

/// A number alone, such as the status of an answer, does not say why.
fn is_code(message: &str) -> bool {
    message.bytes().all(|byte| byte.is_ascii_digit())
}

struct Row<'a> {
    id: u64,
    start: u64,
    end: u64,
    duration: u64,
    name: &'a str,
    service: &'a str,
    kind: i32,
    /// `None` for a root.
    parent: Option<u64>,
    status: i32,
    is_error: bool,
    matches: bool,
}

impl Gathered {
    fn add<'a>(&mut self, row: &Row<'_>, message: impl FnOnce() -> Option<&'a str>, search: &TraceSearch) {
        self.start = Some(self.start.map_or(row.start, |start| start.min(row.start)));
        self.end = self.end.max(row.end).max(row.start);
        let is_in_range = search.range == TimeRange::ALL || search.range.contains(UnixNanos::new(row.start));
        if row.matches && is_in_range {
            self.matched += 1;
            let so_far = self.weight.unwrap_or(0);
            self.weight = Some(match search.order {
                TraceOrder::Newest | TraceOrder::Oldest => so_far.max(search.order.weight()(row.start)),
                TraceOrder::Slowest => so_far.max(row.duration),
                TraceOrder::MostSpans => self.count(row.start),
                TraceOrder::MostErrors if row.is_error => self.count(row.start),
                TraceOrder::MostErrors => so_far,
            });
        }
        let place = order(row.start, row.id, row.kind);
        // Roots before others, then the earliest.
        let rank = (row.parent.is_some(), place);
        if self.root.as_ref().is_none_or(|best| rank < best.rank) {
            self.root = Some(Root { rank, service: row.service.to_owned(), name: row.name.to_owned(), is_error: row.is_error });
        }
        if let Some(parent) = row.parent {
            self.siblings.add(parent, (row.service, row.name, row.kind));
        }
        let message = if row.is_error { message() } else { None };
        if row.is_error {
            self.error_count += 1;
            let rank = (message.is_none_or(is_code), failed(row.end, place));
            if self.first_error.as_ref().is_none_or(|(first, _)| rank < *first) {
                self.first_error = Some((rank, message.map(str::to_owned)));
            }
        }
        let at = self.service(row.service, place);
        if let Some(service) = self.services.get_mut(at) {
            service.add(row, place);
        }
        self.stands.add(row.stand(place, at), message);
    }

    fn count(&mut self, start: u64) -> u64 {
        let (count, newest) = self.counted;
        self.counted = (count + 1, newest.max(start));
        TraceOrder::weight_of(count + 1, newest.max(start))
    }

    /// The place of a service.
    fn service(&mut self, name: &str, first: Order) -> usize {
        self.services.iter().position(|service| service.name == name).unwrap_or_else(|| {
            self.services.push(Service { name: name.to_owned(), first, span_count: 0, error_count: 0, longest: Vec::new() });
            self.services.len() - 1
        })
    }

    /// Finds out where its failure starts, now that all its spans are there.
    fn settle(&mut self) {
        let Some((rank, message, services)) = self.stands.origin() else { return };
        let name = |at: u32| self.services.get(at as usize).map(|service| service.name.clone());
        let mut services = services.into_iter().filter_map(name);
        let Some(service) = services.next() else { return };
        let root = self.root.as_ref().map_or("", |root| root.service.as_str());
        let mut through: Vec<String> = Vec::new();
        for above in services.filter(|above| *above != service && above != root) {
            if !through.contains(&above) {
                through.push(above);
            }
        }
        self.failure = Some((rank, TraceFailure { service, message, through }));
        self.stands = Stands::default();
    }

    pub(super) fn finish(mut self, trace_id: TraceId, key: u64) -> TraceSummary {
        let start = self.start.unwrap_or_default();
        let root = self.root.unwrap_or_default();
        self.services.sort_by(|a, b| (a.first, &a.name).cmp(&(b.first, &b.name)));
        TraceSummary {
            trace_id,
            has_root: !root.rank.0,
            root_failed: !root.rank.0 && root.is_error,
            root_service: root.service,
            root_name: root.name,
            start: UnixNanos::new(start),
            duration: UnixNanos::new(start).until(UnixNanos::new(self.end)),
            span_count: self.seen.len(),
            error_count: self.error_count,
            matched: self.matched,
            key,
            services: self.services.into_iter().map(|service| service.finish(start)).collect(),
            first_error: self.first_error.and_then(|(_, message)| message),
            failure: self.failure.map(|(_, failure)| failure),
            repeated: self.siblings.most(),
        }
    }
}

impl Row<'_> {
    fn stand(&self, place: Order, service: usize) -> Stand {
        Stand {
            place,
            id: self.id,
            parent: self.parent,
            kind: SpanKind::from(self.kind),
            status: StatusCode::from(self.status),
            ended: (self.end.max(self.start), self.duration),
            service: u32::try_from(service).unwrap_or(u32::MAX),
            // Only names of calls are compared.
            name: if self.kind == SpanKind::Client.number() { hashed(self.name) } else { 0 },
            said: None,
        }
    }
}

/// Equal names have equal numbers.
fn hashed(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Service {
    fn add(&mut self, row: &Row<'_>, place: Order) {
        self.first = self.first.min(place);
        self.span_count += 1;
        self.error_count += usize::from(row.is_error);
        let at = self.longest.partition_point(|(duration, start)| (*duration, row.start) > (row.duration, *start));
        if at < SPANS_SHOWN {
            self.longest.insert(at, (row.duration, row.start));
            self.longest.truncate(SPANS_SHOWN);
        }
    }

    fn finish(self, trace_start: u64) -> ServiceInTrace {
        ServiceInTrace {
            name: self.name,
            span_count: self.span_count,
            error_count: self.error_count,
            spans: self.longest.into_iter().map(|(duration, start)| (start.saturating_sub(trace_start), duration)).collect(),
        }
    }
}
