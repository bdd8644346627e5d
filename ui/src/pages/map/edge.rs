//! What the panel of a dependency says beside its numbers: its calls over time, and what is asked for.

use storage::{Edge, Histogram, HistogramBucket, NodeKind, Signal, TimeRange};

use super::super::Visit;
use super::Asked;
use crate::params::Window;
use crate::view::chart::{Bars, Parts, SPANS};
use crate::view::format;
use crate::view::link::{Links, quoted, term};
use crate::view::map::{EdgePanel, written};

/// Adds to the panel of `edge`, an edge of the map as it was asked for whose ends are no groups.
pub(super) async fn fill(panel: &mut EdgePanel, visit: &Visit, (window, asked): (&Window, &Asked), edge: &Edge) {
    let (counted, asked_for) = tokio::join!(over_time(visit, window, asked, edge), operations(visit, window.range, edge));
    let (links, clock) = (visit.links(), visit.clock());
    let page = asked.address(&links).with("caller", &written(&edge.from)).with("callee", &written(&edge.to));
    panel.over_time = counted
        .map(|(counted, parted)| Bars::new(&counted, parted, &SPANS, ("call", "calls"), &clock, &page))
        .filter(|bars| !bars.is_empty);
    (panel.operations, panel.whose) = asked_for;
}

/// The calls of each part of the window: the same question as that of the map, asked of parts. Nothing when one of them is not answered.
async fn over_time(visit: &Visit, window: &Window, asked: &Asked, edge: &Edge) -> Option<(Histogram, TimeRange)> {
    let (parted, count) = window.parts(PARTS);
    let parts = Parts::new(parted, count);
    let store = visit.state.store();
    let maps = futures::future::join_all((0..count).map(|part| store.service_map(parts.window(part, part)))).await;
    let mut buckets = Vec::with_capacity(count);
    for (part, map) in maps.into_iter().enumerate() {
        let map = asked.shown(map.ok()?);
        let same = map.edges.iter().find(|other| other.from == edge.from && other.to == edge.to && other.kind == edge.kind);
        let (calls, errors) = same.map_or((0, 0), |same| (same.calls, same.errors));
        buckets.push(HistogramBucket { start: parts.start(part), counts: [calls.saturating_sub(errors), 0, 0, 0, 0, errors, 0] });
    }
    Some((Histogram { buckets, step: parts.step, ..Histogram::default() }, parted))
}

/// Name, number and traces of what is asked for most, and in words whose numbers these are. A service counts its operations whoever calls; what
/// sends no spans is known by those of this caller.
async fn operations(visit: &Visit, range: TimeRange, edge: &Edge) -> (Vec<(String, String, String)>, String) {
    let (links, store) = (visit.links(), visit.state.store());
    if edge.to.1 == NodeKind::Service {
        let known = store.operations(&edge.to.0, range).await.unwrap_or_default();
        let mut asked: Vec<_> = known.into_iter().filter(|operation| matches!(operation.kind, "server" | "consumer")).collect();
        asked.sort_by_key(|operation| std::cmp::Reverse(operation.count));
        let row = |operation: &storage::Operation| {
            (format::name(&operation.name), format::count(operation.count), both(edge, &operation.name, &links))
        };
        let whose = format!("Operations of {}, whoever calls", format::name(&edge.to.0));
        return (asked.iter().take(OPERATIONS).map(row).collect(), whose);
    }
    let calls = format!("{} {}", term("service", &edge.from.0), term("peer", &edge.to.0));
    let found = store.facets(Signal::Traces, &calls, range, "name", OPERATIONS).await.unwrap_or_default();
    let row = |(name, count): &(String, u64)| {
        let traces = links.traces(&format!("{calls} name={}", quoted(name))).href();
        (format::name(name), format::count(*count), traces)
    };
    (found.values.iter().map(row).collect(), format!("What {} asks of it", format::name(&edge.from.0)))
}

/// Traces in which the caller asks for this operation; those of the operation where the caller sends no spans.
fn both(edge: &Edge, operation: &str, links: &Links) -> String {
    let called = format!("{} name={}", term("service", &edge.to.0), quoted(operation));
    match edge.from.1 {
        NodeKind::Service => links.traces(&format!("({}) >> ({called})", term("service", &edge.from.0))).href(),
        _ => links.traces(&called).href(),
    }
}

/// Bars of the chart.
const PARTS: usize = 8;

/// Operations that are listed.
const OPERATIONS: usize = 6;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, failing_chain};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dependency_shows_its_calls_over_time_and_what_is_asked_for() {
        let app = App::empty().await;
        app.append(Signal::Traces, failing_chain().encode_to_vec()).await;
        let strip = app.get("/map?focus=payment").await.text().replace("&#38;", "&");
        assert!(strip.contains("Requests to all services") && strip.contains("/map?focus=payment&from=1799999"), "{strip}");
        let page = app.get("/map?caller=checkout&callee=payment").await.text().replace("&#38;", "&").replace("<wbr>", "");
        let page = page.replace(['\u{a0}', '\u{202f}'], " ");
        let panel = page.split("id=\"edge\"").nth(1).and_then(|rest| rest.split("</aside>").next()).unwrap();
        assert!(panel.contains("aria-label=\"Calls per 8 min: 1 call from"), "{panel}");
        assert!(panel.contains(": 1 error\""), "the call failed: {panel}");
        assert!(panel.contains("Operations of payment, whoever calls") && panel.contains(">charge</a>"), "{panel}");
        let traces = panel.split(">charge</a>").next().unwrap().rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        let found = app.get(traces).await.text();
        assert!(found.contains("name=\"mark\"") || found.contains("data-open"), "{found}");
        assert!(found.contains("1\u{a0}trace"), "{found}");
    }
}
