//! Requests of the simulation: consecutive numbers, and items that follow from them.

use std::ops::Range;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord as WireLog, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan};
use prost::Message as _;

use crate::model::{LogRecord, Span, UnixNanos, Value};
use crate::store::Signal;

use super::Fate;

/// One request: consecutive numbers, whose items are made from them.
#[derive(Clone, Debug)]
pub(in crate::store::simulation) struct Request {
    pub(in crate::store::simulation) signal: Signal,
    pub(in crate::store::simulation) first: u64,
    pub(in crate::store::simulation) count: u64,
    pub(in crate::store::simulation) sent: UnixNanos,
    pub(in crate::store::simulation) fate: Fate,
    /// How often its spans were sent again with other content.
    pub(in crate::store::simulation) versions: u64,
    /// The version that its spans have at least: an older one was replaced for certain.
    pub(in crate::store::simulation) replaced: u64,
}

/// The number of a record.
pub(in crate::store::simulation) fn log_number(log: &LogRecord) -> Option<u64> {
    log.attributes.iter().find(|attribute| attribute.key == "n").and_then(|attribute| match &attribute.value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    })
}

/// The number of a span.
pub(in crate::store::simulation) fn span_number(span: &Span) -> u64 {
    u64::from_be_bytes(*span.span_id.as_bytes()) - 1
}

/// How often a span was sent again when this was sent.
pub(in crate::store::simulation) fn span_version(span: &Span) -> Option<u64> {
    match span.attribute("version") {
        Some(Value::Int(version)) => u64::try_from(*version).ok(),
        _ => None,
    }
}

/// A word that only one record has.
pub(in crate::store::simulation) fn word(number: u64) -> String {
    format!("order{number}x")
}

fn body(number: u64) -> String {
    format!("{} was placed {}", word(number), "and paid ".repeat(usize::try_from(number % 40).unwrap()))
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }), ..KeyValue::default() }
}

fn int(key: &str, value: u64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::IntValue(value.cast_signed())) }), ..KeyValue::default() }
}

// === impl Request ===

impl Request {
    /// The numbers of its items.
    pub(in crate::store::simulation) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.count
    }

    /// The bytes that are sent, of spans in their newest version.
    pub(in crate::store::simulation) fn payload(&self) -> Bytes {
        self.payload_of(self.versions)
    }

    fn payload_of(&self, version: u64) -> Bytes {
        let numbers = self.numbers();
        let resource = Some(Resource { attributes: vec![text("service.name", &self.service())], ..Resource::default() });
        match self.signal {
            Signal::Logs => {
                let scope = ScopeLogs { log_records: numbers.map(|number| self.wire_log(number)).collect(), ..ScopeLogs::default() };
                let logs = ResourceLogs { resource, scope_logs: vec![scope], ..ResourceLogs::default() };
                ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec().into()
            }
            Signal::Traces => {
                let scope = ScopeSpans { spans: numbers.map(|number| self.wire_span(number, version)).collect(), ..ScopeSpans::default() };
                let spans = ResourceSpans { resource, scope_spans: vec![scope], ..ResourceSpans::default() };
                ExportTraceServiceRequest { resource_spans: vec![spans] }.encode_to_vec().into()
            }
        }
    }

    fn service(&self) -> String {
        format!("service-{}", self.first % 3)
    }

    fn time(&self, number: u64) -> u64 {
        self.sent.get() + number % 1000
    }

    fn wire_log(&self, number: u64) -> WireLog {
        WireLog {
            time_unix_nano: self.time(number),
            severity_number: i32::try_from(1 + number % 24).unwrap(),
            body: Some(AnyValue { value: Some(Any::StringValue(body(number))) }),
            attributes: vec![int("n", number), text("user", &format!("u{}", number % 7))],
            ..WireLog::default()
        }
    }

    fn wire_span(&self, number: u64, version: u64) -> WireSpan {
        WireSpan {
            trace_id: u128::from(number / 4 + 1).to_be_bytes().to_vec(),
            span_id: (number + 1).to_be_bytes().to_vec(),
            name: format!("operation {}", number % 5),
            start_time_unix_nano: self.time(number),
            end_time_unix_nano: self.time(number) + number % 5000 + version * 10_000,
            attributes: vec![int("n", number), text("user", &format!("u{}", number % 7)), int("version", version)],
            ..WireSpan::default()
        }
    }

    pub(in crate::store::simulation) fn check_log(&self, number: u64, log: &LogRecord) -> Result<(), String> {
        let same = log.time.get() == self.time(number)
            && u64::try_from(log.severity_number) == Ok(1 + number % 24)
            && log.body == Value::String(body(number))
            && log.resource.service_name() == self.service()
            && log.attributes.len() == 2
            && log.attributes.iter().any(|a| a.key == "user" && a.value == Value::String(format!("u{}", number % 7)));
        if same { Ok(()) } else { Err(format!("record {number} is not what was sent: {log:?}")) }
    }

    pub(in crate::store::simulation) fn check_span(&self, number: u64, span: &Span) -> Result<(), String> {
        let version = span_version(span).filter(|version| *version <= self.versions).ok_or_else(|| format!("nobody sent {span:?}"))?;
        let same = *span.trace_id.as_bytes() == u128::from(number / 4 + 1).to_be_bytes()
            && span.name == format!("operation {}", number % 5)
            && span.start.get() == self.time(number)
            && span.duration() == number % 5000 + version * 10_000
            && span.service_name() == self.service()
            && span.attributes.len() == 3
            && span.attribute("n") == Some(&Value::Int(number.cast_signed()))
            && span.attribute("user") == Some(&Value::String(format!("u{}", number % 7)));
        if same { Ok(()) } else { Err(format!("span {number} is not what was sent: {span:?}")) }
    }
}
