use axum::body::Body;
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::Part;
use crate::harness::{App, TRACE};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers_refusals_included() {
    let app = App::filled().await;
    for path in ["/", "/nothing", "/api/v1/traces", "/api/v1/nothing", "/api/traces/zz", "/healthz"] {
        let answer = app.get(path).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
    assert_eq!(app.get("/api/v1/traces").await.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_take_the_form_of_their_audience() {
    let app = App::empty().await;
    let page = app.get("/nothing").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"));
    assert_eq!(app.get("/api/v1/nothing").await.json()["error"]["code"], "not_found");
    assert_eq!(app.get("/api/nothing").await.json()["errors"][0]["code"], 404);
    let sent = app.call(Method::POST, "/v1/traces", "application/json", "{}").await;
    assert!(sent.json()["error"]["message"].as_str().is_some_and(|said| said.contains("over OTLP/other ports")), "{}", sent.text());
    let named = app.get("/v1/traces").await;
    assert!(named.status == StatusCode::NOT_FOUND && named.text().contains("over OTLP/other ports"), "{}", named.text());
    for (path, form, receiver) in [
        ("/api/v2/spans", "application/json", "zipkin"),
        ("/api/traces?format=jaeger.thrift", "application/x-thrift", "jaeger"),
        ("/loki/api/v1/push", "application/x-protobuf", "loki"),
    ] {
        let sent = app.call(Method::POST, path, form, "x").await;
        let (said, receiver) = (sent.text(), format!("receiver `{receiver}`"));
        assert!(sent.status == StatusCode::NOT_FOUND && said.contains("over OTLP/other ports; an OpenTelemetry Collector"), "{said}");
        assert!(said.contains(&receiver), "{said}");
    }
    let wrong_method = app.call(Method::DELETE, "/api/v1/traces", "text/plain", "").await;
    assert_eq!(
        (wrong_method.status, wrong_method.json()["error"]["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("method_not_allowed"))
    );
    assert_eq!(wrong_method.header("allow"), "GET,HEAD");
    let large = app.call(Method::POST, "/api/v1/sql", "text/plain", &" ".repeat(guard::MAX_BODY_BYTES + 1)).await;
    assert_eq!((large.status, large.json()["error"]["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large")));
    // A vault of many files says which it has.
    let known = app.call(Method::POST, "/api/v1/backup", "text/plain", &"x\n".repeat(guard::MAX_BODY_BYTES)).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_name_is_refused_on_loopback() {
    let app = App::empty().await;
    let asked = |host: &'static str| Request::get("/api/v1/status").header("host", host).body(Body::empty()).unwrap();
    assert_eq!(app.send(asked("localhost:16686")).await.status, StatusCode::OK);
    let refused = app.send(asked("evil.test:16686")).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (StatusCode::MISDIRECTED_REQUEST, Some("unknown_host")));
    // People see why, in a page that looks like one.
    let page = Request::get("/").header("host", "evil.test").header("accept", "text/html").body(Body::empty()).unwrap();
    let page = app.send(page).await.text();
    let style = page.split("href=\"").find(|rest| rest.contains("/app.css\"")).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(page.contains("allowed_hosts"), "{page}");
    assert_eq!(app.send(Request::get(style).header("host", "evil.test").body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    let app = App::with(|config| config.allowed_hosts = vec!["evil.test".to_owned()]).await;
    assert_eq!(app.send(asked("evil.test:16686")).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_base_path_everything_moves() {
    let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
    assert_eq!(app.get("/tl/healthz").await.text(), "ok\n");
    assert_eq!(app.get("/tl/api/v1/traces?service=a").await.status, StatusCode::OK);
    assert_eq!(app.get("/tl/api/v1/nothing").await.json()["error"]["code"], "not_found");
    assert_eq!(app.get("/tl/api/v1/openapi.json").await.json()["servers"][0]["url"], "/tl");
    let root = app.get("/").await;
    assert_eq!((root.status, root.header("location")), (StatusCode::TEMPORARY_REDIRECT, "/tl/"));
    let outside = app.get("/healthz").await;
    assert!(outside.status == StatusCode::NOT_FOUND && outside.text().contains("below /tl/"), "{}", outside.text());
    assert_eq!(outside.header("x-content-type-options"), "nosniff");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_those_who_take_it() {
    let app = App::filled().await;
    let request = Request::get(format!("/api/v1/traces/{TRACE}")).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    assert_eq!(app.send(request).await.header("content-encoding"), "gzip");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_in_pieces_end_well_when_they_are_compressed() {
    let app = App::filled().await;
    for (method, path) in [(Method::GET, "/api/v1/export"), (Method::GET, "/api/v1/export?signal=logs"), (Method::POST, "/api/v1/backup")] {
        for coding in ["gzip", "zstd"] {
            let request =
                Request::builder().method(method.clone()).uri(path).header("accept-encoding", coding).body(Body::empty()).unwrap();
            let answer = app.send(request).await;
            assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::OK, coding), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_part_that_is_not_ready() {
    let app = App::with(|config| config.readiness = vec![Part::new("receiver", || Err("port 4317 is not open yet".to_owned()))]).await;
    let answer = app.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["parts"][1], serde_json::json!({ "name": "receiver", "ready": false, "reason": "port 4317 is not open yet" }));
    assert_eq!(App::empty().await.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_text() {
    let app = App::filled().await;
    app.get("/nothing").await;
    let text = app.get("/metrics").await.text();
    assert!(text.contains("throughline_http_responses_total{class=\"4xx\"} 1\n"), "{text}");
    assert!(text.contains("# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_that_comes_here_is_counted_and_told_to_people_wherever_it_was_sent() {
    let app = App::with(|config| config.base_path = "/tl".to_owned()).await;
    for (path, form) in [("/v1/traces", "application/json"), ("/tl", "application/x-protobuf"), ("/tl/v1/logs", "application/x-protobuf")] {
        let answer = app.call(Method::POST, path, form, "x").await;
        assert!(answer.status == StatusCode::NOT_FOUND && answer.text().contains("over OTLP/other ports"), "{path}: {}", answer.text());
    }
    let text = app.get("/tl/metrics").await.text();
    assert!(text.contains("throughline_refused_requests_total{reason=\"wrong_port\"} 3\n"), "{text}");
    for page in ["/tl/start", "/tl/status"] {
        // In the words of the answer, or as advice where many are counted.
        let text = app.get(page).await.text();
        assert!(
            ["is not taken at the port of the pages", "Somebody sends OTLP to the port of these pages."]
                .iter()
                .any(|said| text.contains(said)),
            "{page}"
        );
    }
    // What is asked of an API in JSON is not.
    app.call(Method::POST, "/tl/api/v1/nothing", "application/json", "{}").await;
    assert!(app.get("/tl/metrics").await.text().contains("{reason=\"wrong_port\"} 3\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_that_comes_here_is_answered_as_grpc() {
    let app = App::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut config = Config::new(addr, "0.0.0-test");
    config.otlp_grpc = Some(([127, 0, 0, 1], 4317).into());
    let state = AppState::new(config, app.store().clone(), Registry::default());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(Server { listener, addr, state: state.clone() }.serve(stop.clone()));
    let stream = TcpStream::connect(addr).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str, form: &str| {
        let uri = format!("http://{addr}{path}");
        Request::post(uri).header("content-type", form).header("user-agent", "an exporter").body(Body::empty()).unwrap()
    };
    let answer = sender.send_request(ask("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc")).await.unwrap();
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((answer.status(), header("content-type"), header("grpc-status")), (StatusCode::OK, "application/grpc", "12"));
    assert!(header("grpc-message").contains("gRPC%20at%20port%204317"), "{}", header("grpc-message"));
    let page = sender.send_request(ask("/traces", "text/plain")).await.unwrap();
    assert_eq!(page.status(), StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    let told: Vec<_> = state.refused().into_iter().map(|stray| (stray.transport, stray.user_agent, stray.count)).collect();
    assert_eq!(told, [("grpc", "an exporter".to_owned(), 1)]);
    drop(sender);
    stop.cancel();
    serving.await.unwrap();
    connection.abort();
}

#[test]
fn a_base_path_is_normalised_or_refused() {
    assert_eq!(base_path("/a/b/").unwrap(), "/a/b");
    assert_eq!(base_path("/").unwrap(), "");
    for bad in ["a", "//a", "/a//b", "/../a", "/a/./b", "/a b", "/a?b", "/a\"b"] {
        assert!(base_path(bad).is_err(), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_only_stand_open_keep_nobody_out() {
    let app = App::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let state = AppState::new(Config::new(addr, "0.0.0-test"), app.store().clone(), Registry::default());
    let server = Server { listener, addr, state: state.clone() };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve_by(Doors::new(2, 1), stop.clone()));
    let _idle = [TcpStream::connect(addr).await.unwrap(), TcpStream::connect(addr).await.unwrap()];
    for _ in 0..3 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    }
    let text = state.registry().render();
    assert!(text.contains("throughline_connections{transport=\"pages\"} 2\n"), "{text}");
    assert!(text.contains("throughline_http_hasty_connections_total 3\n"), "{text}");
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_too_long_for_an_address_is_told_what_takes_it() {
    let app = App::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let state = AppState::new(Config::new(addr, "0.0.0-test"), app.store().clone(), Registry::default());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(Server { listener, addr, state }.serve(stop.clone()));
    let ask = async |bytes: usize| {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let path = format!("/api/v1/sql?query=select%201%20--{}", "x".repeat(bytes));
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    };
    let fits = ask(65_000).await;
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
    let long = ask(66_000).await;
    assert!(long.starts_with("HTTP/1.1 414 ") && long.contains("POST /api/v1/sql"), "{long}");
    stop.cancel();
    serving.await.unwrap();
}
