//! The other side of this interface: asks a running server, or a store in this process, by the same routes.
//!
//! Owns connecting, time limits and what is said when there is no answer. Commands ask through here, so that what they show is what
//! pages and programs see, whether a server runs or not.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use futures::StreamExt as _;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use storage::Store;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::Config;
use crate::params::encoded;
use crate::server::app;
use crate::state::AppState;

mod said;

use self::said::{WHERE_PAGES_ARE, said};

/// Asks one server, or one store.
#[derive(Clone, Debug)]
pub struct Client {
    target: Target,
    name: String,
}

#[derive(Clone, Debug)]
enum Target {
    Server { authority: String, base_path: String },
    Store(Router),
}

/// The beginning of an answer; the rest is read bit by bit.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    /// Drives the connection while the body is read.
    _connection: Option<Driver>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the address of a server.
    #[error("`{url}` cannot be asked: {reason}; give one like http://127.0.0.1:16686")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens there.
    #[error("cannot connect to {authority}; is the server running, and is this its address for pages?")]
    Connect {
        /// Who was asked.
        authority: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The time was over first.
    #[error("{name} did not answer within {} s", .within.as_secs_f64())]
    Late {
        /// Who was asked.
        name: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The connection broke.
    #[error("{name} broke off: {reason}")]
    Broken {
        /// Who was asked.
        name: String,
        /// What happened.
        reason: String,
    },
    /// The question was refused.
    #[error("{name} answered {status}: {message}")]
    Refused {
        /// Who was asked.
        name: String,
        /// Of the answer.
        status: u16,
        /// What the answer says.
        message: String,
    },
}

/// Ends a connection with the answer that came over it.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

// === impl Client ===

impl Client {
    /// Asks the server whose pages are at `url`; its path, if it has one, is the prefix that a proxy keeps.
    ///
    /// # Errors
    /// When it is not an address that can be asked.
    pub fn new(url: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Url { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("there is no encryption here; ask past the proxy")),
            _ => return Err(wrong("it does not begin with http://")),
        }
        let host = uri.host().ok_or_else(|| wrong("it names no host"))?;
        let port = port_of(&uri).map_err(|reason| wrong(&reason))?.unwrap_or(80);
        let authority = format!("{host}:{port}");
        let base_path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { name: format!("http://{authority}{base_path}"), target: Target::Server { authority, base_path } })
    }

    /// Asks a store in this process, which `name` stands for in messages.
    #[must_use]
    pub fn of_store(store: Store, name: String, version: &'static str) -> Self {
        let registry = store.registry().clone();
        let nowhere = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        Self { target: Target::Store(app(AppState::new(Config::new(nowhere, version), store, registry))), name }
    }

    /// Whom it asks.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the process is alive (`/healthz`), or with `ready` whether every part of it is ready (`/readyz`).
    ///
    /// # Errors
    /// When it is not, or does not answer within the time.
    pub async fn health(&self, ready: bool, within: Duration) -> Result<(), Error> {
        let path = if ready { "/readyz" } else { "/healthz" };
        tokio::time::timeout(within, async {
            let answer = self.ask(Method::GET, path, Bytes::new(), within).await?;
            let status = answer.status();
            let text = answer.text(MAX_MESSAGE_BYTES).await?;
            if status.is_success() { Ok(()) } else { Err(self.refused(status, &text)) }
        })
        .await
        .unwrap_or_else(|_| Err(self.late(within)))
    }

    /// Fails unless it is Throughline that answers, so that nothing is begun with what something else says.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn identify(&self) -> Result<(), Error> {
        let text = self.get("/api/v1/status").await?.text(MAX_STATUS_BYTES).await?;
        let is_status = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|status| status.get("store").is_some());
        let other =
            || Error::Broken { name: self.name.clone(), reason: format!("what answers there is not Throughline; {WHERE_PAGES_ARE}") };
        if is_status { Ok(()) } else { Err(other()) }
    }

    /// Asks `path` with its query string, and fails unless the answer is a success.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.successful(Method::GET, path, Bytes::new()).await
    }

    /// Sends `body` to `path`, and fails unless the answer is a success.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn post(&self, path: &str, body: Bytes) -> Result<Answer, Error> {
        self.successful(Method::POST, path, body).await
    }

    async fn successful(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, Error> {
        let answer = self.ask(method, path, body, ANSWER_WITHIN).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text(MAX_MESSAGE_BYTES).await?;
        Err(self.refused(status, &text))
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes, within: Duration) -> Result<Answer, Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Broken { name: self.name.clone(), reason: error.to_string() };
        let request = Request::builder().method(method).header(CONTENT_TYPE, "application/json");
        let asked = async {
            match &self.target {
                Target::Store(app) => {
                    let request = request.uri(path).body(Body::from(body)).map_err(|error| broken(&error))?;
                    let response = app.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
                    Ok(Answer { response, _connection: None })
                }
                Target::Server { authority, base_path } => {
                    let (mut sender, connection) = connect(authority).await?;
                    let request = request.uri(format!("{base_path}{path}")).header(HOST, authority);
                    let request = request.body(Body::from(body)).map_err(|error| broken(&error))?;
                    let response =
                        sender.send_request(request).await.map_err(|error| broken(&format_args!("{error}; {WHERE_PAGES_ARE}")))?;
                    Ok(Answer { response: response.map(Body::new), _connection: Some(connection) })
                }
            }
        };
        tokio::time::timeout(within, asked).await.unwrap_or_else(|_| Err(self.late(within)))
    }

    fn late(&self, within: Duration) -> Error {
        Error::Late { name: self.name.clone(), within }
    }

    fn refused(&self, status: StatusCode, text: &str) -> Error {
        Error::Refused { name: self.name.clone(), status: status.as_u16(), message: said(text) }
    }
}

