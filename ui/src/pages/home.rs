//! `/`: Home, or *Getting started* while nothing has been received.

use std::collections::BTreeSet;

use axum::response::Response;
use storage::{Operation, ServiceSummary, Signal, Store, TimeRange, TraceOrder, TraceSearch, TraceSummary, UnixNanos};

use super::visit::html;
use super::{Visit, ahead, behind, earlier};
use crate::ask::errors;
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SPANS, requests};
use crate::view::format::Clockface;
use crate::view::frame::Place;
use crate::view::home::{Compared, Home, Parts, SAMPLE, added_up, asks_how_often, asks_who_waits, attention, one_of_each, totals};
use crate::view::link::{Links, term};
use crate::view::services::{Order, row};
use crate::view::traces::Listing;
use crate::view::{format, traces};

/// `/?from=&to=&sort=most|failed|p95|name`, the order of services.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    if visit.state.store().is_empty() {
        return Ok(super::start::page(visit).await);
    }
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let order = visit.params.word("sort", &Order::WORDS)?.unwrap_or_default();
    let range = window.range;
    let (before, clock) = (earlier::before(range), visit.clock());
    let store = visit.state.store();
    let (parted, parts) = window.parts(POINTS);
    let search =
        |query: &str, order, limit| store.search_traces(TraceSearch { query: query.to_owned(), range, order, limit, cursor: None });
    let (now, earlier, gap, failing, newest, slow, errors, errors_before) = tokio::join!(
        store.services(parted, parts),
        store.services(before, 1),
        earlier::gap(store, Signal::Traces, before, &clock),
        failing(store, range),
        search("root:true", TraceOrder::Newest, SAMPLE),
        slowest(store, range),
        errors(store, None, range),
        errors(store, None, before),
    );
    let (now, earlier) = (now?, if gap.is_some() { Vec::new() } else { earlier? });
    let failed: Vec<TraceSummary> = failing.iter().filter(|trace| trace.root_failed).take(LISTED).cloned().collect();
    let newest = newest.map(|page| page.traces).unwrap_or_default();
    let failing = with_unseen(store, range, failing, &now).await;
    // Without the errors before, every error would seem new.
    let (errors, errors_before) = errors.ok().zip(errors_before.ok()).unwrap_or_default();
    let halves = if gap.is_some() { parts_of(store, range, &clock).await } else { None };
    let compared_parts = halves.as_ref().map(|([earlier, later], at)| Parts { later, earlier, at });
    let compared = Compared {
        now: &now,
        before: &earlier,
        parts: compared_parts,
        failed: &failing,
        newest: &newest,
        errors: &errors,
        errors_before: &errors_before,
        edges: &[],
        operations: &[],
        operations_before: &[],
        arriving: Some(visit.state.now().minus(ARRIVING)),
    };
    // A trace of a million spans makes the map the dearest of all questions.
    let edges =
        if asks_who_waits(&compared) { store.service_map(range).await.map(|map| map.edges).unwrap_or_default() } else { Vec::new() };
    let asked = asks_how_often(&compared);
    let (operations, operations_before) = tokio::join!(operations(&visit, &asked, range), async {
        if gap.is_some() { Vec::new() } else { operations(&visit, &asked, before).await }
    });
    let compared = Compared { edges: &edges, operations: &operations, operations_before: &operations_before, ..compared };
    let mut page = home(&visit, &window, order, compared, [failed, slow]);
    page.uncompared = gap.unwrap_or_default();
    if let Some(parts) = compared_parts {
        page.uncompared.push_str(&format!(" How long requests take is compared with the time before {}.", parts.at));
    }
    if now.is_empty() {
        page.ahead = ahead::told(&visit, Signal::Traces).await;
        if page.ahead.is_none() {
            page.ahead = behind::told(&visit, ("/", Signal::Traces, ""), range.from).await;
        }
    }
    let links = visit.links();
    let bars = Bars::new(&requests(&added_up(&now), parted), parted, &SPANS, ("request", "requests"), &clock, &links.plain("/"));
    page.requests = Some(bars).filter(|bars| !bars.is_empty);
    Ok(html(&page))
}

/// Services in two parts of a window, and the time between them in words.
async fn parts_of(store: &Store, range: TimeRange, clock: &Clockface) -> Option<([Vec<ServiceSummary>; 2], String)> {
    let [earlier, later] = earlier::parts(store, range)?;
    let (before, after) = tokio::join!(store.services(earlier, 1), store.services(later, 1));
    Some(([before.ok()?, after.ok()?], clock.second(earlier.to)))
}

