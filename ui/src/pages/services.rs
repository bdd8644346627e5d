//! `/services`, `/services/{service}` and `/services/{service}/ops/{operation}`.

use axum::extract::Path;
use axum::response::Response;
use storage::{
    LogOrder, LogPage, LogSearch, NodeKind, Operation, ServicePoint, ServiceSummary, Signal, TimeRange, TraceOrder, TracePage, TraceSearch,
};

use self::part::Part;
use super::Visit;
use super::home::POINTS;
use super::traces::DEFAULT_WINDOW;
use super::visit::html;
use crate::ask;
use crate::error::Failure;
use crate::params::{Segment, Window, nearest};
use crate::view::chart::{Bars, FAILED, Lines, SPANS, requests};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::term;
use crate::view::map::written;
use crate::view::services::{
    ErrorOrder, Latency, OperationPage, Order, Service, Services, Tab, dependencies, error_rows, instance_rows, operations, peers,
    request_time, row, version_marks,
};
use crate::view::traces::Listing;
use crate::view::{logs, traces};

mod offered;
mod part;

pub(crate) use self::offered::Offered;

/// `/services?from=&to=&namespace=&env=`, and `sort` of services and `systems` of what they call: `most|failed|p95|name`.
pub(super) async fn list(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let store = visit.state.store();
    let (parted, parts) = window.parts(POINTS);
    let (services, map, part) =
        tokio::join!(store.services(parted, parts), store.service_map(window.range), Part::read(&visit, window.range));
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let mut services = services?;
    let order = visit.params.word("sort", &Order::WORDS)?.unwrap_or_default();
    order.services(&mut services);
    let of_peers = visit.params.word("systems", &Order::WORDS)?.unwrap_or_default();
    let sort = |name: &str| visit.params.get(name).unwrap_or_default();
    let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/services").with("from", from).href());
    Ok(html(&Services {
        frame: visit.frame(Place::Services, "Services", Some(&window)),
        otherwise: if services.is_empty() { vec![wide("Last 24 h", "now-24h"), wide("All time", "0")] } else { Vec::new() },
        rows: services
            .iter()
            .filter(|service| part.holds(&service.name))
            .map(|service| row(service, window.range, &links, &clock, &palette))
            .collect(),
        orders: order.list("Requests", &part.page.clone().with("systems", sort("systems"))),
        peer_orders: of_peers.list_as(("systems", "peers"), "Calls", &part.page.with("sort", sort("sort"))),
        choices: part.choices,
        notes: part.notes,
        peers: map.map(|map| peers(&map, of_peers, window.range, &links)).unwrap_or_default(),
        problem: None,
        json: links.plain("/api/v1/services").with("from", &window.from).with("to", &window.to).href(),
    }))
}

/// `?tab=operations|dependencies|errors|instances|logs` and, of operations, `sort=most|failed|p95|name`, of errors
/// `sort=most|requests|calls|steps|first|last`: one service.
pub(super) async fn detail(mut visit: Visit, Path(Segment(name)): Path<Segment>) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let tab = visit.params.word("tab", &Tab::WORDS)?.unwrap_or_default();
    if tab == Tab::Errors {
        visit.params.word("sort", &ErrorOrder::WORDS)?;
    } else {
        visit.params.word("sort", &Order::WORDS)?;
    }
    known(&visit, &name)?;
    let (parted, parts) = window.parts(POINTS);
    let store = visit.state.store();
    let (services, versions) = tokio::join!(store.services(parted, parts), ask::versions(store, &name, window.range));
    let services = services?;
    let mut page = frame_of(&visit, &name, tab, &window, services.iter().find(|service| service.name == name));
    // Without them the charts are as true as before.
    let marks = version_marks(&versions.unwrap_or_default(), parted, &visit.clock());
    page.versions = marks.iter().map(|(_, words)| words.clone()).collect();
    let filled = match tab {
        Tab::Operations => fill_operations(&mut page, &visit, &name, window.range).await,
        Tab::Dependencies => fill_dependencies(&mut page, &visit, &name, window.range).await,
        Tab::Errors => fill_errors(&mut page, &visit, &name, &window).await,
        Tab::Instances => fill_instances(&mut page, &visit, &name, window.range).await,
        Tab::Logs => fill_logs(&mut page, &visit, &name, window.range).await,
    };
    if let Err(error) = filled {
        page.notes.push(format!("this part is missing: {error}"));
    }
    for chart in [&mut page.requests, &mut page.failed_spans].into_iter().flatten() {
        chart.marks.clone_from(&marks);
    }
    if let Some(chart) = &mut page.durations {
        chart.marks = marks;
    }
    Ok(html(&page))
}

