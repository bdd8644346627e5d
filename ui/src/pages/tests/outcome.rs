//! A request fails by its first span; an error inside one that succeeds is told as such, everywhere alike.

use prost::Message as _;

use crate::harness::{App, TRACE, failing_chain};

/// The pages that name the trace: Home, the list, the trace, and beside another.
async fn told(root_fails: bool) -> [String; 4] {
    let app = App::empty().await;
    let mut sent = failing_chain();
    if !root_fails {
        let spans = &mut sent.resource_spans[0].scope_spans[0].spans;
        spans[0].status = None;
        spans[1].status.as_mut().unwrap().message = "declined".to_owned();
    }
    app.append(storage::Signal::Traces, sent.encode_to_vec()).await;
    let [trace, beside] = [format!("/trace/{TRACE}"), format!("/compare?a={TRACE}&b={TRACE}")];
    let mut pages = <[String; 4]>::default();
    for (page, address) in pages.iter_mut().zip(["/", "/traces", &trace, &beside]) {
        *page = app.get(address).await.text().replace('\u{a0}', " ");
    }
    pages
}

const FAILED: &str = "<span class=\"sr\"> failed: </span>";
const INSIDE: &str = "<span class=\"sr\"> has an error inside: </span>";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_succeeds_with_an_error_inside_is_not_called_failed() {
    let pages = told(false).await;
    for (page, errors) in pages.iter().zip(["inside: declined", "2 errors", "2 errors inside", "2 errors inside"]) {
        assert!(page.contains(INSIDE) && !page.contains(FAILED), "{page}");
        assert!(page.contains(errors), "{errors}: {page}");
    }
    let lately = pages[0].split("Failed lately").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    assert!(lately.contains("None in this window"), "{lately}");
    assert!(!pages[1].contains("data-row class=\"failed\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_is_called_failed_everywhere() {
    let pages = told(true).await;
    for page in &pages {
        assert!(page.contains(FAILED) && !page.contains(INSIDE), "{page}");
    }
    let lately = pages[0].split("Failed lately").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    assert!(lately.contains(TRACE), "{lately}");
    assert!(pages[1].contains("data-row class=\"failed\""));
}
