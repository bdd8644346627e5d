//! For operators and orchestrators: alive, ready, metrics, status.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

mod process;
mod report;

pub(crate) use self::process::Process;

/// Every operational route.
pub(crate) fn router() -> Router<AppState> {
    routes().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route))
}

pub(crate) fn routes() -> [(&'static str, MethodRouter<AppState>); 4] {
    [("/healthz", get(healthz)), ("/readyz", get(readyz)), ("/metrics", get(metrics)), ("/status.json", get(status))]
}

/// Whether everything is ready, part by part.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    parts: Vec<PartJson>,
}

#[derive(Debug, Serialize)]
struct PartJson {
    name: &'static str,
    ready: bool,
    reason: Option<String>,
}

/// `GET /healthz`: the process runs and answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 503 while a part is not ready, with its reason.
async fn readyz(State(state): State<AppState>) -> Response {
    let readiness = readiness(&state);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// `GET /metrics`: Prometheus text of every series of the process.
async fn metrics(State(state): State<AppState>) -> Response {
    state.store().observe();
    let mut text = state.registry().render();
    Process::read(state.started()).render(&mut text);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `GET /status.json` and `GET /api/v1/status`
pub(crate) async fn status(State(state): State<AppState>, params: Params) -> Result<Json<report::Report>, Failure> {
    params.refuse_unknown(&[])?;
    Ok(Json(report::Report::of(&state)))
}

/// Failed background work and damaged data are told, but the store still answers and takes in: only refused writes are unready.
fn readiness(state: &AppState) -> Readiness {
    let store = state.store().status();
    let mut parts = vec![part("store", store.write_refusal)];
    if let Some(error) = store.background_error {
        parts.push(PartJson { name: "background", ready: true, reason: Some(error) });
    }
    if !store.damage.is_empty() {
        parts.push(PartJson { name: "data", ready: true, reason: Some(damage(&store.damage)) });
    }
    parts.extend(state.config().readiness.iter().map(|other| part(other.name(), other.check().err())));
    Readiness { ready: parts.iter().all(|part| part.ready), parts }
}

/// Damaged segments in one sentence, the first of them by name.
pub(crate) fn damage(segments: &[String]) -> String {
    let named: Vec<&str> = segments.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = segments.len() - named.len();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}; stop the server and run `throughline repair`, which keeps what can be read and names what is lost", named.join("; "))
}

/// Damaged segments that are told one by one.
const MAX_NAMED: usize = 10;

fn part(name: &'static str, reason: Option<String>) -> PartJson {
    PartJson { name, ready: reason.is_none(), reason }
}
