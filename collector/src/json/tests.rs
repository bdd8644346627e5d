use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::*;

mod round_trip;

const T1: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"t"}}]},
    "scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
    "name":"a","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}]}]}]}"#;
const LOG: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"t"}}]},
    "scopeLogs":[{"logRecords":[{"observedTimeUnixNano":"1544712660300000000","severityNumber":9,
    "body":{"stringValue":"hi"},"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
const T1_PB: &str = "0a4e0a150a130a0c736572766963652e6e616d6512030a0174123512330a105b8efff798038103d269b633813fc60c\
    1208eee19b7ec3c1b1742a0161300239004859e3faeb6f15410012f41efbeb6f15";

fn traces(text: impl AsRef<[u8]>) -> (ExportTraceServiceRequest, Notes) {
    let made = transcode(Request::Traces, text.as_ref()).unwrap();
    (ExportTraceServiceRequest::decode(made.payload).unwrap(), made.notes)
}

/// The spans of a request whose one span has these members besides.
fn spans(members: &str) -> (Vec<Span>, Notes) {
    let text =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"spanId":"eee19b7ec3c1b174",{members}}},{{"name":"next"}}]}}]}}]}}"#);
    let (mut request, notes) = traces(text);
    (request.resource_spans.remove(0).scope_spans.remove(0).spans, notes)
}

fn span(members: &str) -> Span {
    spans(members).0.remove(0)
}

fn log(members: &str) -> LogRecord {
    let text = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{members}}}]}}]}}]}}"#);
    let made = transcode(Request::Logs, text.as_bytes()).unwrap();
    let mut request = ExportLogsServiceRequest::decode(made.payload).unwrap();
    request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0)
}

