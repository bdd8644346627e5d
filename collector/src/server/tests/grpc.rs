//! OTLP/gRPC with raw frames, and HTTP/2 on the HTTP port.

use ::http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tonic::{Code, Status};

use super::*;
use crate::rpc;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// A whole answer over HTTP/2.
#[derive(Debug)]
struct Answer {
    http_status: u16,
    status: Option<Status>,
    headers: HeaderMap,
    body: Bytes,
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned();
    let status = trailers.as_ref().and_then(Status::from_header_map).or_else(|| Status::from_header_map(&head.headers));
    Answer { http_status: head.status.as_u16(), status, headers: trailers.unwrap_or(head.headers), body: collected.to_bytes() }
}

async fn call(running: &Running, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let mut request = Request::post(format!("http://{}{path}", running.grpc)).version(Version::HTTP_2).header("te", "trailers");
    if headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(running.grpc, request.body(Full::new(body.into())).unwrap()).await
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn code(answer: &Answer) -> Code {
    answer.status.as_ref().unwrap_or_else(|| panic!("no status in {answer:?}")).code()
}

#[tokio::test]
async fn spans_and_log_records_are_taken_with_an_empty_answer() {
    let running = Running::start(|_| {}).await;
    for path in [TRACES, LOGS] {
        let answer = call(&running, path, &[], framed(0, &t1())).await;
        assert_eq!((code(&answer), &answer.body[..]), (Code::Ok, &[0; 5][..]));
    }
    assert_eq!(running.got(), [(Signal::Traces, t1().into()), (Signal::Logs, t1().into())]);
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, b"")).await), Code::Ok);
    assert!(running.metric("throughline_requests_total{signal=\"logs\",transport=\"grpc\",encoding=\"protobuf\",outcome=\"accepted\"} 1"));
}

#[tokio::test]
async fn compressed_messages_are_expanded_and_unknown_codings_are_unimplemented() {
    let running = Running::start(|_| {}).await;
    let (left, right) = (t1()[..30].to_vec(), t1()[30..].to_vec());
    for (name, packed) in [("gzip", [gzip(&left), gzip(&right)].concat()), ("zstd", zstd::encode_all(&*t1(), 1).unwrap())] {
        let answer = call(&running, TRACES, &[("grpc-encoding", name)], framed(1, &packed)).await;
        assert_eq!(code(&answer), Code::Ok, "{name}");
    }
    assert_eq!(code(&call(&running, TRACES, &[("grpc-encoding", "gzip")], framed(0, &t1())).await), Code::Ok);
    assert!(running.got().len() == 3 && running.got().iter().all(|(_, payload)| *payload == t1()));
    let answer = call(&running, TRACES, &[("grpc-encoding", "snappy")], framed(1, b"x")).await;
    assert_eq!(code(&answer), Code::Unimplemented);
    assert!(answer.headers["grpc-accept-encoding"].to_str().unwrap().contains("gzip"));
    assert_eq!(code(&call(&running, TRACES, &[("grpc-encoding", "gzip")], framed(1, &t1())).await), Code::InvalidArgument);
}

#[tokio::test]
async fn broken_frames_are_internal_and_the_port_lives_on() {
    let running = Running::start(|_| {}).await;
    assert_eq!(code(&call(&running, TRACES, &[], framed(1, &t1())).await), Code::Internal);
    assert_eq!(code(&call(&running, TRACES, &[], framed(2, &t1())).await), Code::Internal);
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, &t1())[..40].to_vec()).await), Code::Internal);
    assert_eq!(code(&call(&running, TRACES, &[], vec![]).await), Code::Unimplemented);
    assert_eq!(code(&call(&running, TRACES, &[], [framed(0, &t1()), framed(0, &t1())].concat()).await), Code::Unimplemented);
    assert!(running.got().is_empty());
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, &t1())).await), Code::Ok);
}

