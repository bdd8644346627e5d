//! What the page says of two traces.

use storage::UnixNanos;
use storage::trace::Trace;

use super::super::{Wanted, sample, shares};
use super::*;

fn compare(b: Vec<storage::Span>, order: Order, least: u64) -> ComparePage {
    let (a, b) = (sample::checkout(), Trace::assemble(sample::checkout().id, b, true, Vec::new()));
    let (links, clock, palette) = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
    let mut page = ComparePage::default();
    comparison(&mut page, [&Sheet::of(&a), &Sheet::of(&b)], (order, least), (&links, &clock, &palette));
    page
}

fn told(page: &ComparePage) -> Vec<String> {
    let plain = |text: &str| text.replace('\u{202f}', " ");
    page.rows.iter().map(|row| format!("{}{} {}{}", " ".repeat(row.indent), row.name, row.only, plain(&row.delta))).collect()
}

#[test]
fn a_trace_beside_itself_differs_in_nothing() {
    let page = compare(sample::checkout().spans, Order::Tree, 0);
    assert!(page.rows.iter().all(|row| row.class == "same"), "{:?}", page.rows);
    assert_eq!(page.verdict, "Both took equally long.");
}

#[test]
fn rows_say_what_is_slower_and_what_only_one_side_has() {
    let mut spans = sample::checkout().spans;
    spans.retain(|span| span.name != "SELECT stock");
    for span in &mut spans {
        if span.name == "ChargeCard" {
            span.end = span.end.plus(8_000_000);
        }
    }
    spans.push(sample::span(9, 1, "fraud", "Check", 90, 94));
    let page = compare(spans, Order::Tree, 0);
    assert_eq!(
        told(&page),
        [
            "POST /checkout −8.00 ms faster",
            " Reserve +10.0 ms slower",
            "  SELECT stock not in B−10.0 ms",
            " ChargeCard +8.00 ms slower",
            " Check only in B+4.00 ms"
        ]
    );
    assert_eq!(page.services[0].chip.name, "gateway");
}

#[test]
fn own_time_of_a_service_is_that_of_the_page_of_its_trace() {
    let mut spans = sample::checkout().spans;
    // Two queries side by side.
    spans.push(sample::span(9, 2, "orders", "SELECT price", 12, 22));
    let trace = Trace::assemble(sample::checkout().id, spans, true, Vec::new());
    let means = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
    let scene = sample::scene(&trace, Vec::new(), Wanted::default(), means.clone());
    let shares = shares(&scene);
    let mut page = ComparePage::default();
    comparison(&mut page, [&scene.sheet, &scene.sheet], (Order::Tree, 0), (&means.0, &means.1, &means.2));
    for row in &page.services {
        let share = shares.iter().find(|share| share.chip.name == row.chip.name).unwrap();
        assert_eq!(row.sides[0].own, share.self_time, "{}", row.chip.name);
    }
    let orders = shares.iter().find(|share| share.chip.name == "orders").unwrap();
    assert_eq!((orders.self_time.as_str(), orders.sum.as_str()), ("25.0\u{202f}ms", "33.0\u{202f}ms"));
}

#[test]
fn rows_by_change_have_no_indentation() {
    let mut spans = sample::checkout().spans;
    spans.retain(|span| span.name != "ChargeCard");
    let page = compare(spans, Order::Change, 0);
    assert!(page.rows.iter().all(|row| row.indent == 0));
    assert_eq!(page.rows[0].class, "slower");
}

#[test]
fn rows_come_in_the_order_that_is_asked_for_and_small_differences_stay_out() {
    let mut spans = sample::checkout().spans;
    for number in 0..3 {
        spans.push(sample::span(20 + number, 1, "payment", "ChargeCard", 91, 92));
    }
    for span in &mut spans {
        match span.name.as_str() {
            "ChargeCard" => span.kind = storage::SpanKind::Client,
            "SELECT stock" => span.end = span.end.plus(4_000_000),
            _ => {}
        }
    }
    let first = |order, least| told(&compare(spans.clone(), order, least)).remove(0);
    assert_eq!(first(Order::Count, 0), "ChargeCard +3\u{a0}spans");
    assert_eq!(first(Order::Own, 0), "ChargeCard +3.00 ms slower");
    assert_eq!(first(Order::Change, 0), "Reserve −4.00 ms faster");
    let page = compare(spans.clone(), Order::Tree, 3_500_000);
    assert_eq!(told(&page), ["POST /checkout −1.00 ms faster", " Reserve −4.00 ms faster", "  SELECT stock +4.00 ms slower"]);
    assert_eq!(page.small.replace(['\u{202f}', '\u{a0}'], " "), "1 row differs by less than 3.50 ms");
    assert_eq!(told(&compare(spans, Order::Change, 1_000_000_000)), Vec::<String>::new());
}

