//! Deletes and their receipts.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{DeleteError, DeleteReceipt, DeleteWhat, Signal, TimeRange, TraceId, UnixNanos};

use crate::error::Failure;
use crate::params::{Params, parse_time, wrong};
use crate::state::AppState;

/// What to delete: traces by id, or what a search in a window would match.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    trace_ids: Option<Vec<String>>,
    signal: Option<String>,
    query: Option<String>,
    /// A time as everywhere in an address; digits alone may be a number.
    from: Option<Value>,
    to: Option<Value>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReceiptJson {
    id: String,
    state: &'static str,
    asked_at: String,
    done_at: Option<String>,
    deleted_spans: u64,
    deleted_logs: u64,
    /// What its numbers mean where they may surprise.
    note: Option<&'static str>,
    what: WhatJson,
}

#[derive(Debug, Default, Serialize)]
struct WhatJson {
    trace_ids: Option<Vec<String>>,
    signal: Option<&'static str>,
    query: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Receipts {
    deletes: Vec<ReceiptJson>,
}

/// `POST /api/v1/deletes`: answered once no question finds the rows any more.
pub(super) async fn ask(State(state): State<AppState>, headers: HeaderMap, params: Params, body: String) -> Result<Response, Failure> {
    params.refuse_unknown(&[])?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/json") {
        let message = "what to delete is written as JSON; send it with content-type application/json";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message));
    }
    let asked: Asked = serde_json::from_str(&body)
        .map_err(|error| Failure::bad_request("malformed", format!("the body is not a delete: {error}; see /api/v1/openapi.json")))?;
    let receipt = state.store().delete(what(asked, state.store().clock().now())?).await.map_err(Failure::from)?;
    let location = format!("{}/api/v1/deletes/{}", state.base_path(), receipt.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(ReceiptJson::from(receipt))).into_response())
}

/// `GET /api/v1/deletes`: the newest first.
pub(super) async fn list(State(state): State<AppState>, params: Params) -> Result<Json<Receipts>, Failure> {
    params.refuse_unknown(&[])?;
    Ok(Json(Receipts { deletes: state.store().deletions().into_iter().take(LISTED).map(ReceiptJson::from).collect() }))
}

/// `GET /api/v1/deletes/{delete_id}`
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>, params: Params) -> Result<Json<ReceiptJson>, Failure> {
    params.refuse_unknown(&[])?;
    let receipt = state
        .store()
        .deletion(&id)
        .ok_or_else(|| Failure::not_found("no delete of this id is known; receipts of the last 1000 are kept"))?;
    Ok(Json(receipt.into()))
}

fn what(asked: Asked, now: UnixNanos) -> Result<DeleteWhat, Failure> {
    match asked {
        Asked { trace_ids: Some(ids), signal: None, query: None, from: None, to: None } => {
            let ids = ids.iter().map(|id| id.parse::<TraceId>().map_err(|error| wrong("trace_ids", &error.to_string())));
            Ok(DeleteWhat::Traces(ids.collect::<Result<_, _>>()?))
        }
        Asked { trace_ids: None, signal: Some(signal), query: Some(query), from: Some(from), to: Some(to) } => {
            let signal = match signal.as_str() {
                "traces" => Signal::Traces,
                "logs" => Signal::Logs,
                _ => return Err(wrong("signal", "it is `traces` or `logs`")),
            };
            let time = |name, value: &Value| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                parse_time(&text, now).map_err(|reason| wrong(name, &reason))
            };
            let range = TimeRange { from: time("from", &from)?, to: time("to", &to)? };
            if range.from >= range.to {
                return Err(wrong("to", "it must be later than `from`"));
            }
            Ok(DeleteWhat::Matching { signal, query, range })
        }
        asked => Err(Failure::bad_request("invalid_parameter", unclear(&asked))),
    }
}

/// What is missing of a delete by a search, or that there is too much.
fn unclear(asked: &Asked) -> String {
    let rest =
        [("signal", asked.signal.is_some()), ("query", asked.query.is_some()), ("from", asked.from.is_some()), ("to", asked.to.is_some())];
    let named = |is_there: bool| {
        let names = rest.iter().filter(|(_, there)| *there == is_there).map(|(name, _)| format!("`{name}`"));
        names.collect::<Vec<_>>().join(", ")
    };
    let (there, missing) = (named(true), named(false));
    if asked.trace_ids.is_some() {
        return format!("`trace_ids` says what to delete by itself; leave out {there}");
    }
    if there.is_empty() {
        return "there is nothing that says what to delete: name either `trace_ids`, or `signal`, `query` (empty for everything), `from` and `to`"
            .to_owned();
    }
    format!("{missing} missing: a delete by a search names `signal`, `query` (empty for everything), `from` and `to`")
}

// === impl ReceiptJson ===

impl From<DeleteReceipt> for ReceiptJson {
    fn from(receipt: DeleteReceipt) -> Self {
        let text = |time: UnixNanos| time.get().to_string();
        Self {
            id: receipt.id,
            state: if receipt.done.is_some() { "done" } else { "pending" },
            asked_at: text(receipt.asked),
            done_at: receipt.done.map(text),
            deleted_spans: receipt.spans,
            deleted_logs: receipt.logs,
            note: (receipt.spans + receipt.logs == 0).then_some(NOTHING),
            what: match receipt.what {
                DeleteWhat::Traces(ids) => {
                    WhatJson { trace_ids: Some(ids.iter().map(ToString::to_string).collect()), ..WhatJson::default() }
                }
                DeleteWhat::Matching { signal, query, range } => WhatJson {
                    trace_ids: None,
                    signal: Some(signal.as_str()),
                    query: Some(query),
                    from: Some(text(range.from)),
                    to: Some(text(range.to)),
                },
            },
        }
    }
}

impl From<DeleteError> for Failure {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Invalid(message) => Self::bad_request("invalid_parameter", message),
            DeleteError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()),
            DeleteError::Query(error) => error.into(),
        }
    }
}

/// Said of a delete without rows.
const NOTHING: &str = "nothing was deleted: when this was asked, nothing that is stored matched";

/// Receipts of one answer.
const LISTED: usize = 100;

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};

    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_delete_that_is_not_whole_is_told_what_is_missing() {
        let app = App::empty().await;
        for (body, says) in [
            (r#"{"signal":"logs","query":"x","from":"now-7d"}"#, "`to` missing"),
            (r#"{"query":"x"}"#, "`signal`, `from`, `to` missing"),
            (r#"{"trace_ids":[],"signal":"logs","to":"now"}"#, "leave out `signal`, `to`"),
            ("{}", "nothing that says what to delete"),
        ] {
            let answer = app.call(Method::POST, "/api/v1/deletes", "application/json", body).await;
            let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(answer.status == StatusCode::BAD_REQUEST && message.contains(says), "{body}: {message}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_beginning_of_the_api_leads_to_its_description() {
        let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
        for path in ["/tl/api/v1", "/tl/api/v1/", "/tl/api"] {
            let answer = app.get(path).await;
            assert!(answer.status == StatusCode::NOT_FOUND && answer.text().contains("/tl/api/v1/openapi.json"), "{}", answer.text());
        }
    }
}
