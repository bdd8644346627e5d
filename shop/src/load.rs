//! The load: requests of a workload, encoded once and replayed as fast as the receiver acknowledges them.
//!
//! Owns what can be asked for and the order of the signals. Only ids, times and words to be found are changed from one replay to the next,
//! at offsets known beforehand, so that the sender costs little beside the receiver it measures.
//!
//! The ledger: one line per acknowledged request, written after the acknowledgement with one call, so that a line stands for
//! something acknowledged even when the sender is killed: `<traces|logs> <accepted> <rejected> <trace id>=<records> …`. Log
//! records without a trace id are counted under `-`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;

pub mod connection;
mod cpu;
mod ledger;
mod lines;
mod maker;
mod needle;
mod pool;
mod report;
mod sending;
mod tail;
mod template;
mod truth;

use self::connection::Connector;
use self::ledger::Ledger;
use self::sending::Plan;

pub use self::needle::{Needle, Sought};
pub use self::report::{Latency, Report, SignalReport};
pub use self::truth::{SpanFact, Truth};

/// Settings of a load.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to send, such as `http://127.0.0.1:4318`. `None` is the protocol's port on this machine.
    pub endpoint: Option<String>,
    /// How to send.
    pub protocol: Protocol,
    /// What to send.
    pub workload: Workload,
    /// Spans to send.
    pub spans: u64,
    /// Log records to send, after the spans.
    pub logs: u64,
    /// Connections, each with one request under way. At least 1.
    pub connections: usize,
    /// Spans or log records in a request. At least 1.
    pub items_per_request: usize,
    /// The span of time before now over which the requests are spread.
    pub window: Duration,
    /// Spans or log records per second, which then have just happened when they are sent; `None` is as fast as they are acknowledged.
    pub rate: Option<u32>,
    /// How long a request is tried before it counts as not acknowledged.
    pub give_up_after: Duration,
    /// Where acknowledged requests are written down.
    pub ledger: Option<PathBuf>,
    /// What chance follows from; `None` differs at every start.
    pub seed: Option<u64>,
}

/// What a load is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workload {
    /// What happens in the sample shop.
    #[default]
    Shop,
    /// Traces of very different sizes from many services, in parts and with late spans, and log records of applications with words to be
    /// found: see `load/tail.rs` and `load/lines.rs`.
    Tail,
    /// The traces of `Tail`, and log records with bodies of a kilobyte that hardly compress.
    Raw,
}

/// How a load is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/HTTP with protobuf, keep-alive.
    #[default]
    Http,
    /// OTLP/gRPC.
    Grpc,
}

// === impl Protocol ===

impl Protocol {
    /// Where it is taken in unless something else was set.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 4318,
            Self::Grpc => 4317,
        }
    }
}

/// Why a load does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is not one. Give one like `http://127.0.0.1:4318`.
    #[error("the endpoint `{endpoint}` cannot be used: {reason}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no receiver. Start one or name one.
    #[error("nobody listens at {endpoint} ({reason}); start `throughline`, or say with --endpoint where it listens")]
    Nobody {
        /// Who was asked.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// It is a receiver of something else. Name another port or another protocol.
    #[error(
        "{endpoint} does not take {protocol} ({reason}); --protocol grpc goes with the port of OTLP/gRPC, {} unless set otherwise, and \
         --protocol http with that of OTLP/HTTP, {} unless set otherwise", Protocol::Grpc.port(), Protocol::Http.port()
    )]
    Receiver {
        /// Who was asked.
        endpoint: String,
        /// In which protocol.
        protocol: &'static str,
        /// What it said.
        reason: String,
    },
    /// The ledger cannot be written. Choose another file.
    #[error("cannot write the ledger {}", .path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// What a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
}

/// Sends what `config` asks for and says what became of it. Ends by itself.
///
/// # Errors
/// When it cannot start. What is not acknowledged is part of the report.
pub async fn run(config: Config) -> Result<Report, Error> {
    let connector = Arc::new(Connector::new(config.protocol, config.endpoint.as_deref())?);
    connector.check().await?;
    let ledger = config.ledger.as_deref().map(Ledger::create).transpose()?.map(Arc::new);
    let seed = config.seed.unwrap_or_else(clock::unix_nanos);
    let mut report = Report { endpoint: connector.endpoint().to_owned(), ..Report::default() };
    for (signal, items) in [(Signal::Traces, config.spans), (Signal::Logs, config.logs)] {
        if items == 0 {
            continue;
        }
        let plan = Plan::new(&config, signal, items, seed, Arc::clone(&connector), ledger.clone());
        let sent = plan.run(config.connections.max(1)).await;
        match signal {
            Signal::Traces => report.spans = Some(sent),
            Signal::Logs => report.logs = Some(sent),
        }
    }
    Ok(report)
}

// === impl Config ===

impl Config {
    /// The time from one request to the next, when a rate is set.
    fn pace(&self) -> Option<Duration> {
        let items = u64::try_from(self.items_per_request.max(1)).unwrap_or(u64::MAX);
        self.rate.map(|rate| Duration::from_nanos(items.saturating_mul(1_000_000_000) / u64::from(rate.max(1))))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: Protocol::Http,
            workload: Workload::Shop,
            spans: 0,
            logs: 0,
            connections: 8,
            items_per_request: 1_000,
            window: Duration::from_secs(3_600),
            rate: None,
            give_up_after: Duration::from_secs(30),
            ledger: None,
            seed: None,
        }
    }
}

// === impl Signal ===

impl Signal {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}
