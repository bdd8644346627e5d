//! `/saved`: views with a name; `/s/{short}`: short links. The only pages that change something.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::{SaveError, SavedView};

use super::Visit;
use super::preferences::is_local;
use super::visit::{html, html_with};
use crate::error::Failure;
use crate::params::Params;
use crate::view::format;
use crate::view::frame::{Place, called, moves, spoken};
use crate::view::plain::{Saved, SavedRow, Taken};

/// The list.
pub(super) async fn page(visit: Visit) -> Response {
    html(&list(&visit))
}

fn list(visit: &Visit) -> Saved {
    let saved = visit.state.store().saved_views();
    let (links, clock) = (visit.links(), visit.clock());
    let row = |view: &SavedView| SavedRow {
        short: view.short.clone(),
        name: format::line(&view.name, 200),
        href: links.plain(&format!("/s/{}", view.short)).href(),
        about: about(&view.address),
        time: time(visit, &view.address),
        saved: clock.moment(view.saved()),
    };
    Saved {
        frame: visit.frame(Place::Saved, "Saved", None),
        views: saved.named().map(row).rev().collect(),
        links: saved.all().iter().rev().filter(|view| view.name.is_empty()).take(LISTED).map(row).collect(),
        taken: None,
    }
}

/// `POST /saved` with `address` below the base path and `name`; without a name it makes a short link. With `replace`, the view of that name
/// leads there from now on. The script asks for the short link itself.
pub(super) async fn save(visit: Visit, body: String) -> Result<Response, Failure> {
    let form = Params::read(&body)?;
    let base = visit.state.base_path().to_owned();
    let address = form.get("address").unwrap_or_default();
    let inside = if base.is_empty() { Some(address) } else { address.strip_prefix(base.as_str()) };
    let inside = inside.filter(|address| is_local(address));
    let Some(inside) = inside else {
        return Err(Failure::bad_request("invalid_parameter", "parameter `address`: only pages of this server can be saved"));
    };
    let replaced = form.get("replace");
    let name = replaced.or_else(|| form.get("name")).unwrap_or_default();
    match visit.state.store().save_view(name, inside, replaced.is_some()).await {
        Ok(short) if visit.fragment() == Some("short") => Ok(visit.links().plain(&format!("/s/{short}")).href().into_response()),
        Ok(short) => Ok(Redirect::to(&format!("{base}/saved#{short}")).into_response()),
        Err(SaveError::Taken(name)) => {
            let words = |address: &str| format!("{} · {}", about(address), time(&visit, address)).trim_end_matches(" · ").to_owned();
            let old = visit.state.store().saved_views().named().find(|view| view.name == name).map(|view| words(&view.address));
            let taken = Taken { name, address: address.to_owned(), new: words(inside), old: old.unwrap_or_default() };
            Ok(html_with(StatusCode::CONFLICT, &Saved { taken: Some(taken), ..list(&visit) }))
        }
        Err(error) => Err(refused(&error)),
    }
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
    let page = called(path).map_or_else(|| path.trim_start_matches('/').replace('/', " "), str::to_owned);
    let params = Params::parse(query);
    // What is asked needs no name.
    let told = |(name, value): (&str, &str)| if matches!(name, "q" | "sql") { value.to_owned() } else { format!("{name} {value}") };
    let told: Vec<String> = params.pairs().filter(|(name, _)| !["from", "to"].contains(name)).map(told).collect();
    format::line(&[vec![page], told].concat().join(" · "), 300)
}

/// The window that an address names, in words; empty when it names none.
fn time(visit: &Visit, address: &str) -> String {
    let params = Params::parse(address.split_once('?').map_or("", |(_, query)| query));
    if params.get("from").is_none() && params.get("to").is_none() {
        return String::new();
    }
    let Ok(window) = params.window(visit.state.now(), super::traces::DEFAULT_WINDOW) else { return String::new() };
    let words = spoken(&window, &visit.clock());
    if moves(&window) { format!("{words}, moves on") } else { words }
}

