//! The one place that asks what time it is.
//!
//! Owns the system clock and a clock that tests hold in their hand. Everything else receives a [`Clock`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::UnixNanos;

/// Tells the time: the system's, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    held: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `time` until [`Clock::set`] moves it.
    #[must_use]
    pub fn held_at(time: UnixNanos) -> Self {
        Self { held: Some(Arc::new(AtomicU64::new(time.get()))) }
    }

    /// Moves a held clock; the system clock is not moved.
    pub fn set(&self, time: UnixNanos) {
        if let Some(held) = &self.held {
            held.store(time.get(), Ordering::Relaxed);
        }
    }

    /// The time now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one caller the rule is made for")]
    pub fn now(&self) -> UnixNanos {
        if let Some(held) = &self.held {
            return UnixNanos::new(held.load(Ordering::Relaxed));
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixNanos::new(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}
