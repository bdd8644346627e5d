//! Who emitted a record: the resource and the instrumentation scope.

use super::{KeyValue, Value};

/// Shown where a resource names no service. Never written into stored attributes.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// OTLP `Resource` with the schema URL of its envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Attributes as sent, in order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// `ResourceSpans.schema_url` or `ResourceLogs.schema_url`; empty when unset.
    pub schema_url: String,
    /// `Resource.entity_refs` as encoded protobuf messages, kept verbatim.
    pub entity_refs: Vec<Vec<u8>>,
}

/// OTLP `InstrumentationScope` with the schema URL of its envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Name of the instrumentation library; empty when unknown.
    pub name: String,
    /// Version of the instrumentation library; empty when unknown.
    pub version: String,
    /// Attributes as sent, in order.
    pub attributes: Vec<KeyValue>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// `ScopeSpans.schema_url` or `ScopeLogs.schema_url`; empty when unset.
    pub schema_url: String,
}

impl Resource {
    /// The first value under `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|kv| kv.key == key).map(|kv| &kv.value)
    }

    /// `service.name`, or [`UNKNOWN_SERVICE`] when it is absent, empty or not text.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self.attribute("service.name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => UNKNOWN_SERVICE,
        }
    }
}