fn refused(error: &SaveError) -> Failure {
    let status = match error {
        SaveError::Invalid(_) => StatusCode::BAD_REQUEST,
        SaveError::Full | SaveError::Taken(_) => StatusCode::CONFLICT,
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
    use axum::body::Body;
    use http::{Method, Request};

    use super::*;
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_is_saved_found_and_removed() {
        let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
        let form = "address=%2Ftl%2Ftraces%3Fq%3Dstatus%253Aerror&name=Failures";
        let saved = app.call(Method::POST, "/tl/saved", "application/x-www-form-urlencoded", form).await;
        let place = saved.header("location").to_owned();
        let short = place.strip_prefix("/tl/saved#").unwrap();
        let list = app.get("/tl/saved").await.text();
        assert!(list.contains("Failures"));
        // What is removed is removed for everybody: one click asks, the second does it.
        let before = list.split("action=\"/tl/saved/remove\"").next().unwrap();
        assert!(before.contains("<summary aria-label=\"Remove Failures"), "{before}");
        assert!(before.rfind("<details").unwrap() > before.rfind("</details>").unwrap_or(0), "the form is folded: {before}");
        assert_eq!(app.get(&format!("/tl/s/{short}")).await.header("location"), "/tl/traces?q=status%3Aerror");
        app.call(Method::POST, "/tl/saved/remove", "application/x-www-form-urlencoded", &format!("short={short}")).await;
        assert_eq!(app.get(&format!("/tl/s/{short}")).await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_keeps_the_window_as_it_was_chosen_and_says_so() {
        let app = App::filled().await;
        let page = app.get("/traces?q=status%3Aerror").await.text();
        let form = page.split("id=\"share\"").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap();
        assert!(form.contains("<option value=\"/traces?q=status%3Aerror&#38;from=now-1h\">Last 1 h, moves on</option>"), "{form}");
        let saved = "address=%2Ftraces%3Fq%3Dx%26from%3Dnow-1h&name=Mine";
        let place = app.call(Method::POST, "/saved", "application/x-www-form-urlencoded", saved).await.header("location").to_owned();
        assert_eq!(app.get(&place.replace("/saved#", "/s/")).await.header("location"), "/traces?q=x&from=now-1h");
        assert!(app.get("/saved").await.text().contains("Last 1 h, moves on"));
        let fixed = app.get("/traces?from=1000000000000&to=1000000001000").await.text();
        assert!(fixed.contains("with its time:") && !fixed.contains("moves on"), "{fixed}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_view_of_one_name_is_asked_about() {
        let app = App::empty().await;
        let post = |form: &'static str| app.call(Method::POST, "/saved", "application/x-www-form-urlencoded", form);
        let first = post("address=%2Ftraces%3Fq%3Da&name=Mine").await.header("location").to_owned();
        let asked = post("address=%2Flogs%3Fq%3Db%26from%3Dnow-6h&name=Mine").await;
        assert_eq!(asked.status, StatusCode::CONFLICT);
        for words in ["another view is called <strong>Mine</strong>", "Traces · a", "Logs · b · Last 6 h", "Replace that view"] {
            assert!(asked.text().contains(words), "{words}: {}", asked.text());
        }
        let again = post("address=%2Flogs%3Fq%3Db%26from%3Dnow-6h&name=Mine&replace=Mine").await;
        assert_eq!(again.header("location"), first);
        assert_eq!(app.get(&first.replace("/saved#", "/s/")).await.header("location"), "/logs?q=b&from=now-6h");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_address_says_so_and_the_script_is_given_a_short_one() {
        let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
        let path = format!("/tl/traces?q={}", "a".repeat(1_900));
        let share = |page: &str| page.split("id=\"share\"").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap().to_owned();
        assert!(share(&app.get(&path).await.text()).contains("makes a short link"));
        assert!(!share(&app.get("/tl/traces?q=a").await.text()).contains("makes a short link"));
        let body = format!("address={}", crate::params::encoded(&path));
        let request = Request::post("/tl/saved").header("fragment", "short").header("content-type", "application/x-www-form-urlencoded");
        let answer = app.send(request.body(Body::from(body)).unwrap()).await;
        assert!(answer.status.is_success() && answer.text().starts_with("/tl/s/"), "{}", answer.text());
        assert_eq!(app.get(&answer.text()).await.header("location"), path);
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
