use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;

use super::*;
use crate::model::Value;
use crate::rows;
use crate::schema::column;

mod flaws;

const CONTEXT: Context = Context { now: UnixNanos::new(2_000_000_000_000_000_000), retention: None, first_record_id: 0 };

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

/// Appends a field of bytes, as an encoder would.
fn put_bytes(out: &mut Vec<u8>, number: usize, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// An encoded message from its fields of bytes.
fn message(fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, bytes) in fields {
        put_bytes(&mut out, *number, bytes);
    }
    out
}

fn text_pair(key: &str, text: &str) -> Vec<u8> {
    message(&[(1, key.as_bytes()), (2, &message(&[(1, text.as_bytes())]))])
}

/// Appends start and end of a span.
fn put_times(out: &mut Vec<u8>, start: u64, end: u64) {
    for (tag, time) in [(0x39, start), (0x41, end)] {
        out.push(tag);
        out.extend(time.to_le_bytes());
    }
}

/// A request with spans that have ids and what is given.
fn spans(spans: &[&[u8]]) -> Vec<u8> {
    let spans: Vec<(usize, &[u8])> = spans.iter().map(|span| (2, *span)).collect();
    message(&[(1, &message(&[(2, &message(&spans))]))])
}

fn span(fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut out = message(&[(1, &[7; 16]), (2, &[8; 8])]);
    put_times(&mut out, CONTEXT.now.get() - 1000, CONTEXT.now.get() - 500);
    out.extend(message(fields));
    out
}

fn log(fields: &[(usize, &[u8])]) -> Vec<u8> {
    spans(&[&message(fields)])
}

fn traces(bytes: Vec<u8>) -> Decoded {
    decode(Signal::Traces, &Bytes::from(bytes), &CONTEXT).unwrap()
}

fn logs(bytes: Vec<u8>) -> Decoded {
    decode(Signal::Logs, &Bytes::from(bytes), &CONTEXT).unwrap()
}

fn text_of(decoded: &Decoded, name: &str) -> Option<String> {
    let array = decoded.batch.column_by_name(name).unwrap().as_string_view();
    array.is_valid(0).then(|| array.value(0).to_owned())
}

fn nested(depth: usize) -> Vec<u8> {
    // Built from the outside: lengths first, by measuring inside out.
    let mut lengths = Vec::with_capacity(depth);
    let mut length = 0;
    for _ in 0..depth {
        let array = 1 + varint_len(length) + length;
        length = 1 + varint_len(array) + array;
        lengths.push(length);
    }
    let mut out = Vec::with_capacity(length);
    for level in (0..depth).rev() {
        let inner = if level == 0 { 0 } else { lengths[level - 1] };
        let array = 1 + varint_len(inner) + inner;
        for (tag, length) in [(0x2a, array), (0x0a, inner)] {
            out.push(tag);
            put_varint(&mut out, length);
        }
    }
    out
}

fn varint_len(value: usize) -> usize {
    (1..).find(|bytes| value >> (7 * bytes) == 0).unwrap()
}

fn depth_of(mut value: &Value) -> (usize, &Value) {
    let mut depth = 0;
    while let Value::Array(items) = value {
        depth += 1;
        match items.first() {
            Some(first) => value = first,
            None => break,
        }
    }
    (depth, value)
}

#[test]
fn empty_requests_and_empty_envelopes_have_no_rows() {
    for bytes in [vec![], vec![0x0a, 0x00], spans(&[])] {
        let decoded = traces(bytes);
        assert_eq!((decoded.batch.num_rows(), decoded.rejected, decoded.message), (0, 0, None));
    }
}

#[test]
fn spans_without_valid_ids_are_refused_one_by_one() {
    let zero = message(&[(1, &[0; 16]), (2, &[8; 8]), (5, b"zeros")]);
    let short = message(&[(1, &[1; 15]), (2, &[8; 8])]);
    let decoded = traces(spans(&[&span(&[]), &zero, &short]));
    assert_eq!((decoded.batch.num_rows(), decoded.rejected), (1, 2));
    let text = decoded.message.unwrap();
    assert!(text.starts_with("refused 2 of 3 spans, first resource_spans[0].scope_spans[0].spans[1] \"zeros\": the trace id"), "{text}");
}

#[test]
fn spans_from_the_future_and_from_before_the_retention_are_refused() {
    let at = |start: u64| {
        let mut span = span(&[]);
        span.push(0x39);
        span.extend(start.to_le_bytes());
        span
    };
    let now = CONTEXT.now.get();
    let bytes = Bytes::from(spans(&[&at(now + DAY), &at(now + DAY + 1), &at(u64::MAX), &at(now - 1000), &at(now - 1001)]));
    let context = Context { retention: Some(Duration::from_nanos(1000)), ..CONTEXT };
    let decoded = decode(Signal::Traces, &bytes, &context).unwrap();
    assert_eq!((decoded.batch.num_rows(), decoded.rejected), (2, 3));
}

