//! OTLP/HTTP with protobuf over one connection that is kept.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::{Answer, words};
use super::{CONNECT_TIMEOUT, USER_AGENT};
use crate::load::Signal;

/// A connection that speaks OTLP/HTTP.
#[derive(Debug)]
pub struct OverHttp {
    authority: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

// === impl OverHttp ===

impl OverHttp {
    /// A connection that is opened when it is first used.
    pub(super) fn to(authority: String) -> Self {
        Self { authority, sender: None }
    }

    /// What is said when it broke; it is opened again for the next request.
    pub(super) fn lost(&mut self, reason: String) -> Answer {
        self.sender = None;
        Answer::Later { after: None, reason }
    }

    /// Sends one request and waits for its answer.
    pub(super) async fn send(&mut self, signal: Signal, body: Bytes) -> Result<Answer, String> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.open().await?,
        };
        sender.ready().await.map_err(|error| error.to_string())?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(match signal {
                Signal::Traces => "/v1/traces",
                Signal::Logs => "/v1/logs",
            })
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| error.to_string())?.to_bytes();
        self.sender = Some(sender);
        Ok(match head.status {
            StatusCode::OK => Answer::read(signal, &body),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                let after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Answer::Later { after: after.map(Duration::from_secs), reason: said(head.status, &body) }
            }
            status => Answer::Refused(said(status, &body)),
        })
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.authority));
        let stream = connecting.await.map_err(|_| format!("cannot connect to {}: timed out", self.authority))?;
        let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", self.authority))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends when its sender is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the load ended");
            }
        });
        Ok(sender)
    }
}

/// A status and the words that came with it, if any.
fn said(status: StatusCode, body: &[u8]) -> String {
    match words(body) {
        words if words.is_empty() => format!("HTTP {status}"),
        words => format!("HTTP {status}: {words}"),
    }
}

const MAX_ANSWER_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_refusal_for_now_is_told_with_the_words_of_the_receiver() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = OverHttp::to(listener.local_addr().unwrap().to_string());
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await.unwrap();
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 9\r\n\r\nmake room";
            stream.write_all(answer).await.unwrap();
        });
        let answer = connection.send(Signal::Traces, Bytes::from_static(b"x")).await.unwrap();
        answering.await.unwrap();
        let Answer::Later { after, reason } = answer else { panic!("{answer:?}") };
        assert_eq!((after, reason.as_str()), (Some(Duration::from_secs(2)), "HTTP 503 Service Unavailable: make room"));
        assert_eq!(said(StatusCode::BAD_GATEWAY, b""), "HTTP 502 Bad Gateway");
    }
}
