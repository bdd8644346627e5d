use std::sync::Arc;

use serde_json::json;
use storage::Value;

use super::*;
use crate::sample;

#[test]
fn a_span_is_written_with_everything_it_holds() {
    let spans = sample::trace().spans;
    let data = serde_json::to_value(TracesData::new(&spans)).unwrap();
    let group = &data["resourceSpans"][0];
    assert_eq!(group["schemaUrl"], "https://example.org/resource");
    assert_eq!(
        group["resource"],
        json!({
            "attributes": [
                { "key": "service.name", "value": { "stringValue": "checkout" } },
                { "key": "host.id", "value": { "stringValue": "h1" } }
            ],
            "droppedAttributesCount": 2,
            "entityRefs": [{ "schemaUrl": "s", "type": "service", "idKeys": ["service.name", "b"], "descriptionKeys": ["d"] }]
        })
    );
    let scope = &group["scopeSpans"][0];
    assert_eq!(scope["scope"], json!({ "name": "lib", "version": "1.2", "droppedAttributesCount": 1 }));
    let span = &scope["spans"][0];
    assert_eq!(span["traceId"], "5b8efff798038103d269b633813fc60c");
    assert_eq!(span["spanId"], "eee19b7ec3c1b174");
    assert_eq!(span.get("parentSpanId"), None);
    assert_eq!(span["kind"], 2);
    assert_eq!(span["flags"], 257);
    assert_eq!(span["startTimeUnixNano"], "1544712660000000001");
    assert_eq!(span["status"], json!({ "code": 2, "message": "card declined" }));
    assert_eq!(span["droppedEventsCount"], 3);
    assert_eq!(span["events"][0]["name"], "exception");
    assert_eq!(span["links"][0]["traceId"], "0102");
    assert_eq!(span["links"][0]["spanId"], "0000000000000001");
}

#[test]
fn every_type_of_value_is_kept() {
    let value = Value::Array(vec![
        Value::Empty,
        Value::Int(i64::MIN),
        Value::Double(f64::NAN),
        Value::Double(0.5),
        Value::Bytes(vec![0, 255]),
        Value::Map(vec![sample::kv("a", Value::Bool(true)), sample::kv("a", Value::String("</script>".to_owned()))]),
    ]);
    assert_eq!(
        serde_json::to_value(value::AnyValue(&value)).unwrap(),
        json!({ "arrayValue": { "values": [
            {},
            { "intValue": "-9223372036854775808" },
            { "doubleValue": "NaN" },
            { "doubleValue": 0.5 },
            { "bytesValue": "AP8=" },
            { "kvlistValue": { "values": [
                { "key": "a", "value": { "boolValue": true } },
                { "key": "a", "value": { "stringValue": "</script>" } }
            ] } }
        ] } })
    );
}

#[test]
fn equal_resources_are_written_once_and_different_scopes_apart() {
    let mut spans = sample::trace().spans;
    // Equal content behind another pointer.
    let copy = Arc::new((*spans[0].resource).clone());
    spans[1].resource = copy;
    let mut scope = (*spans[0].scope).clone();
    scope.schema_url = "other".to_owned();
    spans[1].scope = Arc::new(scope);
    let data = serde_json::to_value(TracesData::new(&spans)).unwrap();
    assert_eq!(data["resourceSpans"].as_array().unwrap().len(), 1);
    assert_eq!(data["resourceSpans"][0]["scopeSpans"].as_array().unwrap().len(), 2);
}

#[test]
fn a_log_record_leaves_out_what_was_not_sent() {
    let record = sample::log();
    let data = serde_json::to_value(LogsData::new([&record])).unwrap();
    assert_eq!(
        data["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0],
        json!({
            "observedTimeUnixNano": "1544712660300000000",
            "severityNumber": 17,
            "severityText": "ERROR",
            "body": { "stringValue": "payment failed" },
            "attributes": [{ "key": "n", "value": { "intValue": "9007199254740993" } }],
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": "eee19b7ec3c1b174"
        })
    );
}

#[test]
fn a_damaged_entity_reference_gives_what_could_be_read() {
    let entity = EntityRef::decode(&[0x12, 4, b'h', b'o', b's', b't', 0x1a, 200, 1]);
    assert_eq!(entity, EntityRef { kind: "host".to_owned(), ..Default::default() });
}
