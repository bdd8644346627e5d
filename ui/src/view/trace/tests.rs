use storage::trace::Trace;
use storage::{SpanId, UnixNanos};

use super::wanted::Depth;
use super::*;

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
fn rows_follow_the_tree_and_bars_the_time() {
    let rows = fall(&sample::checkout(), Wanted::default()).rows;
    let shape: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.level, row.bar.x.as_str(), row.bar.width.as_str())).collect();
    assert_eq!(
        shape,
        [("POST /checkout", 1, "0", "100"), ("Reserve", 2, "5", "25"), ("SELECT stock", 3, "10", "10"), ("ChargeCard", 2, "40", "50")]
    );
    assert_eq!(rows[0].bar.critical, "M0 1h50M300 1h100M900 1h100");
    assert!(rows[0].has_error_below && !rows[0].is_error && rows[3].is_error);
    assert_eq!(rows[3].pill, "402");
    assert_eq!(rows[3].bar.dots.len(), 3, "two events and one log record");
}

#[test]
fn a_folded_span_hides_what_is_below_and_its_address_says_so() {
    let trace = sample::checkout();
    let toggle = fall(&trace, Wanted::default()).rows[1].toggle.clone();
    assert_eq!(toggle, format!("/trace/{}?closed={}#s{}", trace.id, id(2), id(2)));
    let closed = Wanted { closed: vec![id(2)], ..Wanted::default() };
    assert_eq!(names(&trace, closed), ["POST /checkout", "Reserve", "ChargeCard"]);
}

#[test]
fn the_chosen_span_is_shown_whatever_is_folded() {
    let wanted = Wanted { span: Some(id(4)), closed: vec![id(2)], ..Wanted::default() };
    assert!(names(&sample::checkout(), wanted).contains(&"SELECT stock".to_owned()));
}

