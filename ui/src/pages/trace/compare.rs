//! `/compare?a=…&b=…`: the trace `b` beside `a`, which it is measured by; `a=typical` is one that lasted as long as is usual.

use axum::response::{IntoResponse, Redirect, Response};
use storage::trace::Sheet;
use storage::{OpenTrace, TimeRange, TraceId, TraceOrder, TraceSearch, TraceSummary};

use super::super::Visit;
use super::super::visit::html;
use super::heavy;
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::term;
use crate::view::trace::{ComparePage, Side, comparison};

/// `a`, `b` and `by`: `tree` or `change`.
pub(in super::super) async fn page(visit: Visit) -> Result<Response, Failure> {
    let text = |name: &str| visit.params.get(name).unwrap_or_default().trim().to_owned();
    let by_change = visit.params.word("by", &[("tree", false), ("change", true)])?.unwrap_or(true);
    let mut page = ComparePage { a: text("a"), b: text("b"), ..ComparePage::default() };
    let order = visit.params.get("by").unwrap_or_default();
    let address = |a: &str, b: &str, by: &str| visit.links().plain("/compare").with("a", a).with("b", b).with("by", by).href();
    // What is usual is what another is measured by, never the other way round.
    if page.b == TYPICAL && page.a != TYPICAL {
        return Ok(Redirect::to(&address(TYPICAL, &page.a, order)).into_response());
    }
    let b = side(&visit, &page.b, &mut page.problems).await?;
    let (a, why) = match (page.a.as_str(), &b) {
        (TYPICAL, Some(b)) => typical(&visit, b, &mut page.problems).await?,
        (TYPICAL, None) => (None, String::new()),
        (id, _) => (side(&visit, id, &mut page.problems).await?, String::new()),
    };
    page.orders = vec![("By change", address(&page.a, &page.b, ""), by_change), ("As tree", address(&page.a, &page.b, "tree"), !by_change)];
    if page.a != TYPICAL {
        page.swap = address(&page.b, &page.a, order);
    }
    page.frame = visit.frame(Place::Traces, "Compare traces", None);
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    heavy(move || {
        let means = (&links, &clock, &palette);
        page.sides.extend(a.as_ref().map(|open| Side::new(("A", "the baseline"), open.sheet(), why, means)));
        page.sides.extend(b.as_ref().map(|open| Side::new(("B", "measured by it"), open.sheet(), String::new(), means)));
        if let (Some(a), Some(b)) = (&a, &b) {
            comparison(&mut page, [a.sheet(), b.sheet()], by_change, means);
        }
        html(&page)
    })
    .await
}

/// The trace under an id; without one, or with one that is not known, nothing, and the page says why.
async fn side(visit: &Visit, text: &str, problems: &mut Vec<String>) -> Result<Option<OpenTrace>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let Ok(id) = text.parse::<TraceId>() else {
        problems.push(format!("`{}` is not a trace id: 16 or 32 hex digits are expected.", format::line(text, 80)));
        return Ok(None);
    };
    let open = visit.state.store().open_trace(id).await?;
    if open.is_none() {
        problems.push(format!("There is no trace {id}; it was not received, is still on its way, or has aged out."));
    }
    Ok(open)
}

/// The successful trace of the same operation whose length is the median, and how it was chosen. The traces before this one are looked at,
/// so that the choice stays; those after it only when there are none.
async fn typical(visit: &Visit, other: &OpenTrace, problems: &mut Vec<String>) -> Result<(Option<OpenTrace>, String), Failure> {
    let sheet: &Sheet = other.sheet();
    let Some(root) = sheet.main_root() else { return Ok((None, String::new())) };
    let (service, name) = (sheet.service(root), sheet.name(root));
    let start = sheet.start();
    let spans = [
        (TimeRange { from: start.minus(DAY), to: start }, "in the day before it"),
        (TimeRange { from: start, to: start.plus(HOUR) }, "in the hour after it"),
    ];
    let mut seen = 0;
    for (range, when) in spans {
        let like = like(visit, (service, name), range, sheet.id).await?;
        seen += like.len();
        let Some((id, of)) = median(&like) else { continue };
        let good = format::counted(of as u64, "trace", "traces");
        let why = format!(
            "Typical: the one of median length among {good} without any error, out of the {} newest of this operation {when}. Its length \
             is that of the whole trace, all spans included; the page of a trace compares its first span alone.",
            format::exact(like.len() as u64)
        );
        return Ok((visit.state.store().open_trace(id).await?, why));
    }
    problems.push(if seen == 0 {
        format!("There is no other trace of {service}, {name} in the day before this one or the hour after it to compare with.")
    } else {
        let failed = format::counted(seen as u64, "other trace", "other traces");
        format!("Each of {failed} of {service}, {name} that were looked at failed or is not complete, so none is typical.")
    });
    Ok((None, String::new()))
}

