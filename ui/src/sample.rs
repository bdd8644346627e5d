//! A trace and a log record for tests.

use std::sync::Arc;

use storage::trace::Trace;
use storage::{Event, KeyValue, Link, LogRecord, Resource, Scope, Span, SpanId, SpanKind, Status, StatusCode, TraceId, UnixNanos, Value};

/// Named value.
pub(crate) fn kv(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value }
}

/// Two spans of two services: a failed server span with an event and a link, and a call that it makes.
pub(crate) fn trace() -> Trace {
    let id = trace_id();
    Trace { id, spans: vec![root(id), child(id)], complete: true, notes: Vec::new() }
}

pub(crate) fn trace_id() -> TraceId {
    "5b8efff798038103d269b633813fc60c".parse().unwrap()
}

/// An error record of the root span, without a time of its own.
pub(crate) fn log() -> LogRecord {
    LogRecord {
        record_id: 7,
        time: UnixNanos::new(1_544_712_660_300_000_000),
        time_unix_nano: UnixNanos::new(0),
        observed_time: UnixNanos::new(1_544_712_660_300_000_000),
        trace_id: Some(trace_id()),
        span_id: Some("eee19b7ec3c1b174".parse().unwrap()),
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: text("payment failed"),
        attributes: vec![kv("n", Value::Int(9_007_199_254_740_993))],
        dropped_attributes_count: 0,
        flags: 0,
        event_name: String::new(),
        resource: resource(),
        scope: scope(),
    }
}

fn root(trace_id: TraceId) -> Span {
    Span {
        trace_id,
        span_id: "eee19b7ec3c1b174".parse().unwrap(),
        parent_span_id: None,
        trace_state: "a=b".to_owned(),
        flags: 257,
        name: "POST /pay".to_owned(),
        kind: SpanKind::Server,
        start: UnixNanos::new(1_544_712_660_000_000_001),
        end: UnixNanos::new(1_544_712_661_500_000_001),
        attributes: vec![
            kv("http.response.status_code", Value::Int(500)),
            kv("big", Value::Int(i64::MAX)),
            kv("ratio", Value::Double(0.5)),
            kv("cached", Value::Bool(false)),
            kv("list", Value::Array(vec![text("a"), Value::Int(1)])),
            kv("raw", Value::Bytes(vec![1, 2])),
        ],
        dropped_attributes_count: 0,
        events: vec![Event {
            time: UnixNanos::new(1_544_712_660_200_000_000),
            name: "exception".to_owned(),
            attributes: vec![kv("exception.message", text("card declined"))],
            dropped_attributes_count: 0,
        }],
        dropped_events_count: 3,
        links: vec![
            Link { trace_id: vec![1, 2], span_id: vec![0, 0, 0, 0, 0, 0, 0, 1], ..Link::default() },
            Link { trace_id: vec![9; 16], span_id: vec![8; 8], ..Link::default() },
        ],
        dropped_links_count: 0,
        status: Status { code: StatusCode::Error, message: "card declined".to_owned() },
        resource: resource(),
        scope: scope(),
    }
}

fn child(trace_id: TraceId) -> Span {
    Span {
        trace_id,
        span_id: "00f067aa0ba902b7".parse().unwrap(),
        parent_span_id: Some("eee19b7ec3c1b174".parse::<SpanId>().unwrap()),
        trace_state: String::new(),
        flags: 0,
        name: "charge".to_owned(),
        kind: SpanKind::Client,
        start: UnixNanos::new(1_544_712_660_100_000_999),
        end: UnixNanos::new(1_544_712_660_400_000_000),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status { code: StatusCode::Unset, message: String::new() },
        resource: Arc::new(Resource { attributes: vec![kv("host.name", text("h2"))], ..Resource::default() }),
        scope: Arc::default(),
    }
}

fn resource() -> Arc<Resource> {
    let entity = b"\x0a\x01s\x12\x07service\x1a\x0cservice.name\x1a\x01b\x22\x01d".to_vec();
    Arc::new(Resource {
        attributes: vec![kv("service.name", text("checkout")), kv("host.id", text("h1"))],
        dropped_attributes_count: 2,
        schema_url: "https://example.org/resource".to_owned(),
        entity_refs: vec![entity],
    })
}

fn scope() -> Arc<Scope> {
    Arc::new(Scope { name: "lib".to_owned(), version: "1.2".to_owned(), dropped_attributes_count: 1, ..Scope::default() })
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}
