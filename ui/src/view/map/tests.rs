use std::collections::HashMap;

use proptest::prelude::*;
use storage::{EdgeKind, UnixNanos};

use super::*;

fn service(name: &str) -> Key {
    (name.to_owned(), NodeKind::Service)
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: service(from), to: service(to), kind: EdgeKind::Call, calls: 60, errors: 0, p50: 1, p95: 2, p99: 3, examples: Vec::new() }
}

fn map(edges: &[(&str, &str)]) -> ServiceMap {
    let edges: Vec<Edge> = edges.iter().map(|(from, to)| edge(from, to)).collect();
    let mut names: Vec<String> =
        edges.iter().flat_map(|edge| [edge.from.0.clone(), edge.to.0.clone()]).chain(["alone".to_owned()]).collect();
    names.sort();
    names.dedup();
    let node =
        |name: String| Node { name, kind: NodeKind::Service, system: String::new(), requests: 60, errors: 3, p50: 1, p95: 2, p99: 3 };
    ServiceMap { nodes: names.into_iter().map(node).collect(), edges, ..ServiceMap::default() }
}

#[test]
fn rare_calls_are_left_out_with_what_only_they_reach() {
    let mut whole = map(&[("user", "web"), ("user", "health"), ("web", "db"), ("user", "cart"), ("web", "cart"), ("user", "bad")]);
    for edge in &mut whole.edges {
        edge.calls = if edge.from.0 == "user" && edge.to.0 != "web" { 1 } else { 900 };
        edge.errors = u64::from(edge.to.0 == "bad");
    }
    let made = Made::of(&whole);
    let rare: HashSet<(Key, Key)> =
        whole.edges.iter().filter(|edge| is_rare(edge, &made)).map(|edge| (edge.from.clone(), edge.to.clone())).collect();
    let told = without(&whole, &rare);
    let names = |map: &ServiceMap| map.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&told), ["alone", "bad", "cart", "db", "user", "web"], "what nobody called before stays, what failed too");
    let ends: Vec<_> = told.edges.iter().map(|edge| (edge.from.0.as_str(), edge.to.0.as_str())).collect();
    assert_eq!(ends, [("user", "web"), ("web", "db"), ("web", "cart"), ("user", "bad")]);
}

fn minute() -> TimeRange {
    TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(60_000_000_000) }
}

fn draw(map: &ServiceMap) -> Drawing {
    draw_beside(map, None)
}

fn draw_beside(map: &ServiceMap, before: Option<&ServiceMap>) -> Drawing {
    let page = Links::default().plain("/map");
    let groups = HashMap::new();
    let made = Made::of(map);
    let picture =
        Picture { map, made: &made, before, range: minute(), focus: None, selected: None, page: &page, groups: &groups, is_trace: false };
    Drawing::new(&picture, &Links::default(), &Palette::default())
}

/// A box or a card: left, top, right, bottom.
type Frame = (f64, f64, f64, f64);

fn frames(drawing: &Drawing) -> (Vec<Frame>, Vec<Frame>) {
    let boxes = drawing.boxes.iter().map(|b| (b.x.0, b.y.0, b.x.0 + b.width.0, b.y.0 + b.height.0));
    let cards = drawing.arrows.iter().filter(|arrow| !arrow.is_rare).map(|arrow| &arrow.card);
    (boxes.collect(), cards.map(|c| (c.x.0, c.y.0, c.x.0 + c.width.0, c.y.0 + c.height.0)).collect())
}

fn overlap(a: Frame, b: Frame) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Ends of the level stretches of a path, which are those that cross columns: from, to and height.
fn stretches(path: &str) -> Vec<(f64, f64, f64)> {
    let mut found = Vec::new();
    let (mut x, mut y) = (0.0, 0.0);
    let letters = path.chars().filter(|letter| letter.is_alphabetic());
    for (letter, part) in letters.zip(path.split(['M', 'C', 'H']).skip(1)) {
        let numbers: Vec<f64> = part.split(' ').map(|number| number.parse().unwrap()).collect();
        if letter == 'H' {
            found.push((f64::min(x, numbers[0]), f64::max(x, numbers[0]), y));
            x = numbers[0];
        } else {
            (x, y) = (numbers[numbers.len() - 2], numbers[numbers.len() - 1]);
        }
    }
    found
}