#[tokio::test]
async fn a_message_too_large_is_final() {
    let running = Running::start(|config| config.max_message_bytes = 1000).await;
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, &[0; 1000])).await), Code::Ok);
    let packed = framed(1, &gzip(&[0; 1001]));
    for (headers, body) in [(&[][..], framed(0, &[0; 1001])), (&[("grpc-encoding", "gzip")][..], packed)] {
        let answer = call(&running, TRACES, headers, body).await;
        assert_eq!(code(&answer), Code::ResourceExhausted);
        assert!(answer.status.unwrap().details().is_empty());
        assert!(!answer.headers.contains_key("google.rpc.retryinfo-bin"));
    }
}

#[tokio::test]
async fn malformed_and_unavailable_carry_details() {
    let running = Running::start(|_| {}).await;
    running.will(Next::Fail(AppendError::Malformed("field 1 is cut short".to_owned())));
    let answer = call(&running, TRACES, &[], framed(0, b"\x0a\xff")).await;
    let details = rpc::Status::decode(answer.status.as_ref().unwrap().details()).unwrap();
    assert_eq!((code(&answer), details.code), (Code::InvalidArgument, 3));
    assert!(details.details[0].type_url.ends_with("google.rpc.BadRequest"));
    running.will(unavailable());
    let answer = call(&running, TRACES, &[], framed(0, &t1())).await;
    let details = rpc::Status::decode(answer.status.as_ref().unwrap().details()).unwrap();
    assert_eq!(code(&answer), Code::Unavailable);
    let retry = rpc::RetryInfo::decode(&*details.details[0].value).unwrap();
    assert_eq!(retry.retry_delay.unwrap().seconds, 2);
    assert!(answer.headers.contains_key("google.rpc.retryinfo-bin"));
    running.will(Next::Take(Appended { accepted: 0, rejected: 3, message: Some("x".to_owned()), ..Appended::default() }));
    assert_eq!(call(&running, TRACES, &[], framed(0, &t1())).await.body[5..], [0x0a, 5, 8, 3, 0x12, 1, b'x']);
    running.will(Next::Panic);
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, &t1())).await), Code::Internal);
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let running = Running::start(|_| {}).await;
    for (path, part) in [
        ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "OTEL_METRICS_EXPORTER=none"),
        ("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", "OTEL_PROFILES_EXPORTER=none"),
        ("/opentelemetry.proto.collector.trace.v1.TraceService/Import", "Export"),
        ("/x.Y/Z", "nothing is served at /x.Y/Z; spans are exported to opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        ("/", "nothing is served at /;"),
    ] {
        let answer = call(&running, path, &[], framed(0, b"")).await;
        assert_eq!(code(&answer), Code::Unimplemented, "{path}");
        assert!(answer.status.unwrap().message().contains(part), "{path}");
    }
    assert!(running.metric("throughline_refused_requests_total{reason=\"not_found\"} 3"));
    let answer = call(&running, TRACES, &[("content-type", "application/json")], b"{}".to_vec()).await;
    assert_eq!(answer.http_status, 415);
    let request = "POST /v1/traces HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let heard = say(running.grpc, request.as_bytes()).await;
    assert!(heard.status == 415 && heard.json()["message"].as_str().unwrap().contains(&running.http.port().to_string()));
}

#[tokio::test]
async fn health_follows_the_store() {
    let running = Running::start(|_| {}).await;
    let check = "/grpc.health.v1.Health/Check";
    assert_eq!(call(&running, check, &[], framed(0, b"")).await.body[..], framed(0, &[8, 1])[..]);
    *running.sink.refusal.lock() = Some("the disk is full".to_owned());
    assert_eq!(call(&running, check, &[], framed(0, b"")).await.body[..], framed(0, &[8, 2])[..]);
    assert_eq!(code(&call(&running, check, &[], framed(0, b"\x0a\x01x")).await), Code::NotFound);
}

#[tokio::test]
async fn a_deadline_that_passes_is_told() {
    let running = Running::start(|_| {}).await;
    running.will(Next::Wait(Duration::from_millis(400)));
    let answer = call(&running, TRACES, &[("grpc-timeout", "100m")], framed(0, &t1())).await;
    assert_eq!(code(&answer), Code::DeadlineExceeded);
}

