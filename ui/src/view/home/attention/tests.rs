use storage::{RepeatedCalls, ServiceInTrace, TraceFailure, TraceId, UnixNanos};

use super::told::CONTRAST;
use super::*;

mod reach;
mod slow;

fn service(name: &str, requests: u64, errors: u64, p95: u64) -> ServiceSummary {
    ServiceSummary {
        name: name.to_owned(),
        span_count: requests,
        requests,
        errors,
        p50: p95 / 2,
        p95,
        p99: p95,
        log_count: 0,
        last_seen: UnixNanos::new(0),
        points: Vec::new(),
    }
}

fn failed(root: &str, operation: &str, services: &[(&str, usize)]) -> TraceSummary {
    let part = |(name, error_count): &(&str, usize)| ServiceInTrace {
        name: (*name).to_owned(),
        span_count: 1,
        error_count: *error_count,
        spans: Vec::new(),
    };
    let mut failing = services.iter().filter(|(_, errors)| *errors > 0).map(|(name, _)| (*name).to_owned()).rev();
    let failure = failing.next().map(|service| TraceFailure {
        service,
        message: Some("502".to_owned()),
        through: failing.filter(|name| name != root).collect(),
    });
    TraceSummary {
        trace_id: TraceId::from_slice(&[7; 16]).unwrap(),
        root_service: root.to_owned(),
        root_name: operation.to_owned(),
        has_root: true,
        root_failed: services.iter().any(|(name, errors)| *name == root && *errors > 0),
        start: UnixNanos::new(9),
        duration: 9,
        span_count: services.len(),
        error_count: 1,
        matched: 1,
        key: 1,
        services: services.iter().map(part).collect(),
        first_error: Some("502".to_owned()),
        failure,
        repeated: None,
    }
}

fn error(service: &str, message: &str, count: u64) -> ErrorGroup {
    let (first, last) = (UnixNanos::new(1), UnixNanos::new(2));
    ErrorGroup {
        service: service.to_owned(),
        kind: String::new(),
        message: message.to_owned(),
        shown: message.to_owned(),
        count,
        requests: count,
        calls: 0,
        first,
        last,
    }
}

fn edge(from: &str, to: &str) -> Edge {
    let key = |name: &str| (name.to_owned(), NodeKind::Service);
    let kind = EdgeKind::Call;
    Edge { from: key(from), to: key(to), kind, calls: 1, errors: 0, p50: 1, p95: 1, p99: 1, examples: Vec::new() }
}

fn told(compared: Compared<'_>) -> Vec<Attention> {
    let range = TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(200) };
    let [first, _] = attention(compared, range, (&Links::default(), &Palette::default()));
    first
}

fn evidence(item: &Attention) -> String {
    let told = item.evidence.iter().filter(|one| !one.text.starts_with("compare "));
    told.map(|one| one.text.replace('\u{a0}', " ")).collect::<Vec<_>>().join(" | ")
}

#[test]
fn one_cause_is_one_line_with_what_it_reaches() {
    let now = [service("gateway", 100, 5, 1), service("orders", 40, 4, 1), service("payment", 40, 4, 1)];
    let mut traces = vec![failed("gateway", "POST /pay", &[("gateway", 1), ("orders", 1), ("payment", 1)]); 4];
    traces.push(failed("gateway", "POST /login", &[("gateway", 1), ("users", 0)]));
    let errors = [error("payment", "card declined", 3), error("orders", "payment failed", 4)];
    let items = told(Compared { now: &now, failed: &traces, errors: &errors, ..Compared::default() });
    let lines: Vec<_> = items.iter().map(|item| (item.chip.name.as_str(), item.text.replace('\u{202f}', " "))).collect();
    assert_eq!(lines, [("payment", "10.0 % of requests fail".to_owned()), ("gateway", "POST /login fails".to_owned())]);
    assert_eq!(evidence(&items[0]), "3 × card declined | 4 traces of gateway POST /pay through orders | 4 of 40");
    assert_eq!(evidence(&items[1]), "502 | 1 trace");
    let contrast = |item: &Attention| item.evidence.iter().find(|one| one.text == CONTRAST).unwrap().href.clone();
    let compared = |q: &str| Links::default().plain("/traces/compare-groups").with("q", q).with("with", "status:error").href();
    assert_eq!(contrast(&items[0]), compared("service:payment kind:server,consumer"));
    assert_eq!(contrast(&items[1]), compared("service:gateway name:\"POST /login\" root:true"));
    assert_eq!(items[0].href, "/traces?q=service%3Apayment%20status%3Aerror");
}

