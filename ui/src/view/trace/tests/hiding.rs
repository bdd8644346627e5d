use super::*;
use crate::view::trace::hiding::Services;

fn without(services: &[&str]) -> Wanted {
    Wanted { services: Services::Without(services.iter().map(|name| (*name).to_owned()).collect()), ..Wanted::default() }
}

fn shape(trace: &Trace, wanted: Wanted) -> Vec<(String, usize)> {
    fall(trace, wanted).rows.into_iter().map(|row| (row.name, row.level)).collect()
}

fn rows(of: &[(&str, usize)]) -> Vec<(String, usize)> {
    of.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
}

#[test]
fn what_is_below_a_hidden_span_belongs_to_the_visible_one_above() {
    let trace = looping(12);
    assert_eq!(shape(&trace, without(&["orders"])), rows(&[("POST /checkout", 1), ("SELECT", 2), ("ChargeCard", 2)]));
    let row = fall(&trace, without(&["orders"])).rows.swap_remove(1);
    assert!(row.group.is_some() && row.names_service && row.above == 1, "{row:?}");
    // Without the root, its children are roots.
    let orphans = rows(&[("Reserve", 1), ("SELECT stock", 2), ("ChargeCard", 1)]);
    assert_eq!(shape(&sample::checkout(), without(&["gateway"])), orphans);
    assert_eq!(shape(&sample::checkout(), Wanted { view: View::Timeline, ..without(&["nobody"]) }).len(), 4);
}

#[test]
fn rows_count_what_is_visible_below_them() {
    let top = |services: &[&str]| fall(&sample::checkout(), Wanted { depth: Depth::Levels(0), ..without(services) }).rows.swap_remove(0);
    assert_eq!((top(&[]).below.as_str(), top(&["orders"]).below.as_str(), top(&["orders"]).is_open), ("3", "1", Some(false)));
    let leaf = top(&["orders", "payment"]);
    assert_eq!((leaf.is_open, leaf.toggle.as_str()), (None, ""));
    assert!(leaf.has_error_below, "a hidden failure is one all the same");
    let nothing = fall(&sample::checkout(), without(&["orders", "payment", "gateway"]));
    assert_eq!((nothing.rows.len(), nothing.nothing), (0, "Every span is hidden."));
}

#[test]
fn a_hidden_span_that_is_chosen_is_shown_with_all_above_it() {
    let chosen = Wanted { span: Some(id(4)), ..without(&["orders", "gateway"]) };
    let all = rows(&[("POST /checkout", 1), ("Reserve", 2), ("SELECT stock", 3), ("ChargeCard", 2)]);
    assert_eq!(shape(&sample::checkout(), chosen), all);
    // A visible one stays below what is visible.
    let other = Wanted { span: Some(id(3)), ..without(&["orders", "gateway"]) };
    assert_eq!(shape(&sample::checkout(), other), rows(&[("ChargeCard", 1)]));
    let root = Wanted { root: Some(id(2)), ..without(&["orders"]) };
    assert_eq!(shape(&sample::checkout(), root), rows(&[("Reserve", 1)]));
}

#[test]
fn failures_and_matches_among_hidden_spans_are_told_and_lead_there() {
    let tools = |wanted| tools(&scene(&sample::checkout(), wanted));
    let hidden = tools(without(&["payment"]));
    let told = hidden.told.clone().unwrap();
    assert_eq!((told.text.as_str(), told.all.contains("hide=")), ("1\u{a0}span of payment is hidden", false));
    assert_eq!(told.ways.len(), 1);
    assert_eq!(told.ways[0].0, "1 of them failed");
    assert!(told.ways[0].1.contains("hide=payment") && told.ways[0].1.contains(&format!("span={}", id(3))), "{told:?}");
    assert_eq!((hidden.errors.as_str(), hidden.way("e")), ("0, 1 hidden", ""));
    let found = tools(Wanted { find: "service:orders".to_owned(), ..without(&["orders", "payment"]) });
    let told = found.told.clone().unwrap();
    assert_eq!((found.found.as_str(), told.ways[1].0.as_str()), ("0, 2 hidden", "2 of them match"));
    assert_eq!(told.text, "3\u{a0}spans of orders and payment are hidden");
    let only = Wanted { services: Services::Only(vec!["orders".to_owned()]), ..Wanted::default() };
    assert_eq!(tools(only).told.unwrap().text, "2\u{a0}spans of services other than orders are hidden");
    assert_eq!(tools(without(&["nobody"])).told, None);
}

