//! What is taken in although its sender should mend it: stored as well as it can be, said to the sender, counted.

use bytes::Bytes;
use http::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message as _;
use serde_json::{Value, json};

use crate::http::{Answer, get, get_json, post, send};
use crate::otlp;
use crate::server::Server;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const YEAR_2100: u64 = 4_102_444_800_000_000_000;

fn start() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

/// Rejected records and the message of an answer in either encoding.
fn partial(answer: &Answer) -> (i64, String) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    if answer.header("content-type") == JSON {
        let partial = &answer.json()["partialSuccess"];
        let text = |name: &str| partial[name].as_str().unwrap_or_default().to_owned();
        let rejected = text("rejectedSpans") + &text("rejectedLogRecords");
        return (rejected.parse().unwrap_or(0), text("errorMessage"));
    }
    // The answers for spans and for log records agree field by field.
    let partial = ExportTraceServiceResponse::decode(answer.body.clone()).unwrap().partial_success.unwrap_or_default();
    (partial.rejected_spans, partial.error_message)
}

async fn counted(server: &Server, kind: &str) -> [u64; 2] {
    let metrics = get(server.ui, "/metrics").await.text();
    ["throughline_request_warnings_total", "throughline_warned_values_total"].map(|name| {
        let start = format!("{name}{{kind=\"{kind}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{start} in\n{metrics}")).parse().unwrap()
    })
}

fn json_span(trace_id: &str, name: &[u8], attributes: &[u8]) -> Bytes {
    let now = otlp::now();
    let head = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace_id}","spanId":"00f067aa0ba902b7",
        "startTimeUnixNano":"{now}","endTimeUnixNano":"{now}","name":""#
    );
    [head.as_bytes(), name, br#"","attributes":["#, attributes, b"]}]}]}]}"].concat().into()
}

