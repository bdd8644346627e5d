//! What there is to search for: fields, and the values of one field.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use storage::{FieldCount, Signal};

use super::search::{LOG_FILTERS, TRACE_FILTERS, log_query, range, trace_query};
use super::shape::Stats;
use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

/// The values of a field.
#[derive(Debug, Serialize)]
pub(super) struct FacetsJson {
    field: String,
    values: Vec<ValueJson>,
    rows: u64,
    without: u64,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct ValueJson {
    value: String,
    count: u64,
}

/// The fields that rows have.
#[derive(Debug, Serialize)]
pub(super) struct FieldsJson {
    fields: Vec<FieldJson>,
    rows: u64,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct FieldJson {
    name: String,
    count: u64,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// `GET /api/v1/traces/facets`
pub(super) async fn of_traces(State(state): State<AppState>, params: Params) -> Result<Json<FacetsJson>, Failure> {
    params.refuse_unknown(&[&TRACE_FILTERS[..], &["to", "field", "limit"]].concat())?;
    let query = trace_query(&state, &params)?;
    values(&state, &params, Signal::Traces, &query).await
}

/// `GET /api/v1/logs/facets`
pub(super) async fn of_logs(State(state): State<AppState>, params: Params) -> Result<Json<FacetsJson>, Failure> {
    params.refuse_unknown(&[&LOG_FILTERS[..], &["to", "field", "limit"]].concat())?;
    let query = log_query(&state, &params)?;
    values(&state, &params, Signal::Logs, &query).await
}

/// `GET /api/v1/traces/fields`
pub(super) async fn trace_fields(State(state): State<AppState>, params: Params) -> Result<Json<FieldsJson>, Failure> {
    params.refuse_unknown(&[&TRACE_FILTERS[..], &["to"]].concat())?;
    let query = trace_query(&state, &params)?;
    fields(&state, &params, Signal::Traces, &query).await
}

/// `GET /api/v1/logs/fields`
pub(super) async fn log_fields(State(state): State<AppState>, params: Params) -> Result<Json<FieldsJson>, Failure> {
    params.refuse_unknown(&[&LOG_FILTERS[..], &["to"]].concat())?;
    let query = log_query(&state, &params)?;
    fields(&state, &params, Signal::Logs, &query).await
}

async fn values(state: &AppState, params: &Params, signal: Signal, query: &str) -> Result<Json<FacetsJson>, Failure> {
    let field = params.get("field").ok_or_else(|| Failure::bad_request("invalid_parameter", "`field` is missing: it names a field"))?;
    let range = range(state, params, signal, query)?;
    let facets = state.store().facets(signal, query, range, field, params.limit(20, 1_000)?).await?;
    let value = |(value, count)| ValueJson { value, count };
    Ok(Json(FacetsJson {
        field: field.to_owned(),
        values: facets.values.into_iter().map(value).collect(),
        rows: facets.rows,
        without: facets.without,
        stats: facets.stats.into(),
    }))
}

async fn fields(state: &AppState, params: &Params, signal: Signal, query: &str) -> Result<Json<FieldsJson>, Failure> {
    let range = range(state, params, signal, query)?;
    let found = state.store().fields(signal, query, range).await?;
    let field = |FieldCount { name, rows, kind }| FieldJson { name, count: rows, kind };
    Ok(Json(FieldsJson { fields: found.fields.into_iter().map(field).collect(), rows: found.rows, stats: found.stats.into() }))
}