#[tokio::test]
async fn many_calls_at_once_share_a_connection() {
    let running = Running::start(|_| {}).await;
    let stream = TcpStream::connect(running.grpc).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let calls = (0..128).map(|_| {
        let mut sender = sender.clone();
        let request = Request::post(format!("http://t{TRACES}")).header("content-type", "application/grpc").header("te", "trailers");
        let request = request.body(Full::new(framed(0, &t1()).into())).unwrap();
        async move { sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().trailers().cloned().unwrap() }
    });
    let trailers = futures::future::join_all(calls).await;
    assert!(trailers.iter().all(|trailers| trailers["grpc-status"] == "0"));
    assert_eq!(running.got().len(), 128);
}

#[tokio::test]
async fn the_http_port_speaks_http_2_and_turns_grpc_away() {
    let running = Running::start(|_| {}).await;
    let post = |kind: &str| {
        let request = Request::post(format!("http://{}/v1/traces", running.http)).header("content-type", kind);
        request.body(Full::new(Bytes::from(t1()))).unwrap()
    };
    assert_eq!(send(running.http, post("application/x-protobuf")).await.http_status, 200);
    let answer = send(running.http, post("application/grpc")).await;
    assert_eq!((answer.http_status, code(&answer)), (200, Code::InvalidArgument));
    assert_eq!(running.got().len(), 1);
}

#[tokio::test]
async fn what_is_not_http_2_after_its_preface_is_closed_and_counted() {
    let running = Running::start(|_| {}).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let garbage = b"this is no frame of HTTP/2 at all";
    for (n, (port, raw)) in [
        (running.grpc, [&preface[..], garbage].concat()),
        (running.http, [&preface[..], garbage].concat()),
        (running.grpc, b"PRI * HTTP/3.0 is not spoken here".to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = TcpStream::connect(port).await.unwrap();
        stream.write_all(&raw).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok());
        // A connection lingers after its last byte.
        drop(stream);
        let line = format!("throughline_refused_requests_total{{reason=\"protocol\"}} {}", n + 1);
        let counted = async {
            while !running.metric(&line) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(3), counted).await.is_ok(), "{raw:?}");
    }
    // Who hangs up after its preface breaks no rule.
    let mut stream = TcpStream::connect(running.grpc).await.unwrap();
    stream.write_all(preface).await.unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(code(&call(&running, TRACES, &[], framed(0, &t1())).await), Code::Ok);
    assert!(running.metric("throughline_refused_requests_total{reason=\"protocol\"} 3"));
}

#[tokio::test]
async fn a_call_on_the_port_of_http_is_answered_as_grpc_is() {
    let running = Running::start(|_| {}).await;
    for (path, kind) in
        [(TRACES, "application/grpc"), (LOGS, "application/grpc+proto"), ("/grpc.health.v1.Health/Check", "application/grpc")]
    {
        let request = Request::post(format!("http://{}{path}", running.http)).version(Version::HTTP_2).header("te", "trailers");
        let request = request.header("content-type", kind).header("user-agent", "misled").body(Full::new(framed(0, &t1()).into())).unwrap();
        let answer = send(running.http, request).await;
        assert_eq!((answer.http_status, code(&answer), answer.body.len()), (200, Code::InvalidArgument, 0));
        assert_eq!(answer.headers["content-type"], "application/grpc");
        let told = answer.status.unwrap().message().to_owned();
        assert_eq!(told, format!("gRPC on the port of OTLP/HTTP; send OTLP/gRPC to port {}", running.grpc.port()));
    }
    assert!(running.metric("throughline_refused_requests_total{reason=\"protocol\"} 3"));
    assert!((running.refusals)().iter().any(|refusal| refusal.user_agent == "misled" && refusal.count == 3 && refusal.transport == "http"));
    assert!(running.got().is_empty());
}
