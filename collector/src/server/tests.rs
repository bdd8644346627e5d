//! The receivers over loopback, with a sink that remembers.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ::http::HeaderMap;
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use storage::{AppendError, Appended, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;

mod grpc;
mod http;

/// What a sink does with the next request.
enum Next {
    Take(Appended),
    Fail(AppendError),
    Panic,
    Wait(Duration),
}

/// Remembers what it was given.
#[derive(Clone, Default)]
struct Recorder {
    got: Arc<Mutex<Vec<(Signal, Bytes)>>>,
    next: Arc<Mutex<VecDeque<Next>>>,
    refusal: Arc<Mutex<Option<String>>>,
}

impl Sink for Recorder {
    fn append(&self, signal: Signal, payload: Bytes) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let next = self.next.lock().pop_front();
            match next {
                Some(Next::Fail(error)) => return Err(error),
                Some(Next::Panic) => panic!("as the test asks"),
                Some(Next::Wait(time)) => tokio::time::sleep(time).await,
                Some(Next::Take(appended)) => return Ok(appended),
                None => {}
            }
            self.got.lock().push((signal, payload));
            Ok(Appended { accepted: 1, ..Appended::default() })
        })
    }

    fn write_refusal(&self) -> Option<String> {
        self.refusal.lock().clone()
    }
}

/// A running collector.
struct Running {
    grpc: SocketAddr,
    http: SocketAddr,
    sink: Recorder,
    registry: Registry,
    refusals: RecentRefusals,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A whole HTTP/1.1 answer.
#[derive(Debug)]
struct Heard {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Running {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut config = Config { grpc: any, http: any, drain_timeout: Duration::from_secs(3), ..Config::default() };
        change(&mut config);
        let (sink, registry) = (Recorder::default(), Registry::default());
        let collector = bind(config, sink.clone(), &registry).await.unwrap();
        let (grpc, http) = (collector.grpc_addr().unwrap(), collector.http_addr().unwrap());
        let (stop, refusals) = (CancellationToken::new(), collector.recent_refusals());
        let task = tokio::spawn(collector.serve(stop.clone()));
        Self { grpc, http, sink, registry, refusals, stop, task }
    }

    fn will(&self, next: Next) {
        self.sink.next.lock().push_back(next);
    }

    fn got(&self) -> Vec<(Signal, Bytes)> {
        self.sink.got.lock().clone()
    }

    /// Posts to the HTTP port on a connection of its own.
    async fn post(&self, path: &str, headers: &str, body: &[u8]) -> Heard {
        let head = format!("POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        self.say(&[head.as_bytes(), body].concat()).await
    }

    async fn say(&self, raw: &[u8]) -> Heard {
        say(self.http, raw).await
    }

    fn metric(&self, line: &str) -> bool {
        self.registry.render().lines().any(|known| known == line)
    }
}

/// Writes and reads until the other side closes.
async fn say(address: SocketAddr, raw: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(raw).await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    Heard::parse(&heard)
}

impl Heard {
    fn parse(raw: &[u8]) -> Self {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(raw)));
        let head = String::from_utf8(raw[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase() + "\r\n", body: raw[end + 4..].to_vec() }
    }

    fn has(&self, line: &str) -> bool {
        self.head.contains(&format!("{line}\r\n"))
    }

