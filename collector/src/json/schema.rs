//! The messages of OTLP as tables: JSON names, field numbers and kinds, from opentelemetry-proto 1.11.
//!
//! Fields that only profiles use are left out, so they are read over like any unknown name.

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    fields: &'static [Field],
    /// What an item of this kind is called; items are what is accepted or rejected.
    pub(super) item: Option<&'static str>,
    /// An `AnyValue`, which nests.
    pub(super) is_value: bool,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) repeated: bool,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    String,
    Bytes,
    /// Bytes written as so many hex digits.
    Id(usize),
    /// The same in a link, which may do without.
    LinkId(usize),
    Bool,
    Int64,
    Uint32,
    Fixed32,
    Fixed64,
    Double,
    /// The names of its values, which OTLP/JSON does not send but some senders do.
    Enum(&'static [(&'static str, i32)]),
    Message(&'static Message),
}

// === impl Message ===

impl Message {
    pub(super) fn field(&self, name: &[u8]) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name.as_bytes() == name)
    }

    /// The name that was meant by one in snake_case.
    pub(super) fn snake_case_of(&self, name: &[u8]) -> Option<&'static str> {
        if !name.contains(&b'_') {
            return None;
        }
        let mut camel = Vec::with_capacity(name.len());
        let mut upper = false;
        for byte in name {
            match byte {
                b'_' => upper = true,
                other => camel.push(if std::mem::take(&mut upper) { other.to_ascii_uppercase() } else { *other }),
            }
        }
        self.field(&camel).map(|field| field.name)
    }
}

/// What was expected where the outermost object names another signal's data, which would be lost without a word if it were
/// read over like other unknown names.
pub(super) fn belongs_elsewhere(name: &[u8]) -> Option<&'static str> {
    match name {
        b"resourceSpans" => Some("another signal; spans go to /v1/traces"),
        b"resourceLogs" => Some("another signal; log records go to /v1/logs"),
        b"resourceMetrics" => Some("another signal; metrics go to /v1/metrics"),
        b"resourceProfiles" => Some("another signal; profiles go to /v1development/profiles"),
        _ => None,
    }
}

/// `ExportTraceServiceRequest`.
pub(super) static TRACES: Message = Message {
    fields: &[Field { name: "resourceSpans", number: 1, repeated: true, kind: Kind::Message(&RESOURCE_SPANS) }],
    item: None,
    is_value: false,
};

/// `ExportLogsServiceRequest`.
pub(super) static LOGS: Message = Message {
    fields: &[Field { name: "resourceLogs", number: 1, repeated: true, kind: Kind::Message(&RESOURCE_LOGS) }],
    item: None,
    is_value: false,
};

static RESOURCE_SPANS: Message = Message {
    fields: &[
        Field { name: "resource", number: 1, repeated: false, kind: Kind::Message(&RESOURCE) },
        Field { name: "scopeSpans", number: 2, repeated: true, kind: Kind::Message(&SCOPE_SPANS) },
        Field { name: "schemaUrl", number: 3, repeated: false, kind: Kind::String },
    ],
    item: None,
    is_value: false,
};

static RESOURCE_LOGS: Message = Message {
    fields: &[
        Field { name: "resource", number: 1, repeated: false, kind: Kind::Message(&RESOURCE) },
        Field { name: "scopeLogs", number: 2, repeated: true, kind: Kind::Message(&SCOPE_LOGS) },
        Field { name: "schemaUrl", number: 3, repeated: false, kind: Kind::String },
    ],
    item: None,
    is_value: false,
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        Field { name: "scope", number: 1, repeated: false, kind: Kind::Message(&SCOPE) },
        Field { name: "spans", number: 2, repeated: true, kind: Kind::Message(&SPAN) },
        Field { name: "schemaUrl", number: 3, repeated: false, kind: Kind::String },
    ],
    item: None,
    is_value: false,
};

static SCOPE_LOGS: Message = Message {
    fields: &[
        Field { name: "scope", number: 1, repeated: false, kind: Kind::Message(&SCOPE) },
        Field { name: "logRecords", number: 2, repeated: true, kind: Kind::Message(&LOG_RECORD) },
        Field { name: "schemaUrl", number: 3, repeated: false, kind: Kind::String },
    ],
    item: None,
    is_value: false,
};

