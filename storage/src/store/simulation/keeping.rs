//! How long and how much a simulated store keeps, and what may be gone because of it.

use std::time::Duration;

use crate::budget::log_share;
use crate::config::Config;
use crate::model::UnixNanos;
use crate::retention::{KeepRule, Retention, most_over, nanos};
use crate::segment::fixture::Dice;
use crate::store::Signal;

use super::model::Request;
use super::world::{World, pick};

/// Draws what a store is told.
pub(super) fn config(dice: &mut Dice) -> Config {
    let mut config = Config {
        buffer_bytes: [40_000, 1 << 20][pick(dice, 2)],
        min_free_bytes: 0,
        concurrent_queries: 1,
        query_memory_bytes: 16 << 20,
        ..Config::new("/srv/data".into())
    };
    match dice.below(6) {
        0 | 1 => config.retention = Retention { traces: Some(AGE), logs: Some(AGE), rules: Vec::new() },
        2 => config.retention = Retention { traces: Some(AGE), logs: Some(AGE), rules: rules() },
        3 => {
            (config.buffer_bytes, config.max_buffer_bytes) = (40_000, 1 << 20);
            config.max_disk_bytes = Some(log_share(&config) + SEGMENT_BYTES[pick(dice, 2)]);
        }
        // Flushes of some spans are runs.
        4 => config.run_rows = 6,
        _ => {}
    }
    config
}

fn rules() -> Vec<KeepRule> {
    let rule = |signal, query: &str| KeepRule { signal, query: query.to_owned(), keep: Some(LONGER) };
    vec![rule(Signal::Logs, "severity>=error"), rule(Signal::Traces, "name=\"operation 1\"")]
}

/// Whether a rule keeps an item longer.
fn is_ruled(signal: Signal, number: u64) -> bool {
    match signal {
        Signal::Logs => number % 24 >= 16,
        Signal::Traces => number % 5 == 1,
    }
}

/// What the store may have let go.
pub(super) struct Keeping<'a> {
    pub(super) config: &'a Config,
    pub(super) now: UnixNanos,
}

impl Keeping<'_> {
    /// How many bytes segments may take.
    pub(super) fn segment_bytes(&self) -> Option<u64> {
        self.config.max_disk_bytes.map(|max| max - log_share(self.config))
    }

    /// Whether an item may be gone although nobody deleted it.
    pub(super) fn may_be_gone(&self, request: &Request, number: u64) -> bool {
        self.config.max_disk_bytes.is_some() || self.is_past(request, number)
    }

    /// Whether an item is past its age.
    fn is_past(&self, request: &Request, number: u64) -> bool {
        let retention = &self.config.retention;
        let Some(plain) = retention.of(request.signal) else { return false };
        let is_ruled = !retention.rules.is_empty() && is_ruled(request.signal, number);
        let age = if is_ruled { LONGER } else { plain };
        request.sent.plus(u64::try_from(age.as_nanos()).unwrap()) < self.now
    }

    /// Whether only a rule keeps an item.
    pub(super) fn is_kept_by_rule(&self, request: &Request, number: u64) -> bool {
        let plain = self.config.retention.of(request.signal).map_or(u64::MAX, |age| u64::try_from(age.as_nanos()).unwrap());
        !self.config.retention.rules.is_empty()
            && is_ruled(request.signal, number)
            && request.sent.get().saturating_add(plain) < self.now.get()
            && !self.is_past(request, number)
    }
}

impl World {
    /// When all work is done, nothing that was merged has rows that are past their age for longer than they may be.
    pub(super) fn nothing_overstays(&self) {
        let (store, _) = self.open.as_ref().unwrap();
        let retention = &self.config.retention;
        let snapshot = store.inner.snapshot.load_full();
        for signal in [Signal::Traces, Signal::Logs] {
            let Some(age) = retention.of(signal).filter(|_| retention.rules.is_empty()) else { continue };
            let oldest = self.clock.now().minus(nanos(age + most_over(age)));
            for segment in snapshot.table(signal).segments.iter().filter(|segment| segment.meta().level > 0) {
                assert!(
                    segment.meta().min_time >= oldest,
                    "{}",
                    self.failure(&format!("it has rows past their age: {:?}", segment.meta()))
                );
            }
        }
    }
}

const AGE: Duration = Duration::from_secs(40 * 60);
const LONGER: Duration = Duration::from_secs(100 * 60);
/// Room for a few of the small segments of a run, which has to let go of some, or for all of them.
const SEGMENT_BYTES: [u64; 2] = [80_000, 400_000];
