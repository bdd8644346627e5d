//! What the selected spans waited for, and what others did: some spans of each side, each read with its trace. Numbers are those of more of them,
//! which need no trace.
//!
//! Owns how much is read for it, and no longer than a reader waits.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use storage::trace::Sheet;
use storage::{QueryError, Span, SpanSearch, Store, TimeRange, TraceId, TraceOrder, TraceSearch};

use super::{Groups, Visit, with};
use crate::view::contrast::calls::{Calls, Waits};
use crate::view::contrast::numbers::Numbers;

/// Calls and numbers of both groups; why there are none where they cannot be compared.
pub(super) async fn told(visit: &Visit, groups: &Groups, made_by: &[String]) -> (Numbers, Calls) {
    let not = |why: &str| Calls { remark: format!("Calls are not compared: {why}."), ..Calls::default() };
    let store = visit.state.store();
    if store.asks_for_whole_traces(&groups.inner) {
        return (Numbers::default(), not("the search is one for whole traces"));
    }
    let mut numbers = Numbers::default();
    let asked = async {
        let (selected, rest) = tokio::join!(newest(store, &groups.inner, groups.part), others(store, groups));
        let (selected, rest) = (selected?, rest?);
        numbers = Numbers::new((&selected, &rest), made_by, &groups.base, &visit.links());
        waited(store, spread(selected, SELECTED), spread(rest, REST)).await
    };
    let calls = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((selected, rest))) => Calls::new((&selected, &rest), &visit.links(), &visit.palette()),
        Ok(Err(_)) => not("some traces could not be read"),
        Err(_) => not("it would have taken too long to read traces; choose a shorter time"),
    };
    (numbers, calls)
}

async fn waited(store: &Store, selected: Vec<Span>, rest: Vec<Span>) -> Result<(Vec<Waits>, Vec<Waits>), QueryError> {
    let small = small(store, selected.iter().chain(&rest).map(|span| span.trace_id).collect()).await?;
    Ok((read(store, selected, &small).await, read(store, rest, &small).await))
}

/// What those of the spans waited for that are in one of these traces.
async fn read(store: &Store, spans: Vec<Span>, traces: &BTreeSet<TraceId>) -> Vec<Waits> {
    let spans: Vec<Span> = spans.into_iter().filter(|span| traces.contains(&span.trace_id)).collect();
    let found: Vec<Option<Waits>> = stream::iter(spans).map(|span| waits(store, span)).buffered(AT_ONCE).collect().await;
    found.into_iter().flatten().collect()
}

/// Spans of the search that are not selected: those outside of the selected time, and those inside that do not meet its condition.
async fn others(store: &Store, groups: &Groups) -> Result<Vec<Span>, QueryError> {
    let Groups { base, condition, part, range, .. } = groups;
    let unlike = with(base, &format!("-({condition})"));
    let before = TimeRange { from: range.from, to: part.from };
    let after = TimeRange { from: part.to, to: range.to };
    let (before, inside, after) = tokio::join!(newest(store, base, before), newest(store, &unlike, *part), newest(store, base, after));
    Ok([before?, inside?, after?].concat())
}

async fn newest(store: &Store, query: &str, range: TimeRange) -> Result<Vec<Span>, QueryError> {
    if range.from >= range.to {
        return Ok(Vec::new());
    }
    let search = SpanSearch { query: query.to_owned(), range, limit: LISTED, cursor: None };
    Ok(store.search_spans(search).await?.spans)
}

/// So many spans, taken evenly from all of them.
fn spread(spans: Vec<Span>, wanted: usize) -> Vec<Span> {
    let all = spans.len();
    let is_taken = |place: usize| all <= wanted || (place * wanted) / all != ((place + 1) * wanted) / all;
    spans.into_iter().enumerate().filter(|(place, _)| is_taken(*place)).map(|(_, span)| span).collect()
}

/// Those of these traces that are not too large to be opened.
async fn small(store: &Store, ids: BTreeSet<TraceId>) -> Result<BTreeSet<TraceId>, QueryError> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let query = format!("trace:{}", ids.iter().map(TraceId::to_string).collect::<Vec<_>>().join(","));
    let search = TraceSearch { query, range: TimeRange::ALL, order: TraceOrder::Newest, limit: ids.len(), cursor: None };
    let found = store.search_traces(search).await?;
    Ok(found.traces.into_iter().filter(|trace| trace.span_count <= MAX_SPANS).map(|trace| trace.trace_id).collect())
}

/// `None` where the trace cannot be read.
async fn waits(store: &Store, span: Span) -> Option<Waits> {
    let open = store.open_trace(span.trace_id).await.ok()??;
    let sheet: &Sheet = open.sheet();
    let place = sheet.spans.iter().position(|brief| brief.span_id == span.span_id && brief.kind == span.kind)?;
    Some(Waits::of(sheet, place))
}

/// Spans that are looked at. Both together are fewer than the store keeps open traces, so that a large one which is being read stays.
const SELECTED: usize = 14;
const REST: usize = 16;

/// The newest spans that these are taken from.
const LISTED: usize = 200;

/// Larger traces are not opened for this.
const MAX_SPANS: usize = 10_000;

/// Traces that are opened at once.
const AT_ONCE: usize = 4;

/// A comparison of calls is not worth a longer wait.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, NOW, slow_calls};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_call_that_makes_the_selection_slow_is_named_with_its_times() {
        let app = App::empty().await;
        app.append(Signal::Traces, slow_calls(12).encode_to_vec()).await;
        let asked = format!("from={}&to={NOW}", NOW - 600_000_000_000);
        let page = app.get(&format!("/traces/compare-groups?q=&with=duration%3E3s&{asked}")).await.text();
        let page = page.replace(['\u{a0}', '\u{202f}'], " ").replace("<wbr>", "");
        let section = page.split("id=\"calls\"").nth(1).unwrap().split("</section>").next().unwrap();
        assert_eq!(section.matches("data-row>").count(), 1, "{section}");
        assert!(section.contains("SELECT orders") && section.contains("/services/db/ops/SELECT%20orders?"), "{section}");
        assert!(section.contains("4.00 s") && section.contains("in 12 of 12"), "{section}");
        assert!(section.contains("1.00 s") && section.contains("in 12 of 12"), "{section}");
        assert!(page.contains("12 spans of the selection and 12 of the rest"), "{page}");
        let one = app.get(&format!("/traces/compare-groups?q=&with=trace%3A{}&{asked}", "01".repeat(16))).await.text();
        assert!(!one.contains("id=\"calls\"") && one.contains("at least 4 spans"), "{one}");
    }
}