fn frame_of(visit: &Visit, name: &str, tab: Tab, window: &Window, summary: Option<&ServiceSummary>) -> Service {
    let (links, clock, palette, range) = (visit.links(), visit.clock(), visit.palette(), window.range);
    let query = term("service", name);
    let (parted, _) = window.parts(POINTS);
    let bars = |summary: &ServiceSummary| {
        let counted = requests(&summary.points, parted);
        Bars::new(&counted, parted, &SPANS, ("request", "requests"), &clock, &links.service(name).with("tab", tab.as_str()))
    };
    let durations = |summary: &ServiceSummary| {
        let line = |value: fn(&ServicePoint) -> u64| summary.points.iter().map(value).collect::<Vec<u64>>();
        let lines = [("p50", "line-p50", line(|p| p.p50)), ("p95", "line-p95", line(|p| p.p95)), ("p99", "line-p99", line(|p| p.p99))];
        Lines::durations(&lines, parted, &clock)
    };
    Service {
        frame: visit.frame(Place::Services, &format!("{} – Services", format::name(name)), Some(window)),
        row: summary.map(|summary| row(summary, range, &links, &clock, &palette)),
        requests: summary.map(bars).filter(|bars| !bars.is_empty),
        durations: summary.and_then(durations),
        tab,
        tabs: tab.list(name, &links),
        traces: links.traces(&query).href(),
        failed: links.traces(&format!("{query} status:error")).href(),
        all_logs: links.logs(&query).href(),
        on_map: links.windowed("/map").with("focus", &written(&(name.to_owned(), NodeKind::Service))).href(),
        all_time: links.service(name).with("to", "").with("from", "0").href(),
        chip: palette.chip(name),
        ..Service::default()
    }
}

type Filled = Result<(), storage::QueryError>;

async fn fill_operations(page: &mut Service, visit: &Visit, name: &str, range: TimeRange) -> Filled {
    let mut found = visit.state.store().operations(name, range).await?;
    let (whole, has_requests) = request_time(&found);
    // A word that is none was refused before.
    let order = visit.params.word("sort", &Order::WORDS).ok().flatten().unwrap_or_default();
    order.operations(&mut found);
    page.orders = order.list("Time", &visit.links().service(name));
    page.operations = operations(name, &found, whole, range, &visit.links());
    page.has_requests = has_requests;
    Ok(())
}

async fn fill_dependencies(page: &mut Service, visit: &Visit, name: &str, range: TimeRange) -> Filled {
    let map = visit.state.store().service_map(range).await?;
    page.has_user = map.edges.iter().any(|edge| edge.to.0 == name && edge.from.1 == NodeKind::User);
    (page.callers, page.callees) = dependencies(name, &map, range, &visit.links(), &visit.palette());
    Ok(())
}

async fn fill_errors(page: &mut Service, visit: &Visit, name: &str, window: &Window) -> Filled {
    let (store, range, (parted, parts)) = (visit.state.store(), window.range, window.parts(POINTS));
    let query = format!("{} status:error", term("service", name));
    let search = TraceSearch { query: query.clone(), range, order: TraceOrder::Newest, limit: FEW, cursor: None };
    let (groups, failed, counted) = tokio::join!(
        ask::errors(store, Some(name), range),
        store.search_traces(search),
        store.histogram(Signal::Traces, &query, parted, parts)
    );
    let (links, clock) = (visit.links(), visit.clock());
    let here = links.service(name).with("tab", Tab::Errors.as_str());
    let bars = counted.map(|counted| Bars::new(&counted, parted, &FAILED, ("failed span", "failed spans"), &clock, &here));
    page.failed_spans = bars.ok().filter(|bars| !bars.is_empty);
    // A word that is none was refused before.
    let order = visit.params.word("sort", &ErrorOrder::WORDS).ok().flatten().unwrap_or_default();
    page.errors = error_rows(&groups?, order, &links, &clock);
    page.error_orders = order.list(&here);
    let listing = Listing { order: TraceOrder::Newest, list: "", links: &links, clock: &clock, palette: &visit.palette() };
    page.failures = traces::rows(&failed.unwrap_or_default(), &listing);
    Ok(())
}

async fn fill_instances(page: &mut Service, visit: &Visit, name: &str, range: TimeRange) -> Filled {
    let found = ask::instances(visit.state.store(), name, range).await?;
    page.instances = instance_rows(name, &found, &visit.links(), &visit.clock());
    Ok(())
}

