use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use prost::Message as _;
use storage::Signal;

use super::*;
use crate::harness::{App, TRACE, with_texts};
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
        ("durations", "0"),
    ] {
        let answer = page(find).await;
        assert_eq!((answer.status, found(&answer.text())), (StatusCode::OK, count), "{find}");
    }
    let wrong = page("service:payment durration>1s").await;
    let text = wrong.text();
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(text.contains("<mark>durration</mark>") && text.contains(">duration</a>"), "{text}");
    assert!(text.contains("role=\"treegrid\"") && found(&text).is_empty(), "{text}");
    let of_traces = page("trace.spans>3").await.text();
    assert!(of_traces.contains("asks for whole traces"), "{of_traces}");
}
