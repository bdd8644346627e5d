//! What the interface is told at start.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

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
    /// Whether the sample shop runs.
    pub demo: bool,
}

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
            demo: false,
        }
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