fn legible(drawing: &Drawing) -> Result<(), String> {
    let (boxes, cards) = frames(drawing);
    let all: Vec<Frame> = boxes.iter().chain(&cards).copied().collect();
    for (index, a) in all.iter().enumerate() {
        if let Some(b) = all.iter().skip(index + 1).find(|b| overlap(*a, **b)) {
            return Err(format!("{a:?} and {b:?} lie over each other"));
        }
        if a.0 < 0.0 || a.1 < 0.0 || a.2 > drawing.width.0 || a.3 > drawing.height.0 {
            return Err(format!("{a:?} leaves the picture"));
        }
    }
    for arrow in &drawing.arrows {
        let own = (arrow.card.x.0, arrow.card.y.0);
        for (from, to, y) in stretches(&arrow.path) {
            let under = |card: &&Frame| (card.0, card.1) != own && card.0 < to && from < card.2 && card.1 < y && y < card.3;
            if let Some(card) = cards.iter().find(under) {
                return Err(format!("{} goes under the card {card:?}: {}", arrow.title, arrow.path));
            }
        }
    }
    Ok(())
}

#[test]
fn calls_lead_from_left_to_right() {
    let drawing = draw(&map(&[("web", "cart"), ("web", "orders"), ("orders", "payment"), ("cart", "db")]));
    let x = |name: &str| drawing.boxes.iter().find(|shown| shown.name == name).unwrap().x;
    assert!(x("web") < x("cart") && x("cart") == x("orders") && x("orders") < x("payment"));
}

