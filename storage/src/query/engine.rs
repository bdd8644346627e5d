//! Runs questions: admission, the query runtime, deadlines and memory.

use crate::config::Config;
use crate::metrics::Registry;

/// Runs questions on their own threads, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Engine {}

impl Engine {
    /// Starts the query threads.
    pub(crate) fn new(_config: &Config, _registry: &Registry) -> Self {
        Self {}
    }
}
