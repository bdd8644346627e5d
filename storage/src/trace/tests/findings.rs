//! Findings on traces with known answers, and silence where nothing is known.

use super::*;

mod beside;
mod doubt;
mod failures;
mod queued;
mod retries;

/// Long after everything has arrived.
const LATE: UnixNanos = UnixNanos::new(u64::MAX);

fn sentences(spans: Vec<Span>) -> Vec<String> {
    let trace = trace(spans);
    said(&Sheet::of(&trace), &trace)
}

/// What is said of a trace by the times of `sheet`.
fn said(sheet: &Sheet, trace: &Trace) -> Vec<String> {
    let whole = attempts(sheet).into_iter().map(|place| (place, trace.spans[place].clone())).collect();
    findings(sheet, None, &whole, LATE).iter().map(Finding::sentence).collect()
}

/// With an attribute.
fn with(key: &str, value: &str, mut span: Span) -> Span {
    span.attributes.push(KeyValue { key: key.to_owned(), value: Value::String(value.to_owned()) });
    span
}

fn failed(message: &str, span: Span) -> Span {
    Span { status: Status { code: StatusCode::Error, message: message.to_owned() }, ..span }
}

fn named(name: &str, span: Span) -> Span {
    Span { name: name.to_owned(), ..span }
}

#[test]
fn what_stands_out_is_named_the_most_telling_first() {
    let mut spans = vec![failed("", span("web", 1, 0, 0, 100 * MS)), failed("card refused", span("pay", 2, 1, 70 * MS, 5 * MS))];
    spans.extend((0..6).map(|number| named("SELECT", span("db", 10 + number, 1, number * 10 * MS, 2 * MS))));
    spans.push(span("lost", 50, 99, MS, MS));
    assert_eq!(
        sentences(spans),
        [
            "The error starts in pay, op2: card refused",
            "db, SELECT ran 6 times under one parent: 12.0 ms in all, 12 % of the critical path.",
            "web, op1 makes up 83 % of the critical path (83.0 ms).",
            "In web, op1, nothing below was traced for 25.0 ms from 75.0 ms on.",
            "1 span names a parent that was not received: lost, op50.",
        ]
    );
}

#[test]
fn a_lone_span_gives_no_findings() {
    assert!(sentences(vec![span("a", 1, 0, 0, 100)]).is_empty());
}

#[test]
fn slower_than_usual_is_said_only_when_enough_is_known_and_it_is_so() {
    let sheet = Sheet::of(&small(&[(1, 0, 0, 100 * MS), (2, 1, 0, 100 * MS)]));
    let say = |usual| {
        let found = findings(&sheet, usual, &HashMap::new(), LATE);
        found.iter().find(|finding| matches!(finding.kind, FindingKind::Slower { .. })).map(Finding::sentence)
    };
    let usual = |count, p95, p99| Some(Usual { count, p50: 10 * MS, p95: p95 * MS, p99: p99 * MS });
    assert_eq!(say(usual(412, 40, 60)).unwrap(), "Slower than 99 % of the 412 spans of op1 within a day; their median is 10.0 ms.");
    assert_eq!(say(usual(12_412, 40, 100)).unwrap(), "Slower than 95 % of the 12,412 spans of op1 within a day; their median is 10.0 ms.");
    assert_eq!(say(usual(62, 40, 100)).unwrap(), "As slow as the slowest of the 62 spans of op1 within a day; their median is 10.0 ms.");
    assert_eq!(say(usual(62, 40, 200)).unwrap(), "Slower than 95 % of the 62 spans of op1 within a day; their median is 10.0 ms.");
    assert_eq!(say(usual(412, 100, 200)), None);
    assert_eq!(say(usual(412, 10, 10).map(|usual| Usual { p95: 99_100_000, p99: 99_100_000, ..usual })), None, "it may be one of many");
    assert!(say(usual(412, 10, 10).map(|usual| Usual { p95: 98_900_000, p99: 98_900_000, ..usual })).is_some());
    assert_eq!(say(usual(19, 40, 60)), None);
    assert_eq!(say(None), None);
}

#[test]
fn repeated_calls_are_those_of_one_parent_and_overlap_is_counted_once() {
    let call = |number: u64, parent: u64, start: u64| named("SELECT", span("db", number, parent, start * MS, 20 * MS));
    let mut spans = vec![span("web", 1, 0, 0, 100 * MS)];
    spans.extend((0..5).map(|number| call(10 + number, 1, 10 * number)));
    let said = sentences(spans.clone());
    assert!(said.contains(&"db, SELECT ran 5 times under one parent: 100 ms in all, 60 % of the critical path.".to_owned()), "{said:?}");
    spans.truncate(5);
    spans.push(span("web", 2, 1, 0, 100 * MS));
    spans.push(call(20, 2, 90));
    assert!(!sentences(spans).iter().any(|said| said.contains("times under")));
}