static RESOURCE: Message = Message {
    fields: &[
        Field { name: "attributes", number: 1, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 2, repeated: false, kind: Kind::Uint32 },
        Field { name: "entityRefs", number: 3, repeated: true, kind: Kind::Message(&ENTITY_REF) },
    ],
    item: None,
    is_value: false,
};

static ENTITY_REF: Message = Message {
    fields: &[
        Field { name: "schemaUrl", number: 1, repeated: false, kind: Kind::String },
        Field { name: "type", number: 2, repeated: false, kind: Kind::String },
        Field { name: "idKeys", number: 3, repeated: true, kind: Kind::String },
        Field { name: "descriptionKeys", number: 4, repeated: true, kind: Kind::String },
    ],
    item: None,
    is_value: false,
};

static SCOPE: Message = Message {
    fields: &[
        Field { name: "name", number: 1, repeated: false, kind: Kind::String },
        Field { name: "version", number: 2, repeated: false, kind: Kind::String },
        Field { name: "attributes", number: 3, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 4, repeated: false, kind: Kind::Uint32 },
    ],
    item: None,
    is_value: false,
};

static SPAN: Message = Message {
    fields: &[
        Field { name: "traceId", number: 1, repeated: false, kind: Kind::Id(32) },
        Field { name: "spanId", number: 2, repeated: false, kind: Kind::Id(16) },
        Field { name: "traceState", number: 3, repeated: false, kind: Kind::String },
        Field { name: "parentSpanId", number: 4, repeated: false, kind: Kind::Id(16) },
        Field { name: "name", number: 5, repeated: false, kind: Kind::String },
        Field { name: "kind", number: 6, repeated: false, kind: Kind::Enum(SPAN_KINDS) },
        Field { name: "startTimeUnixNano", number: 7, repeated: false, kind: Kind::Fixed64 },
        Field { name: "endTimeUnixNano", number: 8, repeated: false, kind: Kind::Fixed64 },
        Field { name: "attributes", number: 9, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 10, repeated: false, kind: Kind::Uint32 },
        Field { name: "events", number: 11, repeated: true, kind: Kind::Message(&EVENT) },
        Field { name: "droppedEventsCount", number: 12, repeated: false, kind: Kind::Uint32 },
        Field { name: "links", number: 13, repeated: true, kind: Kind::Message(&LINK) },
        Field { name: "droppedLinksCount", number: 14, repeated: false, kind: Kind::Uint32 },
        Field { name: "status", number: 15, repeated: false, kind: Kind::Message(&STATUS) },
        Field { name: "flags", number: 16, repeated: false, kind: Kind::Fixed32 },
    ],
    item: Some("span"),
    is_value: false,
};

static EVENT: Message = Message {
    fields: &[
        Field { name: "timeUnixNano", number: 1, repeated: false, kind: Kind::Fixed64 },
        Field { name: "name", number: 2, repeated: false, kind: Kind::String },
        Field { name: "attributes", number: 3, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 4, repeated: false, kind: Kind::Uint32 },
    ],
    item: None,
    is_value: false,
};

pub(super) static LINK: Message = Message {
    fields: &[
        Field { name: "traceId", number: 1, repeated: false, kind: Kind::LinkId(32) },
        Field { name: "spanId", number: 2, repeated: false, kind: Kind::LinkId(16) },
        Field { name: "traceState", number: 3, repeated: false, kind: Kind::String },
        Field { name: "attributes", number: 4, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 5, repeated: false, kind: Kind::Uint32 },
        Field { name: "flags", number: 6, repeated: false, kind: Kind::Fixed32 },
    ],
    item: None,
    is_value: false,
};

static STATUS: Message = Message {
    fields: &[
        Field { name: "message", number: 2, repeated: false, kind: Kind::String },
        Field { name: "code", number: 3, repeated: false, kind: Kind::Enum(STATUS_CODES) },
    ],
    item: None,
    is_value: false,
};