/// Operations of those services of which it matters how often they do what fails; without them a line says less.
async fn operations(visit: &Visit, asked: &[String], range: TimeRange) -> Vec<(String, Vec<Operation>)> {
    let mut found = Vec::new();
    for service in asked {
        if let Ok(operations) = visit.state.store().operations(service, range).await {
            found.push((service.clone(), operations));
        }
    }
    found
}

/// Failed traces to find causes in: the newest, and where these are not all some of each part of the time before them, so that an outage is
/// seen that others came after. Then the newest of those that succeed with errors inside.
async fn failing(store: &Store, range: TimeRange) -> Vec<TraceSummary> {
    let search = |query: &str, range, limit| {
        store.search_traces(TraceSearch { query: query.to_owned(), range, order: TraceOrder::Newest, limit, cursor: None })
    };
    let (failed, inside) = tokio::join!(search(FAILED, range, SAMPLE), search("status:error", range, SAMPLE));
    let mut found = failed.map(|page| page.traces).unwrap_or_default();
    let oldest = found.iter().map(|trace| trace.start).min().filter(|_| found.len() >= SAMPLE);
    let before = TimeRange { from: range.from, to: oldest.unwrap_or(range.from) };
    let step = before.to.since(before.from) / EARLIER as u64;
    let part = |number: u64| TimeRange { from: before.from.plus(step * number), to: before.from.plus(step * (number + 1)) };
    let parts = (0..EARLIER as u64).rev().filter(|_| step > 0).map(|number| search(FAILED, part(number), SAMPLE / EARLIER));
    let pages = futures::future::join_all(parts).await;
    let inside = inside.into_iter().flat_map(|page| page.traces).filter(|trace| !trace.root_failed);
    add(&mut found, pages.into_iter().flatten().flat_map(|page| page.traces).chain(inside));
    found
}

/// Adds traces that are not there yet.
fn add(found: &mut Vec<TraceSummary>, traces: impl Iterator<Item = TraceSummary>) {
    for trace in traces {
        if !found.iter().any(|known| known.trace_id == trace.trace_id) {
            found.push(trace);
        }
    }
}

/// Failed traces with some of each service whose requests fail in none of them: what failed shortly beside much else.
async fn with_unseen(store: &Store, range: TimeRange, mut found: Vec<TraceSummary>, now: &[ServiceSummary]) -> Vec<TraceSummary> {
    let is_seen = |service: &ServiceSummary| {
        found
            .iter()
            .any(|trace| trace.root_failed && trace.services.iter().any(|known| known.name == service.name && known.error_count > 0))
    };
    let mut unseen: Vec<&ServiceSummary> = now.iter().filter(|service| service.errors > 0 && !is_seen(service)).collect();
    unseen.sort_by_key(|service| std::cmp::Reverse(service.errors));
    let search = |service: &ServiceSummary| {
        let query = format!("{} kind:server,consumer status:error", term("service", &service.name));
        store.search_traces(TraceSearch { query, range, order: TraceOrder::Newest, limit: SAMPLE / EARLIER, cursor: None })
    };
    let pages = futures::future::join_all(unseen.into_iter().take(UNSEEN).map(search)).await;
    add(&mut found, pages.into_iter().flatten().flat_map(|page| page.traces));
    found
}

/// The slowest requests: where one kind fills what is read, those of other kinds too, until there are as many kinds as lines.
async fn slowest(store: &Store, range: TimeRange) -> Vec<TraceSummary> {
    let mut found: Vec<TraceSummary> = Vec::new();
    let mut query = "root:true".to_owned();
    for _ in 0..LISTED {
        let search = TraceSearch { query: query.clone(), range, order: TraceOrder::Slowest, limit: SLOW, cursor: None };
        let Ok(page) = store.search_traces(search).await else { break };
        let others = |(service, name)| format!(" -({} {})", term("service", service), term("name", name));
        let others: String = kinds(&page.traces).into_iter().map(others).collect();
        let is_all = page.traces.len() < SLOW;
        // A trace with several roots can be found again by another of them.
        add(&mut found, page.traces.into_iter());
        if is_all || kinds(&found).len() >= LISTED {
            break;
        }
        query.push_str(&others);
    }
    found
}

/// The different kinds of requests of a list.
fn kinds(traces: &[TraceSummary]) -> BTreeSet<(&str, &str)> {
    traces.iter().map(|trace| (trace.root_service.as_str(), trace.root_name.as_str())).collect()
}

