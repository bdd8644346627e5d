//! What is said of clocks, and not said because of them.

use super::*;

#[test]
fn clocks_that_contradict_each_other_are_named_with_their_uncertainty() {
    let client = of_kind(SpanKind::Client, span("web", 1, 0, 100 * MS, 100 * MS));
    let server = |duration: u64| of_kind(SpanKind::Server, span("pay", 2, 1, 10 * MS, duration * MS));
    let said = sentences(vec![client.clone(), server(60)]);
    assert!(said.contains(&"The clock of pay seems to be 110 ms behind the clock of web, give or take 20.0 ms.".to_owned()), "{said:?}");
    let sheet = Sheet::of(&trace(vec![client.clone(), server(60)]));
    assert_eq!((sheet.duration(), sheet.corrected_duration()), (190 * MS, 100 * MS));
    let said = sentences(vec![client, server(160)]);
    assert!(said.contains(&"The clock of pay seems to be 90.0 ms behind the clock of web or more.".to_owned()), "{said:?}");
}

/// A call of 80 ms in a request of 100 ms whose server's clock is 45 ms behind, or not at all.
fn called(is_behind: bool) -> Trace {
    let start = if is_behind { 10 } else { 55 };
    let serve = of_kind(SpanKind::Server, named("serve", span("back", 3, 2, start * MS, 70 * MS)));
    let call = of_kind(SpanKind::Client, named("call back", span("front", 2, 1, 50 * MS, 80 * MS)));
    trace(vec![named("GET /", span("front", 1, 0, 40 * MS, 100 * MS)), call, serve])
}

#[test]
fn what_a_clock_may_have_made_is_not_said() {
    let trace = called(true);
    let sent = Sheet::of(&trace);
    let told = said(&sent, &trace);
    assert_eq!(told, ["The clock of back seems to be 45.0 ms behind the clock of front, give or take 5.00 ms."]);
    let told = said(&sent.by_corrected_times().unwrap(), &trace);
    assert_eq!(told[0], "back, serve makes up 70 % of the critical path (70.0 ms).");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(sentences(called(false).spans), [told[0].clone()], "the same as by clocks that agree");
}

#[test]
fn a_gap_among_spans_of_one_clock_is_said_though_others_disagree() {
    // The gap of 50 ms is the root's; the clock is off by 3 ms.
    let call = of_kind(SpanKind::Client, span("front", 2, 1, 100 * MS, 40 * MS));
    let serve = of_kind(SpanKind::Server, span("back", 3, 2, 97 * MS, 40 * MS));
    let told = sentences(vec![span("front", 1, 0, 50 * MS, 100 * MS), call, serve]);
    assert!(told.contains(&"In front, op1, nothing below was traced for 50.0 ms from 0 ns on, until op2 began.".to_owned()), "{told:?}");
}

#[test]
fn an_end_after_the_root_is_not_said_when_the_clock_made_it() {
    let call = of_kind(SpanKind::Client, span("front", 2, 1, 10 * MS, 80 * MS));
    let serve = |start: u64| of_kind(SpanKind::Server, span("back", 3, 2, start * MS, 70 * MS));
    let told = sentences(vec![span("front", 1, 0, 0, 100 * MS), call, serve(900)]);
    assert!(!told.iter().any(|said| said.contains("goes on")), "{told:?}");
}

#[test]
fn a_message_that_is_taken_before_it_is_sent_tells_of_a_clock() {
    let told = |start: u64| {
        let take = of_kind(SpanKind::Consumer, named("take", span("mail", 3, 2, start * MS, 90 * MS)));
        let sent = of_kind(SpanKind::Producer, named("send", span("shop", 2, 1, 1_020 * MS, 5 * MS)));
        sentences(vec![span("shop", 1, 0, 1_000 * MS, 100 * MS), sent, take])
    };
    let behind = "The clock of mail seems to be 520 ms behind the clock of shop or more.".to_owned();
    assert!(told(500).contains(&behind), "{:?}", told(500));
    assert!(!told(1_021).iter().any(|said| said.contains("clock")), "while it is being sent, it may be taken");
}
