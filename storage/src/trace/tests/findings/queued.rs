//! Waits between spans that a link joins.

use super::*;
use crate::model::Link;

/// Sends at 10 ms, until 20 ms, in the trace of this number.
fn sending(number: u8) -> Trace {
    let send = of_kind(SpanKind::Producer, named("send", span("shop", 2, 1, 10 * MS, 10 * MS)));
    let spans = vec![named("POST /order", span("shop", 1, 0, 0, 50 * MS)), send];
    let trace = TraceId::from_slice(&[number; 16]).unwrap();
    Trace::assemble(trace, spans.into_iter().map(|span| Span { trace_id: trace, ..span }).collect(), true, Vec::new())
}

/// Takes what the span with this id of these traces sent, from 500 to 900 ms.
fn taking(from: &[(u8, u64)]) -> Trace {
    let link = |(trace, span): &(u8, u64)| Link { trace_id: vec![*trace; 16], span_id: id(*span).as_bytes().to_vec(), ..Link::default() };
    let take = Span {
        links: from.iter().map(link).collect(),
        ..of_kind(SpanKind::Consumer, named("take", span("stock", 3, 0, 500 * MS, 400 * MS)))
    };
    trace(vec![take])
}

fn told(of: &Trace, others: &[&Trace]) -> Option<Finding> {
    let sheet = Sheet::of(of);
    let whole = takers(&sheet).into_iter().map(|place| (place, of.spans[place].clone())).collect();
    let others: Vec<Sheet> = others.iter().map(|other| Sheet::of(other)).collect();
    queued(&sheet, &whole, &others.iter().collect::<Vec<_>>())
}

#[test]
fn a_message_that_waited_for_a_consumer_of_another_trace_is_said_with_both_ends() {
    let sent = sending(7);
    let found = told(&taking(&[(7, 2)]), &[&sent]).unwrap();
    assert_eq!(found.sentence(), "Waited 480 ms in the queue between shop, send and stock, take.");
    let FindingKind::Queued { trace, producer, nanos, .. } = found.kind else { panic!("{found:?}") };
    assert_eq!((trace, producer, nanos, found.span), (sent.id, id(2), 480 * MS, Some(0)));
}

#[test]
fn a_message_that_was_taken_up_before_did_not_wait_all_the_time() {
    let mut found = told(&taking(&[(7, 2)]), &[&sending(7)]).unwrap();
    let mut told = |times: u64| {
        if let FindingKind::Queued { before, .. } = &mut found.kind {
            *before = times;
        }
        found.sentence()
    };
    assert_eq!(told(59), "stock, take took up what shop, send had sent 480 ms before: it had been taken up 59 times by then.");
    assert!(told(1).ends_with("it had been taken up once by then."));
}

#[test]
fn of_several_messages_the_one_that_waited_longest_is_named() {
    let mut late = sending(8);
    late.spans[1].start = late.spans[1].start.plus(300 * MS);
    late.spans[1].end = late.spans[1].end.plus(300 * MS);
    let late = Trace::assemble(late.id, late.spans, true, Vec::new());
    let found = told(&taking(&[(8, 2), (7, 2)]), &[&late, &sending(7)]).unwrap();
    assert!(matches!(found.kind, FindingKind::Queued { nanos, .. } if nanos == 480 * MS), "{found:?}");
    assert_eq!(found.sentence(), "Waited 480 ms in the queue between shop, send and stock, take, the longest of 2 linked messages.");
    let found = told(&taking(&[(8, 2), (7, 2), (9, 2), (8, 2)]), &[&late]).unwrap();
    assert_eq!(
        found.sentence(),
        "Waited 180 ms in the queue between shop, send and stock, take, the longest of the 1 known of 3 linked messages."
    );
}

#[test]
fn what_is_no_message_or_did_not_wait_is_not_said() {
    let sent = sending(7);
    assert_eq!(told(&taking(&[(7, 1)]), &[&sent]), None, "the linked span sends nothing");
    assert_eq!(told(&taking(&[(7, 9)]), &[&sent]), None, "the linked span is not there");
    assert_eq!(told(&taking(&[(7, 2)]), &[]), None, "its trace is not there");
    let mut early = taking(&[(7, 2)]);
    early.spans[0].start = sent.spans[1].end.plus(MS);
    assert_eq!(told(&Trace::assemble(early.id, early.spans, true, Vec::new()), &[&sent]), None, "it waited for a moment");
}

#[test]
fn a_consumer_below_its_producer_is_no_business_of_links() {
    let send = of_kind(SpanKind::Producer, span("shop", 2, 1, 0, MS));
    let take = of_kind(SpanKind::Consumer, span("stock", 3, 2, 500 * MS, MS));
    let sheet = Sheet::of(&trace(vec![span("shop", 1, 0, 0, 50 * MS), send, take]));
    assert!(takers(&sheet).is_empty());
}

#[test]
fn a_wait_that_a_clock_may_have_made_is_not_said() {
    // The clock of the sender contradicts its caller's by 700 ms.
    let client = of_kind(SpanKind::Client, span("edge", 1, 0, 0, 100 * MS));
    let server = of_kind(SpanKind::Server, span("shop", 2, 1, 700 * MS, 50 * MS));
    let send = of_kind(SpanKind::Producer, span("shop", 3, 2, 710 * MS, 10 * MS));
    let other = TraceId::from_slice(&[7; 16]).unwrap();
    let spans = [client, server, send].map(|span| Span { trace_id: other, ..span }).to_vec();
    let sent = Trace::assemble(other, spans, true, Vec::new());
    assert!(!Sheet::of(&sent).skew().jumps.is_empty());
    let mut late = taking(&[(7, 3)]);
    late.spans[0].start = late.spans[0].start.plus(800 * MS);
    late.spans[0].end = late.spans[0].end.plus(800 * MS);
    assert_eq!(told(&Trace::assemble(late.id, late.spans, true, Vec::new()), &[&sent]), None);
}
