//! `/compare?a=…&b=…`: two traces beside each other; `b=typical` is one that lasted as long as is usual.

use axum::response::Response;
use storage::trace::Sheet;
use storage::{OpenTrace, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};

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
    let a = side(&visit, &page.a, &mut page.problems).await?;
    let (b, why) = match (page.b.as_str(), &a) {
        ("typical", Some(a)) => typical(&visit, a, &mut page.problems).await?,
        ("typical", None) => (None, String::new()),
        (id, _) => (side(&visit, id, &mut page.problems).await?, String::new()),
    };
    let address = |by: &str| visit.links().plain("/compare").with("a", &page.a).with("b", &page.b).with("by", by).href();
    page.orders = vec![("By change", address(""), by_change), ("As tree", address("tree"), !by_change)];
    if page.b != "typical" {
        page.swap = visit.links().plain("/compare").with("a", &page.b).with("b", &page.a).href();
    }
    page.frame = visit.frame(Place::Traces, "Compare traces", None);
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    heavy(move || {
        let means = (&links, &clock, &palette);
        page.sides.extend(a.as_ref().map(|open| Side::new("A", open.sheet(), String::new(), means)));
        page.sides.extend(b.as_ref().map(|open| Side::new("B", open.sheet(), why, means)));
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

/// The trace of the same operation whose length is the median of the newest ones, and how it was chosen.
async fn typical(visit: &Visit, a: &OpenTrace, problems: &mut Vec<String>) -> Result<(Option<OpenTrace>, String), Failure> {
    let sheet: &Sheet = a.sheet();
    let Some(root) = sheet.main_root() else { return Ok((None, String::new())) };
    let (service, name) = (sheet.service(root), sheet.name(root));
    let end = sheet.start().plus(HOUR);
    let search = TraceSearch {
        query: format!("{} {}", term("service", service), term("name", name)),
        range: TimeRange { from: UnixNanos::new(end.get().saturating_sub(DAY)), to: end },
        order: TraceOrder::Newest,
        limit: NEWEST,
        cursor: None,
    };
    let found = visit.state.store().search_traces(search).await?;
    let mut like: Vec<(u64, TraceId)> = found
        .traces
        .iter()
        .filter(|trace| trace.trace_id != sheet.id && trace.root_name == name && trace.root_service == service)
        .map(|trace| (trace.duration, trace.trace_id))
        .collect();
    like.sort_unstable();
    let Some((_, id)) = like.get(like.len() / 2) else {
        problems.push(format!("There is no other trace of {service}, {name} within a day of this one to compare with."));
        return Ok((None, String::new()));
    };
    let why = format!("of {} traces of this operation, the one of median length", format::exact(like.len() as u64));
    Ok((visit.state.store().open_trace(*id).await?, why))
}

const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;

/// Traces that the typical one is chosen from.
const NEWEST: usize = 100;
