//! What callers are told when they do not get what they asked for.
//!
//! Handlers return a [`Failure`]. [`render`] is the one place that turns it into an answer: JSON under `/api/v1`, the
//! Jaeger envelope under the rest of `/api`, a page elsewhere. The router's own refusals (404, 405) pass through it too.

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use storage::{ParseError, ParseIdError, QueryError};

use crate::jaeger;
use crate::pages::{self, Visit};
use crate::state::AppState;

/// Why a request was not answered, in terms of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// One word for programs, stable between versions.
    pub(crate) code: &'static str,
    /// For people: what is wrong and what to do, lower case, no full stop.
    pub(crate) message: String,
    /// Byte offset and length of the wrong part of the query text.
    pub(crate) place: Option<(usize, usize)>,
    /// Nearest known names, best first.
    pub(crate) suggestions: Vec<String>,
    /// Where to go instead, for pages: word and address.
    pub(crate) ways: Vec<(&'static str, String)>,
    /// Whether the store said it, which counts the questions that it does not answer.
    pub(crate) is_counted: bool,
}

// === impl Failure ===

impl Failure {
    /// 400: the request must be mended before it is sent again.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: `message` says what is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// Any status; prefer the named ones.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), place: None, suggestions: Vec::new(), ways: Vec::new(), is_counted: false }
    }

    /// What the router and the middleware mean by a bare status.
    fn from_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::BAD_REQUEST => ("malformed", "the path or the body of the request is not UTF-8 text"),
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this address is not asked with this method; see the Allow header"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the request body is larger than 1 MiB"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "the content type of the request body is not one that is read here")
            }
            StatusCode::INTERNAL_SERVER_ERROR => ("internal", "this request failed; the log of the server says why"),
            other => ("failed", other.canonical_reason().unwrap_or("the request failed")),
        };
        Self::new(status, code, message)
    }

    /// The body under `/api/v1`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(fields) = error.as_object_mut() {
            if let Some((offset, length)) = self.place {
                fields.insert("offset".to_owned(), offset.into());
                fields.insert("length".to_owned(), length.into());
            }
            if !self.suggestions.is_empty() {
                fields.insert("suggestions".to_owned(), self.suggestions.clone().into());
            }
        }
        json!({ "error": error })
    }

    /// What the metric of questions that were not answered calls it.
    fn reason(&self) -> &'static str {
        match self.code {
            "query_syntax" => "parse",
            _ => "invalid",
        }
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE).then(|| HeaderValue::from_static("1"))
    }
}

/// Leaves the choice of form to [`render`].
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "query_syntax",
            message: error.message,
            place: Some((error.offset, error.length)),
            suggestions: error.suggestions,
            ways: Vec::new(),
            is_counted: false,
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let failure = match error {
            QueryError::Parse(error) => error.into(),
            QueryError::Invalid(message) => Self::bad_request("invalid_parameter", message),
            QueryError::Timeout(_) => Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", error.to_string()),
            QueryError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string()),
            QueryError::Crowded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "memory", error.to_string()),
            QueryError::Memory(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "memory", error.to_string()),
            QueryError::Internal(_) => {
                tracing::error!(error = %error, "a query failed: {error}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
            }
        };
        Self { is_counted: true, ..failure }
    }
}

impl From<ParseIdError> for Failure {
    fn from(error: ParseIdError) -> Self {
        Self::bad_request("invalid_id", error.to_string())
    }
}

/// Gives every refusal the form its caller reads.
pub(crate) async fn render(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let form = Form::of(request.uri().path(), request.headers());
    let kind = kind_of(request.uri().path());
    // Who is told in a page is shown it in their theme and zone, without keys that they switched off.
    let visit = (form == Form::Page).then(|| Visit::by(&state, request.uri(), request.headers()));
    let response = next.run(request).await;
    let Some(failure) = failure_of(&response) else { return response };
    if failure.status == StatusCode::BAD_REQUEST && !failure.is_counted {
        let labels = [("kind", kind), ("reason", failure.reason())];
        state.registry().counter("throughline_query_errors_total", "Questions that were not answered.", &labels).add(1);
    }
    let retry_after = failure.retry_after();
    let mut rendered = match (form, &visit) {
        (Form::Page, Some(visit)) => pages::error_page(visit, &failure),
        (Form::Jaeger, _) => jaeger::error_envelope(&failure),
        _ => (failure.status, Json(failure.to_json())).into_response(),
    };
    *rendered.status_mut() = failure.status;
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if let Some(seconds) = retry_after {
        rendered.headers_mut().insert(RETRY_AFTER, seconds);
    }
    rendered
}

/// The kind of question that an address stands for, in the words of the store's metrics.
fn kind_of(path: &str) -> &'static str {
    let path = ["/api/v1/", "/api/", "/"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let path = [".json", ".ndjson"].iter().find_map(|form| path.strip_suffix(form)).unwrap_or(path);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["sql", ..] => "sql",
        ["aggregate"] => "aggregate",
        ["export"] => "export",
        ["map" | "dependencies"] => "service_map",
        ["deletes", ..] => "delete",
        ["services"] => "services",
        ["services", _, "operations"] | ["operations"] => "operations",
        ["traces" | "logs", "histogram"] => "histogram",
        ["traces" | "logs", "facets"] => "facets",
        ["traces" | "logs", "fields"] => "fields",
        ["traces"] => "search_traces",
        ["spans"] => "search_spans",
        ["logs"] => "search_logs",
        ["traces", _, "logs"] => "trace_logs",
        ["traces" | "trace", ..] => "trace",
        ["logs", _, "context"] => "log_context",
        ["logs", _] => "log",
        _ => "other",
    }
}

/// What a refusal looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Api,
    Jaeger,
    Page,
}

impl Form {
    fn of(path: &str, headers: &HeaderMap) -> Self {
        let wants_json =
            || headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.starts_with("application/json"));
        // What sends telemetry to the wrong port logs the answer.
        let is_program = || {
            let form = headers.get(CONTENT_TYPE).and_then(|form| form.to_str().ok()).unwrap_or_default();
            form.starts_with("application/x-protobuf") || form.starts_with("application/json")
        };
        if path == "/api/v1" || path.starts_with("/api/v1/") || path.starts_with("/v1/") {
            Self::Api
        } else if path == "/api" || path.starts_with("/api/") {
            Self::Jaeger
        } else if path.ends_with(".json") || path.ends_with(".ndjson") || wants_json() || is_program() {
            Self::Api
        } else {
            Self::Page
        }
    }
}

/// The failure a response carries; for bare refusals of the router, what their status means.
fn failure_of(response: &Response) -> Option<Failure> {
    if let Some(failure) = response.extensions().get::<Failure>() {
        return Some(failure.clone());
    }
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    let bare = response.headers().get(CONTENT_TYPE).is_none_or(|form| form.as_bytes().starts_with(b"text/plain"));
    (refused && bare).then(|| Failure::from_status(status))
}
