//! The receiver, row by row: what is sent, and what must come back. The names are those of the OTLP specification's rules.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Answer, get, get_json, post, send};
use crate::otlp;
use crate::server::Server;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn start(more: &[&str]) -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), more);
    (data, server)
}

/// A trace id of its own for each row.
fn id(row: usize) -> String {
    format!("{:032x}", row + 1)
}

fn valid(seed: u8) -> Bytes {
    otlp::traces("wire", vec![otlp::span([seed; 16], [seed; 8], "a")])
}

/// A request of one span; `fields` replace what it has.
fn span_json(trace_id: &str, fields: &Value) -> Value {
    let now = otlp::now().to_string();
    let mut span = json!({ "traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": "a", "kind": 2,
        "startTimeUnixNano": now, "endTimeUnixNano": now });
    for (key, value) in fields.as_object().unwrap() {
        span[key] = value.clone();
    }
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] })
}

/// The spans of a trace as they are given back; none when there is no such trace.
async fn stored(server: &Server, trace_id: &str) -> Vec<Value> {
    let answer = get(server.ui, &format!("/api/v1/traces/{trace_id}?format=otlp")).await;
    if answer.status == 404 {
        return Vec::new();
    }
    let resources = answer.json()["resourceSpans"].as_array().unwrap().clone();
    let scopes = resources.iter().flat_map(|r| r["scopeSpans"].as_array().unwrap());
    scopes.flat_map(|s| s["spans"].as_array().unwrap()).cloned().collect()
}

