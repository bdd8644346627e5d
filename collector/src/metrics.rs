//! The collector's series in the shared registry.

use std::time::Duration;

use storage::{Appended, Counter, DurationHistogram, Gauge, Registry, Signal};

use crate::error::Refusal;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http,
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// What became of a request for a signal that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything in it is stored.
    Accepted,
    /// Some of its items were rejected for good.
    Partial,
    /// Nothing is stored, and the sender was asked to send it again.
    Refused,
    /// Nothing is stored, and sending it again would not help.
    Invalid,
}

/// Where a request came in and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    pub(crate) encoding: Encoding,
}

/// Every series, registered at start so that a zero is seen as zero.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Vec<((Route, Outcome), Counter)>,
    bytes: Vec<((Signal, Transport), Counter)>,
    items: Vec<((Signal, &'static str), Counter)>,
    refused: Vec<(&'static str, Counter)>,
    ack: [DurationHistogram; 2],
    connections: [Gauge; 2],
    panics: Counter,
    pub(crate) in_flight: Gauge,
}

// === impl Transport, Encoding, Outcome ===

impl Transport {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

impl Encoding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Protobuf => "protobuf",
            Self::Json => "json",
        }
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Accepted, Self::Partial, Self::Refused, Self::Invalid];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let signals = [Signal::Traces, Signal::Logs];
        let ways = [(Transport::Grpc, Encoding::Protobuf), (Transport::Http, Encoding::Protobuf), (Transport::Http, Encoding::Json)];
        let mut requests = Vec::new();
        for signal in signals {
            for (transport, encoding) in ways {
                for outcome in Outcome::ALL {
                    let key = (Route { signal, transport, encoding }, outcome);
                    requests.push((key, requests_total(registry, key)));
                }
            }
        }
        let bytes = signals.iter().flat_map(|s| [(*s, Transport::Grpc), (*s, Transport::Http)]);
        let items = signals.iter().flat_map(|s| ["accepted", "rejected", "repeated"].map(|outcome| (*s, outcome)));
        Self {
            requests,
            bytes: bytes.map(|key| (key, received_bytes_total(registry, key))).collect(),
            items: items.map(|key| (key, items_total(registry, key))).collect(),
            refused: Refusal::REASONS.iter().map(|reason| (*reason, refused_total(registry, reason))).collect(),
            ack: [Transport::Grpc, Transport::Http].map(|transport| {
                let help = "From the head of a request to its acknowledgement.";
                registry.histogram("throughline_ack_seconds", help, &[("transport", transport.as_str())])
            }),
            connections: [Transport::Grpc, Transport::Http].map(|transport| {
                registry.gauge("throughline_connections", "Open connections of senders.", &[("transport", transport.as_str())])
            }),
            panics: registry.counter("throughline_ingest_panics_total", "Requests whose processing panicked; report them.", &[]),
            in_flight: registry.gauge("throughline_in_flight_bytes", "Bytes held by requests under way.", &[]),
        }
    }

    pub(crate) fn request(&self, route: Route, outcome: Outcome) {
        add(&self.requests, &(route, outcome), 1);
    }

    pub(crate) fn received(&self, route: Route, bytes: usize) {
        add(&self.bytes, &(route.signal, route.transport), bytes as u64);
    }

    pub(crate) fn items(&self, signal: Signal, appended: &Appended, rejected: u64) {
        let outcome = if appended.repeated { "repeated" } else { "accepted" };
        add(&self.items, &(signal, outcome), appended.accepted);
        add(&self.items, &(signal, "rejected"), rejected);
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        add(&self.refused, &reason, 1);
    }

    pub(crate) fn panicked(&self) {
        self.panics.add(1);
    }

    pub(crate) fn acknowledged(&self, transport: Transport, elapsed: Duration) {
        let [grpc, http] = &self.ack;
        if transport == Transport::Grpc { grpc.observe(elapsed) } else { http.observe(elapsed) }
    }

    pub(crate) fn connections(&self, transport: Transport) -> &Gauge {
        let [grpc, http] = &self.connections;
        if transport == Transport::Grpc { grpc } else { http }
    }
}

fn add<K: PartialEq>(counters: &[(K, Counter)], key: &K, n: u64) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| known == key) {
        counter.add(n);
    }
}

fn requests_total(registry: &Registry, (route, outcome): (Route, Outcome)) -> Counter {
    let labels = [
        ("signal", route.signal.as_str()),
        ("transport", route.transport.as_str()),
        ("encoding", route.encoding.as_str()),
        ("outcome", outcome.as_str()),
    ];
    registry.counter("throughline_requests_total", "Export requests by what became of them.", &labels)
}

fn received_bytes_total(registry: &Registry, (signal, transport): (Signal, Transport)) -> Counter {
    let labels = [("signal", signal.as_str()), ("transport", transport.as_str())];
    registry.counter("throughline_received_bytes_total", "Bytes of request bodies as sent, before decompression.", &labels)
}

fn items_total(registry: &Registry, (signal, outcome): (Signal, &str)) -> Counter {
    let labels = [("signal", signal.as_str()), ("outcome", outcome)];
    registry.counter("throughline_items_total", "Spans and log records by what became of them.", &labels)
}

fn refused_total(registry: &Registry, reason: &str) -> Counter {
    registry.counter("throughline_refused_requests_total", "Requests and connections refused, by reason.", &[("reason", reason)])
}