#[test]
fn what_fails_without_its_requests_failing_is_told_so() {
    let now = [service("gateway", 100, 0, 1), service("shipping", 40, 0, 1)];
    let traces = [failed("gateway", "POST /pay", &[("gateway", 0), ("shipping", 2)])];
    let items = told(Compared { now: &now, failed: &traces, ..Compared::default() });
    assert_eq!((items.len(), items[0].text.as_str()), (1, "a span within it fails, requests to it succeed"));
}

#[test]
fn what_fails_within_a_request_is_not_told_as_the_request_and_both_links_find_the_same() {
    let now = [service("gateway", 100, 0, 1)];
    let mut traces = [failed("gateway", "POST /login", &[("gateway", 1), ("users", 0)])];
    traces[0].root_failed = false;
    let call = ErrorGroup { requests: 0, calls: 3, ..error("gateway", "", 3) };
    let compared = Compared { now: &now, before: &now, failed: &traces, errors: std::slice::from_ref(&call), ..Compared::default() };
    let items = told(compared);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].text, "a call within POST /login fails, the request itself succeeds");
    assert_eq!(evidence(&items[0]), "502 | 1 trace");
    assert_eq!(items[0].href, items[0].evidence[1].href);
    assert!(items[0].href.contains("-status%3Aerror"), "{}", items[0].href);
    let failing = [failed("gateway", "POST /login", &[("gateway", 1), ("users", 0)])];
    assert_eq!(told(Compared { failed: &failing, ..compared })[0].text, "POST /login fails");
}

