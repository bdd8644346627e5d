//! How many calls each node makes, whatever part of the map is shown: shares are of all of them.

use std::collections::HashMap;

use storage::ServiceMap;

use super::Key;

/// All calls by the node that makes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made(HashMap<Key, u64>);

// === impl Made ===

impl Made {
    /// Of the whole map.
    pub(crate) fn of(map: &ServiceMap) -> Self {
        let mut made: HashMap<Key, u64> = HashMap::new();
        for edge in &map.edges {
            let calls = made.entry(edge.from.clone()).or_default();
            *calls = calls.saturating_add(edge.calls);
        }
        Self(made)
    }

    /// All calls that a node makes.
    pub(crate) fn by(&self, from: &Key) -> u64 {
        self.0.get(from).copied().unwrap_or(0)
    }
}
