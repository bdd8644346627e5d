//! Traces that tests look at.

use std::sync::Arc;

use storage::trace::{Sheet, Trace};
use storage::{Event, KeyValue, Link, LogRecord, Resource, Scope, Span, SpanId, SpanKind, Status, StatusCode, TraceId, UnixNanos, Value};

use super::{Scene, Wanted};
use crate::view::colour::Palette;
use crate::view::format::Clockface;
use crate::view::link::Links;

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Value::String(value.to_owned()) }
}

fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource { attributes: vec![text("service.name", service)], ..Resource::default() })
}

/// A span of `service` from `start` to `end` milliseconds.
pub(crate) fn span(id: u8, parent: u8, service: &str, name: &str, start: u64, end: u64) -> Span {
    let at = |ms: u64| UnixNanos::new(1_795_176_202_000_000_000 + ms * 1_000_000);
    Span {
        trace_id: TraceId::from_slice(&[7; 16]).unwrap(),
        span_id: SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 1, id]).unwrap(),
        parent_span_id: (parent > 0).then(|| SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 1, parent]).unwrap()),
        trace_state: String::new(),
        flags: 1,
        name: name.to_owned(),
        kind: SpanKind::Server,
        start: at(start),
        end: at(end),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status { code: StatusCode::Unset, message: String::new() },
        resource: resource(service),
        scope: Arc::new(Scope::default()),
    }
}

/// A checkout whose payment is declined: four spans, one failure with an exception.
pub(crate) fn checkout() -> Trace {
    hostile("card declined")
}

/// The checkout with a text of choice in every field that a sender fills.
pub(crate) fn hostile(message: &str) -> Trace {
    let mut charge = span(3, 1, "payment", "ChargeCard", 40, 90);
    charge.kind = SpanKind::Client;
    charge.status = Status { code: StatusCode::Error, message: message.to_owned() };
    charge.attributes = vec![
        KeyValue { key: "http.response.status_code".to_owned(), value: Value::Int(402) },
        text("note", message),
        KeyValue { key: message.to_owned(), value: Value::Map(vec![text(message, message)]) },
    ];
    charge.trace_state = message.to_owned();
    charge.scope =
        Arc::new(Scope { name: message.to_owned(), version: message.to_owned(), schema_url: message.to_owned(), ..Scope::default() });
    let exception = vec![text("exception.type", message), text("exception.message", message), text("exception.stacktrace", message)];
    charge.events = vec![
        Event { time: charge.start.plus(1_000), name: "exception".to_owned(), attributes: exception, dropped_attributes_count: 0 },
        Event {
            time: charge.start.plus(2_000),
            name: message.to_owned(),
            attributes: vec![text(message, message)],
            dropped_attributes_count: 0,
        },
    ];
    charge.links = vec![Link { trace_id: vec![9; 16], span_id: vec![9; 8], attributes: vec![text("why", message)], ..Link::default() }];
    let id = TraceId::from_slice(&[7; 16]).unwrap();
    let spans = vec![
        span(1, 0, "gateway", "POST /checkout", 0, 100),
        span(2, 1, "orders", "Reserve", 5, 30),
        charge,
        span(4, 2, "orders", "SELECT stock", 10, 20),
    ];
    Trace::assemble(id, spans, true, Vec::new())
}

/// A scene with every span at hand, as after asking the store for all of them. What is looked for is a service or a part of a name.
pub(crate) fn scene(trace: &Trace, logs: Vec<LogRecord>, wanted: Wanted, means: (Links, Clockface, Palette)) -> Scene {
    let mut scene = Scene::new(Arc::new(Sheet::of(trace)), logs, wanted, means);
    let find = scene.wanted.find.clone();
    if !find.is_empty() {
        let is_found = |place: &usize| match find.strip_prefix("service:") {
            Some(service) => scene.sheet.service(*place) == service,
            None => scene.sheet.name(*place).contains(&find),
        };
        scene.matches = Arc::new(scene.sheet.tree().preorder().iter().copied().filter(is_found).collect());
    }
    scene.details = trace.spans.iter().cloned().enumerate().collect();
    scene.findings = storage::trace::findings(&scene.sheet, None, &scene.details, UnixNanos::new(0));
    scene
}

/// A log record of the charge.
pub(crate) fn record(message: &str) -> LogRecord {
    let span = span(3, 1, "payment", "ChargeCard", 40, 90);
    LogRecord {
        record_id: 5,
        time: span.start.plus(3_000_000),
        time_unix_nano: span.start,
        observed_time: span.start,
        trace_id: Some(span.trace_id),
        span_id: Some(span.span_id),
        severity_number: 13,
        severity_text: message.to_owned(),
        body: Value::String(message.to_owned()),
        attributes: vec![text("key", message), text(message, "value")],
        dropped_attributes_count: 0,
        flags: 0,
        event_name: message.to_owned(),
        resource: resource("payment"),
        scope: Arc::new(Scope { name: message.to_owned(), ..Scope::default() }),
    }
}
