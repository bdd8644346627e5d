//! Merging segments and letting old ones go, one step at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::background::{Health, Work};
use crate::clock::Clock;
use crate::flush::{KeepError, Keeper};
use crate::segment::Segment;

use super::append::retention_nanos;
use super::open::chain;
use super::{Meters, Tables};

/// Does the work of the merging thread.
pub(super) struct Merger {
    keeper: Arc<Keeper>,
    tables: Arc<Tables>,
    meters: Meters,
    health: Arc<Health>,
    clock: Clock,
    retention: Option<Duration>,
}

impl Merger {
    pub(super) fn new(
        keeper: Arc<Keeper>,
        tables: Arc<Tables>,
        meters: Meters,
        health: Arc<Health>,
        clock: Clock,
        retention: Option<Duration>,
    ) -> Self {
        Self { keeper, tables, meters, health, clock, retention }
    }

    /// One step: true when there may be more to do, `None` when it failed.
    pub(super) fn run(&self) -> Option<bool> {
        let done = self.retire();
        self.keeper.remove_files();
        match done {
            Ok(more) => {
                self.health.note(Work::Merge, None);
                Some(more)
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "merging segments failed; it is tried again");
                self.meters.background_errors.add(1);
                self.health.note(Work::Merge, Some(format!("merging segments failed: {error}")));
                None
            }
        }
    }

    /// Lets segments go whose newest row is older than the retention.
    fn retire(&self) -> Result<bool, KeepError> {
        let oldest_kept = self.clock.now().minus(retention_nanos(self.retention));
        let snapshot = self.tables.published().load_full();
        let both = snapshot.spans.segments.iter().chain(&snapshot.logs.segments);
        let old: Vec<Arc<Segment>> = both.filter(|segment| segment.meta().max_time < oldest_kept).cloned().collect();
        if old.is_empty() {
            return Ok(false);
        }
        let rows: u64 = old.iter().map(|segment| segment.meta().rows).sum();
        self.keeper.replace(&old, Vec::new())?;
        tracing::info!(segments = old.len(), rows, "segments older than the retention were removed");
        Ok(false)
    }
}
