//! What the interface is told at start.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use storage::UnixNanos;

/// Settings of the pages and APIs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where pages and APIs are served. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Prefix of every path, such as `/throughline`, for a reverse proxy that keeps it. Empty for none.
    pub base_path: String,
    /// Host names under which the interface may be asked, without port; `*` allows all. When empty, a loopback listener
    /// answers to `localhost` and to addresses only, which defeats DNS rebinding, and other listeners answer to all.
    pub allowed_hosts: Vec<String>,
    /// What must be ready besides the store; shown by `/readyz`.
    pub readiness: Vec<Part>,
    /// Where OTLP/gRPC is taken in; shown on *Getting started*.
    pub otlp_grpc: Option<SocketAddr>,
    /// Where OTLP/HTTP is taken in; shown on *Getting started*.
    pub otlp_http: Option<SocketAddr>,
    /// Version of the program.
    pub version: &'static str,
    /// How the program was built and where its data is.
    pub about: About,
    /// Whether the sample shop runs.
    pub demo: bool,
    /// The requests of senders that were refused lately; shown on *Getting started* and *Status*.
    pub refusals: RefusalSource,
}

/// How the program was built, and the paths it was started with; shown on *Status* and *Settings*.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// `release` or `debug`.
    pub profile: &'static str,
    /// What it was built for, such as `x86_64-linux-gnu`.
    pub target: String,
    /// Where the data is.
    pub data_dir: Option<PathBuf>,
    /// The file that settings were read from; `None` when there was none.
    pub config_file: Option<PathBuf>,
}

/// A kind of request that was refused lately. Its texts come from senders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// When the last one was refused.
    pub last: UnixNanos,
    /// How many alike in the last hour.
    pub count: u64,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// The HTTP status, or for gRPC the number of the code.
    pub status: u16,
    /// The word it is counted under.
    pub reason: &'static str,
    /// What the sender was told.
    pub message: String,
    /// What the sender calls itself; empty when it does not say.
    pub user_agent: String,
}

/// Gives the last refusals, newest first; none by default.
#[derive(Clone, Default)]
pub struct RefusalSource(Option<Arc<dyn Fn() -> Vec<Refused> + Send + Sync>>);

/// A part of the process that can be ready or not.
#[derive(Clone)]
pub struct Part {
    name: &'static str,
    check: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

// === impl Config ===

impl Config {
    /// Defaults: no base path, no extra hosts, no extra parts.
    #[must_use]
    pub fn new(listen: SocketAddr, version: &'static str) -> Self {
        Self {
            listen,
            base_path: String::new(),
            allowed_hosts: Vec::new(),
            readiness: Vec::new(),
            otlp_grpc: None,
            otlp_http: None,
            version,
            about: About::default(),
            demo: false,
            refusals: RefusalSource::default(),
        }
    }
}

// === impl RefusalSource ===

impl RefusalSource {
    /// Asks `source`, which must not block.
    pub fn new(source: impl Fn() -> Vec<Refused> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(source)))
    }

    pub(crate) fn list(&self) -> Vec<Refused> {
        self.0.as_ref().map(|source| source()).unwrap_or_default()
    }
}

impl fmt::Debug for RefusalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusalSource").finish_non_exhaustive()
    }
}

// === impl Part ===

impl Part {
    /// A part that is ready while `check` gives `Ok`, and otherwise says why it is not. The check must not block.
    pub fn new(name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self { name, check: Arc::new(check) }
    }

    /// What it is called in `/readyz`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        (self.check)()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}
