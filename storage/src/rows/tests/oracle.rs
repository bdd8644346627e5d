//! Random requests, and what they must read as, by prost's reading.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1 as wire_logs;
use opentelemetry_proto::tonic::resource::v1 as wire_resource;
use opentelemetry_proto::tonic::trace::v1 as wire;
use prost::Message;

use crate::model::{Event, KeyValue, Link, LogRecord, Resource, Scope, Span, SpanId, Status, TraceId, UnixNanos, Value};
use crate::otlp::Context;

/// A small generator of numbers: the same seed gives the same request.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn uint32(&mut self) -> u32 {
        [0, 1, 257, u32::MAX][self.below(4)]
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 10] = [
            "",
            "a",
            "key",
            "service.name",
            "exactly 12 b",
            "thirteen byte",
            "exception",
            "exception.message",
            "ünïcödé ☃ longer than twelve",
            "\0\n\"<b>",
        ];
        TEXTS[self.below(TEXTS.len())].to_owned()
    }

    fn time(&mut self) -> u64 {
        [0, 1, 1_544_712_660_000_000_123, 1_999_999_999_999_999_999, u64::MAX, 2_500_000_000_000_000_000][self.below(6)]
    }

    fn id(&mut self, size: usize) -> Vec<u8> {
        let size = [0, size - 1, size, size, size, size, size, size, size, size][self.below(10)];
        let fill = if self.below(10) == 0 { 0 } else { self.byte() };
        vec![fill; size]
    }

    fn any(&mut self, depth: usize) -> common::AnyValue {
        let value = match self.below(if depth > 4 { 8 } else { 10 }) {
            0 => None,
            1 | 2 => Some(Any::StringValue(self.text())),
            3 => Some(Any::BoolValue(self.below(2) == 0)),
            4 => Some(Any::IntValue(self.next().cast_signed() >> self.below(64))),
            5 => Some(Any::DoubleValue([f64::NAN, f64::INFINITY, -0.0, 5e-324, 1.5][self.below(5)])),
            6 => Some(Any::BytesValue(self.id(16))),
            7 => Some(Any::StringValueStrindex(3)),
            8 => Some(Any::ArrayValue(common::ArrayValue { values: (0..self.below(4)).map(|_| self.any(depth + 1)).collect() })),
            _ => Some(Any::KvlistValue(common::KeyValueList { values: self.pairs(depth + 1, 4) })),
        };
        common::AnyValue { value }
    }

    fn pairs(&mut self, depth: usize, most: usize) -> Vec<common::KeyValue> {
        let pair = |dice: &mut Self| {
            let key = if dice.below(3) == 0 { dice.text() } else { format!("key.{}", dice.below(1000)) };
            common::KeyValue { key, value: (dice.below(9) > 0).then(|| dice.any(depth)), key_strindex: 0 }
        };
        (0..self.below(most)).map(|_| pair(self)).collect()
    }

    fn attributes(&mut self) -> Vec<common::KeyValue> {
        let most = if self.below(20) == 0 { 60 } else { 8 };
        self.pairs(0, most)
    }

    /// Flips, cuts, repeats or inserts a byte or a few.
    pub(super) fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            if bytes.is_empty() {
                return vec![self.byte()];
            }
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes[at] = self.byte(),
                2 => bytes[at] ^= 1 << self.below(8),
                3 => bytes.insert(at, self.byte()),
                _ => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
        }
        bytes
    }
}

fn random_resource(dice: &mut Dice) -> Option<wire_resource::Resource> {
    let entity = |dice: &mut Dice| common::EntityRef {
        schema_url: dice.text(),
        r#type: dice.text(),
        id_keys: vec![dice.text()],
        description_keys: vec![],
    };
    (dice.below(5) > 0).then(|| wire_resource::Resource {
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
        entity_refs: (0..dice.below(3)).map(|_| entity(dice)).collect(),
    })
}

fn random_scope(dice: &mut Dice) -> Option<common::InstrumentationScope> {
    (dice.below(5) > 0).then(|| common::InstrumentationScope {
        name: dice.text(),
        version: dice.text(),
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
    })
}

