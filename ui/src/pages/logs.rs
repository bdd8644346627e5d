//! `/logs`: search for log records.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{Histogram, LogOrder, LogPage, LogSearch, QueryError, Signal};

use super::Visit;
use super::traces::DEFAULT_WINDOW;
use super::visit::html_with;
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SEVERITIES};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::{Address, Links};
use crate::view::logs::{Logs, row};
use crate::view::search::{Builder, Problem, effort};

/// `?q=&from=&to=&sort=newest|oldest&row=&cursor=&limit=`; the plain form sends its fields with `form=1`.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let links = visit.links();
    if visit.params.get("form").is_some() {
        return Ok(Redirect::to(&composed(&visit, &links)).into_response());
    }
    let query = visit.params.get("q").unwrap_or_default().to_owned();
    let order = visit.params.word("sort", &[("newest", LogOrder::Newest), ("oldest", LogOrder::Oldest)])?.unwrap_or_default();
    let limit = visit.params.limit(PAGE, 1_000)?;
    let cursor = visit.params.cursor()?;
    let search = LogSearch { query: query.clone(), range: window.range, order, limit, cursor };
    let store = visit.state.store();
    let (found, counted) = tokio::join!(store.search_logs(search), store.histogram(Signal::Logs, &query, window.range, BUCKETS));
    let address = || links.logs(&query).with("sort", if order == LogOrder::Oldest { "oldest" } else { "" });
    let mut page = Logs {
        frame: visit.frame(Place::Logs, &title(&query), Some(&window)),
        builder: Builder::parse(&query),
        services: store.service_names(),
        hidden: kept(&visit),
        orders: orders(&links, &query, order),
        older_label: if order == LogOrder::Oldest { "Newer →" } else { "Older →" },
        json: links.plain("/api/v1/logs").with("q", &query).with("from", &window.from).with("to", &window.to).href(),
        newest: if cursor.is_some() { address().href() } else { String::new() },
        query: query.clone(),
        ..Logs::default()
    };
    let status = match found {
        Ok(found) => {
            fill(&mut page, &visit, &found, counted, &window, &address());
            StatusCode::OK
        }
        Err(error) => {
            let failure = Failure::from(error);
            page.problem = Some(Problem::new(&failure, &query, |mended| links.logs(mended).href()));
            failure.status
        }
    };
    Ok(html_with(status, &page))
}

fn fill(page: &mut Logs, visit: &Visit, found: &LogPage, counted: Result<Histogram, QueryError>, window: &Window, address: &Address) {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let open: Option<u64> = visit.params.get("row").and_then(|row| row.parse().ok());
    let here = address
        .clone()
        .with("cursor", visit.params.get("cursor").unwrap_or_default())
        .with("limit", visit.params.get("limit").unwrap_or_default());
    let rows = found.records.iter().map(|record| {
        let is_open = open == Some(record.record_id);
        let target = if is_open { String::new() } else { record.record_id.to_string() };
        let toggle = format!("{}#r{}", here.clone().with("row", &target).href(), record.record_id);
        row(record, toggle, is_open, &links, &clock, &palette)
    });
    page.rows = rows.collect();
    page.older = found.next.map(|next| address.clone().with("cursor", &next.to_string()).href()).unwrap_or_default();
    page.notes.clone_from(&found.stats.notes);
    page.effort = effort(&found.stats);
    match counted {
        Ok(histogram) => page.chart = Some(Bars::new(&histogram, window.range, &SEVERITIES, ("record", "records"), &clock, address)),
        Err(error) => page.notes.push(format!("the chart is missing: {error}")),
    }
    let more = if found.next.is_some() { ", more follow" } else { "" };
    page.summary = format!("{}{more}", format::counted(found.records.len() as u64, "record", "records"));
    if found.records.is_empty() {
        page.otherwise = otherwise(&links, &page.query);
    }
}

fn otherwise(links: &Links, query: &str) -> Vec<(String, String)> {
    let wide = |label: &str, from: &str| (label.to_owned(), links.logs(query).with("to", "").with("from", from).href());
    let mut otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    if !query.is_empty() {
        otherwise.push(("Without the query".to_owned(), links.logs("").href()));
    }
    otherwise
}

fn orders(links: &Links, query: &str, order: LogOrder) -> Vec<(&'static str, String, bool)> {
    let choice = |label, word, value| (label, links.logs(query).with("sort", word).href(), order == value);
    vec![choice("Newest", "", LogOrder::Newest), choice("Oldest", "oldest", LogOrder::Oldest)]
}

/// What the forms of this page carry along.
fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "sort"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn composed(visit: &Visit, links: &Links) -> String {
    let field = |name: &str| visit.params.get(name).unwrap_or_default().to_owned();
    let builder = Builder { service: field("service"), severity: field("severity"), rest: field("rest"), ..Builder::default() };
    links.logs(&builder.compose()).with("sort", &field("sort")).href()
}

fn title(query: &str) -> String {
    if query.is_empty() { "Logs".to_owned() } else { format!("{} – Logs", format::line(query, 60)) }
}

/// Rows of one page.
const PAGE: usize = 200;

/// Bars of the chart.
const BUCKETS: usize = 60;
