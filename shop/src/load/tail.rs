//! The traces of the workloads "tail" and "raw".
//!
//! Owns their shape: spans per trace log-normal around 12 and up to 5,000, as far as a set of requests has room, 60 services with ten
//! operations each, of which each calls four others and talks to three hosts, chains up to 25 deep, two in a hundred spans failed with a
//! stack trace of some kilobytes. The spans of 15 traces in a hundred lie in all requests of a set, those of the others in one. Every trace
//! has one [`SLOT`], a word that each replay fills with another.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::random::Random;
use crate::value::pair;

/// Where a replay puts a word of its own: letters that nothing else in a request is made of.
pub(super) const SLOT: &[u8; 12] = b"slotslotslot";

/// The attribute of a trace's first span that has a slot.
pub(super) const SLOT_KEY: &str = "request.ref";

const SERVICES: u64 = 60;
const OPERATIONS: u64 = 10;
/// Services that a service calls, and hosts that it talks to.
const CALLEES: u64 = 4;
const HOSTS: u64 = 3;

/// Spans, each with the number of its service.
type Spans = Vec<(usize, Span)>;

/// A request that is being filled.
#[derive(Debug)]
struct Request {
    room: usize,
    spans: Spans,
}

/// Requests of exactly these sizes, whose spans begin at `now_nanos` or somewhat later; and `late` spans of as many traces in them, the last
/// of each, which come with another set.
pub(super) fn set(random: &mut Random, now_nanos: &mut u64, sizes: &[usize], late: usize) -> (Vec<Spans>, Spans) {
    let mut requests: Vec<Request> = sizes.iter().map(|size| Request { room: *size, spans: Spans::with_capacity(*size) }).collect();
    let mut late_spans = Spans::new();
    let mut left: usize = sizes.iter().sum();
    while left > 0 {
        let size = size(random);
        let mut spans = if late_spans.len() < late {
            let mut spans = trace(random, *now_nanos, size.clamp(2, left + 1));
            late_spans.extend(spans.pop());
            spans
        } else {
            trace(random, *now_nanos, size.min(left))
        };
        left -= spans.len();
        let is_split = spans.len() >= sizes.len() && random.chance(SPLIT);
        place(&mut spans, &mut requests, is_split);
        *now_nanos += random.until_next(TRACES_PER_SECOND);
    }
    (requests.into_iter().map(|request| request.spans).collect(), late_spans)
}

/// Puts a trace into the request with most room; or its spans into all in turn, also when no request has room for all of it.
fn place(spans: &mut Spans, requests: &mut [Request], is_split: bool) {
    let whole = requests.iter_mut().max_by_key(|request| request.room).filter(|request| !is_split && request.room >= spans.len());
    if let Some(request) = whole {
        request.room -= spans.len();
        request.spans.append(spans);
        return;
    }
    let mut turn = 0;
    for span in spans.drain(..) {
        for _ in 0..requests.len() {
            let place = turn % requests.len();
            turn += 1;
            if let Some(request) = requests.get_mut(place).filter(|request| request.room > 0) {
                request.room -= 1;
                request.spans.push(span);
                break;
            }
        }
    }
}

/// One request with these spans.
pub(super) fn request(spans: Spans) -> ExportTraceServiceRequest {
    let mut by_service: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
    spans.into_iter().for_each(|(service, span)| by_service.entry(service).or_default().push(span));
    let of = |(service, spans): (usize, Vec<Span>)| ResourceSpans {
        resource: Some(resource(service)),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: by_service.into_iter().map(of).collect() }
}

/// Spans of a trace: the median is 12, one in a hundred has some hundreds.
fn size(random: &mut Random) -> usize {
    let size = random.duration(0.012, 1.5);
    usize::try_from(size).unwrap_or(1).clamp(1, 5_000)
}

fn trace(random: &mut Random, start_nanos: u64, size: usize) -> Vec<(usize, Span)> {
    let trace_id = random.trace_id();
    let mut spans: Vec<(usize, Span)> = Vec::with_capacity(size);
    let mut depths = Vec::with_capacity(size);
    for number in 0..size {
        // Half of the spans go on where the last one was: chains, but not endless ones.
        let parent = if number == 0 { None } else { Some(if random.chance(0.5) { number - 1 } else { at(random, number) }) };
        let parent = parent.map(|parent| if depths.get(parent).is_some_and(|depth| *depth >= 25) { 0 } else { parent });
        depths.push(parent.and_then(|parent| depths.get(parent)).map_or(0, |depth| depth + 1));
        let service = match parent.and_then(|parent| spans.get(parent)) {
            None => at(random, SERVICES.try_into().unwrap_or(1)),
            Some((service, _)) => called(random, *service),
        };
        let operation = random.between(0, OPERATIONS - 1);
        let begin = start_nanos + number as u64 * 20_000;
        let mut span = Span {
            trace_id: trace_id.to_vec(),
            span_id: random.span_id().to_vec(),
            parent_span_id: parent.and_then(|parent| spans.get(parent)).map(|(_, span)| span.span_id.clone()).unwrap_or_default(),
            name: format!("operation {service}/{operation}"),
            kind: if number == 0 { 2 } else { i32::try_from(random.between(1, 5)).unwrap_or(1) },
            start_time_unix_nano: begin,
            end_time_unix_nano: begin + random.duration(4_000.0, 0.9),
            attributes: attributes(random, service, operation),
            ..Span::default()
        };
        if number == 0 {
            span.attributes.push(pair(SLOT_KEY, String::from_utf8_lossy(SLOT).into_owned()));
        }
        if random.chance(0.02) {
            fail(random, &mut span);
        }
        spans.push((service, span));
    }
    spans
}

