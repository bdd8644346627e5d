//! OTLP/HTTP: rows of the conformance checklist that one process can prove.

use prost::Message as _;

use super::*;
use crate::config::MetricsPolicy;
use crate::rpc;

const T1: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a"}]}]}]}"#;
const JSON: &str = "content-type: application/json\r\n";
const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

fn status(heard: &Heard) -> rpc::Status {
    assert!(heard.has("content-type: application/x-protobuf"), "{heard:?}");
    rpc::Status::decode(&*heard.body).unwrap()
}

#[tokio::test]
async fn both_encodings_are_answered_in_kind_on_one_connection() {
    let running = Running::start(|_| {}).await;
    let one = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\n{PROTOBUF}content-length: 80\r\n\r\n");
    let two = format!("POST /v1/traces?x=1 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{JSON}content-length: {}\r\n\r\n{T1}", T1.len());
    let mut raw = Vec::new();
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    stream.write_all(&[one.as_bytes(), &t1(), two.as_bytes()].concat()).await.unwrap();
    stream.read_to_end(&mut raw).await.unwrap();
    let first = Heard::parse(&raw);
    assert!(first.status == 200 && first.has("content-type: application/x-protobuf") && first.has("content-length: 0"), "{first:?}");
    let second = Heard::parse(&first.body);
    assert_eq!((second.status, second.json()), (200, serde_json::json!({})));
    let got = running.got();
    assert_eq!((got.len(), got[0].1.to_vec()), (2, t1()));
    assert!(running.metric("throughline_requests_total{signal=\"traces\",transport=\"http\",encoding=\"json\",outcome=\"accepted\"} 1"));
    assert!(running.metric("throughline_items_total{signal=\"traces\",outcome=\"accepted\"} 2"));
    assert!(running.metric("throughline_received_bytes_total{signal=\"traces\",transport=\"http\"} 216") || T1.len() != 136);
    assert!(running.metric("throughline_in_flight_bytes 0"));
    assert!(running.metric("throughline_memory_used_bytes{consumer=\"requests\"} 0"));
}

#[tokio::test]
async fn empty_requests_succeed() {
    let running = Running::start(|_| {}).await;
    let heard = running.post("/v1/logs", PROTOBUF, b"").await;
    assert_eq!((heard.status, heard.body.len()), (200, 0));
    assert_eq!(running.post("/v1/logs", JSON, b"{}").await.json(), serde_json::json!({}));
    assert!(running.got().is_empty());
}

