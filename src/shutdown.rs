//! Stopping: the signals that ask for it, and the deadline that all parts share.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

/// SIGINT and SIGTERM, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// The time by which everything has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
}

// === impl Signals ===

impl Signals {
    /// Begins to listen; from here on a signal no longer ends the process.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

// === impl Deadline ===

impl Deadline {
    pub(crate) fn after(wait: Duration) -> Self {
        Self { at: Instant::now() + wait }
    }

    /// Waits for `part` to end; `None`, and a line in the log, when it is late.
    pub(crate) async fn wait<T>(self, part: &str, ending: impl Future<Output = T>) -> Option<T> {
        let ended = timeout_at(self.at, ending).await.ok();
        if ended.is_none() {
            tracing::error!(part, "did not stop by the deadline and is left behind");
        }
        ended
    }
}
