//! `/compare?a=…&b=…`: the trace `b` beside `a`, which it is measured by; `a=typical` is one that lasted as long as is usual.

use axum::response::{IntoResponse, Redirect, Response};
use storage::trace::Sheet;
use storage::{OpenTrace, TimeRange, TraceId, TraceOrder, TracePage, TraceSearch, TraceSummary};

use super::super::Visit;
use super::super::visit::html;
use super::heavy;
use crate::error::Failure;
use crate::params::{parse_duration, wrong};
use crate::view::frame::Place;
use crate::view::link::{Address, term};
use crate::view::trace::{ComparePage, MAX_LOGS, Order, Side, comparison, records, values};
use crate::view::traces::Listing;
use crate::view::{format, traces};

/// `?a=&b=&by=change|own|count|tree&min=5ms`; a list of traces sends those that are marked in it as `mark`.
pub(in super::super) async fn page(visit: Visit) -> Result<Response, Failure> {
    let text = |name: &str| visit.params.get(name).unwrap_or_default().trim().to_owned();
    let order = visit.params.word("by", &Order::WORDS)?.unwrap_or_default();
    let least = visit.params.get("min").map(parse_duration).transpose().map_err(|reason| wrong("min", &reason))?.unwrap_or(0);
    let (by, min) = (visit.params.get("by").unwrap_or_default(), text("min"));
    let mut page = ComparePage { a: text("a"), b: text("b"), least: min.clone(), ..ComparePage::default() };
    let address = |a: &str, b: &str| visit.links().plain("/compare").with("a", a).with("b", b).with("by", by).with("min", &min);
    let marked: Vec<&str> = visit.params.all("mark").collect();
    // What stands higher in a list is what its reader wonders about: it is measured by what stands lower.
    if let [upper] | [upper, _] = marked.as_slice() {
        let lower = marked.get(1).copied().unwrap_or_default();
        return Ok(Redirect::to(&address(lower, upper).href()).into_response());
    }
    if page.b == TYPICAL && page.a != TYPICAL {
        // What is usual is what another is measured by, never the other way round.
        return Ok(Redirect::to(&address(TYPICAL, &page.a).href()).into_response());
    }
    if let [upper, lower, ..] = marked.as_slice() {
        page.problems.push(format!("Two traces are compared and {} were marked: here are the first two.", marked.len()));
        (page.a, page.b) = ((*lower).to_owned(), (*upper).to_owned());
    }
    let b = side(&visit, &page.b, &mut page.problems).await?;
    let (a, why) = match (page.a.as_str(), &b) {
        (TYPICAL, Some(b)) => typical(&visit, b, &mut page.problems).await?,
        (TYPICAL, None) => (None, String::new()),
        (id, _) => (side(&visit, id, &mut page.problems).await?, String::new()),
    };
    let here = address(&page.a, &page.b);
    page.orders = Order::labels()
        .map(|(label, word, known)| {
            let word = if known == Order::default() { "" } else { word };
            (label, format!("{}#spans", here.clone().with("by", word).href()), known == order)
        })
        .collect();
    page.hidden = [("a", page.a.clone()), ("b", page.b.clone()), ("by", by.to_owned())].into();
    if page.a != TYPICAL {
        page.swap = address(&page.b, &page.a).href();
    }
    page.frame = visit.frame(Place::Traces, "Compare traces", None);
    choose(&mut page, &visit, (a.as_ref(), b.as_ref()), &here).await;
    filled(&visit, page, (a, why), b, (order, least)).await
}

/// Heads of both sides, and what differs between them.
async fn filled(
    visit: &Visit,
    mut page: ComparePage,
    (a, why): (Option<OpenTrace>, String),
    b: Option<OpenTrace>,
    asked: (Order, u64),
) -> Result<Response, Failure> {
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let sheets = |a: &Option<OpenTrace>, b: &Option<OpenTrace>| Some([a.as_ref()?.sheet().clone(), b.as_ref()?.sheet().clone()]);
    page.sides.extend(a.as_ref().map(|open| Side::new(("A", "the baseline"), open.sheet(), why, (&links, &clock, &palette))));
    page.sides.extend(b.as_ref().map(|open| Side::new(("B", "compared with A"), open.sheet(), String::new(), (&links, &clock, &palette))));
    let Some([in_a, in_b]) = sheets(&a, &b) else { return Ok(html(&page)) };
    let (mut page, pairs) = heavy(move || {
        let pairs = comparison(&mut page, [&in_a, &in_b], asked, (&links, &clock, &palette));
        (page, pairs)
    })
    .await?;
    if let (Some(a), Some(b)) = (&a, &b) {
        unlike(visit, &mut page, [a, b], &pairs).await?;
    }
    heavy(move || html(&page)).await
}

