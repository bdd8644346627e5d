//! Attempts at one thing, and calls that only have the same name.

use super::*;

#[test]
fn attempts_after_failures_are_retries_and_not_a_loop() {
    let attempt = |number: u64, start: u64| {
        with("url.full", "https://bank.example/pay", named("Charge", span("pay", number, 1, start * MS, 10 * MS)))
    };
    let root = || span("web", 1, 0, 0, 100 * MS);
    let retried = vec![root(), failed("busy", attempt(2, 0)), failed("busy", attempt(3, 20)), attempt(4, 60)];
    let said = sentences(retried);
    assert!(
        said.contains(&"pay, Charge was tried 3 times, the last attempt went well; 60.0 ms passed before the last one.".to_owned()),
        "{said:?}"
    );
    let given_up = vec![root(), failed("busy", attempt(2, 0)), failed("busy", attempt(3, 20))];
    assert!(sentences(given_up).iter().any(|said| said.contains("tried 2 times, all attempts failed")));
    for silent in [
        vec![root(), attempt(2, 0), failed("busy", attempt(3, 20))],
        vec![root(), failed("busy", attempt(2, 0)), attempt(3, 5)],
        vec![root(), attempt(2, 0), attempt(3, 20)],
    ] {
        assert!(!sentences(silent).iter().any(|said| said.contains("tried")));
    }
}

/// A call that failed and one after it that did not, changed by `first` and `second`.
fn pair(first: impl Fn(Span) -> Span, second: impl Fn(Span) -> Span) -> bool {
    let item = |number: u64, start: u64| of_kind(SpanKind::Client, named("GET /item", span("web", number, 1, start * MS, 20 * MS)));
    let spans = vec![span("web", 1, 0, 0, 100 * MS), failed("not found", first(item(2, 10))), second(item(3, 40))];
    sentences(spans).iter().any(|said| said.contains("was tried 2 times"))
}

#[test]
fn calls_for_different_things_are_no_attempts_at_one() {
    for key in ["url.full", "url.path", "http.target", "db.query.text", "db.statement", "messaging.message.id"] {
        assert!(!pair(|span| with(key, "/item/1", span), |span| with(key, "/item/2", span)), "{key}");
        assert!(pair(|span| with(key, "/item/1", span), |span| with(key, "/item/1", span)), "{key}");
        assert!(!pair(|span| with(key, "/item/1", span), |span| span), "{key}");
    }
    assert!(!pair(|span| span, |span| span), "a name says too little");
    let text = |value: &'static str| {
        move |span| with("db.query.parameter.0", value, with("db.query.text", "SELECT name FROM item WHERE id = ?", span))
    };
    assert!(pair(text("1"), text("1")) && !pair(text("1"), text("2")));
}

#[test]
fn what_says_that_it_is_sent_again_is_believed() {
    let resent = |count: i64| {
        move |mut span: Span| {
            span.attributes.push(KeyValue { key: "http.request.resend_count".to_owned(), value: Value::Int(count) });
            span
        }
    };
    assert!(pair(|span| span, resent(1)) && !pair(|span| span, resent(0)));
}

#[test]
fn attempts_are_found_among_calls_of_their_name_that_ask_for_something_else() {
    let call = |number: u64, url: &str| {
        let start = number * 20 * MS;
        with("url.full", url, of_kind(SpanKind::Client, named("POST", span("booking", number, 1, start, 10 * MS))))
    };
    let spans = |last: &dyn Fn(Span) -> Span| {
        let mut spans = vec![span("booking", 1, 0, 0, 200 * MS), call(2, "http://pricing/price")];
        spans.extend((3..7).map(|number| failed("503", call(number, "http://seats/hold"))));
        spans.push(last(call(7, "http://seats/hold")));
        spans
    };
    let told =
        |spans| sentences(spans).into_iter().filter(|said| said.contains("booking, POST") && !said.contains("503")).collect::<Vec<_>>();
    let tried = |end: &str| vec![format!("booking, POST was tried 5 times, {end}; 80.0 ms passed before the last one.")];
    assert_eq!(told(spans(&|span| span)), tried("the last attempt went well"), "and no loop besides");
    assert_eq!(told(spans(&|span| failed("503", span))), tried("all attempts failed"));
    let mut loops = spans(&|span| span);
    loops.iter_mut().skip(1).for_each(|span| span.attributes.clear());
    assert_eq!(
        told(loops),
        ["booking, POST ran 6 times under one parent: 60.0 ms in all, 30 % of the critical path."],
        "it is not said what for"
    );
}

#[test]
fn many_calls_that_look_like_attempts_do_not_hide_those_that_are() {
    let mut spans = vec![span("web", 1, 0, 0, 1_000 * MS)];
    for number in 0..5 {
        let target = |at: u64| if number == 4 { "/same".to_owned() } else { format!("/{number}/{at}") };
        let call = |at: u64| {
            let start = (number * 100 + at * 40) * MS;
            with("url.path", &target(at), named(&format!("GET {number}"), span("web", 10 + number * 2 + at, 1, start, 20 * MS)))
        };
        spans.extend([failed("busy", call(0)), call(1)]);
    }
    let told: Vec<String> = sentences(spans).into_iter().filter(|said| said.contains("was tried")).collect();
    assert_eq!(told, ["web, GET 4 was tried 2 times, the last attempt went well; 40.0 ms passed before the last one."]);
}
