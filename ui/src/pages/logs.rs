//! `/logs`: search for log records, their patterns, and what surrounds one of them.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{Histogram, LogOrder, LogPage, LogRecord, LogSearch, QueryError, Signal, TimeRange, TraceOrder, TraceSearch};

use self::asked::{Asked, MAX_COLUMNS, REACH, View};
use self::context::Around;
use super::traces::{DEFAULT_WINDOW, ValuesOf, facets};
use super::visit::html_with;
use super::{Visit, ahead, behind, conditions, earlier, nearest};
use crate::api::search::LOG_FILTERS;
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SEVERITIES};
use crate::view::facets::{Group, Marks};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::hints::{of_nothing, other_language};
use crate::view::link::{Address, Links};
use crate::view::logs::{Key, Logs, Row, cell, closed, keys, opened, row};
use crate::view::patterns::{self, PatternRow};
use crate::view::search::{Builder, Problem, effort};
use crate::view::traces::{self, Listing, Row as TraceRow};

mod asked;
mod context;
mod fields;

/// `?q=&from=&to=&sort=newest|oldest&view=list|patterns|fields&cols=a,b&wrap=1&row=&ctx=&by=&live=1&cursor=&limit=`; the plain form sends its
/// fields with `form=1`.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let links = visit.links();
    if visit.params.get("form").is_some() {
        return Ok(Redirect::to(&composed(&visit, &links)).into_response());
    }
    let asked = Asked::read(&visit)?;
    let limit = match asked.view {
        View::List => visit.params.limit(PAGE, 1_000)?,
        View::Patterns => SAMPLE,
        View::Fields => 1,
    };
    let cursor = visit.params.cursor()?;
    let search = LogSearch { query: asked.query.clone(), range: window.range, order: asked.order, limit, cursor };
    let store = visit.state.store();
    let (charted, bars) = window.bars(BUCKETS);
    let (found, chart, counted) = tokio::join!(
        store.search_logs(search),
        store.histogram(Signal::Logs, &asked.query, charted, bars),
        facets(store, Signal::Logs, (&asked.query, ValuesOf::Others), window.range, &FACETS),
    );
    let mut page = frame_of(&visit, &window, &asked, cursor.is_some());
    let status = match found {
        Ok(found) => {
            let address = asked.address(&links);
            let kept = (&address, Marks::ChosenOfAll);
            page.facets = counted.iter().map(|(title, field, values)| Group::new(title, field, values, &asked.query, kept)).collect();
            draw(&mut page, &visit, chart, charted, &address);
            match asked.view {
                View::Fields => fields::fill(&mut page, &visit, &asked, window.range).await?,
                View::List | View::Patterns => fill(&mut page, &visit, &found, &asked, &window).await,
            }
            if found.records.is_empty() {
                page.hints.extend(ahead::told(&visit, Signal::Logs).await);
                page.hints.extend(behind::told(&visit, ("/logs", Signal::Logs, &asked.query), window.range.from).await);
                if cursor.is_none() {
                    page.hints.extend(conditions::told(&visit, Signal::Logs, &asked.query, window.range).await);
                    page.hints.extend(nearest::told(&visit, Signal::Logs, &asked.query, window.range).await);
                }
            }
            StatusCode::OK
        }
        Err(error) => {
            let failure = Failure::from(error);
            let problem = Problem::new(&failure, &asked.query, |mended| links.logs(mended).href());
            page.problem = Some(Problem { elsewhere: other_language(&asked.query, &links), ..problem });
            failure.status
        }
    };
    page.notes.extend(visit.ineffective(&LOG_FILTERS));
    Ok(html_with(status, &page))
}

