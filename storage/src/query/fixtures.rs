//! Rows for tests: model values laid out in the columns of `schema`, independent of how OTLP is decoded.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder, MapBuilder,
    MapFieldNames, RecordBatch, StringViewBuilder,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue as WireKeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event as WireEvent, Link as WireLink};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan};
use prost::Message as _;

use crate::attributes::{Layout, Type};
use crate::files::Place;
use crate::model::{KeyValue, LogRecord, Resource, Scope, Span, SpanId, SpanKind, Status, StatusCode, TraceId, UnixNanos, Value};
use crate::schema;
use crate::segment::{self, Segment};
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Signal;

/// A trace id out of a small number.
pub(crate) fn trace_id(n: u64) -> TraceId {
    let mut bytes = [0x11; 16];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes[15] |= 1;
    bytes[8] = 1;
    bytes[9..15].copy_from_slice(&n.to_be_bytes()[2..]);
    TraceId::from_slice(&bytes).unwrap()
}

/// A span id out of a small number above zero.
pub(crate) fn span_id(n: u64) -> SpanId {
    SpanId::from_slice(&n.to_be_bytes()).unwrap()
}

/// An attribute with a text value.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Value::String(value.to_owned()) }
}

/// A resource with a service name.
pub(crate) fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource { attributes: vec![text("service.name", service)], ..Resource::default() })
}

/// A span of kind internal without anything.
pub(crate) fn span(trace: u64, id: u64, parent: u64, service: &str, name: &str, start: u64, duration: u64) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: span_id(id),
        parent_span_id: (parent != 0).then(|| span_id(parent)),
        trace_state: String::new(),
        flags: 0,
        name: name.to_owned(),
        kind: SpanKind::Internal,
        start: UnixNanos::new(start),
        end: UnixNanos::new(start + duration),
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

/// A log record with a text body.
pub(crate) fn log(record_id: u64, service: &str, body: &str, time: u64) -> LogRecord {
    LogRecord {
        record_id,
        time: UnixNanos::new(time),
        time_unix_nano: UnixNanos::new(time),
        observed_time: UnixNanos::new(0),
        trace_id: None,
        span_id: None,
        severity_number: 9,
        severity_text: String::new(),
        body: Value::String(body.to_owned()),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        flags: 0,
        event_name: String::new(),
        resource: resource(service),
        scope: Arc::new(Scope::default()),
    }
}

/// A snapshot with these batches in memory, and with one segment for each of these lists. The folder must live as long.
pub(crate) fn snapshot(folder: &std::path::Path, signal: Signal, buffered: Vec<RecordBatch>, segments: Vec<Vec<RecordBatch>>) -> Snapshot {
    snapshot_in(|| None, folder, signal, buffered, segments)
}

/// Segments for which `layout` gives one are merged ones with columns of promoted attributes.
pub(crate) fn snapshot_in(
    mut layout: impl FnMut() -> Option<Layout>,
    folder: &std::path::Path,
    signal: Signal,
    buffered: Vec<RecordBatch>,
    segments: Vec<Vec<RecordBatch>>,
) -> Snapshot {
    let mut table = TableSnapshot { buffered, ..TableSnapshot::default() };
    let folder = &Place::real(folder);
    for batches in segments {
        let metas = match layout() {
            None => segment::write(folder, folder, signal, 0, segment::Origin::default(), batches).unwrap(),
            Some(layout) => segment::fixture::write_in(layout, (folder, folder), signal, batches),
        };
        table.segments.extend(metas.into_iter().map(|meta| Arc::new(Segment::open(folder, meta).unwrap())));
    }
    table.segments.sort_by_key(|segment| (Reverse(segment.meta().max_time), Reverse(segment.meta().id)));
    match signal {
        Signal::Traces => Snapshot { spans: table, ..Snapshot::default() },
        Signal::Logs => Snapshot { logs: table, ..Snapshot::default() },
    }
}

/// Some of these keys as columns of some types; now and then none.
pub(crate) fn layout(dice: &mut Dice, keys: &[&str]) -> Layout {
    let chosen: Vec<&&str> = keys.iter().filter(|_| dice.roll(3) > 0).collect();
    Layout::new(chosen.into_iter().map(|key| ((*key).to_owned(), *dice.pick(&Type::ALL))).collect::<Vec<_>>())
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// A number below `sides`, to count with.
    pub(crate) fn count(&mut self, sides: u64) -> usize {
        usize::try_from(self.roll(sides)).unwrap()
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.count(of.len() as u64)]
    }
}

