//! From stored spans to Jaeger's trace, as the OpenTelemetry Collector's translator maps them.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value as AnyJson;
use storage::trace::{Sheet, Trace};
use storage::{Event, KeyValue, Link, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId, UNKNOWN_SERVICE, UnixNanos, Value};

use crate::distinct::Distinct;
use crate::otlp_json::resource_content;
use crate::plain_json;

/// A trace with the processes that its spans name.
#[derive(Debug, Serialize)]
pub(super) struct TraceJson {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<SpanJson>,
    processes: BTreeMap<String, Process>,
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u32>,
    operation_name: String,
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    tags: Vec<Tag>,
    logs: Vec<Log>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Reference {
    #[serde(rename = "refType")]
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Debug, Serialize)]
struct Log {
    timestamp: u64,
    fields: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
struct Tag {
    key: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: AnyJson,
}

impl TraceJson {
    /// `raw` leaves times, and the order of attributes and events, as they were sent.
    pub(super) fn new(trace: &Trace, raw: bool) -> Self {
        let known: HashSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
        let offsets = if raw {
            Vec::new()
        } else {
            let sheet = Sheet::of(trace);
            sheet.skew().offsets.clone()
        };
        let mut resources = Distinct::new(resource_content);
        let spans = trace.spans.iter().enumerate().map(|(place, span)| {
            let view = View {
                process: resources.number(&span.resource),
                orphan: span.parent_span_id.filter(|parent| !known.contains(parent)),
                offset: offsets.get(place).copied().unwrap_or(0),
                raw,
            };
            SpanJson::new(span, &view)
        });
        let spans = spans.collect();
        let processes = resources.into_known().into_iter().enumerate();
        Self {
            trace_id: trace.id.to_string(),
            spans,
            processes: processes.map(|(number, resource)| (process_id(number), Process::new(resource, raw))).collect(),
            warnings: (!trace.notes.is_empty()).then(|| trace.notes.clone()),
        }
    }

    /// For bounding an answer.
    pub(super) fn span_count(&self) -> usize {
        self.spans.len()
    }
}

/// What is known of a span besides itself.
struct View {
    process: usize,
    /// The parent, when it was not received.
    orphan: Option<SpanId>,
    /// Nanoseconds to add to its times, since its host's clock differs.
    offset: i64,
    raw: bool,
}

impl SpanJson {
    fn new(span: &Span, view: &View) -> Self {
        let flags = span.flags & 0xff;
        let mut logs: Vec<Log> = span.events.iter().map(|event| Log::new(event, view)).collect();
        if !view.raw {
            logs.sort_by_key(|log| log.timestamp);
        }
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            flags: (flags != 0).then_some(flags),
            operation_name: span.name.clone(),
            references: references(span),
            start_time: view.microseconds(span.start),
            duration: span.duration() / 1_000,
            tags: tags(span, view.raw),
            logs,
            process_id: process_id(view.process),
            warnings: warnings(span, view),
        }
    }
}

impl View {
    fn microseconds(&self, time: UnixNanos) -> u64 {
        time.get().saturating_add_signed(self.offset) / 1_000
    }
}

/// The parent first, then links that name a span.
fn references(span: &Span) -> Vec<Reference> {
    let parent = span.parent_span_id.map(|parent| Reference {
        ref_type: "CHILD_OF",
        trace_id: span.trace_id.to_string(),
        span_id: parent.to_string(),
    });
    parent.into_iter().chain(span.links.iter().filter_map(Reference::of)).collect()
}

/// Scope, attributes, kind, status, trace state.
fn tags(span: &Span, raw: bool) -> Vec<Tag> {
    let mut tags = scope_tags(&span.scope);
    tags.extend(attribute_tags(&span.attributes, raw));
    if !matches!(span.kind, SpanKind::Unspecified | SpanKind::Other(_)) {
        tags.push(Tag::text("span.kind", span.kind.as_str()));
    }
    match span.status.code {
        StatusCode::Ok => tags.push(Tag::text("otel.status_code", "OK")),
        StatusCode::Error => {
            tags.push(Tag::text("otel.status_code", "ERROR"));
            // Said once: an attribute of that name, in whatever type, would be read instead.
            tags.retain(|tag| tag.key != "error");
            tags.push(Tag { key: "error".to_owned(), kind: "bool", value: true.into() });
        }
        StatusCode::Unset | StatusCode::Other(_) => {}
    }
    if !span.status.message.is_empty() {
        tags.push(Tag::text("otel.status_description", &span.status.message));
    }
    if !span.trace_state.is_empty() {
        tags.push(Tag::text("w3c.tracestate", &span.trace_state));
    }
    tags
}

