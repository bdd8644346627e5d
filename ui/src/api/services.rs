//! Services and their operations.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use storage::{Operation, ServicePoint, ServiceSummary};

use super::shape::{Range, Stats, nanos};
use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

/// Services in a window.
#[derive(Debug, Serialize)]
pub(super) struct Services {
    range: Range,
    services: Vec<ServiceJson>,
    stats: Stats,
}

/// Operations of a service in a window.
#[derive(Debug, Serialize)]
pub(super) struct Operations {
    range: Range,
    operations: Vec<OperationJson>,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct ServiceJson {
    name: String,
    span_count: u64,
    requests: u64,
    errors: u64,
    p50: String,
    p95: String,
    p99: String,
    log_count: u64,
    last_seen: String,
    points: Vec<PointJson>,
}

#[derive(Debug, Serialize)]
struct PointJson {
    requests: u64,
    errors: u64,
    p50: String,
    p95: String,
    p99: String,
}

#[derive(Debug, Serialize)]
struct OperationJson {
    name: String,
    kind: &'static str,
    count: u64,
    errors: u64,
    p50: String,
    p95: String,
    p99: String,
    total: String,
}

/// `GET /api/v1/services`
pub(super) async fn list(State(state): State<AppState>, params: Params) -> Result<Json<Services>, Failure> {
    params.refuse_unknown(&["from", "to", "points"])?;
    let range = params.window(state.now(), "now-1h")?.in_minutes().range;
    let points = params.number("points", 1, 200)?;
    let (services, stats) = state.store().services_with_stats(range, points).await?;
    let services = services.into_iter().map(ServiceJson::from).collect();
    Ok(Json(Services { range: range.into(), services, stats: stats.into() }))
}

/// `GET /api/v1/services/{service}/operations`
pub(super) async fn operations(
    State(state): State<AppState>,
    Path(service): Path<String>,
    params: Params,
) -> Result<Json<Operations>, Failure> {
    params.refuse_unknown(&["from", "to"])?;
    let range = params.window(state.now(), "now-1h")?.in_minutes().range;
    let (operations, stats) = state.store().operations_with_stats(&service, range).await?;
    let operations = operations.into_iter().map(OperationJson::from).collect();
    Ok(Json(Operations { range: range.into(), operations, stats: stats.into() }))
}

impl From<ServiceSummary> for ServiceJson {
    fn from(service: ServiceSummary) -> Self {
        Self {
            name: service.name,
            span_count: service.span_count,
            requests: service.requests,
            errors: service.errors,
            p50: service.p50.to_string(),
            p95: service.p95.to_string(),
            p99: service.p99.to_string(),
            log_count: service.log_count,
            last_seen: nanos(service.last_seen),
            points: service.points.into_iter().map(PointJson::from).collect(),
        }
    }
}

impl From<ServicePoint> for PointJson {
    fn from(point: ServicePoint) -> Self {
        let [p50, p95, p99] = [point.p50, point.p95, point.p99].map(|nanos| nanos.to_string());
        Self { requests: point.requests, errors: point.errors, p50, p95, p99 }
    }
}

impl From<Operation> for OperationJson {
    fn from(operation: Operation) -> Self {
        Self {
            name: operation.name,
            kind: operation.kind,
            count: operation.count,
            errors: operation.errors,
            p50: operation.p50.to_string(),
            p95: operation.p95.to_string(),
            p99: operation.p99.to_string(),
            total: operation.total.to_string(),
        }
    }
}
