//! Pages for people: one handler per address, which asks the store and hands the answer to a view.
//!
//! Owns addresses and what they read from the request. What pages show is built in [`crate::view`].

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::error::Failure;
use crate::jaeger;
use crate::state::AppState;

mod ahead;
mod assets;
mod begin;
mod behind;
mod complete;
mod conditions;
mod earlier;
mod help;
mod home;
mod live;
mod logs;
mod map;
mod moments;
mod nearest;
mod open;
mod preferences;
mod saved;
mod services;
mod sql;
mod start;
mod status;
mod trace;
mod traces;
mod visit;

pub(crate) use self::begin::Known;
pub(crate) use self::complete::Keys;
pub(crate) use self::services::Offered;
pub(crate) use self::trace::Usual;
pub(crate) use self::visit::Visit;

/// Every page and its fragments.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(home::page))
        .route("/services", get(services::list))
        .route("/services/{service}", get(services::detail))
        .route("/services/{service}/ops/{operation}", get(services::operation))
        .route("/traces", get(traces::page))
        .route("/traces/compare-groups", get(traces::contrast))
        .route("/trace/{id}", get(trace::page))
        .route("/trace/{id}/span/{span}", get(trace::span))
        .route("/compare", get(trace::compare))
        .route("/map", get(map::page))
        .route("/logs", get(logs::page))
        .route("/query", get(sql::page))
        .route("/sql", get(sql::lead))
        .route("/status", get(status::page))
        .route("/status/deletes", get(status::deleted))
        .route("/start", get(start::page))
        .route("/live", get(live::stream))
        .route("/saved", get(saved::page).post(saved::save))
        .route("/saved/remove", post(saved::remove))
        .route("/s/{short}", get(saved::lead))
        .route("/settings", get(preferences::page))
        .route("/complete", get(complete::page))
        .route("/open", get(open::resolve))
        .route("/help", get(help::index))
        .route("/help/shortcuts", get(help::shortcuts))
        .route("/help/query", get(help::query))
        .route("/preferences", get(preferences::set))
        .route("/search", get(jaeger::addresses::search))
        .route("/dependencies", get(jaeger::addresses::dependencies))
        .route("/a/{hash}/{file}", get(assets::file))
}

/// What a person sees instead of the page that was asked for.
pub(crate) fn error_page(visit: &Visit, failure: &Failure) -> Response {
    help::failure(visit, failure).into_response()
}

#[cfg(test)]
mod tests;
