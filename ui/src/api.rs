//! Our own API for programs: everything the pages show, as JSON under `/api/v1`.

use axum::Router;

use crate::state::AppState;

/// Every route under `/api/v1`.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
}