/// Half of the spans stay in the service of their parent, the others are in one of those that it calls.
fn called(random: &mut Random, service: usize) -> usize {
    if random.chance(0.5) {
        return service;
    }
    let step = 1 + 7 * random.between(0, CALLEES - 1);
    usize::try_from((service as u64 + step) % SERVICES).unwrap_or(service)
}

fn attributes(random: &mut Random, service: usize, operation: u64) -> Vec<KeyValue> {
    let host = 1 + (HOSTS * service as u64 + random.between(0, HOSTS - 1)) % 90;
    vec![
        pair("http.request.method", random.pick(&["GET", "POST", "PUT"])),
        pair("http.route", format!("/v1/things/{operation}/{{id}}")),
        pair("http.response.status_code", u64::from(random.pick(&[200_u16, 200, 200, 204, 404]))),
        pair("server.address", format!("host-{host}.example")),
        pair("server.port", 8_080_u16),
        pair("tenant.id", format!("tenant-{}", random.between(1, 400))),
        pair("user.id", random.between(1, 2_000_000)),
        pair("cache.hit", random.chance(0.7)),
        pair("queue.depth", random.between(0, 50)),
    ]
}

fn fail(random: &mut Random, span: &mut Span) {
    let frames = random.between(25, 80);
    let stack = (0..frames).fold("example.Failure: it did not go well".to_owned(), |stack, frame| {
        format!("{stack}\n    at example.module{}.Class{}.call(Source.java:{})", frame % 7, random.between(1, 300), random.between(10, 900))
    });
    span.status = Some(Status { code: 2, message: "it did not go well".to_owned() });
    span.events.push(Event {
        time_unix_nano: span.end_time_unix_nano,
        name: "exception".to_owned(),
        attributes: vec![
            pair("exception.type", "example.Failure"),
            pair("exception.message", "it did not go well"),
            pair("exception.stacktrace", stack),
        ],
        ..Event::default()
    });
}

/// What sends.
pub(super) fn resource(service: usize) -> Resource {
    let attributes = vec![
        pair("service.name", format!("service-{service:02}")),
        pair("service.namespace", "tail"),
        pair("service.version", format!("1.{}.0", service % 9)),
        pair("host.name", format!("node-{:02}", service % 24)),
        pair("k8s.pod.name", format!("service-{service:02}-7c9f6d-{service}")),
    ];
    Resource { attributes, ..Resource::default() }
}

/// What it sends with.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "example.tail".to_owned(), version: "1.0.0".to_owned(), ..InstrumentationScope::default() }
}

/// A place below `bound`.
pub(super) fn at(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.number() % bound.max(1) as u64).unwrap_or(0)
}

/// How close together traces begin within one set.
const TRACES_PER_SECOND: f64 = 200.0;
/// Of traces with three spans and more, so many lie in three requests on purpose. Those without room make it 15 in a hundred of all.
const SPLIT: f64 = 0.17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_shape_that_is_said_of_them() {
        let (mut random, mut now) = (Random::new(5), 1_700_000_000_000_000_000);
        let mut traces = BTreeMap::<Vec<u8>, BTreeMap<usize, usize>>::new();
        let (mut failed, mut all, mut late) = (0, 0, 0);
        for set in 0..20 {
            let (requests, spans) = super::set(&mut random, &mut now, &[999, 1_000, 1_000], 1);
            assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [999, 1_000, 1_000]);
            late += spans.len();
            for (number, (_, span)) in requests.into_iter().enumerate().flat_map(|(n, spans)| spans.into_iter().map(move |span| (n, span)))
            {
                all += 1;
                failed += usize::from(!span.events.is_empty());
                *traces.entry(span.trace_id).or_default().entry(3 * set + number).or_default() += 1;
            }
            assert!(spans.iter().all(|(_, span)| traces.contains_key(&span.trace_id) && !span.parent_span_id.is_empty()));
        }
        let mut sizes: Vec<usize> = traces.values().map(|parts| parts.values().sum()).collect();
        sizes.sort_unstable();
        let (median, largest) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
        assert!((9..=15).contains(&median) && largest > 500, "the median is {median}, the largest is {largest}");
        assert!((all / 100..all * 3 / 100).contains(&failed), "{failed} of {all} failed");
        let per_mille = |part: usize| part * 1_000 / traces.len();
        let split = per_mille(traces.values().filter(|parts| parts.len() == 3).count());
        assert!((125..=175).contains(&split), "{split} of 1,000 lie in three requests");
        assert!((6..=14).contains(&per_mille(late)), "{late} of {} have a late span", traces.len());
    }
}
