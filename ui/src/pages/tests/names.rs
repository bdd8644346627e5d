//! Whatever senders call their services and operations, pages lead to each.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, in_namespaces};

/// Where links of a page lead that begin so.
fn links(page: &str, begin: &str) -> Vec<String> {
    let found = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|href| href.starts_with(begin));
    found.map(|href| href.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_and_operation_is_reached_by_its_link() {
    let names = ["..", ".", "~", "~..", "a/b?c#d%20e", "-", "\u{202e}x\ny", " ", "name", "x\u{0}", "\"q\\\""];
    let app = App::empty().await;
    let mut sent = in_namespaces(&names.map(|name| (name, "")));
    for (resource, name) in sent.resource_spans.iter_mut().zip(names) {
        let span = &resource.scope_spans[0].spans[0];
        let other = |number: u8, name: &str| {
            let mut span = span.clone();
            (span.span_id[0], span.name) = (number, name.to_owned());
            span
        };
        resource.scope_spans[0].spans = vec![other(1, ""), other(2, name)];
    }
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let list = app.get("/services?from=0").await.text();
    let services: std::collections::BTreeSet<String> = links(&list, "/services/").into_iter().collect();
    assert_eq!(services.len(), names.len(), "{services:?}");
    for service in services {
        let page = app.get(&service).await;
        assert_eq!(page.status, 200, "{service}");
        let operations = links(&page.text(), &format!("{}/ops/", service.split('?').next().unwrap()));
        assert_eq!(operations.len(), 2, "{service}: {operations:?}");
        for operation in operations {
            let page = app.get(&operation).await;
            assert_eq!(page.status, 200, "{operation}");
            // None of them failed, and each is among the slowest.
            let text = page.text();
            assert!(text.contains("How long it takes") && text.matches("None in this window").count() == 1, "{operation}: {text}");
        }
    }
}