#[test]
fn only_errors_keeps_the_rows_above_them() {
    let wanted = Wanted { only: Only::Errors, ..Wanted::default() };
    assert_eq!(names(&sample::checkout(), wanted), ["POST /checkout", "ChargeCard"]);
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

#[test]
fn a_large_trace_is_folded_and_sent_in_windows() {
    let trace = large(3_000);
    let folded = fall(&trace, Wanted { is_ungrouped: true, ..Wanted::default() });
    assert!(folded.is_windowed && folded.rows.len() == 80 && folded.total < 31_000);
    let all = Wanted { depth: Depth::All, at: Some(30_900), is_ungrouped: true, ..Wanted::default() };
    let last = fall(&trace, all);
    assert_eq!((last.total, last.rows.len(), last.after.as_str()), (30_001, 1, ""));
    let chosen = Wanted { span: Some(trace.spans[20_000].span_id), depth: Depth::All, ..Wanted::default() };
    assert!(fall(&trace, chosen).rows.iter().any(|row| row.is_chosen));
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
fn many_similar_siblings_are_one_row_with_totals() {
    let rows = fall(&looping(12), Wanted::default()).rows;
    let group = rows.iter().find(|row| row.group.is_some()).unwrap();
    let totals = group.group.clone().unwrap();
    assert_eq!((rows.len(), group.name.as_str(), totals.times.as_str(), totals.errors.as_str()), (5, "SELECT", "×12", "1\u{a0}error"));
    assert_eq!(group.duration, "Σ 13.0\u{202f}ms");
    assert_eq!(totals.facts, "p50 1.00\u{202f}ms · max 2.00\u{202f}ms");
    assert!(totals.slowest.contains(&format!("span={}", id(106))) && totals.failed.contains(&format!("span={}", id(104))));
    assert_eq!(fall(&looping(10), Wanted::default()).rows.len(), 14, "ten are not many");
}

#[test]
fn a_group_opens_by_its_address_for_what_is_chosen_and_when_grouping_is_off() {
    let trace = looping(12);
    let toggle = fall(&trace, Wanted::default()).rows[2].toggle.clone();
    assert_eq!(toggle, format!("/trace/{}?groups={}#sg{}", trace.id, id(100), id(100)));
    let open = fall(&trace, Wanted { groups: vec![id(100)], ..Wanted::default() }).rows;
    assert_eq!((open.len(), open[2].is_open, open[3].level), (17, Some(true), open[2].level + 1));
    assert!(fall(&trace, Wanted { span: Some(id(103)), ..Wanted::default() }).rows.iter().any(|row| row.is_chosen));
    assert_eq!(fall(&trace, Wanted { is_ungrouped: true, ..Wanted::default() }).rows.len(), 16);
}

#[test]
fn a_span_can_be_the_root_and_the_axis_is_its_own() {
    let wanted = Wanted { root: Some(id(2)), ..Wanted::default() };
    let rows = fall(&sample::checkout(), wanted.clone()).rows;
    assert_eq!(
        rows.iter().map(|row| (row.name.as_str(), row.level, row.bar.x.as_str())).collect::<Vec<_>>(),
        [("Reserve", 1, "0"), ("SELECT stock", 2, "20")]
    );
    let outside = scene(&sample::checkout(), wanted).to_span(0);
    assert!(!outside.contains("root="), "{outside}");
}

#[test]
fn bars_outside_the_window_of_time_say_on_which_side() {
    let edge = |ms: u64| Some(wanted::Edge::Nanos(ms * 1_000_000));
    let rows = fall(&sample::checkout(), Wanted { t0: edge(35), t1: edge(60), ..Wanted::default() }).rows;
    let sides: Vec<&str> = rows.iter().map(|row| row.bar.outside).collect();
    assert_eq!(sides, ["", "◂", "◂", ""]);
    assert_eq!((rows[3].bar.x.as_str(), rows[3].bar.width.as_str()), ("20", "80"));
}

#[test]
fn a_very_deep_trace_is_indented_no_further_than_can_be_read() {
    let mut spans = Vec::new();
    for n in 0..200_u64 {
        let mut span = sample::span(1, 0, "a", "down", n, 1_000 - n);
        span.span_id = SpanId::from_slice(&(n + 1).to_be_bytes()).unwrap();
        span.parent_span_id = SpanId::from_slice(&n.to_be_bytes());
        spans.push(span);
    }
    let trace = Trace::assemble(spans[0].trace_id, spans, true, Vec::new());
    let rows = fall(&trace, Wanted { at: Some(90), ..Wanted::default() }).rows;
    assert_eq!((rows[9].indent, rows[9].beyond, rows[9].level), (24, 75, 100));
}

#[test]
fn corrected_times_move_bars_and_say_so() {
    let client = Span { kind: storage::SpanKind::Client, ..sample::span(1, 0, "web", "call", 100, 200) };
    let server = sample::span(2, 1, "pay", "serve", 10, 70);
    let trace = Trace::assemble(client.trace_id, vec![client, server], true, Vec::new());
    let raw = fall(&trace, Wanted::default()).rows;
    let moved = fall(&trace, Wanted { is_adjusted: true, ..Wanted::default() }).rows;
    assert!(!raw[1].is_moved && moved[1].is_moved);
    assert_eq!((raw[1].bar.x.as_str(), moved[1].bar.x.as_str()), ("0", "20"));
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
fn the_flat_table_sorts_and_pages() {
    let by = |sort| table(&scene(&sample::checkout(), Wanted { view: View::Spans, sort, ..Wanted::default() }));
    let names = |table: &Table| table.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&by(SpanOrder::Longest)), ["POST /checkout", "ChargeCard", "Reserve", "SELECT stock"]);
    assert_eq!(names(&by(SpanOrder::Name)), ["ChargeCard", "POST /checkout", "Reserve", "SELECT stock"]);
    let paged = table(&scene(&large(30), Wanted { view: View::Spans, at: Some(250), ..Wanted::default() }));
    assert_eq!((paged.rows.len(), paged.position.as_str(), paged.after.as_str()), (51, "spans 251–301 of 301", ""));
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
fn what_does_not_match_the_search_steps_back() {
    let wanted = Wanted { find: "ChargeCard".to_owned(), is_dim: true, ..Wanted::default() };
    let dim: Vec<bool> = fall(&sample::checkout(), wanted.clone()).rows.iter().map(|row| row.is_dim).collect();
    assert_eq!(dim, [true, true, true, false]);
    let nothing = fall(&sample::checkout(), Wanted { find: "nothing like it".to_owned(), ..wanted });
    assert!(nothing.rows.iter().all(|row| !row.is_dim));
}

#[test]
fn a_pill_does_not_repeat_the_name() {
    let mut trace = sample::checkout();
    let query = |value: &str| storage::KeyValue { key: "db.operation.name".to_owned(), value: storage::Value::String(value.to_owned()) };
    trace.spans[2].attributes = vec![query("select")];
    trace.spans[1].attributes = vec![query("UPDATE")];
    let rows = fall(&trace, Wanted::default()).rows;
    assert_eq!(rows.iter().map(|row| row.pill.as_str()).collect::<Vec<_>>(), ["", "UPDATE", "", "402"]);
}

#[test]
fn a_failure_without_message_is_told_by_its_type_and_what_was_logged_of_it() {
    let mut trace = sample::checkout();
    trace.spans[3].status.message.clear();
    trace.spans[3].events.clear();
    trace.spans[3].attributes =
        vec![storage::KeyValue { key: "error.type".to_owned(), value: storage::Value::String("card_declined".to_owned()) }];
    let mut scene = scene(&trace, Wanted::default());
    assert_eq!(mute_failures(&scene.findings).collect::<Vec<_>>(), [3]);
    assert_eq!(findings(&scene)[0].text, "The error starts in payment, ChargeCard: card_declined");
    scene.logs[0].severity_number = 17;
    assert_eq!(findings(&scene)[0].text, "The error starts in payment, ChargeCard: card_declined – “card declined”");
}

#[test]
fn a_call_that_was_answered_is_marked_with_its_code_and_fails_nothing_above_it() {
    let mut trace = sample::checkout();
    trace.spans[3].kind = storage::SpanKind::Client;
    trace.spans[3].events.clear();
    let told = |trace: &Trace| {
        let scene = scene(trace, Wanted::default());
        let rows = waterfall(&scene, &plan(&scene)).rows;
        (rows[3].answer.clone(), findings(&scene)[0].class)
    };
    assert_eq!(told(&trace), ("402".to_owned(), "warn"));
    trace.spans[0].status.code = storage::StatusCode::Error;
    assert_eq!(told(&trace), ("402".to_owned(), "bad"), "the request failed for it");
    let mut below = sample::span(9, 3, "bank", "serve", 45, 50);
    below.status.code = storage::StatusCode::Error;
    let spans = trace.spans.iter().cloned().chain([below]).collect();
    assert_eq!(told(&Trace::assemble(trace.id, spans, true, Vec::new())).0, "", "who answered says that it failed");
    trace.spans[3].kind = storage::SpanKind::Server;
    assert_eq!(told(&trace).0, "");
}

/// A request of 100 ms that waits 80 ms for a call; the called service's clock is ahead by so many milliseconds.
fn skewed(ahead: u64) -> Trace {
    skewed_in(ahead, 100)
}

fn skewed_in(ahead: u64, whole: u64) -> Trace {
    let mut client = sample::span(2, 1, "web", "call", 10, 90);
    client.kind = storage::SpanKind::Client;
    let spans = vec![sample::span(1, 0, "web", "GET /", 0, whole), client, sample::span(3, 2, "pay", "serve", 20 + ahead, 80 + ahead)];
    Trace::assemble(spans[0].trace_id, spans, true, Vec::new())
}

#[test]
fn a_trace_has_one_duration_which_is_that_of_its_picture() {
    let told = |ahead: u64, is_adjusted: bool| {
        let scene = scene(&skewed(ahead), Wanted { is_adjusted, ..Wanted::default() });
        let (head, map) = (header(&scene), minimap(&scene));
        let drawn = waterfall(&scene, &plan(&scene)).ticks[4].clone();
        assert!(map.summary.ends_with(&head.duration) && map.ticks[4] == head.duration && drawn == head.duration, "{head:?}");
        [head.duration, head.as_sent, head.root].map(|text| text.replace('\u{202f}', " "))
    };
    assert_eq!(told(0, false), ["100 ms", "", ""]);
    assert_eq!(told(900, false), ["980 ms", "", "100 ms"]);
    assert_eq!(told(900, true), ["100 ms", "980 ms", ""]);
}

#[test]
fn clocks_that_disagree_are_a_note_where_it_is_seen_and_a_mark_elsewhere() {
    let told = |ahead: u64, whole: u64| {
        let scene = scene(&skewed_in(ahead, whole), Wanted::default());
        let marks = waterfall(&scene, &plan(&scene)).rows.into_iter().map(|row| row.clock.0).filter(|said| !said.is_empty()).count();
        let notes = notes(&scene).into_iter().filter(|note| note.text.starts_with("The clock of pay")).map(|note| note.text);
        (marks, notes.collect::<String>().replace('\u{202f}', " "))
    };
    assert_eq!(told(0, 100), (0, String::new()));
    assert_eq!(told(11, 1_000), (1, String::new()), "11 ms of a second");
    let (marks, said) = told(900, 100);
    assert!(marks == 1 && said.ends_with("With corrected times the trace lasts 100 ms instead of 980 ms."), "{said}");
}

#[test]
fn what_a_clock_gave_is_moved_with_its_span() {
    let mut trace = skewed(900);
    let serve = trace.spans.iter_mut().find(|span| span.name == "serve").unwrap();
    let time = serve.start.plus(30_000_000);
    serve.events = vec![storage::Event { time, ..sample::checkout().spans[3].events[0].clone() }];
    let at = |is_adjusted: bool| {
        let wanted = Wanted { span: Some(id(3)), tab: Some(PanelTab::Events), is_adjusted, ..Wanted::default() };
        let scene = scene(&trace, wanted);
        let dot = waterfall(&scene, &plan(&scene)).rows[2].bar.dots[0].0.clone();
        (panel(&scene, scene.chosen.unwrap()).unwrap().events[0].at.replace('\u{202f}', " "), dot)
    };
    assert_eq!(at(true), ("50.0 ms".to_owned(), "50".to_owned()));
    assert_eq!(at(false).0, "950 ms");
}

#[test]
fn a_trace_is_called_by_its_earliest_root_and_fails_with_it() {
    let mut spans = vec![sample::span(1, 0, "web", "first", 0, 10), sample::span(2, 0, "web", "longer", 20, 100)];
    spans[0].status.code = storage::StatusCode::Error;
    let head = header(&scene(&Trace::assemble(spans[0].trace_id, spans, true, Vec::new()), Wanted::default()));
    assert_eq!((head.operation.as_str(), head.outcome), ("first", crate::view::outcome::Outcome::Failed));
}

#[test]
fn log_records_open_in_the_time_of_their_trace() {
    let scene = scene(&sample::checkout(), Wanted::default());
    let (from, to) = (scene.sheet.start().minus(1_000_000_000), scene.sheet.start().plus(1_100_000_000));
    let logs = header(&scene).logs;
    assert!(logs.ends_with(&format!("&from={}&to={}", from.get(), to.get())), "{logs}");
}

/// The checkout, whose root failed as well, without saying why.
fn failing_root() -> Trace {
    let mut trace = sample::checkout();
    trace.spans[0].status.code = storage::StatusCode::Error;
    trace
}

#[test]
fn who_has_chosen_nothing_is_led_to_where_a_failure_began() {
    let trace = failing_root();
    let way = |span| tools(&scene(&trace, Wanted { span, ..Wanted::default() })).way("e").to_owned();
    assert!(way(None).contains(&format!("span={}", id(3))), "{}", way(None));
    assert!(way(Some(id(3))).contains(&format!("span={}", id(1))), "{}", way(Some(id(3))));
    let scene = scene(&trace, Wanted { span: Some(id(1)), ..Wanted::default() });
    let (words, href) = panel(&scene, scene.chosen.unwrap()).unwrap().cause.unwrap();
    assert_eq!(words, "it began in payment, ChargeCard: card declined");
    assert!(href.contains(&format!("span={}", id(3))), "{href}");
    let charge = scene.sheet.place_of(id(3)).unwrap();
    assert_eq!(panel(&scene, charge).unwrap().cause, None);
}

#[test]
fn times_and_ids_that_cannot_be_right_are_notes() {
    let told = |trace: &Trace, now: u64| {
        let means = (Links::default(), Clockface::new(UnixNanos::new(now), None), Palette::default());
        let notes = notes(&sample::scene(trace, Vec::new(), Wanted::default(), means));
        notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
    };
    let mut trace = sample::checkout();
    let start = trace.spans[0].start.get();
    assert_eq!(told(&trace, start), [] as [&str; 0]);
    let later = told(&trace, start - 7_200_000_000_000);
    assert!(matches!(later.as_slice(), [only] if only.starts_with("4\u{a0}spans begin in the future, up to 2")), "{later:?}");
    trace.spans[3].start = UnixNanos::new(5);
    let old = told(&trace, start);
    assert!(old.iter().any(|note| note == "1\u{a0}span begins before the year 2000, as sent."), "{old:?}");
    let again = sample::span(4, 2, "orders", "SELECT stock", 12, 20);
    trace.spans.push(again);
    let twice = told(&trace, start);
    assert!(twice.iter().any(|note| note == "1\u{a0}span has the id of another one of this trace."), "{twice:?}");
}