static LOG_RECORD: Message = Message {
    fields: &[
        Field { name: "timeUnixNano", number: 1, repeated: false, kind: Kind::Fixed64 },
        Field { name: "severityNumber", number: 2, repeated: false, kind: Kind::Enum(SEVERITIES) },
        Field { name: "severityText", number: 3, repeated: false, kind: Kind::String },
        Field { name: "body", number: 5, repeated: false, kind: Kind::Message(&ANY_VALUE) },
        Field { name: "attributes", number: 6, repeated: true, kind: Kind::Message(&KEY_VALUE) },
        Field { name: "droppedAttributesCount", number: 7, repeated: false, kind: Kind::Uint32 },
        Field { name: "flags", number: 8, repeated: false, kind: Kind::Fixed32 },
        Field { name: "traceId", number: 9, repeated: false, kind: Kind::Id(32) },
        Field { name: "spanId", number: 10, repeated: false, kind: Kind::Id(16) },
        Field { name: "observedTimeUnixNano", number: 11, repeated: false, kind: Kind::Fixed64 },
        Field { name: "eventName", number: 12, repeated: false, kind: Kind::String },
    ],
    item: Some("log record"),
    is_value: false,
};

static KEY_VALUE: Message = Message {
    fields: &[
        Field { name: "key", number: 1, repeated: false, kind: Kind::String },
        Field { name: "value", number: 2, repeated: false, kind: Kind::Message(&ANY_VALUE) },
    ],
    item: None,
    is_value: false,
};

static ANY_VALUE: Message = Message {
    fields: &[
        Field { name: "stringValue", number: 1, repeated: false, kind: Kind::String },
        Field { name: "boolValue", number: 2, repeated: false, kind: Kind::Bool },
        Field { name: "intValue", number: 3, repeated: false, kind: Kind::Int64 },
        Field { name: "doubleValue", number: 4, repeated: false, kind: Kind::Double },
        Field { name: "arrayValue", number: 5, repeated: false, kind: Kind::Message(&ARRAY_VALUE) },
        Field { name: "kvlistValue", number: 6, repeated: false, kind: Kind::Message(&KEY_VALUE_LIST) },
        Field { name: "bytesValue", number: 7, repeated: false, kind: Kind::Bytes },
    ],
    item: None,
    is_value: true,
};

static ARRAY_VALUE: Message = Message {
    fields: &[Field { name: "values", number: 1, repeated: true, kind: Kind::Message(&ANY_VALUE) }],
    item: None,
    is_value: false,
};

static KEY_VALUE_LIST: Message = Message {
    fields: &[Field { name: "values", number: 1, repeated: true, kind: Kind::Message(&KEY_VALUE) }],
    item: None,
    is_value: false,
};

/// The skeleton of `ExportMetricsServiceRequest`.
pub(super) static METRICS: Message = Message {
    fields: &[Field { name: "resourceMetrics", number: 1, repeated: true, kind: Kind::Message(&RESOURCE_METRICS) }],
    item: None,
    is_value: false,
};

static RESOURCE_METRICS: Message = Message {
    fields: &[Field { name: "scopeMetrics", number: 2, repeated: true, kind: Kind::Message(&SCOPE_METRICS) }],
    item: None,
    is_value: false,
};

static SCOPE_METRICS: Message =
    Message { fields: &[Field { name: "metrics", number: 2, repeated: true, kind: Kind::Message(&METRIC) }], item: None, is_value: false };

static METRIC: Message = Message {
    fields: &[
        Field { name: "gauge", number: 5, repeated: false, kind: Kind::Message(&DATA) },
        Field { name: "sum", number: 7, repeated: false, kind: Kind::Message(&DATA) },
        Field { name: "histogram", number: 9, repeated: false, kind: Kind::Message(&DATA) },
        Field { name: "exponentialHistogram", number: 10, repeated: false, kind: Kind::Message(&DATA) },
        Field { name: "summary", number: 11, repeated: false, kind: Kind::Message(&DATA) },
    ],
    item: None,
    is_value: false,
};

static DATA: Message = Message {
    fields: &[Field { name: "dataPoints", number: 1, repeated: true, kind: Kind::Message(&DATA_POINT) }],
    item: None,
    is_value: false,
};

static DATA_POINT: Message = Message { fields: &[], item: None, is_value: false };

const SPAN_KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

const STATUS_CODES: &[(&str, i32)] = &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];

const SEVERITIES: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
