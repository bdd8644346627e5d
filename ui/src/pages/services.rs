//! `/services`, `/services/{service}` and `/services/{service}/ops/{operation}`.

use axum::extract::Path;
use axum::response::Response;
use storage::{LogOrder, LogPage, LogSearch, NodeKind, ServicePoint, ServiceSummary, Signal, TimeRange, TraceOrder, TraceSearch};

use self::part::Part;
use super::home::POINTS;
use super::traces::DEFAULT_WINDOW;
use super::visit::html;
use super::{Visit, nearest};
use crate::ask;
use crate::error::Failure;
use crate::params::{Segment, Window, nearest};
use crate::view::chart::{Bars, FAILED, Lines, SPANS, requests};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::term;
use crate::view::map::written;
use crate::view::services::{
    ErrorOrder, Order, Peer, Service, Services, Tab, dependencies, error_rows, instance_rows, operations, peers, request_time, row,
    version_marks,
};
use crate::view::traces::Listing;
use crate::view::{logs, traces};

mod offered;
mod operation;
mod part;
mod trends;

pub(crate) use self::offered::Offered;
pub(super) use self::operation::page as operation;

/// `/services?from=&to=&name=&namespace=&env=`, and `sort` of services and `systems` of what they call: `most|failed|p95|name`.
pub(super) async fn list(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let store = visit.state.store();
    let (parted, parts) = window.parts(POINTS);
    let (services, map, part) =
        tokio::join!(store.services(parted, parts), store.service_map(window.range), Part::read(&visit, window.range));
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let mut services = services?;
    services.retain(|service| part.holds(&service.name));
    let all = services.len() as u64;
    services.retain(|service| part.is_named(&service.name));
    let order = visit.params.word("sort", &Order::WORDS)?.unwrap_or_default();
    order.services(&mut services);
    let of_peers = visit.params.word("systems", &Order::WORDS)?.unwrap_or_default();
    let sort = |name: &str| visit.params.get(name).unwrap_or_default();
    let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/services").with("from", from).href());
    let is_named = |peer: &Peer| part.is_named(&peer.name);
    Ok(html(&Services {
        frame: visit.frame(Place::Services, "Services", Some(&window)),
        otherwise: if all == 0 { vec![wide("Last 24 h", "now-24h"), wide("All time", "0")] } else { Vec::new() },
        summary: if part.name.is_empty() { String::new() } else { narrowed(services.len() as u64, all) },
        nothing: if all > 0 { none_named(&part.name, all) } else { String::new() },
        any_name: part.page.clone().with("name", "").with("sort", sort("sort")).with("systems", sort("systems")).href(),
        hidden: kept(&visit),
        rows: services.iter().map(|service| row(service, window.range, &links, &clock, &palette)).collect(),
        orders: order.list("Requests", &part.page.clone().with("systems", sort("systems"))),
        peer_orders: of_peers.list_as(("systems", "peers"), "Calls", &part.page.clone().with("sort", sort("sort"))),
        choices: part.choices.clone(),
        notes: part.notes.clone(),
        name: format::text(&part.name),
        peers: map.map(|map| peers(&map, of_peers, window.range, &links)).unwrap_or_default().into_iter().filter(is_named).collect(),
        problem: None,
        json: links.plain("/api/v1/services").with("from", &window.from).with("to", &window.to).href(),
    }))
}

fn narrowed(shown: u64, all: u64) -> String {
    format!("{} of {}", format::exact(shown), format::counted(all, "service", "services"))
}

fn none_named(name: &str, all: u64) -> String {
    let of = if all == 1 {
        "The service of this window has no".to_owned()
    } else {
        format!("None of the {} services of this window has", format::exact(all))
    };
    format!("{of} “{}” in its name.", format::line(name, 60))
}

/// What the form carries along.
fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "sort", "systems", "namespace", "env"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `?tab=operations|dependencies|errors|instances|logs` and, of operations, `sort=most|failed|p95|name`, of errors
/// `sort=most|requests|calls|steps|first|last` and `ever=1`, when each was first seen of all that is kept: one service.
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
    if page.row.is_none() {
        page.elsewhere = nearest::of_service(&visit, &name, window.range).await;
    }
    // Without them the charts are as true as before.
    let marks = version_marks(&versions.unwrap_or_default(), parted, &visit.clock());
    page.versions = marks.iter().map(|(_, words)| words.clone()).collect();
    let filled = match tab {
        Tab::Operations => fill_operations(&mut page, &visit, &name, window.range).await,
        Tab::Dependencies => fill_dependencies(&mut page, &visit, &name, window.range).await,
        Tab::Errors => Box::pin(fill_errors(&mut page, &visit, &name, &window)).await,
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
    let store = visit.state.store();
    let (found, trends) = tokio::join!(store.operations(name, range), trends::of_operations(store, name, range));
    let mut found = found?;
    let (whole, has_requests) = request_time(&found);
    // A word that is none was refused before.
    let order = visit.params.word("sort", &Order::WORDS).ok().flatten().unwrap_or_default();
    order.operations(&mut found);
    page.orders = order.list("Time", &visit.links().service(name));
    page.operations = operations(name, &found, whole, range, &visit.links());
    for (row, operation) in page.operations.iter_mut().zip(&found) {
        row.trend = trends.line(&operation.name, operation.kind);
    }
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
    let (groups, failed, counted, trends) = tokio::join!(
        ask::errors(store, Some(name), range),
        store.search_traces(search),
        store.histogram(Signal::Traces, &query, parted, parts),
        trends::of_errors(store, name, window)
    );
    let mut groups = groups?;
    let (links, clock) = (visit.links(), visit.clock());
    let here = links.service(name).with("tab", Tab::Errors.as_str()).with("sort", visit.params.get("sort").unwrap_or_default());
    let all = if page.row.as_ref().is_some_and(|row| row.is_failing) { " kind:server,consumer" } else { "" };
    let all = format!("{}{all}", term("service", name));
    page.contrast = links.windowed("/traces/compare-groups").with("q", &all).with("with", "status:error").href();
    page.first_ever = here.clone().with("ever", "1").href();
    page.is_ever = visit.params.get("ever") == Some("1");
    let here = here.with("ever", if page.is_ever { "1" } else { "" });
    if page.is_ever && !ask::first_ever(store, name, range, &mut groups).await {
        page.notes.push(
            "When these errors were first seen is not known: too many failed spans are kept to look at. First is the first in this window."
                .to_owned(),
        );
    }
    let bars = counted.map(|counted| Bars::new(&counted, parted, &FAILED, ("failed span", "failed spans"), &clock, &here));
    page.failed_spans = bars.ok().filter(|bars| !bars.is_empty);
    // A word that is none was refused before.
    let order = visit.params.word("sort", &ErrorOrder::WORDS).ok().flatten().unwrap_or_default();
    page.errors = error_rows(&groups, order, &trends, (&links, &clock));
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
        logs::row(record, logs::opened(links.logs(&query), record.record_id), false, &links, &clock, &palette)
    };
    page.logs = found.records.iter().map(log_row).collect();
    Ok(())
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
