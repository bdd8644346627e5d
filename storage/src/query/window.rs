//! Questions over a window of time: services, operations, and how their answers are kept for a while.
//!
//! A span that was stored twice is counted once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::RecordBatch;

use super::answer::{Operation, ServicePoint, ServiceSummary};
use super::columns;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Scan, Wanted};
use super::sketch::Sketch;
use crate::model::{SpanKind, StatusCode, TimeRange, UnixNanos};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod ask;
mod cache;
mod seen;

pub(super) use self::cache::{Answer, Cache, Key};
pub(super) use self::seen::{DEDUPLICATION, Seen, SpanKeys};

/// Different operations of one service; more are counted together.
const MAX_OPERATIONS: usize = 5_000;
/// Name of operations that are counted together.
const OTHER: &str = "<other>";
/// Parts of a window.
const MAX_POINTS: usize = 500;

/// Services with spans or logs in the window, by name.
pub(super) fn services(snapshot: &Snapshot, range: TimeRange, points: usize, control: &Control) -> Result<Vec<ServiceSummary>, QueryError> {
    if points > MAX_POINTS {
        return Err(QueryError::Invalid(format!("a window has at most {MAX_POINTS} parts, not {points}")));
    }
    let predicate = Predicate::all();
    let mut wanted = vec![column::SERVICE_NAME, column::DURATION, column::STATUS_CODE];
    wanted.extend(DEDUPLICATION);
    let seen = Seen::of(snapshot)?;
    let mut scan = Scan::new(snapshot, Signal::Traces, range, &predicate.hints, control)?;
    let states = scan.fold(Wanted { columns: &wanted, predicate: &predicate }, HashMap::<String, Service>::new, |services, rows| {
        let keys = SpanKeys::of(rows.batch)?;
        let columns = Columns::of(rows.batch)?;
        for row in rows.alive.set_indices().filter(|row| seen.is_first(keys.start(*row), || keys.hash(*row))) {
            let Some(service) = entry(services, columns.services.value(row)) else { continue };
            let start = columns::nanos(columns.starts, row);
            service.spans += 1;
            service.last_seen = service.last_seen.max(start);
            if is_request(columns.kinds.value(row)) {
                service.request(start, columns::nanos(columns.durations, row), is_error(columns.statuses.value(row)), range, points);
            }
        }
        Ok(())
    })?;
    let mut services = states.into_iter().reduce(merge).unwrap_or_default();
    entries_without_requests(snapshot, range, points, control, &mut services)?;
    count_logs(snapshot, range, control, &mut services)?;
    let mut summaries: Vec<_> = services.into_iter().map(|(name, service)| service.finish(name, points)).collect();
    summaries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(summaries)
}

/// Services that neither serve nor consume: their requests are the spans that nothing of the same service has caused.
fn entries_without_requests(
    snapshot: &Snapshot,
    range: TimeRange,
    points: usize,
    control: &Control,
    services: &mut HashMap<String, Service>,
) -> Result<(), QueryError> {
    let names: Vec<String> = services.iter().filter(|(_, service)| service.requests == 0).map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let predicate = Predicate::services(&names);
    let mut wanted = vec![column::SERVICE_NAME, column::DURATION, column::STATUS_CODE, column::PARENT_SPAN_ID];
    wanted.extend(DEDUPLICATION);
    let seen = Seen::of(snapshot)?;
    let mut own: HashMap<String, HashSet<u64>> = HashMap::new();
    let mut open = Vec::new();
    let mut scan = Scan::new(snapshot, Signal::Traces, range, &predicate.hints, control)?;
    scan.run(
        Wanted { columns: &wanted, predicate: &predicate },
        |_| false,
        |rows| {
            let keys = SpanKeys::of(rows.batch)?;
            let columns = Columns::of(rows.batch)?;
            let parents = columns::id(rows.batch, column::PARENT_SPAN_ID)?;
            for row in rows.alive.set_indices().filter(|row| seen.is_first(keys.start(*row), || keys.hash(*row))) {
                let name = columns.services.value(row);
                if !own.contains_key(name) {
                    own.insert(name.to_owned(), HashSet::new());
                }
                if let Some(own) = own.get_mut(name) {
                    own.insert(keys.span(row));
                }
                let parent = columns::span_id(parents, row).map(|parent| keys.span_in_trace(row, parent));
                let error = is_error(columns.statuses.value(row));
                open.push((name.to_owned(), parent, columns::nanos(columns.starts, row), columns::nanos(columns.durations, row), error));
            }
            Ok(())
        },
    )?;
    for (name, parent, start, duration, error) in open {
        let local = parent.is_some_and(|parent| own.get(&name).is_some_and(|own| own.contains(&parent)));
        if !local && let Some(service) = entry(services, &name) {
            service.request(start, duration, error, range, points);
        }
    }
    Ok(())
}

