//! A log record as it leaves the store: OTLP `LogRecord` with its resource and scope.

use std::sync::Arc;

use super::{KeyValue, Resource, Scope, SpanId, TraceId, UnixNanos, Value};

/// One log record. Field meanings follow `opentelemetry/proto/logs/v1/logs.proto`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Names this record inside its store, in the order of arrival; never sent.
    pub record_id: u64,
    /// The time it is ordered by: `time_unix_nano`, else the observed time, else when it was received.
    pub time: UnixNanos,
    /// `time_unix_nano` as sent; zero when unknown.
    pub time_unix_nano: UnixNanos,
    /// `observed_time_unix_nano` as sent; zero when unset.
    pub observed_time: UnixNanos,
    /// The request it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span it belongs to.
    pub span_id: Option<SpanId>,
    /// Severity number as sent, 0 when unset.
    pub severity_number: i32,
    /// Severity text as sent.
    pub severity_text: String,
    /// The body with its type.
    pub body: Value,
    /// Attributes. Duplicate keys keep their order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Flags, verbatim.
    pub flags: u32,
    /// Non-empty for events.
    pub event_name: String,
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// What instrumented it.
    pub scope: Arc<Scope>,
}

/// The six ranges of OTLP severity numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Numbers 1–4.
    Trace,
    /// Numbers 5–8.
    Debug,
    /// Numbers 9–12.
    Info,
    /// Numbers 13–16.
    Warn,
    /// Numbers 17–20.
    Error,
    /// Numbers 21–24.
    Fatal,
}

impl Severity {
    /// The range a number lies in; `None` for 0 and for numbers outside the specification.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => return None,
        })
    }

    /// The lowest number of the range.
    #[must_use]
    pub fn first_number(self) -> i32 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
        }
    }

    /// The word used in pages, queries and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl LogRecord {
    /// The service that emitted this record.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.resource.service_name()
    }
}
