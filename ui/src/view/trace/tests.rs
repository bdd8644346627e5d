use storage::trace::Trace;
use storage::{SpanId, UnixNanos};

use super::wanted::Depth;
use super::*;

mod clocks;
mod colours;
mod columns;
mod failures;
mod hiding;
mod place;
mod rows;

/// Looks at a trace with what an address asks for, all spans at hand.
fn scene(trace: &Trace, wanted: Wanted) -> Scene {
    let means = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
    sample::scene(trace, vec![sample::record("card declined")], wanted, means)
}

fn fall(trace: &Trace, wanted: Wanted) -> Waterfall {
    let scene = scene(trace, wanted);
    waterfall(&scene, &plan(&scene))
}

fn names(trace: &Trace, wanted: Wanted) -> Vec<String> {
    fall(trace, wanted).rows.into_iter().map(|row| row.name).collect()
}

fn id(last: u8) -> SpanId {
    SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 1, last]).unwrap()
}

/// One root, with `groups` children of nine spans each.
fn large(groups: u32) -> Trace {
    let mut spans = vec![sample::span(1, 0, "a", "root", 0, 1_000)];
    for number in 0..groups * 10 {
        let mut span = sample::span(2, 1, "a", &format!("span {number}"), u64::from(number) / 10, u64::from(number) / 10 + 1);
        let bytes = (number + 1_000).to_be_bytes();
        span.span_id = SpanId::from_slice(&[1, 0, 0, 0, bytes[0], bytes[1], bytes[2], bytes[3]]).unwrap();
        if number % 10 > 0 {
            let above = (number / 10 * 10 + 1_000).to_be_bytes();
            span.parent_span_id = SpanId::from_slice(&[1, 0, 0, 0, above[0], above[1], above[2], above[3]]);
        }
        spans.push(span);
    }
    Trace::assemble(spans[0].trace_id, spans, true, Vec::new())
}

#[test]
fn matches_are_marked_counted_and_linked_around_the_ends() {
    let wanted = Wanted { find: "service:orders".to_owned(), span: Some(id(4)), ..Wanted::default() };
    let tools = tools(&scene(&sample::checkout(), wanted));
    assert_eq!(tools.found, "2 of 2");
    assert!(tools.way("n").ends_with(&format!("#s{}", id(2))), "{}", tools.way("n"));
    assert_eq!(tools.errors, "1");
    assert!(tools.way("e").contains(&format!("span={}", id(3))), "{}", tools.way("e"));
    assert!(tools.way(".").contains(&format!("span={}", id(2))), "{}", tools.way("."));
}

/// A loop of `count` queries below the reservation, of which the fifth failed and the seventh took longest.
fn looping(count: u64) -> Trace {
    let mut trace = sample::checkout();
    for n in 0..count {
        let mut span = sample::span(100 + u8::try_from(n).unwrap(), 2, "stock", "SELECT", 5 + n, 6 + n + u64::from(n == 6));
        if n == 4 {
            span.status.code = storage::StatusCode::Error;
        }
        trace.spans.push(span);
    }
    Trace::assemble(trace.id, trace.spans, true, Vec::new())
}

#[test]
fn a_loop_is_told_of_when_there_is_much_of_it() {
    let said = |count: u64, lasting: u64| {
        let mut spans = vec![sample::span(1, 0, "a", "root", 0, 1_000)];
        spans.extend((0..count).map(|n| sample::span(10 + u8::try_from(n).unwrap(), 1, "db", "SELECT", n * 20, n * 20 + lasting)));
        let scene = scene(&Trace::assemble(spans[0].trace_id, spans, true, Vec::new()), Wanted::default());
        let told = findings(&scene).into_iter().filter(|told| told.text.contains("SELECT ran"));
        told.map(|told| (told.text, told.class)).collect::<Vec<_>>()
    };
    let ran = |text: &str, class| vec![(format!("db, SELECT ran {text} of the critical path."), class)];
    assert_eq!(said(5, 20), ran("5 times under one parent: 100 ms in all, 10 %", "warn"));
    assert_eq!(said(5, 15), Vec::<(String, &str)>::new(), "few that take little");
    assert_eq!(said(11, 1), ran("11 times under one parent: 11.0 ms in all, 1 %", "plain"), "many that take little, as lists tell of them");
}

#[test]
fn flame_graphs_merge_equal_calls_and_keep_the_heaviest_left() {
    let merged = flame(&scene(&looping(12), Wanted { view: View::Flame, ..Wanted::default() }));
    let cells: Vec<(&str, usize)> = merged.cells.iter().map(|cell| (cell.label.as_str(), cell.y)).collect();
    assert_eq!(cells, [("POST /checkout", 0), ("ChargeCard", 20), ("Reserve", 20), ("SELECT ×12", 40), ("SELECT stock", 40)]);
    assert!(merged.cells[3].is_error && merged.cells[3].title.contains("1 failed"));
    assert_eq!(merged.calls[0].name, "ChargeCard");
    let timed = flame(&scene(&looping(12), Wanted { flame: FlameKind::Time, ..Wanted::default() }));
    assert_eq!(timed.cells.iter().filter(|cell| !cell.is_rest).count(), 16);
}

#[test]
fn every_reading_has_a_box_for_the_search_or_leads_to_it() {
    let to_find = |view| tools(&scene(&sample::checkout(), Wanted { view, only: Only::Errors, ..Wanted::default() })).to_find;
    assert_eq!([View::Timeline, View::Spans].map(to_find), ["", ""]);
    for view in [View::Flame, View::Services, View::Logs, View::Map, View::Json] {
        assert!(to_find(view).ends_with("?only=errors#find"), "{}", to_find(view));
    }
}

