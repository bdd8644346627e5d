//! `/open?id=`: goes to what a pasted text names: a page of this server, a trace, a span, a service; else searches for it. `/open?failed=&at=`: goes to the
//! span of a service that failed and began at that nanosecond.

use axum::response::{IntoResponse, Redirect, Response};
use storage::trace::Sheet;
use storage::{SpanId, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};

use super::Visit;
use crate::error::Failure;
use crate::params::shown;
use crate::view::link::{Links, term};

/// What a text is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Trace(TraceId, Option<SpanId>),
    /// Sixteen digits: a span, or a trace of an older tracer.
    Span(SpanId),
    /// Digits of an id, too few or too many.
    Digits(String),
    Text(String),
}

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
    let href = match Target::of(text) {
        Target::Trace(trace, span) => trace_link(&links, &trace, span),
        Target::Span(span) => span_link(&visit, &links, span).await?,
        Target::Digits(digits) => padded_link(&visit, &links, &digits).await?,
        Target::Text(text) if visit.state.store().service_names().contains(&text) => links.service(&text).href(),
        Target::Text(text) => links.traces(&text).href(),
    };
    Ok(Redirect::to(&href).into_response())
}

/// What follows the host in a link to a page of this server, where `base` is what its pages begin with.
fn own_path<'a>(text: &'a str, host: &str, base: &str) -> Option<&'a str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let named = authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
    let is_below = path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/') && !rest.starts_with("/open"));
    // Two slashes, or what browsers take for one, would begin the name of another host.
    let is_plain = !path.starts_with("//") && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (!host.is_empty() && named.eq_ignore_ascii_case(host) && is_below && is_plain).then_some(path)
}

fn trace_link(links: &Links, trace: &TraceId, span: Option<SpanId>) -> String {
    let anchor = span.map(|span| format!("#s{span}")).unwrap_or_default();
    links.trace(trace).with("span", &span.map(|span| span.to_string()).unwrap_or_default()).href() + &anchor
}

/// The failed span of a service in its trace; a search where it is no longer there.
async fn failed_link(visit: &Visit, links: &Links, service: &str, at: UnixNanos) -> Result<String, Failure> {
    let (store, query) = (visit.state.store(), format!("{} status:error", term("service", service)));
    let range = TimeRange { from: at, to: at.plus(1) };
    let search = TraceSearch { query: query.clone(), range, order: TraceOrder::Newest, limit: 1, cursor: None };
    let found = store.search_traces(search).await?;
    let Some(trace) = found.traces.first() else { return Ok(links.traces(&query).href()) };
    let open = store.open_trace(trace.trace_id).await?;
    let is_it = |sheet: &Sheet, place: &usize| {
        sheet.service(*place) == service && sheet.spans.get(*place).is_some_and(|span| span.is_error() && span.start == at)
    };
    let span = open.and_then(|open| {
        let sheet = open.sheet();
        let place = (0..sheet.spans.len()).find(|place| is_it(sheet, place))?;
        sheet.spans.get(place).map(|span| span.span_id)
    });
    Ok(trace_link(links, &trace.trace_id, span))
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

// === impl Target ===

impl Target {
    fn of(text: &str) -> Self {
        // Links and traceparents hold ids between other signs; the first of each length counts.
        let runs: Vec<&str> = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| matches!(run.len(), 16 | 32)).collect();
        let is_link = text.contains("://") || text.starts_with('/') || text.starts_with("00-");
        let trace = runs.iter().filter(|run| run.len() == 32).find_map(|run| run.parse::<TraceId>().ok());
        let span = runs.iter().filter(|run| run.len() == 16).find_map(|run| run.parse::<SpanId>().ok());
        match (trace, span) {
            (Some(trace), span) if is_link || runs.first() == Some(&text) => Self::Trace(trace, span),
            (None, Some(span)) if runs.first() == Some(&text) => Self::Span(span),
            (None, None) if is_part_of_id(text) => Self::Digits(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// Hexadecimal digits in a number that no word has, and no id.
fn is_part_of_id(text: &str) -> bool {
    text.len() > 16 && text.len() != 32 && text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn ids_traceparents_and_links_lead_to_the_trace() {
        let trace: TraceId = TRACE.parse().unwrap();
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(Target::of(TRACE), Target::Trace(trace, None));
        assert_eq!(Target::of(&format!("00-{TRACE}-00f067aa0ba902b7-01")), Target::Trace(trace, Some(span)));
        assert_eq!(Target::of(&format!("http://x:16686/trace/{TRACE}?span=00f067aa0ba902b7")), Target::Trace(trace, Some(span)));
        assert_eq!(Target::of("00f067aa0ba902b7"), Target::Span(span));
    }

    #[test]
    fn links_to_pages_of_this_server_are_followed_and_no_others() {
        let path = |text| own_path(text, "tl.test", "/tl");
        assert_eq!(path("http://tl.test:16686/tl/logs?q=a%20b&from=now-1h"), Some("/tl/logs?q=a%20b&from=now-1h"));
        assert_eq!(path("https://TL.test/tl/map#edge"), Some("/tl/map#edge"));
        for other in [
            "http://other.test/tl/logs",
            "http://tl.test/elsewhere",
            "http://tl.test//other.test/tl",
            "http://tl.test/tl/open?id=x",
            "tl.test/tl/logs",
            "http://tl.test",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
        assert_eq!(own_path("http://tl.test//other.test", "tl.test", ""), None);
        assert_eq!(own_path("http://tl.test/\\other.test", "tl.test", ""), None);
        assert_eq!(own_path("http:///logs", "", ""), None);
    }

    #[test]
    fn digits_of_another_number_are_a_part_of_an_id() {
        for text in [&TRACE[1..], &TRACE[..17], &format!("{TRACE}0")] {
            assert_eq!(Target::of(text), Target::Digits(text.to_owned()));
        }
        assert_eq!(Target::of("facade"), Target::Text("facade".to_owned()));
    }

    #[test]
    fn queries_stay_queries() {
        for text in ["service:cart", "status:error duration>1s", &format!("trace:{TRACE} status:error"), "00000000000000000000000000000000"]
        {
            assert_eq!(Target::of(text), Target::Text(text.to_owned()), "{text}");
        }
    }
}