fn count_logs(snapshot: &Snapshot, range: TimeRange, control: &Control, services: &mut HashMap<String, Service>) -> Result<(), QueryError> {
    let predicate = Predicate::all();
    let mut scan = Scan::new(snapshot, Signal::Logs, range, &predicate.hints, control)?;
    let wanted = Wanted { columns: &[column::SERVICE_NAME], predicate: &predicate };
    let counted = scan.fold(wanted, HashMap::<String, (u64, u64)>::new, |counts, rows| {
        let names = columns::text(rows.batch, column::SERVICE_NAME)?;
        let times = columns::long(rows.batch, column::TIME)?;
        for row in rows.alive.set_indices() {
            let name = names.value(row);
            let time = columns::nanos(times, row);
            if let Some((count, last)) = counts.get_mut(name) {
                *count += 1;
                *last = time.max(*last);
            } else {
                counts.insert(name.to_owned(), (1, time));
            }
        }
        Ok(())
    })?;
    for (name, (count, last)) in counted.into_iter().flatten() {
        if let Some(service) = entry(services, &name) {
            service.logs += count;
            service.last_seen = service.last_seen.max(last);
        }
    }
    Ok(())
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
pub(super) fn operations(snapshot: &Snapshot, service: &str, range: TimeRange, control: &Control) -> Result<Vec<Operation>, QueryError> {
    type Found = HashMap<(String, i32), Counted>;
    let predicate = Predicate::services(&[service.to_owned()]);
    let mut wanted = vec![column::NAME, column::DURATION, column::STATUS_CODE];
    wanted.extend(DEDUPLICATION);
    let seen = Seen::of(snapshot)?;
    let mut scan = Scan::new(snapshot, Signal::Traces, range, &predicate.hints, control)?;
    let states = scan.fold(Wanted { columns: &wanted, predicate: &predicate }, Found::new, |found, rows| {
        let keys = SpanKeys::of(rows.batch)?;
        let names = columns::text(rows.batch, column::NAME)?;
        let durations = columns::long(rows.batch, column::DURATION)?;
        let kinds = columns::int(rows.batch, column::KIND)?;
        let statuses = columns::int(rows.batch, column::STATUS_CODE)?;
        for row in rows.alive.set_indices().filter(|row| seen.is_first(keys.start(*row), || keys.hash(*row))) {
            let mut key = (names.value(row).to_owned(), kinds.value(row));
            if found.len() >= MAX_OPERATIONS && !found.contains_key(&key) {
                OTHER.clone_into(&mut key.0);
            }
            found.entry(key).or_default().add(columns::nanos(durations, row), is_error(statuses.value(row)));
        }
        Ok(())
    })?;
    // Kinds that are not known read alike, and are one operation.
    let mut operations: BTreeMap<(String, &'static str), Counted> = BTreeMap::new();
    for ((name, kind), counted) in states.into_iter().flatten() {
        operations.entry((name, SpanKind::from(kind).as_str())).or_default().merge(&counted);
    }
    Ok(operations.into_iter().map(|((name, kind), counted)| counted.finish(name, kind)).collect())
}

struct Columns<'a> {
    services: &'a arrow::array::StringViewArray,
    starts: &'a arrow::array::Int64Array,
    durations: &'a arrow::array::Int64Array,
    kinds: &'a arrow::array::Int32Array,
    statuses: &'a arrow::array::Int32Array,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self {
            services: columns::text(batch, column::SERVICE_NAME)?,
            starts: columns::long(batch, column::START_TIME)?,
            durations: columns::long(batch, column::DURATION)?,
            kinds: columns::int(batch, column::KIND)?,
            statuses: columns::int(batch, column::STATUS_CODE)?,
        })
    }
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
    spans: u64,
    requests: u64,
    errors: u64,
    logs: u64,
    last_seen: u64,
    durations: Sketch,
    points: BTreeMap<usize, Point>,
}

