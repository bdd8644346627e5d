//! Whether a text is a query.

use axum::Json;
use axum::extract::State;
use serde_json::{Value as AnyJson, json};
use storage::Signal;

use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

/// `GET /api/v1/query/check`: a wrong query is an answer here, not a refusal.
pub(super) async fn check(State(state): State<AppState>, params: Params) -> Result<Json<AnyJson>, Failure> {
    params.refuse_unknown(&["q", "signal"])?;
    let signal = params.word("signal", &[("traces", Signal::Traces), ("logs", Signal::Logs)])?.unwrap_or(Signal::Traces);
    Ok(Json(match state.store().check_query(signal, params.get("q").unwrap_or_default()) {
        Ok(()) => json!({ "valid": true }),
        Err(error) => {
            let mut answer = Failure::from(error).to_json();
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("valid".to_owned(), false.into());
            }
            answer
        }
    }))
}