async fn connect(authority: &str) -> Result<(http1::SendRequest<Body>, Driver), Error> {
    let failed = |source| Error::Connect { authority: authority.to_owned(), source };
    let late = |_| failed(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let stream = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(authority)).await.map_err(late)?.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| failed(std::io::Error::other(error)))?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a server ended early");
        }
    });
    Ok((sender, Driver(task)))
}

/// The port, when one is written; what is wrong with it when it is none.
fn port_of(uri: &Uri) -> Result<Option<u16>, String> {
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return Ok(None) };
    let place = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
    match place.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
        None => Ok(None),
        Some(port) => port.parse().ok().filter(|port| *port > 0).map(Some).ok_or_else(|| format!("`{port}` is not a port")),
    }
}

/// A path with these parameters.
#[must_use]
pub fn path(of: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { of.to_owned() } else { format!("{of}?{}", pairs.join("&")) }
}

/// A moment in nanoseconds since 1970 as people and programs read it, in UTC; the number itself when it lies beyond the year 9999.
#[must_use]
pub fn rfc3339(nanos: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanos)).map_or_else(|_| nanos.to_string(), |time| format!("{time:.9}"))
}

/// A moment to the millisecond, for people.
#[must_use]
pub fn moment(nanos: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanos)).map_or_else(|_| nanos.to_string(), |time| format!("{time:.3}"))
}

/// A duration as pages write it, for terminals.
#[must_use]
pub fn duration(nanos: u64) -> String {
    crate::view::format::duration(nanos).replace(['\u{202f}', '\u{a0}'], " ")
}

// === impl Answer ===

impl Answer {
    /// How it went.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header; empty when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// All headers of a name that are text, in order.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.response.headers().get_all(name).into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The whole of it, which must not be longer than `max_bytes`.
    ///
    /// # Errors
    /// When it is longer or breaks off.
    pub async fn bytes(self, max_bytes: usize) -> Result<Bytes, Error> {
        to_bytes(self.response.into_body(), max_bytes).await.map_err(|error| broken_off(&error))
    }

    /// As [`Self::bytes`], as text.
    ///
    /// # Errors
    /// See [`Self::bytes`].
    pub async fn text(self, max_bytes: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes(max_bytes).await?).into_owned())
    }

    /// Hands it to `each` piece by piece, as it comes.
    ///
    /// # Errors
    /// When it breaks off, stands still for a minute, or `each` fails.
    pub async fn each<E: From<Error>>(self, mut each: impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
        let mut pieces = self.response.into_body().into_data_stream();
        loop {
            let next = tokio::time::timeout(PIECE_WITHIN, pieces.next()).await;
            match next.map_err(|_| Error::Late { name: "the server".to_owned(), within: PIECE_WITHIN })? {
                Some(Ok(piece)) => each(piece)?,
                Some(Err(error)) => return Err(broken_off(&error).into()),
                None => return Ok(()),
            }
        }
    }
}

fn broken_off(error: &dyn std::fmt::Display) -> Error {
    Error::Broken { name: "the answer".to_owned(), reason: error.to_string() }
}

// === impl Driver ===

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Until an answer begins: longer than the server itself allows.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// Until the next piece of an answer that has begun.
const PIECE_WITHIN: Duration = Duration::from_secs(60);

/// Of an answer that is shown as a message.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Of the status, which lists senders and segments.
const MAX_STATUS_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_asked_is_named_with_what_is_wrong() {
        for (url, wrong) in [("localhost:16686", "http://"), ("https://a:1", "encryption"), ("http://", "cannot be asked"), ("", "http://")]
        {
            let said = Client::new(url).unwrap_err().to_string();
            assert!(said.contains(wrong), "{url}: {said}");
        }
        for port in ["25000x", "999999", "", "0", "-1"] {
            let said = Client::new(&format!("http://127.0.0.1:{port}")).unwrap_err().to_string();
            assert!(said.contains(&format!("`{port}` is not a port")), "{port}: {said}");
        }
        assert_eq!(Client::new("http://a").unwrap().name(), "http://a:80");
        assert_eq!(Client::new("http://[::1]:7/a/b/").unwrap().name(), "http://[::1]:7/a/b");
    }

    #[tokio::test]
    async fn a_store_in_this_process_is_asked_by_the_same_routes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(storage::Config::new(folder.path().join("data")), storage::Clock::system(), storage::Registry::default());
        let client = Client::of_store(store.await.unwrap(), "a folder".to_owned(), "1");
        client.health(true, Duration::from_secs(5)).await.unwrap();
        let answer = client.get("/api/v1/services").await.unwrap();
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.text(1 << 20).await.unwrap().contains("services"));
        let error = client.get("/api/v1/traces?q=%3D").await.unwrap_err().to_string();
        assert!(error.starts_with("a folder answered 400"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let error = client.health(false, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, Error::Late { .. }), "{error}");
        drop(listener);
        assert!(matches!(client.health(false, Duration::from_secs(5)).await.unwrap_err(), Error::Connect { .. }));
    }
}
