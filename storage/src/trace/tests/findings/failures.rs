//! Where failures start, and how far they reach.

use super::*;

#[test]
fn the_error_starts_where_nothing_below_failed() {
    let spans = vec![failed("outer", span("a", 1, 0, 0, 100)), failed("inner", span("b", 2, 1, 1, 9)), span("c", 3, 2, 2, 5)];
    let found = findings(&Sheet::of(&trace(spans)), None, &HashMap::new(), LATE);
    assert_eq!(
        (found[0].kind.clone(), found[0].span),
        (FindingKind::ErrorStart { message: Some("inner".to_owned()), count: 1, survived: false, before: None }, Some(1))
    );
    assert_eq!(found.iter().filter(|finding| matches!(finding.kind, FindingKind::ErrorStart { .. })).count(), 1);
}

#[test]
fn failures_that_are_alike_are_told_once_with_their_number() {
    let call = |number: u64, message: &str| failed(message, named("Charge", span("pay", number, 1, number, 1)));
    let said = sentences(vec![span("web", 1, 0, 0, 100), call(2, "busy"), call(3, "busy"), call(4, "refused"), call(5, "busy")]);
    let survived = |times: &str, said: &str| format!("pay, Charge failed{times} without failing its request: {said}");
    assert_eq!(said[..2], [survived(" (3 times)", "busy"), survived("", "refused")]);
    let said = sentences(vec![failed("503", span("web", 1, 0, 0, 100)), call(2, "busy"), call(3, "busy"), call(4, "refused")]);
    assert_eq!(said[..2], ["The error starts in pay, Charge (2 times): busy", "The error starts in pay, Charge: refused"]);
}

#[test]
fn a_request_that_fails_by_itself_after_a_failure_below_is_told_too() {
    let trace = |root: u64, said: &str| {
        let call = failed("warming up", named("GET /recs", span("recs", 2, 1, 10 * MS, 20 * MS)));
        sentences(vec![failed(said, named("GET /cart", span("web", 1, 0, 0, root * MS))), call])
    };
    let start = "The error starts in recs, GET /recs: warming up";
    assert_eq!(
        trace(290, "division by zero")[..2],
        [start, "web, GET /cart failed 260 ms after that, and says of itself: division by zero"]
    );
    for (root, said) in [(32, "division by zero"), (290, "502"), (290, "call failed: warming up"), (290, "")] {
        let told = trace(root, said);
        assert!(told[0] == start && !told[1].contains("after that"), "{told:?}");
    }
}

#[test]
fn what_a_span_above_took_for_well_done_explains_no_failure() {
    let ok = |span: Span| Span { status: Status { code: StatusCode::Ok, message: String::new() }, ..span };
    let spans = vec![
        failed("crashed", span("web", 1, 0, 0, 100 * MS)),
        ok(span("web", 2, 1, 10 * MS, 30 * MS)),
        failed("miss", span("cache", 3, 2, 10 * MS, 20 * MS)),
    ];
    assert_eq!(sentences(spans)[..2], ["The error starts in web, op1: crashed", "cache, op3 failed without failing its request: miss"]);
}

#[test]
fn what_a_request_answered_well_does_not_explain_the_failure_above_it_where_something_else_does() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let server = |name: &str, span: Span| kind(SpanKind::Server, named(name, span));
    // The cache of profile is down, and profile answers; what fails is the price.
    let mut spans = vec![
        failed("502", server("POST /book", span("edge", 1, 0, 0, 100 * MS))),
        kind(SpanKind::Client, named("GET", span("edge", 2, 1, MS, 20 * MS))),
        server("GET /profile", span("profile", 3, 2, 2 * MS, 18 * MS)),
        failed("refused", kind(SpanKind::Client, named("HGET", span("profile", 4, 3, 3 * MS, 2 * MS)))),
        failed("500", kind(SpanKind::Client, named("POST", span("edge", 5, 1, 30 * MS, 69 * MS)))),
        failed("no scale for JPY", server("POST /price", span("pricing", 6, 5, 31 * MS, 67 * MS))),
    ];
    let errors = |spans: &[Span]| {
        sentences(spans.to_vec()).into_iter().filter(|said| said.contains("refused") || said.contains("JPY")).collect::<Vec<_>>()
    };
    let survived = "profile, HGET failed without failing its request: refused";
    assert_eq!(errors(&spans), ["The error starts in pricing, POST /price: no scale for JPY", survived]);
    spans.truncate(5);
    spans[4].status = Status { code: StatusCode::Unset, message: String::new() };
    assert_eq!(errors(&spans), [survived], "it was answered long before");
    spans[1].end = UnixNanos::new(99 * MS);
    assert_eq!(errors(&spans), ["The error starts in profile, HGET: refused"], "nothing else says why");
    spans[0].status = Status { code: StatusCode::Unset, message: String::new() };
    assert_eq!(errors(&spans), [survived]);
    spans[0].parent_span_id = Some(spans[3].span_id);
    spans[3].parent_span_id = Some(id(9));
    assert_eq!(errors(&spans), ["The error starts in profile, HGET: refused"], "how far it reaches is not known");
}

