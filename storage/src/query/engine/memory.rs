//! Memory that is kept of what answers were made of: how much it is, and that it is let go when there is little left.

use std::sync::Arc;

use super::super::versions::Versions;
use super::Engine;

impl Engine {
    /// Looks after memory as long as the threads are there.
    pub(super) fn watch_memory(&self) {
        let (pressure, cache, sheets) = (self.pressure.clone(), self.cache.clone(), self.sheets.clone());
        let (rolls, calls, versions) = (self.rolls.clone(), self.calls.clone(), self.versions.clone());
        let dictionaries = self.dictionaries.clone();
        let watch = async move {
            loop {
                tokio::time::sleep(pressure.pause()).await;
                if pressure.look() {
                    cache.clear();
                    sheets.clear();
                    rolls.clear();
                    calls.clear();
                    dictionaries.clear();
                    versions.get().into_iter().for_each(|versions| versions.clear());
                }
            }
        };
        if let Some(threads) = &self.light_threads {
            threads.spawn(watch);
        }
    }

    /// Has it let go of what is known of versions too, when there is little memory left.
    pub(crate) fn look_after(&self, versions: Arc<Versions>) {
        self.versions.get_or_init(|| versions);
    }

    /// What is kept of what answers were made of: name, bytes, and bytes that it may take.
    pub(crate) fn kept(&self) -> [(&'static str, (usize, usize)); 4] {
        let dictionaries = self.dictionaries.memory();
        [("sums", self.rolls.memory()), ("calls", self.calls.memory()), ("traces", self.sheets.memory()), ("dictionaries", dictionaries)]
    }
}
