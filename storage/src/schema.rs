//! The columns of the two tables, as memory has them and as segments give them.
//!
//! Owns names, types and order of columns, and the sort order of segments. One row is one span or one log record.
//!
//! Times are `Int64` nanoseconds. A `u64` beyond `i64::MAX` keeps its bits. Resources and scopes are encoded OTLP envelopes without
//! their records (`ResourceSpans`/`ResourceLogs` with fields 1 and 3, `ScopeSpans`/`ScopeLogs` with fields 1 and 3): lossless, and one
//! dictionary entry for many rows. Attributes are one map per type; a key that occurs more than once in a record goes to `attr_any` with
//! all its values, so that their order is kept. How segments store attributes is theirs: see `attributes`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use crate::store::Signal;

/// Names of columns. See the module for their types.
pub(crate) mod column {
    /// Spans: 16 bytes. Logs: 16 bytes or null.
    pub(crate) const TRACE_ID: &str = "trace_id";
    /// Spans: 8 bytes. Logs: 8 bytes or null.
    pub(crate) const SPAN_ID: &str = "span_id";
    /// 8 bytes; null for a root.
    pub(crate) const PARENT_SPAN_ID: &str = "parent_span_id";
    /// Spans: `start_time_unix_nano` as sent.
    pub(crate) const START_TIME: &str = "start_time";
    /// Spans: `end_time_unix_nano` as sent.
    pub(crate) const END_TIME: &str = "end_time";
    /// Spans: nanoseconds, zero when the end lies before the start.
    pub(crate) const DURATION: &str = "duration";
    /// Span name.
    pub(crate) const NAME: &str = "name";
    /// Span kind number.
    pub(crate) const KIND: &str = "kind";
    /// Status code number.
    pub(crate) const STATUS_CODE: &str = "status_code";
    /// Status message; null when empty.
    pub(crate) const STATUS_MESSAGE: &str = "status_message";
    /// `service.name` of the resource, or `unknown_service`.
    pub(crate) const SERVICE_NAME: &str = "service_name";
    /// Encoded envelope of the resource.
    pub(crate) const RESOURCE: &str = "resource";
    /// Encoded envelope of the scope.
    pub(crate) const SCOPE: &str = "scope";
    /// Text attributes.
    pub(crate) const ATTR_STR: &str = "attr_str";
    /// Integer attributes.
    pub(crate) const ATTR_INT: &str = "attr_int";
    /// Floating-point attributes.
    pub(crate) const ATTR_DBL: &str = "attr_dbl";
    /// Boolean attributes.
    pub(crate) const ATTR_BOOL: &str = "attr_bool";
    /// Everything else as encoded `AnyValue`: bytes, arrays, maps, empty values, and all values of repeated keys.
    pub(crate) const ATTR_ANY: &str = "attr_any";
    /// W3C trace state; null when empty.
    pub(crate) const TRACE_STATE: &str = "trace_state";
    /// Flags as sent.
    pub(crate) const FLAGS: &str = "flags";
    /// As sent.
    pub(crate) const DROPPED_ATTRIBUTES: &str = "dropped_attributes_count";
    /// As sent.
    pub(crate) const DROPPED_EVENTS: &str = "dropped_events_count";
    /// As sent.
    pub(crate) const DROPPED_LINKS: &str = "dropped_links_count";
    /// Encoded `Span` message that holds only field 11 (events); null when there are none.
    pub(crate) const EVENTS: &str = "events";
    /// Encoded `Span` message that holds only field 13 (links); null when there are none.
    pub(crate) const LINKS: &str = "links";
    /// Names of events, one per line; null when there are none.
    pub(crate) const EVENT_NAMES: &str = "event_names";
    /// `exception.type` of the first exception event.
    pub(crate) const EXCEPTION_TYPE: &str = "exception_type";
    /// `exception.message` of the first exception event.
    pub(crate) const EXCEPTION_MESSAGE: &str = "exception_message";
    /// What a client, producer or consumer span says it talks to: see `otlp::peer`.
    pub(crate) const PEER: &str = "peer";
    /// 1 database, 2 queue, 3 external; null without peer.
    pub(crate) const PEER_KIND: &str = "peer_kind";
    /// `db.system.name` or `messaging.system` of the peer; null when unknown.
    pub(crate) const PEER_SYSTEM: &str = "peer_system";
    /// Logs: order of arrival, unique in the store.
    pub(crate) const RECORD_ID: &str = "record_id";
    /// Logs: the time they are ordered by.
    pub(crate) const TIME: &str = "time";
    /// Logs: `time_unix_nano` as sent.
    pub(crate) const TIME_UNIX_NANO: &str = "time_unix_nano";
    /// Logs: `observed_time_unix_nano` as sent.
    pub(crate) const OBSERVED_TIME: &str = "observed_time";
    /// Logs: severity number as sent.
    pub(crate) const SEVERITY_NUMBER: &str = "severity_number";
    /// Logs: severity text; null when empty.
    pub(crate) const SEVERITY_TEXT: &str = "severity_text";
    /// Logs: the body when it is text, else its JSON form for reading and search; null when absent.
    pub(crate) const BODY: &str = "body";
    /// Logs: the body as encoded `AnyValue` when it is not text; null when it is text or absent.
    pub(crate) const BODY_ANY: &str = "body_any";
    /// Logs: event name; null when empty.
    pub(crate) const EVENT_NAME: &str = "event_name";
}

