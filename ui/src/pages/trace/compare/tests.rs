//! What is compared with what.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, requests};

/// What the page says of the trace beside trace 9, and the id that it chose.
async fn chosen(all: &[(u8, u64, u64, bool)]) -> (String, bool) {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(all).encode_to_vec()).await;
    let page = app.get(&format!("/compare?a=typical&b={}", "09".repeat(16))).await.text();
    let own = format!("/trace/{}", "09".repeat(16));
    let ids: Vec<String> = page.match_indices("href=\"/trace/").map(|(at, _)| page[at + 6..at + 45].to_owned()).collect();
    let other = ids.into_iter().find(|href| *href != own).unwrap_or_default();
    (other.trim_start_matches("/trace/").to_owned(), page.contains("without any error, out of the"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typical_trace_went_well_and_later_ones_do_not_change_it() {
    let before = [(1, 900, 1, true), (2, 800, 2, true), (3, 700, 3, false), (4, 600, 4, false), (5, 500, 5, false), (6, 400, 1, true)];
    let with = |more: &[(u8, u64, u64, bool)]| [&before, [(9, 300, 30, true)].as_slice(), more].concat();
    assert_eq!(chosen(&with(&[])).await, ("04".repeat(16), true));
    assert_eq!(chosen(&with(&[(7, 200, 9, false), (8, 100, 9, false)])).await, ("04".repeat(16), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_how_many_were_looked_at_and_what_is_measured() {
    let app = App::empty().await;
    let all = [(1, 900, 1, false), (2, 800, 2, false), (3, 700, 3, false), (9, 300, 30, false)];
    let mut sent = requests(&all);
    // A step of the second went wrong, the request did not.
    let spans = &mut sent.resource_spans[0].scope_spans[0].spans;
    let mut step = spans[1].clone();
    (step.span_id, step.parent_span_id) = (vec![7; 8], step.span_id);
    step.name = "retry".to_owned();
    step.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, ..Default::default() });
    spans.push(step);
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let page = app.get(&format!("/compare?a=typical&b={}", "09".repeat(16))).await.text().replace('\u{a0}', " ");
    assert!(page.contains("median length among 2 traces without any error, out of the 3 newest of this operation"), "{page}");
    assert!(page.contains("Its length is that of the whole trace"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_is_the_baseline_however_it_is_asked_for() {
    let app = App::empty().await;
    let answer = app.get(&format!("/compare?a={}&b=typical&by=tree", "09".repeat(16))).await;
    assert_eq!(answer.header("location"), format!("/compare?a=typical&b={}&by=tree", "09".repeat(16)));
    assert_eq!(app.get("/compare?a=typical&b=typical").await.status, http::StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_after_it_are_typical_when_none_before_went_well() {
    assert_eq!(chosen(&[(1, 900, 1, true), (9, 300, 3, false), (2, 200, 4, false)]).await, ("02".repeat(16), true));
    assert_eq!(chosen(&[(1, 900, 1, true), (9, 300, 3, false)]).await, (String::new(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn marked_traces_are_compared_and_what_is_missing_is_chosen_by_a_click() {
    let app = App::empty().await;
    let all = [(1, 900, 1, false), (2, 800, 2, false), (3, 700, 3, false)];
    app.append(Signal::Traces, requests(&all).encode_to_vec()).await;
    let id = |number: u8| format!("{number:02x}").repeat(16);
    let list = app.get("/traces?from=0").await.text();
    assert_eq!(list.matches("type=\"checkbox\" name=\"mark\"").count(), 3, "{list}");
    let answer = app.get(&format!("/compare?mark={}&mark={}", id(3), id(1))).await;
    assert_eq!(answer.header("location"), format!("/compare?a={}&b={}", id(1), id(3)));
    let one = app.get(&format!("/compare?mark={}", id(3))).await;
    assert_eq!(one.header("location"), format!("/compare?b={}", id(3)));
    let page = app.get(one.header("location")).await.text();
    assert!(page.contains("Choose the baseline") && page.contains("a=typical\">Or a typical one"), "{page}");
    for other in [1, 2] {
        assert!(page.contains(&format!("href=\"/compare?b={}&#38;a={}\"", id(3), id(other))), "{page}");
    }
    assert!(!page.contains(&format!("a={}", id(3))), "a trace is not offered beside itself: {page}");
    let three = app.get(&format!("/compare?mark={}&mark={}&mark={}", id(3), id(2), id(1))).await.text();
    assert!(three.contains("3 were marked: here are the first two"), "{three}");
    assert!(app.get("/compare").await.text().contains(&format!("href=\"/compare?b={}\"", id(3))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_least_difference_is_a_duration_and_stays_in_the_links() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(1, 900, 1, false), (2, 800, 2, false)]).encode_to_vec()).await;
    let pair = format!("/compare?a={}&b={}", "01".repeat(16), "02".repeat(16));
    let page = app.get(&format!("{pair}&by=count&min=5s")).await.text().replace(['\u{a0}', '\u{202f}'], " ");
    assert!(page.contains("1 row differs by less than 5.00 s") && page.contains("min=5s#spans"), "{page}");
    assert!(page.contains("(+100 %)"), "{page}");
    assert_eq!(app.get(&format!("{pair}&min=soon")).await.status, http::StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_only_one_trace_has_are_told() {
    let app = App::filled().await;
    app.append(Signal::Traces, requests(&[(1, 20, 1, false)]).encode_to_vec()).await;
    let page = app.get(&format!("/compare?a={}&b={}", "01".repeat(16), crate::harness::TRACE)).await.text().replace("<wbr>", "");
    assert!(page.contains("payment failed") && page.contains("only in B"), "{page}");
    assert!(page.contains("http.response.status_code"), "{page}");
}