    fn json(&self) -> serde_json::Value {
        assert!(self.has("content-type: application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

fn t1() -> Vec<u8> {
    let hex = "0a4e0a150a130a0c736572766963652e6e616d6512030a0174123512330a105b8efff798038103d269b633813fc60c\
        1208eee19b7ec3c1b1742a0161300239004859e3faeb6f15410012f41efbeb6f15";
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn unavailable() -> Next {
    Next::Fail(AppendError::Unavailable { reason: "the disk is full".to_owned(), retry_after: Duration::from_secs(2) })
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let running = Running::start(|_| {}).await;
    let config = Config { grpc: Some(running.grpc), http: None, ..Config::default() };
    let error = bind(config, Recorder::default(), &Registry::default()).await.unwrap_err();
    assert!(error.to_string().contains(&running.grpc.to_string()), "{error}");
}

#[tokio::test]
async fn a_port_that_is_off_is_closed() {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let config = Config { grpc: None, http: any, ..Config::default() };
    let collector = bind(config, Recorder::default(), &Registry::default()).await.unwrap();
    assert!(collector.grpc_addr().is_none() && collector.http_addr().is_some());
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_takes_nothing_new() {
    let running = Running::start(|_| {}).await;
    running.will(Next::Wait(Duration::from_millis(300)));
    let address = running.http;
    let under_way = tokio::spawn(async move {
        let head = "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 80\r\n\r\n";
        say(address, &[head.as_bytes(), &t1()].concat()).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop.cancel();
    assert_eq!(under_way.await.unwrap().status, 200);
    running.task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(running.sink.got.lock().len(), 1);
}

#[tokio::test]
async fn a_port_that_ends_by_itself_ends_serving() {
    let stop = CancellationToken::new();
    let mut ports = JoinSet::new();
    ports.spawn(std::future::pending());
    ports.spawn(async { panic!("as the test asks") });
    tokio::time::timeout(Duration::from_secs(10), until_stopped(&mut ports, &stop)).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(50), until_stopped(&mut ports, &stop)).await;
    assert!(waits.is_err(), "the other port is served, and nobody said stop");
    stop.cancel();
    until_stopped(&mut ports, &stop).await;
}

/// The windows that a server offers in the first frames of HTTP/2: of the connection, and of each stream.
async fn offered_windows(address: SocketAddr) -> (u32, u32) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let (mut connection, mut of_stream) = (None, None);
    while connection.is_none() || of_stream.is_none() {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut body = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut body).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        match head[3] {
            4 => of_stream = of_stream.or(body.chunks(6).find(|setting| setting[..2] == [0, 4]).map(|setting| number(&setting[2..]))),
            8 => connection = Some(number(&body) + 65_535),
            _ => {}
        }
    }
    (connection.unwrap(), of_stream.unwrap())
}

#[tokio::test]
async fn windows_of_http2_follow_from_the_bytes_that_requests_may_take() {
    for (mib, windows) in [(256, (8 << 20, 1 << 20)), (32, (1 << 20, 256 << 10)), (8, (256 << 10, 128 << 10))] {
        let running = Running::start(|config| {
            config.in_flight_bytes = mib << 20;
            config.max_message_bytes = config.max_message_bytes.min(mib << 20);
        })
        .await;
        for port in [running.grpc, running.http] {
            let offered = tokio::time::timeout(Duration::from_secs(10), offered_windows(port)).await.unwrap();
            assert_eq!(offered, windows, "{mib} MiB");
        }
    }
}

#[tokio::test]
async fn another_protocol_on_a_port_is_shown_to_those_who_look_for_their_data() {
    let running = Running::start(|_| {}).await;
    for (port, transport) in [(running.grpc, "grpc"), (running.http, "http")] {
        let mut stream = TcpStream::connect(port).await.unwrap();
        stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.unwrap();
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
        let refusals = (running.refusals)();
        assert_eq!((refusals[0].transport, refusals[0].reason), (transport, "protocol"));
        assert!(refusals[0].message.contains("http://"), "{refusals:?}");
    }
    assert!(running.metric("throughline_refused_requests_total{reason=\"protocol\"} 2"));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted() {
    let running = Running::start(|config| config.max_connections = 1).await;
    let mut first = TcpStream::connect(running.http).await.unwrap();
    first.write_all(b"P").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = TcpStream::connect(running.http).await.unwrap();
    let mut heard = Vec::new();
    let _ = second.read_to_end(&mut heard).await;
    assert!(heard.is_empty());
    assert!(running.metric("throughline_refused_requests_total{reason=\"connections\"} 1"));
    assert!(running.metric("throughline_connections{transport=\"http\"} 1"));
}