/// The value of the only attribute, and the notes.
fn value(json: &str) -> (Option<Value>, Notes) {
    let (mut spans, notes) = spans(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
    (spans.remove(0).attributes.remove(0).value.unwrap().value, notes)
}

fn is_broken(text: impl AsRef<[u8]>) -> bool {
    transcode(Request::Traces, text.as_ref()).is_err()
}

#[test]
fn the_base_requests_become_the_bytes_that_sdks_send() {
    let made = transcode(Request::Traces, T1.as_bytes()).unwrap();
    let hex: String = made.payload.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, T1_PB.replace(' ', ""));
    let made = transcode(Request::Logs, LOG.as_bytes()).unwrap();
    let request = ExportLogsServiceRequest::decode(made.payload).unwrap();
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((record.severity_number, record.observed_time_unix_nano), (9, 1_544_712_660_300_000_000));
    assert_eq!(record.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
}

#[test]
fn empty_requests_are_empty() {
    for text in ["{}", " {\"resourceSpans\":[]}\n", "{\"resourceSpans\":null}", "\u{feff}{}"] {
        assert_eq!(transcode(Request::Traces, text.as_bytes()).unwrap().payload, "", "{text}");
    }
}

#[test]
fn ids_are_hex_in_any_case() {
    let span = span(r#""traceId":"5B8EFFF798038103d269b633813fc60c","parentSpanId":"","links":[{"spanId":"EEE19B7EC3C1B174"}]"#);
    assert_eq!(span.trace_id[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!(span.links[0].span_id, span.span_id);
    assert!(span.parent_span_id.is_empty());
}

#[test]
fn a_wrong_id_stays_wrong_and_is_explained() {
    for (id, hint) in [("W47/95gDgQPSabYzgT/GDA==", true), ("abc", false), ("zz", false), ("5b8efff798038103d269b633813fc6", false)] {
        let (spans, notes) = spans(&format!(r#""traceId":"{id}""#));
        assert_eq!(spans.len(), 2);
        assert!(!matches!(spans[0].trace_id.len(), 0 | 16), "{id}");
        let text = notes.warnings.get(Warning::Id).unwrap();
        assert!(text.contains("span 0") && text.contains("base64") == hint, "{text}");
    }
}

#[test]
fn a_wrong_id_of_a_link_is_kept_where_it_has_bytes_and_left_out_where_not() {
    let odd = "5".repeat(31);
    let long = "5".repeat(200);
    for (id, kept) in
        [("313233", Some(&b"123"[..])), (odd.as_str(), None), ("zz", None), ("W47/95gDgQPSabYzgT/GDA==", None), (long.as_str(), None)]
    {
        let (spans, notes) =
            spans(&format!(r#""links":[{{"spanId":"eee19b7ec3c1b174"}},{{"traceId":"{id}","spanId":"eee19b7ec3c1b174"}}]"#));
        assert_eq!(spans.len(), 2);
        let link = &spans[0].links[1];
        assert_eq!((link.trace_id.as_slice(), link.span_id.len()), (kept.unwrap_or_default(), 8), "{id}");
        let said = kept.is_none().then(|| "traceId of link 1 of span 0 is not 32 hex digits; the link is kept without it".to_owned());
        assert_eq!(notes.warnings.get(Warning::Id), said, "{id}");
    }
    let (spans, notes) = spans(r#""links":[{"spanId":5}]"#);
    assert!(spans[0].links[0].span_id.is_empty() && notes.rejected == 0);
    assert!(notes.warnings.get(Warning::Id).unwrap().starts_with("spanId of link 0 of span 0 is not 16 hex digits"));
}

#[test]
fn enums_are_numbers_of_any_size_and_names_are_understood() {
    assert_eq!(span(r#""kind":99,"status":{"code":-1}"#).kind, 99);
    assert_eq!(log(r#""severityNumber":77"#).severity_number, 77);
    let (named, notes) = spans(r#""kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}"#);
    assert_eq!((named[0].kind, named[0].status.as_ref().unwrap().code), (2, 2));
    assert!(notes.warnings.get(Warning::EnumName).unwrap().contains("kind"));
    let (unknown, notes) = spans(r#""kind":"SPAN_KIND_SERVICE""#);
    assert_eq!((unknown.len(), unknown[0].kind), (2, 0));
    assert!(notes.warnings.get(Warning::DroppedValue).is_some());
}

#[test]
fn unknown_names_are_read_over_at_every_level_and_of_any_type() {
    for odd in [r#"{"a":[1,{"b":null}],"":{}}"#, "1e999", "[]", "[[[]],{},\"\\ud800\"]", "null", "true", "\"\""] {
        let text = T1.replace("{\"", &format!("{{\"zzz\":{odd},\""));
        assert_eq!(traces(&text), traces(T1), "{odd}");
    }
}

impl PartialEq for Notes {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

#[test]
fn snake_case_is_ignored_with_a_word() {
    let (request, notes) = traces(r#"{"resource_spans":[{}]}"#);
    assert!(request.resource_spans.is_empty());
    assert!(notes.warnings.get(Warning::SnakeCase).unwrap().contains("resourceSpans"));
}

#[test]
fn integers_of_64_bits_are_exact_as_numbers_and_strings() {
    for (json, number) in [
        (r#""9223372036854775807""#, i64::MAX),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
        ("-1", -1),
        ("1.0", 1),
        ("1e3", 1000),
        (r#""1e3""#, 1000),
        ("9007199254740993", 9_007_199_254_740_993),
    ] {
        assert_eq!(value(&format!(r#"{{"intValue":{json}}}"#)).0, Some(Value::IntValue(number)), "{json}");
    }
    let span =
        span(r#""startTimeUnixNano":1544712660000000001,"endTimeUnixNano":"18446744073709551615","droppedLinksCount":"3","flags":"257""#);
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (1_544_712_660_000_000_001, u64::MAX));
    assert_eq!((span.dropped_links_count, span.flags), (3, 257));
}

#[test]
fn what_is_out_of_range_costs_its_item_alone() {
    for members in [
        r#""startTimeUnixNano":"-1""#,
        r#""startTimeUnixNano":{"low":1,"high":2}"#,
        r#""flags":4294967296"#,
        r#""attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]"#,
        r#""attributes":5"#,
        r#""events":[3]"#,
    ] {
        let (spans, notes) = spans(members);
        assert_eq!((spans.len(), notes.rejected), (1, 1), "{members}");
        assert_eq!(spans[0].name, "next");
        assert!(notes.first_rejection.unwrap().starts_with("span 0: "), "{members}");
    }
}

#[test]
fn what_does_not_fit_a_value_costs_the_value_alone() {
    for json in
        [r#"{"intValue":1.5}"#, r#"{"boolValue":"true"}"#, r#"{"doubleValue":1e400}"#, r#"{"stringValue":1}"#, r#"{"bytesValue":"?"}"#]
    {
        let (value, notes) = value(json);
        assert_eq!((value, notes.rejected), (None, 0), "{json}");
        assert!(notes.warnings.get(Warning::DroppedValue).is_some());
    }
}

#[test]
fn doubles_come_in_every_spelling() {
    for (json, number) in
        [("1.5", 1.5), (r#""1.5""#, 1.5), ("3", 3.0), (r#""-Infinity""#, f64::NEG_INFINITY), ("-0.0", -0.0), ("5e-324", 5e-324)]
    {
        let Some(Value::DoubleValue(got)) = value(&format!(r#"{{"doubleValue":{json}}}"#)).0 else { panic!("{json}") };
        assert_eq!(got.to_bits(), number.to_bits(), "{json}");
    }
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#).0, Some(Value::DoubleValue(n)) if n.is_nan()));
}

#[test]
fn bytes_come_in_both_alphabets_with_and_without_padding() {
    for (text, bytes) in [("AP8=", vec![0, 255]), ("AP8", vec![0, 255]), ("_-8=", vec![255, 239]), ("/+8", vec![255, 239]), ("", vec![])] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)).0, Some(Value::BytesValue(bytes)), "{text}");
    }
}

#[test]
fn null_is_absence() {
    let span = span(r#""attributes":null,"name":null,"status":null,"kind":null,"endTimeUnixNano":null"#);
    assert_eq!((span.attributes.len(), span.name.as_str(), span.status, span.kind), (0, "", None, 0));
    let (null_value, _) = spans(r#""attributes":[{"key":"k","value":null}]"#);
    assert_eq!(null_value[0].attributes, [KeyValue { key: "k".to_owned(), value: None, ..KeyValue::default() }]);
}

#[test]
fn null_in_an_array_is_passed_over_but_keeps_its_place_among_values() {
    let (spans, notes) = spans(r#""attributes":[null],"events":[null,{"name":"e"}]"#);
    assert_eq!((spans[0].attributes.len(), spans[0].events.len(), notes.rejected), (0, 1, 0));
    assert!(notes.warnings.get(Warning::NullElement).is_some());
    let Some(Value::ArrayValue(array)) = value(r#"{"arrayValue":{"values":[{"intValue":1},null,{}]}}"#).0 else { panic!() };
    assert_eq!(array.values.len(), 3);
    assert_eq!(array.values[1], AnyValue::default());
}

#[test]
fn the_last_of_several_wins() {
    assert_eq!(span(r#""name":"a","name":"b""#).name, "b");
    assert_eq!(value(r#"{"stringValue":"a","intValue":"1"}"#).0, Some(Value::IntValue(1)));
    assert_eq!(value("{}").0, None);
}

#[test]
fn strings_are_mended_not_refused() {
    assert_eq!(span(r#""name":"\ud800""#).name, "\u{fffd}");
    assert_eq!(span(r#""name":"\ud800\u0041\udc00x""#).name, "\u{fffd}A\u{fffd}x");
    assert_eq!(span(r#""name":"\ud83d\ude00\n\"\\\/\b\f\r\t\u00e9""#).name, "😀\n\"\\/\u{8}\u{c}\r\té");
    assert_eq!(span(r#""n\u0061me":"x""#).name, "x");
    let (request, _) = traces([&b"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\xff\"}]}]}]}"[..]].concat());
    assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "\u{fffd}");
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for text in [
        "",
        " ",
        "[]",
        "null",
        "1",
        "\"\"",
        "{",
        "{}{}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{\"a\":00}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":NaN}",
        "{\"a\":tru}",
        "{\"a\":'b'}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "{\"a\":]}",
        "{\"resourceSpans\":[{]}",
        "{\"resourceSpans\":{}}",
        "{\"resourceSpans\":[1]}",
        "{\"resourceSpans\":[{\"resource\":5}]}",
        "\u{feff}",
    ] {
        assert!(is_broken(text), "{text}");
    }
    for cut in 0..T1.len() {
        assert!(is_broken(&T1[..cut]), "{cut}");
    }
}

#[test]
fn a_binary_body_is_told_apart() {
    let error = transcode(Request::Traces, &[0x0a, 0x4e, 0x0a]).unwrap_err().to_string();
    assert!(error.contains("application/x-protobuf"), "{error}");
    for json in ["[]", "null", "1", "\"\""] {
        let error = transcode(Request::Traces, json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("expected an object") && !error.contains("protobuf"), "{json}: {error}");
    }
}

/// Nests a value once more.
type Wrap<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// A length-delimited field, written by hand since prost stops at a depth of a hundred messages.
fn wrapped(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(inner.len() as u64, &mut out);
    out.extend_from_slice(inner);
    out
}

#[test]
fn values_64_deep_are_kept_whole() {
    let list = |inner: &[u8]| wrapped(6, &wrapped(1, &[wrapped(1, b"k"), wrapped(2, inner)].concat()));
    let array = |inner: &[u8]| wrapped(5, &wrapped(1, inner));
    let cases: [(&str, &str, Wrap<'_>); 2] =
        [("{\"arrayValue\":{\"values\":[", "]}}", &array), ("{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":", "}]}}", &list)];
    for (open, close, wrap) in cases {
        let text = format!("{}{}{}", open.repeat(64), "{\"intValue\":1}", close.repeat(64));
        let whole = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{text}}}]}}]}}]}}"#);
        let made = transcode(Request::Logs, whole.as_bytes()).unwrap();
        let body = (0..64).fold(vec![0x18, 1], |inner, _| wrap(&inner));
        assert_eq!(made.payload, wrapped(1, &wrapped(2, &wrapped(2, &wrapped(5, &body)))));
        assert_eq!(made.notes.warnings.get(Warning::Stored(Flaw::Depth)), None);
    }
}

#[test]
fn absurd_depth_costs_the_inner_values_and_no_stack() {
    for (open, close) in [("{\"arrayValue\":{\"values\":[", "]}}"), ("{\"kvlistValue\":{\"values\":[{\"value\":", "}]}}")] {
        let text = format!("{}{{}}{}", open.repeat(200_000), close.repeat(200_000));
        let whole = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{text}}}]}},{{}}]}}]}}]}}"#);
        let made = transcode(Request::Traces, whole.as_bytes()).unwrap();
        assert!(made.notes.warnings.get(Warning::Stored(Flaw::Depth)).is_some());
        assert!(made.payload.len() < 10_000);
    }
    let open = format!("{{\"zzz\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(!is_broken(open));
    assert!(is_broken("{\"zzz\":".to_owned() + &"[".repeat(1_000_000)));
    assert!(is_broken("{\"zzz\":".to_owned() + &"{\"a\":".repeat(1_000_000)));
}

#[test]
fn data_of_another_signal_is_refused_instead_of_read_over() {
    let cases = [(Request::Logs, "resourceSpans", "/v1/traces"), (Request::Traces, "resourceLogs", "/v1/logs")];
    for (request, name, path) in cases {
        let error = transcode(request, format!("{{\"{name}\":[{{}}]}}").as_bytes()).unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
        // Inside of other objects it is a name like any other.
        assert!(transcode(request, format!("{{\"zzz\":{{\"{name}\":[{{}}]}}}}").as_bytes()).is_ok());
    }
}

#[test]
fn real_sdks_say_the_same_in_different_words() {
    let node = span(
        r#""traceId":"5b8efff798038103d269b633813fc60c","droppedAttributesCount":0,"events":[],"flags":257,"attributes":[{"key":"n","value":{"intValue":7}}]"#,
    );
    let python = span(r#""traceId":"5b8efff798038103d269b633813fc60c","flags":257,"attributes":[{"key":"n","value":{"intValue":"7"}}]"#);
    assert_eq!(node, python);
}
