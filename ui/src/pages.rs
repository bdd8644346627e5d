//! Pages for people.

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::error::Failure;
use crate::state::AppState;

/// Every page and its fragments.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/", get(home))
}

/// What a person sees instead of the page that was asked for.
pub(crate) fn error_page(_state: &AppState, failure: &Failure) -> Response {
    let status = failure.status;
    (status, Html(format!("<!doctype html><html lang=\"en\"><title>{status}</title><h1>{status}</h1></html>"))).into_response()
}

async fn home() -> Html<&'static str> {
    Html("<!doctype html><html lang=\"en\"><title>Throughline</title><h1>Throughline</h1></html>")
}
