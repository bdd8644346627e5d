//! What goes on beside the critical path.

use super::*;

/// A job that is left in a queue by a request of 50 ms and done from 500 to 900 ms.
fn job() -> Vec<Span> {
    let enqueue = of_kind(SpanKind::Producer, named("enqueue", span("web", 2, 1, 10 * MS, 10 * MS)));
    let process = of_kind(SpanKind::Consumer, named("process", span("worker", 3, 2, 500 * MS, 400 * MS)));
    vec![named("POST /job", span("web", 1, 0, 0, 50 * MS)), enqueue, process]
}

#[test]
fn a_trace_that_goes_on_without_its_root_is_said_to_with_the_wait_for_it() {
    let told = sentences(job());
    assert_eq!(
        told.get(..2).unwrap(),
        [
            "The trace goes on for 850 ms after its root ended, until worker, process did: the critical path covers 50.0 ms of 900 ms.",
            "worker, process began 480 ms after web, enqueue had ended: the longest wait between a producer and its consumer.",
        ]
    );
    let trace = trace(job());
    let sheet = Sheet::of(&trace);
    let found = findings(&sheet, None, &HashMap::new(), LATE);
    assert_eq!(found.iter().take(2).map(|finding| finding.span).collect::<Vec<_>>(), [sheet.place_of(id(3)); 2], "where to look");
}

#[test]
fn only_the_longest_wait_is_named_and_short_ones_are_not() {
    let mut spans = job();
    spans.push(of_kind(SpanKind::Consumer, span("mail", 4, 2, 700 * MS, 10 * MS)));
    let told: Vec<String> = sentences(spans).into_iter().filter(|said| said.contains("longest wait")).collect();
    assert_eq!(told, ["mail, op4 began 680 ms after web, enqueue had ended: the longest wait between a producer and its consumer."]);
    let prompt = of_kind(SpanKind::Consumer, span("mail", 3, 2, 15 * MS, 30 * MS));
    let mut spans = job();
    spans.truncate(2);
    spans.push(prompt);
    let told = sentences(spans);
    assert!(!told.iter().any(|said| said.contains("longest wait") || said.contains("goes on")), "{told:?}");
}

#[test]
fn what_goes_on_says_what_it_mostly_waited_for() {
    let mut spans = job();
    spans.push(named("render ticket", span("worker", 4, 3, 510 * MS, 380 * MS)));
    let most = " What came last waited 95 % of its time for worker, render ticket.";
    assert!(sentences(spans.clone())[0].ends_with(most), "{:?}", sentences(spans));
    let sheet = Sheet::of(&trace(job()));
    let consumer = sheet.place_of(id(3)).unwrap();
    let path = critical_path(&sheet.spans, sheet.tree(), consumer);
    assert_eq!(path.iter().map(|section| (section.span, section.to.since(section.from))).collect::<Vec<_>>(), [(consumer, 400 * MS)]);
}

#[test]
fn a_message_that_is_taken_again_after_a_failure_did_not_wait() {
    let take = |number: u64, start: u64| of_kind(SpanKind::Consumer, named("process", span("worker", number, 2, start * MS, 30 * MS)));
    let mut spans = job();
    spans.truncate(2);
    spans.extend([failed("busy", take(3, 320)), take(4, 900)]);
    let told: Vec<String> = sentences(spans).into_iter().filter(|said| said.contains("longest wait")).collect();
    assert_eq!(told, ["worker, process began 300 ms after web, enqueue had ended: the longest wait between a producer and its consumer."]);
}