#[test]
fn rings_and_self_calls_are_drawn_too() {
    let ring = map(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")]);
    let drawing = draw(&ring);
    assert_eq!((drawing.boxes.len(), drawing.arrows.len()), (3, 4));
    assert!(drawing.arrows.iter().all(|arrow| !arrow.path.contains("NaN")));
    assert_eq!(legible(&drawing), Ok(()));
}

#[test]
fn a_service_that_calls_itself_and_sends_itself_has_two_loops() {
    let mut whole = map(&[("web", "cart"), ("cart", "cart"), ("cart", "cart")]);
    whole.edges[2].kind = EdgeKind::Message;
    let drawing = draw(&whole);
    let (boxes, cards) = frames(&drawing);
    assert_eq!((boxes.len(), cards.len()), (2, 3));
    for (place, card) in cards.iter().enumerate() {
        assert!(boxes.iter().chain(&cards[..place]).all(|other| !overlap(*card, *other)), "{card:?} of {cards:?} {boxes:?}");
        assert!(card.3 <= drawing.height.0, "{card:?} is below the picture");
    }
}

#[test]
fn around_a_focus_calls_lead_to_it_and_from_it() {
    let whole = map(&[("web", "cart"), ("web", "orders"), ("orders", "cart"), ("cart", "db"), ("cart", "cart"), ("web", "web")]);
    let told = spokes(&around(&whole, Some(&service("cart")), 1), &service("cart"));
    let ends: Vec<_> = told.edges.iter().map(|edge| (edge.from.0.as_str(), edge.to.0.as_str())).collect();
    assert_eq!(ends, [("web", "cart"), ("orders", "cart"), ("cart", "db"), ("cart", "cart")]);
}

#[test]
fn sixty_services_with_long_names_are_drawn_legibly_and_in_full() {
    let name = |number: usize| format!("team-{}-inventory-synchronisation-{number}", number % 7);
    let calls: Vec<(String, String)> =
        (1..60).flat_map(|number| [number / 3, number / 2, number * 7 % number].map(|from| (name(from), name(number)))).collect();
    let mut calls: Vec<(&str, &str)> =
        calls.iter().map(|(from, to)| (from.as_str(), to.as_str())).filter(|(from, to)| from != to).collect();
    calls.sort_unstable();
    calls.dedup();
    let drawing = draw(&map(&calls));
    assert_eq!((drawing.boxes.len(), drawing.arrows.len()), (60, calls.len()));
    assert_eq!(legible(&drawing), Ok(()));
    for shown in &drawing.boxes {
        assert_eq!(shown.lines.iter().map(|(_, line)| line.as_str()).collect::<String>(), shown.name);
    }
    assert!(drawing.width.0 < 4_000.0 && drawing.height.0 < 4_000.0, "{} × {}", drawing.width, drawing.height);
}

#[test]
fn many_pairs_that_nothing_connects_stand_in_rows() {
    let names: Vec<(String, String)> = (0..72).map(|pair| (format!("caller-{pair:02}"), format!("called-{pair:02}"))).collect();
    let mut calls: Vec<(&str, &str)> = names.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let drawing = draw(&map(&calls));
    assert_eq!((drawing.boxes.len(), drawing.arrows.len()), (144, 72));
    assert_eq!(legible(&drawing), Ok(()));
    assert!(drawing.width.0 < 1_250.0 && drawing.height.0 < 2_700.0, "{} × {}", drawing.width, drawing.height);
    // A longer chain stands above them, each of its boxes in a column of theirs.
    calls.extend([("a", "b"), ("b", "c"), ("c", "d")]);
    let longer = draw(&map(&calls));
    assert_eq!(legible(&longer), Ok(()));
    let top = longer.boxes.iter().map(|shown| shown.y.0).fold(f64::INFINITY, f64::min);
    let chain: Vec<f64> = longer.boxes.iter().filter(|shown| shown.name.len() == 1).map(|shown| shown.y.0).collect();
    assert!(chain.len() == 4 && chain.iter().all(|y| (y - top).abs() < 20.0), "{chain:?} below {top}");
    assert!((longer.height.0 - drawing.height.0 - 72.0).abs() < 1.0, "{} and {}", longer.height, drawing.height);
}

#[test]
fn the_focus_keeps_what_is_within_its_hops() {
    let whole = map(&[("a", "b"), ("b", "c"), ("c", "d")]);
    let names = |map: &ServiceMap| map.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>().join("");
    assert_eq!(names(&around(&whole, Some(&service("b")), 1)), "abc");
    assert_eq!(names(&around(&whole, Some(&service("b")), 2)), "abcd");
    assert_eq!(around(&whole, None, 1).edges.len(), 3);
}

#[test]
fn services_without_calls_are_in_the_tray() {
    let tray = tray(&map(&[("a", "b")]), &Links::default(), &Palette::default());
    assert_eq!(tray.len(), 1);
    assert_eq!(tray[0].1, "/services/alone");
}

#[test]
fn the_same_map_gives_the_same_picture() {
    let draw = || format!("{:?}", draw(&map(&[("a", "b"), ("a", "c"), ("c", "d"), ("b", "d")])));
    assert_eq!(draw(), draw());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_lies_over_anything_else(nodes in 2_usize..40, pairs in proptest::collection::vec((0_usize..40, 0_usize..40), 1..80)) {
        let name = |node: usize| format!("service-{}", "x".repeat(node % 30));
        let names: Vec<String> = (0..nodes).map(|node| format!("{}{node}", name(node))).collect();
        let mut calls: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (names[a % nodes].as_str(), names[b % nodes].as_str())).collect();
        calls.sort_unstable();
        calls.dedup();
        let drawing = draw(&map(&calls));
        prop_assert_eq!(drawing.arrows.len(), calls.len());
        prop_assert_eq!(legible(&drawing), Ok(()));
    }
}

