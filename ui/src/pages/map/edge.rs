//! What the panel of a dependency says beside its numbers: its calls over time, and what is asked for.

use storage::{Edge, Histogram, HistogramBucket, NodeKind, QueryError, ServiceMap, Signal, TimeRange};

use super::super::Visit;
use super::Asked;
use crate::params::Window;
use crate::view::chart::{Bars, Lines, Parts, SPANS};
use crate::view::format;
use crate::view::link::{Links, quoted, term};
use crate::view::map::{EdgePanel, written};

/// The map of the window, with the calls of each of its parts while a dependency is open.
pub(super) async fn map(visit: &Visit, window: &Window, asked: &Asked) -> Result<(ServiceMap, Option<OverTime>), QueryError> {
    let store = visit.state.store();
    if asked.edge.is_none() {
        return Ok((store.service_map(window.range).await?, None));
    }
    let (parted, count) = whole_minutes(window).parts(PARTS);
    let minutes = parted.to.since(parted.from) / MINUTE / (count.max(1) as u64);
    let (whole, maps) = store.service_map_in_parts(window.range, minutes, count).await?;
    Ok((whole, Some(OverTime { maps, parted })))
}

/// Calls by part of a window.
#[derive(Debug)]
pub(super) struct OverTime {
    maps: Vec<ServiceMap>,
    /// What the parts cover: whole minutes, so that they may reach beyond the window, where nothing is counted.
    parted: TimeRange,
}

/// The window from the minute in which it begins: parts begin with minutes.
fn whole_minutes(window: &Window) -> Window {
    let from = window.range.from;
    Window { range: TimeRange { from: from.minus(from.get() % MINUTE), ..window.range }, ..window.clone() }
}

/// Adds to the panel of `edge`, an edge of the map as it was asked for whose ends are no groups.
pub(super) async fn fill(panel: &mut EdgePanel, visit: &Visit, (window, asked): (&Window, &Asked), edge: &Edge, over_time: OverTime) {
    let (links, clock) = (visit.links(), visit.clock());
    let page = asked.address(&links).with("caller", &written(&edge.from)).with("callee", &written(&edge.to));
    let parted = over_time.parted;
    let (calls, durations) = over_time.of(asked, edge);
    let [p50, p95] = durations;
    panel.durations = Lines::durations(&[("p50", "line-p50", p50), ("p95", "line-p95", p95)], parted, &clock);
    let bars = Bars::new(&calls, parted, &SPANS, ("call", "calls"), &clock, &page);
    panel.over_time = Some(bars).filter(|bars| !bars.is_empty);
    (panel.operations, panel.whose) = operations(visit, window.range, edge).await;
}

impl OverTime {
    /// Those of one dependency, and how long half of them and nineteen of twenty took at most.
    fn of(self, asked: &Asked, edge: &Edge) -> (Histogram, [Vec<u64>; 2]) {
        let parts = Parts::new(self.parted, self.maps.len());
        let mut durations = [Vec::new(), Vec::new()];
        let bucket = |(part, map): (usize, ServiceMap)| {
            let map = asked.shown(map);
            let same = map.edges.iter().find(|other| other.from == edge.from && other.to == edge.to && other.kind == edge.kind);
            let (calls, errors) = same.map_or((0, 0), |same| (same.calls, same.errors));
            let quantiles = same.map_or([0, 0], |same| [same.p50, same.p95]);
            durations.iter_mut().zip(quantiles).for_each(|(durations, quantile)| durations.push(quantile));
            HistogramBucket { start: parts.start(part), counts: [calls.saturating_sub(errors), 0, 0, 0, 0, errors, 0] }
        };
        let buckets = self.maps.into_iter().enumerate().map(bucket).collect();
        (Histogram { buckets, step: parts.step, ..Histogram::default() }, durations)
    }
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

/// In nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// Operations that are listed.
const OPERATIONS: usize = 6;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, NOW, failing_chain, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dependency_shows_its_calls_over_time_and_what_is_asked_for() {
        let app = App::empty().await;
        app.append(Signal::Traces, failing_chain().encode_to_vec()).await;
        let strip = app.get("/map?focus=payment").await.text().replace("&#38;", "&");
        assert!(strip.contains("Requests to payment") && strip.contains("/map?focus=payment&from=1799999"), "{strip}");
        let page = app.get("/map?caller=checkout&callee=payment").await.text().replace("&#38;", "&").replace("<wbr>", "");
        let page = page.replace(['\u{a0}', '\u{202f}'], " ");
        let panel = page.split("id=\"edge\"").nth(1).and_then(|rest| rest.split("id=\"calls\"").next()).unwrap();
        assert!(panel.contains("aria-label=\"Calls per 8 min: 1 call from"), "{panel}");
        assert!(panel.contains(": 1 error, so far\""), "the call failed: {panel}");
        assert!(panel.contains("aria-label=\"Durations: p50 at most ") && panel.contains("p95 at most "), "{panel}");
        assert!(panel.contains("Operations of payment, whoever calls") && panel.contains(">charge</a>"), "{panel}");
        let traces = panel.split(">charge</a>").next().unwrap().rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        let found = app.get(traces).await.text();
        assert!(found.contains("name=\"mark\"") || found.contains("data-open"), "{found}");
        assert!(found.contains("1\u{a0}trace"), "{found}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_bars_of_a_dependency_add_up_to_its_numbers_wherever_the_window_is_cut() {
        let app = App::empty().await;
        let ages: Vec<(u8, u64, u64, bool)> = (1..=40).map(|number| (number, u64::from(number) * 37, 1, number % 4 == 0)).collect();
        app.append(Signal::Traces, requests(&ages).encode_to_vec()).await;
        for (from, to) in [(900, 0), (913, 0), (1_200, 211), (241, 0), (3_600, 0)] {
            let at = |age: u64| NOW - age * 1_000_000_000;
            let path = format!("/map?caller=user&callee=checkout&from={}&to={}", at(from), at(to));
            let page = app.get(&path).await.text().replace(['\u{a0}', '\u{202f}'], " ");
            let expected: Vec<bool> =
                ages.iter().filter(|(_, age, ..)| (to + 1..=from).contains(age)).map(|(.., failed)| *failed).collect();
            let panel = page.split("id=\"edge\"").nth(1).and_then(|rest| rest.split("id=\"calls\"").next()).unwrap();
            let added = |noun: &str| -> usize {
                let titles = panel.split("<title>").skip(1).filter_map(|rest| rest.split("</title>").next());
                let number = |title: &str| {
                    title
                        .split(", ")
                        .chain(title.split(": "))
                        .filter_map(|part| {
                            part.trim()
                                .strip_suffix(noun)
                                .or_else(|| part.trim().strip_suffix(&format!("{noun}s")))?
                                .trim()
                                .parse::<usize>()
                                .ok()
                        })
                        .next()
                };
                titles.filter_map(number).sum()
            };
            assert_eq!(added("error"), expected.iter().filter(|failed| **failed).count(), "{path}: {panel}");
            assert!(panel.contains(&format!("{} calls", expected.len())), "{path}: {panel}");
        }
    }
}
