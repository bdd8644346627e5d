//! How running work learns that it must end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::question::QueryError;

/// Tells running work to end: its time is over, or nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Control {
    deadline: Instant,
    allowed: Duration,
    cancelled: AtomicBool,
}

impl Control {
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { deadline: Instant::now() + allowed, allowed, cancelled: AtomicBool::new(false) }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Fails when work must end.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Internal("nobody waits for the answer any more".to_owned()));
        }
        if Instant::now() >= self.deadline {
            return Err(QueryError::Timeout(self.allowed));
        }
        Ok(())
    }
}
