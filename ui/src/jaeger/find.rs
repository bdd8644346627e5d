//! Traces, found by parameters or named by their ids.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value as AnyJson};
use storage::{Cursor, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};

use super::convert::{TraceJson, own_service};
use super::{Complaint, Envelope, HOUR, MICROSECOND, epoch, is_set};
use crate::api::written;
use crate::error::Failure;
use crate::filter::Filter;
use crate::params::{Params, parse_duration, shown, wrong};
use crate::state::AppState;

/// `GET /api/traces/{trace_id}`
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>, params: Params) -> Result<Response, Failure> {
    params.refuse_repeated(&["start", "end", "raw", "prettyPrint"])?;
    let id = trace_id(&id)?;
    // Where to look is a hint for stores that need one; a trace is found, whole, wherever it is.
    window(&params)?;
    let (raw, pretty) = (is_set(&params, "raw"), is_set(&params, "prettyPrint"));
    let Some(trace) = state.store().trace(id).await? else {
        let complaint = Complaint { code: 404, msg: "trace not found".to_owned(), trace_id: Some(id.to_string()) };
        let body = Envelope::with_errors(serde_json::Value::Null, vec![complaint]).respond(&params)?;
        return Ok((StatusCode::NOT_FOUND, body).into_response());
    };
    written(move || Envelope::new([TraceJson::new(&trace, raw)]).to_json(pretty)).await
}

/// `GET /api/traces`: those that `traceID` names, else those that match.
pub(super) async fn search(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_repeated(&ONCE)?;
    let raw = is_set(&params, "raw");
    let named = params.all("traceID").take(MAX_TRACES).map(trace_id).collect::<Result<Vec<_>, _>>()?;
    let ids = if named.is_empty() { matching(&state, &params).await? } else { named };
    let mut complaints = Vec::new();
    let mut traces: Vec<TraceJson> = Vec::new();
    let mut spans = 0;
    let mut found = stream::iter(ids)
        .map(|id| {
            let store = state.store().clone();
            async move { store.trace(id).await.map(|trace| (id, trace.map(|trace| TraceJson::new(&trace, raw)))) }
        })
        .buffered(AT_ONCE);
    while let Some((id, trace)) = found.try_next().await? {
        let Some(trace) = trace else {
            complaints.push(Complaint { code: 404, msg: "trace not found".to_owned(), trace_id: Some(id.to_string()) });
            continue;
        };
        spans += trace.span_count();
        traces.push(trace);
        if spans > MAX_SPANS {
            let msg = format!("the answer ends after {MAX_SPANS} spans; lower `limit` or narrow the time range");
            complaints.push(Complaint { code: 413, msg, trace_id: None });
            break;
        }
    }
    let pretty = is_set(&params, "prettyPrint");
    written(move || Envelope::with_errors(traces, complaints).to_json(pretty)).await
}

/// Ids of matching traces, newest first.
async fn matching(state: &AppState, params: &Params) -> Result<Vec<TraceId>, Failure> {
    let now = state.now();
    let (start, end) = window(params)?;
    let range = TimeRange { from: start.unwrap_or_else(|| now.minus(DEFAULT_LOOKBACK)), to: end.unwrap_or(now) };
    if range.from > range.to {
        return Err(wrong("start", "it is later than now"));
    }
    let search = TraceSearch { query: query(params)?, range, order: TraceOrder::Newest, limit: limit(params)?, cursor: None::<Cursor> };
    let page = state.store().search_traces(search).await?;
    Ok(page.traces.into_iter().map(|trace| trace.trace_id).collect())
}

/// `start` and `end`, where given; `end` is inside.
pub(super) fn window(params: &Params) -> Result<(Option<UnixNanos>, Option<UnixNanos>), Failure> {
    let start = epoch(params, "start", MICROSECOND)?.map(UnixNanos::new);
    let end = epoch(params, "end", MICROSECOND)?.map(|end| UnixNanos::new(end).plus(MICROSECOND));
    match (start, end) {
        (Some(start), Some(end)) if start > end => Err(wrong("start", "it is later than `end`")),
        window => Ok(window),
    }
}

