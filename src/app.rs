//! The parts of the running program: built in one order, stopped in the other.
//!
//! Owns the tasks and their tokens. Starting: store, receivers, pages, demo. Stopping: demo and receivers first, so that nothing
//! new comes in, then the store, which writes what is in memory, then the pages.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use collector::Collector;
use storage::{Clock, Registry, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Demo};
use crate::shutdown::{Deadline, Signals};

/// Everything, with ports bound and nothing accepted yet.
#[derive(Debug)]
pub(crate) struct App {
    store: Store,
    collector: Collector,
    pages: ui::Server,
    demo: Option<Demo>,
    /// Cancelled when the receivers stop; `/readyz` shows it.
    receivers_stop: CancellationToken,
    stop_deadline: Duration,
    /// Behind the address of the pages.
    base_path: String,
}

/// A running part and the token that ends it.
struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

// === impl App ===

impl App {
    /// Opens the data folder and takes the ports.
    ///
    /// # Errors
    /// When the folder cannot be used or a port is taken.
    pub(crate) async fn build(config: Config) -> anyhow::Result<Self> {
        let registry = Registry::default();
        let about = about(&config);
        let store = Store::open(config.storage, Clock::system(), registry.clone()).await?;
        let collector = collector::bind(config.collector, store.clone(), &registry).await?;
        let receivers_stop = CancellationToken::new();
        let stopping = receivers_stop.clone();
        let mut pages = ui::Config::new(config.pages.listen, env!("CARGO_PKG_VERSION"));
        pages.base_path.clone_from(&config.pages.base_path);
        pages.allowed_hosts = config.pages.allowed_hosts;
        pages.otlp_grpc = collector.grpc_addr();
        pages.otlp_http = collector.http_addr();
        pages.about = about;
        pages.demo = config.demo.is_some();
        pages.refusals = refusals(&collector);
        pages.readiness =
            vec![ui::Part::new("receivers", move || if stopping.is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) })];
        let pages = ui::bind(pages, store.clone(), registry)?;
        warn_of_networks([collector.grpc_addr(), collector.http_addr(), Some(pages.addr())]);
        Ok(Self {
            store,
            collector,
            pages,
            demo: config.demo,
            receivers_stop,
            stop_deadline: config.stop_deadline,
            base_path: config.pages.base_path,
        })
    }

    /// Says where everything listens, one line each, for people and for programs that start this one.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn announce(&self, mut out: impl Write) -> anyhow::Result<()> {
        if let Some(address) = self.collector.grpc_addr() {
            writeln!(out, "ready otlp/grpc http://{address}")?;
        }
        if let Some(address) = self.collector.http_addr() {
            writeln!(out, "ready otlp/http http://{address}")?;
        }
        writeln!(out, "ready ui http://{}{}", self.pages.addr(), self.base_path)?;
        out.flush().context("cannot say where the ports are")
    }

    /// Runs until a signal, then stops part by part. A second signal ends it at once.
    ///
    /// # Errors
    /// When a part ended by itself, or what was in memory could not be written.
    pub(crate) async fn run(self, signals: &mut Signals) -> anyhow::Result<ExitCode> {
        let Self { store, collector, pages, demo, receivers_stop, stop_deadline, .. } = self;
        let demo = demo.zip(collector.grpc_addr()).map(|(demo, address)| {
            let mut shop = shop::demo::Config::new(format!("http://{}", reachable(address)));
            shop.traces_per_second = demo.traces_per_second;
            shop.history = not_yet_played(&store, shop.history);
            Part::start("demo shop", CancellationToken::new(), |stop| shop::demo::run(shop, stop))
        });
        let mut receivers = Part::start("receivers", receivers_stop, |stop| collector.serve(stop));
        let mut pages = Part::start("pages", CancellationToken::new(), |stop| pages.serve(stop));
        // Now that questions are answered: none waited for it.
        store.read_ahead();
        let ended = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "stopping; a second signal ends it at once");
                None
            }
            _ = &mut receivers.task => Some(receivers.name),
            _ = &mut pages.task => Some(pages.name),
        };
        if let Some(name) = ended {
            // Serving ends only when told to: this is a defect, and a supervisor should start the process anew.
            let deadline = Deadline::after(stop_deadline);
            deadline.wait("store", store.close()).await.transpose()?;
            anyhow::bail!("the {name} ended unexpectedly");
        }
        let parts = Parts { demo, receivers, pages };
        tokio::select! {
            stopped = parts.stop(&store, Deadline::after(stop_deadline)) => stopped,
            name = signals.second() => anyhow::bail!("{name} while stopping: ended at once; nothing acknowledged is lost, the log holds it"),
        }
    }
}