pub(super) fn random_spans(dice: &mut Dice) -> ExportTraceServiceRequest {
    let scope = |dice: &mut Dice| wire::ScopeSpans {
        scope: random_scope(dice),
        spans: (0..dice.below(4)).map(|_| random_span(dice)).collect(),
        schema_url: dice.text(),
    };
    let resource = |dice: &mut Dice| wire::ResourceSpans {
        resource: random_resource(dice),
        scope_spans: (0..dice.below(3)).map(|_| scope(dice)).collect(),
        schema_url: dice.text(),
    };
    ExportTraceServiceRequest { resource_spans: (0..dice.below(4)).map(|_| resource(dice)).collect() }
}

fn random_span(dice: &mut Dice) -> wire::Span {
    let event = |dice: &mut Dice| wire::span::Event {
        time_unix_nano: dice.time(),
        name: dice.text(),
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
    };
    let link = |dice: &mut Dice| wire::span::Link {
        trace_id: dice.id(16),
        span_id: dice.id(8),
        trace_state: dice.text(),
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
        flags: dice.uint32(),
    };
    wire::Span {
        trace_id: dice.id(16),
        span_id: dice.id(8),
        trace_state: dice.text(),
        parent_span_id: dice.id(8),
        flags: dice.uint32(),
        name: dice.text(),
        kind: [0, 1, 2, 3, 4, 5, -1, 77][dice.below(8)],
        start_time_unix_nano: dice.time(),
        end_time_unix_nano: dice.time(),
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
        events: (0..dice.below(4)).map(|_| event(dice)).collect(),
        dropped_events_count: dice.uint32(),
        links: (0..dice.below(3)).map(|_| link(dice)).collect(),
        dropped_links_count: dice.uint32(),
        status: (dice.below(3) > 0).then(|| wire::Status { message: dice.text(), code: [0, 1, 2, 7][dice.below(4)] }),
    }
}

pub(super) fn random_logs(dice: &mut Dice) -> ExportLogsServiceRequest {
    let log = |dice: &mut Dice| wire_logs::LogRecord {
        time_unix_nano: dice.time(),
        observed_time_unix_nano: dice.time(),
        severity_number: [0, 9, 24, 99, -3][dice.below(5)],
        severity_text: dice.text(),
        body: (dice.below(6) > 0).then(|| dice.any(0)),
        attributes: dice.attributes(),
        dropped_attributes_count: dice.uint32(),
        flags: dice.uint32(),
        trace_id: dice.id(16),
        span_id: dice.id(8),
        event_name: dice.text(),
    };
    let scope = |dice: &mut Dice| wire_logs::ScopeLogs {
        scope: random_scope(dice),
        log_records: (0..dice.below(4)).map(|_| log(dice)).collect(),
        schema_url: dice.text(),
    };
    let resource = |dice: &mut Dice| wire_logs::ResourceLogs {
        resource: random_resource(dice),
        scope_logs: (0..dice.below(3)).map(|_| scope(dice)).collect(),
        schema_url: dice.text(),
    };
    ExportLogsServiceRequest { resource_logs: (0..dice.below(4)).map(|_| resource(dice)).collect() }
}

// === what it must read as ===

fn value_of(any: Option<&common::AnyValue>) -> Value {
    match any.and_then(|any| any.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => Value::Empty,
        Some(Any::StringValue(text)) => Value::String(text.clone()),
        Some(Any::BoolValue(is)) => Value::Bool(*is),
        Some(Any::IntValue(number)) => Value::Int(*number),
        Some(Any::DoubleValue(number)) => Value::Double(*number),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(Any::ArrayValue(array)) => Value::Array(array.values.iter().map(|any| value_of(Some(any))).collect()),
        Some(Any::KvlistValue(list)) => Value::Map(pairs_of(&list.values)),
    }
}

fn pairs_of(pairs: &[common::KeyValue]) -> Vec<KeyValue> {
    pairs.iter().map(|pair| KeyValue { key: pair.key.clone(), value: value_of(pair.value.as_ref()) }).collect()
}

/// In the order of the columns they are stored in.
fn attributes_of(pairs: &[common::KeyValue]) -> Vec<KeyValue> {
    let mut attributes = pairs_of(pairs);
    let all = attributes.clone();
    attributes.sort_by_key(|pair| {
        let repeated = all.iter().filter(|other| other.key == pair.key).count() > 1;
        match pair.value {
            _ if repeated => 4,
            Value::String(_) => 0,
            Value::Int(_) => 1,
            Value::Double(_) => 2,
            Value::Bool(_) => 3,
            _ => 4,
        }
    });
    attributes
}

