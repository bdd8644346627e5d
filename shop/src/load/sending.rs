//! Sends the requests of one signal over several connections.
//!
//! Owns the plan (which request, when, over which connection) and what becomes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::connection::{Answer, Connection, Connector};
use super::ledger::Ledger;
use super::pool::Pool;
use super::report::{SignalReport, Tally};
use super::{Config, Signal, cpu};
use crate::clock;

/// All that the connections share.
#[derive(Debug)]
pub(super) struct Plan {
    signal: Signal,
    pool: Pool,
    /// When the first set of requests happens.
    first_nanos: u64,
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
    pub(super) fn new(
        config: &Config,
        signal: Signal,
        items: u64,
        seed: u64,
        connector: Arc<Connector>,
        ledger: Option<Arc<Ledger>>,
    ) -> Self {
        let pool = Pool::new(config, signal, items, seed);
        let pace = config.pace();
        let window = pace.map_or(config.window, |_| Duration::ZERO);
        Self {
            signal,
            pool,
            first_nanos: clock::unix_nanos().saturating_sub(u64::try_from(window.as_nanos()).unwrap_or(u64::MAX)),
            began: Instant::now(),
            pace,
            give_up_after: config.give_up_after,
            connector,
            ledger,
            next: AtomicU64::new(0),
        }
    }

    pub(super) async fn run(self, connections: usize) -> SignalReport {
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
}

/// One connection's share of the plan.
async fn send(plan: Arc<Plan>) -> Tally {
    let mut tally = Tally::default();
    let mut connection = plan.connector.connection();
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        let Some(items) = plan.pool.template(number).map(super::template::Template::items) else { return tally };
        if let Some(due) = plan.pace.and(plan.began.checked_add(plan.due(number))) {
            tokio::time::sleep_until(due.into()).await;
        }
        let Some(body) = plan.pool.body(number, plan.first_nanos) else { return tally };
        let began = Instant::now();
        match deliver(&plan, &mut connection, Bytes::from(body), &mut tally).await {
            Ok((rejected, message)) => {
                tally.acknowledge(items, rejected, message, began.elapsed());
                if let Some(ledger) = &plan.ledger {
                    let traces = plan.pool.own_traces(number).chain(plan.pool.late_traces(number));
                    ledger.write(plan.signal, items, rejected, traces);
                }
            }
            Err(Failed::Refused(reason)) => tally.refuse(items, &reason),
            Err(Failed::GaveUp(reason)) => {
                tally.refuse(items, &reason);
                // The receiver is gone. Waiting as long for each of the remaining requests helps nobody.
                return tally;
            }
        }
    }
}

/// Why a request was not acknowledged.
enum Failed {
    Refused(String),
    GaveUp(String),
}

/// Sends one request until it is acknowledged: how many records were rejected, and why.
async fn deliver(plan: &Plan, connection: &mut Connection, body: Bytes, tally: &mut Tally) -> Result<(u64, String), Failed> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        match connection.send(plan.signal, body.clone()).await {
            Answer::Acknowledged { rejected, message } => return Ok((rejected, message)),
            Answer::Refused(reason) => return Err(Failed::Refused(reason)),
            Answer::Later { after, reason } => {
                tally.retry();
                let pause_now = after.unwrap_or(pause);
                if began.elapsed() + pause_now > plan.give_up_after {
                    return Err(Failed::GaveUp(reason));
                }
                tokio::time::sleep(pause_now).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}