#[test]
fn jumps_go_from_one_visible_span_to_the_next() {
    let next = |services: &[&str], find: &str| {
        let wanted = Wanted { find: find.to_owned(), span: Some(id(1)), ..without(services) };
        tools(&scene(&looping(12), wanted)).way("n").to_owned()
    };
    assert!(next(&[], "e").contains(&format!("span={}", id(2))));
    assert!(next(&["orders"], "e").contains(&format!("span={}", id(3))));
    assert_eq!(next(&["orders"], "Reserve"), "");
}

#[test]
fn filters_keep_what_leads_to_visible_spans_alone() {
    let wanted = Wanted { only: Only::Errors, ..without(&["payment"]) };
    assert_eq!(shape(&sample::checkout(), wanted), rows(&[]));
    let wanted = Wanted { only: Only::Errors, ..without(&["gateway"]) };
    assert_eq!(shape(&sample::checkout(), wanted), rows(&[("ChargeCard", 1)]));
}

#[test]
fn the_small_picture_and_the_flat_table_follow_and_other_readings_do_not() {
    let map = |wanted| minimap(&scene(&sample::checkout(), wanted));
    let hidden = map(without(&["payment"]));
    assert_eq!((hidden.summary.as_str(), hidden.height, hidden.errors.as_str()), ("3\u{a0}spans over 100\u{202f}ms, 1 hidden", 3, ""));
    assert_eq!(map(Wanted { view: View::Flame, ..without(&["payment"]) }).height, 4);
    let table = table(&scene(&sample::checkout(), Wanted { view: View::Spans, ..without(&["orders"]) }));
    assert_eq!(table.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["POST /checkout", "ChargeCard"]);
}

#[test]
fn each_service_says_what_hides_it_and_what_shows_it_alone() {
    let services = tools(&scene(&sample::checkout(), without(&["payment"]))).services;
    let of = |name: &str| services.iter().find(|service| service.chip.name == name).unwrap();
    let path = format!("/trace/{}", sample::checkout().id);
    assert!(of("payment").is_hidden && !of("orders").is_hidden);
    assert_eq!(
        (of("payment").toggle.clone(), of("orders").toggle.clone()),
        (("hide", String::new()), ("hide", "payment,orders".to_owned()))
    );
    assert_eq!(of("orders").only, format!("{path}?show=orders"));
    // What is looked for is shown.
    assert_eq!(of("payment").find, format!("{path}?find=service%3Apayment"));
    assert!(of("orders").find.contains("hide=payment"));
}

#[test]
fn thousands_of_hidden_levels_are_passed_without_going_deep() {
    let mut spans = vec![sample::span(1, 0, "seen", "top", 0, 100_000)];
    for n in 2..20_000_u64 {
        let mut span = sample::span(1, 0, if n == 19_999 { "seen" } else { "deep" }, "down", n, 100_000 - n);
        span.span_id = SpanId::from_slice(&n.to_be_bytes()).unwrap();
        span.parent_span_id = if n == 2 { Some(spans[0].span_id) } else { SpanId::from_slice(&(n - 1).to_be_bytes()) };
        spans.push(span);
    }
    let trace = Trace::assemble(spans[0].trace_id, spans, true, Vec::new());
    assert_eq!(shape(&trace, without(&["deep"])), rows(&[("top", 1), ("down", 2)]));
}
