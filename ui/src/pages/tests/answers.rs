//! What pages answer, asked through their addresses.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, TRACE, failing_chain};

#[tokio::test(flavor = "multi_thread")]
async fn every_order_that_is_offered_is_answered() {
    let app = App::filled().await;
    for query in
        ["", "service:checkout", "trace.spans%3E1", "(service:checkout)%20%3E%3E%20(service:payment)", "count(service:checkout)%3E%3D1"]
    {
        let page = app.get(&format!("/traces?q={query}&from=0")).await.text();
        let tabs = page.split("aria-label=\"Order\"").nth(1).unwrap().split("</ul>").next().unwrap();
        let offered: Vec<String> =
            tabs.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")).collect();
        assert_eq!(offered.len(), 4, "{tabs}");
        for href in offered {
            let answer = app.get(&href).await;
            assert_eq!(answer.status, 200, "{href}: {}", answer.text());
            assert!(answer.text().contains(&TRACE[..8]), "{href} does not find the trace");
        }
    }
    let listed = app.get("/traces?q=trace.spans%3E1&sort=spans&from=0").await.text();
    assert!(listed.contains(">Spans</th>") && listed.contains("1\u{a0}trace that match as a whole"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chart_values_and_list_say_what_they_count() {
    let app = App::filled().await;
    let all = app.get("/traces?from=0").await.text();
    for words in ["request (root span)", "Numbers count all spans of this window.", "with a span in this window"] {
        assert!(all.contains(words), "{words}: {all}");
    }
    let some = app.get("/traces?q=service:checkout&from=0").await.text();
    for words in ["spans that match", "Numbers count the spans that match.", "with a span that matches"] {
        assert!(some.contains(words), "{words}: {some}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_a_trace_hold_the_events_of_its_spans() {
    let app = App::filled().await;
    let page = app.get(&format!("/trace/{TRACE}?view=logs")).await.text();
    // What stands out quotes a record above.
    let table = page.split("Table of log records").nth(1).unwrap();
    let at = |text: &str| table.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    // By time: a record, the event one second later, and another record.
    assert!(at("charging the card") < at("span event") && at("span event") < at("payment failed"));
    assert!(page.contains("tab=events#seee19b7ec3c1b174"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_user_stands_for_is_said() {
    let app = App::empty().await;
    app.append(Signal::Traces, failing_chain().encode_to_vec()).await;
    for path in ["/map?from=0", "/services/checkout?tab=dependencies&from=0"] {
        assert!(app.get(path).await.text().contains("health checks"), "{path}");
    }
    assert!(!app.get("/services/payment?tab=dependencies&from=0").await.text().contains("health checks"));
}
