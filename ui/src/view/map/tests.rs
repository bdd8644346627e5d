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
    let node = |name: String| Node { name, kind: NodeKind::Service, system: String::new(), requests: 60, errors: 3, p50: 1, p95: 2 };
    ServiceMap { nodes: names.into_iter().map(node).collect(), edges, ..ServiceMap::default() }
}

fn minute() -> TimeRange {
    TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(60_000_000_000) }
}

fn draw(map: &ServiceMap) -> Drawing {
    let page = Links::default().plain("/map");
    let groups = HashMap::new();
    let picture = Picture { map, before: None, range: minute(), focus: "", selected: None, page: &page, groups: &groups };
    Drawing::new(&picture, &Links::default(), &Palette::default())
}

#[test]
fn calls_lead_from_left_to_right() {
    let (keys, graph) = graph(&map(&[("web", "cart"), ("web", "orders"), ("orders", "payment"), ("cart", "db")]));
    let places = arrange(&graph);
    let column = |name: &str| places[keys.iter().position(|(known, _)| known == name).unwrap()].column;
    assert_eq!((column("web"), column("cart"), column("orders"), column("payment")), (0, 1, 1, 2));
}

#[test]
fn rings_and_self_calls_are_drawn_too() {
    let ring = map(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")]);
    let drawing = draw(&ring);
    assert_eq!((drawing.boxes.len(), drawing.arrows.len()), (3, 4));
    assert!(drawing.arrows.iter().all(|arrow| !arrow.path.contains("NaN")));
}

#[test]
fn the_focus_keeps_what_is_within_its_hops() {
    let whole = map(&[("a", "b"), ("b", "c"), ("c", "d")]);
    let names = |map: &ServiceMap| map.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>().join("");
    assert_eq!(names(&around(&whole, "b", 1)), "abc");
    assert_eq!(names(&around(&whole, "b", 2)), "abcd");
    assert_eq!(around(&whole, "", 1).edges.len(), 3);
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
    fn boxes_never_overlap(nodes in 2_usize..40, pairs in proptest::collection::vec((0_usize..40, 0_usize..40), 1..80)) {
        let mut edges: Vec<(usize, usize)> = pairs.into_iter().map(|(a, b)| (a % nodes, b % nodes)).filter(|(a, b)| a != b).collect();
        edges.sort_unstable();
        edges.dedup();
        let graph = Graph { nodes, edges };
        let places = arrange(&graph);
        prop_assert_eq!(places.len(), nodes);
        for (index, a) in places.iter().enumerate() {
            for b in places.iter().skip(index + 1).filter(|b| b.column == a.column) {
                prop_assert!((a.y - b.y).abs() >= drawing::BOX_HEIGHT, "{:?} {:?}", a, b);
            }
        }
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
        calls(&known, None, minute(), Order::Calls, (&Links::default(), &Links::default().plain("/map")))
            .iter()
            .map(|call| call.facts.to.as_str())
            .collect::<Vec<_>>(),
        ["redis 0", "redis-cache"]
    );
    let named = crate::view::services::peers(&known, minute(), &Links::default());
    let mut named: Vec<&str> = named.iter().map(|peer| peer.name.as_str()).filter(|name| name.starts_with("redis")).collect();
    named.sort_unstable();
    assert!(named.contains(&"redis 0") && named.contains(&"redis-cache"), "{named:?}");
    let (_, called) = crate::view::services::dependencies("cart", &known, minute(), &Links::default(), &Palette::default());
    assert_eq!(called.iter().map(|dependency| dependency.name.as_str()).collect::<Vec<_>>(), ["redis 0", "redis-cache"]);
}

#[test]
fn the_table_comes_in_the_order_that_is_asked_for() {
    let mut known = map(&[("web", "cart"), ("web", "orders"), ("orders", "mail")]);
    (known.edges[0].calls, known.edges[0].p95) = (90, 9);
    (known.edges[1].calls, known.edges[1].errors) = (10, 5);
    (known.edges[2].calls, known.edges[2].p95) = (30, 50);
    let told = |order| {
        let calls = calls(&known, None, minute(), order, (&Links::default(), &Links::default().plain("/map")));
        calls.into_iter().map(|call| call.facts.to).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(Order::Calls), "cart mail orders");
    assert_eq!(told(Order::Failures), "orders cart mail");
    assert_eq!(told(Order::Slowest), "mail cart orders");
    assert_eq!(told(Order::Share), "mail cart orders");
    let share = calls(&known, None, minute(), Order::Calls, (&Links::default(), &Links::default().plain("/map")));
    assert_eq!(share[0].facts.share, "90\u{202f}%");
}

#[test]
fn a_picture_says_how_narrow_it_may_become() {
    let drawing = draw(&map(&[("a", "b"), ("b", "c")]));
    let number = |text: &str| text.parse::<f64>().unwrap();
    assert!((number(&drawing.least) + number(&drawing.rest) - number(&drawing.width)).abs() < 0.2 && number(&drawing.rest) > 0.0);
}
