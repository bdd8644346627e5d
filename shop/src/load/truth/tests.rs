use std::time::Duration;

use super::*;
use crate::load::Workload;

fn config(spans: u64, logs: u64) -> Config {
    let window = Duration::from_secs(1_200);
    Config { workload: Workload::Tail, spans, logs, items_per_request: 500, window, seed: Some(9), ..Config::default() }
}

#[test]
fn the_account_follows_from_the_seed_and_adds_up() {
    let config = config(90_500, 250_000);
    let (truth, again) = (Truth::of(&config), Truth::of(&config));
    assert_eq!((truth.spans, truth.logs), (90_500, 250_000));
    assert_eq!((&truth.traces, &truth.late_traces, &truth.needles), (&again.traces, &again.late_traces, &again.needles));
    assert_eq!(truth.spans_with(|_| true), 90_500);
    assert_eq!(truth.services().len(), 60);
    let logs: Vec<u64> = truth.needles.iter().map(|needle| needle.logs).collect();
    assert_eq!(logs, [250, 2, 1, 0, 25, 25], "one in a thousand, one in a hundred thousand, one, none, one in ten thousand twice");
    assert!(truth.needles[0].spans > 0 && truth.needles[2].spans == 1);
    assert!(truth.traces.len() > 50 && truth.traces.iter().all(|(_, spans)| *spans > 0));
    let slow = |fact: &SpanFact| fact.service == "service-07" && fact.duration > 4_000_000;
    assert!(truth.traces_with(slow) > 0 && truth.traces_with(slow) <= truth.spans_with(slow));
}

/// A span as a receiver sees it.
struct Received {
    request: u64,
    start_nanos: u64,
    fact: SpanFact,
    word: Option<String>,
}

/// Everything that is sent, by the id of its trace.
fn received(config: &Config, first_nanos: u64) -> BTreeMap<Vec<u8>, Vec<Received>> {
    let pool = Pool::new(config, Signal::Traces, config.spans, config.seed.unwrap());
    let mut traces: BTreeMap<Vec<u8>, Vec<Received>> = BTreeMap::new();
    for request in 0..pool.requests() {
        let body = pool.body(request, first_nanos).unwrap();
        let facts = of_spans(&body);
        assert_eq!(facts.len() as u64, pool.template(request).unwrap().items());
        let groups = ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans;
        let spans = groups.into_iter().flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans);
        for (fact, span) in facts.into_iter().zip(spans) {
            let received = Received { request, start_nanos: span.start_time_unix_nano, fact, word: text(&span.attributes, "request.ref") };
            traces.entry(span.trace_id).or_default().push(received);
        }
    }
    traces
}

#[test]
fn what_is_known_is_what_is_sent_when_traces_are_split_and_late() {
    // Templates begin again, and the last set is smaller than the others.
    let config = config(42_700, 0);
    let (truth, first_nanos) = (Truth::of(&config), 1_700_000_000_000_000_000);
    let traces = received(&config, first_nanos);
    assert_eq!(traces.values().map(Vec::len).sum::<usize>() as u64, truth.spans);
    assert_eq!(truth.traces_with(|_| true), traces.len() as u64);
    let conditions: [fn(&SpanFact) -> bool; 3] =
        [|fact| fact.service == "service-07", |fact| fact.failed, |fact| fact.duration > 9_000_000];
    for holds in conditions {
        let found = traces.values().filter(|spans| spans.iter().any(|span| holds(&span.fact))).count();
        assert_eq!(truth.traces_with(holds), found as u64);
        assert_eq!(truth.spans_with(holds), traces.values().flatten().filter(|span| holds(&span.fact)).count() as u64);
    }
    for (id, spans) in truth.traces.iter().chain(&truth.late_traces) {
        let id = u128::from_str_radix(id, 16).unwrap().to_be_bytes();
        assert_eq!(traces[id.as_slice()].len() as u64, *spans);
    }
    for needle in &truth.needles {
        let words = traces.values().flatten().filter_map(|span| span.word.as_ref()?.as_bytes().first_chunk());
        assert_eq!(words.filter(|word| needle.is_in(word)).count() as u64, needle.spans, "{}", needle.name);
    }
    let of_three = traces.values().filter(|spans| spans.iter().map(|span| span.request).collect::<BTreeSet<_>>().len() >= 3).count();
    assert!(of_three * 10 > traces.len(), "{of_three} of {} lie in three requests", traces.len());
}

#[test]
fn a_late_span_comes_more_than_a_minute_after_the_time_that_it_has() {
    let config = config(42_700, 0);
    let traces = received(&config, 1_700_000_000_000_000_000);
    let mut newest = BTreeMap::<u64, u64>::new();
    for span in traces.values().flatten() {
        let time = newest.entry(span.request).or_default();
        *time = span.start_nanos.max(*time);
    }
    let is_late = |span: &Received| newest[&span.request] - span.start_nanos > 61_000_000_000;
    let late: Vec<&Vec<Received>> = traces.values().filter(|spans| spans.iter().any(is_late)).collect();
    assert!((late.len() * 1_000 / traces.len()) >= 6, "{} of {} have a late span", late.len(), traces.len());
    for spans in late.iter().filter(|spans| spans.len() > 1) {
        assert_eq!(spans.iter().filter(|span| is_late(span)).count(), 1);
        let (first, last) = (spans.iter().map(|span| span.start_nanos).min().unwrap(), spans.iter().map(|span| span.start_nanos).max());
        assert!(last.unwrap() - first < 10_000_000_000, "its time is that of its trace");
    }
    let whole = late.iter().filter(|spans| spans.len() > 1).count();
    assert!(whole * 2 > late.len(), "{whole} of {} are of traces that were sent", late.len());
}
