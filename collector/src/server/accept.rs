//! Accepts connections, and goes on accepting whatever happens.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::connection;
use crate::http;
use crate::ingest::Ingest;
use crate::metrics::Transport;

/// Accepts the connections of one port.
pub(super) struct Acceptor {
    pub(super) ingest: Arc<Ingest>,
    pub(super) transport: Transport,
    pub(super) protocol: Protocol,
    pub(super) room: Arc<Semaphore>,
}

/// What is spoken on a port.
#[derive(Clone)]
pub(super) enum Protocol {
    Grpc(Routes),
    Http(http::Service),
}

/// Counts an open connection for as long as it lives.
struct Guest {
    ingest: Arc<Ingest>,
    transport: Transport,
    _place: OwnedSemaphorePermit,
}

// === impl Acceptor ===

impl Acceptor {
    /// Accepts until `stop`, then waits for the connections to finish, or drops them on `cut`.
    pub(super) async fn run(self, listener: TcpListener, stop: CancellationToken, cut: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut complaint = Complaint::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.welcome(stream, &mut connections, &stop),
                    Err(error) => complaint.about(&error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        tokio::select! {
            () = cut.cancelled() => {}
            () = async { while connections.join_next().await.is_some() {} } => {}
        }
    }

    fn welcome(&self, stream: TcpStream, connections: &mut JoinSet<()>, stop: &CancellationToken) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            self.ingest.metrics.refused("connections");
            return;
        };
        let guest = Guest::new(&self.ingest, self.transport, place);
        let (protocol, ingest, stop) = (self.protocol.clone(), Arc::clone(&self.ingest), stop.clone());
        connections.spawn(async move {
            let _guest = guest;
            if let Err(error) = connection::serve(stream, protocol, &ingest, stop).await {
                if breaks_protocol(&*error) {
                    ingest.metrics.refused("protocol");
                }
                tracing::debug!(error = %error, "a connection ended badly");
            }
        });
    }
}

/// Whether what was read is not HTTP, or not as HTTP/2 wants it. A sender that hangs up breaks no rule, nor does one that is silent.
fn breaks_protocol(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<hyper::Error>() else { return false };
    let found_by_us = |source: &(dyn Error + 'static)| source.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_library);
    error.is_parse() || error.source().is_some_and(found_by_us)
}

// === impl Guest ===

impl Guest {
    fn new(ingest: &Arc<Ingest>, transport: Transport, place: OwnedSemaphorePermit) -> Self {
        ingest.metrics.connections(transport).add(1);
        Self { ingest: Arc::clone(ingest), transport, _place: place }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.ingest.metrics.connections(self.transport).add(-1);
    }
}

/// Says once a minute why nothing can be accepted.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
}

impl Complaint {
    /// A peer that left before it was accepted is no fault of ours. Anything else, such as no free file descriptor, passes
    /// when connections close; until then the loop waits instead of spinning.
    async fn about(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        if self.last.is_none_or(|last| last.elapsed() > COMPLAINT_INTERVAL) {
            self.last = Some(Instant::now());
            tracing::error!(error = %error, "cannot accept connections; raise the limit of open files or lower max_connections");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(50);