#[test]
fn a_failure_is_told_where_it_starts_and_with_the_services_that_fail_with_it() {
    let now = [service("shop", 60, 30, 0), service("recs", 60, 60, 0), service("stock", 60, 60, 0)];
    let of = |origin: &str, message: &str, through: &[&str]| TraceSummary {
        failure: Some(TraceFailure {
            service: origin.to_owned(),
            message: Some(message.to_owned()),
            through: through.iter().map(|name| (*name).to_owned()).collect(),
        }),
        ..failed("shop", "GET /cart", &[("shop", 2), ("recs", 1), ("stock", 1)])
    };
    let lines = |traces: &[TraceSummary]| -> Vec<String> {
        let items = told(Compared { now: &now, failed: traces, ..Compared::default() });
        items.iter().map(|item| format!("{}: {} ({})", item.chip.name, item.text, evidence(item))).collect()
    };
    let own = of("shop", "division by zero", &[]);
    let told = lines(&[own.clone(), own]);
    assert!(told.contains(&"shop: GET /cart fails (division by zero | 2 traces)".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("recs: 100\u{202f}% of requests fail (60 of 60")), "it was survived: {told:?}");
    let told = lines(&[of("stock", "full", &["recs"])]);
    assert!(told[0].starts_with("stock: 100\u{202f}% of requests fail (full | 1 trace of shop GET /cart through recs"), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn calls_that_were_answered_are_told_as_that_and_after_what_fails() {
    let of = |operation: &str, said: Option<&str>| TraceSummary {
        first_error: said.map(str::to_owned),
        failure: None,
        root_failed: said == Some("502"),
        ..failed("gateway", operation, &[("gateway", 1)])
    };
    let told = |traces: &[TraceSummary]| {
        let items = told(Compared { failed: traces, ..Compared::default() });
        items.into_iter().map(|item| format!("{}: {}", item.class, item.text)).collect::<Vec<_>>()
    };
    let traces = [of("GET /product", Some("404")), of("GET /product", Some("404")), of("POST /pay", Some("502"))];
    let answered = "answer: a call within GET /product is answered 404, the request itself succeeds";
    assert_eq!(told(&traces), ["error: POST /pay fails", answered]);
    assert!(told(&[of("GET /product", Some("404")), of("GET /product", None)])[0].starts_with("error: "), "one says nothing");
    let within = TraceSummary {
        first_error: Some("422".to_owned()),
        failure: None,
        ..failed("gateway", "POST /items", &[("gateway", 0), ("cart", 1)])
    };
    assert_eq!(told(&[within]), ["answer: a call within it is answered 422, requests to it succeed"]);
}

#[test]
fn what_has_no_share_of_failed_requests_says_how_often_it_fails_of_how_many_times() {
    let operation =
        |name: &str, kind, count, errors| Operation { name: name.to_owned(), kind, count, errors, p50: 1, p95: 1, p99: 1, total: count };
    let known = [(
        "gateway".to_owned(),
        vec![
            operation("GET /cart", "server", 40, 3),
            operation("GET /cart", "client", 900, 9),
            operation("GET /product", "server", 500, 0),
            operation("GET stock", "client", 300, 16),
            operation("sign", "internal", 7, 1),
        ],
    )];
    let before = [("gateway".to_owned(), vec![operation("GET /cart", "server", 8, 4)])];
    let within = TraceSummary { root_failed: false, ..failed("gateway", "GET /product", &[("gateway", 1)]) };
    let answered = TraceSummary { first_error: Some("404".to_owned()), failure: None, ..within.clone() };
    let call = ErrorGroup { requests: 0, calls: 25, ..error("gateway", "", 25) };
    let last = |trace: &TraceSummary, errors: &[ErrorGroup]| {
        let traces = std::slice::from_ref(trace);
        let compared = Compared { failed: traces, operations: &known, operations_before: &before, errors, ..Compared::default() };
        assert_eq!(asks_how_often(&compared), ["gateway"]);
        evidence(&told(compared)[0]).rsplit(" | ").next().unwrap().to_owned()
    };
    assert_eq!(last(&failed("gateway", "GET /cart", &[("gateway", 1)]), &[]), "3 of 40 times, 50.0\u{202f}% in the window before");
    assert!(!last(&answered, &[]).contains("of 1,200"), "all failed calls are more than those with this answer");
    assert_eq!(last(&within, std::slice::from_ref(&call)), "25 of 1,200 calls that the service makes");
    assert_eq!(last(&within, &[]), "26 of 1,207 spans within requests to the service");
    let payment = [service("payment", 40, 4, 1)];
    let reached = [failed("gateway", "POST /pay", &[("gateway", 1), ("payment", 1)])];
    assert!(asks_how_often(&Compared { now: &payment, failed: &reached, ..Compared::default() }).is_empty(), "its share is known");
}

#[test]
fn shares_of_failed_requests_are_compared_only_with_one_another() {
    let traces = [failed("gateway", "POST /pay", &[("gateway", 0), ("payment", 2)])];
    let before = [service("payment", 40, 1, 1)];
    let told = |errors| {
        let now = [service("payment", 40, errors, 1)];
        evidence(&told(Compared { now: &now, before: &before, failed: &traces, ..Compared::default() })[0])
    };
    assert!(told(4).contains("in the window before"), "{}", told(4));
    assert!(!told(0).contains("in the window before"), "{}", told(0));
}

#[test]
fn traces_are_counted_of_those_that_were_looked_at() {
    let trace = || failed("gateway", "POST /pay", &[("gateway", 1), ("payment", 1)]);
    let told = |n| {
        let traces = vec![trace(); n];
        evidence(&told(Compared { failed: &traces, ..Compared::default() })[0])
    };
    assert_eq!(told(SAMPLE - 1), format!("502 | {} traces of gateway POST /pay", SAMPLE - 1));
    assert_eq!(told(SAMPLE), "502 | gateway POST /pay: 100 of the 100 failed traces looked at");
}

#[test]
fn new_messages_of_a_service_with_a_line_of_its_own_are_not_told_again() {
    let now = [service("seats", 100, 40, 1)];
    let errors = [error("seats", "pool exhausted", 40)];
    let items = told(Compared { now: &now, before: &[service("seats", 90, 0, 1)], errors: &errors, ..Compared::default() });
    assert_eq!(items.len(), 1, "{items:?}");
    assert!(evidence(&items[0]).starts_with("new: 40 × pool exhausted"), "{items:?}");
}

#[test]
fn an_error_is_new_when_its_service_was_there_before_without_it() {
    let (now, old) = ([error("cart", "old one", 2), error("cart", "new one", 2)], [error("cart", "old one", 2)]);
    let services = [service("cart", 9, 0, 1)];
    let texts = |before: &[ServiceSummary]| {
        let compared = Compared { before, errors: &now, errors_before: &old, now: &services, ..Compared::default() };
        told(compared).into_iter().map(|item| item.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(&services), ["new error: new one"]);
    assert!(texts(&[]).is_empty());
}

#[test]
fn what_is_said_of_failed_requests_is_ordered_by_them() {
    let now = [service("payment", 100, 9, 1)];
    let traces = [failed("gateway", "POST /pay", &[("gateway", 1), ("payment", 1)])];
    let of = |message: &str, requests, calls| ErrorGroup { requests, calls, ..error("payment", message, requests + calls) };
    let errors = [of("timeout", 2, 40), of("declined", 7, 0), of("no route", 0, 3)];
    let items = told(Compared { now: &now, failed: &traces, errors: &errors, ..Compared::default() });
    assert!(evidence(&items[0]).starts_with("7 × declined | 2 × timeout | 3 × no route in calls it makes"), "{}", evidence(&items[0]));
}

#[test]
fn a_loop_over_single_calls_is_told_with_the_trace_that_shows_it_best() {
    let trace = |name: &str, count, id: u8| TraceSummary {
        trace_id: TraceId::from_slice(&[id; 16]).unwrap(),
        repeated: (count > 0).then(|| RepeatedCalls { service: "catalog".to_owned(), name: name.to_owned(), count }),
        ..failed("gateway", "GET /products", &[("gateway", 0)])
    };
    let newest = [trace("SELECT stock", 12, 1), trace("", 0, 2), trace("SELECT stock", 38, 3), trace("GET price", 50, 4)];
    let items = told(Compared { newest: &newest, ..Compared::default() });
    let lines: Vec<_> = items.iter().map(|item| (item.class, item.chip.name.as_str(), item.text.as_str())).collect();
    let expected = [
        ("many", "catalog", "SELECT stock runs 12 to 38 times under one parent"),
        ("many", "catalog", "GET price runs 50 times under one parent"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(evidence(&items[0]), "the one with 38 times, of gateway GET /products | in 2 of the newest 4 traces");
    assert_eq!(items[0].evidence[0].href, format!("/trace/{}", "03".repeat(16)));
    assert!(items[0].href.contains("count%28service%3Acatalog%20name%3A%22SELECT%20stock%22%29%3E%3D12"), "{}", items[0].href);
}

#[test]
fn what_reaches_callers_comes_before_what_is_swallowed_however_often_that_is() {
    let now =
        [service("gateway", 1_000, 0, 1), service("payment", 400, 50, 1), service("shipping", 400, 0, 1), service("users", 400, 2, 1)];
    let swallowed = || failed("gateway", "GET /track", &[("gateway", 0), ("shipping", 1)]);
    let mut traces: Vec<TraceSummary> = (0..60).map(|_| swallowed()).collect();
    traces.push(failed("gateway", "POST /login", &[("gateway", 0), ("users", 1)]));
    let errors = [error("payment", "card declined", 50)];
    let told_of = |traces: &[TraceSummary]| {
        let items = told(Compared { now: &now, failed: traces, errors: &errors, ..Compared::default() });
        items.iter().map(|item| (item.chip.name.clone(), evidence(item))).collect::<Vec<_>>()
    };
    // None of the newest traces shows the failure that weighs most.
    let items = told_of(&traces);
    assert_eq!(items.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["payment", "users", "shipping"]);
    assert_eq!(items[0].1, "50 × card declined | 50 of 400", "an error, with its newest trace");
    traces.push(failed("gateway", "POST /pay", &[("gateway", 0), ("payment", 1)]));
    let order = |traces: &[TraceSummary]| told_of(traces).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(order(&traces), ["payment", "users", "shipping"], "the same whichever traces are the newest");
    traces.reverse();
    assert_eq!(order(&traces), ["payment", "users", "shipping"]);
}

#[test]
fn a_failure_is_told_where_it_starts_before_those_that_wait_for_it() {
    let chain = |failing: &[&str]| {
        let services: Vec<(&str, usize)> =
            ["gateway", "orders", "payment"].iter().map(|name| (*name, usize::from(failing.contains(name)))).collect();
        failed("gateway", "POST /pay", &services)
    };
    let now = [service("gateway", 400, 12, 1), service("orders", 100, 12, 1), service("payment", 100, 10, 1)];
    let mut traces = vec![chain(&["gateway", "orders", "payment"]); 10];
    // Of two traces the spans of the last service are not there yet; of one the orders themselves fail.
    let late = || TraceSummary { start: UnixNanos::new(95), ..chain(&["gateway", "orders"]) };
    traces.splice(0..0, [late(), late()]);
    let told = |arriving, traces: &[TraceSummary]| {
        let items = told(Compared { now: &now, failed: traces, arriving, ..Compared::default() });
        items.iter().map(|item| item.chip.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(Some(UnixNanos::new(90)), &traces), ["payment"], "what is on its way blames nobody");
    assert_eq!(told(Some(UnixNanos::new(200)), &traces), ["payment", "orders"], "though the name of the caller comes first");
    assert_eq!(told(None, &traces[1..]), ["payment", "orders"]);
    let only_late = [late()];
    assert!(told(Some(UnixNanos::new(90)), &only_late).contains(&"orders".to_owned()), "without another trace to tell, it is told at once");
    traces.reverse();
    assert_eq!(told(None, &traces), ["payment", "orders"], "the same whichever traces are the newest");
}

#[test]
fn of_failing_services_in_no_trace_that_was_looked_at_callers_come_after_whom_they_call() {
    let now = [service("orders", 100, 10, 1), service("payment", 100, 10, 1)];
    let of = |service: &str, message: &str, calls| ErrorGroup { requests: 10, calls, ..error(service, message, 10 + calls) };
    let errors = [of("orders", "payment failed", 10), of("payment", "card declined", 0)];
    let items = told(Compared { now: &now, errors: &errors, ..Compared::default() });
    assert_eq!(items.iter().map(|item| item.chip.name.as_str()).collect::<Vec<_>>(), ["payment", "orders"]);
}

#[test]
fn lines_that_are_cut_say_how_many_and_lead_to_them() {
    let now: Vec<ServiceSummary> = (0..12).map(|number| service(&format!("s{number:02}"), 100, 10, 1)).collect();
    let range = TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(200) };
    let of = |message: &str| error("s00", message, 3);
    let errors = ["a", "b", "c", "d", "e"].map(of);
    let compared = Compared { now: &now, errors: &errors, ..Compared::default() };
    let [items, rest] = attention(compared, range, (&Links::default(), &Palette::default()));
    assert_eq!((items.len(), rest.len()), (MAX_FAILURES, 12 - MAX_FAILURES));
    assert_eq!(rest[0].chip.name, format!("s{:02}", MAX_FAILURES), "in the same order");
    let cut = items[0].evidence.iter().find(|one| one.text == "and 2 more").unwrap();
    assert_eq!(cut.href, "/services/s00?tab=errors");
}

#[test]
fn one_that_failed_of_one_is_less_than_many_that_failed_of_very_many() {
    let now = [service("alone", 1, 1, 1), service("busy", 5_000, 60, 1), service("down", 20, 20, 1)];
    let items = told(Compared { now: &now, ..Compared::default() });
    assert_eq!(items.iter().map(|item| item.chip.name.as_str()).collect::<Vec<_>>(), ["down", "busy", "alone"]);
}

#[test]
fn each_kind_of_message_is_told_before_a_second_one_of_its_like() {
    let now = [service("payment", 100, 9, 1)];
    let of = |message: &str, kind: &str, count| ErrorGroup { kind: kind.to_owned(), ..error("payment", message, count) };
    let told = |errors: &[ErrorGroup]| evidence(&told(Compared { now: &now, errors, ..Compared::default() })[0]);
    let declined = |count| of("card declined", "", count);
    let messages = [declined(9), of("card expired", "", 8), of("card unknown", "", 7), of("timed out after # ms", "", 6)];
    assert!(
        told(&messages).starts_with("9 × card declined | 8 × card expired | 6 × timed out after # ms | and 1 more"),
        "{}",
        told(&messages)
    );
    let kinds = [declined(9), of("no", "Refused", 8), of("never", "Refused", 7), of("no", "Timeout", 6)];
    assert!(told(&kinds).starts_with("9 × card declined | 8 × no | 6 × no | and 1 more"), "{}", told(&kinds));
    assert!(told(&messages[..3]).starts_with("9 × card declined | 8 × card expired | 7 × card unknown"), "{}", told(&messages[..3]));
}
