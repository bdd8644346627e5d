//! A span as it leaves the store: OTLP `Span` with its resource and scope.

use std::sync::Arc;

use super::{KeyValue, Resource, Scope, SpanId, TraceId, UnixNanos, Value};

/// One operation of one request. Field meanings follow `opentelemetry/proto/trace/v1/trace.proto`.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The request this span belongs to.
    pub trace_id: TraceId,
    /// This span.
    pub span_id: SpanId,
    /// The span that caused this one; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state, verbatim; empty when unset.
    pub trace_state: String,
    /// W3C flags in bits 0–7, remote-parent marks in 8 and 9, the rest verbatim.
    pub flags: u32,
    /// Operation name as sent; may be empty.
    pub name: String,
    /// Role of the span in its call.
    pub kind: SpanKind,
    /// Start as sent.
    pub start: UnixNanos,
    /// End as sent; may lie before the start.
    pub end: UnixNanos,
    /// Attributes. Duplicate keys keep their order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events in sent order.
    pub events: Vec<Event>,
    /// Events the sender dropped.
    pub dropped_events_count: u32,
    /// Links in sent order.
    pub links: Vec<Link>,
    /// Links the sender dropped.
    pub dropped_links_count: u32,
    /// Outcome.
    pub status: Status,
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// What instrumented it.
    pub scope: Arc<Scope>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// When; zero when unset.
    pub time: UnixNanos,
    /// Name; `exception` for recorded exceptions.
    pub name: String,
    /// Attributes as sent, in order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A pointer to a span of this or another trace. Ids are kept as sent, valid or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Trace id bytes as sent; see [`TraceId::from_slice`].
    pub trace_id: Vec<u8>,
    /// Span id bytes as sent; see [`SpanId::from_slice`].
    pub span_id: Vec<u8>,
    /// W3C trace state, verbatim.
    pub trace_state: String,
    /// Attributes as sent, in order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Flags, verbatim.
    pub flags: u32,
}

/// OTLP `Span.SpanKind`. An open enumeration: unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// 0: not said.
    Unspecified,
    /// 1: inside one service.
    Internal,
    /// 2: answers a call.
    Server,
    /// 3: makes a call.
    Client,
    /// 4: sends a message.
    Producer,
    /// 5: handles a message.
    Consumer,
    /// Any other number, as sent.
    Other(i32),
}

/// OTLP `Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Outcome.
    pub code: StatusCode,
    /// Text for people; empty when unset.
    pub message: String,
}

/// OTLP `Status.StatusCode`. An open enumeration: unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// 0: not said.
    Unset,
    /// 1: said to be right.
    Ok,
    /// 2: failed.
    Error,
    /// Any other number, as sent.
    Other(i32),
}

// === impl Span ===

impl Span {
    /// Nanoseconds from start to end, see [`super::UnixNanos::until`].
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.start.until(self.end)
    }

    /// The service that emitted this span.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.resource.service_name()
    }

    /// Whether the status says ERROR.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.status.code == StatusCode::Error
    }

    /// The first attribute under `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|kv| kv.key == key).map(|kv| &kv.value)
    }
}

// === impl SpanKind ===

impl From<i32> for SpanKind {
    fn from(number: i32) -> Self {
        match number {
            0 => Self::Unspecified,
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            other => Self::Other(other),
        }
    }
}

impl SpanKind {
    /// The OTLP number.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Unspecified => 0,
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
            Self::Other(other) => other,
        }
    }

    /// The word used in pages, queries and APIs; unknown numbers read as `unspecified`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified | Self::Other(_) => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

// === impl StatusCode ===

impl From<i32> for StatusCode {
    fn from(number: i32) -> Self {
        match number {
            0 => Self::Unset,
            1 => Self::Ok,
            2 => Self::Error,
            other => Self::Other(other),
        }
    }
}

impl StatusCode {
    /// The OTLP number.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Unset => 0,
            Self::Ok => 1,
            Self::Error => 2,
            Self::Other(other) => other,
        }
    }

    /// The word used in pages, queries and APIs; unknown numbers read as `unset`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset | Self::Other(_) => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}