/// The query that the parameters make.
pub(super) fn query(params: &Params) -> Result<String, Failure> {
    let mut filter = Filter::default();
    if let Some(service) = params.get("service") {
        filter.is("service", own_service(service));
    }
    if let Some(operation) = params.get("operation") {
        filter.is("name", operation);
    }
    for (name, operator) in [("minDuration", ">="), ("maxDuration", "<=")] {
        if let Some(text) = params.get(name) {
            let nanos = parse_duration(text).map_err(|reason| wrong(name, &reason))?;
            filter.compares("duration", operator, format_args!("{nanos}ns"));
        }
    }
    for text in params.all("tag") {
        let (key, value) = text.split_once(':').ok_or_else(|| wrong("tag", "it is not of the form key:value"))?;
        tag(&mut filter, key, value)?;
    }
    for text in params.all("tags") {
        let tags: Map<String, AnyJson> =
            serde_json::from_str(text).map_err(|error| wrong("tags", &format!("it is not a JSON object: {error}")))?;
        for (key, value) in &tags {
            tag(&mut filter, key, &tag_text(value))?;
        }
    }
    Ok(filter.into_query())
}

/// Whatever `convert` shows as a tag of a span, of its process or as a field of its logs: an attribute, or the field that it stands for.
fn tag(filter: &mut Filter, key: &str, value: &str) -> Result<(), Failure> {
    let word = value.to_ascii_lowercase();
    let mut ways = Filter::default();
    match (key, word.as_str()) {
        ("", _) => return Err(wrong("tags", "a name is missing")),
        ("error", "true") | ("otel.status_code", "error") => ways.compares("status", ":", "error"),
        ("error", "false") => ways.does_not_compare("status", ":", "error"),
        ("otel.status_code", "ok" | "unset") => ways.compares("status", ":", word),
        ("span.kind", "client" | "server" | "producer" | "consumer" | "internal") => ways.compares("kind", ":", word),
        ("otel.status_description", _) => ways.is("status.message", value),
        ("otel.scope.name", _) => ways.is("scope.name", value),
        ("otel.scope.version", _) => ways.is("scope.version", value),
        ("w3c.tracestate", _) => ways.is("trace_state", value),
        ("event", _) => ways.is("event", value),
        _ => {}
    }
    for scope in ["attr", "resource", "event"] {
        ways.attribute(scope, key, value);
    }
    filter.any_of(&ways);
    Ok(())
}

fn tag_text(value: &AnyJson) -> String {
    match value {
        AnyJson::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Clients ask for up to 1,500; what is beyond the bound is left out.
fn limit(params: &Params) -> Result<usize, Failure> {
    match params.get("limit").map(str::parse::<usize>) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit)) if limit > 0 => Ok(limit.min(MAX_TRACES)),
        Some(_) => Err(wrong("limit", "it is not a whole number above 0")),
    }
}

/// 1 to 32 hex digits, padded on the left, or 16 bytes in base64 as protobuf's JSON writes them.
pub(super) fn trace_id(text: &str) -> Result<TraceId, Failure> {
    // 22 or 24 characters of base64 may all be hex digits as well; hex has been there longer.
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let (false, Some(id)) = (is_hex, from_base64(text)) {
        return Ok(id);
    }
    if text.is_empty() || text.len() > 32 {
        return Err(Failure::bad_request("invalid_id", format!("`{}` is not a trace id of 1 to 32 hex digits", shown(text))));
    }
    Ok(format!("{text:0>32}").parse()?)
}

/// Both alphabets, with padding or without. A space was a plus sign that was not percent-encoded.
fn from_base64(text: &str) -> Option<TraceId> {
    let plain = text.trim_end_matches('=').replace('-', "+").replace('_', "/").replace(' ', "+");
    if plain.len() != 22 || text.len() > 24 {
        return None;
    }
    TraceId::from_slice(&STANDARD_NO_PAD.decode(plain).ok()?)
}