/// The newest traces of an operation in `range`, without this one; those that went well first in the search for them.
async fn like(visit: &Visit, (service, name): (&str, &str), range: TimeRange, this: TraceId) -> Result<Vec<TraceSummary>, Failure> {
    let query = format!("{} {}", term("service", service), term("name", name));
    for query in [format!("{query} -status:error"), query] {
        let search = TraceSearch { query, range, order: TraceOrder::Newest, limit: NEWEST, cursor: None };
        let mut traces = visit.state.store().search_traces(search).await?.traces;
        traces.retain(|trace| trace.trace_id != this && trace.root_name == name && trace.root_service == service);
        if !traces.is_empty() {
            return Ok(traces);
        }
    }
    Ok(Vec::new())
}

/// Of the traces that are complete and without a failure the one of median length, of equals the one with the smaller id; and how many
/// there are.
fn median(traces: &[TraceSummary]) -> Option<(TraceId, usize)> {
    let is_good = |trace: &&TraceSummary| trace.has_root && trace.error_count == 0;
    let mut good: Vec<(u64, TraceId)> = traces.iter().filter(is_good).map(|trace| (trace.duration, trace.trace_id)).collect();
    good.sort_unstable();
    Some((good.get(good.len().checked_sub(1)? / 2)?.1, good.len()))
}

/// In place of an id.
const TYPICAL: &str = "typical";

const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;

/// Traces that the typical one is chosen from.
const NEWEST: usize = 100;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    /// What the page says of the trace beside trace 9, and the id that it chose.
    async fn chosen(all: &[(u8, u64, u64, bool)]) -> (String, bool) {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(all).encode_to_vec()).await;
        let page = app.get(&format!("/compare?a=typical&b={}", "09".repeat(16))).await.text();
        let own = format!("/trace/{}", "09".repeat(16));
        let ids: Vec<String> = page.match_indices("href=\"/trace/").map(|(at, _)| page[at + 6..at + 45].to_owned()).collect();
        let other = ids.into_iter().find(|href| *href != own).unwrap_or_default();
        (other.trim_start_matches("/trace/").to_owned(), page.contains("without any error, out of the"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_typical_trace_went_well_and_later_ones_do_not_change_it() {
        let before = [(1, 900, 1, true), (2, 800, 2, true), (3, 700, 3, false), (4, 600, 4, false), (5, 500, 5, false), (6, 400, 1, true)];
        let with = |more: &[(u8, u64, u64, bool)]| [&before, [(9, 300, 30, true)].as_slice(), more].concat();
        assert_eq!(chosen(&with(&[])).await, ("04".repeat(16), true));
        assert_eq!(chosen(&with(&[(7, 200, 9, false), (8, 100, 9, false)])).await, ("04".repeat(16), true));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_told_how_many_were_looked_at_and_what_is_measured() {
        let app = App::empty().await;
        let all = [(1, 900, 1, false), (2, 800, 2, false), (3, 700, 3, false), (9, 300, 30, false)];
        let mut sent = requests(&all);
        // A step of the second went wrong, the request did not.
        let spans = &mut sent.resource_spans[0].scope_spans[0].spans;
        let mut step = spans[1].clone();
        (step.span_id, step.parent_span_id) = (vec![7; 8], step.span_id);
        step.name = "retry".to_owned();
        step.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, ..Default::default() });
        spans.push(step);
        app.append(Signal::Traces, sent.encode_to_vec()).await;
        let page = app.get(&format!("/compare?a=typical&b={}", "09".repeat(16))).await.text().replace('\u{a0}', " ");
        assert!(page.contains("median length among 2 traces without any error, out of the 3 newest of this operation"), "{page}");
        assert!(page.contains("Its length is that of the whole trace"), "{page}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_usual_is_the_baseline_however_it_is_asked_for() {
        let app = App::empty().await;
        let answer = app.get(&format!("/compare?a={}&b=typical&by=tree", "09".repeat(16))).await;
        assert_eq!(answer.header("location"), format!("/compare?a=typical&b={}&by=tree", "09".repeat(16)));
        assert_eq!(app.get("/compare?a=typical&b=typical").await.status, http::StatusCode::OK);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn traces_after_it_are_typical_when_none_before_went_well() {
        assert_eq!(chosen(&[(1, 900, 1, true), (9, 300, 3, false), (2, 200, 4, false)]).await, ("02".repeat(16), true));
        assert_eq!(chosen(&[(1, 900, 1, true), (9, 300, 3, false)]).await, (String::new(), false));
    }
}