#[tokio::test]
async fn a_part_that_is_rejected_is_counted_and_explained() {
    let running = Running::start(|_| {}).await;
    let part =
        || Next::Take(Appended { accepted: 2, rejected: 1, message: Some("span 0 has no trace id".to_owned()), ..Appended::default() });
    running.will(part());
    let heard = running.post("/v1/traces", JSON, T1.as_bytes()).await;
    let expected = serde_json::json!({ "partialSuccess": { "rejectedSpans": "1", "errorMessage": "span 0 has no trace id" } });
    assert_eq!((heard.status, heard.json()), (200, expected));
    running.will(part());
    let heard = running.post("/v1/logs", JSON, br#"{"resourceLogs":[{"schemaUrl":"x"}]}"#).await;
    assert_eq!(heard.json()["partialSuccess"]["rejectedLogRecords"], "1");
    running.will(Next::Take(Appended { accepted: 0, rejected: 1, message: Some("x".to_owned()), ..Appended::default() }));
    assert_eq!(running.post("/v1/traces", PROTOBUF, &t1()).await.body, [0x0a, 5, 8, 1, 0x12, 1, b'x']);
}

#[tokio::test]
async fn an_item_out_of_range_is_rejected_with_the_rest_stored() {
    let running = Running::start(|_| {}).await;
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","startTimeUnixNano":"-1"},{"name":"b"}]}]}]}"#;
    let heard = running.post("/v1/traces", JSON, text.as_bytes()).await;
    assert_eq!(heard.json()["partialSuccess"]["rejectedSpans"], "1");
    assert!(heard.json()["partialSuccess"]["errorMessage"].as_str().unwrap().contains("startTimeUnixNano"));
    assert_eq!(running.got().len(), 1);
}

#[tokio::test]
async fn errors_are_statuses_in_the_type_of_the_request() {
    let running = Running::start(|_| {}).await;
    let heard = running.post("/v1/traces", JSON, b"{").await;
    let json = heard.json();
    assert_eq!((heard.status, &json["code"]), (400, &3.into()));
    assert_eq!(json["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(json["details"][0]["fieldViolations"][0]["field"], "body");
    for body in [&b"[]"[..], b"", b"null", b"{}{}", b"{\"resourceSpans\":{}}", &t1()] {
        assert_eq!(running.post("/v1/traces", JSON, body).await.status, 400, "{body:?}");
    }
    running.will(Next::Fail(AppendError::Malformed("field 1 is cut short".to_owned())));
    let heard = running.post("/v1/traces", PROTOBUF, b"\x0a\xff").await;
    assert_eq!((heard.status, status(&heard).code, status(&heard).details.len()), (400, 3, 1));
    running.will(Next::Fail(AppendError::Malformed("group is not closed".to_owned())));
    let heard = running.post("/v1/traces", PROTOBUF, b"{}").await;
    assert!(status(&heard).message.contains("application/json"));
}

#[tokio::test]
async fn paths_methods_and_types_are_told_apart() {
    let running = Running::start(|_| {}).await;
    for path in ["/", "/v1/traces/", "//v1/traces", "/V1/traces", "/v1/metrics", "/v1development/profiles", "/v1/profiles", "/%2e%2e/etc"] {
        let heard = running.post(path, JSON, T1.as_bytes()).await;
        assert_eq!(heard.status, 404, "{path}");
        assert!(!heard.json()["message"].as_str().unwrap().is_empty());
    }
    let heard = running.post("/v1/traces/v1/logs", JSON, T1.as_bytes()).await;
    assert!(heard.status == 404 && heard.json()["message"].as_str().unwrap().contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{heard:?}");
    for (path, receiver) in [("/api/v2/spans", "zipkin"), ("/api/traces?format=jaeger.thrift", "jaeger"), ("/loki/api/v1/push", "loki")] {
        let heard = running.post(path, "content-type: application/x-thrift\r\n", b"x").await;
        let message = heard.json()["message"].as_str().unwrap().to_owned();
        let whole =
            message.contains("/v1/traces") && message.contains(&format!("Collector translates it to OTLP, with its receiver `{receiver}`"));
        assert!(heard.status == 404 && whole, "{message}");
    }
    for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "NONSENSE"] {
        let heard = running.say(format!("{method} /v1/traces HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(heard.status == 405 && heard.has("allow: post, options"), "{heard:?}");
        assert!(method == "HEAD" || heard.json()["message"].is_string());
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/grpc", "application/protobuf"] {
        let heard = running.post("/v1/traces", &format!("content-type: {kind}\r\n"), &t1()).await;
        assert!(heard.status == 415 && heard.has("accept-post: application/x-protobuf, application/json"), "{heard:?}");
        assert!(heard.json()["message"].as_str().unwrap().contains("x-protobuf"));
    }
    assert_eq!(running.post("/v1/traces", "", &t1()).await.status, 415);
    assert_eq!(running.post("/v1/traces", &format!("{JSON}{JSON}"), b"{}").await.status, 400);
    assert!(running.got().is_empty());
    assert!(running.metric("throughline_refused_requests_total{reason=\"media_type\"} 5"));
    let types: Vec<u64> = (running.refusals)().iter().filter(|refusal| refusal.status == 415).map(|refusal| refusal.count).collect();
    assert!(types.len() > 1 && types.iter().sum::<u64>() == 5, "each type that came is told: {types:?}");
}

#[tokio::test]
async fn every_coding_is_expanded_and_unknown_ones_are_refused() {
    let running = Running::start(|_| {}).await;
    let (left, right) = (t1()[..30].to_vec(), t1()[30..].to_vec());
    let packed = [
        ("gzip", gzip(&t1())),
        ("GZIP", [gzip(&left), gzip(&right)].concat()),
        ("x-gzip", gzip(&t1())),
        ("zstd", zstd::encode_all(&*t1(), 1).unwrap()),
        ("identity", t1()),
    ];
    for (name, body) in &packed {
        let heard = running.post("/v1/traces", &format!("{PROTOBUF}content-encoding: {name}\r\n"), body).await;
        assert_eq!(heard.status, 200, "{name}");
    }
    assert!(running.got().iter().all(|(_, payload)| *payload == t1()));
    let heard = running.post("/v1/traces", &format!("{JSON}content-encoding: br\r\n"), b"x").await;
    assert!(heard.status == 415 && heard.has("accept-encoding: gzip, zstd, deflate, identity"), "{heard:?}");
    for body in [t1(), vec![], gzip(&t1())[..20].to_vec(), [gzip(&t1()), b"x".to_vec()].concat()] {
        let heard = running.post("/v1/traces", &format!("{PROTOBUF}content-encoding: gzip\r\n"), &body).await;
        assert_eq!((heard.status, status(&heard).code), (400, 3));
    }
    assert_eq!(running.post("/v1/traces", &format!("{PROTOBUF}content-encoding: gzip\r\n"), &gzip(b"")).await.status, 200);
    assert_eq!(running.got().len(), packed.len());
}

#[tokio::test]
async fn one_byte_over_the_limit_is_413_however_it_comes() {
    let running = Running::start(|config| config.max_message_bytes = 1000).await;
    assert_eq!(running.post("/v1/traces", PROTOBUF, &[0; 1000]).await.status, 200);
    let heard = running.post("/v1/traces", PROTOBUF, &[0; 1001]).await;
    assert_eq!((heard.status, status(&heard).code), (413, 8));
    let gzipped = format!("{PROTOBUF}content-encoding: gzip\r\n");
    assert_eq!(running.post("/v1/traces", &gzipped, &gzip(&[0; 1000])).await.status, 200);
    assert_eq!(running.post("/v1/traces", &gzipped, &gzip(&[0; 1001])).await.status, 413);
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{PROTOBUF}transfer-encoding: chunked\r\n\r\n");
    let chunks = "64\r\n".to_owned() + &"x".repeat(100) + "\r\n";
    assert_eq!(running.say((head.clone() + &chunks.repeat(11) + "0\r\n\r\n").as_bytes()).await.status, 413);
    let whole = head + &chunks.repeat(10) + "0\r\n\r\n";
    assert_eq!(running.say(whole.as_bytes()).await.status, 200);
    let huge = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\n{JSON}content-length: 10737418240\r\n\r\n");
    assert_eq!(running.say(huge.as_bytes()).await.json()["code"], 8);
    let expecting = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\n{JSON}content-length: 2000\r\n\r\n");
    assert_eq!(running.say(expecting.as_bytes()).await.status, 413);
    let expecting =
        format!("POST /v1/logs HTTP/1.1\r\nhost: t\r\nconnection: close\r\nexpect: 100-continue\r\n{JSON}content-length: 2\r\n\r\n{{}}");
    let heard = running.say(expecting.as_bytes()).await;
    assert_eq!((heard.status, Heard::parse(&heard.body).status), (100, 200));
}

#[tokio::test]
async fn what_may_pass_is_503_with_a_short_hint() {
    let running = Running::start(|config| {
        config.max_message_bytes = 4096;
        config.in_flight_bytes = 4096;
        config.admission_wait = Duration::from_millis(50);
    })
    .await;
    running.will(unavailable());
    let heard = running.post("/v1/traces", JSON, T1.as_bytes()).await;
    assert!(heard.status == 503 && heard.has("retry-after: 2"), "{heard:?}");
    let json = heard.json();
    assert_eq!((&json["code"], &json["details"][0]["retryDelay"]), (&14.into(), &"2s".into()));
    running.will(Next::Wait(Duration::from_millis(500)));
    let full = running.post("/v1/traces", PROTOBUF, &[0; 4096]);
    let refused = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        running.post("/v1/traces", PROTOBUF, &t1()).await
    };
    let (full, refused) = tokio::join!(full, refused);
    assert_eq!((full.status, refused.status, status(&refused).code), (200, 503, 14));
    assert!(running.metric("throughline_refused_requests_total{reason=\"busy\"} 1"));
    assert_eq!(running.post("/v1/traces", PROTOBUF, &t1()).await.status, 200);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let running = Running::start(|_| {}).await;
    running.will(Next::Panic);
    let heard = running.post("/v1/traces", JSON, T1.as_bytes()).await;
    assert_eq!((heard.status, &heard.json()["code"]), (500, &13.into()));
    assert!(running.metric("throughline_ingest_panics_total 1"));
    assert!(running.metric("throughline_in_flight_bytes 0"));
    assert_eq!(running.post("/v1/traces", JSON, T1.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn listed_origins_may_send_and_see_every_answer() {
    let running = Running::start(|config| config.cors_origins = vec!["https://*.example.com".to_owned()]).await;
    let preflight = "OPTIONS /v1/traces HTTP/1.1\r\nhost: t\r\nconnection: close\r\norigin: https://app.example.com\r\n\
        access-control-request-method: POST\r\naccess-control-request-headers: content-type,x-token\r\n\r\n";
    let heard = running.say(preflight.as_bytes()).await;
    assert_eq!(heard.status, 204);
    for line in [
        "access-control-allow-origin: https://app.example.com",
        "access-control-allow-credentials: true",
        "access-control-allow-methods: post, options",
        "access-control-allow-headers: content-type,x-token",
        "vary: origin",
    ] {
        assert!(heard.has(line), "{line}: {heard:?}");
    }
    let origin = format!("{JSON}origin: https://app.example.com\r\n");
    running.will(unavailable());
    for (body, code) in [(T1, 503), (T1, 200), ("{", 400)] {
        let heard = running.post("/v1/traces", &origin, body.as_bytes()).await;
        assert_eq!(heard.status, code);
        assert!(heard.has("access-control-allow-origin: https://app.example.com"), "{heard:?}");
        assert!(heard.has("access-control-expose-headers: retry-after"));
    }
    for foreign in ["https://example.com.evil.io", "null"] {
        let heard = running.post("/v1/traces", &format!("{JSON}origin: {foreign}\r\n"), T1.as_bytes()).await;
        assert_eq!((heard.status, heard.head.contains("allow-origin")), (403, false));
    }
    assert_eq!(running.got().len(), 1);
}

#[tokio::test]
async fn slow_heads_are_closed_and_slow_bodies_are_408() {
    let running = Running::start(|config| {
        config.header_timeout = Duration::from_millis(150);
        config.body_timeout = Duration::from_millis(150);
    })
    .await;
    let mut slow = TcpStream::connect(running.http).await.unwrap();
    slow.write_all(b"POST /v1/traces HTTP/1.1\r\n").await.unwrap();
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(3), slow.read_to_end(&mut heard)).await;
    assert!(closed.is_ok());
    assert_eq!(Heard::parse(&heard).status, 408);
    assert!(running.metric("throughline_refused_requests_total{reason=\"head_timeout\"} 1"));
    assert_eq!((running.refusals)()[0].reason, "head_timeout");
    let mut single = TcpStream::connect(running.http).await.unwrap();
    single.write_all(b"P").await.unwrap();
    let mut heard = Vec::new();
    tokio::time::timeout(Duration::from_secs(3), single.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(Heard::parse(&heard).status, 408);
    assert!(running.metric("throughline_refused_requests_total{reason=\"head_timeout\"} 2"));
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\n{JSON}content-length: 10\r\n\r\n{{");
    let heard = tokio::time::timeout(Duration::from_secs(3), running.say(head.as_bytes())).await.unwrap();
    assert_eq!(heard.status, 408);
    assert!(heard.json()["message"].is_string());
}

#[tokio::test]
async fn a_connection_may_rest_longer_than_a_head_may_take() {
    let running = Running::start(|config| {
        config.header_timeout = Duration::from_millis(100);
        config.idle_timeout = Duration::from_millis(700);
    })
    .await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    let request = format!("POST /v1/logs HTTP/1.1\r\nhost: t\r\n{JSON}content-length: 2\r\n\r\n{{}}");
    let mut buffer = [0; 1024];
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let closed = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut buffer)).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))));
}

#[tokio::test]
async fn heads_that_are_not_http_are_answered_with_a_status_too() {
    let running = Running::start(|_| {}).await;
    for (raw, code) in [
        ("POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(), 400),
        ("POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n".to_owned(), 400),
        ("POST /v1/traces HTTP/1.1\r\nhost: t\r\ntransfer-encoding: xchunked\r\n\r\n".to_owned(), 400),
        (format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "y".repeat(2 << 20)), 431),
    ] {
        let heard = running.say(raw.as_bytes()).await;
        assert_eq!(heard.status, code, "{heard:?}");
        assert!(heard.json()["message"].is_string());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let running = Running::start(|_| {}).await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: t\r\n{PROTOBUF}content-length: 80\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &t1()[..40]].concat()).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(running.got().is_empty());
    assert!(running.metric("throughline_connections{transport=\"http\"} 0"));
    assert!(running.metric("throughline_in_flight_bytes 0"));
}

#[tokio::test]
async fn metrics_are_rejected_by_count_when_so_configured() {
    let running = Running::start(|config| config.metrics = MetricsPolicy::Reject).await;
    let text = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{},{}]}}]}]}]}"#;
    let heard = running.post("/v1/metrics", JSON, text).await;
    assert_eq!((heard.status, &heard.json()["partialSuccess"]["rejectedDataPoints"]), (200, &"2".into()));
    assert_eq!(running.post("/v1/metrics", PROTOBUF, b"\x0a\xff").await.status, 400);
    assert_eq!(running.post("/v1/metrics", JSON, b"{}").await.json(), serde_json::json!({}));
}

#[tokio::test]
async fn calls_of_grpc_are_told_that_their_port_is_another() {
    let running = Running::start(|_| {}).await;
    let heard = running.post("/opentelemetry.proto.collector.logs.v1.LogsService/Export", "content-type: application/grpc\r\n", b"").await;
    assert_eq!(heard.status, 400);
    assert!(String::from_utf8_lossy(&heard.body).contains("gRPC on the port of OTLP/HTTP; send OTLP/gRPC to port "), "{heard:?}");
    assert!(running.metric("throughline_refused_requests_total{reason=\"protocol\"} 1"));
}
