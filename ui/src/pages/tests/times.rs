//! Times that readers type.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, TRACE, requests};

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_not_understood_is_refused_in_its_menu_and_the_page_stays() {
    let app = App::filled().await;
    for (path, said) in [
        ("/traces?from=abc&q=x", "“abc” is not a time"),
        ("/logs?from=now&to=now-1h", "later than"),
        ("/?to=25:00", "“25:00” is not a time"),
    ] {
        let answer = app.get(path).await;
        let page = answer.text();
        assert_eq!(answer.status, 200, "{path}");
        assert!(page.contains("id=\"time-problem\"") && page.contains(said) && !page.contains("Not understood"), "{path}: {page}");
    }
    assert!(app.get("/traces?from=abc&q=x").await.text().contains("value=\"abc\""), "what was typed stays");
    let trace = app.get(&format!("/trace/{TRACE}?t1=abc")).await;
    assert!(trace.status == 200 && trace.text().contains("id=\"zoom-problem\""), "{}", trace.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_a_zone_are_of_the_zone_of_the_reader() {
    // The clock stands at 2027-01-15 08:00 UTC, 03:00 in New York.
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(1, 600, 1, false)]).encode_to_vec()).await;
    let ask = async |zone: &str, query: &str| {
        let asked = |path: &str| {
            let request = http::Request::get(path).header("cookie", format!("zone={zone}"));
            app.send(request.body(axum::body::Body::empty()).unwrap())
        };
        let answer = asked(&format!("/traces?{query}")).await;
        let Some(moments) = answer.headers.get("location").map(|to| to.to_str().unwrap().to_owned()) else {
            return (answer, String::new());
        };
        (asked(&moments).await, moments)
    };
    let moments = "/traces?from=1799999100000000000&to=1799999700000000000";
    for (zone, query, is_found, address) in [
        ("America/New_York", "from=2027-01-15T02:45&to=2027-01-15T02:55", true, moments),
        ("America/New_York", "from=02:45&to=02:55", true, moments),
        ("America/New_York", "from=07:45&to=07:55", false, "/traces?from=1800017100000000000&to=1800017700000000000"),
        ("UTC", "from=07:45&to=07:55", true, moments),
        ("UTC", "from=now-10y", true, ""),
        ("UTC", "from=yesterday", true, "/traces?from=1799884800000000000"),
        ("UTC", "from=2027-01-15T07:45:00Z&to=now", true, ""),
    ] {
        let (page, led) = ask(zone, query).await;
        let page = page.text();
        assert_eq!(led, address, "links hold moments: {zone} {query}");
        assert_eq!(page.contains("1\u{a0}trace"), is_found, "{zone} {query}: {page}");
        assert!(!page.contains("time-problem"), "{zone} {query}");
    }
    let page = ask("America/New_York", "from=02:45&to=02:55").await.0.text();
    assert!(page.contains("value=\"2027-01-15 02:45:00\""), "a date in the zone: {page}");
    let refused = app.get("/traces?from=07:55&to=07:45").await;
    assert!(refused.status == 200 && refused.text().contains("value=\"07:55\""), "what is refused stays as it was typed");
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_says_what_was_asked_and_of_when() {
    let app = App::filled().await;
    let ask =
        |path: &str| app.send(http::Request::get(path).header("cookie", "zone=America/New_York").body(axum::body::Body::empty()).unwrap());
    let paper =
        |page: String| page.split("<p class=\"paper muted\" hidden>").nth(1).and_then(|rest| rest.split("</p>").next()).unwrap().to_owned();
    let asked = paper(ask("/logs?q=severity%3Awarn&from=now-1h").await.text());
    assert_eq!(asked, "severity:warn · 2027-01-15 02:00:00 – 2027-01-15 03:00:00 · as of 2027-01-15 03:00:00 America/New_York");
    assert_eq!(paper(ask(&format!("/trace/{TRACE}")).await.text()), "as of 2027-01-15 03:00:00 America/New_York");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_the_way_to_utc_keep_what_their_reader_prefers() {
    let app = App::filled().await;
    let asked = async |path: &str, cookie: &str| {
        let request = http::Request::get(path).header("cookie", cookie).body(axum::body::Body::empty()).unwrap();
        app.send(request).await
    };
    for path in ["/nowhere", "/services/nope", "/trace/0af7651916cd43dd8448eb211c80319c", "/trace/xyz", "/s/zzzz", "/traces?sort=wrong"] {
        let page = asked(path, "theme=dark; zone=Asia/Kolkata; keys=off").await.text();
        for kept in ["data-theme=\"dark\"", "Asia/Kolkata (+05:30)", "data-quiet"] {
            assert!(page.contains(kept), "{path} without {kept}: {page}");
        }
    }
    let turned = asked("/preferences?zone=UTC&back=/logs", "zone=Asia/Kolkata").await;
    assert!(turned.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().starts_with("before=Asia/Kolkata;")));
    let back = "zone=Asia%2FKolkata&back=%2Flogs\" data-key=\"u\">Asia/Kolkata</a>";
    let page = asked("/logs", "zone=UTC; before=Asia/Kolkata").await.text();
    assert!(page.replace("&#38;", "&").contains(back), "{page}");
    let page = asked("/logs", "zone=UTC; before=Mars/Base").await.text();
    assert!(!page.contains("Mars") && !page.contains("data-key=\"u\""), "{page}");
}
