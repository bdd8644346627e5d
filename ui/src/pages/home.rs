//! `/`: Home, or *Getting started* while nothing has been received; `/start` shows the latter always.

use std::net::SocketAddr;

use axum::response::Response;
use storage::{ServiceSummary, TimeRange, TraceOrder, TraceSearch, TraceSummary};

use super::Visit;
use super::visit::html;
use crate::error::Failure;
use crate::params::Window;
use crate::view::frame::Place;
use crate::view::home::{FAILED_SAMPLE, Home, Start, attention, snippets, totals};
use crate::view::services::row;
use crate::view::{status, traces};

/// `/?from=&to=`.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    if visit.state.store().is_empty() {
        return Ok(start(visit).await);
    }
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let range = window.range;
    let before = TimeRange { from: range.from.minus(range.to.since(range.from)), to: range.from };
    let store = visit.state.store();
    let search =
        |query: &str, order, limit| store.search_traces(TraceSearch { query: query.to_owned(), range, order, limit, cursor: None });
    let (now, earlier, failed, slow) = tokio::join!(
        store.services(range, POINTS),
        store.services(before, 1),
        search("status:error", TraceOrder::Newest, FAILED_SAMPLE),
        search("root:true", TraceOrder::Slowest, LISTED),
    );
    let (now, earlier) = (now?, earlier?);
    let failed = failed.map(|page| page.traces).unwrap_or_default();
    let slow = slow.map(|page| page.traces).unwrap_or_default();
    Ok(html(&home(&visit, &window, &now, &earlier, (failed, slow))))
}

/// How to send something here.
pub(super) async fn start(visit: Visit) -> Response {
    let config = visit.state.config();
    let at = |addr: Option<SocketAddr>| addr.map(address).unwrap_or_default();
    let (grpc, http) = (at(config.otlp_grpc), at(config.otlp_http));
    let counters = visit.state.registry().values();
    html(&Start {
        frame: visit.frame(Place::Home, "Getting started", None),
        snippets: snippets(&grpc, &http, &visit.clock()),
        refused: status::refusals(&counters),
        received: status::received(&counters),
        grpc,
        http,
    })
}

fn home(
    visit: &Visit,
    window: &Window,
    now: &[ServiceSummary],
    earlier: &[ServiceSummary],
    (failed, slow): (Vec<TraceSummary>, Vec<TraceSummary>),
) -> Home {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let listed = |traces: Vec<TraceSummary>| {
        let page = storage::TracePage { traces: traces.into_iter().take(LISTED).collect(), ..storage::TracePage::default() };
        traces::rows(&page, &links, &clock, &palette)
    };
    let mut by_rate: Vec<&ServiceSummary> = now.iter().collect();
    by_rate.sort_by_key(|service| std::cmp::Reverse(service.requests));
    let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/").with("from", from).href());
    Home {
        frame: visit.frame(Place::Home, "Home", Some(window)),
        totals: totals(now, window.range, &links),
        attention: attention(now, earlier, &failed, window.range, (&links, &palette)),
        services: by_rate.into_iter().map(|service| row(service, window.range, &links, &clock, &palette)).collect(),
        failed: listed(failed),
        slow: listed(slow),
        notes: Vec::new(),
        map: links.windowed("/map").href(),
        all_failed: links.traces("status:error").href(),
        all_slow: links.traces("").with("sort", "slowest").href(),
        elsewhere: if now.is_empty() { vec![wide("Last 24 h", "now-24h"), wide("All time", "0")] } else { Vec::new() },
        demo: visit.state.config().demo,
    }
}

/// An address that a program on the same machine can use.
fn address(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() || addr.ip().is_loopback() {
        return format!("http://localhost:{}", addr.port());
    }
    format!("http://{addr}")
}

/// Points of a sparkline.
pub(super) const POINTS: usize = 40;

/// Traces of a short list.
const LISTED: usize = 5;

/// Without `from`.
const DEFAULT_WINDOW: &str = "now-1h";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_localhost() {
        assert_eq!(address("0.0.0.0:4318".parse().unwrap()), "http://localhost:4318");
        assert_eq!(address("192.0.2.7:4318".parse().unwrap()), "http://192.0.2.7:4318");
    }
}
