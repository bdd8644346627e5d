//! What must be there, what must not, and what may.

use std::collections::BTreeMap;

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

/// All requests, by the number of their first item.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) requests: BTreeMap<u64, Request>,
    next: u64,
}

/// One request: consecutive numbers, whose items are made from them.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) signal: Signal,
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) sent: UnixNanos,
    pub(super) fate: Fate,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was acknowledged, or a start brought it back: it is there, wholly.
    Stored,
    /// Its sender heard nothing certain: it is there wholly or not at all.
    Unknown,
    /// It was refused, or a start did not bring it back: it is not there.
    Absent,
}

/// Everything that could be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) logs: Vec<LogRecord>,
    pub(super) spans: Vec<Span>,
    /// What could not be read, in the words of the store.
    pub(super) reports: Vec<String>,
}

// === impl Model ===

impl Model {
    /// A new request of `count` items.
    pub(super) fn request(&mut self, signal: Signal, count: u64, sent: UnixNanos) -> u64 {
        let first = self.next;
        self.next += count;
        self.requests.insert(first, Request { signal, first, count, sent, fate: Fate::Unknown });
        first
    }

    /// Holds what was found against what must be there; items sent before `kept_from` may have aged out. With `settle`, what is found or
    /// not found is so for good.
    pub(super) fn compare(&mut self, found: &Found, kept_from: UnixNanos, settle: bool) -> Result<(), String> {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for log in &found.logs {
            let number = log_number(log).ok_or_else(|| format!("a record that nobody sent: {log:?}"))?;
            let request = self.request_of(number, Signal::Logs)?;
            request.check_log(number, log)?;
            *counts.entry(number).or_default() += 1;
        }
        for span in &found.spans {
            let number = u64::from_be_bytes(*span.span_id.as_bytes()) - 1;
            let request = self.request_of(number, Signal::Traces)?;
            request.check_span(number, span)?;
            *counts.entry(number).or_default() += 1;
        }
        if let Some((number, times)) = counts.iter().find(|(_, times)| **times > 1) {
            return Err(format!("item {number} is there {times} times"));
        }
        for request in self.requests.values_mut() {
            let present = counts.range(request.first..request.first + request.count).count() as u64;
            let aged = request.sent < kept_from;
            let excused = aged || !found.reports.is_empty();
            match request.fate {
                Fate::Stored if present < request.count && !excused => {
                    return Err(format!("{request:?} was acknowledged and {present} of its items are there"));
                }
                Fate::Absent if present > 0 => return Err(format!("{request:?} is not to be there")),
                Fate::Unknown if present > 0 && present < request.count && !excused => {
                    return Err(format!("{request:?} is there in part: {present} items"));
                }
                Fate::Unknown if settle => request.fate = if present > 0 { Fate::Stored } else { Fate::Absent },
                _ => {}
            }
        }
        Ok(())
    }

    fn request_of(&self, number: u64, signal: Signal) -> Result<&Request, String> {
        let request = self.requests.range(..=number).next_back().map(|(_, request)| request);
        request
            .filter(|request| number < request.first + request.count && request.signal == signal)
            .ok_or_else(|| format!("item {number} was never sent"))
    }
}

/// The number of a record.
pub(super) fn log_number(log: &LogRecord) -> Option<u64> {
    log.attributes.iter().find(|attribute| attribute.key == "n").and_then(|attribute| match &attribute.value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    })
}

/// A word that only one record has.
pub(super) fn word(number: u64) -> String {
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
    /// The bytes that are sent.
    pub(super) fn payload(&self) -> Bytes {
        let numbers = self.first..self.first + self.count;
        let resource = Some(Resource { attributes: vec![text("service.name", &self.service())], ..Resource::default() });
        match self.signal {
            Signal::Logs => {
                let scope = ScopeLogs { log_records: numbers.map(|number| self.wire_log(number)).collect(), ..ScopeLogs::default() };
                let logs = ResourceLogs { resource, scope_logs: vec![scope], ..ResourceLogs::default() };
                ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec().into()
            }
            Signal::Traces => {
                let scope = ScopeSpans { spans: numbers.map(|number| self.wire_span(number)).collect(), ..ScopeSpans::default() };
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

    fn wire_span(&self, number: u64) -> WireSpan {
        WireSpan {
            trace_id: u128::from(number / 4 + 1).to_be_bytes().to_vec(),
            span_id: (number + 1).to_be_bytes().to_vec(),
            name: format!("operation {}", number % 5),
            start_time_unix_nano: self.time(number),
            end_time_unix_nano: self.time(number) + number % 5000,
            attributes: vec![int("n", number), text("user", &format!("u{}", number % 7))],
            ..WireSpan::default()
        }
    }

    fn check_log(&self, number: u64, log: &LogRecord) -> Result<(), String> {
        let same = log.time.get() == self.time(number)
            && u64::try_from(log.severity_number) == Ok(1 + number % 24)
            && log.body == Value::String(body(number))
            && log.resource.service_name() == self.service()
            && log.attributes.len() == 2
            && log.attributes.iter().any(|a| a.key == "user" && a.value == Value::String(format!("u{}", number % 7)));
        if same { Ok(()) } else { Err(format!("record {number} is not what was sent: {log:?}")) }
    }

    fn check_span(&self, number: u64, span: &Span) -> Result<(), String> {
        let same = *span.trace_id.as_bytes() == u128::from(number / 4 + 1).to_be_bytes()
            && span.name == format!("operation {}", number % 5)
            && span.start.get() == self.time(number)
            && span.duration() == number % 5000
            && span.service_name() == self.service()
            && span.attributes.len() == 2
            && span.attribute("n") == Some(&Value::Int(number.cast_signed()))
            && span.attribute("user") == Some(&Value::String(format!("u{}", number % 7)));
        if same { Ok(()) } else { Err(format!("span {number} is not what was sent: {span:?}")) }
    }
}