/// Spans as one batch.
pub(crate) fn spans(rows: &[Span]) -> RecordBatch {
    let exception = |span: &Span, key: &str| {
        let event = span.events.iter().find(|event| event.name == "exception")?;
        event.attributes.iter().find(|kv| kv.key == key)?.value.as_str().map(str::to_owned)
    };
    let mut columns: Vec<ArrayRef> = vec![
        ids(16, rows.iter().map(|s| Some(s.trace_id.as_bytes().to_vec()))),
        ids(8, rows.iter().map(|s| Some(s.span_id.as_bytes().to_vec()))),
        ids(8, rows.iter().map(|s| s.parent_span_id.map(|id| id.as_bytes().to_vec()))),
        longs(rows.iter().map(|s| s.start.get())),
        longs(rows.iter().map(|s| s.end.get())),
        longs(rows.iter().map(Span::duration)),
        texts(rows.iter().map(|s| Some(s.name.clone()))),
        ints(rows.iter().map(|s| Some(s.kind.number()))),
        ints(rows.iter().map(|s| Some(s.status.code.number()))),
        texts(rows.iter().map(|s| Some(s.status.message.clone()).filter(|m| !m.is_empty()))),
        texts(rows.iter().map(|s| Some(s.service_name().to_owned()))),
        bytes(
            rows.iter().map(|s| Some(ResourceSpans { resource: Some(wire_resource(&s.resource)), ..Default::default() }.encode_to_vec())),
        ),
        bytes(rows.iter().map(|s| Some(ScopeSpans { scope: wire_scope(&s.scope), ..Default::default() }.encode_to_vec()))),
    ];
    columns.extend(attributes(rows.iter().map(|s| s.attributes.as_slice())));
    columns.extend([
        texts(rows.iter().map(|s| Some(s.trace_state.clone()).filter(|m| !m.is_empty()))),
        longs(rows.iter().map(|s| u64::from(s.flags))),
        longs(rows.iter().map(|s| u64::from(s.dropped_attributes_count))),
        longs(rows.iter().map(|s| u64::from(s.dropped_events_count))),
        longs(rows.iter().map(|s| u64::from(s.dropped_links_count))),
        bytes(rows.iter().map(events)),
        bytes(rows.iter().map(links)),
        texts(rows.iter().map(|s| (!s.events.is_empty()).then(|| s.events.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join("\n")))),
        texts(rows.iter().map(|s| exception(s, "exception.type"))),
        texts(rows.iter().map(|s| exception(s, "exception.message"))),
        texts(rows.iter().map(|s| peer(s).map(|p| p.0))),
        ints(rows.iter().map(|s| peer(s).map(|p| p.1))),
        texts(rows.iter().map(|s| peer(s).and_then(|p| p.2))),
    ]);
    RecordBatch::try_new(schema::of(Signal::Traces), columns).unwrap()
}

/// Log records as one batch.
pub(crate) fn logs(rows: &[LogRecord]) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = vec![
        longs(rows.iter().map(|r| r.record_id)),
        longs(rows.iter().map(|r| r.time.get())),
        longs(rows.iter().map(|r| r.time_unix_nano.get())),
        longs(rows.iter().map(|r| r.observed_time.get())),
        ids(16, rows.iter().map(|r| r.trace_id.map(|id| id.as_bytes().to_vec()))),
        ids(8, rows.iter().map(|r| r.span_id.map(|id| id.as_bytes().to_vec()))),
        ints(rows.iter().map(|r| Some(r.severity_number))),
        texts(rows.iter().map(|r| Some(r.severity_text.clone()).filter(|t| !t.is_empty()))),
        texts(rows.iter().map(|r| Some(r.service_name().to_owned()))),
        texts(rows.iter().map(|r| r.body.as_str().map(str::to_owned))),
        bytes(rows.iter().map(|_| None)),
        bytes(rows.iter().map(|r| Some(ResourceLogs { resource: Some(wire_resource(&r.resource)), ..Default::default() }.encode_to_vec()))),
        bytes(rows.iter().map(|r| Some(ScopeLogs { scope: wire_scope(&r.scope), ..Default::default() }.encode_to_vec()))),
    ];
    columns.extend(attributes(rows.iter().map(|r| r.attributes.as_slice())));
    columns.extend([
        texts(rows.iter().map(|r| Some(r.event_name.clone()).filter(|t| !t.is_empty()))),
        longs(rows.iter().map(|r| u64::from(r.flags))),
        longs(rows.iter().map(|r| u64::from(r.dropped_attributes_count))),
    ]);
    RecordBatch::try_new(schema::of(Signal::Logs), columns).unwrap()
}

