//! What an answer shows as a tag is what a search for that tag finds.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyOf;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use prost::Message as _;
use serde_json::{Value as AnyJson, json};
use storage::Signal;

use crate::harness::{App, TRACE, spans};
use crate::params::encoded;

fn any(value: AnyOf) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: AnyOf) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// An attribute of each type, its key behind a prefix.
fn every_type(prefix: &str) -> Vec<KeyValue> {
    let list = vec![any(AnyOf::StringValue("a\"b, c".to_owned())), any(AnyOf::IntValue(1))];
    let map = vec![pair("z", AnyOf::BoolValue(true)), pair("a", AnyOf::BytesValue(vec![255]))];
    let values = [
        ("text", AnyOf::StringValue("x (y) *".to_owned())),
        ("int", AnyOf::IntValue(-7)),
        ("big", AnyOf::IntValue(i64::MIN)),
        ("double", AnyOf::DoubleValue(1e21)),
        ("nan", AnyOf::DoubleValue(f64::NAN)),
        ("infinite", AnyOf::DoubleValue(f64::NEG_INFINITY)),
        ("truth", AnyOf::BoolValue(false)),
        ("bytes", AnyOf::BytesValue(vec![1, 2, 3, 4])),
        ("list", AnyOf::ArrayValue(ArrayValue { values: list })),
        ("map", AnyOf::KvlistValue(KeyValueList { values: map })),
    ];
    values.into_iter().map(|(key, value)| pair(&format!("{prefix}{key}"), value)).collect()
}

fn tagged() -> ExportTraceServiceRequest {
    let mut request = spans();
    let [checkout, ..] = request.resource_spans.as_mut_slice() else { panic!() };
    checkout.resource.as_mut().unwrap().attributes.extend(every_type("res."));
    let span = &mut checkout.scope_spans[0].spans[0];
    span.attributes.extend(every_type("own."));
    span.events[0].attributes.extend(every_type("in."));
    span.events[0].attributes.push(pair("error", AnyOf::StringValue("of the event".to_owned())));
    // Shown as a tag like the one that a status makes.
    request.resource_spans[1].scope_spans[0].spans[0].attributes.push(pair("error", AnyOf::BoolValue(true)));
    request
}

/// Every tag of spans and processes and every field of a log.
fn shown(trace: &AnyJson) -> Vec<(String, String)> {
    let list = |value: &AnyJson| value.as_array().unwrap().clone();
    let of_spans = list(&trace["spans"]).into_iter().flat_map(|span| {
        let logs = list(&span["logs"]);
        list(&span["tags"])
            .into_iter()
            .chain(logs.into_iter().flat_map(|log| log["fields"].as_array().unwrap().clone()))
            .collect::<Vec<_>>()
    });
    let of_processes = trace["processes"].as_object().unwrap().values().flat_map(|process| list(&process["tags"]));
    let tags = of_spans.chain(of_processes.collect::<Vec<_>>());
    // As Jaeger's page sends it, every value is text.
    tags.map(|tag| (tag["key"].as_str().unwrap().to_owned(), tag["value"].as_str().map_or_else(|| tag["value"].to_string(), str::to_owned)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_answer_shows_as_a_tag_can_be_searched_as_one() {
    for flushed in [false, true] {
        let app = App::empty().await;
        app.append(Signal::Traces, tagged().encode_to_vec()).await;
        if flushed {
            app.store().flush().await.unwrap();
        }
        let tags = shown(&app.json(&format!("/api/traces/{TRACE}")).await["data"][0]);
        let fields = ["otel.scope.name", "otel.scope.version", "w3c.tracestate", "span.kind", "error", "otel.status_code"];
        for key in fields.into_iter().chain(["otel.status_description", "event", "res.map", "own.bytes", "in.list"]) {
            assert!(tags.iter().any(|(shown, _)| shown == key), "{key} is not shown");
        }
        for (key, value) in tags {
            for (value, wanted) in [(value.clone(), 1), (format!("{value}-no"), 0)] {
                let asked = json!({ &key: value }).to_string();
                let found = app.json(&format!("/api/traces?tags={}", encoded(&asked))).await;
                assert_eq!(found["data"].as_array().map(Vec::len), Some(wanted), "{asked}, flushed: {flushed}");
            }
        }
        // The error that only an attribute tells of.
        let found = app.json("/api/traces?service=payment&tag=error:true").await;
        assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
    }
}