fn scope_tags(scope: &Scope) -> Vec<Tag> {
    let named = [("otel.scope.name", &scope.name), ("otel.scope.version", &scope.version)];
    named.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| Tag::text(key, text)).collect()
}

fn attribute_tags(attributes: &[KeyValue], raw: bool) -> Vec<Tag> {
    let mut tags: Vec<Tag> = attributes.iter().map(Tag::from).collect();
    if !raw {
        tags.sort_by(|a, b| a.key.cmp(&b.key));
    }
    tags
}

fn warnings(span: &Span, view: &View) -> Option<Vec<String>> {
    let mut warnings = Vec::new();
    if let Some(parent) = view.orphan {
        warnings.push(format!("the parent span {parent} was not received"));
    }
    if span.end < span.start {
        warnings.push("the span ends before it starts; its duration is shown as 0".to_owned());
    }
    if view.offset != 0 {
        let us = view.offset / 1_000;
        warnings.push(format!("the span was moved by {us} us, since the clocks of the hosts differ; `raw=true` gives times as sent"));
    }
    let dropped =
        [("attributes", span.dropped_attributes_count), ("events", span.dropped_events_count), ("links", span.dropped_links_count)];
    for (what, count) in dropped {
        if count > 0 {
            warnings.push(format!("the sender dropped {count} {what} of this span"));
        }
    }
    (!warnings.is_empty()).then_some(warnings)
}

impl Reference {
    /// `None` when the ids are not those of a span.
    fn of(link: &Link) -> Option<Self> {
        let trace_id = TraceId::from_slice(&link.trace_id)?;
        let span_id = SpanId::from_slice(&link.span_id)?;
        // How spans that came through OpenTracing say that a link is a second parent.
        let child_of = link.attributes.iter().any(|kv| kv.key == "opentracing.ref_type" && kv.value.as_str() == Some("child_of"));
        let ref_type = if child_of { "CHILD_OF" } else { "FOLLOWS_FROM" };
        Some(Self { ref_type, trace_id: trace_id.to_string(), span_id: span_id.to_string() })
    }
}

impl Log {
    fn new(event: &Event, view: &View) -> Self {
        let named = event.attributes.iter().any(|kv| kv.key == "event");
        let mut fields = Vec::with_capacity(event.attributes.len() + 1);
        if !event.name.is_empty() && !named {
            fields.push(Tag::text("event", &event.name));
        }
        fields.extend(attribute_tags(&event.attributes, view.raw));
        Self { timestamp: view.microseconds(event.time), fields }
    }
}

impl Process {
    fn new(resource: &Resource, raw: bool) -> Self {
        let service_name = resource.service_name();
        let mut tags = attribute_tags(&resource.attributes, raw);
        if service_name != UNKNOWN_SERVICE {
            tags.retain(|tag| tag.key != "service.name");
        }
        Self { service_name: jaeger_service(service_name.to_owned()), tags }
    }
}

impl Tag {
    fn text(key: &str, text: &str) -> Self {
        Self { key: key.to_owned(), kind: "string", value: text.into() }
    }
}

impl From<&KeyValue> for Tag {
    fn from(kv: &KeyValue) -> Self {
        let (kind, value) = match &kv.value {
            Value::Bool(truth) => ("bool", AnyJson::Bool(*truth)),
            Value::Int(number) => ("int64", plain_json::int(*number)),
            Value::Double(number) => ("float64", plain_json::value(&Value::Double(*number))),
            Value::Bytes(bytes) => ("binary", STANDARD.encode(bytes).into()),
            other => ("string", other.to_string().into()),
        };
        Self { key: kv.key.clone(), kind, value }
    }
}

fn process_id(number: usize) -> String {
    format!("p{}", number + 1)
}

/// What Jaeger's clients know a resource without name by.
const NO_SERVICE_NAME: &str = "OTLPResourceNoServiceName";

/// A service as Jaeger's clients know it.
pub(super) fn jaeger_service(name: String) -> String {
    if name == UNKNOWN_SERVICE { NO_SERVICE_NAME.to_owned() } else { name }
}

/// A service that a client of Jaeger names, as it is known here.
pub(super) fn own_service(name: &str) -> &str {
    if name == NO_SERVICE_NAME { UNKNOWN_SERVICE } else { name }
}
