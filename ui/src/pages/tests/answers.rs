//! What pages answer, asked through their addresses.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, TRACE, failing_chain, in_namespaces, loop_over_calls, requests};

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
        assert_eq!(offered.len(), 5, "{tabs}");
        for href in offered {
            let answer = app.get(&href).await;
            assert_eq!(answer.status, 200, "{href}: {}", answer.text());
            assert!(answer.text().contains(&TRACE[..8]), "{href} does not find the trace");
        }
    }
    let listed = app.get("/traces?q=trace.spans%3E1&sort=spans&from=0").await.text();
    assert!(listed.contains(">Spans</th>") && listed.contains("1\u{a0}trace that matches as a whole"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chart_and_values_count_the_traces_of_the_list_or_say_that_they_do_not() {
    let app = App::filled().await;
    app.append(Signal::Traces, requests(&[(1, 20, 1, true), (2, 19, 1, true)]).encode_to_vec()).await;
    let page = app.get("/traces?q=root:(service:checkout%20status:error)%20service:payment&from=0").await.text();
    assert!(page.contains("Numbers count all spans of the traces that were found."), "{page}");
    for value in
        ["checkout</span> <span class=\"count\">2<", "payment</span> <span class=\"count\">1<", "error</span> <span class=\"count\">1<"]
    {
        assert!(page.contains(value), "{value}: {page}");
    }
    let part = app.get("/traces?q=root:(service:checkout)%20status:error&from=0&limit=1").await.text();
    let told = part.find("Chart and numbers: counted are").unwrap_or_else(|| panic!("{part}"));
    assert!(told < part.find("<figure class=\"heat\"").unwrap() && part.matches("ounted are").count() == 1, "{part}");
    let values = part.split("class=\"facets\"").nth(1).and_then(|rest| rest.split("</details>").next()).unwrap();
    assert!(values.contains("error</span>") && !values.contains("aria-current"), "{values}");
    let same = app.get("/traces?q=root:(service:checkout)&from=0&limit=1").await.text();
    assert!(same.contains("more follow") && same.contains("<figure class=\"heat\"") && !same.contains("ounted are"), "{same}");
    let none = app.get("/traces?q=trace.spans%3E99&from=0").await.text();
    assert!(!none.contains("class=\"heat\"") && !none.contains("class=\"count\""), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_with_what_was_meant() {
    let app = App::filled().await;
    for (address, said) in [
        ("/traces?q=service:Checkout", "/traces?q=service%3Acheckout\">No service is called “Checkout”: search for checkout</a>"),
        ("/logs?q=service:chekout", ">No service is called “chekout”: search for checkout</a>"),
        ("/logs?q=warning", "/logs?q=severity%3Awarn\">"),
        ("/traces?q=SELECT%20*%20FROM%20spans%20WHERE%20status%20%3D%20'error'", ">This looks like SQL: ask it in the SQL console</a>"),
        ("/traces?q=%7B%20status%20%3D%20error%20%7D", "/help/query\">Queries in braces"),
        ("/traces?q=status%20%3D%3D%20error", "Did you mean <a href=\"/traces?q=status%3Aerror\">status:error</a>?"),
        ("/traces?q=status:500", ">http.response.status_code:500</a>?"),
        ("/logs?q=count(a)%3E2", "can only be asked of traces"),
    ] {
        let page = app.get(address).await.text();
        assert!(page.contains(said), "{address}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chart_values_and_list_say_what_they_count() {
    let app = App::filled().await;
    let all = app.get("/traces?from=0").await.text();
    for words in ["trace (by its root span)", "Numbers count all spans of this window.", "with a span in this window"] {
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
    assert!(page.contains("2\u{a0}log records and 1\u{a0}span event."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_only_logs_have_lead_to_them() {
    let app = App::filled().await;
    let page = app.get("/traces?q=charging&from=0").await.text();
    assert!(page.contains("No trace in this window") && page.contains(">1 log record matches</a>"), "{page}");
    assert!(page.contains("href=\"/logs?from=0&#38;q=charging\""), "{page}");
    assert!(!app.get("/traces?q=nowheretobefound&from=0").await.text().contains("log record matches"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_within_a_request_is_told_so_and_its_links_find_it() {
    let app = App::empty().await;
    let mut sent = failing_chain();
    let spans = sent.resource_spans.iter_mut().flat_map(|part| &mut part.scope_spans).flat_map(|part| &mut part.spans);
    for request in spans.filter(|span| span.kind == 2) {
        request.status = None;
    }
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let home = app.get("/?from=0").await;
    assert_eq!(home.status, 200, "{}", home.text());
    let page = home.text();
    let list = page.split("<ul class=\"attention\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(list.contains("a call within POST /pay fails, the request itself succeeds"), "{list}");
    let links: Vec<String> =
        list.split("href=\"/traces").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&")).collect();
    assert!(links.len() == 2 && links[0] == links[1], "{links:?}");
    assert!(app.get(&format!("/traces{}", links[0])).await.text().contains(&TRACE[..8]), "{links:?}");
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

#[tokio::test(flavor = "multi_thread")]
async fn home_leads_to_a_loop_over_single_calls() {
    let app = App::empty().await;
    app.append(Signal::Traces, loop_over_calls(14).encode_to_vec()).await;
    let page = app.get("/?from=now-1h").await.text();
    assert!(page.contains("SELECT stock runs 14 times under one parent"), "{page}");
    let list = app.get("/traces?from=0&q=count(service:catalog%20name:%22SELECT%20stock%22)%3E%3D14").await.text();
    assert!(list.contains("14 × SELECT stock"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tab_of_logs_counts_the_events_that_it_shows() {
    let app = App::filled().await;
    for view in ["", "?view=logs"] {
        let page = app.get(&format!("/trace/{TRACE}{view}")).await.text();
        assert!(page.contains("Logs, events <span class=\"count\">3</span>"), "two records and one event: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_new_is_shown_first_where_one_waits_for_it() {
    let app = App::empty().await;
    // The services are seen one after the other; those before send on.
    let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|name| (name, "shop"));
    for number in 1..=all.len() {
        app.append(Signal::Traces, in_namespaces(&all[..number]).encode_to_vec()).await;
        app.get("/start").await;
    }
    let page = app.get("/start").await.text();
    let listed: Vec<&str> = page.split("href=\"/services/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(listed, ["i", "h", "g", "f", "e", "d", "c", "b"], "{page}");
    assert!(page.contains("1 more</a>, seen in the last ten minutes too") && !page.contains("seen here earlier"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn getting_started_asks_again_for_itself_wherever_it_stands() {
    let app = App::empty().await;
    assert!(app.get("/").await.text().contains("data-refresh=\"only\" data-page=\"/start\""));
    app.append(Signal::Traces, failing_chain().encode_to_vec()).await;
    assert!(app.get("/start").await.text().contains("id=\"received\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_focus_that_a_group_stands_for_puts_the_group_in_focus() {
    let app = App::empty().await;
    app.append(Signal::Traces, in_namespaces(&[("cart", "shop"), ("orders", "shop")]).encode_to_vec()).await;
    let page = app.get("/map?focus=cart&group=namespace&from=0").await.text();
    assert!(page.contains("cart is one of the services of shop (2 services), which is in focus."), "{page}");
    assert!(!page.contains("Nothing called"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_only_show_records_in_another_way_keep_the_open_one() {
    let app = App::filled().await;
    let page = app.get("/logs?from=0&row=7&ctx=5").await.text().replace("&#38;", "&").replace("&amp;", "&");
    let controls = page.split("class=\"controls\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
    for (what, adjusted) in [("wrap", "wrap=1"), ("order", "sort=oldest"), ("column", "cols=")] {
        let link = controls.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).find(|href| href.contains(adjusted));
        assert!(link.is_some_and(|href| href.contains("row=7") && href.contains("ctx=5") && href.ends_with("#open")), "{what}: {link:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_shows_what_was_logged_around_the_open_record_and_hides_it() {
    let app = App::filled().await;
    let list = app.get("/logs?from=0").await.text();
    let row = list.split("row=").nth(1).and_then(|rest| rest.split(['"', '&', '#']).next()).unwrap();
    let way = async |asked: &str| {
        let page = app.get(&format!("/logs?from=0&row={row}{asked}")).await.text();
        assert_eq!(page.matches("data-key=\"x\"").count(), 1, "{page}");
        page.split("data-key=\"x\"").next().and_then(|before| before.rsplit("href=\"").next()?.split('"').next()).unwrap().to_owned()
    };
    let open = way("").await;
    assert!(open.contains("ctx=") && open.contains("by=instance"), "{open}");
    assert!(!way("&ctx=5&by=service").await.contains("ctx="), "it closes what is shown, whoever logged it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_told_by_day_when_that_is_asked_for() {
    let app = App::filled().await;
    assert!(!app.get("/status").await.text().contains("Table of days"));
    let page = app.get("/status?days=1").await.text();
    let table = page.split("Table of days").nth(1).and_then(|rest| rest.split("</table>").next()).unwrap();
    assert!(table.contains("data-label=\"Spans\">3<") && table.contains("data-label=\"Log records\">2<"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_hand_over_through_a_queue_have_colours_of_their_own() {
    let app = App::empty().await;
    app.append(Signal::Traces, crate::harness::handed_over(48).encode_to_vec()).await;
    app.get("/services?from=0").await;
    let slots = app.store().service_slots();
    for pair in 0..48 {
        let [sender, taker] = ["sender", "taker"].map(|name| slots.get(&format!("{name}-{pair}")).unwrap());
        assert_ne!(sender, taker, "pair {pair}");
    }
}
