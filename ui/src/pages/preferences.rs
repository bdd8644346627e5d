//! What a reader prefers, kept in cookies that only this site reads; `/settings` shows the choices.

use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::Visit;
use super::status::limits;
use super::visit::html;
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::plain::Settings;

/// `/settings`, with `?wrong=` a name that is not one of a time zone.
pub(super) async fn page(visit: Visit) -> Response {
    let clock = visit.clock();
    let wrong = visit.params.get("wrong").map(|zone| format::line(zone, 80));
    html(&Settings {
        zone: wrong.clone().unwrap_or_else(|| clock.label().to_owned()),
        problem: wrong.map(|zone| format!("No time zone is called {zone}.")).unwrap_or_default(),
        keys: vec![visit.choice("keys", "On", "on", !visit.quiet_keys()), visit.choice("keys", "Off", "off", visit.quiet_keys())],
        zones: ZONES.into_iter().map(|zone| visit.choice("zone", zone, zone, is_called(clock.label(), zone))).collect(),
        limits: limits(&visit.state),
        now: clock.moment(clock.now()),
        frame: visit.frame(Place::Elsewhere, "Settings", None),
    })
}

/// `/preferences?theme=dark&back=/traces` and `?zone=Europe/Berlin&back=…`. `?local=`, the zone of the browser, holds while none is chosen.
pub(super) async fn set(visit: Visit) -> Result<Response, Failure> {
    let path = if visit.state.base_path().is_empty() { "/" } else { visit.state.base_path() };
    let back = visit.params.get("back").filter(|back| is_local(back)).unwrap_or("/");
    let mut response = Redirect::to(&format!("{}{back}", visit.state.base_path())).into_response();
    let theme = visit.params.word("theme", &[("system", "system"), ("light", "light"), ("dark", "dark")])?;
    if let Some(theme) = theme {
        keep(&mut response, "theme", theme, path);
    }
    if let Some(zone) = visit.params.get("zone") {
        if !is_zone(zone) {
            let wrong = visit.links().plain("/settings").with("wrong", zone).href();
            return Ok(Redirect::to(&format!("{wrong}#zone")).into_response());
        }
        keep(&mut response, "zone", zone, path);
        // UTC is visited: the key that led there leads back.
        let label = visit.clock().label().to_owned();
        if zone == "UTC" && label != "UTC" {
            keep(&mut response, "before", &label, path);
        }
    }
    if let Some(local) = visit.params.get("local").filter(|_| !visit.has_zone()) {
        // Browsers may know zones that are not known here; what is kept is not asked for again.
        keep(&mut response, "zone", if is_zone(local) { local } else { "UTC" }, path);
    }
    if let Some(keys) = visit.params.word("keys", &[("on", "on"), ("off", "off")])? {
        keep(&mut response, "keys", keys, path);
    }
    Ok(response)
}

/// Whether a zone is meant by a name, which may be one of before.
fn is_called(name: &str, zone: &str) -> bool {
    name == zone || OLD_NAMES.iter().any(|(now, old)| *now == zone && old.contains(&name))
}

fn is_zone(name: &str) -> bool {
    name.len() < 64 && jiff::tz::TimeZone::get(name).is_ok()
}

/// Offered besides the field that takes any.
const ZONES: [&str; 6] = ["UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Kolkata"];

/// Names that browsers still give to zones that are offered.
const OLD_NAMES: [(&str, &[&str]); 5] = [
    ("UTC", &["Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"]),
    ("Europe/London", &["GB", "GB-Eire"]),
    ("America/New_York", &["US/Eastern"]),
    ("America/Los_Angeles", &["US/Pacific"]),
    ("Asia/Kolkata", &["Asia/Calcutta"]),
];

/// A path of this site and nothing else: no host, no backslash, no control character.
pub(super) fn is_local(back: &str) -> bool {
    back.starts_with('/') && !back.starts_with("//") && !back.contains('\\') && back.bytes().all(|b| (0x21..0x7f).contains(&b))
}

fn keep(response: &mut Response, name: &str, value: &str, path: &str) {
    let cookie = format!("{name}={value}; Path={path}; Max-Age=31536000; SameSite=Lax; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_zone_that_does_not_exist_is_refused_beside_its_field() {
        let app = crate::harness::App::empty().await;
        let place = app.get("/preferences?zone=Mars/Base&back=/traces").await.header("location").to_owned();
        let page = app.get(place.trim_end_matches("#zone")).await.text();
        assert!(page.contains("No time zone is called Mars/Base.") && page.contains("value=\"Mars/Base\""), "{page}");
        assert_eq!(app.get("/preferences?zone=Europe/Berlin&back=/traces").await.header("location"), "/traces");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_zone_is_marked_by_its_old_name_too() {
        let app = crate::harness::App::empty().await;
        for (kept, marked) in [("Asia/Calcutta", "Asia/Kolkata"), ("US/Eastern", "America/New_York"), ("Europe/Paris", "")] {
            let request = http::Request::get("/settings").header("cookie", format!("zone={kept}")).body(axum::body::Body::empty()).unwrap();
            let page = app.send(request).await.text();
            let zones = page.split("aria-label=\"Time zone\"").nth(1).and_then(|rest| rest.split("</ul>").next()).unwrap();
            let current = zones.split("aria-current=\"true\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
            assert_eq!(current, marked, "{zones}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_zone_of_the_browser_holds_until_another_is_chosen() {
        let app = crate::harness::App::empty().await;
        let ask = async |path: &str, cookie: &str| {
            let request = http::Request::get(path).header("cookie", cookie).body(axum::body::Body::empty()).unwrap();
            app.send(request).await
        };
        let asks = "data-zone=\"ask\"";
        assert!(ask("/traces", "").await.text().contains(asks));
        for kept in ["zone=UTC", "zone=Asia/Kolkata"] {
            assert!(!ask("/traces", kept).await.text().contains(asks), "{kept}");
        }
        for (local, cookie, kept) in [
            ("America/New_York", "theme=dark", "zone=America/New_York;"),
            ("Mars/Base", "", "zone=UTC;"),
            ("America/New_York", "zone=UTC", ""),
        ] {
            let answer = ask(&format!("/preferences?local={local}&back=/traces?q=a"), cookie).await;
            assert_eq!((answer.status, answer.header("location")), (http::StatusCode::SEE_OTHER, "/traces?q=a"), "{local}");
            assert!(answer.header("set-cookie").starts_with(kept) && answer.header("set-cookie").is_empty() == kept.is_empty(), "{local}");
        }
    }

    #[test]
    fn the_way_back_stays_on_this_site() {
        assert!(is_local("/traces?q=a%20b&from=now-1h"));
        for bad in ["//evil.test", "https://evil.test", "/\\evil.test", "", "/a\r\nSet-Cookie: x"] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
