//! The detail of a span that has very much, beside the rows of its trace.

use std::collections::HashSet;

use storage::{Event, KeyValue, Link, LogRecord, Value};

use super::*;
use crate::view::trace::Panel;

/// What any page of a trace stays below.
const MOST: usize = 4_000;
const PARTS: [PanelTab; 7] =
    [PanelTab::Attributes, PanelTab::Events, PanelTab::Links, PanelTab::Logs, PanelTab::Resource, PanelTab::Timing, PanelTab::Raw];

fn pairs(count: usize, beginning: &str) -> Vec<KeyValue> {
    let pair = |n: usize| KeyValue { key: format!("{beginning}.{}.key_{n}", n % 7), value: Value::String(format!("a.value/of-its {n}")) };
    (0..count).map(pair).collect()
}

/// A hundred rows, the first of which is a span with very much of everything.
fn heavy(tab: PanelTab, first: usize) -> Scene {
    let mut spans = vec![sample::span(1, 0, "web", "root", 0, 1_000)];
    spans.extend((0..99).map(|n| sample::span(2 + n, 1, "web", &format!("step {n}"), u64::from(n) * 10, u64::from(n) * 10 + 9)));
    let root = &mut spans[0];
    root.attributes = pairs(315, "http.request");
    let event = |n: u64| Event {
        time: root.start.plus(n),
        name: format!("event {n}"),
        attributes: pairs(usize::try_from(n).unwrap() % 5, "event"),
        dropped_attributes_count: 0,
    };
    root.events = (0..400).map(event).collect();
    root.events[7].attributes = pairs(300, "many");
    let link = |n: u8| Link { trace_id: vec![n + 1; 16], span_id: vec![9; 8], attributes: pairs(3, "link"), ..Link::default() };
    root.links = (0..250).map(link).collect();
    let mut resource = (*root.resource).clone();
    resource.attributes.extend(pairs(200, "k8s.pod"));
    root.resource = std::sync::Arc::new(resource);
    let span = Some(root.span_id);
    let record = |n: u64| LogRecord { record_id: n, span_id: span, ..sample::record(&format!("record {n}")) };
    let wanted = Wanted { span, tab: Some(tab), first, ..Wanted::default() };
    let trace = storage::trace::Trace::assemble(spans[0].trace_id, spans, true, Vec::new());
    sample::scene(&trace, (0..300).map(record).collect(), wanted, (Links::default(), clock(), Palette::default()))
}

fn elements(page: &str) -> usize {
    page.split('<').skip(1).filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic())).count()
}

/// What a part shows, and the address of what follows.
fn shown(panel: &Panel, tab: PanelTab) -> (Vec<String>, String) {
    let keys =
        |groups: &[crate::view::trace::Group]| groups.iter().flat_map(|group| &group.rows).map(|pair| pair.row.key.clone()).collect();
    let windows = &panel.windows;
    let (rows, window): (Vec<String>, _) = match tab {
        PanelTab::Attributes => (keys(&panel.attributes), &windows.attributes),
        PanelTab::Events => (panel.events.iter().map(|event| event.name.clone()).collect(), &windows.events),
        PanelTab::Links => (panel.links.iter().map(|link| link.trace.clone()).collect(), &windows.links),
        PanelTab::Logs => (panel.logs.iter().map(|row| row.body.clone()).collect(), &windows.logs),
        PanelTab::Resource => (keys(&panel.resource), &windows.resource),
        _ => return (Vec::new(), String::new()),
    };
    (rows, window.more.1.clone())
}

#[test]
fn a_part_of_any_length_is_reached_whole_on_small_pages() {
    let mut found = Vec::new();
    for tab in PARTS {
        let (mut first, mut all) = (0, Vec::new());
        loop {
            let scene = heavy(tab, first);
            let count = elements(&drawn(&scene, HARMLESS));
            assert!(count < MOST, "{tab:?} from {first}: {count} elements");
            let (rows, more) = shown(&panel(&scene, scene.chosen.unwrap()).unwrap(), tab);
            all.extend(rows);
            let Some((_, next)) = more.split_once("first=") else { break };
            first = next.parse().unwrap();
            assert_eq!(first, all.len());
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{tab:?} shows something twice");
        found.push(all.len());
    }
    assert_eq!(found, [315, 400, 250, 300, 201, 0, 0]);
}

#[test]
fn all_parts_of_one_span_are_a_small_page_that_leads_on() {
    let scene = heavy(PanelTab::All, 0);
    let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
    assert!(panel.windows.events.more.1.contains("tab=events&first="), "{:?}", panel.windows.events);
    let page = SpanPage { frame: frame(HARMLESS), panel, above: Vec::new() }.render().unwrap();
    assert!(elements(&page) < MOST, "{} elements", elements(&page));
}

#[test]
fn how_many_there_are_is_said_once_and_so_is_which_of_them_are_shown() {
    let scene = heavy(PanelTab::Events, 0);
    let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
    assert_eq!(
        panel.tabs.iter().map(|(label, count, ..)| format!("{label} {count}")).take(4).collect::<Vec<_>>(),
        ["Attributes 315", "Events 400", "Links 250", "Logs 300"]
    );
    let page = drawn(&scene, HARMLESS);
    let place = &panel.windows.events.place;
    assert!(place.starts_with("1–") && place.ends_with(" of 400"), "{place}");
    assert!(page.contains(&format!("<h3>Events <span class=\"muted\">{place}</span></h3>")), "{place}");
    let last = heavy(PanelTab::Events, 399);
    assert_eq!(super::panel(&last, last.chosen.unwrap()).unwrap().windows.events.place, "400–400 of 400");
    let beyond = heavy(PanelTab::Events, 4_000);
    assert_eq!(&super::panel(&beyond, beyond.chosen.unwrap()).unwrap().windows.events.place, place, "as from the first");
}
