//! `/services/{service}/ops/{operation}`: one operation of a service.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use storage::{Operation, TimeRange, TraceOrder, TracePage, TraceSearch};

use super::super::Visit;
use super::super::traces::DEFAULT_WINDOW;
use super::super::visit::html_with;
use super::{FEW, known};
use crate::error::Failure;
use crate::params::Segment;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::{Links, term};
use crate::view::services::{Latency, OperationPage, operations, request_time};
use crate::view::traces::{self, Listing};

/// `?kind=`: how long it takes, and examples. A name that no span has is not found.
pub(in crate::pages) async fn page(
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
    let mut fitting: Vec<&Operation> = all.iter().filter(|op| op.name == name && (kind.is_empty() || op.kind == kind)).collect();
    fitting.sort_by_key(|operation| std::cmp::Reverse(operation.count));
    let found = fitting.first().copied();
    let others = if all.iter().any(|op| op.name == name) { None } else { elsewhere(&visit, &service, &name, &all).await };
    let marks: Vec<(&'static str, u64)> = found.map(|op| vec![("p50", op.p50), ("p95", op.p95), ("p99", op.p99)]).unwrap_or_default();
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let list = |page: Result<TracePage, storage::QueryError>, order| {
        traces::rows(&page.unwrap_or_default(), &Listing { order, list: "", links: &links, clock: &clock, palette: &palette })
    };
    let slowest = found.map(|op| format!("duration>={}", format::written(op.p95))).unwrap_or_default();
    let status = if others.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok(html_with(
        status,
        &OperationPage {
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
            is_unknown: others.is_some(),
            meant: others.unwrap_or_default(),
            all_time: links.operation(&service, &name).with("kind", &kind).with("to", "").with("from", "0").href(),
            name: format::name(&name),
        },
    ))
}

/// The operations whose names are nearest to one that no span of a service has, with where they are; `None` for one that is known at another
/// time, or where that cannot be told.
async fn elsewhere(visit: &Visit, service: &str, name: &str, shown: &[Operation]) -> Option<Vec<(String, String)>> {
    let all = visit.state.store().operations(service, TimeRange::ALL).await.ok()?;
    if all.iter().any(|operation| operation.name == name) {
        return None;
    }
    // What is in the window leads to something.
    let (near, links) = if shown.is_empty() {
        (nearest(name, &all), Links::new(visit.links().base(), None))
    } else {
        (nearest(name, shown), visit.links())
    };
    let way = |near: String| {
        let address = links.operation(service, &near);
        (format::name(&near), if shown.is_empty() { address.with("from", "0").href() } else { address.href() })
    };
    Some(near.into_iter().map(way).collect())
}

/// Names of operations that `name` was perhaps meant to be, whatever their capital letters.
fn nearest(name: &str, operations: &[Operation]) -> Vec<String> {
    let mut known: Vec<(String, &str)> = operations.iter().map(|one| (one.name.to_ascii_lowercase(), one.name.as_str())).collect();
    known.sort_unstable();
    known.dedup();
    let near = storage::nearest(&name.to_ascii_lowercase(), known.iter().map(|(small, _)| small.as_str()));
    let written = near.iter().filter_map(|near| known.iter().find(|(small, _)| small == near));
    written.map(|(_, name)| (*name).to_owned()).collect()
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

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_name_that_no_span_has_is_not_found_and_the_nearest_are_named() {
        let app = App::filled().await;
        let unknown = app.get("/services/checkout/ops/post%20%2Fpya").await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        let page = unknown.text();
        assert!(page.contains("has no operation of this name"), "{page}");
        assert!(page.contains("href=\"/services/checkout/ops/POST%20%2Fpay\">POST /pay</a>"), "{page}");
        assert_eq!(app.get("/services/checkout/ops/POST%20%2Fpay").await.status, StatusCode::OK);
        assert_eq!(app.get("/services/checkout/ops/POST%20%2Fpay?kind=client").await.status, StatusCode::OK, "known as another kind");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_is_known_at_another_time_is_there_without_spans() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 90_000, 1, false)]).encode_to_vec()).await;
        let known = app.get("/services/checkout/ops/POST%20%2Fpay").await;
        assert!(known.status == StatusCode::OK && known.text().contains("No such span in this window"), "{}", known.text());
        let unknown = app.get("/services/checkout/ops/post%20%2Fpya").await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert!(unknown.text().contains("/services/checkout/ops/POST%20%2Fpay?from=0\""), "{}", unknown.text());
    }
}