async fn fill_logs(page: &mut Service, visit: &Visit, name: &str, range: TimeRange) -> Filled {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let query = term("service", name);
    let search = LogSearch { query: query.clone(), range, order: LogOrder::Newest, limit: LOGS, cursor: None };
    let found: LogPage = visit.state.store().search_logs(search).await?;
    let log_row = |record: &storage::LogRecord| {
        let whole = links.logs(&query).with("row", &record.record_id.to_string());
        logs::row(record, format!("{}#r{}", whole.href(), record.record_id), false, &links, &clock, &palette)
    };
    page.logs = found.records.iter().map(log_row).collect();
    Ok(())
}

/// `?kind=`: one operation of a service: how long it takes, and examples.
pub(super) async fn operation(
    mut visit: Visit,
    Path((Segment(service), Segment(name))): Path<(Segment, Segment)>,
) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    known(&visit, &service)?;
    let range = window.range;
    let kind = visit.params.get("kind").unwrap_or_default().to_owned();
    let mut query = format!("{} name={}", term("service", &service), crate::view::link::quoted(&name));
    if !kind.is_empty() {
        query = format!("{query} {}", term("kind", &kind));
    }
    let store = visit.state.store();
    let search = |query: String, order| store.search_traces(TraceSearch { query, range, order, limit: FEW, cursor: None });
    let (all, grid, slow, failed) = tokio::join!(
        store.operations(&service, range),
        store.grid(&query, range, 1),
        search(query.clone(), TraceOrder::Slowest),
        search(format!("{query} status:error"), TraceOrder::Newest),
    );
    let all = all?;
    let mut meant = Vec::new();
    let mut fitting: Vec<&Operation> = all.iter().filter(|op| op.name == name && (kind.is_empty() || op.kind == kind)).collect();
    fitting.sort_by_key(|operation| std::cmp::Reverse(operation.count));
    let found = fitting.first().copied();
    if found.is_none() && all.iter().all(|op| op.name != name) {
        let names: Vec<&str> = all.iter().map(|op| op.name.as_str()).collect();
        let near = nearest(&name, &names).into_iter().map(|near| (format::name(&near), visit.links().operation(&service, &near).href()));
        meant = near.collect();
    }
    let marks: Vec<(&'static str, u64)> = found.map(|op| vec![("p50", op.p50), ("p95", op.p95), ("p99", op.p99)]).unwrap_or_default();
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let list = |page: Result<TracePage, storage::QueryError>, order| {
        traces::rows(&page.unwrap_or_default(), &Listing { order, list: "", links: &links, clock: &clock, palette: &palette })
    };
    let slowest = found.map(|op| format!("duration>={}", format::written(op.p95))).unwrap_or_default();
    Ok(html(&OperationPage {
        frame: visit.frame(Place::Services, &format!("{} – {}", format::name(&name), format::name(&service)), Some(&window)),
        chip: palette.chip(&service),
        service: links.service(&service).href(),
        row: found.and_then(|op| operations(&service, std::slice::from_ref(op), request_time(&all).0, range, &links).pop()),
        latency: grid.map(|grid| Latency::new(&grid, &query, &marks, range, &links)).unwrap_or_default(),
        examples: examples(&visit, &query, &marks, range).await,
        slow: list(slow, TraceOrder::Slowest),
        failed: list(failed, TraceOrder::Newest),
        traces: links.traces(&query).href(),
        failures: links.traces(&format!("{query} status:error")).href(),
        compare: links.windowed("/traces/compare-groups").with("q", &query).with("with", &slowest).href(),
        notes: Vec::new(),
        meant,
        all_time: links.operation(&service, &name).with("kind", &kind).with("to", "").with("from", "0").href(),
        name: format::name(&name),
    }))
}

/// The newest trace in which the operation took about as long as a percentile says.
async fn examples(visit: &Visit, query: &str, marks: &[(&'static str, u64)], range: TimeRange) -> Vec<(&'static str, String, String)> {
    let mut examples = Vec::new();
    for (word, nanos) in marks {
        let (from, to) = storage::Grid::bounds(storage::Grid::row_of(*nanos));
        let near = format!("{query} duration>={} duration<{}", format::written(from), format::written(to));
        let search = TraceSearch { query: near, range, order: TraceOrder::Newest, limit: 1, cursor: None };
        let found = visit.state.store().search_traces(search).await.unwrap_or_default();
        if let Some(trace) = found.traces.first() {
            examples.push((*word, format::duration(*nanos), visit.links().trace(&trace.trace_id).href()));
        }
    }
    examples
}

fn known(visit: &Visit, name: &str) -> Result<(), Failure> {
    let known = visit.state.store().service_names();
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut failure = Failure::not_found(format!("no service `{}` has been seen", crate::params::shown(name)));
    failure.suggestions = nearest(name, &names);
    Err(failure)
}

/// Traces of a short list.
const FEW: usize = 8;

/// Log records of the tab.
const LOGS: usize = 100;
