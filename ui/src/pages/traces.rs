//! `/traces`: search for traces; `/traces/compare-groups`: what tells a part of them from the rest.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{Cursor, Signal, TimeRange, TraceOrder, TracePage, TraceSearch};

use super::visit::html_with;
use super::{Visit, ahead, behind, conditions, nearest};
use crate::api::search::TRACE_FILTERS;
use crate::error::Failure;
use crate::params::{Params, TRACE_ORDERS, Window};
use crate::view::facets::{Group, with};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::heat::{Counts, Selection};
use crate::view::hints::{of_nothing, other_language};
use crate::view::link::{Address, Links};
use crate::view::search::{Builder, Problem, effort, sentence};
use crate::view::traces::{Columns, Listing, Matched, Traces, rows};

mod chart;
mod contrast;
mod counting;
mod values;
mod ways;

pub(super) use self::contrast::page as contrast;
use self::counting::Counting;
pub(super) use self::values::{ValuesOf, facets};
use self::ways::{against_rest, api_links, composed, kept, orders, otherwise, reference, word_of};

/// What is asked for: the query, the part of the heat map that is selected, and which page of what is found.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    query: String,
    range: TimeRange,
    order: TraceOrder,
    selected: Option<Selection>,
    pub(super) limit: usize,
    cursor: Option<Cursor>,
}

/// `?q=&from=&to=&sort=newest|oldest|slowest|spans|errors&sel=&cursor=&limit=&live=1`; the plain form sends its fields with `form=1` and is sent
/// on to the query they make.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let links = visit.links();
    if visit.params.get("form").is_some() {
        return Ok(Redirect::to(&composed(&visit, &links)).into_response());
    }
    let asked = Asked::read(&visit.params, window.range)?;
    let store = visit.state.store();
    // Whoever finds no span is told of log records; they are asked for while the chart is still counted.
    let search = async {
        let found = store.search_traces(asked.search(asked.limit)).await;
        let is_empty = found.as_ref().is_ok_and(|found| found.traces.is_empty()) && asked.cursor.is_none();
        let in_logs = if is_empty { in_logs(&visit, &asked).await } else { None };
        (found, in_logs)
    };
    let ((found, in_logs), counting, (grid, counted)) = if asked.matched(&visit) == Matched::Traces {
        let searched = search.await;
        let counting = Counting::of_whole(&searched.0, &asked);
        let counted = counting.count(store, &asked).await;
        (searched, counting, counted)
    } else {
        let (searched, counted) = tokio::join!(search, Counting::Matches.count(store, &asked));
        (searched, Counting::Matches, counted)
    };
    let points = chart::points(store, grid.as_ref(), &counting.charted(&asked), asked.range).await;
    let address = asked.address(&links);
    let mut page = frame_of(&visit, &window, &asked, &address);
    let status = match found {
        Ok(found) => {
            fill(&mut page, &visit, &found, &asked, &address);
            if found.traces.is_empty() && asked.cursor.is_none() {
                page.hints.extend(ahead::told(&visit, Signal::Traces).await);
                page.hints.extend(behind::told(&visit, ("/traces", Signal::Traces, &asked.query), window.range.from).await);
                if !without_errors(&mut page, &visit, &asked).await && asked.selected.is_none() {
                    page.hints.extend(conditions::told(&visit, Signal::Traces, &asked.query, asked.range).await);
                    page.hints.extend(nearest::told(&visit, Signal::Traces, &asked.query, asked.range).await);
                }
            }
            page.in_logs = in_logs;
            if !page.rows.is_empty() && asked.selected.is_none() {
                page.contrast = against_rest(&asked.query, &links);
            }
            chart::told(&mut page, &counting, grid.as_ref());
            chart::fill(&mut page, &visit, (grid, points), &asked, (&address, &counting));
            let (query, at) = (asked.narrowable(), address.clone().with("sel", &asked.part_written()));
            let kept = (&at, counting.marks());
            page.facets = counted.iter().map(|(title, field, values)| Group::new(title, field, values, &query, kept)).collect();
            StatusCode::OK
        }
        Err(error) => {
            let failure = Failure::from(error);
            let problem = Problem::new(&failure, &asked.narrowed(), |mended| links.traces(mended).href());
            page.problem = Some(Problem { elsewhere: other_language(&asked.query, &links), ..problem });
            failure.status
        }
    };
    page.notes.extend(visit.ineffective(&TRACE_FILTERS));
    Ok(html_with(status, &page))
}

// === impl Asked ===

impl Asked {
    pub(super) fn read(params: &Params, range: TimeRange) -> Result<Self, Failure> {
        Ok(Self {
            query: params.get("q").unwrap_or_default().to_owned(),
            range,
            order: params.word("sort", &TRACE_ORDERS)?.unwrap_or_default(),
            selected: params.get("sel").and_then(Selection::parse),
            limit: params.limit(PAGE, 200)?,
            cursor: params.cursor()?,
        })
    }

    /// At most `limit` of what is asked for.
    pub(super) fn search(&self, limit: usize) -> TraceSearch {
        TraceSearch { query: self.narrowed(), range: self.part(), order: self.order, limit, cursor: self.cursor }
    }

    /// The query, or what the chart counts of it with the durations that are selected.
    fn narrowed(&self) -> String {
        self.selected.map_or_else(|| self.query.clone(), |selected| with(&charted(&self.query), &selected.condition()))
    }

    /// What the values beside the list are a condition more of: the query, or what a selection is made of.
    fn narrowable(&self) -> String {
        if self.selected.is_some() { charted(&self.query) } else { self.query.clone() }
    }

