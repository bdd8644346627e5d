//! Puts records into export requests, one resource per instance, as an SDK or a collector does.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::cast::Member;
use crate::recording::Recorded;

/// One request with all of `spans`.
pub(crate) fn traces(spans: Vec<Recorded<Span>>) -> ExportTraceServiceRequest {
    let resource_spans = by_member(spans)
        .into_iter()
        .map(|(member, spans)| ResourceSpans {
            resource: Some(member.resource()),
            scope_spans: vec![ScopeSpans { scope: Some(member.scope()), spans, ..ScopeSpans::default() }],
            schema_url: SCHEMA_URL.to_owned(),
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

/// One request with all of `logs`.
pub(crate) fn logs(logs: Vec<Recorded<LogRecord>>) -> ExportLogsServiceRequest {
    let resource_logs = by_member(logs)
        .into_iter()
        .map(|(member, log_records)| ResourceLogs {
            resource: Some(member.resource()),
            scope_logs: vec![ScopeLogs { scope: Some(member.scope()), log_records, ..ScopeLogs::default() }],
            schema_url: SCHEMA_URL.to_owned(),
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }
}

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

fn by_member<T>(records: Vec<Recorded<T>>) -> BTreeMap<Member, Vec<T>> {
    let mut groups: BTreeMap<Member, Vec<T>> = BTreeMap::new();
    for Recorded { member, record, .. } in records {
        groups.entry(member).or_default().push(record);
    }
    groups
}
