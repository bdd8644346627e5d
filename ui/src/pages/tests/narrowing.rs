//! What stands beside a list and in its columns: values to narrow by, and fields to show.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, attribute, logs, text};

/// The values of one field: the text, whether it is chosen, and where a click leads.
fn values(page: &str, title: &str) -> Vec<(String, bool, String)> {
    let group = page.split(&format!("<h2>{title}</h2>")).nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    let value = |part: &str| {
        let href = part.split("href=\"").nth(1)?.split('"').next()?.replace("&#38;", "&");
        let text = part.split("</span> <span class=\"count\"").next()?.rsplit(['>']).next()?.to_owned();
        Some((text, part.contains("aria-current"), href))
    };
    group.split("<li>").skip(1).filter_map(value).collect()
}

fn chosen(page: &str, title: &str) -> Vec<(String, bool)> {
    values(page, title).into_iter().map(|(text, is_chosen, _)| (text, is_chosen)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_value_is_added_to_the_first_and_both_are_released() {
    let app = App::filled().await;
    for (path, title, first, second) in
        [("/traces", "Service", "checkout", "payment"), ("/traces", "Status", "unset", "error"), ("/logs", "Severity", "error", "info")]
    {
        let all = app.get(&format!("{path}?from=0")).await.text();
        let href = values(&all, title).into_iter().find(|(text, ..)| text == first).unwrap().2;
        let one = app.get(&href).await.text();
        assert!(one.contains("Counted without what is chosen here"), "{one}");
        let listed = chosen(&one, title);
        assert!(listed.contains(&(first.to_owned(), true)) && listed.contains(&(second.to_owned(), false)), "{path} {title}: {listed:?}");
        let href = values(&one, title).into_iter().find(|(text, ..)| text == second).unwrap().2;
        let both = app.get(&href).await.text();
        assert!(chosen(&both, title).iter().all(|(_, is_chosen)| *is_chosen), "{href}: {both}");
        let href = values(&both, title).into_iter().find(|(text, ..)| text == first).unwrap().2;
        let other = app.get(&href).await.text();
        let listed = chosen(&other, title);
        assert!(listed.contains(&(first.to_owned(), false)) && listed.contains(&(second.to_owned(), true)), "{href}: {listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_fields_are_counted_with_all_that_is_chosen() {
    let app = App::filled().await;
    let page = app.get("/traces?from=0&q=service:checkout%20OR%20service:payment").await.text();
    assert_eq!(chosen(&page, "Service"), [("checkout".to_owned(), true), ("payment".to_owned(), true)], "{page}");
    let one = app.get("/traces?from=0&q=service:payment").await.text();
    assert_eq!(chosen(&one, "Operation"), [("charge".to_owned(), false)], "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_one_more_column_and_is_removed_again() {
    let app = App::empty().await;
    let mut sent = logs();
    let record = &mut sent.resource_logs[0].scope_logs[0].log_records[0];
    (0..8).for_each(|number| record.attributes.push(attribute(&format!("k{number}"), text("v"))));
    app.append(Signal::Logs, sent.encode_to_vec()).await;
    let page = app.get("/logs?from=0&view=fields&cols=attempt").await.text().replace("&#38;", "&");
    assert!(page.contains("href=\"/logs?from=0&cols=attempt%2Ck0\">as column</a>"), "{page}");
    assert!(page.contains("href=\"/logs?from=0\" aria-current=\"true\"><span aria-hidden=\"true\">✓ </span>remove column</a>"), "{page}");
    let full = app.get("/logs?from=0&view=fields&cols=k0,k1,k2,k3,k4,k5,k6,k7,attempt").await.text();
    assert!(full.contains("There are 8 columns, as many as there may be") && !full.contains(">as column</a>"), "{full}");
    assert_eq!(full.matches("remove column</a>").count(), 8, "{full}");
    let list = app.get("/logs?from=0&cols=k0,k1,k2,k3,k4,k5,k6,k7").await.text();
    assert!(list.contains("<span class=\"muted\" title=\"There are as many columns as there may be\">attempt</span>"), "{list}");
}
