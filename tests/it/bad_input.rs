//! Bad input: each kind gets a clear answer where its sender sees it, is counted, and loses nothing else.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value::Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{encode, get, get_json, post, send};
use crate::otlp;
use crate::server::Server;

const PROTOBUF: &str = "application/x-protobuf";

fn start() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

fn metric(text: &str, name: &str) -> u64 {
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()).filter_map(|value| value.parse::<u64>().ok()).sum()
}

/// One valid trace must still be taken and read back.
async fn still_serves(server: &Server, seed: u8) {
    let body = otlp::traces("after", vec![otlp::span([seed; 16], [seed; 8], "fine")]);
    assert_eq!(post(server.http, "/v1/traces", PROTOBUF, body).await.unwrap().status, StatusCode::OK);
    let id = format!("{seed:02x}").repeat(16);
    assert_eq!(get_json(server.ui, &format!("/api/v1/traces/{id}")).await["spans"][0]["name"], "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_bodies_are_refused_in_the_type_they_came_in_and_counted() {
    let (_data, server) = start();
    let answer = post(server.http, "/v1/traces", "application/json", "{").await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["code"], 3);
    let answer = post(server.http, "/v1/traces", PROTOBUF, Bytes::from_static(b"\x0a\xff")).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::BAD_REQUEST, PROTOBUF));
    let answer = post(server.http, "/v1/traces", "text/plain", "hello").await.unwrap();
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = get(server.http, "/v1/traces").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let metrics = get(server.ui, "/metrics").await.text();
    assert!(metric(&metrics, "throughline_refused_requests_total") >= 3, "{metrics}");
    still_serves(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_and_far_times_cost_only_their_own_span() {
    let (_data, server) = start();
    let mut zero = otlp::span([3; 16], [1; 8], "zero id");
    zero.trace_id = vec![0; 16];
    let mut short = otlp::span([3; 16], [2; 8], "short id");
    short.span_id.pop();
    let mut future = otlp::span([3; 16], [3; 8], "in 2100");
    future.start_time_unix_nano = 4_102_444_800_000_000_000;
    let mut backwards = otlp::span([3; 16], [4; 8], "ends before it starts");
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 5;
    let mut old = otlp::span([3; 16], [5; 8], "in 1970");
    (old.start_time_unix_nano, old.end_time_unix_nano) = (1, 2);
    let body = otlp::traces("mixed", vec![zero, short, future, backwards, old]);
    let json = send(server.http, Method::POST, "/v1/traces", &[("content-type", PROTOBUF)], body).await.unwrap();
    assert_eq!(json.status, StatusCode::OK);
    assert!(!json.body.is_empty(), "a partial success was expected");
    let trace = get_json(server.ui, &format!("/api/v1/traces/{}", "03".repeat(16))).await;
    let names: Vec<&str> = trace["spans"].as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["in 1970", "ends before it starts"]);
    let metrics = get(server.ui, "/metrics").await.text();
    let rejected =
        metrics.lines().find(|line| line.starts_with("throughline_items_total") && line.contains("rejected") && line.contains("traces"));
    assert!(rejected.is_some_and(|line| line.ends_with(" 3")), "{rejected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_deep_and_many_attributes_come_back() {
    let (_data, server) = start();
    let mut deep = AnyValue { value: Some(Value::StringValue("bottom".to_owned())) };
    for _ in 0..60 {
        deep = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![deep] })) };
    }
    let mut span = otlp::span([4; 16], [1; 8], "heavy");
    span.attributes.push(otlp::attribute("huge", &"x".repeat(10 << 20)));
    span.attributes.push(opentelemetry_proto::tonic::common::v1::KeyValue {
        key: "deep".to_owned(),
        value: Some(deep),
        ..Default::default()
    });
    span.attributes.extend((0..10_000).map(|n| otlp::attribute(&format!("key {n}"), "value")));
    let answer = post(server.http, "/v1/traces", PROTOBUF, otlp::traces("heavy", vec![span])).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let text = get(server.ui, &format!("/api/v1/traces/{}?format=otlp", "04".repeat(16))).await.text();
    assert_eq!(text.matches("arrayValue").count(), 60);
    assert_eq!(text.matches("\"key\":\"key ").count(), 10_000);
    assert!(text.contains(&"x".repeat(10 << 20)));
    still_serves(&server, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_levels_of_nesting_do_not_cost_the_batch() {
    let (_data, server) = start();
    let opened = "{\"arrayValue\":{\"values\":[".repeat(100);
    let closed = "]}}".repeat(100);
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}","name":"deep","startTimeUnixNano":"{}","endTimeUnixNano":"{}",
        "attributes":[{{"key":"deep","value":{opened}{{"intValue":1}}{closed}}},{{"key":"bad text","value":{{"stringValue":"\ud800"}}}}]}}]}}]}}]}}"#,
        "06".repeat(16),
        "06".repeat(8),
        otlp::now(),
        otlp::now(),
    );
    let answer = post(server.http, "/v1/traces", "application/json", body).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let trace = get_json(server.ui, &format!("/api/v1/traces/{}", "06".repeat(16))).await;
    assert_eq!(trace["spans"][0]["name"], "deep");
    assert!(get(server.ui, &format!("/trace/{}", "06".repeat(16))).await.status.is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_text_costs_no_more_than_itself() {
    let (_data, server) = start();
    let body = otlp::traces("text", vec![otlp::span([8; 16], [1; 8], "name-goes-here")]);
    let mut bytes = body.to_vec();
    let at = bytes.windows(14).position(|window| window == b"name-goes-here").unwrap();
    bytes[at] = 0xff;
    let answer = post(server.http, "/v1/traces", PROTOBUF, bytes).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let trace = get_json(server.ui, &format!("/api/v1/traces/{}", "08".repeat(16))).await;
    assert_eq!(trace["spans"][0]["name"], "\u{fffd}ame-goes-here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decompression_bomb_stops_at_the_limit() {
    let (_data, server) = start();
    let zeros = vec![0_u8; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = Bytes::from(gzip.finish().unwrap());
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let answer = send(server.http, Method::POST, "/v1/traces", &headers, bomb).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text());
    let bomb = Bytes::from(zstd::encode_all(&*vec![0_u8; 200 << 20], 3).unwrap());
    let headers = [("content-type", PROTOBUF), ("content-encoding", "zstd")];
    let answer = send(server.http, Method::POST, "/v1/traces", &headers, bomb).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text());
    still_serves(&server, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_cut_and_a_declared_giant_is_refused_at_once() {
    let (_data, server) = start();
    let mut giant = TcpStream::connect(server.http).await.unwrap();
    giant
        .write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 10737418240\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(Duration::from_secs(5), giant.read_exact(&mut head)).await.expect("no answer").unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");

    let mut endless = TcpStream::connect(server.http).await.unwrap();
    endless
        .write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![0; 1 << 20], b"\r\n"].concat();
    let mut sent = 0_usize;
    while sent < 200 && endless.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 200, "an endless body of {sent} MiB was read");
    still_serves(&server, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_do_not_stop_a_busy_one() {
    let (_data, server) = start();
    let mut idle = Vec::new();
    for _ in 0..1000 {
        if let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(server.http)).await {
            idle.push(stream);
        }
    }
    assert!(idle.len() > 900, "only {} connections were taken", idle.len());
    still_serves(&server, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_answered_with_what_is_wrong() {
    let (_data, server) = start();
    let odd = "0".repeat(30) + "1";
    let answer = get(server.ui, &format!("/api/v1/traces/{odd}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("31"), "{}", answer.text());
    let answer = get(server.ui, "/api/v1/traces?servise=a").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("service"), "{}", answer.text());
    let answer = get(server.ui, &format!("/api/v1/traces?q={}", encode("servise:a"))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["error"]["offset"], 0, "{}", answer.text());
    for bomb in ["body~\"(a{1000}){1000}{1000}\"", "body~\"(\""] {
        let answer = get(server.ui, &format!("/api/v1/logs?q={}", encode(bomb))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bomb}: {}", answer.text());
    }
    for sql in ["DROP TABLE spans", "COPY spans TO '/tmp/x'", "SELECT * FROM '/etc/passwd'", "SELECT nonsense FROM spans"] {
        let answer = get(server.ui, &format!("/api/v1/sql?query={}", encode(sql))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{sql}: {}", answer.text());
    }
    assert_eq!(get(server.ui, &format!("/trace/{odd}")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(server.ui, &format!("/trace/{}", "0a".repeat(16))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_cannot_be_understood_are_refused_by_name_on_pages_and_in_apis() {
    let (_data, server) = start();
    for path in ["/api/v1/traces?q=%ff", "/api/traces?service=%ff", "/traces?q=%ff", "/logs?q=a&q=%c3%28"] {
        let answer = get(server.ui, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.text().to_lowercase().contains("utf-8"), "{path}: {}", answer.text());
    }
    for path in ["/api/v1/logs?limit=1&limit=2", "/api/traces?limit=1&limit=2"] {
        let answer = get(server.ui, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.text().contains("`limit`: it is given more than once"), "{path}: {}", answer.text());
    }
    // Links travel, and what carries them adds to them; a filter of the API is another thing.
    for (path, is_told) in [("/traces?utm_source=chat&fbclid=1", false), ("/traces?service=a", true), ("/logs?order=oldest", false)] {
        let answer = get(server.ui, path).await;
        assert_eq!((answer.status, answer.text().contains("in the address does nothing here")), (StatusCode::OK, is_told), "{path}");
    }
    for path in ["/api/v1/traces", "/api/v1/status", "/api/v1/deletes", "/api/v1/openapi.json", "/status.json"] {
        let answer = get(server.ui, &format!("{path}?utm_source=chat")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.text().contains("there is no parameter `utm_source` here"), "{path}: {}", answer.text());
    }
}
