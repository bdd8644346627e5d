//! A gate before the threads of questions: how many run at once, and how many wait for that.
//!
//! Knows nothing of what they ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::query::question::QueryError;

/// Lets a bounded number through, with a bounded queue before it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) permits: Arc<Semaphore>,
    pub(super) waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

/// Waiting questions per running one.
const WAITING_PER_PERMIT: usize = 8;

impl Gate {
    pub(super) fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), waiting: Arc::default(), max_waiting: permits * WAITING_PER_PERMIT }
    }

    /// Waits for a place, as long as is allowed.
    ///
    /// # Errors
    /// When too many wait already, or no place became free.
    pub(super) async fn enter(&self, allowed: Duration) -> Result<OwnedSemaphorePermit, QueryError> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(QueryError::Busy);
        }
        let waiting = Waiting(self.waiting.clone());
        let entered = tokio::time::timeout(allowed, self.permits.clone().acquire_owned()).await;
        drop(waiting);
        match entered {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(QueryError::Busy),
        }
    }
}

/// Counts one who waits, also when it goes away.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
