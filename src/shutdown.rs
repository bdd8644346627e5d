//! Stopping: the signals that ask for it, and the deadline that all parts share.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

/// SIGINT, SIGTERM, and SIGHUP of a terminal that is closed, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
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
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }

    /// Waits for one that comes well after the first: who ends a process and its group sends the same signal twice.
    pub(crate) async fn second(&mut self) -> &'static str {
        let first = Instant::now();
        loop {
            let name = self.next().await;
            if first.elapsed() >= ONE_SIGNAL {
                return name;
            }
        }
    }
}

/// Signals that come so close together are one.
const ONE_SIGNAL: Duration = Duration::from_millis(250);

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
