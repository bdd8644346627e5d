//! OTLP as JSON, by the rules of the OTLP specification: hex ids, integer enums, 64-bit integers as text, bytes in base64.
//!
//! Owns the way from stored spans and log records to `TracesData` and `LogsData`. Loses nothing of what was sent but the
//! grouping: equal resources and scopes are written once, in the order of their first record. Fields that hold their
//! default are left out, as proto3 JSON does.

use serde::Serialize;
use storage::{LogRecord, Resource, Scope, Span};

mod entity;
mod group;
mod record;
mod value;

use self::entity::EntityRef;
use self::group::group;
use self::record::{LogJson, SpanJson};
use self::value::Attributes;
pub(crate) use self::value::Text;

/// `TracesData` of some spans.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TracesData<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

/// `LogsData` of some log records.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogsData<'a> {
    resource_logs: Vec<ResourceLogs<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: ResourceJson<'a>,
    scope_spans: Vec<ScopeSpans<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a> {
    scope: ScopeJson<'a>,
    spans: Vec<SpanJson<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: ResourceJson<'a>,
    scope_logs: Vec<ScopeLogs<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: ScopeJson<'a>,
    log_records: Vec<LogJson<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entity_refs: Vec<EntityRef>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

// === impl TracesData, LogsData ===

impl<'a> TracesData<'a> {
    pub(crate) fn new(spans: impl IntoIterator<Item = &'a Span>) -> Self {
        let groups = group(spans.into_iter().map(|span| (&span.resource, &span.scope, span)));
        let resource_spans = groups.into_iter().map(|(resource, scopes)| ResourceSpans {
            resource: resource.into(),
            scope_spans: scopes.into_iter().map(|(scope, spans)| ScopeSpans::new(scope, spans)).collect(),
            schema_url: &resource.schema_url,
        });
        Self { resource_spans: resource_spans.collect() }
    }
}

impl<'a> LogsData<'a> {
    pub(crate) fn new(records: impl IntoIterator<Item = &'a LogRecord>) -> Self {
        let groups = group(records.into_iter().map(|record| (&record.resource, &record.scope, record)));
        let resource_logs = groups.into_iter().map(|(resource, scopes)| ResourceLogs {
            resource: resource.into(),
            scope_logs: scopes.into_iter().map(|(scope, records)| ScopeLogs::new(scope, records)).collect(),
            schema_url: &resource.schema_url,
        });
        Self { resource_logs: resource_logs.collect() }
    }
}

impl<'a> ScopeSpans<'a> {
    fn new(scope: &'a Scope, spans: Vec<&'a Span>) -> Self {
        Self { scope: scope.into(), spans: spans.into_iter().map(SpanJson::from).collect(), schema_url: &scope.schema_url }
    }
}

impl<'a> ScopeLogs<'a> {
    fn new(scope: &'a Scope, records: Vec<&'a LogRecord>) -> Self {
        Self { scope: scope.into(), log_records: records.into_iter().map(LogJson::from).collect(), schema_url: &scope.schema_url }
    }
}

impl<'a> From<&'a Resource> for ResourceJson<'a> {
    fn from(resource: &'a Resource) -> Self {
        Self {
            attributes: Attributes(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes_count,
            entity_refs: resource.entity_refs.iter().map(|message| EntityRef::decode(message)).collect(),
        }
    }
}

impl<'a> From<&'a Scope> for ScopeJson<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self {
            name: &scope.name,
            version: &scope.version,
            attributes: Attributes(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes_count,
        }
    }
}

/// Equal text for equal resources only, since the JSON form is lossless.
pub(crate) fn resource_content(resource: &Resource) -> String {
    serde_json::to_string(&(ResourceJson::from(resource), &resource.schema_url)).unwrap_or_default()
}

/// Equal text for equal scopes only.
pub(crate) fn scope_content(scope: &Scope) -> String {
    serde_json::to_string(&(ScopeJson::from(scope), &scope.schema_url)).unwrap_or_default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