/// A batch lacks a column that its table has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {0} is missing or has another type than its table says")]
pub(crate) struct ColumnError(pub(crate) String);

/// Width of a time bucket, the first sort key of segments: 10 minutes in nanoseconds.
pub(crate) const BUCKET_NANOS: i64 = 600_000_000_000;

/// The columns of a signal's table.
pub(crate) fn of(signal: Signal) -> SchemaRef {
    table(signal).clone()
}

/// The same, borrowed.
pub(crate) fn table(signal: Signal) -> &'static SchemaRef {
    match signal {
        Signal::Traces => &SPANS,
        Signal::Logs => &LOGS,
    }
}

/// Names of the columns of a signal's table, in order.
pub(crate) fn names(signal: Signal) -> impl Iterator<Item = &'static str> {
    table(signal).fields().iter().map(|field| field.name().as_str())
}

/// The column that orders a signal's rows in time.
pub(crate) fn time_column(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => column::START_TIME,
        Signal::Logs => column::TIME,
    }
}

/// The type of an attribute map whose values have type `value`. Keys are `Utf8View`.
pub(crate) fn map_of(value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8View, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    use column::*;
    let mut fields = vec![
        required(TRACE_ID, DataType::FixedSizeBinary(16)),
        required(SPAN_ID, DataType::FixedSizeBinary(8)),
        optional(PARENT_SPAN_ID, DataType::FixedSizeBinary(8)),
        required(START_TIME, DataType::Int64),
        required(END_TIME, DataType::Int64),
        required(DURATION, DataType::Int64),
        required(NAME, DataType::Utf8View),
        required(KIND, DataType::Int32),
        required(STATUS_CODE, DataType::Int32),
        optional(STATUS_MESSAGE, DataType::Utf8View),
        required(SERVICE_NAME, DataType::Utf8View),
        required(RESOURCE, DataType::BinaryView),
        required(SCOPE, DataType::BinaryView),
    ];
    fields.extend(attributes());
    fields.extend([
        optional(TRACE_STATE, DataType::Utf8View),
        required(FLAGS, DataType::Int64),
        required(DROPPED_ATTRIBUTES, DataType::Int64),
        required(DROPPED_EVENTS, DataType::Int64),
        required(DROPPED_LINKS, DataType::Int64),
        optional(EVENTS, DataType::BinaryView),
        optional(LINKS, DataType::BinaryView),
        optional(EVENT_NAMES, DataType::Utf8View),
        optional(EXCEPTION_TYPE, DataType::Utf8View),
        optional(EXCEPTION_MESSAGE, DataType::Utf8View),
        optional(PEER, DataType::Utf8View),
        optional(PEER_KIND, DataType::Int32),
        optional(PEER_SYSTEM, DataType::Utf8View),
    ]);
    Arc::new(Schema::new(fields))
});

static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    use column::*;
    let mut fields = vec![
        required(RECORD_ID, DataType::Int64),
        required(TIME, DataType::Int64),
        required(TIME_UNIX_NANO, DataType::Int64),
        required(OBSERVED_TIME, DataType::Int64),
        optional(TRACE_ID, DataType::FixedSizeBinary(16)),
        optional(SPAN_ID, DataType::FixedSizeBinary(8)),
        required(SEVERITY_NUMBER, DataType::Int32),
        optional(SEVERITY_TEXT, DataType::Utf8View),
        required(SERVICE_NAME, DataType::Utf8View),
        optional(BODY, DataType::Utf8View),
        optional(BODY_ANY, DataType::BinaryView),
        required(RESOURCE, DataType::BinaryView),
        required(SCOPE, DataType::BinaryView),
    ];
    fields.extend(attributes());
    fields.extend([
        optional(EVENT_NAME, DataType::Utf8View),
        required(FLAGS, DataType::Int64),
        required(DROPPED_ATTRIBUTES, DataType::Int64),
    ]);
    Arc::new(Schema::new(fields))
});

fn attributes() -> [Field; 5] {
    use column::*;
    [
        required(ATTR_STR, map_of(DataType::Utf8View)),
        required(ATTR_INT, map_of(DataType::Int64)),
        required(ATTR_DBL, map_of(DataType::Float64)),
        required(ATTR_BOOL, map_of(DataType::Boolean)),
        required(ATTR_ANY, map_of(DataType::BinaryView)),
    ]
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}
