//! How running work learns that it must end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::super::question::QueryError;
use super::Holding;
use crate::metrics::Gauge;

/// Tells running work to end: its time is over, or nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Control {
    deadline: Instant,
    allowed: Duration,
    cancelled: AtomicBool,
    lacks_memory: AtomicBool,
    /// Tells those who wait instead of asking.
    told: Notify,
    /// Shows what it holds in memory.
    held: OnceLock<Gauge>,
}

impl Control {
    pub(crate) fn new(allowed: Duration) -> Self {
        let (deadline, told) = (Instant::now() + allowed, Notify::new());
        let (cancelled, lacks_memory) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { deadline, allowed, cancelled, lacks_memory, told, held: OnceLock::new() }
    }

    /// Has what the work holds in memory shown.
    pub(crate) fn show_memory(&self, gauge: Gauge) {
        self.held.get_or_init(|| gauge);
    }

    /// Something that the work is going to hold.
    pub(crate) fn holding(&self) -> Holding {
        Holding::shown_by(self.held.get())
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
    }

    /// Ends the work for want of memory.
    pub(crate) fn end_for_memory(&self) {
        self.lacks_memory.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
    }

    /// Waits until work must end, and says why.
    pub(crate) async fn ended(&self) -> QueryError {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            // Listens before it looks, so that nothing is missed in between.
            told.as_mut().enable();
            if let Err(error) = self.check() {
                return error;
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep_until(self.deadline.into()) => {}
            }
        }
    }

    /// Fails when work must end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Internal("nobody waits for the answer any more".to_owned()));
        }
        if self.lacks_memory.load(Ordering::Relaxed) {
            return Err(QueryError::Crowded);
        }
        if Instant::now() >= self.deadline {
            return Err(QueryError::Timeout(self.allowed));
        }
        Ok(())
    }
}
