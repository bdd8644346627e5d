//! A question while it runs: it is counted, ends when nobody waits for it any more, and what it failed with is told.

use std::sync::Arc;

use tokio::task::{JoinError, JoinHandle};

use super::super::question::QueryError;
use super::super::scan::Control;
use crate::metrics::{Gauge, Registry};

/// Counts one who runs or waits, also when it goes away.
pub(super) struct Running(Gauge);

impl Running {
    pub(super) fn new(registry: &Registry) -> Self {
        let gauge = registry.gauge("throughline_queries_running", "Questions that run or wait.", &[]);
        gauge.add(1);
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

#[derive(Debug)]
pub(super) struct CancelOnDrop(pub(super) Arc<Control>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn nobody_waits() -> QueryError {
    QueryError::Internal("nobody waits for the answer any more".to_owned())
}

pub(super) fn failed(error: &JoinError) -> QueryError {
    tracing::error!(error = %error, "a query failed unexpectedly");
    QueryError::Internal("the query failed unexpectedly; the log says more".to_owned())
}

pub(super) fn reason(error: &QueryError) -> &'static str {
    match error {
        QueryError::Parse(_) => "parse",
        QueryError::Invalid(_) => "invalid",
        QueryError::Timeout(_) => "timeout",
        QueryError::Busy => "busy",
        QueryError::Memory(_) | QueryError::Crowded => "memory",
        QueryError::Internal(_) => "internal",
    }
}
