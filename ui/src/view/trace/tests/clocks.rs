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
