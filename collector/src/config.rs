//! What the collector is told at start: where to listen, and its bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of a [`crate::Collector`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where OTLP/gRPC is served; `None` leaves the port closed. Default 127.0.0.1:4317.
    pub grpc: Option<SocketAddr>,
    /// Where OTLP/HTTP is served; `None` leaves the port closed. Default 127.0.0.1:4318.
    pub http: Option<SocketAddr>,
    /// The largest request, counted after decompression. Default 64 MiB.
    pub max_message_bytes: usize,
    /// Bytes of all requests that are being received, expanded or stored. Windows of HTTP/2 follow from it. Default 256 MiB.
    pub in_flight_bytes: usize,
    /// How long a request waits for room among `in_flight_bytes` before it is refused. Default 4 s.
    pub admission_wait: Duration,
    /// Browser origins that may send, such as `https://*.example.com`. Default none.
    pub cors_origins: Vec<String>,
    /// What is answered to metrics. Default [`MetricsPolicy::Refuse`].
    pub metrics: MetricsPolicy,
    /// The longest a request's head may take to arrive. Default 10 s.
    pub header_timeout: Duration,
    /// The longest a request's body may take to arrive; a second more for every 64 KiB received. Default 30 s.
    pub body_timeout: Duration,
    /// How long a connection is kept without requests. Longer than any export interval. Default 180 s.
    pub idle_timeout: Duration,
    /// Open connections on both ports together; more are closed at once. Default 8192.
    pub max_connections: usize,
    /// How long requests under way may take when the collector is told to stop. Default 10 s.
    pub drain_timeout: Duration,
}

/// What is answered to metrics, which are not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsPolicy {
    /// 404 and UNIMPLEMENTED: the sender says so once and does not try again.
    #[default]
    Refuse,
    /// Success with every data point counted as rejected, for senders that cannot turn metrics off.
    Reject,
}

impl Config {
    /// Bytes that a sender may have on their way to a connection of HTTP/2 before anybody reads them, and to one of its streams. They lie beside
    /// `in_flight_bytes`, once for each connection, so they are a small part of it: 8 MiB and 1 MiB of 256.
    pub(crate) fn windows(&self) -> (u32, u32) {
        let part = u32::try_from(self.in_flight_bytes / 32).unwrap_or(u32::MAX);
        let connection = part.clamp(256 << 10, 8 << 20);
        (connection, (connection / 4).clamp(128 << 10, 1 << 20))
    }

    /// Where requests of OTLP/gRPC are to be sent, in words.
    pub(crate) fn way_to_grpc(&self) -> String {
        way("OTLP/gRPC", self.grpc)
    }

    /// Where requests of OTLP/HTTP are to be sent, in words.
    pub(crate) fn way_to_http(&self) -> String {
        way("OTLP/HTTP", self.http)
    }
}

/// The port alone: by which name a sender reaches this machine only the sender knows.
fn way(protocol: &str, address: Option<SocketAddr>) -> String {
    match address {
        Some(address) => format!("send {protocol} to port {}", address.port()),
        None => format!("{protocol} is switched off on this server"),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grpc: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4317))),
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4318))),
            max_message_bytes: 64 << 20,
            in_flight_bytes: 256 << 20,
            admission_wait: Duration::from_secs(4),
            cors_origins: Vec::new(),
            metrics: MetricsPolicy::Refuse,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(180),
            max_connections: 8192,
            drain_timeout: Duration::from_secs(10),
        }
    }
}
