//! For operators and orchestrators: alive, ready, metrics.

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

/// Every operational route.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/healthz", get(healthz))
}

/// The process runs and answers.
async fn healthz() -> &'static str {
    "ok\n"
}
