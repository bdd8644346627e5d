//! Questions over a window of time: services, operations, and how their answers are kept for a while.
//!
//! A span that was stored twice is counted once. Counting is done by `rolled`, from roll-ups where they can answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answer::{Operation, QueryStats, ServicePoint, ServiceSummary};
use super::columns;
use super::predicate::Predicate;
use super::question::QueryError;
use super::rolled::{self, Counts, Item, Moment, Question, Rolls};
use super::scan::{Control, of_map};
use crate::model::{SpanKind, StatusCode, TimeRange, UnixNanos};
use crate::rollup::MINUTE;
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod ask;
mod cache;

pub(super) use self::cache::{Answer, Cache, Key};

/// Different operations of one service; more are counted together.
const MAX_OPERATIONS: usize = 5_000;
/// Name of operations that are counted together.
const OTHER: &str = "<other>";
/// Bytes of an operation beside its name and the buckets of its durations, about.
const OPERATION_BYTES: usize = size_of::<((String, &str), Requests)>();
/// Parts of a window.
const MAX_POINTS: usize = 500;

/// Services with spans or logs in the window, by name.
pub(super) fn services(
    snapshot: &Snapshot,
    range: TimeRange,
    points: usize,
    rolls: &Rolls,
    control: &Control,
) -> Result<(Vec<ServiceSummary>, QueryStats), QueryError> {
    if points > MAX_POINTS {
        return Err(QueryError::Invalid(format!("a window has at most {MAX_POINTS} parts, not {points}")));
    }
    let parts = Parts::new(range, points);
    let filter = Predicate::all();
    let question = Question {
        snapshot,
        signal: Signal::Traces,
        range,
        names: false,
        bare: false,
        in_shares: false,
        moment: parts.moment,
        filter: &filter,
    };
    let (states, mut stats) = rolled::fold(
        question,
        rolls,
        control,
        HashMap::<String, Service>::new,
        |services, item| {
            if let Some(service) = entry(services, item.service) {
                service.spans.take(item);
                if is_request(item.kind) {
                    service.requests.take(item, &parts);
                } else if item.entry {
                    service.entries.take(item, &parts);
                }
            }
        },
        |services, _| bytes(services, Service::heap_bytes),
    )?;
    let mut services = states.into_iter().reduce(merge).unwrap_or_default();
    let question = Question { signal: Signal::Logs, ..question };
    let (states, of_logs) = rolled::fold(
        question,
        rolls,
        control,
        HashMap::<String, Rows>::new,
        |counts, item| {
            if let Some(counts) = entry(counts, item.service) {
                counts.take(item);
            }
        },
        |counts, _| bytes(counts, |_| 0),
    )?;
    for (name, counts) in states.into_iter().flatten() {
        services.entry(name).or_default().logs.merge(&counts);
    }
    let found = services.into_iter().filter(|(_, service)| service.spans.rows + service.logs.rows > 0);
    let mut summaries: Vec<_> = found.map(|(name, service)| service.finish(name, points)).collect();
    summaries.sort_by(|a, b| a.name.cmp(&b.name));
    stats.add(of_logs);
    Ok((summaries, stats))
}

/// Names of all services that are stored, sorted. Segments without their index are left out.
pub(crate) fn service_names(snapshot: &Snapshot) -> Vec<String> {
    let mut names = BTreeSet::new();
    for table in [&snapshot.spans, &snapshot.logs] {
        for segment in &table.segments {
            names.extend(segment.services().unwrap_or_default().iter().cloned());
        }
        for batch in &table.buffered {
            let Ok(services) = columns::text(batch, column::SERVICE_NAME) else { continue };
            let mut last = "";
            // Rows of one service come in a row.
            for name in services.iter().flatten() {
                if name != last && !names.contains(name) {
                    names.insert(name.to_owned());
                }
                last = name;
            }
        }
    }
    names.into_iter().collect()
}

