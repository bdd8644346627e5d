//! What a tally holds in memory while calls are counted: shown with what the question holds besides.

use super::super::super::scan::{Holding, of_map};
use super::{Sums, Tally};

/// What is shown, and what was counted since it was measured.
#[derive(Debug)]
pub(super) struct Held {
    holding: Holding,
    unmeasured: usize,
}

/// Bytes of a name beside its text, about.
const NAME_BYTES: usize = 64;

impl Held {
    pub(super) fn new(holding: Holding) -> Self {
        Self { holding, unmeasured: 0 }
    }
}

impl Tally {
    /// Shows what is held after so much more was counted. Measured when that is as much as there are sums, so that it costs little.
    pub(super) fn show(&mut self, more: usize) {
        self.held.unmeasured += more;
        if self.held.unmeasured >= self.services.len() + self.edges.len() + self.orphans.len() {
            self.held.unmeasured = 0;
            let bytes = self.bytes();
            self.held.holding.set(bytes);
        }
    }

    fn bytes(&self) -> usize {
        let maps = of_map(&self.services) + of_map(&self.edges) + of_map(&self.orphans) + of_map(&self.answers);
        let sums = self.services.values().chain(self.edges.values()).chain(self.orphans.values()).map(Sums::heap_bytes);
        let names = self.names.texts().iter().map(|text| text.len() + NAME_BYTES);
        maps + sums.sum::<usize>() + names.sum::<usize>()
    }
}
