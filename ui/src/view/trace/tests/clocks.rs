//! What is shown of clocks that disagree, by times as sent and by corrected ones.

use super::*;

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
        let last = map.ticks.last().unwrap();
        assert!(map.summary.ends_with(&head.duration) && waterfall(&scene, &plan(&scene)).ticks == map.ticks, "{head:?}");
        assert_eq!(last.label.replace('\u{202f}', " "), if head.duration.starts_with("980") { "800 ms" } else { "100 ms" });
        [head.duration, head.as_sent, head.root].map(|text| text.replace('\u{202f}', " "))
    };
    assert_eq!(told(0, false), ["100 ms", "", ""]);
    assert_eq!(told(900, false), ["980 ms", "", "100 ms"]);
    assert_eq!(told(900, true), ["100 ms", "980 ms", ""]);
}

#[test]
fn corrected_times_are_those_of_every_reading() {
    let told = |is_adjusted: bool| {
        let scene = scene(&skewed(900), Wanted { is_adjusted, ..Wanted::default() });
        let critical: Vec<String> = shares(&scene).into_iter().map(|share| share.critical.replace('\u{202f}', " ")).collect();
        let rows = waterfall(&scene, &plan(&scene)).rows;
        let said: Vec<String> = findings(&scene).into_iter().map(|finding| finding.text).collect();
        (critical, rows[2].bar.critical.clone(), said)
    };
    let (critical, bar, said) = told(true);
    assert_eq!((critical, bar.as_str()), (vec!["60.0 ms".to_owned(), "40.0 ms".to_owned()], "M200 1h600"));
    assert_eq!(said, ["pay, serve makes up 60 % of the critical path (60.0 ms) – “card declined”"]);
    let (_, bar, said) = told(false);
    assert_eq!((bar.as_str(), said), ("", Vec::new()), "nothing that the clock may have made");
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
    for (is_adjusted, action) in [(false, "Show corrected times"), (true, "Show times as sent")] {
        let notes = notes(&scene(&skewed(900), Wanted { is_adjusted, ..Wanted::default() }));
        let ahead: Vec<&str> = notes.iter().filter(|note| note.is_ahead).map(|note| note.action).collect();
        assert_eq!(ahead, [action], "in sight without unfolding");
    }
}

#[test]
fn spans_that_start_before_their_parents_are_told_of_with_how_much() {
    let told = |early: u64, service: &str| {
        let spans = vec![
            sample::span(1, 0, "web", "GET /", 3_000 - early, 3_000),
            sample::span(2, 1, "web", "load", 3_000 - early, 3_000),
            sample::span(3, 2, service, "read", 3_000 - 2 * early, 3_000 - early),
        ];
        let scene = scene(&Trace::assemble(spans[0].trace_id, spans, true, Vec::new()), Wanted::default());
        let note = notes(&scene).into_iter().find(|note| note.text.contains("before its parent")).unwrap_or_default();
        assert_eq!(note.href.is_empty(), note.text.is_empty());
        note.text.replace('\u{202f}', " ")
    };
    assert_eq!(told(1_000, "web"), "1 span starts before its parent, by 1.00 s: web, read.");
    assert_eq!(told(0, "web"), "");
    assert_eq!(told(1_000, "other host"), "", "another clock");
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