    /// The part of the window that is selected.
    fn part(&self) -> TimeRange {
        self.selected.map_or(self.range, |selected| selected.range(self.range))
    }

    /// What the query decides on.
    fn matched(&self, visit: &Visit) -> Matched {
        Matched::new(&self.query, self.selected.is_some(), visit.state.store())
    }

    /// What the chart counts, in words.
    fn counts(&self) -> Counts {
        if self.query.trim().is_empty() { Counts::Roots } else { Counts::Matches }
    }

    fn address(&self, links: &Links) -> Address {
        links.traces(&self.query).with("sort", word_of(self.order))
    }

    /// The selected part as addresses write it; empty for none.
    fn part_written(&self) -> String {
        self.selected.map(|selected| selected.written()).unwrap_or_default()
    }
}

/// What the chart counts, and a selection is a part of: root spans while nothing is asked.
fn charted(query: &str) -> String {
    if query.trim().is_empty() { "root:true".to_owned() } else { query.to_owned() }
}

fn frame_of(visit: &Visit, window: &Window, asked: &Asked, address: &Address) -> Traces {
    let is_later = asked.cursor.is_some();
    let (links, query) = (visit.links(), &asked.query);
    let is_open = window.to == "now" && asked.selected.is_none() && !is_later && asked.order == TraceOrder::Newest;
    let is_live = is_open && visit.params.get("live") == Some("1");
    let since = visit.state.now().get().to_string();
    let [json, csv] = api_links(&links, asked, window);
    let live = links.plain("/live").with("for", "traces").with("q", query).with("since", &since);
    Traces {
        frame: visit.frame(Place::Traces, &title(query), Some(window)),
        builder: Builder::parse(query),
        services: format::offered(visit.state.store().service_names()),
        hidden: kept(visit),
        orders: orders(&links, asked),
        columns: Columns::new(asked.order, asked.matched(visit)),
        counts: asked.matched(visit).counted(),
        json,
        csv,
        newest: if is_later { address.clone().with("sel", &asked.part_written()).href() } else { String::new() },
        live: if is_open { live.href() } else { String::new() },
        is_live,
        toggle_live: address.clone().with("live", if is_live { "" } else { "1" }).href(),
        complete: links.plain("/complete").with("for", "traces").href(),
        query: query.clone(),
        ..Traces::default()
    }
}

fn fill(page: &mut Traces, visit: &Visit, found: &TracePage, asked: &Asked, address: &Address) {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let list = reference(visit);
    let listing = Listing { order: asked.order, list: &list, links: &links, clock: &clock, palette: &palette };
    page.rows = rows(found, &listing);
    let here = address.clone().with("sel", &asked.part_written());
    page.older = found.next.map(|next| here.with("cursor", &next.to_string()).href()).unwrap_or_default();
    if asked.order == TraceOrder::MostErrors && !found.traces.is_empty() {
        page.all_traces = links.traces(&asked.query).with("sel", &asked.part_written()).href();
    }
    page.notes = found.stats.notes.iter().map(|note| sentence(note)).collect();
    page.effort = effort(&found.stats);
    let listed = asked.matched(visit).listed(found.traces.len() == 1, asked.order);
    let (traces, more) = format::of_page(found.traces.len() as u64, "trace", "traces", asked.cursor.is_some(), found.next.is_some());
    page.summary = format!("{traces} {listed}{more}");
    if found.traces.is_empty() {
        page.otherwise = otherwise(&links, &page.query);
        page.hints = of_nothing(Signal::Traces, &page.query, &visit.state.store().service_names(), &links);
        // A wider window would find none either.
        let [spans, _] = visit.state.store().status().signals;
        if spans.time.is_none() {
            page.otherwise.clear();
            page.hints = vec![("No span has arrived yet: see how to send them".to_owned(), links.plain("/start").href())];
        }
    }
}

/// The order by errors holds traces that have some: tells whether others match, and whether that is told.
async fn without_errors(page: &mut Traces, visit: &Visit, asked: &Asked) -> bool {
    if asked.order != TraceOrder::MostErrors {
        return false;
    }
    let others = TraceSearch { order: TraceOrder::Newest, ..asked.search(PAGE) };
    let Ok(others) = visit.state.store().search_traces(others).await else { return false };
    let least = if others.next.is_some() { "at least " } else { "" };
    page.nothing = "No trace that is found has a failed span in this window.".to_owned();
    if !others.traces.is_empty() {
        let traces = format::counted(others.traces.len() as u64, "trace without errors is", "traces without errors are");
        let words = format!("{least}{traces} found: show the newest first");
        let address = visit.links().traces(&asked.query).with("sel", visit.params.get("sel").unwrap_or_default());
        page.hints.insert(0, (sentence(&words).trim_end_matches('.').to_owned(), address.href()));
    }
    !others.traces.is_empty()
}

/// How many log records of the window match the same query, and where they are; `None` for none, and where it means nothing for logs.
async fn in_logs(visit: &Visit, asked: &Asked) -> Option<(String, String)> {
    if asked.query.trim().is_empty() {
        return None;
    }
    let counted = visit.state.store().histogram(Signal::Logs, &asked.query, asked.range, 1).await.ok()?;
    let records: u64 = counted.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add);
    let words = if records == 1 { "1 log record matches".to_owned() } else { format!("{} log records match", format::exact(records)) };
    (records > 0).then(|| (words, visit.links().logs(&asked.query).href()))
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

#[cfg(test)]
mod tests;