fn resource_of(resource: Option<&wire_resource::Resource>, schema_url: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: resource.map(|resource| pairs_of(&resource.attributes)).unwrap_or_default(),
        dropped_attributes_count: resource.map_or(0, |resource| resource.dropped_attributes_count),
        schema_url: schema_url.to_owned(),
        entity_refs: resource.map(|resource| resource.entity_refs.iter().map(Message::encode_to_vec).collect()).unwrap_or_default(),
    })
}

fn scope_of(scope: Option<&common::InstrumentationScope>, schema_url: &str) -> Arc<Scope> {
    let scope = scope.cloned().unwrap_or_default();
    Arc::new(Scope {
        name: scope.name,
        version: scope.version,
        attributes: pairs_of(&scope.attributes),
        dropped_attributes_count: scope.dropped_attributes_count,
        schema_url: schema_url.to_owned(),
    })
}

/// The spans that must be kept, and how many must be refused.
pub(super) fn spans_of(request: &ExportTraceServiceRequest, now: u64) -> (Vec<Span>, u64) {
    let (mut spans, mut rejected) = (Vec::new(), 0);
    for outer in &request.resource_spans {
        let resource = resource_of(outer.resource.as_ref(), &outer.schema_url);
        for inner in &outer.scope_spans {
            let scope = scope_of(inner.scope.as_ref(), &inner.schema_url);
            for span in &inner.spans {
                let ids = (TraceId::from_slice(&span.trace_id), SpanId::from_slice(&span.span_id));
                let (Some(trace_id), Some(span_id), true) = (ids.0, ids.1, span.start_time_unix_nano <= now + 86_400_000_000_000) else {
                    rejected += 1;
                    continue;
                };
                spans.push(span_of(span, trace_id, span_id, &resource, &scope));
            }
        }
    }
    (spans, rejected)
}

fn span_of(span: &wire::Span, trace_id: TraceId, span_id: SpanId, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Span {
    let status = span.status.clone().unwrap_or_default();
    let event = |event: &wire::span::Event| Event {
        time: UnixNanos::new(event.time_unix_nano),
        name: event.name.clone(),
        attributes: pairs_of(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    };
    let link = |link: &wire::span::Link| Link {
        trace_id: link.trace_id.clone(),
        span_id: link.span_id.clone(),
        trace_state: link.trace_state.clone(),
        attributes: pairs_of(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    };
    Span {
        trace_id,
        span_id,
        parent_span_id: SpanId::from_slice(&span.parent_span_id),
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind.into(),
        start: UnixNanos::new(span.start_time_unix_nano),
        end: UnixNanos::new(span.end_time_unix_nano),
        attributes: attributes_of(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Status { code: status.code.into(), message: status.message },
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
    }
}

/// The records that must be kept: all.
pub(super) fn logs_of(request: &ExportLogsServiceRequest, context: &Context) -> Vec<LogRecord> {
    let mut logs = Vec::new();
    for outer in &request.resource_logs {
        let resource = resource_of(outer.resource.as_ref(), &outer.schema_url);
        for inner in &outer.scope_logs {
            let scope = scope_of(inner.scope.as_ref(), &inner.schema_url);
            for log in &inner.log_records {
                let times = [log.time_unix_nano, log.observed_time_unix_nano, context.now.get()];
                let time = times.into_iter().find(|time| *time != 0).unwrap_or(0).min(context.now.get() + 86_400_000_000_000);
                logs.push(LogRecord {
                    record_id: context.first_record_id + u64::try_from(logs.len()).unwrap(),
                    time: UnixNanos::new(time),
                    time_unix_nano: UnixNanos::new(log.time_unix_nano),
                    observed_time: UnixNanos::new(log.observed_time_unix_nano),
                    trace_id: TraceId::from_slice(&log.trace_id),
                    span_id: SpanId::from_slice(&log.span_id),
                    severity_number: log.severity_number,
                    severity_text: log.severity_text.clone(),
                    body: value_of(log.body.as_ref()),
                    attributes: attributes_of(&log.attributes),
                    dropped_attributes_count: log.dropped_attributes_count,
                    flags: log.flags,
                    event_name: log.event_name.clone(),
                    resource: Arc::clone(&resource),
                    scope: Arc::clone(&scope),
                });
            }
        }
    }
    logs
}