#[test]
fn what_begins_after_the_span_above_has_ended_fails_nothing_above() {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let kind = |kind, span: Span| Span { kind, ..span };
    let after = |said: &str, above: SpanKind, below: SpanKind, service: &str| {
        let spans = vec![
            failed(said, kind(Server, named("POST /pay", span("shop", 1, 0, 0, 50 * MS)))),
            kind(above, named("send", span("shop", 2, 1, MS, MS))),
            failed("smtp down", kind(below, named("mail", span(service, 3, 2, 5_000 * MS, 5 * MS)))),
        ];
        sentences(spans).remove(0)
    };
    let own = "The error starts in shop, POST /pay: quota";
    for (above, below, service) in [
        (Client, Consumer, "mail"),
        (Internal, Consumer, "mail"),
        (Producer, Internal, "mail"),
        (Internal, Internal, "shop"),
        (Client, Server, "mail"),
    ] {
        assert_eq!(after("quota", above, below, service), own, "{above:?} {below:?}");
    }
    assert!(after("", Client, Server, "mail").contains("smtp down"), "clocks of two services may differ, and nothing else says why");
}

#[test]
fn what_was_answered_well_long_before_does_not_explain_a_root_that_fails_by_itself() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let spans = |said: &str| {
        vec![
            failed(said, kind(SpanKind::Server, named("GET /cart", span("edge", 1, 0, 0, 300 * MS)))),
            kind(SpanKind::Client, named("GET recs", span("edge", 2, 1, 10 * MS, 42 * MS))),
            kind(SpanKind::Server, named("recs", span("recs", 3, 2, 12 * MS, 38 * MS))),
            failed("timeout", kind(SpanKind::Client, named("SELECT recs", span("recs", 4, 3, 15 * MS, 25 * MS)))),
        ]
    };
    let survived = "recs, SELECT recs failed without failing its request: timeout";
    assert_eq!(sentences(spans("invalid voucher"))[..2], ["The error starts in edge, GET /cart: invalid voucher", survived]);
    assert_eq!(sentences(spans(""))[..2], ["The error starts in edge, GET /cart.", survived]);
    let sheet = Sheet::of(&trace(spans("invalid voucher")));
    assert_eq!((sheet.failure_starts(), sheet.failure_below(0)), (vec![0, 3], None));
}

#[test]
fn a_failure_that_another_came_long_after_was_survived() {
    let call = |number: u64, name: &str, start: u64| named(name, span("edge", number, 1, start * MS, 10 * MS));
    let spans = vec![
        failed("declined", span("edge", 1, 0, 0, 300 * MS)),
        failed("refused", call(2, "GET redis", 3)),
        failed("deadlock", call(3, "SELECT", 285)),
    ];
    let sheet = Sheet::of(&trace(spans.clone()));
    assert_eq!((sheet.failure_starts(), sheet.failure_below(0)), (vec![2, 1], Some(2)));
    let said = sentences(spans);
    let survived = "edge, GET redis failed 287 ms before its request did: refused";
    assert_eq!(said[..2], ["The error starts in edge, SELECT: deadlock", survived]);
}

#[test]
fn who_gives_up_on_what_is_answered_well_fails_by_itself() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let spans = |said: &str| {
        vec![
            failed("504", kind(SpanKind::Server, named("POST /book", span("edge", 1, 0, 0, 5_010 * MS)))),
            failed(said, kind(SpanKind::Client, named("POST", span("edge", 2, 1, MS, 5_000 * MS)))),
            kind(SpanKind::Server, named("POST /book", span("booking", 3, 2, 2 * MS, 6_000 * MS))),
            failed("x509", kind(SpanKind::Client, named("GET fx", span("booking", 4, 3, 4_900 * MS, 90 * MS)))),
        ]
    };
    let survived = "booking, GET fx failed without failing its request: x509";
    assert_eq!(sentences(spans("deadline exceeded"))[..2], ["The error starts in edge, POST: deadline exceeded", survived]);
    assert_eq!(sentences(spans("bad gateway: x509"))[0], "The error starts in booking, GET fx: x509", "it tells the cause again");
    assert_eq!(sentences(spans(""))[0], "The error starts in booking, GET fx: x509", "nothing else says why");
}