fn frame_of(visit: &Visit, window: &Window, asked: &Asked, is_later: bool) -> Logs {
    let links = visit.links();
    let address = || asked.address(&links);
    let is_open = window.to == "now" && !is_later && asked.order == LogOrder::Newest && asked.row.is_none();
    let is_live = is_open && visit.params.get("live") == Some("1");
    let since = visit.state.now().get().to_string();
    let live = links.plain("/live").with("for", "logs").with("q", &asked.query).with("since", &since);
    let adjusted = || asked.adjusted(visit);
    let view = |label, view: View| (label, adjusted().with("view", view.as_str()).href(), asked.view == view);
    let order = |label, word, value| (label, asked.at_row(&adjusted().with("sort", word)), asked.order == value);
    let json = links.plain("/api/v1/logs").with("q", &asked.query).with("from", &window.from).with("to", &window.to);
    let json = json.with("order", if asked.order == LogOrder::Oldest { "oldest" } else { "" });
    Logs {
        frame: visit.frame(Place::Logs, &title(&asked.query), Some(window)),
        builder: Builder::parse(&asked.query),
        services: format::offered(visit.state.store().service_names()),
        hidden: kept(visit),
        views: vec![view("List", View::List), view("Patterns", View::Patterns), view("Fields", View::Fields)],
        is_list: asked.view == View::List,
        orders: vec![order("Newest", "", LogOrder::Newest), order("Oldest", "oldest", LogOrder::Oldest)],
        older_label: if asked.order == LogOrder::Oldest { "Newer →" } else { "Older →" },
        csv: json.clone().with("format", "csv").with("limit", "10000").href(),
        json: json.href(),
        newest: if is_later { address().href() } else { String::new() },
        columns: asked.columns.iter().map(|key| format::line(key, 80)).collect(),
        wrap: asked.wrap,
        toggle_wrap: asked.at_row_or("wrap", &asked.relaid(visit).with("wrap", if asked.wrap { "" } else { "1" })),
        live: if is_open { live.href() } else { String::new() },
        is_live,
        toggle_live: address().with("live", if is_live { "" } else { "1" }).href(),
        complete: links.plain("/complete").with("for", "logs").href(),
        query: asked.query.clone(),
        ..Logs::default()
    }
}

fn draw(page: &mut Logs, visit: &Visit, counted: Result<Histogram, QueryError>, range: TimeRange, address: &Address) {
    match counted {
        Ok(histogram) => {
            page.total = histogram.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add);
            page.chart = Some(Bars::new(&histogram, range, &SEVERITIES, ("record", "records"), &visit.clock(), address));
        }
        Err(error) => page.notes.push(format!("the chart is missing: {error}")),
    }
}