/// What *Status* says of this program and its folders, with whole paths: whoever reads them may stand elsewhere.
fn about(config: &Config) -> ui::About {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let library = if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    };
    ui::About {
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        target: format!("{}-{}{library}", std::env::consts::ARCH, std::env::consts::OS),
        data_dir: Some(whole(&config.storage.data_dir)),
        config_file: config.file.as_deref().map(whole),
    }
}

/// Whoever reaches an address may read, send and delete.
fn warn_of_networks(addresses: [Option<SocketAddr>; 3]) {
    let open: Vec<String> = addresses.into_iter().flatten().filter(|address| !address.ip().is_loopback()).map(|a| a.to_string()).collect();
    if !open.is_empty() {
        tracing::warn!(
            addresses = open.join(", "),
            "open to the network, and nobody is asked who they are: let a firewall or a proxy decide"
        );
    }
}

/// How much of its past the shop plays: not once more what it sent before it was last stopped.
fn not_yet_played(store: &Store, history: Duration) -> Duration {
    let known = store.service_names();
    let last = store.status().signals[0].time.filter(|_| shop::demo::service_names().any(|name| known.iter().any(|k| k == name)));
    last.map_or(history, |(_, last)| Duration::from_nanos(Clock::system().now().since(last)).min(history))
}

/// The receivers' last refusals as the pages show them: the two know nothing of each other.
fn refusals(collector: &Collector) -> ui::RefusalSource {
    let recent = collector.recent_refusals();
    let shown = |refusal: collector::RecentRefusal| ui::Refused {
        last: refusal.last,
        count: refusal.count,
        transport: refusal.transport,
        status: refusal.status,
        reason: refusal.reason,
        message: refusal.message,
        user_agent: refusal.user_agent,
    };
    ui::RefusalSource::new(move || recent().into_iter().map(shown).collect())
}

/// All that runs.
struct Parts {
    demo: Option<Part>,
    receivers: Part,
    pages: Part,
}

// === impl Parts ===

impl Parts {
    async fn stop(self, store: &Store, deadline: Deadline) -> anyhow::Result<ExitCode> {
        let mut in_time = true;
        if let Some(demo) = self.demo {
            in_time &= demo.end(deadline).await;
        }
        in_time &= self.receivers.end(deadline).await;
        let closed = deadline.wait("store", store.close()).await;
        in_time &= closed.is_some();
        in_time &= self.pages.end(deadline).await;
        closed.transpose().context("what was in memory could not be written; nothing acknowledged is lost, the log holds it")?;
        if !in_time {
            anyhow::bail!("not everything stopped by the deadline; nothing acknowledged is lost");
        }
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

// === impl Part ===

impl Part {
    fn start<F>(name: &'static str, stop: CancellationToken, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = tokio::spawn(run(stop.clone()));
        Self { name, stop, task }
    }

    /// Tells it to stop and waits. False when it was late.
    async fn end(self, deadline: Deadline) -> bool {
        self.stop.cancel();
        match deadline.wait(self.name, self.task).await {
            Some(Err(error)) => {
                tracing::error!(part = self.name, %error, "ended badly");
                true
            }
            Some(Ok(())) => true,
            None => false,
        }
    }
}

/// Where this process reaches a port that listens on every network.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr =
            if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}
