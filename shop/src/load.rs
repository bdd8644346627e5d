//! The load: the shop's requests, encoded once and replayed as fast as the receiver acknowledges them.
//!
//! Owns the plan (which request, when, over which connection) and the counting. Only ids and times are changed from one
//! replay to the next, at offsets known beforehand, so that the sender costs little beside the receiver it measures.
//!
//! The ledger: one line per acknowledged request, written after the acknowledgement with one call, so that a line stands for
//! something acknowledged even when the sender is killed: `<traces|logs> <accepted> <rejected> <trace id>=<records> …`. Log
//! records without a trace id are counted under `-`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::clock;
use crate::random::Random;

pub mod connection;
mod cpu;
mod ledger;
mod report;
mod tail;
mod template;
mod truth;

use self::connection::{Answer, Connector};
use self::ledger::Ledger;
use self::report::Tally;
use self::template::{Nonce, Pool};

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
    /// Traces of very different sizes from many services, log lines with words to be found: see `load/tail.rs`.
    Tail,
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

/// All that the connections share.
#[derive(Debug)]
struct Plan {
    signal: Signal,
    pool: Pool,
    seed: u64,
    first_nanos: u64,
    window_nanos: u64,
    /// When the first request was due, and the time from one to the next.
    began: Instant,
    pace: Option<Duration>,
    give_up_after: Duration,
    connector: Arc<Connector>,
    ledger: Option<Arc<Ledger>>,
    next: AtomicU64,
}

// === impl Plan ===

impl Plan {
    fn new(config: &Config, signal: Signal, items: u64, seed: u64, connector: Arc<Connector>, ledger: Option<Arc<Ledger>>) -> Self {
        let pool = Pool::new(signal, config.workload, items, config.items_per_request.max(1), seed);
        let items = u64::try_from(config.items_per_request.max(1)).unwrap_or(u64::MAX);
        let pace = config.rate.map(|rate| Duration::from_nanos(items.saturating_mul(1_000_000_000) / u64::from(rate.max(1))));
        let window = pace.map_or(config.window, |_| Duration::ZERO);
        let window_nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let first_nanos = clock::unix_nanos().saturating_sub(window_nanos);
        Self {
            signal,
            pool,
            seed,
            first_nanos,
            window_nanos,
            began: Instant::now(),
            pace,
            give_up_after: config.give_up_after,
            connector,
            ledger,
            next: AtomicU64::new(0),
        }
    }

    async fn run(self, connections: usize) -> SignalReport {
        let plan = Arc::new(self);
        let (began, cpu) = (Instant::now(), cpu::seconds());
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            senders.spawn(send(Arc::clone(&plan)));
        }
        let mut tally = Tally::default();
        while let Some(sent) = senders.join_next().await {
            match sent {
                Ok(part) => tally.merge(part),
                Err(error) => tally.refuse(0, &format!("a connection's task failed: {error}")),
            }
        }
        let cpu_seconds = cpu::seconds().zip(cpu).map(|(after, before)| after - before);
        tally.report(plan.pool.items(), began.elapsed(), cpu_seconds)
    }

    /// When request `number` is to be sent, counted from the first.
    fn due(&self, number: u64) -> Duration {
        self.pace.map_or(Duration::ZERO, |pace| pace.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// When the last of request `number` has happened: the requests walk through the window from its beginning to now, or, one after the
    /// other, happen when they are due.
    fn time_of(&self, number: u64) -> u64 {
        if self.pace.is_some() {
            return self.first_nanos.saturating_add(u64::try_from(self.due(number).as_nanos()).unwrap_or(u64::MAX));
        }
        let share = u128::from(self.window_nanos) * u128::from(number) / u128::from(self.pool.requests().max(1));
        self.first_nanos + u64::try_from(share).unwrap_or(0)
    }
}

/// One connection's share of the plan.
async fn send(plan: Arc<Plan>) -> Tally {
    let mut tally = Tally::default();
    let mut connection = plan.connector.connection();
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        let Some(template) = plan.pool.template(number) else { return tally };
        let due = plan.pace.and(plan.began.checked_add(plan.due(number)));
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let nonce = nonce(plan.seed, number);
        let body = Bytes::from(template.stamp(nonce, plan.time_of(number), plan.pool.words(number)));
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            match connection.send(plan.signal, body.clone()).await {
                Answer::Acknowledged { rejected, message } => {
                    tally.acknowledge(template.items(), rejected, message, began.elapsed());
                    if let Some(ledger) = &plan.ledger {
                        ledger.write(plan.signal, template, nonce, rejected);
                    }
                    break;
                }
                Answer::Refused(reason) => {
                    tally.refuse(template.items(), &reason);
                    break;
                }
                Answer::Later { after, reason } => {
                    tally.retry();
                    let pause_now = after.unwrap_or(pause);
                    if began.elapsed() + pause_now > plan.give_up_after {
                        tally.refuse(template.items(), &reason);
                        // The receiver is gone. Waiting as long for each of the remaining requests helps nobody.
                        return tally;
                    }
                    tokio::time::sleep(pause_now).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

/// What makes the ids of request `number` its own.
fn nonce(seed: u64, number: u64) -> Nonce {
    Nonce::new(&mut Random::new(seed ^ (number + 1).wrapping_mul(0xd134_2543_de82_ef95)))
}

// === impl Config ===

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
