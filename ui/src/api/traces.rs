//! Finding traces.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use storage::{Signal, TraceOrder, TracePage, TraceSearch};

use super::search::{TRACE_FILTERS, range, trace_query, window};
use super::shape::{BARS, Bars, Stats, Summary, TRACE_COLUMNS, trace_line};
use super::{csv, in_background};
use crate::error::Failure;
use crate::params::{Params, TRACE_ORDERS};
use crate::state::AppState;

/// Found traces.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    traces: Vec<Summary>,
    next: Option<String>,
    stats: Stats,
}

impl Found {
    fn new(page: TracePage, order: TraceOrder) -> Self {
        Self {
            traces: page.traces.into_iter().map(|trace| Summary::new(trace, order)).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
            stats: page.stats.into(),
        }
    }
}

/// `GET /api/v1/traces`
pub(super) async fn search(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    // Pages call it `sort`, and addresses of pages are what people have.
    let params = params.also_called("order", "sort");
    params.refuse_unknown(&[&TRACE_FILTERS[..], &["to", "order", "limit", "cursor", "format"]].concat())?;
    let is_table = params.word("format", &[("json", false), ("csv", true)])?.unwrap_or_default();
    let query = trace_query(&state, &params)?;
    let order = params.word("order", &TRACE_ORDERS)?.unwrap_or_default();
    let search = TraceSearch {
        range: range(&state, &params, Signal::Traces, &query)?,
        query,
        order,
        limit: params.limit(20, 1_000)?,
        cursor: params.cursor()?,
    };
    let found = state.store().search_traces(search).await?;
    if !is_table {
        return Ok(Json(Found::new(found, order)).into_response());
    }
    let (now, next, complete, notes) = (state.now(), found.next, found.stats.complete, found.stats.notes.clone());
    let table =
        in_background(move || csv::file("traces", now, csv::texts(TRACE_COLUMNS, found.traces.into_iter().map(trace_line)))).await?;
    Ok(csv::page(table, next, complete, &notes))
}

/// `GET /api/v1/traces/histogram`
pub(super) async fn histogram(State(state): State<AppState>, params: Params) -> Result<Json<Bars>, Failure> {
    params.refuse_unknown(&[&TRACE_FILTERS[..], &["to", "buckets"]].concat())?;
    let query = trace_query(&state, &params)?;
    let window = window(&state, &params, Signal::Traces, &query).await?;
    let (range, buckets) = match params.get("buckets") {
        Some(_) => (window.in_minutes().range, params.number("buckets", BARS, 500)?),
        None => window.bars(BARS),
    };
    let histogram = state.store().histogram(Signal::Traces, &query, range, buckets).await?;
    Ok(Json(Bars::new(Signal::Traces, histogram)))
}