#[test]
fn the_flat_table_sorts_and_pages() {
    let by = |sort| table(&scene(&sample::checkout(), Wanted { view: View::Spans, sort, ..Wanted::default() }));
    let names = |table: &Table| table.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&by(SpanOrder::Longest)), ["POST /checkout", "ChargeCard", "Reserve", "SELECT stock"]);
    assert_eq!(names(&by(SpanOrder::Name)), ["ChargeCard", "POST /checkout", "Reserve", "SELECT stock"]);
    let paged = table(&scene(&large(30), Wanted { view: View::Spans, at: Some(250), ..Wanted::default() }));
    assert_eq!((paged.rows.len(), paged.position.as_str(), paged.after.as_str()), (51, "spans 251–301 of 301", ""));
}

#[test]
fn the_flat_table_lists_what_runs_in_the_window_of_time_and_says_so() {
    let edge = |ms: u64| Some(wanted::Edge::Nanos(ms * 1_000_000));
    let wanted = Wanted { view: View::Spans, sort: SpanOrder::Start, t0: edge(15), t1: edge(35), ..Wanted::default() };
    let zoomed = table(&scene(&sample::checkout(), wanted.clone()));
    assert_eq!(zoomed.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["POST /checkout", "Reserve", "SELECT stock"]);
    let (words, all) = zoomed.zoomed.unwrap();
    assert_eq!((zoomed.position.as_str(), words.as_str()), ("spans 1–3 of 3", "that run between 15.0\u{202f}ms and 35.0\u{202f}ms"));
    assert!(all.ends_with("?view=spans&sort=start"), "{all}");
    assert_eq!(table(&scene(&sample::checkout(), Wanted { t0: None, t1: None, ..wanted })).zoomed, None);
}

#[test]
fn the_map_of_a_trace_counts_calls_between_services() {
    let map = trace_map(&scene(&looping(12), Wanted { view: View::Map, ..Wanted::default() }));
    let calls: Vec<_> = map.calls.iter().map(|call| (call.from.as_str(), call.to.as_str(), call.count.as_str())).collect();
    assert_eq!(calls, [("gateway", "orders", "1"), ("gateway", "payment", "1"), ("orders", "stock", "12")]);
    let drawing = map.drawing.unwrap();
    assert!(drawing.arrows.iter().any(|arrow| arrow.card.lines.iter().any(|(_, _, text)| text == "×12")), "{:?}", drawing.arrows);
}

#[test]
fn the_detail_shows_one_part_and_leads_to_the_others() {
    let wanted = Wanted { span: Some(id(3)), ..Wanted::default() };
    let of = |tab| {
        let scene = scene(&sample::checkout(), Wanted { tab, ..wanted.clone() });
        panel(&scene, scene.chosen.unwrap()).unwrap()
    };
    let first = of(None);
    assert!(first.shows.events && !first.shows.attributes, "a failed span with an exception shows it");
    assert_eq!(
        first.tabs.iter().map(|(label, ..)| *label).collect::<Vec<_>>(),
        ["Attributes", "Events", "Links", "Logs", "Resource", "Timing", "Raw"]
    );
    assert!(of(Some(PanelTab::Raw)).raw.contains("\"span_id\": \"0000000000000103\""));
    let http = of(Some(PanelTab::Attributes))
        .attributes
        .into_iter()
        .flat_map(|group| group.rows)
        .find(|pair| pair.row.key == "http.response.status_code")
        .unwrap();
    assert_eq!(http.exclude, "/traces?q=-attr.http.response.status_code%3D402");
    assert!(http.in_trace.contains("find=attr.http.response.status_code%3D402"), "{}", http.in_trace);
}

#[test]
fn the_detail_has_exception_link_and_logs() {
    let wanted = Wanted { span: Some(id(3)), ..Wanted::default() };
    let scene = scene(&sample::checkout(), wanted);
    let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
    assert_eq!(panel.events[0].exception, "card declined: card declined");
    let back = crate::params::encoded(&format!("/trace/{}?span={}#s{}", "07".repeat(16), id(3), id(3)));
    assert_eq!(panel.links[0].href, format!("/trace/{}?span={}&via={back}#s{}", "09".repeat(16), "09".repeat(8), "09".repeat(8)));
    assert_eq!(panel.logs.len(), 1);
    assert_eq!(panel.message, "card declined");
}

#[test]
fn times_of_services_are_their_own() {
    let shares = shares(&scene(&sample::checkout(), Wanted::default()));
    let own: Vec<(&str, &str)> = shares.iter().map(|share| (share.chip.name.as_str(), share.self_time.as_str())).collect();
    assert_eq!(own, [("payment", "50.0\u{202f}ms"), ("gateway", "25.0\u{202f}ms"), ("orders", "25.0\u{202f}ms")]);
}

#[test]
fn the_head_keeps_numbers_and_their_words_together() {
    let facts = header(&scene(&sample::checkout(), Wanted::default())).facts;
    assert!(facts.contains(&"depth\u{a0}3".to_owned()), "{facts:?}");
}

#[test]
fn log_records_open_in_the_time_of_their_trace() {
    let scene = scene(&sample::checkout(), Wanted::default());
    let (from, to) = (scene.sheet.start().minus(1_000_000_000), scene.sheet.start().plus(1_100_000_000));
    let logs = header(&scene).logs;
    assert!(logs.ends_with(&format!("&from={}&to={}", from.get(), to.get())), "{logs}");
}
