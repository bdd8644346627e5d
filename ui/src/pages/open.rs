//! `/open?id=`: goes to what a pasted text names: a page of this server, a trace, a span, a service; does what a text after `>` says; else searches for
//! it. `/open?failed=&at=&says=`: goes to the span of a service that failed and began at that nanosecond; of several to one whose message begins so.

use std::time::Duration;

use axum::response::{IntoResponse, Redirect, Response};
use storage::trace::Sheet;
use storage::{Signal, SpanId, SqlQuery, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};

use super::Visit;
use crate::ask::{MAX_SAID, normalised};
use crate::error::Failure;
use crate::params::shown;
use crate::view::link::{Links, term};

mod command;
mod target;

pub(super) use self::command::words as commands;
use self::target::{Target, like_own, own_path};

/// Leads on.
pub(super) async fn resolve(visit: Visit) -> Result<Response, Failure> {
    let links = visit.links();
    if let (Some(service), Some(at)) = (visit.params.get("failed"), visit.params.get("at").and_then(|at| at.parse().ok())) {
        return Ok(Redirect::to(&failed_link(&visit, &links, service, UnixNanos::new(at)).await?).into_response());
    }
    let text = visit.params.get("id").unwrap_or_default().trim();
    if let Some(path) = own_path(text, visit.host(), links.base()) {
        return Ok(Redirect::to(path).into_response());
    }
    if let Some(path) = like_own(text, links.base()) {
        return Ok(Redirect::to(&format!("{}{path}", links.base())).into_response());
    }
    if let Some(command) = text.strip_prefix('>') {
        return Ok(Redirect::to(&command::address(&visit, command)?).into_response());
    }
    let named = named(&visit, &links, text);
    let href = match Target::of(text) {
        Target::Trace(trace, span) => trace_link(&links, &trace, span),
        Target::Span(span) => span_link(&visit, &links, span).await?,
        Target::Digits(digits) => padded_link(&visit, &links, &digits).await?,
        Target::Beginning(digits) => match named {
            Some(href) => href,
            None => beginning_link(&visit, &links, &digits.to_lowercase()).await?,
        },
        Target::Text(text) => named.unwrap_or_else(|| found_by(&visit, &links, &text)),
    };
    Ok(Redirect::to(&href).into_response())
}

/// The list that understands a query: that of traces, unless only log records have what it asks for.
fn found_by(visit: &Visit, links: &Links, query: &str) -> String {
    let is_of = |signal| visit.state.store().check_query(signal, query).is_ok();
    if !is_of(Signal::Traces) && is_of(Signal::Logs) { links.logs(query).href() } else { links.traces(query).href() }
}

/// The service or the saved view of that name: as it is written, else the only one when small and capital letters are the same.
fn named(visit: &Visit, links: &Links, text: &str) -> Option<String> {
    let (services, saved) = (visit.state.store().service_names(), visit.state.store().saved_views());
    let of_services = services.iter().map(|name| (name.as_str(), links.service(name).href()));
    let of_views = saved.named().map(|view| (view.name.as_str(), links.plain(&format!("/s/{}", view.short)).href()));
    let named: Vec<(&str, String)> = of_services.chain(of_views).collect();
    let alike: Vec<&(&str, String)> = named.iter().filter(|(name, _)| name.to_lowercase() == text.to_lowercase()).collect();
    let exact = named.iter().find(|(name, _)| *name == text);
    exact.or(if let [one] = alike.as_slice() { Some(*one) } else { None }).map(|(_, href)| href.clone())
}

fn trace_link(links: &Links, trace: &TraceId, span: Option<SpanId>) -> String {
    let anchor = span.map(|span| format!("#s{span}")).unwrap_or_default();
    links.trace(trace).with("span", &span.map(|span| span.to_string()).unwrap_or_default()).href() + &anchor
}