/// A simple form of the real derivation: enough to fill the columns.
pub(crate) fn peer(span: &Span) -> Option<(String, i32, Option<String>)> {
    if !matches!(span.kind, SpanKind::Client | SpanKind::Producer | SpanKind::Consumer) {
        return None;
    }
    let get = |key| span.attribute(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(system) = get("db.system.name") {
        return Some((get("db.namespace").unwrap_or_else(|| system.clone()), 1, Some(system)));
    }
    if let Some(topic) = get("messaging.destination.name") {
        return Some((topic, 2, get("messaging.system")));
    }
    get("peer.service").or_else(|| get("server.address")).map(|name| (name, 3, None))
}

fn events(span: &Span) -> Option<Vec<u8>> {
    let wire = |event: &crate::model::Event| WireEvent {
        time_unix_nano: event.time.get(),
        name: event.name.clone(),
        attributes: wire_attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    };
    (!span.events.is_empty()).then(|| WireSpan { events: span.events.iter().map(wire).collect(), ..Default::default() }.encode_to_vec())
}

fn links(span: &Span) -> Option<Vec<u8>> {
    let wire = |link: &crate::model::Link| WireLink {
        trace_id: link.trace_id.clone(),
        span_id: link.span_id.clone(),
        attributes: wire_attributes(&link.attributes),
        ..Default::default()
    };
    (!span.links.is_empty()).then(|| WireSpan { links: span.links.iter().map(wire).collect(), ..Default::default() }.encode_to_vec())
}

fn wire_resource(resource: &Resource) -> WireResource {
    WireResource { attributes: wire_attributes(&resource.attributes), ..Default::default() }
}

fn wire_scope(scope: &Scope) -> Option<InstrumentationScope> {
    (*scope != Scope::default()).then(|| InstrumentationScope {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: wire_attributes(&scope.attributes),
        ..Default::default()
    })
}

fn wire_attributes(attributes: &[KeyValue]) -> Vec<WireKeyValue> {
    attributes.iter().map(|kv| WireKeyValue { key: kv.key.clone(), value: Some(wire_value(&kv.value)), ..Default::default() }).collect()
}

fn wire_value(value: &Value) -> AnyValue {
    AnyValue {
        value: match value {
            Value::Empty => None,
            Value::String(v) => Some(Any::StringValue(v.clone())),
            Value::Bool(v) => Some(Any::BoolValue(*v)),
            Value::Int(v) => Some(Any::IntValue(*v)),
            Value::Double(v) => Some(Any::DoubleValue(*v)),
            Value::Bytes(v) => Some(Any::BytesValue(v.clone())),
            Value::Array(v) => Some(Any::ArrayValue(ArrayValue { values: v.iter().map(wire_value).collect() })),
            Value::Map(v) => Some(Any::KvlistValue(KeyValueList { values: wire_attributes(v) })),
        },
    }
}

fn ids(width: i32, values: impl Iterator<Item = Option<Vec<u8>>>) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::new(width);
    for value in values {
        match value {
            Some(value) => builder.append_value(value).unwrap(),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn longs(values: impl Iterator<Item = u64>) -> ArrayRef {
    let mut builder = Int64Builder::new();
    values.for_each(|value| builder.append_value(value.cast_signed()));
    Arc::new(builder.finish())
}

fn ints(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    let mut builder = Int32Builder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    let mut builder = StringViewBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn bytes(values: impl Iterator<Item = Option<Vec<u8>>>) -> ArrayRef {
    let mut builder = BinaryViewBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn attributes<'a>(rows: impl Iterator<Item = &'a [KeyValue]>) -> Vec<ArrayRef> {
    let names = || Some(MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() });
    let mut text = MapBuilder::new(names(), StringViewBuilder::new(), StringViewBuilder::new());
    let mut int = MapBuilder::new(names(), StringViewBuilder::new(), Int64Builder::new());
    let mut double = MapBuilder::new(names(), StringViewBuilder::new(), Float64Builder::new());
    let mut boolean = MapBuilder::new(names(), StringViewBuilder::new(), BooleanBuilder::new());
    let mut any = MapBuilder::new(names(), StringViewBuilder::new(), BinaryViewBuilder::new());
    for row in rows {
        for kv in row {
            let repeated = row.iter().filter(|other| other.key == kv.key).count() > 1;
            match &kv.value {
                Value::String(v) if !repeated => {
                    text.keys().append_value(&kv.key);
                    text.values().append_value(v);
                }
                Value::Int(v) if !repeated => {
                    int.keys().append_value(&kv.key);
                    int.values().append_value(*v);
                }
                Value::Double(v) if !repeated => {
                    double.keys().append_value(&kv.key);
                    double.values().append_value(*v);
                }
                Value::Bool(v) if !repeated => {
                    boolean.keys().append_value(&kv.key);
                    boolean.values().append_value(*v);
                }
                other => {
                    any.keys().append_value(&kv.key);
                    any.values().append_value(wire_value(other).encode_to_vec());
                }
            }
        }
        text.append(true).unwrap();
        int.append(true).unwrap();
        double.append(true).unwrap();
        boolean.append(true).unwrap();
        any.append(true).unwrap();
    }
    vec![Arc::new(text.finish()), Arc::new(int.finish()), Arc::new(double.finish()), Arc::new(boolean.finish()), Arc::new(any.finish())]
}
