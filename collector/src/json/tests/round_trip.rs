//! Whatever another encoder writes is read as it was meant, and whatever is broken is survived.

use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_filter("JSON of another encoder", |n| n.is_finite()).prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let value = inner.prop_map(|value| AnyValue { value: Some(value) });
        prop_oneof![
            vec(value.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec((any::<String>(), value), 0..4).prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() }).collect();
                Value::KvlistValue(KeyValueList { values })
            }),
        ]
    });
    tree.prop_map(|value| AnyValue { value: Some(value) })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((any::<String>(), any_value()), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() }).collect())
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    proptest::option::of((attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    proptest::option::of((any::<String>(), any::<String>(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    ))
}

prop_compose! {
    fn event()(time_unix_nano in any::<u64>(), name in any::<String>(), attributes in attributes(), dropped_attributes_count in any::<u32>()) -> span::Event {
        span::Event { time_unix_nano, name, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(trace_id in vec(any::<u8>(), 16), span_id in vec(any::<u8>(), 8), trace_state in any::<String>(), attributes in attributes(), flags in any::<u32>()) -> span::Link {
        span::Link { trace_id, span_id, trace_state, attributes, flags, ..span::Link::default() }
    }
}

prop_compose! {
    fn any_span()(
        ids in (vec(any::<u8>(), 16), vec(any::<u8>(), 8), vec(any::<u8>(), 8)),
        texts in (any::<String>(), any::<String>(), any::<String>()),
        times in (any::<u64>(), any::<u64>()),
        numbers in (any::<i32>(), any::<u32>(), any::<u32>(), 0..3_i32),
        attributes in attributes(),
        events in vec(event(), 0..3),
        links in vec(link(), 0..3),
        has_status in any::<bool>(),
    ) -> Span {
        Span {
            trace_id: ids.0, span_id: ids.1, parent_span_id: ids.2, name: texts.0, trace_state: texts.1,
            start_time_unix_nano: times.0, end_time_unix_nano: times.1,
            kind: numbers.0, flags: numbers.1, dropped_attributes_count: numbers.2,
            attributes, events, links,
            status: has_status.then_some(Status { message: texts.2, code: numbers.3 }),
            ..Span::default()
        }
    }
}

prop_compose! {
    fn any_log()(
        ids in (vec(any::<u8>(), 16), vec(any::<u8>(), 8)),
        texts in (any::<String>(), any::<String>()),
        times in (any::<u64>(), any::<u64>()),
        severity_number in any::<i32>(),
        flags in any::<u32>(),
        body in proptest::option::of(any_value()),
        attributes in attributes(),
    ) -> LogRecord {
        LogRecord {
            trace_id: ids.0, span_id: ids.1, severity_text: texts.0, event_name: texts.1,
            time_unix_nano: times.0, observed_time_unix_nano: times.1, severity_number, flags, body, attributes,
            ..LogRecord::default()
        }
    }
}

prop_compose! {
    fn trace_request()(groups in vec((resource(), scope(), vec(any_span(), 0..3), any::<String>()), 0..3)) -> ExportTraceServiceRequest {
        let resource_spans = groups.into_iter().map(|(resource, scope, spans, schema_url)| ResourceSpans {
            resource,
            scope_spans: vec![ScopeSpans { scope, spans, schema_url: schema_url.clone() }],
            schema_url,
        });
        ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
    }
}

prop_compose! {
    fn log_request()(groups in vec((resource(), scope(), vec(any_log(), 0..3), any::<String>()), 0..3)) -> ExportLogsServiceRequest {
        let resource_logs = groups.into_iter().map(|(resource, scope, log_records, schema_url)| ResourceLogs {
            resource,
            scope_logs: vec![ScopeLogs { scope, log_records, schema_url: schema_url.clone() }],
            schema_url,
        });
        ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn traces_of_another_encoder_are_read_as_meant(request in trace_request()) {
        let text = serde_json::to_vec(&request).unwrap();
        let made = transcode(Request::Traces, &text).unwrap();
        prop_assert_eq!(made.notes.rejected, 0);
        prop_assert_eq!(ExportTraceServiceRequest::decode(made.payload).unwrap(), request);
    }

    #[test]
    fn logs_of_another_encoder_are_read_as_meant(request in log_request()) {
        let text = serde_json::to_vec(&request).unwrap();
        let made = transcode(Request::Logs, &text).unwrap();
        prop_assert_eq!(made.notes.rejected, 0);
        prop_assert_eq!(ExportLogsServiceRequest::decode(made.payload).unwrap(), request);
    }

    #[test]
    fn whatever_is_taken_is_valid_protobuf(
        request in trace_request(),
        edits in vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\0-e.nutf"[..])], 0..3_u8), 1..6),
    ) {
        let mut text = serde_json::to_vec(&request).unwrap();
        for (index, byte, edit) in edits {
            if text.is_empty() { break; }
            let at = index.index(text.len());
            match edit {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        if let Ok(made) = transcode(Request::Traces, &text) {
            prop_assert!(ExportTraceServiceRequest::decode(made.payload).is_ok());
            // Broken JSON is never taken; what another reader calls broken may be mended strings or depth only.
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(String::from_utf8_lossy(&text).as_bytes()).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_survived(text in vec(any::<u8>(), 0..200)) {
        let _ = transcode(Request::Logs, &text);
    }
}