#[test]
fn an_arrow_with_few_of_the_calls_of_its_caller_has_no_card_unless_it_fails() {
    let mut known = map(&[("web", "cart"), ("web", "orders"), ("web", "users")]);
    known.edges[0].calls = 10_000;
    known.edges[2].errors = 1;
    let drawing = draw(&known);
    assert_eq!(drawing.arrows.iter().map(|arrow| arrow.is_rare).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn a_database_says_what_it_is() {
    let mut known = map(&[("cart", "0"), ("cart", "redis-cache")]);
    for node in &mut known.nodes {
        (node.kind, node.system) = (NodeKind::Database, "redis".to_owned());
    }
    for edge in &mut known.edges {
        edge.to.1 = NodeKind::Database;
    }
    assert_eq!(
        calls((&known, &Made::of(&known)), None, minute(), Order::Calls, (&Links::default(), &Links::default().plain("/map")))
            .iter()
            .map(|call| call.facts.to.as_str())
            .collect::<Vec<_>>(),
        ["redis 0", "redis-cache"]
    );
    let named = crate::view::services::peers(&known, crate::view::services::Order::Most, minute(), &Links::default());
    let mut named: Vec<&str> = named.iter().map(|peer| peer.name.as_str()).filter(|name| name.starts_with("redis")).collect();
    named.sort_unstable();
    assert!(named.contains(&"redis 0") && named.contains(&"redis-cache"), "{named:?}");
    let (_, called) = crate::view::services::dependencies("cart", &known, minute(), &Links::default(), &Palette::default());
    assert_eq!(called.iter().map(|dependency| dependency.name.as_str()).collect::<Vec<_>>(), ["redis 0", "redis-cache"]);
}

#[test]
fn who_calls_from_outside_is_called_once_and_nobody_has_percentiles_of_nothing() {
    let mut whole = map(&[("user", "web"), ("web", "idle")]);
    whole.edges[0].from.1 = NodeKind::User;
    for node in &mut whole.nodes {
        node.requests = if node.name == "web" { 60 } else { 0 };
        node.kind = if node.name == "user" { NodeKind::User } else { NodeKind::Service };
    }
    let mut titles: Vec<String> = draw(&whole).boxes.into_iter().map(|one| one.title).collect();
    titles.sort();
    assert_eq!((titles[0].as_str(), titles[2].as_str()), ("service idle: no requests", "user"));
    assert!(titles[1].starts_with("service web: ") && titles[1].contains(" in, "), "{titles:?}");
}

#[test]
fn the_table_comes_in_the_order_that_is_asked_for() {
    let mut known = map(&[("web", "cart"), ("web", "orders"), ("orders", "mail")]);
    (known.edges[0].calls, known.edges[0].p95) = (90, 9);
    (known.edges[1].calls, known.edges[1].errors) = (10, 5);
    (known.edges[2].calls, known.edges[2].p95) = (30, 50);
    let told = |order| {
        let calls = calls((&known, &Made::of(&known)), None, minute(), order, (&Links::default(), &Links::default().plain("/map")));
        calls.into_iter().map(|call| call.facts.to).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(Order::Calls), "cart mail orders");
    assert_eq!(told(Order::Failures), "orders cart mail");
    assert_eq!(told(Order::Slowest), "mail cart orders");
    assert_eq!(told(Order::Share), "mail cart orders");
    let share = calls((&known, &Made::of(&known)), None, minute(), Order::Calls, (&Links::default(), &Links::default().plain("/map")));
    assert_eq!(share[0].facts.share, "90.0\u{202f}%");
}

#[test]
fn a_picture_says_how_narrow_it_may_become() {
    let drawing = draw(&map(&[("a", "b"), ("b", "c")]));
    assert!((drawing.least.0 + drawing.rest.0 - drawing.width.0).abs() < 0.2 && drawing.rest.0 > 0.0);
}

#[test]
fn six_columns_fit_a_common_screen_and_many_more_keep_their_size() {
    let long = ["gateway-edge", "orders-service", "orders.cancelled", "shipping-labels", "api.parcelpost.example", "mongodb catalog"];
    let chain = |names: &[&str]| {
        let pairs: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let mut map = map(&pairs);
        map.nodes.iter_mut().for_each(|node| (node.requests, node.errors, node.p95) = (3_400, 340, 346_000_000));
        draw(&map)
    };
    let six = chain(&long);
    assert!(six.least.0 <= 1_250.0, "{} of {}", six.least, six.width);
    assert!(six.boxes.iter().all(|b| b.facts.len() == 2), "{:?}", six.boxes);
    legible(&six).unwrap();
    let four = chain(&long[..4]);
    assert!(four.boxes.iter().all(|b| b.facts.len() == 1), "{:?}", four.boxes);
    let names: Vec<String> = (0..20).map(|n| format!("orders-service-{n}")).collect();
    let many = chain(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(many.boxes.iter().all(|b| b.facts.len() == 1));
}

#[test]
fn a_map_fits_with_what_was_before_as_it_fits_without() {
    let long = ["gateway-edge", "orders-service", "orders.cancelled", "shipping-labels", "api.parcelpost.example", "mongodb catalog"];
    let pairs: Vec<(&str, &str)> = long.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let of = |requests, errors, p95| {
        let mut map = map(&pairs);
        map.nodes.iter_mut().for_each(|node| (node.requests, node.errors, node.p50, node.p95) = (requests, errors, p95 / 10 * 9, p95));
        map.edges.iter_mut().for_each(|edge| (edge.calls, edge.errors, edge.p50, edge.p95) = (requests, errors, p95 / 10 * 9, p95));
        map
    };
    let (now, before) = (of(3_400, 388, 834_000_000), of(1_600, 282, 263_000_000));
    let (alone, beside) = (draw(&now), draw_beside(&now, Some(&before)));
    assert!(alone.least.0 <= 1_250.0 && beside.least.0 <= 1_250.0, "{} and {}", alone.least, beside.least);
    legible(&beside).unwrap();
    let texts = |lines: &[(drawing::Px, &'static str, String)]| -> Vec<_> {
        lines.iter().map(|(_, class, text)| (*class, text.replace('\u{202f}', " "))).collect()
    };
    let card = texts(&beside.arrows[0].card.lines);
    assert_eq!(card.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>()[2..4], ["failed 17.6 %", "→ 11.4 %"], "{card:?}");
    assert!(card[2..4].iter().all(|(class, _)| *class == "good"), "fewer fail: {card:?}");
    let said = texts(&beside.boxes[1].facts);
    assert_eq!(said[0], ("good", "failed 17.6 %".to_owned()), "in place of what fails now: {said:?}");
}

#[test]
fn without_queues_messages_lead_from_sender_to_consumer() {
    let message = |from: &str, to: &str| Edge { kind: EdgeKind::Message, ..edge(from, to) };
    let queue = |name: &str| (name.to_owned(), NodeKind::Queue);
    let through = [Edge { to: queue("topic"), ..message("shop", "topic") }, Edge { from: queue("topic"), ..message("topic", "mail") }];
    let relays = vec![message("shop", "mail"), message("shop", "stock")];
    let edges = through.into_iter().chain([message("shop", "stock")]).collect();
    let shown = services_only(&ServiceMap { edges, relays, ..ServiceMap::default() });
    let found: Vec<_> = shown.edges.iter().map(|edge| (edge.from.0.as_str(), edge.to.0.as_str(), edge.calls)).collect();
    assert_eq!(found, [("shop", "mail", 60), ("shop", "stock", 120)]);
}

#[test]
fn shares_are_of_all_calls_of_a_caller_whatever_is_shown() {
    let mut known = map(&[("web", "cart"), ("web", "orders"), ("orders", "mail")]);
    (known.edges[0].calls, known.edges[1].calls) = (9_000, 100);
    let (made, part) = (Made::of(&known), around(&known, Some(&service("mail")), 2));
    let part = ServiceMap { edges: part.edges.into_iter().filter(|edge| edge.to.0 != "cart").collect(), ..part };
    let page = Links::default().plain("/map");
    let listed = calls((&part, &made), None, minute(), Order::Calls, (&Links::default(), &page));
    let orders = listed.iter().find(|call| call.facts.to == "orders").unwrap();
    assert_eq!(orders.facts.share, "1.10\u{202f}%");
    let groups = HashMap::new();
    let picture = Picture {
        map: &part,
        made: &made,
        before: None,
        range: minute(),
        focus: None,
        selected: None,
        page: &page,
        groups: &groups,
        is_trace: false,
    };
    let drawing = Drawing::new(&picture, &Links::default(), &Palette::default());
    assert_eq!(drawing.arrows.iter().map(|arrow| arrow.is_rare).collect::<Vec<_>>(), [true, false]);
}
