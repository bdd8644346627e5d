//! `/traces`: search for traces; `/traces/compare-groups`: what tells a part of them from the rest.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{Grid, QueryError, Signal, TimeRange, TraceOrder, TracePage, TraceSearch};

use super::Visit;
use super::visit::html_with;
use crate::error::Failure;
use crate::params::Window;
use crate::view::facets::{Group, with};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::heat::{COLUMNS, Heat, Selection};
use crate::view::link::{Address, Links};
use crate::view::search::{Builder, Problem, effort};
use crate::view::traces::{Traces, rows};

mod contrast;
mod values;

pub(super) use self::contrast::page as contrast;
pub(super) use self::values::facets;

/// What is asked for: the query, and the part of the heat map that is selected.
#[derive(Clone, Debug)]
struct Asked {
    query: String,
    range: TimeRange,
    order: TraceOrder,
    selected: Option<Selection>,
}

/// `?q=&from=&to=&sort=newest|slowest&sel=&cursor=&limit=&live=1`; the plain form sends its fields with `form=1` and is sent on to the
/// query they make.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let links = visit.links();
    if visit.params.get("form").is_some() {
        return Ok(Redirect::to(&composed(&visit, &links)).into_response());
    }
    let asked = Asked {
        query: visit.params.get("q").unwrap_or_default().to_owned(),
        range: window.range,
        order: visit.params.word("sort", &[("newest", TraceOrder::Newest), ("slowest", TraceOrder::Slowest)])?.unwrap_or_default(),
        selected: visit.params.get("sel").and_then(Selection::parse),
    };
    let limit = visit.params.limit(PAGE, 200)?;
    let cursor = visit.params.cursor()?;
    let (narrowed, charted) = (asked.narrowed(), asked.charted());
    let search = TraceSearch { query: narrowed.clone(), range: asked.part(), order: asked.order, limit, cursor };
    let store = visit.state.store();
    let (found, grid, counted) = tokio::join!(
        store.search_traces(search),
        store.grid(&charted, asked.range, COLUMNS),
        facets(store, Signal::Traces, &narrowed, asked.part(), &FACETS),
    );
    let address = asked.address(&links);
    let mut page = frame_of(&visit, &window, &asked, &address, cursor.is_some());
    let status = match found {
        Ok(found) => {
            fill(&mut page, &visit, &found, &address);
            chart(&mut page, &visit, grid, &asked, &address);
            page.facets = counted.iter().map(|(title, field, values)| Group::new(title, field, values, &asked.query, &address)).collect();
            StatusCode::OK
        }
        Err(error) => {
            let failure = Failure::from(error);
            page.problem = Some(Problem::new(&failure, &asked.narrowed(), |mended| links.traces(mended).href()));
            failure.status
        }
    };
    Ok(html_with(status, &page))
}

// === impl Asked ===

impl Asked {
    /// The query with the durations that are selected.
    fn narrowed(&self) -> String {
        self.selected.map_or_else(|| self.query.clone(), |selected| with(&self.query, &selected.condition()))
    }

    /// The part of the window that is selected.
    fn part(&self) -> TimeRange {
        self.selected.map_or(self.range, |selected| selected.range(self.range))
    }

    /// What the chart counts: whole requests while nothing is asked.
    fn charted(&self) -> String {
        if self.query.trim().is_empty() { "root:true".to_owned() } else { self.query.clone() }
    }

    fn address(&self, links: &Links) -> Address {
        links.traces(&self.query).with("sort", if self.order == TraceOrder::Slowest { "slowest" } else { "" })
    }
}

fn frame_of(visit: &Visit, window: &Window, asked: &Asked, address: &Address, is_later: bool) -> Traces {
    let (links, query) = (visit.links(), &asked.query);
    let is_open = window.to == "now" && asked.selected.is_none() && !is_later && asked.order == TraceOrder::Newest;
    let is_live = is_open && visit.params.get("live") == Some("1");
    let since = visit.state.now().get().to_string();
    let live = links.plain("/live").with("for", "traces").with("q", query).with("since", &since);
    Traces {
        frame: visit.frame(Place::Traces, &title(query), Some(window)),
        builder: Builder::parse(query),
        services: visit.state.store().service_names(),
        hidden: kept(visit),
        orders: orders(&links, query, asked.order),
        json: json_link(&links, query, asked.order, window),
        newest: if is_later { address.href() } else { String::new() },
        live: if is_open { live.href() } else { String::new() },
        is_live,
        toggle_live: address.clone().with("live", if is_live { "" } else { "1" }).href(),
        complete: links.plain("/complete").with("for", "traces").href(),
        query: query.clone(),
        ..Traces::default()
    }
}

fn fill(page: &mut Traces, visit: &Visit, found: &TracePage, address: &Address) {
    let (links, clock) = (visit.links(), visit.clock());
    page.rows = rows(found, &links, &clock, &visit.palette());
    let here = address.clone().with("sel", visit.params.get("sel").unwrap_or_default());
    page.older = found.next.map(|next| here.with("cursor", &next.to_string()).href()).unwrap_or_default();
    page.notes.clone_from(&found.stats.notes);
    page.effort = effort(&found.stats);
    let more = if found.next.is_some() { ", more follow" } else { "" };
    page.summary = format!("{}{more}", format::counted(found.traces.len() as u64, "trace", "traces"));
    if found.traces.is_empty() {
        page.otherwise = otherwise(&links, &page.query);
    }
}

fn chart(page: &mut Traces, visit: &Visit, grid: Result<Grid, QueryError>, asked: &Asked, address: &Address) {
    let (clock, range) = (visit.clock(), asked.range);
    match grid {
        Ok(grid) => {
            page.notes.extend(grid.stats.notes.iter().filter(|note| !page.notes.contains(note)).cloned().collect::<Vec<_>>());
            page.heat = Some(Heat::new(&grid, range, asked.selected, address, &clock)).filter(|heat| !heat.cells.is_empty());
        }
        Err(error) => page.notes.push(format!("the chart is missing: {error}")),
    }
    page.selection = asked.selected.map(|selected| {
        let compare = visit.links().windowed("/traces/compare-groups").with("q", &asked.query);
        let compare = compare.with("sel", visit.params.get("sel").unwrap_or_default()).href();
        (selected.words(range, &clock), address.href(), compare)
    });
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

/// Heading and field of the values beside the list.
const FACETS: [(&str, &str); 8] = [
    ("Service", "service"),
    ("Operation", "name"),
    ("Status", "status"),
    ("Kind", "kind"),
    ("Exception", "exception.type"),
    ("HTTP status", "attr.http.response.status_code"),
    ("Environment", "resource.deployment.environment.name"),
    ("Version", "resource.service.version"),
];

/// Rows of one page.
const PAGE: usize = 50;

/// Without `from`.
pub(super) const DEFAULT_WINDOW: &str = "now-1h";