#[test]
fn text_that_is_not_utf8_is_repaired_alone_and_warned_of() {
    let decoded = traces(spans(&[&span(&[(5, b"a name that is \xff wrong"), (9, &text_pair("key", "a value that is right"))])]));
    assert_eq!(text_of(&decoded, column::NAME).unwrap(), "a name that is \u{fffd} wrong");
    let span = &rows::spans(&decoded.batch, 0..1).unwrap()[0];
    assert_eq!(span.attribute("key").unwrap().as_str(), Some("a value that is right"));
    assert_eq!((decoded.rejected, decoded.flaws), (0, vec![(Flaw::Text, 1)]));
}

#[test]
fn unknown_fields_of_every_wire_type_are_skipped_with_groups_in_groups() {
    let mut bytes = span(&[(100, b"x")]);
    bytes.extend([0xa0, 0x06, 0x01, 0xa1, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa5, 0x06, 0, 0, 0, 0]);
    bytes.extend([0xa3, 0x06].repeat(100_000));
    bytes.extend([0xa4, 0x06].repeat(100_000));
    assert_eq!(traces(spans(&[&bytes])).batch.num_rows(), 1);
}

#[test]
fn broken_bytes_are_refused_with_their_place() {
    for bytes in
        [&b"\x0a\xff"[..], b"\x0a", b"\x00", b"\x07", b"\x0f", b"\x0c", b"\x08\x01", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"]
    {
        let error = decode(Signal::Traces, &Bytes::copy_from_slice(bytes), &CONTEXT).unwrap_err();
        assert!(error.to_string().contains("byte "), "{error}");
    }
    let declared = b"\x0a\xff\xff\xff\xff\x07";
    assert!(decode(Signal::Logs, &Bytes::from_static(declared), &CONTEXT).is_err());
}

#[test]
fn nesting_is_kept_to_128_levels_and_survives_200_000() {
    for (depth, kept) in [(64, 64), (128, 128), (129, 128), (200_000, 128)] {
        let attribute = message(&[(1, b"deep"), (2, &nested(depth))]);
        let event = message(&[(3, &attribute)]);
        let decoded = traces(spans(&[&span(&[(9, &attribute), (11, &event)])]));
        let span = &rows::spans(&decoded.batch, 0..1).unwrap()[0];
        for value in [span.attribute("deep").unwrap(), &span.events[0].attributes[0].value] {
            let (levels, end) = depth_of(value);
            assert_eq!(levels, kept, "of {depth}");
            assert_eq!(end.as_str() == Some("…"), depth > kept);
        }
        assert_eq!(decoded.flaws.iter().any(|(flaw, _)| *flaw == Flaw::Depth), depth > kept);
        assert_eq!(logs(log(&[(5, &nested(depth))])).batch.num_rows(), 1);
    }
}

#[test]
fn ten_thousand_attributes_and_repeated_keys_come_back() {
    let mut fields: Vec<Vec<u8>> = (0..10_000).map(|number| text_pair(&format!("key{number}"), "v")).collect();
    fields.push(text_pair("key77", "again"));
    let fields: Vec<(usize, &[u8])> = fields.iter().map(|field| (9, field.as_slice())).collect();
    let decoded = traces(spans(&[&span(&fields)]));
    let span = &rows::spans(&decoded.batch, 0..1).unwrap()[0];
    assert_eq!(span.attributes.len(), 10_001);
    let repeated: Vec<_> = span.attributes.iter().filter(|pair| pair.key == "key77").map(|pair| pair.value.as_str()).collect();
    assert_eq!(repeated, [Some("v"), Some("again")]);
}

#[test]
fn a_huge_attribute_is_kept_without_a_copy() {
    let value = "x".repeat(60 << 20);
    let bytes = Bytes::from(spans(&[&span(&[(9, &text_pair("huge", &value))])]));
    let decoded = decode(Signal::Traces, &bytes, &CONTEXT).unwrap();
    let map = decoded.batch.column_by_name(column::ATTR_STR).unwrap().as_map();
    let stored = map.values().as_string_view().value(0);
    assert_eq!(stored.len(), value.len());
    assert!(bytes.as_ptr_range().contains(&stored.as_ptr()));
}

#[test]
fn logs_without_valid_ids_or_times_are_stored_at_the_time_of_receipt() {
    let decoded = logs(log(&[(9, &[0; 16]), (10, b"12345")]));
    let log = &rows::logs(&decoded.batch, 0..1).unwrap()[0];
    assert_eq!((log.trace_id, log.span_id, log.time, log.time_unix_nano.get()), (None, None, CONTEXT.now, 0));
    assert_eq!((decoded.rejected, decoded.message), (0, None));
    assert_eq!(decoded.flaws, [(Flaw::RecordId, 1)]);
}

#[test]
fn bodies_that_are_not_text_have_a_json_form() {
    let body = message(&[(6, &message(&[(1, &text_pair("event", "login \"x\""))]))]);
    let decoded = logs(log(&[(5, &body)]));
    assert_eq!(text_of(&decoded, column::BODY).unwrap(), r#"{"event":"login \"x\""}"#);
    assert!(matches!(rows::logs(&decoded.batch, 0..1).unwrap()[0].body, Value::Map(_)));
}

#[test]
fn events_give_their_names_and_the_first_exception() {
    let exception = |text: &str| {
        message(&[(2, b"exception"), (3, &text_pair("exception.type", "IoError")), (3, &text_pair("exception.message", text))])
    };
    let decoded = traces(spans(&[&span(&[(11, &message(&[(2, b"start")])), (11, &exception("disk full")), (11, &exception("later"))])]));
    assert_eq!(text_of(&decoded, column::EVENT_NAMES).unwrap(), "start\nexception\nexception");
    assert_eq!(text_of(&decoded, column::EXCEPTION_TYPE).unwrap(), "IoError");
    assert_eq!(text_of(&decoded, column::EXCEPTION_MESSAGE).unwrap(), "disk full");
}

#[test]
fn peers_are_named_by_the_most_trusted_attribute() {
    type Case<'a> = (u8, &'a [(&'a str, &'a str)], Option<(&'a str, i32, Option<&'a str>)>);
    let cases: [Case<'_>; 13] = [
        (3, &[("db.system", "redis"), ("server.address", "cache-1")], Some(("cache-1", 1, Some("redis")))),
        (
            3,
            &[("db.system.name", "postgresql"), ("db.system", "pg"), ("db.name", "old"), ("db.namespace", "shop")],
            Some(("shop", 1, Some("postgresql"))),
        ),
        (3, &[("db.system", "mysql"), ("peer.service", "orders-db"), ("db.name", "orders")], Some(("orders-db", 1, Some("mysql")))),
        (4, &[("messaging.system", "kafka"), ("messaging.destination.name", "orders")], Some(("orders", 2, Some("kafka")))),
        (5, &[("messaging.destination", "old-queue")], Some(("old-queue", 2, None))),
        (3, &[("server.address", "api.example.com"), ("server.port", "8443")], Some(("api.example.com:8443", 3, None))),
        (3, &[("server.address", "api.example.com"), ("server.port", "443")], Some(("api.example.com", 3, None))),
        (3, &[("http.url", "https://me:secret@pay.example.com:9000/v1?q=a@b")], Some(("pay.example.com:9000", 3, None))),
        (2, &[("peer.service", "caller")], None),
        (3, &[("other", "x")], None),
        (3, &[("db.system", "redis"), ("db.namespace", "0"), ("server.address", "cache-1")], Some(("cache-1", 1, Some("redis")))),
        (3, &[("db.system", "redis"), ("db.namespace", "15")], Some(("redis", 1, Some("redis")))),
        (3, &[("db.namespace", "7")], Some(("7", 1, None))),
    ];
    for (kind, attributes, expected) in cases {
        let mut bytes = span(&[]);
        bytes.extend([0x30, kind]);
        for (key, text) in attributes {
            put_bytes(&mut bytes, 9, &text_pair(key, text));
        }
        let decoded = traces(spans(&[&bytes]));
        let kinds = decoded.batch.column_by_name(column::PEER_KIND).unwrap().as_primitive::<Int32Type>();
        let found = text_of(&decoded, column::PEER).map(|name| (name, kinds.value(0), text_of(&decoded, column::PEER_SYSTEM)));
        let expected = expected.map(|(name, kind, system)| (name.to_owned(), kind, system.map(str::to_owned)));
        assert_eq!(found, expected, "{attributes:?}");
    }
}

#[test]
fn equal_resources_in_a_row_share_their_bytes_and_name_the_service() {
    let resource = message(&[(1, &text_pair("service.name", "a service with a long name"))]);
    let part = message(&[(1, &resource), (2, &message(&[(2, &span(&[]))]))]);
    let decoded = traces(message(&[(1, &part), (1, &part)]));
    let array = decoded.batch.column_by_name(column::RESOURCE).unwrap().as_binary_view();
    assert_eq!(array.value(0).as_ptr(), array.value(1).as_ptr());
    assert_eq!(text_of(&decoded, column::SERVICE_NAME).unwrap(), "a service with a long name");
    assert_eq!(text_of(&traces(spans(&[&span(&[])])), column::SERVICE_NAME).unwrap(), "unknown_service");
}

#[test]
fn more_records_than_a_request_may_hold_are_refused_and_counted() {
    let bytes = message(&[(1, &message(&[(2, &[0x12, 0x00].repeat(MAX_RECORDS + 5))]))]);
    let decoded = logs(bytes);
    assert_eq!((decoded.batch.num_rows(), decoded.rejected), (MAX_RECORDS, 5));
}
