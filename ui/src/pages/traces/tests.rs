//! A part of the chart that is selected, through the routes.

use prost::Message as _;
use storage::{Grid, Signal};

use crate::harness::{App, NOW, requests, spans};

/// Traces in a window whose columns are a second wide: the chart counts root spans, of which one began 29 s ago and took 5 s. A span inside of
/// another trace did so too.
async fn app() -> App {
    let app = App::empty().await;
    app.append(Signal::Traces, spans().encode_to_vec()).await;
    app.append(Signal::Traces, requests(&[(1, 29, 5, false), (2, 29, 8, true), (3, 40, 5, false)]).encode_to_vec()).await;
    app
}

fn window() -> String {
    format!("from={}&to={NOW}", NOW - 60_000_000_000)
}

/// The cell of spans that began 29 s ago and took 5 s, as addresses write it.
fn cell() -> String {
    let row = Grid::row_of(5_000_000_000).div_ceil(2);
    format!("31-31,{row}-{row}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_holds_what_the_chart_counts() {
    let app = app().await;
    let chart = app.get(&format!("/traces?{}", window())).await.text();
    let cells = chart.split("data-cells=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let row = Grid::row_of(5_000_000_000).div_ceil(2);
    let column = cells.split('|').nth(31).unwrap();
    assert_eq!(column.split(' ').next(), Some(format!("{row},1").as_str()), "the chart counts one root span: {column}");
    let asked = format!("{}&sel={}", window(), cell());
    let list = app.get(&format!("/traces?{asked}")).await.text().replace('\u{a0}', " ");
    assert!(list.contains("<strong>1 trace whose root span is selected</strong>"), "{list}");
    assert!(list.contains("Numbers count the root spans that are selected."), "{list}");
    let compared = app.get(&format!("/traces/compare-groups?{asked}")).await.text().replace('\u{a0}', " ");
    assert!(compared.contains("selected: 1 span</span>") && compared.contains("the rest: 3 spans</span>"), "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_spans_are_points_and_many_are_cells() {
    let app = app().await;
    let few = app.get(&format!("/traces?{}", window())).await.text();
    assert_eq!((few.matches("class=\"dot\"").count(), few.matches("href=\"#cross\"").count()), (4, 2), "{few}");
    assert!(few.contains(&format!("<a class=\"dot\" href=\"/trace/{}\"", "01".repeat(16))) && !few.contains("class=\"hot\""), "{few}");
    let spans = crate::harness::with_texts("n", &(0..501).map(|number| number.to_string()).collect::<Vec<_>>());
    let app = App::empty().await;
    app.append(Signal::Traces, spans.encode_to_vec()).await;
    let many = app.get("/traces?q=service%3Acheckout&from=now-1h").await.text();
    assert!(!many.contains("class=\"dot\"") && many.contains("class=\"hot\""), "{many}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_say_how_many_of_them_are_chosen() {
    let app = app().await;
    let summary = async |query: &str| {
        let page = app.get(&format!("/traces?{}&q={query}", window())).await.text();
        page.split("id=\"facets\"").nth(1).and_then(|rest| rest.split("</summary>").next()).unwrap().to_owned()
    };
    assert!(summary("").await.ends_with("Filter by value"));
    assert!(summary("service%3Acheckout,payment%20status%3Aerror").await.ends_with("Filter by value (3)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_selected_stays_in_other_orders_as_json_and_narrowed() {
    let app = app().await;
    let list = app.get(&format!("/traces?{}&sel={}", window(), cell())).await.text().replace("&#38;", "&").replace("<wbr>", "");
    let link = |label: &str| {
        let before = list.split(&format!("\">{label}</a>")).next().unwrap();
        before.rsplit("href=\"").next().unwrap().to_owned()
    };
    let slowest = app.get(&link("Slowest")).await.text().replace('\u{a0}', " ");
    assert!(slowest.contains("<strong>1 trace whose root span is selected</strong>"), "{slowest}");
    let found = app.json(&link("JSON")).await;
    assert_eq!(found["traces"].as_array().map(Vec::len), Some(1), "{found}");
    let narrowed = list.split("<span class=\"text\">POST /pay</span>").next().unwrap().rsplit("href=\"").next().unwrap();
    let narrowed = narrowed.split('"').next().unwrap();
    let narrowed = app.get(narrowed).await.text().replace('\u{a0}', " ");
    assert!(narrowed.contains("<strong>1 trace with a span that matches</strong>"), "{narrowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_leaves_traces_out_says_so_and_leads_to_all() {
    let app = app().await;
    let list = app.get(&format!("/traces?q=service%3Acheckout&{}&sort=errors", window())).await.text().replace("&#38;", "&");
    assert!(list.contains("leaves out traces without a failed span"), "{list}");
    assert!(list.contains(&format!("href=\"/traces?{}&q=service%3Acheckout\">All, the newest first", window())), "{list}");
    for order in ["newest", "oldest", "slowest", "spans"] {
        let list = app.get(&format!("/traces?{}&sort={order}", window())).await.text();
        assert!(!list.contains("leaves out"), "{order}");
        assert_eq!(list.matches("name=\"mark\"").count(), 4, "{order} holds every trace");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_pages_say_that_others_went_before_and_the_last_that_it_is_the_last() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(1, 20, 5, false), (2, 50, 1, false), (3, 40, 5, true)]).encode_to_vec()).await;
    let mut cursor = String::new();
    for said in [
        "1 trace with a span in this window, more follow",
        "1 more trace with a span in this window, more follow",
        "1 more trace with a span in this window, the last of them",
    ] {
        let asked = format!("{}&limit=1{cursor}", window());
        let page = app.get(&format!("/traces?{asked}")).await.text().replace('\u{a0}', " ");
        assert!(page.contains(&format!("<strong>{said}</strong>")), "{said}: {page}");
        cursor = format!("&cursor={}", app.json(&format!("/api/v1/traces?{asked}")).await["next"].as_str().unwrap_or_default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_stand_first_page_by_page_and_pages_and_api_know_the_order_by_each_others_name() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(1, 20, 5, false), (2, 50, 1, false), (3, 40, 5, true)]).encode_to_vec()).await;
    let ids = ["02", "03", "01"].map(|byte| byte.repeat(16));
    for name in ["order", "sort"] {
        let mut path = format!("/api/v1/traces?{}&{name}=oldest&limit=1", window());
        for (place, id) in ids.iter().enumerate() {
            let found = app.json(&path).await;
            assert_eq!(found["traces"][0]["trace_id"].as_str(), Some(id.as_str()), "{path}: {found}");
            assert_eq!(found["next"].is_null(), place == 2, "{found}");
            path = format!("{}&cursor={}", path.split("&cursor").next().unwrap(), found["next"].as_str().unwrap_or_default());
        }
        let list = app.get(&format!("/traces?{}&{name}=oldest", window())).await.text();
        let rows = list.split("id=\"list\"").nth(1).unwrap();
        let places = ids.each_ref().map(|id| rows.find(&format!("/trace/{id}")).unwrap());
        assert!(places.is_sorted(), "{list}");
        assert!(list.contains("aria-sort=\"ascending\">First span began"), "{list}");
        assert!(list.contains("aria-current=\"true\">Oldest") && !list.contains("does nothing here"), "{list}");
        let logs = app.get(&format!("/logs?{}&{name}=oldest", window())).await.text();
        assert!(logs.contains("aria-current=\"true\">Oldest"), "{logs}");
    }
    let both = app.get("/api/v1/traces?order=oldest&sort=newest").await;
    assert!(both.text().contains("there is no parameter `sort` here"), "one is not silently left out: {}", both.text());
}
