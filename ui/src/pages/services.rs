//! `/services` and `/services/{service}`.

use axum::extract::Path;
use axum::response::Response;
use storage::{LogOrder, LogPage, LogSearch, Signal, TimeRange, TraceOrder, TracePage, TraceSearch};

use super::Visit;
use super::home::POINTS;
use super::traces::DEFAULT_WINDOW;
use super::visit::html;
use crate::error::Failure;
use crate::params::nearest;
use crate::view::chart::{Bars, SPANS};
use crate::view::frame::Place;
use crate::view::link::term;
use crate::view::services::{Service, Services, dependencies, operations, peers, row};
use crate::view::{logs, traces};

/// `/services?from=&to=`.
pub(super) async fn list(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let store = visit.state.store();
    let (services, map) = tokio::join!(store.services(window.range, POINTS), store.service_map(window.range));
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let mut services = services?;
    services.sort_by_key(|service| std::cmp::Reverse(service.requests));
    let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/services").with("from", from).href());
    Ok(html(&Services {
        frame: visit.frame(Place::Services, "Services", Some(&window)),
        otherwise: if services.is_empty() { vec![wide("Last 24 h", "now-24h"), wide("All time", "0")] } else { Vec::new() },
        rows: services.iter().map(|service| row(service, window.range, &links, &clock, &palette)).collect(),
        peers: map.map(|map| peers(&map, window.range, &links)).unwrap_or_default(),
        problem: None,
        json: links.plain("/api/v1/services").with("from", &window.from).with("to", &window.to).href(),
    }))
}

/// One service: operations, neighbours, recent failures.
pub(super) async fn detail(mut visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let known = visit.state.store().service_names();
    if !known.contains(&name) {
        return Err(unknown(&name, &known));
    }
    let (store, range) = (visit.state.store(), window.range);
    let query = term("service", &name);
    let (services, ops, map, counted, failed, records) = tokio::join!(
        store.services(range, POINTS),
        store.operations(&name, range),
        store.service_map(range),
        store.histogram(Signal::Traces, &query, range, 60),
        store.search_traces(failures(&query, range)),
        store.search_logs(complaints(&query, range)),
    );
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let (callers, callees) = map.map(|map| dependencies(&name, &map, range, &links, &palette)).unwrap_or_default();
    let chart = counted.ok().map(|histogram| Bars::new(&histogram, range, &SPANS, ("span", "spans"), &clock, &links.service(&name)));
    let log_row = |record: &storage::LogRecord| {
        let whole = links.logs(&format!("{query} severity>=warn")).with("row", &record.record_id.to_string());
        logs::row(record, format!("{}#r{}", whole.href(), record.record_id), false, &links, &clock, &palette)
    };
    Ok(html(&Service {
        frame: visit.frame(Place::Services, &format!("{} – Services", crate::view::format::name(&name)), Some(&window)),
        row: services?.iter().find(|service| service.name == name).map(|service| row(service, range, &links, &clock, &palette)),
        chart,
        operations: operations(&name, ops?, range, &links),
        callers,
        callees,
        failures: traces::rows(&failed.unwrap_or_else(|_| TracePage::default()), &links, &clock, &palette),
        logs: records.unwrap_or_else(|_| LogPage::default()).records.iter().map(log_row).collect(),
        notes: Vec::new(),
        traces: links.traces(&query).href(),
        failed: links.traces(&format!("{query} status:error")).href(),
        all_logs: links.logs(&query).href(),
        on_map: links.windowed("/map").with("focus", &name).href(),
        all_time: links.service(&name).with("to", "").with("from", "0").href(),
        chip: palette.chip(&name),
    }))
}

fn failures(query: &str, range: TimeRange) -> TraceSearch {
    TraceSearch { query: format!("{query} status:error"), range, order: TraceOrder::Newest, limit: 8, cursor: None }
}

fn complaints(query: &str, range: TimeRange) -> LogSearch {
    LogSearch { query: format!("{query} severity>=warn"), range, order: LogOrder::Newest, limit: 10, cursor: None }
}

fn unknown(name: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut failure = Failure::not_found(format!("no service `{}` has been seen", crate::params::shown(name)));
    failure.suggestions = nearest(name, &known);
    failure
}