#[test]
fn what_repeated_calls_take_is_said_once() {
    let call = |number: u64, start: u64| named("SELECT", span("db", number, 1, start * MS, 9 * MS));
    let mut spans = vec![span("web", 1, 0, 0, 100 * MS), named("render", span("web", 2, 1, 90 * MS, 10 * MS))];
    spans.extend((0..9).map(|number| call(10 + number, 10 * number)));
    let said = sentences(spans.clone());
    assert!(said.contains(&"db, SELECT ran 9 times under one parent: 81.0 ms in all, 81 % of the critical path.".to_owned()), "{said:?}");
    assert!(!said.iter().any(|said| said.contains("makes up")), "{said:?}");
    // Beside the path: nobody waits for them.
    spans.push(named("wait", span("web", 3, 1, 0, 100 * MS)));
    let said = sentences(spans.clone());
    assert!(said.contains(&"db, SELECT ran 9 times under one parent: 81.0 ms in all.".to_owned()), "{said:?}");
    spans.pop();
    // What they call is a part of them for the one, and not for the other.
    spans.extend((0..9).map(|number| named("read", span("disk", 30 + number, 10 + number, number * 10 * MS, 5 * MS))));
    let said = sentences(spans);
    let repeated = "db, SELECT ran 9 times under one parent: 81.0 ms in all, with what they called 81 % of the critical path.";
    assert!(said.contains(&repeated.to_owned()), "{said:?}");
    assert!(said.contains(&"disk, read makes up 45 % of the critical path (45.0 ms in 9 spans).".to_owned()), "{said:?}");
}

/// Root of one second, and `parents` below it with `calls` each that last `nanos`, one after the other.
fn looping(parents: u64, calls: u64, nanos: u64) -> Vec<Span> {
    let mut spans = vec![span("web", 1, 0, 0, 1_000 * MS)];
    let (step, own) = (1_000 * MS / parents, nanos * calls);
    for parent in 0..parents {
        spans.push(named("item", span("web", 10_000 * (parent + 1), 1, parent * step, own.max(1))));
        let call = |number| {
            named("SELECT", span("db", 10_000 * (parent + 1) + number + 1, 10_000 * (parent + 1), parent * step + number * nanos, nanos))
        };
        spans.extend((0..calls).map(call));
    }
    spans
}

#[test]
fn repeated_calls_are_told_for_what_they_take_or_when_they_are_many() {
    let told = |parents, calls, nanos| {
        let sheet = Sheet::of(&trace(looping(parents, calls, nanos)));
        let found = findings(&sheet, None, &HashMap::new(), LATE).into_iter().filter(|finding| finding.name == "SELECT");
        let told = |finding: Finding| match finding.kind {
            FindingKind::RepeatedCalls { count, parents, matters, .. } => Some((count, parents, matters)),
            _ => None,
        };
        found.filter_map(told).collect::<Vec<_>>()
    };
    assert_eq!(told(1, 5, 20 * MS), [(5, 1, true)], "a tenth of the trace");
    assert_eq!(told(1, 5, 15 * MS), [], "few that take little");
    assert_eq!(told(1, 10, MS), [], "few that take little");
    assert_eq!(told(1, 11, MS), [(11, 1, false)], "as lists tell of them");
    assert_eq!(told(1, 99, 1_000), [(99, 1, false)]);
    assert_eq!(told(1, 100, 1_000), [(100, 1, true)], "very many");
    assert_eq!(told(4, 5, 5 * MS), [(20, 4, true)], "little below each parent, a tenth together");
    assert_eq!(told(30, 5, 1_000), [], "few below each parent, and little together");
}

#[test]
fn calls_are_repeated_where_the_trace_waits_for_them_however_long_it_goes_on() {
    let mut spans = looping(1, 5, 50 * MS);
    spans.push(named("mail", span("mailer", 2, 1, 900 * MS, 60_000 * MS)));
    let said = sentences(spans);
    let repeated = "db, SELECT ran 5 times under one parent: 250 ms in all, 25 % of the critical path.";
    assert!(said.contains(&repeated.to_owned()), "{said:?}");
}

#[test]
fn loops_over_one_call_are_told_once_with_their_sum() {
    let mut spans = looping(4, 6, 30 * MS);
    let said = |spans: &[Span]| sentences(spans.to_vec()).into_iter().filter(|said| said.contains("SELECT")).collect::<Vec<_>>();
    let once = "db, SELECT ran 24 times under 4 parents: 720 ms in all, 72 % of the critical path.";
    assert_eq!(said(&spans), [once], "their share of the path is the same time");
    // One more call elsewhere makes no second finding of the same calls.
    spans.push(named("SELECT", span("db", 2, 1, 980 * MS, 10 * MS)));
    assert_eq!(said(&spans), [once]);
    // A long one does: most of it is none of the loops.
    spans.truncate(15);
    spans.push(named("SELECT", span("db", 3, 1, 600 * MS, 400 * MS)));
    let told = said(&spans);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("db, SELECT makes up 7"), "{told:?}");
}