fn home(visit: &Visit, window: &Window, order: Order, compared: Compared<'_>, [failed, slow]: [Vec<TraceSummary>; 2]) -> Home {
    let now = compared.now;
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let listed = |traces: Vec<TraceSummary>, order| {
        let page = storage::TracePage { traces: traces.into_iter().take(LISTED).collect(), ..storage::TracePage::default() };
        traces::rows(&page, &Listing { order, list: "", links: &links, clock: &clock, palette: &palette })
    };
    let (slow, alike): (Vec<TraceSummary>, Vec<usize>) = one_of_each(slow, LISTED).into_iter().unzip();
    let is_one_of_each = kinds(&slow).len() == slow.len();
    let mut slow = listed(slow, TraceOrder::Slowest);
    for (row, count) in slow.iter_mut().zip(alike).filter(|(_, count)| *count > 1) {
        row.alike = format!("{count} alike");
    }
    let mut services = now.to_vec();
    order.services(&mut services);
    let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/").with("from", from).href());
    let [attention, more_attention] = attention(compared, window.range, (&links, &palette));
    Home {
        frame: visit.frame(Place::Home, "Home", Some(window)),
        totals: totals(now, window.range, history(visit), &links),
        requests: None,
        attention,
        more_attention,
        orders: order.list("Requests", &links.windowed("/")),
        services: services.iter().map(|service| row(service, window.range, &links, &clock, &palette)).collect(),
        failed: listed(failed, TraceOrder::Newest),
        slow,
        is_one_of_each,
        uncompared: String::new(),
        notes: Vec::new(),
        refused: refused(visit, window).map(|words| (words, links.plain("/status").href() + "#refused")),
        live: if window.to == "now" {
            links.plain("/live").with("for", "failures").with("since", &visit.state.now().get().to_string()).href()
        } else {
            String::new()
        },
        map: links.windowed("/map").href(),
        all_failed: links.traces(FAILED).href(),
        all_slow: links.traces("").with("sort", "slowest").href(),
        elsewhere: if now.is_empty() { vec![wide("Last 24 h", "now-24h"), wide("All time", "0")] } else { Vec::new() },
        ahead: None,
        saved: saved(visit, &links),
        demo: visit.state.config().demo,
    }
}

/// That senders were refused something not long ago, while the window reaches up to now.
fn refused(visit: &Visit, window: &Window) -> Option<String> {
    let clock = visit.clock();
    let mut refused = visit.state.refused();
    refused.retain(|refused| window.to == "now" && clock.now().since(refused.last) < LATELY);
    let last = refused.iter().map(|refused| refused.last).max()?;
    let count = refused.iter().map(|refused| refused.count).fold(0, u64::saturating_add);
    let kinds = if refused.len() > 1 { format!(" for {} reasons", format::exact(refused.len() as u64)) } else { String::new() };
    let were = if count == 1 { "was" } else { "were" };
    Some(format!(
        "{} of senders {were} refused{kinds}, the last {}.",
        format::counted(count, "request", "requests"),
        clock.moment(last).ago
    ))
}

/// How long ago the oldest of what is kept happened; not known where a sender without a clock made it.
fn history(visit: &Visit) -> Option<u64> {
    let status = visit.state.store().status();
    let known = status.signals.iter().filter_map(|signal| signal.time.map(|(oldest, _)| oldest));
    let oldest = known.filter(|oldest| *oldest >= UnixNanos::YEAR_2000).min()?;
    Some(visit.state.now().since(oldest))
}

/// The newest saved views.
fn saved(visit: &Visit, links: &Links) -> Vec<(String, String)> {
    let saved = visit.state.store().saved_views();
    let named: Vec<&storage::SavedView> = saved.named().collect();
    let row = |view: &&storage::SavedView| (format::line(&view.name, 80), links.plain(&format!("/s/{}", view.short)).href());
    named.iter().rev().take(LISTED).map(row).collect()
}

/// Points of a sparkline.
pub(super) const POINTS: usize = 40;

/// Asks for requests that failed: what went wrong inside of one that succeeds is told under what deserves attention.
pub(super) const FAILED: &str = "root:true status:error";

/// Traces of a short list.
const LISTED: usize = 5;

/// Parts of the time before the newest failed traces.
const EARLIER: usize = 5;

/// So many services at most are looked for by themselves.
const UNSEEN: usize = 6;

/// Of so many at once the slowest of each kind are listed.
const SLOW: usize = 50;

/// Nanoseconds in which the spans of a trace that has ended are expected: exporters send in batches, and their services not at once.
const ARRIVING: u64 = 15_000_000_000;

/// Nanoseconds for which a refusal is told: an hour.
const LATELY: u64 = 3_600_000_000_000;

/// Without `from`.
const DEFAULT_WINDOW: &str = "now-1h";

#[cfg(test)]
mod tests;