/// Attributes of the chosen pairs of spans, and log records, that only one side has.
async fn unlike(visit: &Visit, page: &mut ComparePage, [a, b]: [&OpenTrace; 2], pairs: &[[usize; 2]]) -> Result<(), Failure> {
    let (store, links, palette) = (visit.state.store(), visit.links(), visit.palette());
    let places = |side: usize| pairs.iter().filter_map(|pair| pair.get(side).copied()).collect::<Vec<_>>();
    let logs = |open: &OpenTrace| store.trace_logs(open.sheet().id, MAX_LOGS);
    let (spans_a, spans_b, logs_a, logs_b) =
        tokio::join!(store.trace_spans(a, places(0)), store.trace_spans(b, places(1)), logs(a), logs(b));
    let (spans_a, spans_b) = (spans_a?, spans_b?);
    let whole: Vec<[&storage::Span; 2]> = pairs.iter().filter_map(|[a, b]| Some([spans_a.get(a)?, spans_b.get(b)?])).collect();
    let (found, left_out) = values(&whole, &palette);
    page.values = found;
    if left_out > 0 {
        page.untold = format!("{} more are left out.", format::counted(left_out as u64, "attribute", "attributes"));
    }
    match (logs_a, logs_b) {
        (Ok(of_a), Ok(of_b)) => {
            page.records = records([&of_a.records, &of_b.records], &links, &palette);
            if of_a.records.len().max(of_b.records.len()) >= MAX_LOGS {
                page.problems.push(format!("Of the log records of each trace only {} are compared.", format::exact(MAX_LOGS as u64)));
            }
        }
        // Without those of one side every record of the other would seem to be there alone.
        (Err(error), _) | (_, Err(error)) => page.problems.push(format!("Log records are not compared: {error}.")),
    }
    Ok(())
}

/// Offers traces to take for the side that is missing, or for the baseline where both are there: of the same operation where one side names
/// it, else the newest.
async fn choose(page: &mut ComparePage, visit: &Visit, (a, b): (Option<&OpenTrace>, Option<&OpenTrace>), here: &Address) {
    let store = visit.state.store();
    let known = b.or(a).map(OpenTrace::sheet);
    let root = known.and_then(|sheet| Some((sheet, sheet.main_root()?)));
    let root = root.map(|(sheet, root)| (sheet.service(root), sheet.name(root)));
    let query = root.map_or_else(String::new, |(service, name)| format!("{} {}", term("service", service), term("name", name)));
    let newest = |query: String| TraceSearch { query, range: TimeRange::ALL, order: TraceOrder::Newest, limit: OTHERS + 2, cursor: None };
    let found = store.search_traces(newest(query)).await.unwrap_or_default().traces;
    let shown: Vec<TraceId> = [a, b].into_iter().flatten().map(|open| open.sheet().id).collect();
    let is_other = |trace: &TraceSummary| {
        !shown.contains(&trace.trace_id) && root.is_none_or(|(service, name)| trace.root_service == service && trace.root_name == name)
    };
    let traces: Vec<TraceSummary> = found.into_iter().filter(is_other).take(OTHERS).collect();
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let listing = Listing { order: TraceOrder::Newest, list: "", links: &links, clock: &clock, palette: &palette };
    let takes = if b.is_some() { "a" } else { "b" };
    let ids: Vec<String> = traces.iter().map(|trace| trace.trace_id.to_string()).collect();
    page.others = traces::rows(&TracePage { traces, ..TracePage::default() }, &listing);
    for (row, id) in page.others.iter_mut().zip(ids) {
        row.href = here.clone().with(takes, &id).href();
    }
    page.is_wanted = a.is_none() || b.is_none();
    if page.a.is_empty() && b.is_some() {
        page.typical = here.clone().with("a", TYPICAL).href();
    }
    let what = match (a, b) {
        (Some(_), Some(_)) => "Take another for the baseline",
        (None, Some(_)) => "Choose the baseline",
        (Some(_), None) => "Choose the trace to compare with it",
        (None, None) => "Choose the trace to compare with a baseline",
    };
    page.others_title = format!("{what}: the newest{}", if root.is_some() { " of this operation" } else { "" });
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

/// Traces that are offered.
const OTHERS: usize = 10;

/// Traces that the typical one is chosen from.
const NEWEST: usize = 100;

#[cfg(test)]
mod tests;
