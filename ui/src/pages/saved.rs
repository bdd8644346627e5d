//! `/saved`: views with a name; `/s/{short}`: short links. The only pages that change something.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{SaveError, SavedView};

use super::Visit;
use super::preferences::is_local;
use super::visit::html;
use crate::error::Failure;
use crate::params::Params;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::plain::{Saved, SavedRow};

/// The list.
pub(super) async fn page(visit: Visit) -> Response {
    let saved = visit.state.store().saved_views();
    let (links, clock) = (visit.links(), visit.clock());
    let row = |view: &SavedView| SavedRow {
        short: view.short.clone(),
        name: format::line(&view.name, 200),
        href: links.plain(&format!("/s/{}", view.short)).href(),
        about: about(&view.address),
        saved: clock.moment(view.saved()),
    };
    html(&Saved {
        frame: visit.frame(Place::Saved, "Saved", None),
        views: saved.named().map(row).rev().collect(),
        links: saved.all().iter().rev().filter(|view| view.name.is_empty()).take(LISTED).map(row).collect(),
    })
}

/// `POST /saved` with `address` below the base path and `name`; without a name it makes a short link.
pub(super) async fn save(visit: Visit, body: String) -> Result<Response, Failure> {
    let form = Params::read(&body)?;
    let base = visit.state.base_path().to_owned();
    let address = form.get("address").unwrap_or_default();
    let inside = if base.is_empty() { Some(address) } else { address.strip_prefix(base.as_str()) };
    let inside = inside.filter(|address| is_local(address));
    let Some(inside) = inside else {
        return Err(Failure::bad_request("invalid_parameter", "parameter `address`: only pages of this server can be saved"));
    };
    let short = visit.state.store().save_view(form.get("name").unwrap_or_default(), inside).await.map_err(|error| refused(&error))?;
    Ok(Redirect::to(&format!("{base}/saved#{short}")).into_response())
}

/// `POST /saved/remove` with `short`.
pub(super) async fn remove(visit: Visit, body: String) -> Result<Response, Failure> {
    let form = Params::read(&body)?;
    visit.state.store().remove_view(form.get("short").unwrap_or_default()).await.map_err(|error| refused(&error))?;
    Ok(Redirect::to(&format!("{}/saved", visit.state.base_path())).into_response())
}

/// `/s/{short}` leads to what was saved.
pub(super) async fn lead(visit: Visit, Path(short): Path<String>) -> Result<Response, Failure> {
    let saved = visit.state.store().saved_views();
    let view = saved.find(&short).filter(|view| is_local(&view.address));
    let view = view.ok_or_else(|| Failure::not_found(format!("no view is saved as `{}`", crate::params::shown(&short))))?;
    Ok(Redirect::to(&format!("{}{}", visit.state.base_path(), view.address)).into_response())
}

/// The address in words: page, and the parameters that say what is shown.
fn about(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let params = Params::parse(query);
    let told: Vec<String> =
        params.pairs().filter(|(name, _)| !["from", "to"].contains(name)).map(|(name, value)| format!("{name} {value}")).collect();
    format::line(&[vec![path.to_owned()], told].concat().join(" · "), 300)
}

fn refused(error: &SaveError) -> Failure {
    let status = match error {
        SaveError::Invalid(_) => StatusCode::BAD_REQUEST,
        SaveError::Full => StatusCode::CONFLICT,
        SaveError::Unknown => StatusCode::NOT_FOUND,
        SaveError::Io(source) => {
            tracing::error!(error = %source, "what was saved could not be written");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    Failure::new(status, "not_saved", error.to_string())
}

/// Short links that are listed.
const LISTED: usize = 100;

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_is_saved_found_and_removed() {
        let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
        let form = "address=%2Ftl%2Ftraces%3Fq%3Dstatus%253Aerror&name=Failures";
        let saved = app.call(Method::POST, "/tl/saved", "application/x-www-form-urlencoded", form).await;
        let place = saved.header("location").to_owned();
        let short = place.strip_prefix("/tl/saved#").unwrap();
        assert!(app.get("/tl/saved").await.text().contains("Failures"));
        assert_eq!(app.get(&format!("/tl/s/{short}")).await.header("location"), "/tl/traces?q=status%3Aerror");
        app.call(Method::POST, "/tl/saved/remove", "application/x-www-form-urlencoded", &format!("short={short}")).await;
        assert_eq!(app.get(&format!("/tl/s/{short}")).await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn addresses_elsewhere_are_not_saved() {
        let app = App::empty().await;
        for bad in ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", ""] {
            let answer = app.call(Method::POST, "/saved", "application/x-www-form-urlencoded", &format!("address={bad}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}