#[derive(Debug, Default)]
struct Point {
    requests: u64,
    errors: u64,
    durations: Sketch,
}

#[derive(Debug, Default)]
struct Counted {
    count: u64,
    errors: u64,
    total: u64,
    durations: Sketch,
}

/// Always finds or makes one; most names are known, so that no row needs an owned key.
fn entry<'a>(services: &'a mut HashMap<String, Service>, name: &str) -> Option<&'a mut Service> {
    if !services.contains_key(name) {
        services.insert(name.to_owned(), Service::default());
    }
    services.get_mut(name)
}

fn merge(mut all: HashMap<String, Service>, more: HashMap<String, Service>) -> HashMap<String, Service> {
    for (name, service) in more {
        all.entry(name).or_default().merge(service);
    }
    all
}

impl Service {
    fn request(&mut self, start: u64, duration: u64, error: bool, range: TimeRange, points: usize) {
        self.requests += 1;
        self.errors += u64::from(error);
        self.durations.add(duration);
        if points > 0 {
            let point = self.points.entry(part_of(start, range, points)).or_default();
            point.requests += 1;
            point.errors += u64::from(error);
            point.durations.add(duration);
        }
    }

    fn merge(&mut self, other: Self) {
        self.spans += other.spans;
        self.requests += other.requests;
        self.errors += other.errors;
        self.logs += other.logs;
        self.last_seen = self.last_seen.max(other.last_seen);
        self.durations.merge(&other.durations);
        for (part, other) in other.points {
            let point = self.points.entry(part).or_default();
            point.requests += other.requests;
            point.errors += other.errors;
            point.durations.merge(&other.durations);
        }
    }

    fn finish(self, name: String, points: usize) -> ServiceSummary {
        let point = |part| {
            self.points.get(&part).map_or_else(ServicePoint::default, |point| ServicePoint {
                requests: point.requests,
                errors: point.errors,
                p95: point.durations.quantile(0.95),
            })
        };
        ServiceSummary {
            name,
            span_count: self.spans,
            requests: self.requests,
            errors: self.errors,
            p50: self.durations.quantile(0.5),
            p95: self.durations.quantile(0.95),
            p99: self.durations.quantile(0.99),
            log_count: self.logs,
            last_seen: UnixNanos::new(self.last_seen),
            points: (0..points).map(point).collect(),
        }
    }
}

/// Which of equal parts of the window a time lies in.
fn part_of(time: u64, range: TimeRange, parts: usize) -> usize {
    let width = u128::from(range.to.since(range.from).max(1));
    let offset = u128::from(UnixNanos::new(time).since(range.from));
    usize::try_from(offset * parts as u128 / width).unwrap_or(parts).min(parts.saturating_sub(1))
}

impl Counted {
    fn add(&mut self, duration: u64, error: bool) {
        self.count += 1;
        self.errors += u64::from(error);
        self.total = self.total.saturating_add(duration);
        self.durations.add(duration);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.total = self.total.saturating_add(other.total);
        self.durations.merge(&other.durations);
    }

    fn finish(&self, name: String, kind: &'static str) -> Operation {
        Operation {
            name,
            kind,
            count: self.count,
            errors: self.errors,
            p50: self.durations.quantile(0.5),
            p95: self.durations.quantile(0.95),
            p99: self.durations.quantile(0.99),
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests;
