//! The workload "tail": traces of very different sizes, many services and operations, and log lines of many forms.
//!
//! Owns its shape: spans per trace log-normal around 12 and up to 5,000, 60 services with ten operations each, of which each calls four others
//! and talks to three hosts, chains up to 25 deep, two in a hundred spans failed with a stack trace of some kilobytes; log records of about 300 bytes with a dozen attributes from 200 forms.
//! Every trace and every log record has one [`SLOT`], a word that each replay fills with another.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::random::Random;
use crate::value::{any, pair};

/// Where a replay puts a word of its own: letters that nothing else in a request is made of.
pub(super) const SLOT: &[u8; 12] = b"slotslotslot";

/// The attribute of a trace's first span that has a slot.
pub(super) const SLOT_KEY: &str = "request.ref";

const SERVICES: u64 = 60;
const OPERATIONS: u64 = 10;
/// Services that a service calls, and hosts that it talks to.
const CALLEES: u64 = 4;
const HOSTS: u64 = 3;
const FORMS: u64 = 200;

/// One request of exactly `items` spans that begin at `now_nanos` or somewhat later.
pub(super) fn traces(random: &mut Random, now_nanos: &mut u64, items: usize) -> ExportTraceServiceRequest {
    let mut by_service: Vec<Vec<Span>> = (0..SERVICES).map(|_| Vec::new()).collect();
    let mut left = items;
    while left > 0 {
        let size = size(random).min(left);
        for (service, span) in trace(random, *now_nanos, size) {
            if let Some(spans) = by_service.get_mut(service) {
                spans.push(span);
            }
        }
        left -= size;
        *now_nanos += random.until_next(TRACES_PER_SECOND);
    }
    let of = |(service, spans): (usize, Vec<Span>)| ResourceSpans {
        resource: Some(resource(service)),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: by_service.into_iter().enumerate().filter(|(_, spans)| !spans.is_empty()).map(of).collect(),
    }
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

/// One request of exactly `items` log records.
pub(super) fn logs(random: &mut Random, now_nanos: &mut u64, items: usize) -> ExportLogsServiceRequest {
    let mut by_service: Vec<Vec<LogRecord>> = (0..SERVICES).map(|_| Vec::new()).collect();
    for _ in 0..items {
        let service = at(random, SERVICES.try_into().unwrap_or(1));
        if let Some(records) = by_service.get_mut(service) {
            records.push(log(random, *now_nanos));
        }
        *now_nanos += random.until_next(LOGS_PER_SECOND);
    }
    let of = |(service, log_records): (usize, Vec<LogRecord>)| ResourceLogs {
        resource: Some(resource(service)),
        scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    };
    ExportLogsServiceRequest {
        resource_logs: by_service.into_iter().enumerate().filter(|(_, records)| !records.is_empty()).map(of).collect(),
    }
}

fn log(random: &mut Random, now_nanos: u64) -> LogRecord {
    let form = random.between(0, FORMS - 1);
    let slot = String::from_utf8_lossy(SLOT);
    let body = format!(
        "{} number {form} of the batch finished after {} ms for tenant-{} with reference {slot} on partition {} ({} of {} rows, checksum {})",
        random.pick(&["import", "export", "settlement", "reindex", "delivery", "refund"]),
        random.between(1, 9_000),
        random.between(1, 400),
        random.between(0, 63),
        random.between(1, 500),
        random.between(500, 9_000),
        random.hex(16),
    );
    let severity =
        random.pick(&[(5, "DEBUG"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (13, "WARN"), (17, "ERROR")]);
    let mut record = LogRecord {
        time_unix_nano: now_nanos,
        observed_time_unix_nano: now_nanos + 1_000_000,
        severity_number: severity.0,
        severity_text: severity.1.to_owned(),
        body: Some(any(body)),
        attributes: vec![
            pair("code.function.name", format!("example.module{}.run", form % 40)),
            pair("code.line.number", form + 20),
            pair("thread.id", random.between(1, 64)),
            pair("thread.name", format!("worker-{}", random.between(1, 64))),
            pair("batch.form", form),
            pair("retry.count", random.between(0, 3)),
            pair("dry_run", random.chance(0.1)),
        ],
        ..LogRecord::default()
    };
    if random.chance(0.4) {
        record.trace_id = random.trace_id().to_vec();
        record.span_id = random.span_id().to_vec();
    }
    record
}

fn resource(service: usize) -> Resource {
    let attributes = vec![
        pair("service.name", format!("service-{service:02}")),
        pair("service.namespace", "tail"),
        pair("service.version", format!("1.{}.0", service % 9)),
        pair("host.name", format!("node-{:02}", service % 24)),
        pair("k8s.pod.name", format!("service-{service:02}-7c9f6d-{service}")),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "example.tail".to_owned(), version: "1.0.0".to_owned(), ..InstrumentationScope::default() }
}

/// A place below `bound`.
fn at(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.number() % bound.max(1) as u64).unwrap_or(0)
}

/// How close together traces and log records begin within one request.
const TRACES_PER_SECOND: f64 = 200.0;
const LOGS_PER_SECOND: f64 = 2_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_shape_that_is_said_of_them() {
        let (mut random, mut now) = (Random::new(5), 1_700_000_000_000_000_000);
        let mut sizes = std::collections::BTreeMap::<Vec<u8>, usize>::new();
        let (mut failed, mut all) = (0, 0);
        for _ in 0..40 {
            let request = traces(&mut random, &mut now, 1_000);
            let spans: Vec<Span> = request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect();
            assert_eq!(spans.len(), 1_000);
            all += spans.len();
            failed += spans.iter().filter(|span| !span.events.is_empty()).count();
            spans.into_iter().for_each(|span| *sizes.entry(span.trace_id).or_default() += 1);
        }
        let mut sizes: Vec<usize> = sizes.into_values().collect();
        sizes.sort_unstable();
        let median = sizes[sizes.len() / 2];
        assert!((6..=18).contains(&median), "the median is {median}");
        assert!(sizes[sizes.len() - 1] > 100);
        assert!((all / 100..all * 3 / 100).contains(&failed), "{failed} of {all} failed");
        let request = logs(&mut random, &mut now, 500);
        assert_eq!(request.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum::<usize>(), 500);
    }
}