#[test]
fn a_root_that_fails_long_after_a_call_was_tried_again_fails_by_itself() {
    let call = |number: u64, start: u64| named("POST", span("shop", number, 1, start * MS, 50 * MS));
    let first = failed("conn reset", call(2, 5));
    let said = sentences(vec![failed("template error", span("shop", 1, 0, 0, 600 * MS)), first.clone(), call(3, 205)]);
    assert_eq!(said[..2], ["The error starts in shop, op1: template error", "shop, POST failed 545 ms before its request did: conn reset"]);
    // Each attempt in a span of its own.
    let attempt = |number: u64, start: u64| {
        let around = failed("503", named("attempt", span("shop", number, 1, start * MS, 60 * MS)));
        [around, failed("503", named("POST", span("shop", number + 1, number, start * MS, 50 * MS)))]
    };
    let mut spans = vec![failed("gave up", span("shop", 1, 0, 0, 1_000 * MS))];
    spans.extend([attempt(10, 10), attempt(20, 310)].concat());
    assert_eq!(sentences(spans)[1], "shop, POST failed (2 times) 630 ms before its request did: 503");
    let sheet = Sheet::of(&trace(vec![failed("", span("shop", 1, 0, 0, 100 * MS)), failed("", call(2, 5)), failed("none", call(4, 6))]));
    assert_eq!((sheet.said_above(1), sheet.said_above(2)), (None, None));
}

#[test]
fn a_call_that_was_tried_again_and_went_well_is_no_cause_of_what_says_something_else() {
    let call = |number: u64, start: u64, length: u64| Span {
        kind: SpanKind::Client,
        ..named("POST", span("shop", number, 1, start * MS, length * MS))
    };
    let all = |said: &str, more: u64| {
        let mut spans = vec![failed(said, span("shop", 1, 0, 0, 1_350 * MS)), failed("reset", call(2, 5, 1_100)), call(3, 1_180, 140)];
        spans.extend((0..more).map(|n| call(10 + n, 1_321, 1)));
        sentences(spans)
    };
    assert_eq!(
        all("template error", 0)[..2],
        ["The error starts in shop, op1: template error", "shop, POST failed 245 ms before its request did: reset"]
    );
    assert_eq!(all("payment failed: reset", 0)[0], "The error starts in shop, POST: reset");
    assert_eq!(all("", 0)[0], "The error starts in shop, POST: reset", "nothing else says why");
    assert_eq!(all("template error", 9)[0], "The error starts in shop, POST: reset", "of so many each is another thing");
}

#[test]
fn a_call_that_another_service_answers_is_no_second_attempt() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let told = |other: &str| {
        let call = |number: u64, start: u64| kind(SpanKind::Client, named("POST", span("shop", number, 1, start * MS, 10 * MS)));
        let spans = vec![
            failed("order failed", span("shop", 1, 0, 0, 100 * MS)),
            failed("503", call(2, 75)),
            failed("overloaded", kind(SpanKind::Server, named("POST /pay", span("pay", 3, 2, 76 * MS, 8 * MS)))),
            call(4, 86),
            kind(SpanKind::Server, named("POST /pay", span(other, 5, 4, 87 * MS, 8 * MS))),
        ];
        sentences(spans).remove(0)
    };
    assert_eq!(told("audit"), "The error starts in pay, POST /pay: overloaded");
    assert_eq!(told("pay"), "The error starts in shop, op1: order failed");
}

#[test]
fn attempts_that_fail_alike_are_told_together() {
    let call = |number: u64, start: u64| {
        failed("timed out", Span { kind: SpanKind::Client, ..named("POST", span("shop", number, 1, start * MS, 3_000 * MS)) })
    };
    let said = sentences(vec![failed("", span("shop", 1, 0, 0, 6_050 * MS)), call(2, 5), call(3, 3_040)]);
    assert_eq!(said[0], "The error starts in shop, POST (2 times): timed out");
    assert!(said.iter().skip(1).all(|said| !said.contains("timed out")), "{said:?}");
}

#[test]
fn who_takes_a_message_fails_without_its_sender() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let spans = vec![
        failed("no stock", span("shop", 1, 0, 0, 50 * MS)),
        kind(SpanKind::Producer, named("send", span("shop", 2, 1, MS, MS))),
        failed("no such address", kind(SpanKind::Consumer, named("take", span("mail", 3, 2, 10 * MS, 5 * MS)))),
    ];
    let said = sentences(spans);
    assert_eq!(said[0], "The error starts in shop, op1: no stock");
    assert_eq!(said[1], "mail, take failed without failing its request: no such address");
}
