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
                Answer::Later { after: after.map(Duration::from_secs), reason: format!("HTTP {}", head.status) }
            }
            status => Answer::Refused(format!("HTTP {status}: {}", words(&body))),
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

const MAX_ANSWER_BYTES: usize = 64 << 10;
