//! `/traces`: search for traces.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{Histogram, QueryError, Signal, TraceOrder, TracePage, TraceSearch};

use super::Visit;
use super::visit::html_with;
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SPANS};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::{Address, Links};
use crate::view::search::{Builder, Problem, effort};
use crate::view::traces::{Traces, rows};

/// `?q=&from=&to=&sort=newest|slowest&cursor=&limit=`; the plain form sends its fields with `form=1` and is sent on to the query they make.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let links = visit.links();
    if visit.params.get("form").is_some() {
        return Ok(Redirect::to(&composed(&visit, &links)).into_response());
    }
    let query = visit.params.get("q").unwrap_or_default().to_owned();
    let order = visit.params.word("sort", &[("newest", TraceOrder::Newest), ("slowest", TraceOrder::Slowest)])?.unwrap_or_default();
    let limit = visit.params.limit(PAGE, 200)?;
    let cursor = visit.params.cursor()?;
    let search = TraceSearch { query: query.clone(), range: window.range, order, limit, cursor };
    let store = visit.state.store();
    let (found, counted) = tokio::join!(store.search_traces(search), store.histogram(Signal::Traces, &query, window.range, BUCKETS));
    let address = || links.traces(&query).with("sort", if order == TraceOrder::Slowest { "slowest" } else { "" });
    let mut page = Traces {
        frame: visit.frame(Place::Traces, &title(&query), Some(&window)),
        builder: Builder::parse(&query),
        services: store.service_names(),
        hidden: kept(&visit),
        orders: orders(&links, &query, order),
        json: json_link(&links, &query, order, &window),
        newest: if cursor.is_some() { address().href() } else { String::new() },
        query: query.clone(),
        ..Traces::default()
    };
    let status = match found {
        Ok(found) => {
            fill(&mut page, &visit, &found, counted, &window, &address());
            StatusCode::OK
        }
        Err(error) => {
            let failure = Failure::from(error);
            page.problem = Some(Problem::new(&failure, &query, |mended| links.traces(mended).href()));
            failure.status
        }
    };
    Ok(html_with(status, &page))
}

fn fill(page: &mut Traces, visit: &Visit, found: &TracePage, counted: Result<Histogram, QueryError>, window: &Window, address: &Address) {
    let (links, clock) = (visit.links(), visit.clock());
    page.rows = rows(found, &links, &clock, &visit.palette());
    page.older = found.next.map(|next| address.clone().with("cursor", &next.to_string()).href()).unwrap_or_default();
    page.notes.clone_from(&found.stats.notes);
    page.effort = effort(&found.stats);
    match counted {
        Ok(histogram) => {
            page.chart = Some(Bars::new(&histogram, window.range, &SPANS, ("matching span", "matching spans"), &clock, address))
        }
        Err(error) => page.notes.push(format!("the chart is missing: {error}")),
    }
    let more = if found.next.is_some() { ", more follow" } else { "" };
    page.summary = format!("{}{more}", format::counted(found.traces.len() as u64, "trace", "traces"));
    if found.traces.is_empty() {
        page.otherwise = otherwise(&links, &page.query);
    }
}

/// What to try when nothing was found.
fn otherwise(links: &Links, query: &str) -> Vec<(String, String)> {
    let wide = |label: &str, from: &str| (label.to_owned(), links.traces(query).with("to", "").with("from", from).href());
    let mut otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    if !query.is_empty() {
        otherwise.push(("Without the query".to_owned(), links.traces("").href()));
    }
    otherwise
}

fn orders(links: &Links, query: &str, order: TraceOrder) -> Vec<(&'static str, String, bool)> {
    let choice = |label, word, value| (label, links.traces(query).with("sort", word).href(), order == value);
    vec![choice("Newest", "", TraceOrder::Newest), choice("Slowest", "slowest", TraceOrder::Slowest)]
}

fn json_link(links: &Links, query: &str, order: TraceOrder, window: &Window) -> String {
    let sort = if order == TraceOrder::Slowest { "slowest" } else { "" };
    let address = links.plain("/api/v1/traces").with("q", query).with("order", sort);
    address.with("from", &window.from).with("to", &window.to).href()
}

/// What the forms of this page carry along.
fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "sort"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn composed(visit: &Visit, links: &Links) -> String {
    let field = |name: &str| visit.params.get(name).unwrap_or_default().to_owned();
    let builder = Builder {
        service: field("service"),
        operation: field("operation"),
        status: field("status"),
        severity: String::new(),
        min: field("min"),
        max: field("max"),
        rest: field("rest"),
    };
    links.traces(&builder.compose()).with("sort", &field("sort")).href()
}

fn title(query: &str) -> String {
    if query.is_empty() { "Traces".to_owned() } else { format!("{} – Traces", format::line(query, 60)) }
}

/// Rows of one page.
const PAGE: usize = 50;

/// Bars of the chart.
const BUCKETS: usize = 60;

/// Without `from`.
pub(super) const DEFAULT_WINDOW: &str = "now-1h";