#[test]
fn calls_that_run_beside_each_other_are_no_loop_of_one_after_another() {
    let fan = |step: u64| {
        let mut spans = vec![span("web", 1, 0, 0, 1_000 * MS)];
        spans.extend((0..25).map(|n| named("GET part", span("parts", 10 + n, 1, n * step, 30 * MS))));
        sentences(spans).into_iter().find(|said| said.contains("ran 25 times")).unwrap()
    };
    assert_eq!(fan(MS), "parts, GET part ran 25 times under one parent, up to 25 at once: 750 ms in all, 3 % of the critical path.");
    assert_eq!(fan(10 * MS), "parts, GET part ran 25 times under one parent, up to 3 at once: 750 ms in all, 27 % of the critical path.");
    assert_eq!(fan(30 * MS), "parts, GET part ran 25 times under one parent: 750 ms in all, 75 % of the critical path.");
}

#[test]
fn a_gap_is_where_nothing_below_ran_that_the_span_did_not_wait_for_either() {
    let kind = |kind, span: Span| Span { kind, ..span };
    let gap = |worked: u64| {
        let spans = vec![
            span("web", 1, 0, 0, 100 * MS),
            kind(SpanKind::Producer, named("send", span("web", 2, 1, 0, 2 * MS))),
            kind(SpanKind::Consumer, named("take", span("mail", 3, 2, 3 * MS, worked * MS))),
        ];
        sentences(spans).into_iter().find(|said| said.contains("nothing below was traced"))
    };
    assert_eq!(gap(90), None, "the consumer ran");
    assert_eq!(gap(27).unwrap(), "In web, op1, nothing below was traced for 70.0 ms from 30.0 ms on.");
}

#[test]
fn shares_are_told_by_the_nearest_percent_and_as_all_only_where_they_are() {
    let share = |nanos: u64| {
        let told = sentences(vec![span("web", 1, 0, 0, 3_000 * MS), named("work", span("db", 2, 1, 0, nanos))]);
        told.into_iter().find(|said| said.contains("db, work makes up")).unwrap()
    };
    assert!(share(2_000 * MS).contains("67 %"));
    assert!(share(2_999 * MS).contains("99 %"));
}

#[test]
fn a_gap_of_a_trace_that_is_over_at_once_is_no_cause() {
    let gap_of = |part: u64| {
        let spans = vec![span("web", 1, 0, 0, 10 * part), span("a", 2, 1, 0, part), span("b", 3, 1, 6 * part, 4 * part)];
        sentences(spans).iter().any(|told| told.contains("nothing below was traced"))
    };
    assert_eq!((gap_of(MS), gap_of(MS - 1)), (true, false), "of 5 ms, and of less");
}

#[test]
fn a_gap_says_where_it_begins_and_what_ended_it() {
    let spans = vec![span("web", 1, 0, 0, 100 * MS), span("a", 2, 1, 0, 10 * MS), named("publish", span("b", 3, 1, 60 * MS, 40 * MS))];
    let said = sentences(spans);
    assert!(
        said.contains(&"In web, op1, nothing below was traced for 50.0 ms from 10.0 ms on, until publish began.".to_owned()),
        "{said:?}"
    );
}

#[test]
fn what_may_still_arrive_is_said_for_a_while() {
    let say = |spans: &[(u64, u64, u64, u64)], now: u64| {
        let found = findings(&Sheet::of(&small(spans)), None, &HashMap::new(), UnixNanos::new(now));
        found.iter().find(|finding| matches!(finding.kind, FindingKind::StillArriving { .. })).map(Finding::sentence)
    };
    let seconds = 1_000 * MS;
    assert_eq!(say(&[(1, 0, 0, 0)], 3 * seconds).unwrap(), "The last span ended 3.00 s ago: more may still arrive.");
    assert_eq!(say(&[(1, 0, 0, 0)], 10 * seconds), None);
    assert_eq!(say(&[(2, 1, 0, 0)], 60 * seconds).unwrap(), "The root has not arrived yet; the last span ended 1 min 00 s ago.");
    assert_eq!(say(&[(2, 2, 0, 0)], 60 * seconds), None, "who is its own parent waits for nobody");
    assert_eq!(say(&[(2, 1, 0, 0)], 120 * seconds), None);
    assert_eq!(say(&[(1, 0, 5, 0)], 4), None, "a clock ahead of ours says nothing");
}
