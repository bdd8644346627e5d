use super::*;

#[test]
fn a_failure_without_message_is_told_by_its_type_and_what_was_logged_of_it() {
    let mut trace = sample::checkout();
    trace.spans[3].status.message.clear();
    trace.spans[3].events.clear();
    trace.spans[3].attributes =
        vec![storage::KeyValue { key: "error.type".to_owned(), value: storage::Value::String("card_declined".to_owned()) }];
    let mut scene = scene(&trace, Wanted::default());
    assert_eq!(failures_told(&scene.findings).collect::<Vec<_>>(), [3]);
    assert_eq!(findings(&scene)[0].text, "payment, ChargeCard failed without failing its request: card_declined");
    scene.logs[0].severity_number = 17;
    assert_eq!(findings(&scene)[0].text, "payment, ChargeCard failed without failing its request: card_declined – “card declined”");
}

#[test]
fn of_what_makes_up_the_path_the_worst_warning_is_quoted() {
    let mut scene = scene(&sample::checkout(), Wanted::default());
    let place =
        scene.findings.iter().find(|one| matches!(one.kind, storage::trace::FindingKind::CriticalShare { .. })).unwrap().span.unwrap();
    let share = |scene: &Scene| findings(scene).into_iter().find(|finding| finding.icon == "path").unwrap().text;
    scene.by_span = [(place, vec![0])].into();
    scene.logs[0].severity_number = 9;
    let plain = share(&scene);
    assert!(plain.ends_with("critical path (50.0 ms)."), "{plain}");
    scene.logs[0].severity_number = 13;
    assert_eq!(share(&scene), format!("{} – “card declined”", plain.trim_end_matches('.')));
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

#[test]
fn a_trace_is_called_by_its_earliest_root_and_fails_with_it() {
    let mut spans = vec![sample::span(1, 0, "web", "first", 0, 10), sample::span(2, 0, "web", "longer", 20, 100)];
    spans[0].status.code = storage::StatusCode::Error;
    let head = header(&scene(&Trace::assemble(spans[0].trace_id, spans, true, Vec::new()), Wanted::default()));
    assert_eq!((head.operation.as_str(), head.outcome), ("first", crate::view::outcome::Outcome::Failed));
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
    let position = |span| tools(&scene(&trace, Wanted { span, ..Wanted::default() })).errors;
    assert_eq!([None, Some(id(3)), Some(id(1))].map(position), ["2", "1 of 2", "2 of 2"], "counted from there");
    let scene = scene(&trace, Wanted { span: Some(id(1)), ..Wanted::default() });
    let (words, href) = panel(&scene, scene.chosen.unwrap()).unwrap().cause.unwrap();
    assert_eq!(words, "it began in payment, ChargeCard: card declined");
    assert!(href.contains(&format!("span={}", id(3))), "{href}");
    let charge = scene.sheet.place_of(id(3)).unwrap();
    assert_eq!(panel(&scene, charge).unwrap().cause, None);
}

#[test]
fn errors_beyond_those_that_are_told_are_counted() {
    let mut spans = vec![sample::span(1, 0, "web", "GET /", 0, 100)];
    spans.extend((2..12).map(|number| {
        let mut span = sample::span(number, 1, "pay", &format!("step {number}"), 10, 20);
        span.status.code = storage::StatusCode::Error;
        span
    }));
    let told = |spans: &[Span]| {
        let trace = Trace::assemble(sample::checkout().id, spans.to_vec(), true, Vec::new());
        findings(&scene(&trace, Wanted::default())).remove(3)
    };
    let more = told(&spans);
    assert_eq!(more.text.replace('\u{a0}', " "), "And 7 more errors that start elsewhere.");
    assert!(more.href.contains("find=status%3Aerror"), "{}", more.href);
    // The request fails by itself, and is told beside two of them.
    spans[0] = sample::span(1, 0, "pay", "GET /", 0, 100);
    spans[0].status = storage::Status { code: storage::StatusCode::Error, message: "out of paper".to_owned() };
    assert_eq!(told(&spans).text.replace('\u{a0}', " "), "And 8 more errors that start elsewhere.");
}
