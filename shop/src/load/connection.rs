//! One connection to a receiver: sends encoded requests as they are and reads the answers.
//!
//! Owns where connections lead and the check that somebody is there. What is said over them is in `http1`, `grpc` and `answer`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::load::{Error, Protocol, Signal};

mod answer;
mod grpc;
mod http1;

pub use self::answer::Answer;
pub use self::http1::OverHttp;

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

/// A connection, opened when first used and again after a failure.
#[derive(Debug)]
pub enum Connection {
    /// OTLP/HTTP.
    Http(OverHttp),
    /// OTLP/gRPC.
    Grpc(Channel),
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
            Kind::Http { authority } => Connection::Http(OverHttp::to(authority.clone())),
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
            Self::Grpc(channel) => grpc::send(channel.clone(), signal, body).await,
        }
    }
}

/// What the receiver's ledger calls a load or an import.
const USER_AGENT: &str = "throughline-load";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The port, when one is written; what is wrong with it when it is none.
fn port_of(uri: &Uri) -> Result<Option<u16>, String> {
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return Ok(None) };
    let place = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
    match place.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
        None => Ok(None),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(Some).ok_or_else(|| format!("`{port}` is not a port")),
    }
}

/// How long a receiver that is just starting is waited for.
const START_WITHIN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

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
