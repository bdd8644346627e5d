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
    lacks_memory: AtomicBool,
}

impl Control {
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { deadline: Instant::now() + allowed, allowed, cancelled: AtomicBool::new(false), lacks_memory: AtomicBool::new(false) }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Ends the work for want of memory.
    pub(crate) fn end_for_memory(&self) {
        self.lacks_memory.store(true, Ordering::Relaxed);
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