/// The failed span of a service in its trace; a search where it is no longer there. Spans of several traces may have begun at that nanosecond:
/// clocks of milliseconds are common.
async fn failed_link(visit: &Visit, links: &Links, service: &str, at: UnixNanos) -> Result<String, Failure> {
    let (store, query) = (visit.state.store(), format!("{} status:error", term("service", service)));
    let range = TimeRange { from: at, to: at.plus(1) };
    let search = TraceSearch { query: query.clone(), range, order: TraceOrder::Newest, limit: MAX_OF_A_MOMENT, cursor: None };
    let found = store.search_traces(search).await?;
    let says = visit.params.get("says");
    let mut first = None;
    for trace in &found.traces {
        let Some(open) = store.open_trace(trace.trace_id).await? else { continue };
        let sheet = open.sheet();
        let of = |place: usize| sheet.spans.get(place).map(|span| trace_link(links, &trace.trace_id, Some(span.span_id)));
        let mut failed = (0..sheet.spans.len()).filter(|place| has_failed(sheet, *place, service, at)).peekable();
        first = first.or_else(|| failed.peek().and_then(|place| of(*place)));
        if let Some(it) = failed.find(|place| says.is_none_or(|says| is_said(sheet, *place, says))).and_then(of) {
            return Ok(it);
        }
    }
    Ok(first.unwrap_or_else(|| links.traces(&query).href()))
}

fn has_failed(sheet: &Sheet, place: usize, service: &str, at: UnixNanos) -> bool {
    sheet.service(place) == service && sheet.spans.get(place).is_some_and(|span| span.is_error() && span.start == at)
}

fn is_said(sheet: &Sheet, place: usize, says: &str) -> bool {
    let message = normalised(sheet.message(place).unwrap_or_default());
    message.chars().take(MAX_SAID).eq(says.chars().take(MAX_SAID))
}

async fn span_link(visit: &Visit, links: &Links, span: SpanId) -> Result<String, Failure> {
    let search = TraceSearch { query: format!("span:{span}"), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1, cursor: None };
    let found = visit.state.store().search_traces(search).await?;
    let padded: Option<TraceId> = span.to_string().parse().ok();
    Ok(match (found.traces.first(), padded) {
        (Some(trace), _) => trace_link(links, &trace.trace_id, Some(span)),
        (None, Some(trace)) => trace_link(links, &trace, None),
        (None, None) => links.traces(&format!("span:{span}")).href(),
    })
}

/// Some tracers leave out the zeros that an id begins with; other digits are a part of one.
async fn padded_link(visit: &Visit, links: &Links, digits: &str) -> Result<String, Failure> {
    let padded = format!("{digits:0>32}").parse::<TraceId>().ok();
    if let Some(trace) = padded
        && visit.state.store().open_trace(trace).await?.is_some()
    {
        return Ok(trace_link(links, &trace, None));
    }
    let message = format!(
        "`{}` has {} hexadecimal digits: a trace id has 32, a span id has 16, so a part of it may be missing",
        shown(digits),
        digits.len()
    );
    let as_text = ("Search for it as text", links.traces(&format!("\"{digits}\"")).href());
    Err(Failure { ways: vec![as_text], ..Failure::bad_request("invalid_id", message) })
}