async fn name_of(server: &Server, trace_id: &str) -> Value {
    get_json(server.ui, &format!("/api/v1/traces/{trace_id}")).await["spans"][0]["name"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_is_told_in_every_encoding_and_counted() {
    let (_data, server) = start();
    let lone = br#"{"key":"k","value":{"stringValue":"\ud800"}},{"key":"pair","value":{"stringValue":"\ud83d\ude00"}}"#;
    for (id, name, attributes, shown, texts) in [
        ("01", &b"raw \xff"[..], &b""[..], "raw \u{fffd}", 1),
        ("02", br"lone \udc00", lone, "lone \u{fffd}", 2),
        ("03", "said \u{fffd} by the sender".as_bytes(), b"", "said \u{fffd} by the sender", 0),
    ] {
        let id = id.repeat(16);
        let (rejected, message) = partial(&post(server.http, "/v1/traces", JSON, json_span(&id, name, attributes)).await.unwrap());
        assert_eq!(rejected, 0);
        assert!(message.starts_with(&format!("{texts} text(s) were not UTF-8")) == (texts > 0), "{message}");
        assert_eq!(name_of(&server, &id).await, shown);
    }
    assert_eq!(counted(&server, "utf8").await, [2, 3]);

    let mut bytes = otlp::traces("text", vec![otlp::span([4; 16], [1; 8], "name-goes-here")]).to_vec();
    let at = bytes.windows(14).position(|window| window == b"name-goes-here").unwrap();
    bytes[at] = 0xff;
    let answer = post(server.http, "/v1/traces", PROTOBUF, bytes.clone()).await.unwrap();
    assert!(partial(&answer).1.starts_with("1 text(s) were not UTF-8"), "{}", answer.text());
    bytes[at] = 0xfe;
    let (status, reply) = grpc(&server, "opentelemetry.proto.collector.trace.v1.TraceService", &bytes).await;
    let reply = ExportTraceServiceResponse::decode(&reply[5..]).unwrap().partial_success.unwrap();
    assert_eq!((status.as_str(), reply.rejected_spans), ("0", 0));
    assert!(reply.error_message.starts_with("1 text(s) were not UTF-8"), "{}", reply.error_message);
    assert_eq!(counted(&server, "utf8").await, [4, 5]);

    let mut log = otlp::logs("text", vec![otlp::log("body-goes-here")]).to_vec();
    let at = log.windows(14).position(|window| window == b"body-goes-here").unwrap();
    log[at] = 0xff;
    assert!(partial(&post(server.http, "/v1/logs", PROTOBUF, log).await.unwrap()).1.contains("UTF-8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_times_are_stored_as_sent_told_once_a_minute_and_counted() {
    let (_data, server) = start();
    let span = |seed: u8, start: u64, end: u64| {
        let mut span = otlp::span([seed; 16], [seed; 8], "odd");
        (span.start_time_unix_nano, span.end_time_unix_nano) = (start, end);
        otlp::traces("times", vec![span])
    };
    let now = otlp::now();
    let rows = [
        (1, now, now - 5, "end_before_start", "1 span(s) end before they start"),
        (2, 1, 2, "before_2000", "before the year 2000"),
        (3, now, YEAR_2100, "future", "a day ahead of the server's clock"),
    ];
    for (seed, start, end, kind, said) in rows {
        let (rejected, message) = partial(&post(server.http, "/v1/traces", PROTOBUF, span(seed, start, end)).await.unwrap());
        assert_eq!(rejected, 0, "{message}");
        assert!(message.contains(said), "{message}");
        let otlp = get_json(server.ui, &format!("/api/v1/traces/{}?format=otlp", format!("{seed:02x}").repeat(16))).await;
        let stored = &otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!((&stored["startTimeUnixNano"], &stored["endTimeUnixNano"]), (&start.to_string().into(), &end.to_string().into()));
        // The same client is not told again at once, another one is.
        assert_eq!(partial(&post(server.http, "/v1/traces", PROTOBUF, span(seed + 10, start, end)).await.unwrap()), (0, String::new()));
        let headers = [("content-type", PROTOBUF), ("user-agent", "another")];
        let answer = send(server.http, Method::POST, "/v1/traces", &headers, span(seed + 20, start, end)).await.unwrap();
        assert!(partial(&answer).1.contains(said), "{}", answer.text());
        assert_eq!(counted(&server, kind).await, [3, 3]);
    }
    let mut log = otlp::log("from the future");
    (log.time_unix_nano, log.observed_time_unix_nano) = (YEAR_2100, 5);
    let headers = [("content-type", PROTOBUF), ("user-agent", "a third")];
    let answer = send(server.http, Method::POST, "/v1/logs", &headers, otlp::logs("times", vec![log])).await.unwrap();
    let (rejected, message) = partial(&answer);
    assert_eq!(rejected, 0);
    assert!(message.contains("before the year 2000") && message.contains("a day ahead"), "{message}");
    let found = get_json(server.ui, "/api/v1/logs?service=times&format=otlp&to=2200-01-01T00:00:00Z").await;
    let record = &found["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!((&record["timeUnixNano"], &record["observedTimeUnixNano"]), (&YEAR_2100.to_string().into(), &"5".into()));
}

/// Sends the same in three ways; gives what each was told.
async fn three_ways(server: &Server, path: &str, service: &str, json: &Value, protobuf: Bytes) -> [String; 3] {
    let headers = [("content-type", JSON), ("user-agent", "one of JSON")];
    let as_json = partial(&send(server.http, Method::POST, path, &headers, json.to_string().into()).await.unwrap());
    let headers = [("content-type", PROTOBUF), ("user-agent", "one of protobuf")];
    let as_protobuf = partial(&send(server.http, Method::POST, path, &headers, protobuf.clone()).await.unwrap());
    // Not the same bytes again: those would be known.
    let (status, reply) = grpc(server, service, &[&protobuf[..], &[0x0a, 0x00]].concat()).await;
    assert_eq!(status, "0");
    let over_grpc = ExportTraceServiceResponse::decode(&reply[5..]).unwrap().partial_success.unwrap_or_default();
    assert_eq!((as_json.0, as_protobuf.0, over_grpc.rejected_spans), (0, 0, 0));
    [as_json.1, as_protobuf.1, over_grpc.error_message]
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_log_records_that_are_none_are_told_in_every_encoding_and_counted() {
    let (_data, server) = start();
    let mut log = otlp::log("out of its trace");
    (log.trace_id, log.span_id) = (b"12345".to_vec(), vec![1; 8]);
    let json = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "timeUnixNano": otlp::now().to_string(), "body": { "stringValue": "fine" }, "traceId": "", "spanId": "0".repeat(16) },
        { "timeUnixNano": otlp::now().to_string(), "traceId": "3132333435", "spanId": "01".repeat(8) },
    ] }] }] });
    let service = "opentelemetry.proto.collector.logs.v1.LogsService";
    let told = three_ways(&server, "/v1/logs", service, &json, otlp::logs("ids", vec![log])).await;
    let said = "1 trace or span id(s) of log records do not have 16 or 8 bytes; the records are kept without them";
    assert_eq!(told, [&*format!("traceId of log record 1 is not 32 hex digits; {said}"), said, said]);
    assert_eq!(counted(&server, "id").await, [3, 3]);
    let found = get_json(server.ui, "/api/v1/logs?service=ids&format=otlp").await;
    let record = &found["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!((&record["spanId"], record.get("traceId").and_then(Value::as_str).unwrap_or_default()), (&"01".repeat(8).into(), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_links_that_are_none_are_told_in_every_encoding_and_counted() {
    let (_data, server) = start();
    let said =
        |count: u8| format!("{count} trace or span id(s) of links are missing, all zeros or not of 16 and 8 bytes; the links are kept");
    let service = "opentelemetry.proto.collector.trace.v1.TraceService";
    for (seed, id, wrong) in [(0x11, "313233".to_owned(), 1), (0x21, "0".repeat(32), 2), (0x31, "5".repeat(31), 1)] {
        let bytes =
            |text: &str| -> Vec<u8> { (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..][..2], 16).unwrap()).collect() };
        let span_id = if wrong == 2 { "0".repeat(16) } else { "08".repeat(8) };
        let sent = if id.len() % 2 == 0 { id.clone() } else { String::new() };
        let mut span = otlp::span([seed; 16], [1; 8], "linked");
        span.links.push(Link { trace_id: bytes(&sent), span_id: bytes(&span_id), ..Link::default() });
        let trace_id = format!("{:02x}", seed + 1).repeat(16);
        let json = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ "traceId": trace_id, "spanId": "01".repeat(8), "name": "linked",
            "startTimeUnixNano": otlp::now().to_string(), "endTimeUnixNano": otlp::now().to_string(),
            "links": [{ "traceId": id, "spanId": span_id }] }] }] }] });
        let before = counted(&server, "id").await;
        let told = three_ways(&server, "/v1/traces", service, &json, otlp::traces("links", vec![span])).await;
        assert_eq!(counted(&server, "id").await, [before[0] + 3, before[1] + 3 * wrong]);
        if seed == 0x11 {
            assert!(told.iter().all(|told| told.starts_with(&said(1))), "{told:?}");
        }
        let left_out = "traceId of link 0 of span 0 is not 32 hex digits; the link is kept without it";
        assert_eq!(told[0].contains(left_out), sent.is_empty(), "{told:?}");
        for trace_id in [format!("{seed:02x}").repeat(16), trace_id] {
            let trace = get_json(server.ui, &format!("/api/v1/traces/{trace_id}")).await;
            assert_eq!(trace["spans"][0]["links"][0]["trace_id"], sent.as_str(), "{trace}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_times_of_events_are_stored_as_sent_told_and_counted() {
    let (_data, server) = start();
    let mut span = otlp::span([6; 16], [1; 8], "with events");
    span.events = [5, YEAR_2100].map(|time_unix_nano| Event { time_unix_nano, name: "odd".to_owned(), ..Event::default() }).to_vec();
    let (rejected, message) = partial(&post(server.http, "/v1/traces", PROTOBUF, otlp::traces("times", vec![span])).await.unwrap());
    assert_eq!(rejected, 0);
    assert!(message.contains("event(s)") && message.contains("before the year 2000") && message.contains("a day ahead"), "{message}");
    assert_eq!((counted(&server, "before_2000").await, counted(&server, "future").await), ([1, 1], [1, 1]));
    let otlp = get_json(server.ui, &format!("/api/v1/traces/{}?format=otlp", "06".repeat(16))).await;
    let events = &otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["events"];
    assert_eq!((&events[0]["timeUnixNano"], &events[1]["timeUnixNano"]), (&"5".into(), &YEAR_2100.to_string().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_given_twice_is_the_last_one_and_told() {
    let (_data, server) = start();
    let attributes = br#"{"key":"k","value":{"stringValue":"first","intValue":"2"}}"#;
    let id = "05".repeat(16);
    let (rejected, message) = partial(&post(server.http, "/v1/traces", JSON, json_span(&id, b"a", attributes)).await.unwrap());
    assert_eq!(rejected, 0);
    assert!(message.contains("given twice with different types"), "{message}");
    let otlp = get_json(server.ui, &format!("/api/v1/traces/{id}?format=otlp")).await;
    let value = &otlp["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]["value"];
    assert_eq!(value, &json!({ "intValue": "2" }));
    assert_eq!(counted(&server, "two_values").await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grpc_does_not_serve_is_answered_with_what_it_does() {
    let (_data, server) = start();
    for (service, said) in [
        ("opentelemetry.proto.collector.metrics.v1.MetricsService", "OTEL_METRICS_EXPORTER=none"),
        ("opentelemetry.proto.collector.profiles.v1development.ProfilesService", "OTEL_PROFILES_EXPORTER=none"),
        ("x.Y", "TraceService/Export"),
    ] {
        let (status, reply) = grpc(&server, service, b"").await;
        assert!(status.starts_with("12 ") && status.contains(said), "{service}: {status}");
        assert!(reply.is_empty());
    }
    let metrics = get(server.ui, "/metrics").await.text();
    assert!(metrics.contains("throughline_refused_requests_total{reason=\"not_found\"} 1\n"), "{metrics}");
}

/// One unary call: the status with its message, and the reply with its frame.
async fn grpc(server: &Server, service: &str, message: &[u8]) -> (String, Bytes) {
    let frame = [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), message].concat();
    crate::http::grpc(server.grpc, &format!("/{service}/Export"), frame.into()).await
}
