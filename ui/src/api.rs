//! Our own API for programs: everything the pages show, as JSON under `/api/v1`.
//!
//! Owns the shapes that `openapi.json` describes; a test holds the two together. Times and durations are nanoseconds as
//! text, because they do not fit into the numbers of every JSON reader; counts are numbers.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::error::Failure;
use crate::ops;
use crate::params::Params;
use crate::state::AppState;

mod aggregate;
mod backup;
mod csv;
mod deletes;
mod export;
mod facets;
mod logs;
mod map;
mod query;
pub(crate) mod search;
mod services;
mod shape;
mod spans;
mod sql;
mod trace;
mod traces;

pub(crate) use self::logs::indented as indented_record;
pub(crate) use self::trace::indented as indented_trace;

/// Every route under `/api/v1`.
pub(crate) fn router() -> Router<AppState> {
    routes().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route))
}

fn routes() -> [(&'static str, MethodRouter<AppState>); 26] {
    [
        ("/api/v1/services", get(services::list)),
        ("/api/v1/services/{service}/operations", get(services::operations)),
        ("/api/v1/traces", get(traces::search)),
        ("/api/v1/traces/histogram", get(traces::histogram)),
        ("/api/v1/traces/facets", get(facets::of_traces)),
        ("/api/v1/traces/fields", get(facets::trace_fields)),
        ("/api/v1/traces/{trace_id}", get(trace::one)),
        ("/api/v1/traces/{trace_id}/logs", get(trace::logs)),
        ("/api/v1/spans", get(spans::search)),
        ("/api/v1/logs", get(logs::search)),
        ("/api/v1/logs/histogram", get(logs::histogram)),
        ("/api/v1/logs/facets", get(facets::of_logs)),
        ("/api/v1/logs/fields", get(facets::log_fields)),
        ("/api/v1/logs/{record_id}", get(logs::one)),
        ("/api/v1/logs/{record_id}/context", get(logs::context)),
        ("/api/v1/map", get(map::between_services)),
        (BACKUP, post(backup::stream_of)),
        ("/api/v1/export", get(export::lines)),
        ("/api/v1/aggregate", get(aggregate::sums)),
        ("/api/v1/sql", get(sql::asked_by_url).post(sql::asked_by_body)),
        ("/api/v1/tables", get(sql::tables)),
        ("/api/v1/query/check", get(query::check)),
        ("/api/v1/deletes", get(deletes::list).post(deletes::ask)),
        ("/api/v1/deletes/{delete_id}", get(deletes::one)),
        ("/api/v1/status", get(ops::status)),
        ("/api/v1/openapi.json", get(openapi)),
    ]
}

/// The address whose body is a list of files, and may be longer than questions are.
const BACKUP: &str = "/api/v1/backup";

/// Bytes that a body sent to this path may have, where it may be longer than others.
pub(crate) fn longer_body(path: &str) -> Option<usize> {
    (path == BACKUP).then_some(backup::MAX_KNOWN_BYTES)
}

/// The description of this API, below its prefix.
async fn openapi(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&[])?;
    let body = match state.base_path() {
        "" => OPENAPI.to_owned(),
        // A prefix holds nothing that JSON would escape.
        base_path => OPENAPI.replacen('{', &format!("{{ \"servers\": [{{ \"url\": \"{base_path}\" }}],"), 1),
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Writes an answer of any size without holding up other requests of this thread.
pub(crate) async fn written<T, F>(write: F) -> Result<Response, Failure>
where
    T: Into<Vec<u8>> + Send + 'static,
    F: FnOnce() -> serde_json::Result<T> + Send + 'static,
{
    in_background(write).await?.map(|body| json_body(body.into())).map_err(|_| not_written())
}

/// Does what takes a while without holding up other requests of this thread.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| not_written())
}

fn not_written() -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer could not be written")
}

/// JSON text that is ready.
pub(crate) fn json_body(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// JSON as bytes.
pub(crate) fn to_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(value)
}

const OPENAPI: &str = include_str!("../openapi.json");

#[cfg(test)]
mod tests;
