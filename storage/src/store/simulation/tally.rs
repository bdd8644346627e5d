//! How much of everything happened, so that a simulation that proves little says so.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<&'static str, u64>);

/// What must happen now and then, and how often in [`super::PROVING`] seeds.
const LEAST: [(&str, u64); 33] = [
    ("acknowledged", 1_000),
    ("sent again", 200),
    ("known when sent again", 200),
    ("unknown", 50),
    ("refused", 50),
    ("flushes", 50),
    ("merges", 50),
    ("indexes made again", 20),
    ("stacks", 10),
    ("deletes", 50),
    ("deletes without an answer", 5),
    ("deletes done", 20),
    ("let go by age", 50),
    ("let go for the budget", 50),
    ("kept by rule", 50),
    ("rotations", 50),
    ("stops", 50),
    ("kills", 50),
    ("power failures", 50),
    ("failed starts", 50),
    ("damages", 50),
    ("damages told", 20),
    ("repairs", 50),
    ("repairs interrupted", 10),
    ("power failures in repairs", 10),
    ("ends of the log that were not cut off", 8),
    ("backups", 200),
    ("backups that copied less than everything", 50),
    ("backups broken off", 50),
    ("steps during backups", 100),
    ("restores", 200),
    ("restores interrupted", 50),
    ("backups damaged", 50),
];

impl Tally {
    pub(super) fn count(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| self.count(what, *times));
    }

    /// What happened too seldom.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let seldom = |(what, least): &(&'static str, u64)| self.0.get(what).copied().unwrap_or(0) < *least;
        LEAST.into_iter().filter(seldom).map(|(what, _)| what).collect()
    }
}