async fn fill(page: &mut Logs, visit: &Visit, found: &LogPage, asked: &Asked, window: &Window) {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let address = asked.address(&links);
    page.notes.extend(found.stats.notes.iter().cloned());
    page.effort = effort(&found.stats);
    let records = format::counted(found.records.len() as u64, "record", "records");
    if found.records.is_empty() {
        page.otherwise = otherwise(&links, &page.query);
        page.hints = of_nothing(Signal::Logs, &page.query, &visit.state.store().service_names(), &links);
        // A wider window would find none either.
        let [_, logs] = visit.state.store().status().signals;
        if logs.time.is_none() {
            page.otherwise.clear();
            page.hints = vec![("No log record has arrived yet: see how to send them".to_owned(), links.plain("/start").href())];
        }
    }
    if asked.view == View::Patterns {
        let period = patterns::period(&found.records, found.next.is_some(), window.range);
        let earlier = window_before(visit, asked, window).await;
        let sampled = (found.records.as_slice(), earlier.as_ref().map(|(before, _)| before.records.as_slice()));
        page.patterns = patterns::rows(sampled, period, (&asked.query, &address), &clock, &palette);
        if let Some((_, range)) = earlier.filter(|(before, _)| before.next.is_some()) {
            confirm(visit, &mut page.patterns, range).await;
        }
        patterns::new_first(&mut page.patterns);
        page.period = clock.range(period);
        if found.next.is_some() {
            let before = address.clone().with("from", &window.range.from.get().to_string()).with("to", &period.from.get().to_string());
            page.sampled = Some((told_of(found.records.len() as u64, page.total, &clock.second(period.from)), before.href()));
        }
        let new = page.patterns.iter().filter(|pattern| pattern.is_new).count() as u64;
        let new = if new > 0 { format!(", {} new,", format::exact(new)) } else { String::new() };
        page.summary = format!("{}{new} in {records}", format::counted(page.patterns.len() as u64, "pattern", "patterns"));
        return;
    }
    let is_later = visit.params.get("cursor").is_some_and(|cursor| !cursor.is_empty());
    page.summary = if found.next.is_some() {
        listed(&records, page.total, window.bars(BUCKETS).0 == window.range)
    } else {
        let (records, end) = format::of_page(found.records.len() as u64, "record", "records", is_later, false);
        format!("{records}{end}")
    };
    let here = address
        .clone()
        .with("cursor", visit.params.get("cursor").unwrap_or_default())
        .with("limit", visit.params.get("limit").unwrap_or_default());
    page.older = found.next.map(|next| address.clone().with("cursor", &next.to_string()).href()).unwrap_or_default();
    let offered = keys(&found.records);
    let key = |key: String| Key {
        name: format::line(&key, 60),
        toggle: asked.with_column(&key, visit),
        is_shown: asked.columns.contains(&key),
        left: asked.with_moved(&key, true, visit),
        right: asked.with_moved(&key, false, visit),
    };
    let others = offered.into_iter().filter(|key| !asked.columns.contains(key));
    page.keys = asked.columns.iter().cloned().chain(others).map(key).collect();
    for record in &found.records {
        page.rows.push(shown(visit, record, asked, &here).await);
    }
    let is_listed = asked.row.is_none_or(|row| found.records.iter().any(|record| record.record_id == row));
    if let (false, Some(row)) = (is_listed, asked.row)
        && let Ok(Some(record)) = visit.state.store().log(row).await
    {
        page.pinned.push(shown(visit, &record, asked, &here).await);
    }
}

/// Records of which more follow, and how many there are as the chart has counted, which may begin and end a little outside of the window.
fn listed(records: &str, total: u64, is_exact: bool) -> String {
    match (total, is_exact) {
        (0, _) => format!("{records}, more follow"),
        (_, true) => format!("{records} of {}", format::exact(total)),
        (_, false) => format!("{records} of about {}", format::exact(total)),
    }
}

/// That patterns are of a part of the records only.
fn told_of(records: u64, total: u64, since: &str) -> String {
    let of = if total > records { format!(" of {}", format::exact(total)) } else { String::new() };
    format!("Patterns are looked for in the newest {}{of} records of this window, those since {since}.", format::exact(records))
}

/// The newest records of the window before that match, and when that is; nothing where that window does not hold records throughout.
async fn window_before(visit: &Visit, asked: &Asked, window: &Window) -> Option<(LogPage, TimeRange)> {
    let (store, range) = (visit.state.store(), earlier::before(window.range));
    if earlier::gap(store, Signal::Logs, range, &visit.clock()).await.is_some() {
        return None;
    }
    let search = LogSearch { query: asked.query.clone(), range, order: LogOrder::Newest, limit: SAMPLE, cursor: None };
    Some((store.search_logs(search).await.ok()?, range))
}

/// Asks whether patterns that a sample of `range` does not know are new in fact: some of the most frequent of them, the others are not
/// called new.
async fn confirm(visit: &Visit, patterns: &mut [PatternRow], range: TimeRange) {
    for (place, pattern) in patterns.iter_mut().filter(|pattern| pattern.is_new).enumerate() {
        let search = LogSearch { query: pattern.query.clone(), range, order: LogOrder::Newest, limit: 1, cursor: None };
        let is_asked = place < CONFIRMED;
        pattern.is_new = is_asked && visit.state.store().search_logs(search).await.is_ok_and(|found| found.records.is_empty());
    }
}

