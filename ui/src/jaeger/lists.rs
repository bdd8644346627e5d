//! Names of services and operations, and who calls whom.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use storage::{NodeKind, Operation, TimeRange, UnixNanos};

use super::convert::{jaeger_service, own_service};
use super::{Envelope, HOUR, MILLISECOND, epoch};
use crate::error::Failure;
use crate::params::{Params, wrong};
use crate::state::AppState;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationJson {
    name: String,
    span_kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    parent: String,
    child: String,
    call_count: u64,
}

/// `GET /api/services`
pub(super) async fn services(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    let mut names: Vec<String> = state.store().service_names().into_iter().map(jaeger_service).collect();
    names.sort_unstable();
    let total = names.len();
    Envelope::with_total(names, total).respond(&params)
}

/// `GET /api/services/{service}/operations`
pub(super) async fn operation_names(
    State(state): State<AppState>,
    Path(service): Path<String>,
    params: Params,
) -> Result<Response, Failure> {
    let names: BTreeSet<String> = known(&state, &service).await?.into_iter().map(|operation| operation.name).collect();
    let total = names.len();
    Envelope::with_total(names, total).respond(&params)
}

/// `GET /api/operations`
pub(super) async fn operations(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_repeated(&["service", "spanKind", "prettyPrint"])?;
    let service = params.get("service").ok_or_else(|| wrong("service", "it is required"))?;
    let kind = params.get("spanKind");
    let operations = known(&state, service).await?.into_iter().map(|operation| OperationJson {
        name: operation.name,
        span_kind: if operation.kind == "unspecified" { "" } else { operation.kind },
    });
    let operations: Vec<_> = operations.filter(|operation| kind.is_none_or(|kind| kind == operation.span_kind)).collect();
    let total = operations.len();
    Envelope::with_total(operations, total).respond(&params)
}

/// `GET /api/dependencies`
pub(super) async fn dependencies(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_repeated(&["endTs", "lookback", "service", "prettyPrint"])?;
    let to = epoch(&params, "endTs", MILLISECOND)?.map_or_else(|| state.now(), UnixNanos::new);
    let lookback = epoch(&params, "lookback", MILLISECOND)?.unwrap_or(24 * HOUR);
    let map = state.store().service_map(TimeRange { from: to.minus(lookback), to }).await?;
    let service = params.get("service").map(own_service);
    let mut calls: BTreeMap<(String, String), u64> = BTreeMap::new();
    // Between the spans of both there is nothing but the queue, which is no service.
    for edge in map.edges.into_iter().chain(map.relays) {
        let (parent, child) = (edge.from, edge.to);
        let between_services = parent.1 == NodeKind::Service && child.1 == NodeKind::Service;
        if between_services && service.is_none_or(|service| parent.0 == service || child.0 == service) {
            *calls.entry((jaeger_service(parent.0), jaeger_service(child.0))).or_default() += edge.calls;
        }
    }
    let calls: Vec<_> = calls.into_iter().map(|((parent, child), call_count)| Dependency { parent, child, call_count }).collect();
    Envelope::new(calls).respond(&params)
}

/// Jaeger's lists have no window: what was seen in the last week, else at all.
async fn known(state: &AppState, service: &str) -> Result<Vec<Operation>, Failure> {
    let service = own_service(service);
    let now = state.now();
    let week = TimeRange { from: now.minus(7 * 24 * HOUR), to: now.plus(HOUR) };
    let recent = state.store().operations(service, week).await?;
    if recent.is_empty() { Ok(state.store().operations(service, TimeRange::ALL).await?) } else { Ok(recent) }
}
