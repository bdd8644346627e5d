//! One connection to a receiver: sends encoded requests as they are and reads the answers.

use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::net::TcpStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::load::{Error, Protocol, Signal};

/// Knows where connections lead.
#[derive(Debug)]
pub struct Connector {
    endpoint: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Http { authority: String },
    Grpc(Box<Endpoint>),
}

/// `google.rpc.Status`, as far as people read it.
#[derive(Clone, PartialEq, prost::Message)]
struct Problem {
    #[prost(string, tag = "2")]
    message: String,
}

/// A connection, opened when first used and again after a failure.
#[derive(Debug)]
pub enum Connection {
    /// OTLP/HTTP.
    Http(OverHttp),
    /// OTLP/gRPC.
    Grpc(Channel),
}

/// A connection that speaks OTLP/HTTP.
#[derive(Debug)]
pub struct OverHttp {
    authority: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What the receiver said.
#[derive(Debug)]
pub enum Answer {
    /// It is durable, save what was rejected for good.
    Acknowledged {
        /// Records that were rejected.
        rejected: u64,
        /// Why, or a warning.
        message: String,
    },
    /// Not now. Send again.
    Later {
        /// When, if the receiver said so.
        after: Option<Duration>,
        /// What the receiver said.
        reason: String,
    },
    /// Never.
    Refused(String),
}

// === impl Connector ===

impl Connector {
    /// Leads to `endpoint`, or to this machine; where no port is named, to the protocol's.
    ///
    /// # Errors
    /// When it is not an address that can be used.
    pub fn new(protocol: Protocol, endpoint: Option<&str>) -> Result<Self, Error> {
        let given = endpoint.unwrap_or("http://127.0.0.1");
        let wrong = |reason: String| Error::Endpoint { endpoint: given.to_owned(), reason };
        let uri: Uri = given.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("it must begin with http://".to_owned()));
        }
        let host = uri.host().ok_or_else(|| wrong("it names no host".to_owned()))?;
        let port = port_of(&uri).map_err(wrong)?.unwrap_or(protocol.port());
        let endpoint = format!("http://{host}:{port}");
        let kind = match protocol {
            Protocol::Http => Kind::Http { authority: format!("{host}:{port}") },
            Protocol::Grpc => {
                let target = Endpoint::from_shared(endpoint.clone())
                    .and_then(|target| target.user_agent(USER_AGENT))
                    .map_err(|error| wrong(error.to_string()))?;
                Kind::Grpc(Box::new(target.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).tcp_nodelay(true)))
            }
        };
        Ok(Self { endpoint, kind })
    }

    /// Where connections lead.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends an empty request, which stores nothing, so that a wrong address is told before the load begins.
    ///
    /// # Errors
    /// When nobody listens there, or what listens does not take this protocol.
    pub async fn check(&self) -> Result<(), Error> {
        self.try_out(START_WITHIN).await
    }

    async fn try_out(&self, patience: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let mut connection = self.connection();
        loop {
            let reason = match connection.send(Signal::Traces, Bytes::new()).await {
                Answer::Acknowledged { .. } => return Ok(()),
                Answer::Refused(reason) => return Err(self.wrong_receiver(reason)),
                Answer::Later { reason, .. } => reason,
            };
            if began.elapsed() < patience {
                tokio::time::sleep(Duration::from_millis(50)).await;
            } else if ["HTTP 503", "HTTP 429", "gRPC ResourceExhausted"].iter().any(|busy| reason.starts_with(busy)) {
                // It is the right one and has no room yet. The load waits for it.
                return Ok(());
            } else if ["cannot connect", "gRPC Unavailable"].iter().any(|gone| reason.starts_with(gone)) {
                return Err(Error::Nobody { endpoint: self.endpoint.clone(), reason });
            } else {
                return Err(self.wrong_receiver(reason));
            }
        }
    }

    fn wrong_receiver(&self, reason: String) -> Error {
        let protocol = if matches!(self.kind, Kind::Http { .. }) { "OTLP/HTTP" } else { "OTLP/gRPC" };
        Error::Receiver { endpoint: self.endpoint.clone(), protocol, reason }
    }

    /// A connection of its own; opened when it is first used.
    #[must_use]
    pub fn connection(&self) -> Connection {
        match &self.kind {
            Kind::Http { authority } => Connection::Http(OverHttp { authority: authority.clone(), sender: None }),
            Kind::Grpc(endpoint) => Connection::Grpc(endpoint.connect_lazy()),
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Sends one request and waits for its answer.
    pub async fn send(&mut self, signal: Signal, body: Bytes) -> Answer {
        match self {
            Self::Http(connection) => match tokio::time::timeout(ANSWER_TIMEOUT, connection.send(signal, body)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(reason)) => connection.lost(reason),
                Err(_) => connection.lost(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
            },
            Self::Grpc(channel) => send_grpc(channel.clone(), signal, body).await,
        }
    }
}

// === impl OverHttp ===

impl OverHttp {
    fn lost(&mut self, reason: String) -> Answer {
        self.sender = None;
        Answer::Later { after: None, reason }
    }

    async fn send(&mut self, signal: Signal, body: Bytes) -> Result<Answer, String> {
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
            StatusCode::OK => read_answer(signal, &body),
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
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends when its sender is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the load ended");
            }
        });
        Ok(sender)
    }
}

