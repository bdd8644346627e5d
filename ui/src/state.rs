//! What every handler can reach.

use std::sync::Arc;
use std::time::Instant;

use storage::{Counter, DurationHistogram, Gauge, Registry, Store, UnixNanos};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::pages::{Keys, Known, Offered, Usual};
use crate::{Config, Refused};

mod strays;

pub(crate) use self::strays::Strays;

/// The store, the settings and the counters. Cloning is cheap and shares them.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    store: Store,
    registry: Registry,
    metrics: Metrics,
    started: Instant,
    stopping: CancellationToken,
    usual: Usual,
    offered: Offered,
    keys: Keys,
    strays: Strays,
    begin: Known,
    streams: Arc<Semaphore>,
}

/// Series of the interface.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Requests by first digit of the status: 2, 3, 4, 5.
    pub(crate) responses: [Counter; 4],
    /// Time until the head of the response.
    pub(crate) duration: DurationHistogram,
    /// Handlers that panicked.
    pub(crate) panics: Counter,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections for which there was no usual place.
    pub(crate) hasty: Counter,
    /// Connections that ended in a fault of either side, such as a head that is none or does not end.
    pub(crate) broken: Counter,
    /// Requests with telemetry that came to the pages.
    pub(crate) strays: Counter,
}

// === impl AppState ===

impl AppState {
    /// `config.base_path` is already normalised: empty, or `/name` without a slash at its end.
    pub(crate) fn new(config: Config, store: Store, registry: Registry) -> Self {
        let metrics = Metrics::new(&registry);
        let inner = Inner {
            config,
            store,
            registry,
            metrics,
            started: Instant::now(),
            stopping: CancellationToken::new(),
            usual: Usual::default(),
            offered: Offered::default(),
            keys: Keys::default(),
            strays: Strays::default(),
            begin: Known::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Everything shown is asked of this.
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The settings given at start.
    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What every link begins with: empty, or `/name`.
    pub(crate) fn base_path(&self) -> &str {
        &self.inner.config.base_path
    }

    /// All series of the process.
    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Series of the interface.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The time now, by the clock of the store.
    pub(crate) fn now(&self) -> UnixNanos {
        self.inner.store.clock().now()
    }

    /// The newest time of anything stored, which lies ahead when the clock of a sender does.
    pub(crate) fn newest(&self) -> UnixNanos {
        let newest = |signal: &storage::SignalStatus| signal.time.map(|(_, newest)| newest);
        self.store().status().signals.iter().filter_map(newest).max().unwrap_or(UnixNanos::new(0))
    }

    /// Where all time begins, as far as it was asked.
    pub(crate) fn begin(&self) -> &Known {
        &self.inner.begin
    }

    /// Requests that were refused in the last hour, the newest first: by the receivers, and here because they came to the wrong port.
    pub(crate) fn refused(&self) -> Vec<Refused> {
        let mut refused = self.config().refusals.list();
        refused.extend(self.inner.strays.list(self.now()));
        refused.sort_by_key(|refused| std::cmp::Reverse(refused.last));
        refused
    }

    /// Telemetry that came to the port of the pages.
    pub(crate) fn strays(&self) -> &Strays {
        &self.inner.strays
    }

    /// When this process began to serve.
    pub(crate) fn started(&self) -> Instant {
        self.inner.started
    }

    /// How long operations usually take, as far as it was asked.
    pub(crate) fn usual(&self) -> &Usual {
        &self.inner.usual
    }

    /// What the list of services may be narrowed by, as far as it was asked.
    pub(crate) fn offered(&self) -> &Offered {
        &self.inner.offered
    }

    /// Which attributes there are, as far as it was asked.
    pub(crate) fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// One permit per open stream of news.
    pub(crate) fn streams(&self) -> Arc<Semaphore> {
        self.inner.streams.clone()
    }

    /// Ends when the server stops; open streams end with it.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }
}

// === impl Metrics ===

impl Metrics {
    fn new(registry: &Registry) -> Self {
        let responses = |class| {
            registry.counter("throughline_http_responses_total", "Answers of pages and APIs by class of status.", &[("class", class)])
        };
        Self {
            responses: [responses("2xx"), responses("3xx"), responses("4xx"), responses("5xx")],
            duration: registry.histogram("throughline_http_response_seconds", "Time until the head of an answer of pages and APIs.", &[]),
            panics: registry.counter("throughline_http_panics_total", "Handlers of pages and APIs that failed by panic.", &[]),
            connections: registry.gauge("throughline_connections", "Open connections of senders.", &[("transport", "pages")]),
            hasty: registry.counter(
                "throughline_http_hasty_connections_total",
                "Connections to the pages beyond those that may stand open; each gets one answer.",
                &[],
            ),
            broken: registry.counter(
                "throughline_http_broken_connections_total",
                "Connections to the pages that ended early: by a head that is no HTTP or does not end, or by the client.",
                &[],
            ),
            strays: registry.counter(
                "throughline_refused_requests_total",
                "Requests and connections refused, by reason.",
                &[("reason", "wrong_port")],
            ),
        }
    }
}

/// Pages that may be live at once.
const MAX_STREAMS: usize = 64;
