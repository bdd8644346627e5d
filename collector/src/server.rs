//! The life of the collector: ports bound, connections accepted, requests under way drained.

use std::net::SocketAddr;
use std::sync::Arc;

use storage::{Clock, Registry};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::http::Origins;
use crate::ingest::Ingest;
use crate::metrics::{Metrics, Transport};
use crate::refusals::{RecentRefusals, Refusals};
use crate::sink::Sink;
use crate::{grpc, http};

mod accept;
mod connection;
mod socket;

use self::accept::{Acceptor, Protocol};

/// The receivers, with their ports bound and nothing accepted yet.
pub struct Collector {
    ingest: Arc<Ingest>,
    grpc: Option<(TcpListener, SocketAddr)>,
    http: Option<(TcpListener, SocketAddr)>,
}

/// Binds the ports of `config`. What comes in goes to `sink`, which is the store.
///
/// # Errors
/// When a port cannot be bound or the bounds contradict each other.
pub async fn bind(config: Config, sink: impl Sink, registry: &Registry) -> Result<Collector, Error> {
    if config.max_message_bytes == 0 || config.max_message_bytes > config.in_flight_bytes {
        return Err(Error::Config(format!(
            "max_message_bytes ({}) must be between 1 and in_flight_bytes ({})",
            config.max_message_bytes, config.in_flight_bytes
        )));
    }
    let grpc = listen(config.grpc, "OTLP/gRPC").await?;
    let http = listen(config.http, "OTLP/HTTP").await?;
    let metrics = Metrics::new(registry);
    // Port 0 is any that is free: what is told to senders is where they are listened to.
    let address = |port: &Option<(TcpListener, SocketAddr)>| port.as_ref().map(|(_, address)| *address);
    let config = Config { grpc: address(&grpc), http: address(&http), ..config };
    let bound = registry.gauge("throughline_memory_bound_bytes", "Bytes of memory that a consumer may take.", &[("consumer", "requests")]);
    bound.set(config.in_flight_bytes as u64);
    let refusals = Refusals::new(Clock::system());
    let ingest = Arc::new(Ingest::new(config, Arc::new(sink), metrics, refusals, registry));
    Ok(Collector { ingest, grpc, http })
}

async fn listen(address: Option<SocketAddr>, protocol: &'static str) -> Result<Option<(TcpListener, SocketAddr)>, Error> {
    let Some(address) = address else { return Ok(None) };
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    bound.await.map(Some).map_err(|source| Error::Bind { address, protocol, source })
}

// === impl Collector ===

impl Collector {
    /// Where OTLP/gRPC is served; `None` when it is not.
    #[must_use]
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(|(_, address)| *address)
    }

    /// Where OTLP/HTTP is served; `None` when it is not.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(_, address)| *address)
    }

    /// Gives the last refusals, for people who see no data.
    #[must_use]
    pub fn recent_refusals(&self) -> RecentRefusals {
        self.ingest.refusals.reader()
    }

    /// Answers requests until `stop`, then lets those under way finish, as long as the drain timeout allows. It ends by itself when a port has
    /// ended because of a fault: then nobody listens there any more.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { ingest, grpc, http } = self;
        let room = Arc::new(Semaphore::new(ingest.config.max_connections));
        let drain_timeout = ingest.config.drain_timeout;
        let (cut, stop) = (CancellationToken::new(), stop.child_token());
        let mut acceptors = JoinSet::new();
        let routes = grpc::routes(&ingest);
        let service = http::Service::new(Arc::clone(&ingest), Origins::new(&ingest.config.cors_origins));
        let ports = [(grpc, Transport::Grpc, Protocol::Grpc(routes)), (http, Transport::Http, Protocol::Http(service))];
        for (port, transport, protocol) in ports {
            let Some((listener, _)) = port else { continue };
            let acceptor = Acceptor { ingest: Arc::clone(&ingest), transport, protocol, room: Arc::clone(&room) };
            acceptors.spawn(acceptor.run(listener, stop.clone(), cut.clone()));
        }
        until_stopped(&mut acceptors, &stop).await;
        stop.cancel();
        let deadline = Instant::now() + drain_timeout;
        let drained = async {
            while acceptors.join_next().await.is_some() {}
            ingest.tasks.close();
            ingest.tasks.wait().await;
        };
        if timeout_at(deadline, drained).await.is_err() {
            tracing::warn!(requests = ingest.tasks.len(), "stopped before every request was answered; senders will send them again");
        }
        cut.cancel();
    }
}

/// Waits for `stop`, or for a port that ended without it.
async fn until_stopped(acceptors: &mut JoinSet<()>, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        Some(ended) = acceptors.join_next() => {
            let error = ended.err().map(|error| error.to_string());
            tracing::error!(error, "a port for telemetry is not served any more because of a fault in this program");
        }
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("grpc", &self.grpc_addr()).field("http", &self.http_addr()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
