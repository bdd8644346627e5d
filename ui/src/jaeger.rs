//! The read API that existing trace clients speak: Jaeger's query HTTP JSON, version 1, at the root.

use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

use crate::error::Failure;
use crate::state::AppState;

/// Every route of Jaeger's API.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
}

/// A refusal as Jaeger's clients read it.
pub(crate) fn error_envelope(failure: &Failure) -> Response {
    let errors = json!([{ "code": failure.status.as_u16(), "msg": failure.message }]);
    Json(json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors })).into_response()
}