/// A record as a row of this page; the one that is named is open.
async fn shown(visit: &Visit, record: &LogRecord, asked: &Asked, here: &Address) -> Row {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let is_open = asked.row == Some(record.record_id);
    let id = record.record_id;
    let toggle = if is_open { closed(here.clone(), id) } else { opened(here.clone(), id) };
    let mut shown = row(record, toggle, is_open, &links, &clock, &palette);
    shown.extra = asked.columns.iter().map(|key| (format::line(key, 80), cell(record, key))).collect();
    shown.wrap = asked.wrap;
    if let Some(detail) = &mut shown.detail {
        detail.preview = preview(visit, record).await;
        let choice = |(word, by): (&'static str, Around)| {
            by.query(record)?;
            let is_current = asked.context > 0 && asked.by == by;
            let reach = if is_current { String::new() } else { asked.context.max(REACH).to_string() };
            let open = here.clone().with("ctx", &reach).with("by", if is_current { "" } else { word });
            Some((by.label(), opened(open, id), is_current))
        };
        detail.surroundings = Around::WORDS.into_iter().filter_map(choice).collect();
        if asked.context > 0 {
            detail.context = surroundings(visit, record, asked).await;
        }
    }
    shown
}

/// The trace of a record as a row, where its spans are here.
async fn preview(visit: &Visit, record: &LogRecord) -> Option<TraceRow> {
    let (query, order) = (format!("trace:{}", record.trace_id?), TraceOrder::Newest);
    let found =
        visit.state.store().search_traces(TraceSearch { query, range: TimeRange::ALL, order, limit: 1, cursor: None }).await.ok()?;
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    traces::rows(&found, &Listing { order, list: "", links: &links, clock: &clock, palette: &palette }).pop()
}

async fn surroundings(visit: &Visit, record: &LogRecord, asked: &Asked) -> Vec<Row> {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let Some(query) = asked.by.query(record) else { return Vec::new() };
    let found = context::around(visit.state.store(), record, asked.by, asked.context).await.unwrap_or_default();
    let line = |other: &LogRecord| {
        let alone = links.logs(&query).with("ctx", &asked.context.to_string());
        let mut line = row(other, opened(alone, other.record_id), false, &links, &clock, &palette);
        line.is_centre = other.record_id == record.record_id;
        line
    };
    found.iter().map(line).collect()
}

fn otherwise(links: &Links, query: &str) -> Vec<(String, String)> {
    let wide = |label: &str, from: &str| (label.to_owned(), links.logs(query).with("to", "").with("from", from).href());
    let mut otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    if !query.is_empty() {
        otherwise.push(("Without the query".to_owned(), links.logs("").href()));
    }
    otherwise
}

/// What the forms of this page carry along.
fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "sort", "view", "cols", "wrap"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn composed(visit: &Visit, links: &Links) -> String {
    let field = |name: &str| visit.params.get(name).unwrap_or_default().to_owned();
    let builder = Builder { service: field("service"), severity: field("severity"), rest: field("rest"), ..Builder::default() };
    let address =
        ["sort", "view", "cols", "wrap"].into_iter().fold(links.logs(&builder.compose()), |address, name| address.with(name, &field(name)));
    address.href()
}

fn title(query: &str) -> String {
    if query.is_empty() { "Logs".to_owned() } else { format!("{} – Logs", format::line(query, 60)) }
}

/// Heading and field of the values beside the list.
const FACETS: [(&str, &str); 5] = [
    ("Severity", "severity"),
    ("Service", "service"),
    ("Event", "event"),
    ("Exception", "attr.exception.type"),
    ("Host", "resource.host.name"),
];

/// Rows of one page.
const PAGE: usize = 200;

/// Records in which patterns are looked for.
const SAMPLE: usize = 5_000;

/// Patterns that are looked for in all of the window before.
const CONFIRMED: usize = 8;

/// Bars of the chart.
const BUCKETS: usize = 60;