/// What an answer that is no success says: in protobuf, in JSON, or as text.
fn words(body: &[u8]) -> String {
    let json = || serde_json::from_slice::<serde_json::Value>(body).ok()?.get("message")?.as_str().map(str::to_owned);
    let problem = || Problem::decode(body).ok().map(|problem| problem.message).filter(|message| !message.is_empty());
    json().or_else(problem).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body.get(..MAX_WORDS).unwrap_or(body)).into_owned();
        if text.trim_start().starts_with('<') {
            return "a page for people, so no OTLP is taken there".to_owned();
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

fn read_answer(signal: Signal, body: &[u8]) -> Answer {
    let partial = match signal {
        Signal::Traces => ExportTraceServiceResponse::decode(body)
            .map(|answer| answer.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))),
        Signal::Logs => ExportLogsServiceResponse::decode(body)
            .map(|answer| answer.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))),
    };
    match partial {
        Ok(partial) => {
            let (rejected, message) = partial.unwrap_or_default();
            Answer::Acknowledged { rejected: u64::try_from(rejected).unwrap_or(0), message }
        }
        Err(error) => Answer::Refused(format!("the answer is not OTLP: {error}")),
    }
}

async fn send_grpc(channel: Channel, signal: Signal, body: Bytes) -> Answer {
    let mut client = tonic::client::Grpc::new(channel);
    if let Err(error) = client.ready().await {
        return Answer::Later { after: None, reason: format!("cannot connect: {error}") };
    }
    let path = PathAndQuery::from_static(match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    });
    match client.unary(tonic::Request::new(body), path, Raw).await {
        Ok(response) => read_answer(signal, &response.into_inner()),
        Err(status)
            if matches!(
                status.code(),
                Code::InvalidArgument | Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated | Code::NotFound
            ) =>
        {
            Answer::Refused(format!("gRPC {:?}: {}", status.code(), status.message()))
        }
        Err(status) => Answer::Later { after: None, reason: format!("gRPC {:?}: {}", status.code(), status.message()) },
    }
}

/// Passes messages through as they are: they were encoded before the clock started.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// What the receiver's ledger calls a load or an import.
const USER_AGENT: &str = "throughline-load";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The port, when one is written; what is wrong with it when it is none.
fn port_of(uri: &Uri) -> Result<Option<u16>, String> {
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return Ok(None) };
    let place = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
    match place.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
        None => Ok(None),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(Some).ok_or_else(|| format!("`{port}` is not a port")),
    }
}

/// Bytes of an answer in no known form that are shown.
const MAX_WORDS: usize = 300;

/// How long a receiver that is just starting is waited for.
const START_WITHIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_whatever_its_form() {
        let problem = Problem { message: "too large".to_owned() };
        assert_eq!(words(&problem.encode_to_vec()), "too large");
        assert_eq!(words(br#"{"code":3,"message":"send OTLP"}"#), "send OTLP");
        assert_eq!(words(b"\n<!doctype html>\n<p>404"), "a page for people, so no OTLP is taken there");
        assert_eq!(words(b"no such\n path"), "no such path");
    }

    #[test]
    fn a_port_that_is_none_is_not_replaced_by_another() {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            for port in ["25000x", "999999", "", "0"] {
                let said = Connector::new(protocol, Some(&format!("http://127.0.0.1:{port}"))).unwrap_err().to_string();
                assert!(said.contains(&format!("`{port}` is not a port")), "{port}: {said}");
            }
            assert!(Connector::new(protocol, Some("http://[::1]:4318/")).is_ok() && Connector::new(protocol, Some("http://a")).is_ok());
        }
    }

    #[test]
    fn an_address_without_a_port_leads_to_that_of_the_protocol() {
        for (protocol, given, led) in [
            (Protocol::Http, None, "http://127.0.0.1:4318"),
            (Protocol::Grpc, None, "http://127.0.0.1:4317"),
            (Protocol::Grpc, Some("http://localhost"), "http://localhost:4317"),
            (Protocol::Http, Some("http://localhost/"), "http://localhost:4318"),
            (Protocol::Grpc, Some("http://[::1]:9000"), "http://[::1]:9000"),
        ] {
            let connector = Connector::new(protocol, given).unwrap();
            assert_eq!(connector.endpoint(), led);
            let said = connector.wrong_receiver("HTTP 404".to_owned()).to_string();
            assert!(said.starts_with(&format!("{led} does not take")) && said.contains("4317") && said.contains("4318"), "{said}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_said_before_anything_is_sent() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for protocol in [Protocol::Http, Protocol::Grpc] {
            let connector = Connector::new(protocol, Some(&format!("http://{free}"))).unwrap();
            let error = connector.try_out(Duration::from_millis(50)).await.unwrap_err().to_string();
            assert!(error.contains("nobody listens") && error.contains("--endpoint"), "{error}");
        }
    }
}
