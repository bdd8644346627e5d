//! The data model that callers see: OTLP's own shapes with typed ids and times.
//!
//! Owns identifiers, times, attribute values, spans and log records as they leave the store.
//! Knows nothing of columns, files or wire formats.

mod hex;
mod id;
mod log;
mod resource;
mod span;
mod time;
mod value;

pub use self::hex::Hex;
pub use self::id::{ParseIdError, SpanId, TraceId};
pub use self::log::{LogRecord, Severity};
pub use self::resource::{Resource, Scope, UNKNOWN_SERVICE};
pub use self::span::{Event, Link, Span, SpanKind, Status, StatusCode};
pub use self::time::{TimeRange, UnixNanos};
pub(crate) use self::value::ShownDouble;
pub use self::value::{KeyValue, Value};
