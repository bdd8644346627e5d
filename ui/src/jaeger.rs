//! The read API that existing trace clients speak: Jaeger's query HTTP JSON, version 1, at the root.
//!
//! Owns the envelope and the routes. What is asked is compiled to the same questions as everything else.

use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use crate::api;
use crate::error::Failure;
use crate::params::{Params, wrong};
use crate::state::AppState;

pub(crate) mod addresses;
mod convert;
mod find;
mod lists;

/// Every route of Jaeger's API.
pub(crate) fn router() -> Router<AppState> {
    routes().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route))
}

pub(crate) fn routes() -> [(&'static str, MethodRouter<AppState>); 6] {
    [
        ("/api/services", get(lists::services)),
        ("/api/services/{service}/operations", get(lists::operation_names)),
        ("/api/operations", get(lists::operations)),
        ("/api/traces", get(find::search)),
        ("/api/traces/{trace_id}", get(find::one)),
        ("/api/dependencies", get(lists::dependencies)),
    ]
}

/// What surrounds every answer.
#[derive(Debug, Serialize)]
struct Envelope<T> {
    data: T,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Complaint>>,
}

/// Something that was asked for and not given.
#[derive(Debug, Serialize)]
struct Complaint {
    code: u16,
    msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl<T: Serialize> Envelope<T> {
    fn new(data: T) -> Self {
        Self { data, total: 0, limit: 0, offset: 0, errors: None }
    }

    fn with_total(data: T, total: usize) -> Self {
        Self { total, ..Self::new(data) }
    }

    fn with_errors(data: T, errors: Vec<Complaint>) -> Self {
        Self { errors: (!errors.is_empty()).then_some(errors), ..Self::new(data) }
    }

    fn to_json(&self, pretty: bool) -> serde_json::Result<Vec<u8>> {
        if pretty { serde_json::to_vec_pretty(self) } else { serde_json::to_vec(self) }
    }

    /// For answers that are small.
    fn respond(&self, params: &Params) -> Result<Response, Failure> {
        let body = self.to_json(is_set(params, "prettyPrint"));
        body.map(api::json_body).map_err(|error| Failure::bad_request("internal", error.to_string()))
    }
}

/// A refusal as Jaeger's clients read it.
pub(crate) fn error_envelope(failure: &Failure) -> Response {
    let errors = json!([{ "code": failure.status.as_u16(), "msg": failure.message }]);
    Json(json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors })).into_response()
}

/// A flag such as `raw=true`; a bare name counts as false, like an empty one.
fn is_set(params: &Params, name: &str) -> bool {
    matches!(params.get(name), Some("true" | "1" | "t" | "T" | "TRUE" | "True"))
}

/// A number of a time unit since 1970, in nanoseconds.
fn epoch(params: &Params, name: &str, unit_nanos: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let nanos = text.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_nanos));
    nanos.map(Some).ok_or_else(|| wrong(name, "it is not a whole number, or too large"))
}

const MICROSECOND: u64 = 1_000;

const MILLISECOND: u64 = 1_000_000;

const HOUR: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests;