/// Lists show the first digits of ids: the trace that began within a day whose id begins so, or all of them. Ids are not kept in order, so that all
/// older ones are looked at only where the reader asks for it.
async fn beginning_link(visit: &Visit, links: &Links, digits: &str) -> Result<String, Failure> {
    let since = visit.state.now().minus(A_DAY);
    let fits = format!("SELECT DISTINCT trace_id FROM spans WHERE trace_id LIKE '{digits}%'");
    let statement = SqlQuery { sql: format!("{fits} AND start_time >= {} LIMIT {MOST}", since.get()), max_rows: MOST, timeout: PATIENCE };
    let answer = visit.state.store().sql(statement).await;
    let is_whole = answer.as_ref().is_ok_and(|answer| answer.notes.is_empty());
    let found = answer.map(|answer| answer.rows).unwrap_or_default();
    let ids: Vec<&str> = found.iter().filter_map(|row| row.get("trace_id")?.as_str()).collect();
    if let [id] = ids.as_slice() {
        return Ok(links.plain(&format!("/trace/{id}")).href());
    }
    if !ids.is_empty() {
        return Ok(links.traces(&format!("trace:{}", ids.join(","))).with("from", &since.get().to_string()).href());
    }
    // A number is more likely one of an order, say.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(links.traces(digits).href());
    }
    let looked = if is_whole {
        "no trace of the last 24 hours was found"
    } else {
        "in a moment not all traces of the last 24 hours were looked at, and none found"
    };
    let message = format!("{looked} whose id begins with `{}`; a whole trace id has 32 digits", shown(digits));
    let ways = vec![
        ("Search for it as text", links.traces(&format!("\"{digits}\"")).href()),
        ("Look among all traces", links.plain("/query").with("sql", &format!("{fits} LIMIT 20")).href()),
    ];
    Err(Failure { ways, ..Failure::not_found(message) })
}

/// Traces of one nanosecond in which a failure is looked for.
const MAX_OF_A_MOMENT: usize = 20;

/// How far back, and how long, traces are looked for by the beginning of their ids, and how many of them are listed.
const A_DAY: u64 = 86_400_000_000_000;
const PATIENCE: Duration = Duration::from_secs(3);
const MOST: usize = 20;

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use prost::Message as _;

    use crate::harness::{App, TRACE};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_digits_that_lists_show_of_an_id_lead_to_its_trace() {
        let app = App::filled().await;
        let answer = app.get(&format!("/open?id={}", &TRACE[..8])).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, format!("/trace/{TRACE}").as_str()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_errors_of_one_nanosecond_the_one_that_is_meant_is_shown() {
        let app = App::empty().await;
        let mut sent = crate::harness::requests(&[(1, 60, 1, true), (2, 60, 1, true)]);
        for (span, message) in sent.resource_spans[0].scope_spans[0].spans.iter_mut().zip(["alpha exploded", "beta exploded"]) {
            span.status.as_mut().unwrap().message = message.to_owned();
        }
        app.append(storage::Signal::Traces, sent.encode_to_vec()).await;
        let page = app.get("/services/checkout?tab=errors&from=0").await.text().replace("&#38;", "&");
        for (message, trace) in [("alpha", "01"), ("beta", "02")] {
            let link = page.split('"').find(|link| link.starts_with("/open?") && link.contains(message)).unwrap();
            let to = app.get(link).await.header("location").to_owned();
            assert!(to.starts_with(&format!("/trace/{}?span=", trace.repeat(16))), "{link}: {to}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn names_of_services_and_saved_views_lead_to_them() {
        let app = App::filled().await;
        let short = app.store().save_view("Slow errors", "/traces?q=status%3Aerror", false).await.unwrap();
        for (asked, to) in [
            ("checkout", "/services/checkout".to_owned()),
            ("Checkout", "/services/checkout".to_owned()),
            ("slow%20Errors", format!("/s/{short}")),
            ("slow", "/traces?q=slow".to_owned()),
            ("severity%3E%3Derror", "/logs?q=severity%3E%3Derror".to_owned()),
        ] {
            assert_eq!(app.get(&format!("/open?id={asked}")).await.header("location"), to, "{asked}");
        }
        let offered = app.get("/complete?for=any&before=slo").await.text();
        assert!(offered.contains("data-before=\"Slow errors\"") && offered.contains("saved view"), "{offered}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn digits_that_no_id_begins_with_are_told_and_can_be_looked_for() {
        let app = App::filled().await;
        let answer = app.get("/open?id=deadbeef").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let page = answer.text();
        assert!(page.contains("begins with") && page.contains("/query?sql=SELECT") && page.contains("q=%22deadbeef%22"), "{page}");
        assert_eq!(app.get("/open?id=20261126").await.header("location"), "/traces?q=20261126");
    }
}