/// An error is a status, a type and a `google.rpc.Status` with a message.
fn assert_refused(row: &str, answer: &Answer, status: u16, content_type: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, content_type), "{row}: {}", answer.text());
    if content_type == JSON {
        assert!(answer.json()["message"].as_str().is_some_and(|text| !text.is_empty()), "{row}: {}", answer.text());
    } else {
        assert_eq!(answer.body.first(), Some(&0x08), "{row}: {:?}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status_and_the_type_of_the_request() {
    type Row<'a> = (&'a str, Method, &'a str, Vec<(&'a str, &'a str)>, &'a [u8], u16, &'a str);
    let (_data, server) = start(&[]);
    let gzip = ("content-encoding", "gzip");
    let rows: [Row<'_>; 18] = [
        ("E5", Method::GET, "/v1/traces", vec![("content-type", PROTOBUF)], b"", 405, PROTOBUF),
        ("E5", Method::DELETE, "/v1/logs", vec![], b"", 405, JSON),
        ("E9 root", Method::POST, "/", vec![("content-type", JSON)], b"{}", 404, JSON),
        ("E9 slash", Method::POST, "/v1/traces/", vec![("content-type", PROTOBUF)], b"", 404, PROTOBUF),
        ("C5", Method::POST, "/v1/traces", vec![], b"{}", 415, JSON),
        ("C6", Method::POST, "/v1/traces", vec![("content-type", "text/plain")], b"{}", 415, JSON),
        ("C7", Method::POST, "/v1/traces", vec![("content-type", "application/protobuf")], b"", 415, JSON),
        ("C8", Method::POST, "/v1/traces", vec![("content-type", PROTOBUF)], b"{\"resourceSpans\":[]}", 400, PROTOBUF),
        ("C8", Method::POST, "/v1/traces", vec![("content-type", JSON)], b"\x0a\x00", 400, JSON),
        ("C9", Method::POST, "/v1/traces", vec![("content-type", JSON), ("content-type", JSON)], b"{}", 400, JSON),
        ("Z8", Method::POST, "/v1/traces", vec![("content-type", PROTOBUF), ("content-encoding", "br")], b"", 415, PROTOBUF),
        ("Z9", Method::POST, "/v1/traces", vec![("content-type", PROTOBUF), gzip], b"not gzip", 400, PROTOBUF),
        ("Z16", Method::POST, "/v1/traces", vec![("content-type", PROTOBUF), gzip], b"", 400, PROTOBUF),
        ("N1", Method::POST, "/v1/metrics", vec![("content-type", PROTOBUF)], b"", 404, PROTOBUF),
        ("N3", Method::POST, "/v1development/profiles", vec![("content-type", JSON)], b"{}", 404, JSON),
        ("N4 spans as logs", Method::POST, "/v1/logs", vec![("content-type", JSON)], b"{\"resourceSpans\":[{}]}", 400, JSON),
        ("N4 logs as spans", Method::POST, "/v1/traces", vec![("content-type", JSON)], b"{\"resourceLogs\":[{}]}", 400, JSON),
        ("O4", Method::POST, "/v1/traces", vec![("content-type", JSON), ("origin", "https://evil.example")], b"{}", 403, JSON),
    ];
    for (row, method, path, headers, body, status, content_type) in rows {
        let answer = send(server.http, method, path, &headers, Bytes::from_static(body)).await.unwrap();
        assert_refused(row, &answer, status, content_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_json_and_protobuf_are_400_and_store_nothing() {
    let (_data, server) = start(&[]);
    let texts = [
        "",
        "{}{}",
        "{} x",
        "[]",
        "null",
        "1",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":00}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":NaN}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\"",
        "{\"a\":[1,]}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1e}",
        "/**/{}",
        "{\"a\":\"\\u12\"}",
    ];
    for text in texts {
        assert_refused(text, &post(server.http, "/v1/traces", JSON, text.to_owned()).await.unwrap(), 400, JSON);
    }
    let ends: [&[u8]; 9] = [
        b"\x0a",
        b"\x0a\x7f",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x02\x00",
        b"\x0e",
        b"\x0f",
        b"\x0a\xff\xff\xff\xff\x07",
        b"\x0c",
        b"\xa3\x06",
    ];
    for end in ends {
        let body = [&*valid(7), end].concat();
        assert_refused(&format!("{end:x?}"), &post(server.http, "/v1/traces", PROTOBUF, body).await.unwrap(), 400, PROTOBUF);
    }
    assert!(stored(&server, &"07".repeat(16)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn attribute_values_come_back_as_they_were_sent() {
    let (_data, server) = start(&[]);
    let same = |value: Value| (value.clone(), value);
    let rows = [
        (json!({ "intValue": 9_223_372_036_854_775_807_i64 }), json!({ "intValue": "9223372036854775807" })),
        (json!({ "intValue": "-9223372036854775808" }), json!({ "intValue": "-9223372036854775808" })),
        (json!({ "intValue": 1.0 }), json!({ "intValue": "1" })),
        (json!({ "intValue": "1e3" }), json!({ "intValue": "1000" })),
        same(json!({ "doubleValue": 5e-324 })),
        same(json!({ "doubleValue": "NaN" })),
        same(json!({ "doubleValue": "-Infinity" })),
        (json!({ "bytesValue": "_-8" }), json!({ "bytesValue": "/+8=" })),
        same(json!({})),
        same(json!({ "stringValue": "" })),
        same(json!({ "boolValue": false })),
        same(json!({ "arrayValue": { "values": [{ "intValue": "1" }, {}, { "stringValue": "a" }] } })),
        same(json!({ "kvlistValue": { "values": [{ "key": "a", "value": { "boolValue": true } }, { "key": "a", "value": {} }] } })),
        (Value::Null, json!({})),
        // What a value cannot hold costs the value, not the span.
        (json!({ "intValue": 1.5 }), json!({})),
        (json!({ "boolValue": "true" }), json!({})),
    ];
    for (row, (sent, expected)) in rows.into_iter().enumerate() {
        let body = span_json(&id(row), &json!({ "attributes": [null, { "key": "k", "value": sent }], "events": null }));
        let answer = post(server.http, "/v1/traces", JSON, body.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{sent}: {}", answer.text());
        let spans = stored(&server, &id(row)).await;
        let mut value = spans[0]["attributes"][0]["value"].clone();
        if value.is_null() {
            value = json!({});
        }
        assert_eq!(value, expected, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_keep_what_they_say_and_bad_ones_are_counted_alone() {
    let (_data, server) = start(&[]);
    let kept = [
        json!({ "kind": 99, "status": { "code": 7, "message": "m" }, "flags": 4_294_967_295_u32 }),
        json!({ "startTimeUnixNano": "1544712660000000123", "endTimeUnixNano": "1544712660000000124" }),
        json!({ "traceState": "ot=th:c;rv:d", "droppedAttributesCount": 4_294_967_295_u32 }),
        json!({ "name": "\0\n\u{202e}😀<script>" }),
        json!({ "parentSpanId": "1111111111111111" }),
        json!({ "links": [{ "traceId": id(1), "spanId": "00f067aa0ba902b7", "traceState": "a=b", "flags": 769 }] }),
    ];
    for (row, fields) in kept.iter().enumerate() {
        let answer = post(server.http, "/v1/traces", JSON, span_json(&id(row), fields).to_string()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "{}".to_owned()), "{fields}");
        let spans = stored(&server, &id(row)).await;
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(&spans[0][name], value, "{name}");
        }
    }
    let rejected = [
        json!({ "traceId": "" }),
        json!({ "traceId": "0".repeat(32) }),
        json!({ "traceId": "1".repeat(31) }),
        json!({ "traceId": {} }),
        json!({ "traceId": "W47/95gDgQPSabYzgT/GDA==" }),
        json!({ "spanId": "0".repeat(16) }),
        json!({ "spanId": "12" }),
        json!({ "startTimeUnixNano": "-1" }),
        json!({ "startTimeUnixNano": "4102444800000000000" }),
    ];
    let good = span_json(&id(901), &json!({}))["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take();
    for fields in rejected {
        let mut body = span_json(&id(900), &fields);
        body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap().push(good.clone());
        let answer = post(server.http, "/v1/traces", JSON, body.to_string()).await.unwrap();
        assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1", "{fields}: {}", answer.text());
        assert!(answer.json()["partialSuccess"]["errorMessage"].is_string());
    }
    // Sent nine times, and shown once.
    assert_eq!(stored(&server, &id(901)).await.len(), 1);
    assert!(stored(&server, &id(900)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_read_to_their_end_or_not_at_all() {
    let (_data, server) = start(&[]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let whole = |seed| gzip(&valid(seed));
    let halved = valid(3);
    let two = [gzip(&halved[..40]), gzip(&halved[40..])].concat();
    let cut = whole(4)[..whole(4).len() - 3].to_vec();
    let mut damaged = whole(5);
    let crc = damaged.len() - 6;
    damaged[crc] ^= 0xff;
    let followed = [whole(6), b"xyz".to_vec()].concat();
    let rows = [
        (1, "gzip", whole(1), 200),
        (2, "X-GZIP", whole(2), 200),
        (4, "gzip", cut, 400),
        (5, "gzip", damaged, 400),
        (6, "gzip", followed, 400),
        (8, "zstd", zstd::encode_all(&*valid(8), 1).unwrap(), 200),
    ];
    for (seed, coding, body, status) in rows {
        let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
        let answer = send(server.http, Method::POST, "/v1/traces", &headers, body.into()).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{seed}");
        assert_eq!(stored(&server, &format!("{seed:02x}").repeat(16)).await.len(), usize::from(status == 200), "{seed}");
    }
    // Two members of gzip are one body.
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(send(server.http, Method::POST, "/v1/traces", &headers, two.into()).await.unwrap().status, 200);
    assert_eq!(stored(&server, &"03".repeat(16)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_sent_with_times_and_severities_at_odds_is_kept_as_it_is() {
    let (_data, server) = start(&[]);
    let now = otlp::now().to_string();
    let records = [
        json!({ "observedTimeUnixNano": now, "body": { "stringValue": "a" } }),
        json!({ "body": { "kvlistValue": { "values": [{ "key": "n", "value": { "intValue": "5" } }] } } }),
        json!({ "timeUnixNano": now, "severityText": "WARN" }),
        json!({ "timeUnixNano": now, "severityNumber": 77, "flags": 4_294_967_295_u32, "eventName": "app.crash" }),
        json!({ "timeUnixNano": now, "spanId": "1111111111111111", "droppedAttributesCount": 7 }),
    ];
    for (row, record) in records.iter().enumerate() {
        let service = format!("log-{row}");
        let body = json!({ "resourceLogs": [{ "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
            "scopeLogs": [{ "logRecords": [record] }] }] });
        let answer = post(server.http, "/v1/logs", JSON, body.to_string()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "{}".to_owned()), "{record}");
        let found = get_json(server.ui, &format!("/api/v1/logs?service={service}&format=otlp")).await;
        let found = &found["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        for (name, value) in record.as_object().unwrap() {
            assert_eq!(&found[name], value, "{name}");
        }
    }
}

/// Everything the server says until it closes.
async fn last_words(server: &Server, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    // It may close before it has read everything.
    let _ = stream.write_all(sent).await;
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await;
    assert!(read.is_ok(), "the connection stays open");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_heads_are_answered_and_the_connection_is_closed() {
    let (_data, server) = start(&[]);
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let rows = [
        (format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}   "), "400"),
        (format!("{head}content-length: -1\r\n\r\n{{}}"), "400"),
        (format!("{head}transfer-encoding: gzip\r\n\r\n{{}}"), "400"),
        (format!("{head}x: {}\r\n\r\n", "y".repeat(2 << 20)), "431"),
        ("hello\r\n\r\n".to_owned(), "400"),
        // A head that never ends.
        (head.to_owned(), "408"),
    ];
    for (sent, status) in rows {
        let said = last_words(&server, sent.as_bytes()).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains("\"message\""), "{status}: {said}");
    }
    // With both, the length is not believed and what follows is not taken for a request.
    let both =
        format!("{head}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\nGET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    let said = last_words(&server, both.as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_of_large_bodies_do_not_keep_others_out() {
    let (_data, server) = start(&[]);
    let head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 67108864\r\n\r\n\x0a";
    let mut promising = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        stream.write_all(head).await.unwrap();
        promising.push(stream);
    }
    for seed in 20..24 {
        let answer = post(server.http, "/v1/traces", PROTOBUF, valid(seed)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