/// Parameters of a search that take one value. Others that clients send, such as `lookback`, are left alone.
const ONCE: [&str; 9] = ["service", "operation", "start", "end", "minDuration", "maxDuration", "limit", "raw", "prettyPrint"];

const DEFAULT_LIMIT: usize = 100;

const MAX_TRACES: usize = 1_000;

/// Over all traces of an answer; what is over is told.
const MAX_SPANS: usize = 200_000;

/// Look-ups by id that one search runs beside each other.
const AT_ONCE: usize = 2;

const DEFAULT_LOOKBACK: u64 = 48 * HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query_string: &str) -> String {
        query(&Params::parse(query_string)).unwrap()
    }

    #[test]
    fn parameters_become_one_query() {
        let query = asked("service=a%20b&operation=GET%20%2F&minDuration=1.2s&maxDuration=100ms&tag=http.method:GET");
        assert_eq!(
            query,
            "service=\"a b\" name=\"GET /\" duration>=1200000000ns duration<=100000000ns \
             (attr.\"http.method\"=GET OR resource.\"http.method\"=GET OR event.\"http.method\"=GET)"
        );
    }

    #[test]
    fn tags_of_fields_are_asked_of_the_fields_and_of_attributes() {
        let error = |value| format!("attr.\"error\"={value} OR resource.\"error\"={value} OR event.\"error\"={value}");
        assert_eq!(asked("tags=%7B%22error%22%3A%22true%22%7D"), format!("(status:error OR {})", error(true)));
        assert_eq!(asked("tags=%7B%22error%22%3Afalse%7D"), format!("(NOT status:error OR {})", error(false)));
        let both = asked("tag=span.kind:server&tag=otel.status_code:ERROR");
        assert!(both.starts_with("(kind:server OR attr.\"span.kind\"=server OR ") && both.contains(") (status:error OR "), "{both}");
        assert_eq!(asked("tags=%7B%22n%22%3A200%7D"), "(attr.\"n\"=200 OR resource.\"n\"=200 OR event.\"n\"=200)");
        assert_eq!(asked("service=OTLPResourceNoServiceName"), "service=\"unknown_service\"");
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for bad in ["tags=x", "tags=%5B%5D", "tag=novalue", "minDuration=5", "tag=:x"] {
            assert!(query(&Params::parse(bad)).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "x"] {
            assert!(limit(&Params::parse(&format!("limit={bad}"))).is_err(), "{bad}");
        }
        assert_eq!(limit(&Params::parse("limit=1500")), Ok(1_000));
    }

    #[test]
    fn trace_ids_are_padded_on_the_left() {
        assert_eq!(trace_id("abc").unwrap().to_string(), "00000000000000000000000000000abc");
        for bad in ["", "0", "xyz", "0123456789abcdef0123456789abcdef0", "../../etc", "ä"] {
            assert!(trace_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn trace_ids_are_hex_or_base64_of_either_alphabet() {
        let id = "221683cf863fe92f442fd405123a7178";
        for text in [id, "IhaDz4Y/6S9EL9QFEjpxeA==", "IhaDz4Y/6S9EL9QFEjpxeA", "IhaDz4Y_6S9EL9QFEjpxeA", "IhaDz4Y_6S9EL9QFEjpxeA=="] {
            assert_eq!(trace_id(text).unwrap().to_string(), id, "{text}");
        }
        assert_eq!(trace_id("1234567890123456789012").unwrap().to_string(), "00000000001234567890123456789012");
        for bad in ["AAAAAAAAAAAAAAAAAAAAAA==", "IhaDz4Y/6S9EL9QFEjpx", "IhaDz4Y/6S9EL9QFEjpxeA===="] {
            assert!(trace_id(bad).is_err(), "{bad}");
        }
    }
}
