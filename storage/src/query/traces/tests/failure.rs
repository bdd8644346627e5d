//! Where the failure of a trace in a list starts.

use super::*;

/// Where the failure of the one trace starts that these spans make, as service, message and services above; the same in whatever order they are
/// read.
fn failure(spans: &[Span]) -> (String, Option<String>, Vec<String>) {
    let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1, cursor: None };
    let mut spans = spans.to_vec();
    let mut found: Vec<_> = (0..spans.len())
        .map(|_| {
            spans.rotate_left(1);
            let mut snapshot = Snapshot::default();
            snapshot.spans.buffered = spans.iter().map(|span| fixtures::spans(std::slice::from_ref(span))).collect();
            let failure = search(&snapshot, &query, &control()).unwrap().traces.remove(0).failure.unwrap();
            (failure.service, failure.message, failure.through)
        })
        .collect();
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn failing(spans: &mut [Span], messages: &[&str]) {
    for (span, message) in spans.iter_mut().zip(messages).filter(|(_, message)| !message.is_empty()) {
        span.status = Status { code: StatusCode::Error, message: (*message).to_owned() };
    }
}

#[test]
fn the_failure_of_a_trace_starts_where_what_failed_below_was_survived() {
    let ms = 1_000_000;
    let mut spans = [
        fixtures::span(1, 1, 0, "shop", "GET /cart", 0, 300 * ms),
        fixtures::span(1, 2, 1, "shop", "GET recs", 10 * ms, 20 * ms),
        fixtures::span(1, 3, 2, "recs", "GET /recs", 12 * ms, 15 * ms),
        fixtures::span(1, 4, 1, "shop", "SELECT cart", 40 * ms, 100 * ms),
    ];
    failing(&mut spans, &["division by zero", "warming up", "warming up"]);
    assert_eq!(failure(&spans), ("shop".to_owned(), Some("division by zero".to_owned()), Vec::new()));
    spans[0].status.message = "no answer: warming up".to_owned();
    assert_eq!(failure(&spans).0, "recs", "the root tells the cause again");
    spans[0].status.message = "500".to_owned();
    assert_eq!(failure(&spans).1.as_deref(), Some("warming up"), "a number says nothing");
    failing(&mut spans, &["division by zero"]);
    spans[1].end = spans[0].end;
    assert_eq!(failure(&spans).0, "recs", "the call ends with the root");
}

#[test]
fn the_failure_of_a_trace_is_one_that_reaches_its_root_by_the_services_that_fail_with_it() {
    let mut spans = [
        fixtures::span(1, 1, 0, "edge", "POST /book", 100, 100),
        fixtures::span(1, 2, 1, "profile", "GET /profile", 101, 9),
        fixtures::span(1, 3, 2, "profile", "HGET", 102, 2),
        fixtures::span(1, 4, 1, "booking", "book", 120, 70),
        fixtures::span(1, 5, 4, "pricing", "price", 130, 50),
        fixtures::span(1, 6, 4, "seats", "release", 185, 3),
    ];
    spans[1].kind = SpanKind::Server;
    failing(&mut spans, &["502", "", "refused", "500", "no scale", "not reserved"]);
    let told = |(service, message, through): (String, Option<String>, Vec<String>)| format!("{service} {message:?} {through:?}");
    assert_eq!(told(failure(&spans)), "pricing Some(\"no scale\") [\"booking\"]", "of two that reach it, the first");
    spans[4].status.message = "422".to_owned();
    spans[3].status.message = "no price".to_owned();
    assert_eq!(told(failure(&spans)), "pricing Some(\"no price\") [\"booking\"]", "by the first message that is no number");
    for place in [0, 3, 4, 5] {
        spans[place].status = Status { code: StatusCode::Unset, message: String::new() };
    }
    assert_eq!(told(failure(&spans)), "profile Some(\"refused\") []", "nothing else failed");
}

#[test]
fn of_a_trace_of_very_many_spans_it_is_not_said_where_its_failure_starts() {
    let found = |count: u64| {
        let mut spans: Vec<Span> = (1..=count).map(|n| fixtures::span(1, n, u64::from(n > 1), "shop", "step", 100 + n, 10)).collect();
        failing(&mut spans, &["full"]);
        let mut snapshot = Snapshot::default();
        snapshot.spans.buffered = vec![fixtures::spans(&spans)];
        let query = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1, cursor: None };
        search(&snapshot, &query, &control()).unwrap().traces.remove(0).failure
    };
    assert!(found(1_000).is_some() && found(1_001).is_none());
}
