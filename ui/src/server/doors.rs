//! How many connections there are at once, and what happens to more.
//!
//! Connections that only stand open must not keep a probe or a reader out: when all places are taken, further connections get a place of
//! the haste, where one question is answered and its head must come soon.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::state::Metrics;

/// Places for connections.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    usual: Arc<Semaphore>,
    haste: Arc<Semaphore>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    is_hasty: bool,
    metrics: Metrics,
}

// === impl Doors ===

impl Doors {
    /// So many places, and so many of the haste.
    pub(super) fn new(usual: usize, haste: usize) -> Self {
        Self { usual: Arc::new(Semaphore::new(usual)), haste: Arc::new(Semaphore::new(haste)) }
    }

    /// A place, as soon as there is one.
    pub(super) async fn enter(&self, metrics: &Metrics) -> Place {
        let usual = Arc::clone(&self.usual).try_acquire_owned().ok();
        let is_hasty = usual.is_none();
        let permit = match usual {
            Some(permit) => Some(permit),
            None => {
                metrics.hasty.add(1);
                Arc::clone(&self.haste).acquire_owned().await.ok()
            }
        };
        metrics.connections.add(1);
        Place { _permit: permit, is_hasty, metrics: metrics.clone() }
    }
}

impl Default for Doors {
    fn default() -> Self {
        Self::new(MAX_CONNECTIONS, MAX_HASTY)
    }
}

// === impl Place ===

impl Place {
    /// How long a client in this place may take to say something.
    pub(super) fn patience(&self) -> Duration {
        if self.is_hasty { HASTE } else { IDLE }
    }

    /// What a connection in this place is served by.
    pub(super) fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.patience()).max_buf_size(MAX_HEAD_BYTES).keep_alive(!self.is_hasty);
        builder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.add(-1);
    }
}

/// Connections at once.
const MAX_CONNECTIONS: usize = 2_048;

/// Connections beyond them; still further ones wait.
const MAX_HASTY: usize = 64;

/// Request line and headers. Queries travel in the URL, of which the HTTP library reads 64 KiB.
const MAX_HEAD_BYTES: usize = 80 << 10;

/// How long a client may take to send the head of its next request.
const IDLE: Duration = Duration::from_secs(30);

/// The same where others wait for the place.
const HASTE: Duration = Duration::from_secs(2);
