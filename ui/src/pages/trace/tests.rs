use opentelemetry_proto::tonic::trace::v1::span::Link;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use prost::Message as _;
use storage::Signal;

use super::*;
use crate::harness::{App, TRACE, requests, with_texts};
use crate::params::encoded;

/// What the page shows of how many spans a search found.
fn found(page: &str) -> &str {
    page.split_once("data-found>").and_then(|(_, rest)| rest.split_once('<')).map_or("", |(found, _)| found)
}

/// The address behind a word.
fn href_before<'a>(page: &'a str, word: &str) -> &'a str {
    let before = page.split(word).next().unwrap();
    before.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_here_is_the_span_that_has_the_value() {
    let told = [
        "",
        "//",
        "plain",
        "say \"hi\"",
        "two\nlines\r\n\tand a tab",
        "{\"a\": [1, \"b\"]}",
        "back\\slash\\",
        "a*b",
        "AND",
        "-x",
        "1..2",
        "true",
    ];
    let mut texts: Vec<String> = told.iter().map(|text| (*text).to_owned()).collect();
    let mut runner = TestRunner::deterministic();
    let any = proptest::string::string_regex("(?s).{0,40}").unwrap();
    texts.extend((0..60).map(|_| any.new_tree(&mut runner).unwrap().current()));
    texts.sort();
    texts.dedup();
    for key in ["v", "odd \"key\""] {
        let app = App::empty().await;
        app.append(Signal::Traces, with_texts(key, &texts).encode_to_vec()).await;
        for (number, text) in texts.iter().enumerate() {
            let page = app.get(&format!("/trace/{TRACE}?tab=attributes&span={:016x}", number + 1)).await.text();
            let href = href_before(&page, ">Find in this trace</a>").replace("&#38;", "&").replace("&amp;", "&");
            assert!(href.contains("find="), "{text:?}: {href}");
            assert_eq!(found(&app.get(&href).await.text()), "1 of 1", "{text:?}: {href}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_speaks_the_query_language_and_points_at_what_it_does_not_understand() {
    let app = App::filled().await;
    let page = async |find: &str| app.get(&format!("/trace/{TRACE}?find={}", encoded(find))).await;
    for (find, count) in [
        ("duration>=5s", "2"),
        ("attr.http.response.status_code>=500", "1"),
        ("(service:payment OR root:true)", "2"),
        ("name~\"^POST\"", "1"),
        ("declined", "1"),
        ("h1", "3"),
        ("500", "1"),
        ("durations", "no span matches"),
    ] {
        let answer = page(find).await;
        assert_eq!((answer.status, found(&answer.text())), (StatusCode::OK, count), "{find}");
    }
    let misspelt = page("attr.http.response.status_cod:500").await.text();
    assert!(misspelt.contains("No span has “attr.http.response.status_cod”; did you mean attr.http.response.status_code?"), "{misspelt}");
    assert!(!page("attr.http.response.status_code:99").await.text().contains("did you mean"), "it is there, with other values");
    let wrong = page("service:payment durration>1s").await;
    let text = wrong.text();
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(text.contains("<mark>durration</mark>") && text.contains(">duration</a>"), "{text}");
    assert!(text.contains("role=\"treegrid\"") && found(&text).is_empty(), "{text}");
    let of_traces = page("trace.spans>3").await.text();
    assert!(of_traces.contains("asks for whole traces"), "{of_traces}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_search_opens_at_the_first_span_that_it_finds() {
    let app = App::filled().await;
    let asked = async |query: &str| app.get(&format!("/trace/{TRACE}?{query}")).await;
    let answer = asked("find=declined&go=match&logs=rows").await;
    let to = answer.header("location");
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(to.contains("find=declined") && to.contains("logs=rows") && to.contains("span=") && to.contains("#s"), "{to}");
    assert!(!to.contains("go="), "of one step: {to}");
    let there = app.get(to.split('#').next().unwrap()).await.text();
    assert!(there.contains("aria-selected=\"true\"") && found(&there) == "1 of 1", "{there}");
    assert!(there.contains("name=\"go\" value=\"match\""), "the form asks for it: {there}");
    assert_eq!(asked("find=durations&go=match").await.status, StatusCode::OK, "nothing is found");
    assert_eq!(asked("find=durration%3E1s&go=match").await.status, StatusCode::BAD_REQUEST, "not understood");
    assert!(!asked("view=spans").await.text().contains("name=\"go\""), "a list stays a list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_says_what_it_leads_to_and_leads_back() {
    let app = App::filled().await;
    let path = format!("/trace/{TRACE}?span=eee19b7ec3c1b174&tab=links");
    let missing = app.get(&path).await.text();
    let target = "09".repeat(16);
    assert!(missing.contains(&format!("trace <code>{target}</code> is not here")), "{missing}");
    assert!(!missing.contains(&format!("href=\"/trace/{target}")), "{missing}");
    app.append(Signal::Traces, requests(&[(9, 40, 2, false)]).encode_to_vec()).await;
    let stored = app.get(&path).await.text();
    let href = stored.split(&format!("href=\"/trace/{target}")).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let there =
        app.get(&format!("/trace/{target}{}", href.replace("&#38;", "&").replace("&amp;", "&").split('#').next().unwrap())).await.text();
    assert!(there.contains(&format!("href=\"/trace/{TRACE}?span=eee19b7ec3c1b174")) && there.contains("← Trace 5b8efff7"), "{there}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_was_opened_from_logs_leads_back_to_them() {
    let app = App::filled().await;
    let list = app.get("/logs?q=payment").await.text();
    let href = list
        .split("href=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|href| href.starts_with("/trace/") && href.contains("via="))
        .unwrap();
    let page = app.get(href.replace("&#38;", "&").replace("&amp;", "&").as_str()).await.text();
    assert!(page.contains("← Logs: <code>payment</code>") && page.contains("href=\"/logs?q=payment"), "{page}");
    let elsewhere = app.get(&format!("/trace/{TRACE}?via=https%3A%2F%2Fevil.example%2Flogs")).await.text();
    assert!(!elsewhere.contains("href=\"https://evil") && !elsewhere.contains("Where you came from"), "{elsewhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_may_still_grow_listens_for_more() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(9, 3, 2, false), (8, 300, 2, false)]).encode_to_vec()).await;
    let [young, old] = ["09", "08"].map(|byte| format!("/trace/{}", byte.repeat(16)));
    let young = app.get(&young).await.text();
    assert!(young.contains("/live?for=trace") && young.contains("spans=1"), "{young}");
    assert!(!app.get(&old).await.text().contains("/live?for=trace"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waited_leads_to_its_producer_in_another_trace() {
    let app = App::empty().await;
    let sent = |number: u8, age: u64, kind: i32| {
        let mut sent = requests(&[(number, age, 2, false)]);
        sent.resource_spans[0].scope_spans[0].spans[0].kind = kind;
        sent
    };
    let mut taken = sent(8, 20, 5);
    let link = Link { trace_id: vec![9; 16], span_id: 9_u64.to_be_bytes().to_vec(), ..Link::default() };
    taken.resource_spans[0].scope_spans[0].spans[0].links.push(link);
    app.append(Signal::Traces, taken.encode_to_vec()).await;
    let path = format!("/trace/{}", "08".repeat(16));
    assert!(!app.get(&path).await.text().contains("in the queue"), "its producer is not here");
    app.append(Signal::Traces, sent(9, 40, 4).encode_to_vec()).await;
    let page = app.get(&path).await.text().replace("&#38;", "&");
    assert!(page.contains("Waited 18.0 s in the queue between checkout, POST /pay and checkout, POST /pay."), "{page}");
    let producer = format!("<a href=\"/trace/{}?span=0000000000000009#s0000000000000009\">its producer</a>", "09".repeat(16));
    assert!(page.contains(&producer), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_name_the_spans_that_they_lead_to_or_say_what_is_not_here() {
    let app = App::empty().await;
    let mut taken = requests(&[(8, 20, 2, false)]);
    let link = |trace: u8, span: u64| Link { trace_id: vec![trace; 16], span_id: span.to_be_bytes().to_vec(), ..Link::default() };
    taken.resource_spans[0].scope_spans[0].spans[0].links.extend([link(9, 9), link(9, 0x77), link(10, 10)]);
    app.append(Signal::Traces, taken.encode_to_vec()).await;
    let page = async || app.get(&format!("/trace/{}?span={:016x}&tab=links", "08".repeat(16), 8)).await.text();
    assert_eq!(page().await.matches("is not here: it was not received").count(), 3);
    app.append(Signal::Traces, requests(&[(9, 40, 3, false)]).encode_to_vec()).await;
    let page = page().await;
    assert_eq!(page.matches("is not here: it was not received").count(), 1);
    assert_eq!(page.matches(&format!(", trace <code>{}</code>", "09".repeat(16))).count(), 2, "{page}");
    // Of the span itself, and of the trace whose span is not there.
    assert_eq!(page.matches(">a span of ").count(), 1, "{page}");
    assert_eq!(page.matches("span <code>0000000000000077</code> of it was not received").count(), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_links_that_are_shown_say_whether_their_traces_are_here() {
    let app = App::empty().await;
    let mut taken = requests(&[(8, 20, 2, false)]);
    let link = |trace: u8| Link { trace_id: vec![trace; 16], span_id: vec![trace; 8], ..Link::default() };
    taken.resource_spans[0].scope_spans[0].spans[0].links.extend((100..200).map(link));
    app.append(Signal::Traces, taken.encode_to_vec()).await;
    for (first, least) in [("", 40), ("&first=60", 40)] {
        let page = app.get(&format!("/trace/{}?span={:016x}&tab=links{first}", "08".repeat(16), 8)).await.text();
        let (missing, all) = (page.matches("is not here: it was not received").count(), page.matches(">trace <code>").count());
        assert!(missing >= least && missing == all, "{first}: {missing} of {all} are known to be missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_around_a_span_come_with_its_detail() {
    let app = App::empty().await;
    let texts: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    app.append(Signal::Traces, with_texts("v", &texts).encode_to_vec()).await;
    let path = format!("/trace/{TRACE}?span={:016x}", 250);
    let ask = |part: &str| http::Request::get(&path).header("fragment", part).body(axum::body::Body::empty()).unwrap();
    let window = app.send(ask("window")).await.text();
    for part in ["share", "tools", "fall"] {
        assert!(window.contains(&format!("<template data-part=\"{part}\">")), "{part}: {window}");
    }
    let row = |number: u64| format!("id=\"s{number:016x}\"");
    assert!(window.contains(&row(250)) && window.contains(&row(220)) && !window.contains(&row(100)), "{window}");
    assert!(window.contains("aria-selected=\"true\"") && window.contains("<h2"), "{window}");
    let detail = app.send(ask("panel")).await.text();
    assert!(detail.contains("<h2") && !detail.contains("data-part=\"fall\""), "{detail}");
    // The page has the same rows, so that the address leads there too.
    let page = app.get(&path).await.text();
    assert_eq!(page.matches("data-row=").count(), window.matches("data-row=").count());
}