#[test]
fn rows_that_would_read_alike_say_what_they_are_in() {
    let mut spans = sample::checkout().spans;
    // The same query in two steps, and of one of them in two halves of the same name.
    for (id, parent, service, name) in [
        (40, 1, "import", "step 0"),
        (41, 1, "import", "step 1"),
        (42, 40, "import", "SELECT"),
        (43, 41, "import", "SELECT"),
        (44, 40, "import", "half"),
        (45, 41, "batch", "half"),
        (46, 44, "import", "COMMIT"),
        (47, 45, "import", "COMMIT"),
        (48, 46, "import", "deep"),
        (49, 47, "import", "deep"),
        (50, 48, "import", "deep"),
    ] {
        spans.push(sample::span(id, parent, service, name, 91, 92));
    }
    let within = |order, name: &str| {
        let page = compare(spans.clone(), order, 0);
        let mut found: Vec<String> = page.rows.into_iter().filter(|row| row.name == name).map(|row| row.within).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(within(Order::Change, "SELECT"), ["in step 0", "in step 1"]);
    assert_eq!(within(Order::Own, "COMMIT"), ["in batch half", "in half"]);
    assert_eq!(within(Order::Change, "half"), ["", ""], "their services differ");
    assert_eq!(within(Order::Change, "deep"), ["in COMMIT, in batch half", "in COMMIT, in half", "in deep"]);
    assert_eq!(within(Order::Change, "ChargeCard"), [""], "nothing reads like it");
    assert_eq!(within(Order::Tree, "SELECT"), ["", ""], "the tree shows it");
}

#[test]
fn a_difference_is_told_beside_what_it_is_a_part_of() {
    let plain = |a, b| relative(a, b).replace('\u{202f}', " ");
    assert_eq!(plain(100, 142), "+42.0 %");
    assert_eq!(plain(200, 150), "−25.0 %");
    assert_eq!((plain(10, 124), plain(10, 125), plain(3, 31)), ("×12".to_owned(), "×13".to_owned(), "×10".to_owned()));
    assert_eq!((plain(0, 5), plain(7, 7)), (String::new(), String::new()));
}

#[test]
fn attributes_and_records_that_only_one_side_has_come_first() {
    let text = |key: &str, value: &str| storage::KeyValue { key: key.to_owned(), value: storage::Value::String(value.to_owned()) };
    let (mut a, mut b) = (sample::span(1, 0, "gateway", "GET /", 0, 1), sample::span(1, 0, "gateway", "GET /", 0, 2));
    a.attributes = vec![text("same", "x"), text("user", "1"), text("cache", "hit")];
    b.attributes = vec![text("user", "2"), text("same", "x"), text("retry", "yes")];
    let mut resource = storage::Resource::clone(&b.resource);
    resource.attributes.push(text("service.version", "2"));
    b.resource = std::sync::Arc::new(resource);
    let (found, left_out) = values(&[[&a, &b], [&a, &b]], &Palette::default());
    let told: Vec<_> = found.iter().map(|one| format!("{} {} {} {}", one.key, one.only, one.sides[0], one.sides[1])).collect();
    let once = ["cache not in B hit —", "retry only in B — yes", "service.version only in B — 2", "user  1 2"];
    assert_eq!(told.iter().filter(|line| once.contains(&line.as_str())).count(), 7, "of a resource it is told once: {told:?}");
    assert!(told[..5].iter().all(|line| line.contains(" B ")) && left_out == 0, "{told:?}");

    let of = |bodies: &[&str]| bodies.iter().map(|body| sample::record(body)).collect::<Vec<_>>();
    let mut sent = [of(&["charging card 4711"]), of(&["charging card 12", "declined by 7", "declined by 8"])];
    for record in sent.iter_mut().flatten() {
        record.event_name.clear();
    }
    let told: Vec<_> = records([&sent[0], &sent[1]], &Links::default(), &Palette::default());
    assert_eq!(
        told.iter().map(|one| (one.only, one.body.as_str(), one.count.as_str())).collect::<Vec<_>>(),
        [("only in B", "declined by 7", "×2")]
    );
}
