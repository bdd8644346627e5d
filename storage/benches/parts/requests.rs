//! Requests as instrumented services send them: always the same ones.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

/// Begin of all times.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;
/// Records of a request.
pub(crate) const RECORDS: u64 = 1_000;
/// Spans of a trace.
const SPANS: u64 = 10;
const SERVICES: u64 = 20;

/// The trace of a span by its number.
pub(crate) fn trace_id(number: u64) -> [u8; 16] {
    u128::to_be_bytes(u128::from(scattered(number / SPANS)) << 64 | u128::from(number / SPANS + 1))
}

/// A thousand spans, ten of a trace, each with ten attributes; `user.id` tells a hundred spans apart from all others.
pub(crate) fn spans(request: u64) -> Bytes {
    let span = |number: u64| Span {
        trace_id: trace_id(number).to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: if number.is_multiple_of(SPANS) { Vec::new() } else { number.to_be_bytes().to_vec() },
        name: format!("GET /{}", scattered(number) % 300),
        kind: i32::try_from(number % 3).unwrap_or(0) + 1,
        start_time_unix_nano: START + number * 1_000,
        end_time_unix_nano: START + number * 1_000 + scattered(number) % 50_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.path", &format!("/orders/{}", scattered(number) % 5_000)),
            text("http.route", "/orders/{id}"),
            int("http.response.status_code", 200),
            text("server.address", "orders.internal"),
            int("server.port", 8080),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
            text("user.id", &format!("user-{}", number / 100)),
            int("thread.id", scattered(number) % 64),
        ],
        ..Span::default()
    };
    let resource_spans = by_service(request, |resource, numbers| ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![ScopeSpans { spans: numbers.map(span).collect(), ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// A thousand log records.
pub(crate) fn logs(request: u64) -> Bytes {
    let record = |number: u64| LogRecord {
        time_unix_nano: START + number * 1_000,
        severity_number: 9,
        body: Some(AnyValue { value: Some(Value::StringValue(body(number))) }),
        attributes: vec![text("order.id", &scattered(number).to_string()), int("attempt", number % 5)],
        trace_id: trace_id(number).to_vec(),
        ..LogRecord::default()
    };
    let resource_logs = by_service(request, |resource, numbers| ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![ScopeLogs { log_records: numbers.map(record).collect(), ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    });
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

/// The body of a log record by its number; `ticket<number>` is in no other.
pub(crate) fn body(number: u64) -> String {
    format!(
        "order {} of customer {} accepted, ticket{number}, payment authorized by gateway after {} ms",
        scattered(number) % 100_000,
        scattered(number + 1) % 9_000,
        scattered(number + 2) % 700
    )
}

fn by_service<T>(request: u64, of: impl Fn(Resource, std::ops::Range<u64>) -> T) -> Vec<T> {
    let each = RECORDS / SERVICES;
    let first = request * RECORDS;
    let resource = |service: u64| Resource {
        attributes: vec![
            text("service.name", &format!("service-{service}")),
            text("service.version", "1.4.2"),
            text("host.name", &format!("node-{}", service % 5)),
        ],
        ..Resource::default()
    };
    (0..SERVICES).map(|service| of(resource(service), first + service * each..first + (service + 1) * each)).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(value.cast_signed()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Numbers in no order (splitmix64).
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
