//! A small HTTP client for loopback.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends one request on a connection of its own; an error when the connection breaks.
pub(crate) async fn send(to: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, String> {
    let deadline = Duration::from_secs(90);
    tokio::time::timeout(deadline, send_unbounded(to, method, path, headers, body))
        .await
        .unwrap_or_else(|_| Err(format!("no answer to {path} within {deadline:?}")))
}

async fn send_unbounded(to: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, String> {
    let stream = TcpStream::connect(to).await.map_err(|error| format!("connect {to}: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", to.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| format!("{path}: {error}"))?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("{path}: {error}"))?.to_bytes();
    driver.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// GETs a path and panics when the connection breaks.
pub(crate) async fn get(from: SocketAddr, path: &str) -> Answer {
    send(from, Method::GET, path, &[], Bytes::new()).await.unwrap()
}

/// GETs a path and panics unless the answer is 200 with JSON.
pub(crate) async fn get_json(from: SocketAddr, path: &str) -> serde_json::Value {
    let answer = get(from, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.json()
}

/// POSTs a body with a content type.
pub(crate) async fn post(to: SocketAddr, path: &str, content_type: &str, body: impl Into<Bytes>) -> Result<Answer, String> {
    send(to, Method::POST, path, &[("content-type", content_type)], body.into()).await
}

/// Makes one gRPC call: the status with its message, and the frames of the reply.
pub(crate) async fn grpc(to: SocketAddr, path: &str, frame: Bytes) -> (String, Bytes) {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = Request::post(format!("http://{to}{path}")).header("content-type", "application/grpc").header("te", "trailers");
    let answered = async {
        let response = sender.send_request(request.body(Full::new(frame)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        // An error comes in the headers alone.
        let end = body.trailers().unwrap_or(&parts.headers).clone();
        (end, body.to_bytes())
    };
    let (end, reply) = tokio::time::timeout(Duration::from_secs(90), answered).await.unwrap();
    driver.abort();
    let word = |name: &str| end.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (format!("{} {}", word("grpc-status"), word("grpc-message").replace("%20", " ")).trim_end().to_owned(), reply)
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
