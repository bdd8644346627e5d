use serde_json::{Value as AnyJson, json};

use super::convert::TraceJson;
use super::*;
use crate::sample;

mod tags;

fn converted(raw: bool) -> AnyJson {
    serde_json::to_value(TraceJson::new(&sample::trace(), raw)).unwrap()
}

#[test]
fn a_trace_has_processes_in_the_order_of_their_spans() {
    let trace = converted(false);
    assert_eq!(trace["traceID"], "5b8efff798038103d269b633813fc60c");
    assert_eq!(trace["warnings"], AnyJson::Null);
    assert_eq!(
        trace["processes"],
        json!({
            "p1": { "serviceName": "checkout", "tags": [{ "key": "host.id", "type": "string", "value": "h1" }] },
            "p2": { "serviceName": "OTLPResourceNoServiceName", "tags": [{ "key": "host.name", "type": "string", "value": "h2" }] }
        })
    );
    assert_eq!((&trace["spans"][0]["processID"], &trace["spans"][1]["processID"]), (&json!("p1"), &json!("p2")));
}

#[test]
fn tags_come_in_the_order_of_the_translator_with_their_types() {
    let trace = converted(true);
    assert_eq!(
        trace["spans"][0]["tags"],
        json!([
            { "key": "otel.scope.name", "type": "string", "value": "lib" },
            { "key": "otel.scope.version", "type": "string", "value": "1.2" },
            { "key": "http.response.status_code", "type": "int64", "value": 500 },
            { "key": "big", "type": "int64", "value": "9223372036854775807" },
            { "key": "ratio", "type": "float64", "value": 0.5 },
            { "key": "cached", "type": "bool", "value": false },
            { "key": "list", "type": "string", "value": "[\"a\",1]" },
            { "key": "raw", "type": "binary", "value": "AQI=" },
            { "key": "span.kind", "type": "string", "value": "server" },
            { "key": "otel.status_code", "type": "string", "value": "ERROR" },
            { "key": "error", "type": "bool", "value": true },
            { "key": "otel.status_description", "type": "string", "value": "card declined" },
            { "key": "w3c.tracestate", "type": "string", "value": "a=b" }
        ])
    );
}

#[test]
fn attributes_are_sorted_unless_raw() {
    let keys = |raw| -> Vec<String> {
        let trace = converted(raw);
        trace["spans"][0]["tags"].as_array().unwrap()[2..4].iter().map(|tag| tag["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(true), ["http.response.status_code", "big"]);
    assert_eq!(keys(false), ["big", "cached"]);
}

#[test]
fn times_are_whole_microseconds_and_references_name_spans_only() {
    let trace = converted(false);
    let (root, child) = (&trace["spans"][0], &trace["spans"][1]);
    assert_eq!((&root["startTime"], &root["duration"]), (&json!(1_544_712_660_000_000_u64), &json!(1_500_000)));
    assert_eq!(child["startTime"], 1_544_712_660_100_000_u64);
    assert_eq!(root["flags"], 1);
    assert_eq!(
        root["references"],
        json!([{ "refType": "FOLLOWS_FROM", "traceID": "09090909090909090909090909090909", "spanID": "0808080808080808" }])
    );
    assert_eq!(
        child["references"],
        json!([{ "refType": "CHILD_OF", "traceID": "5b8efff798038103d269b633813fc60c", "spanID": "eee19b7ec3c1b174" }])
    );
    assert_eq!(
        root["logs"],
        json!([{ "timestamp": 1_544_712_660_200_000_u64, "fields": [
            { "key": "event", "type": "string", "value": "exception" },
            { "key": "exception.message", "type": "string", "value": "card declined" }
        ] }])
    );
}

#[test]
fn what_is_doubtful_about_a_span_is_a_warning() {
    let mut trace = sample::trace();
    trace.spans.remove(0);
    trace.spans[0].end = storage::UnixNanos::new(1);
    let converted = serde_json::to_value(TraceJson::new(&trace, false)).unwrap();
    assert_eq!(converted["spans"][0]["duration"], 0);
    assert_eq!(
        converted["spans"][0]["warnings"],
        json!(["the parent span eee19b7ec3c1b174 was not received", "the span ends before it starts; its duration is shown as 0"])
    );
}

#[test]
fn times_of_a_host_whose_clock_differs_are_moved_unless_raw() {
    let trace = sample::trace();
    let mut call = trace.spans[1].clone();
    call.resource = trace.spans[0].resource.clone();
    let mut served = trace.spans[1].clone();
    served.kind = storage::SpanKind::Server;
    served.parent_span_id = Some(call.span_id);
    served.span_id = "00f067aa0ba902b8".parse().unwrap();
    served.start = call.start.minus(50_000_000_000);
    served.end = call.end.minus(50_000_000_000);
    let trace = storage::trace::Trace::assemble(trace.id, vec![trace.spans[0].clone(), call, served], true, Vec::new());
    let start = |raw| {
        let json = serde_json::to_value(TraceJson::new(&trace, raw)).unwrap();
        json["spans"].as_array().unwrap().iter().find(|span| span["spanID"] == "00f067aa0ba902b8").unwrap().clone()
    };
    assert_eq!(start(false)["startTime"], 1_544_712_660_100_000_u64);
    assert!(start(false)["warnings"][0].as_str().unwrap().contains("moved by 50000000 us"), "{}", start(false));
    assert_eq!(start(true)["startTime"], 1_544_712_610_100_000_u64);
}

#[test]
fn the_envelope_says_what_is_missing() {
    let complaint = Complaint { code: 404, msg: "trace not found".to_owned(), trace_id: Some("ab".to_owned()) };
    let envelope = Envelope::with_errors(Vec::<u8>::new(), vec![complaint]);
    assert_eq!(
        serde_json::to_value(envelope).unwrap(),
        json!({ "data": [], "total": 0, "limit": 0, "offset": 0,
                "errors": [{ "code": 404, "msg": "trace not found", "traceID": "ab" }] })
    );
    assert_eq!(serde_json::to_value(Envelope::new(1)).unwrap()["errors"], AnyJson::Null);
}
