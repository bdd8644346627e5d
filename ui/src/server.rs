//! The listener, the table of routes and the list of middleware.
//!
//! Owns connections from accept to drain. Knows no handler's insides.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper_util::server::graceful::GracefulShutdown;
use storage::{Registry, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::state::AppState;
use crate::{Config, api, error, jaeger, ops, pages};

mod connection;
mod doors;
mod guard;
mod heads;
mod stray;

use self::doors::Doors;

/// Listens, but answers nothing until [`Server::serve`].
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    state: AppState,
}

/// Why the interface does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not this machine's. Stop the other process or choose another address.
    #[error("cannot listen on {address} for pages and APIs; stop the process that does, or choose another address")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The base path is not one.
    #[error("the base path `{0}` must be like /name or /one/two, with letters, digits and -._~ in its names")]
    BasePath(String),
}

/// Takes the port. Must be called within a tokio runtime with I/O and time.
///
/// # Errors
/// When the port is taken or the base path is malformed.
pub fn bind(mut config: Config, store: Store, registry: Registry) -> Result<Server, Error> {
    config.base_path = base_path(&config.base_path)?;
    let address = config.listen;
    let failed = |source| Error::Bind { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    // Port 0 is any that is free: pages say where they are.
    config.listen = addr;
    Ok(Server { listener, addr, state: AppState::new(config, store, registry) })
}

// === impl Server ===

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers until `stop` is cancelled, then finishes what it began, for at most ten seconds.
    pub async fn serve(self, stop: CancellationToken) {
        self.serve_by(Doors::default(), stop).await;
    }

    async fn serve_by(self, doors: Doors, stop: CancellationToken) {
        let app = app(self.state.clone());
        let connections = GracefulShutdown::new();
        let metrics = self.state.metrics();
        loop {
            let entered = async {
                let stream = accept(&self.listener).await;
                (stream, doors.enter(metrics).await)
            };
            let (stream, place) = tokio::select! {
                () = stop.cancelled() => break,
                entered = entered => entered,
            };
            tokio::spawn(connection::serve(stream, place, app.clone(), self.state.clone(), connections.watcher()));
        }
        drop(self.listener);
        self.state.stopping().cancel();
        if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
            tracing::warn!("connections to the pages were still open after {} s and are dropped", DRAIN.as_secs());
        }
    }
}

/// Every route of the interface, by audience.
fn routes() -> Router<AppState> {
    Router::new()
        // People.
        .merge(pages::router())
        // Programs.
        .merge(api::router())
        // Clients that speak Jaeger.
        .merge(jaeger::router())
        // Operators and orchestrators.
        .merge(ops::router())
}

/// The routes behind the middleware, which a request passes from top to bottom and its answer from bottom to top.
pub(crate) fn app(state: AppState) -> Router {
    let panics = state.metrics().panics.clone();
    let middleware = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), guard::measure))
        .layer(from_fn(guard::headers))
        .layer(CompressionLayer::new().gzip(true).zstd(true))
        .layer(from_fn_with_state(state.clone(), error::render))
        // Before names are looked at: whoever sends telemetry is told of its port by whatever name it came.
        .layer(from_fn_with_state(state.clone(), stray::redirect))
        .layer(from_fn_with_state(state.clone(), guard::host))
        .layer(from_fn_with_state(state.clone(), guard::same_origin))
        .layer(CatchPanicLayer::custom(guard::PanicAnswer::new(panics)))
        .layer(from_fn(guard::deadline))
        // The one bound of bodies; the default one of extractors would be a second.
        .layer(from_fn(guard::whole_body))
        .layer(DefaultBodyLimit::disable());
    let base_path = state.base_path().to_owned();
    let app = routes().fallback(guard::nothing_here).layer(middleware).with_state(state.clone());
    guard::below(base_path, app, state)
}

/// The next connection. Errors of accept are those of one client or of a full process.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers must not wait for more; a socket that refuses the option still works.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for the pages");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A prefix of all pages as it is used: empty, or a slash and names without a slash at the end.
///
/// # Errors
/// When it is not one.
pub fn base_path(base_path: &str) -> Result<String, Error> {
    let trimmed = base_path.trim_end_matches('/');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    if trimmed.is_empty() {
        return Ok(String::new());
    }
    // Clients take empty names and dots out of paths before they send them.
    let is_kept = |name: &str| !matches!(name, "" | "." | "..");
    if !trimmed.starts_with('/') || !trimmed.split('/').skip(1).all(is_kept) || !trimmed.chars().all(allowed) {
        return Err(Error::BasePath(base_path.to_owned()));
    }
    Ok(trimmed.to_owned())
}

/// How long open requests may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
