//! The demo: the shop at a human rate, sent over OTLP/gRPC by an exporter per service.
//!
//! Owns the pace and the history at the start. As in life, each service reports its own spans in its own rhythm, so a trace
//! arrives in parts. Never fails: what cannot be delivered is retried, and dropped with a warning when it stays so.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use crate::cast::Service;
use crate::clock;
use crate::recording::Recording;
use crate::scene;
use crate::world::World;

mod exporter;

use self::exporter::Exporter;

/// Settings of the demo.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where OTLP/gRPC is taken in, such as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// Requests per second, 0.01 to 1,000.
    pub traces_per_second: f64,
    /// How much of the past is played at the start, in whole minutes: its last quarter of an hour as fast as it is taken in, the rest
    /// beside the present.
    pub history: Duration,
    /// What chance follows from. `None` differs at every start, so that a kept data folder holds no trace id twice.
    pub seed: Option<u64>,
}

/// Names of the services of the shop.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    Service::ALL.into_iter().map(|service| service.profile().name)
}

/// Runs the shop until `stop`.
pub async fn run(config: Config, stop: CancellationToken) {
    let endpoint = match Endpoint::from_shared(config.endpoint.clone()).and_then(|endpoint| endpoint.user_agent(USER_AGENT)) {
        Ok(endpoint) => endpoint.connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(10)),
        Err(error) => {
            tracing::error!(%error, endpoint = config.endpoint, "the demo shop has no receiver and stays closed");
            return;
        }
    };
    let mut exporters = JoinSet::new();
    let mut queues = Queues::new();
    for service in Service::ALL {
        let (queue, records) = mpsc::channel(QUEUE);
        queues.insert(service, queue);
        exporters.spawn(Exporter::new(service, endpoint.connect_lazy(), stop.clone()).run(records));
    }
    tracing::info!(endpoint = config.endpoint, traces_per_second = config.traces_per_second, "the demo shop opens");
    tokio::select! {
        () = stop.cancelled() => {}
        () = open(&config, &queues) => {}
    }
    // The exporters send what they hold and end. What a receiver does not take in time is dropped: it was never acknowledged.
    drop(queues);
    let ended = tokio::time::timeout(CLOSING, async { while exporters.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::info!("the demo shop closes before everything it holds was taken in");
        exporters.shutdown().await;
    }
}

impl Config {
    /// Four requests per second after an hour of history.
    #[must_use]
    pub fn new(endpoint: String) -> Self {
        Self { endpoint, traces_per_second: 4.0, history: Duration::from_secs(60 * 60), seed: None }
    }
}

type Queues = BTreeMap<Service, mpsc::Sender<Recording>>;

async fn open(config: &Config, queues: &Queues) {
    let now_nanos = clock::unix_nanos();
    let seed = config.seed.unwrap_or(now_nanos);
    let rate = if config.traces_per_second.is_finite() { config.traces_per_second.clamp(0.01, 1_000.0) } else { 4.0 };
    let past = Past { rate: rate.min(MAX_HISTORY_RATE), seed, now_nanos, queues };
    let minutes = (config.history.as_secs() / 60).min(MAX_HISTORY_MINUTES);
    for back in 1..=minutes.min(MINUTES_AT_ONCE) {
        past.play(back).await;
        // Playing a minute is work; the receivers run on the same threads.
        tokio::task::yield_now().await;
    }
    let earlier = async {
        for back in MINUTES_AT_ONCE + 1..=minutes {
            past.play(back).await;
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::join!(earlier, live(rate, seed, now_nanos, queues));
}

/// What happened before the shop was started, the newest minute first: it is what the first page shows.
struct Past<'a> {
    rate: f64,
    seed: u64,
    now_nanos: u64,
    queues: &'a Queues,
}

impl Past<'_> {
    /// Plays the minute that began `back` minutes before the start.
    async fn play(&self, back: u64) {
        let start_nanos = self.now_nanos.saturating_sub(back * MINUTE_NANOS);
        let mut world = World::new(self.seed.wrapping_add(back));
        let mut minute = Recording::default();
        let mut next_nanos = start_nanos;
        while next_nanos < start_nanos + MINUTE_NANOS {
            minute.append(scene::play(&mut world, next_nanos));
            next_nanos += world.random.until_next(self.rate);
        }
        for (service, part) in minute.by_service() {
            if let Some(queue) = self.queues.get(&service) {
                // An exporter ends only when the demo does.
                let _ = queue.send(part).await;
            }
        }
    }
}

async fn live(rate: f64, seed: u64, start_nanos: u64, queues: &Queues) {
    let mut world = World::new(seed);
    let mut next_nanos = start_nanos;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now_nanos = clock::unix_nanos();
        if now_nanos.saturating_sub(next_nanos) > MINUTE_NANOS {
            // The machine slept. The shop slept with it.
            next_nanos = now_nanos;
        }
        while next_nanos <= now_nanos {
            for (service, part) in scene::play(&mut world, next_nanos).by_service() {
                if queues.get(&service).is_some_and(|queue| queue.try_send(part).is_err()) {
                    tracing::debug!(service = service.profile().name, "the demo shop drops records: their queue is full");
                }
            }
            next_nanos += world.random.until_next(rate).max(1);
        }
    }
}

/// What the receiver's ledger calls the shop.
const USER_AGENT: &str = "throughline-shop";

const TICK: Duration = Duration::from_millis(200);
const MINUTE_NANOS: u64 = 60_000_000_000;
const MAX_HISTORY_MINUTES: u64 = 24 * 60;
/// Minutes of the past that are there before the present begins.
const MINUTES_AT_ONCE: u64 = 15;
/// Requests per second of the past: enough to look at, and little enough to hold and send at once.
const MAX_HISTORY_RATE: f64 = 10.0;
/// Requests that wait for one exporter.
const QUEUE: usize = 1_024;
/// How long closing may take. The deadline for stopping is the store's more than the shop's.
const CLOSING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_closes_in_time_when_its_receiver_does_not_answer() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::new(format!("http://{}", silent.local_addr().unwrap()));
        config.traces_per_second = 100.0;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let stop = CancellationToken::new();
            let shop = tokio::spawn(run(config, stop.clone()));
            tokio::time::sleep(Duration::from_millis(500)).await;
            stop.cancel();
            tokio::time::timeout(Duration::from_secs(5), shop).await.expect("it is still open").unwrap();
        });
    }
}
