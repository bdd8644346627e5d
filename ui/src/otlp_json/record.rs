//! `Span` and `LogRecord` with what they hold.

use serde::{Serialize, Serializer};
use storage::{Event, Hex, Link, LogRecord, Span, SpanId, Status, TraceId, Value};

use super::is_zero;
use super::value::{AnyValue, Attributes, Text};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpanJson<'a> {
    trace_id: Text<TraceId>,
    span_id: Text<SpanId>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<Text<SpanId>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: Text<u64>,
    end_time_unix_nano: Text<u64>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "List::is_empty")]
    events: List<'a, Event>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "List::is_empty")]
    links: List<'a, Link>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    status: StatusJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogJson<'a> {
    #[serde(skip_serializing_if = "is_unset")]
    time_unix_nano: Text<u64>,
    #[serde(skip_serializing_if = "is_unset")]
    observed_time_unix_nano: Text<u64>,
    #[serde(skip_serializing_if = "is_unspecified")]
    severity_number: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    severity_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<AnyValue<'a>>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Text<TraceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Text<SpanId>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_name: &'a str,
}

#[derive(Debug, Serialize)]
struct StatusJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "is_unspecified")]
    code: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    time_unix_nano: Text<u64>,
    name: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson<'a> {
    trace_id: Text<Hex<'a>>,
    span_id: Text<Hex<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

/// Events or links, turned to JSON one by one while they are written.
#[derive(Debug)]
struct List<'a, T>(&'a [T]);

// === conversions ===

impl<'a> From<&'a Span> for SpanJson<'a> {
    fn from(span: &'a Span) -> Self {
        Self {
            trace_id: Text(span.trace_id),
            span_id: Text(span.span_id),
            trace_state: &span.trace_state,
            parent_span_id: span.parent_span_id.map(Text),
            flags: span.flags,
            name: &span.name,
            kind: span.kind.number(),
            start_time_unix_nano: Text(span.start.get()),
            end_time_unix_nano: Text(span.end.get()),
            attributes: Attributes(&span.attributes),
            dropped_attributes_count: span.dropped_attributes_count,
            events: List(&span.events),
            dropped_events_count: span.dropped_events_count,
            links: List(&span.links),
            dropped_links_count: span.dropped_links_count,
            status: (&span.status).into(),
        }
    }
}

impl<'a> From<&'a LogRecord> for LogJson<'a> {
    fn from(record: &'a LogRecord) -> Self {
        Self {
            time_unix_nano: Text(record.time_unix_nano.get()),
            observed_time_unix_nano: Text(record.observed_time.get()),
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            body: (record.body != Value::Empty).then_some(AnyValue(&record.body)),
            attributes: Attributes(&record.attributes),
            dropped_attributes_count: record.dropped_attributes_count,
            flags: record.flags,
            trace_id: record.trace_id.map(Text),
            span_id: record.span_id.map(Text),
            event_name: &record.event_name,
        }
    }
}

impl<'a> From<&'a Status> for StatusJson<'a> {
    fn from(status: &'a Status) -> Self {
        Self { message: &status.message, code: status.code.number() }
    }
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            time_unix_nano: Text(event.time.get()),
            name: &event.name,
            attributes: Attributes(&event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        }
    }
}

impl<'a> From<&'a Link> for LinkJson<'a> {
    fn from(link: &'a Link) -> Self {
        Self {
            trace_id: Text(Hex(&link.trace_id)),
            span_id: Text(Hex(&link.span_id)),
            trace_state: &link.trace_state,
            attributes: Attributes(&link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        }
    }
}

impl<T> List<'_, T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for List<'_, Event> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(EventJson::from))
    }
}

impl Serialize for List<'_, Link> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(LinkJson::from))
    }
}

fn is_unset(time: &Text<u64>) -> bool {
    time.0 == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_unspecified(number: &i32) -> bool {
    *number == 0
}