/// Operations of a service in the window, by name and kind.
pub(super) fn operations(
    snapshot: &Snapshot,
    service: &str,
    range: TimeRange,
    rolls: &Rolls,
    control: &Control,
) -> Result<(Vec<Operation>, QueryStats), QueryError> {
    type Found = BTreeMap<(String, &'static str), Requests>;
    let filter = Predicate::services(&[service.to_owned()]);
    // With too many operations, those that a worker meets first are told apart.
    let question = Question {
        snapshot,
        signal: Signal::Traces,
        range,
        names: true,
        bare: false,
        in_shares: true,
        moment: Moment::Nothing,
        filter: &filter,
    };
    let (states, stats) = rolled::fold(
        question,
        rolls,
        control,
        Found::new,
        |found, item| {
            let mut key = (item.name.to_owned(), SpanKind::from(item.kind).as_str());
            if found.len() >= MAX_OPERATIONS && !found.contains_key(&key) {
                OTHER.clone_into(&mut key.0);
            }
            found.entry(key).or_default().take(item);
        },
        |found, _| found.iter().map(|((name, _), requests)| OPERATION_BYTES + name.len() + requests.heap_bytes()).sum(),
    )?;
    let mut operations = Found::new();
    for (key, requests) in states.into_iter().flatten() {
        operations.entry(key).or_default().merge(&requests);
    }
    operations.retain(|_, requests| requests.counts.rows > 0);
    Ok((operations.into_iter().map(|((name, kind), requests)| requests.finish(name, kind)).collect(), stats))
}

fn is_request(kind: i32) -> bool {
    kind == SpanKind::Server.number() || kind == SpanKind::Consumer.number()
}

fn is_error(status: i32) -> bool {
    status == StatusCode::Error.number()
}

/// What is known of one service so far.
#[derive(Debug, Default)]
struct Service {
    spans: Rows,
    requests: Spread,
    /// Spans that were caused from outside, for services that neither serve nor consume.
    entries: Spread,
    logs: Rows,
}

/// How many rows, and the time of the latest.
#[derive(Debug, Default)]
struct Rows {
    rows: u64,
    last: u64,
}

/// Requests in a window and in its parts.
#[derive(Debug, Default)]
struct Spread {
    all: Requests,
    points: BTreeMap<usize, Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    counts: Counts,
    errors: u64,
}

/// Equal parts of a window. Parts of a minute or more begin with the minutes that begin in them, so that every minute lies in one part.
#[derive(Clone, Copy, Debug)]
struct Parts {
    range: TimeRange,
    count: usize,
    moment: Moment,
}

impl Parts {
    fn new(range: TimeRange, count: usize) -> Self {
        let width = range.to.since(range.from) / (count.max(1) as u64);
        let moment = match count {
            0 | 1 => Moment::Nothing,
            _ if width >= MINUTE => Moment::Minute,
            _ => Moment::All,
        };
        Self { range, count, moment }
    }

    fn of(&self, time: u64) -> usize {
        let time = if self.moment == Moment::Minute { (time / MINUTE * MINUTE).max(self.range.from.get()) } else { time };
        let width = u128::from(self.range.to.since(self.range.from).max(1));
        let offset = u128::from(UnixNanos::new(time).since(self.range.from));
        usize::try_from(offset * self.count as u128 / width).unwrap_or(self.count).min(self.count.saturating_sub(1))
    }
}

/// Bytes that services take, about, each with so many beside itself.
fn bytes<T>(of: &HashMap<String, T>, heap: impl Fn(&T) -> usize) -> usize {
    of_map(of) + of.iter().map(|(name, one)| name.len() + heap(one)).sum::<usize>()
}

/// Always finds or makes one; most names are known, so that no row needs an owned key.
fn entry<'a, T: Default>(of: &'a mut HashMap<String, T>, name: &str) -> Option<&'a mut T> {
    if !of.contains_key(name) {
        of.insert(name.to_owned(), T::default());
    }
    of.get_mut(name)
}

fn merge(mut all: HashMap<String, Service>, more: HashMap<String, Service>) -> HashMap<String, Service> {
    for (name, service) in more {
        all.entry(name).or_default().merge(&service);
    }
    all
}

impl Service {
    fn merge(&mut self, other: &Self) {
        self.spans.merge(&other.spans);
        self.requests.merge(&other.requests);
        self.entries.merge(&other.entries);
        self.logs.merge(&other.logs);
    }

    fn heap_bytes(&self) -> usize {
        self.requests.heap_bytes() + self.entries.heap_bytes()
    }

    fn finish(self, name: String, points: usize) -> ServiceSummary {
        let requests = self.requests.summed();
        let requests = if requests.all.counts.rows > 0 { requests } else { self.entries.summed() };
        let point = |part| {
            requests.points.get(&part).map_or_else(ServicePoint::default, |point| {
                let durations = &point.counts.durations;
                let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| durations.quantile(part));
                ServicePoint { requests: point.counts.rows, errors: point.errors, p50, p95, p99 }
            })
        };
        let durations = &requests.all.counts.durations;
        ServiceSummary {
            name,
            span_count: self.spans.rows,
            requests: requests.all.counts.rows,
            errors: requests.all.errors,
            p50: durations.quantile(0.5),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
            log_count: self.logs.rows,
            last_seen: UnixNanos::new(self.spans.last.max(self.logs.last)),
            points: (0..points).map(point).collect(),
        }
    }
}

impl Rows {
    fn take(&mut self, item: &Item<'_>) {
        self.rows = self.rows.saturating_add_signed(item.rows());
        self.last = self.last.max(item.last());
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.last = self.last.max(other.last);
    }
}

impl Spread {
    fn take(&mut self, item: &Item<'_>, parts: &Parts) {
        if parts.count > 0 {
            self.points.entry(parts.of(item.time)).or_default().take(item);
        } else {
            self.all.take(item);
        }
    }

    fn heap_bytes(&self) -> usize {
        let points = self.points.values().map(|point| size_of::<(usize, Requests)>() + point.heap_bytes());
        self.all.heap_bytes() + points.sum::<usize>()
    }

    /// With what its parts come to, which is counted only there.
    fn summed(mut self) -> Self {
        self.points.values().for_each(|point| self.all.merge(point));
        self
    }

    fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        for (part, requests) in &other.points {
            self.points.entry(*part).or_default().merge(requests);
        }
    }
}

impl Requests {
    fn take(&mut self, item: &Item<'_>) {
        self.counts.take(item);
        if is_error(item.status) {
            self.errors = self.errors.saturating_add_signed(item.rows());
        }
    }

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.errors += other.errors;
    }

    fn heap_bytes(&self) -> usize {
        self.counts.heap_bytes()
    }

    fn finish(&self, name: String, kind: &'static str) -> Operation {
        let durations = &self.counts.durations;
        Operation {
            name,
            kind,
            count: self.counts.rows,
            errors: self.errors,
            p50: durations.quantile(0.5),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
            total: u64::try_from(durations.sum()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
