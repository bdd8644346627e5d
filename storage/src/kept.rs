//! The latest used values within a bound of bytes.

use std::collections::HashMap;
use std::hash::Hash;

/// Keeps values by key.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
    max_bytes: usize,
    turn: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

/// Bytes of an entry beside its value, about.
const ENTRY_BYTES: usize = 128;

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, max_bytes, turn: 0 }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.turn += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.turn;
        Some(entry.value.clone())
    }

    /// Keeps a value that takes so many bytes; others make room.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) {
        self.turn += 1;
        let bytes = bytes + ENTRY_BYTES;
        if let Some(before) = self.entries.insert(key, Entry { value, bytes, used: self.turn }) {
            self.bytes -= before.bytes;
        }
        self.bytes += bytes;
        if self.bytes > self.max_bytes {
            self.make_room();
        }
    }

    /// Bytes that are kept, and that may be.
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.bytes, self.max_bytes)
    }

    /// Keeps nothing of what there is.
    pub(crate) fn clear(&mut self) {
        (self.entries, self.bytes) = (HashMap::new(), 0);
    }

    /// By a quarter, so that it is not done each time.
    fn make_room(&mut self) {
        let mut sizes: Vec<(u64, usize)> = self.entries.values().map(|entry| (entry.used, entry.bytes)).collect();
        sizes.sort_unstable();
        let mut oldest = 0;
        for (used, bytes) in sizes {
            if self.bytes <= self.max_bytes / 4 * 3 {
                break;
            }
            self.bytes -= bytes;
            oldest = used;
        }
        self.entries.retain(|_, entry| entry.used > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        const MAX: usize = 1 << 20;
        let mut kept = Kept::new(MAX);
        for i in 0..1_000 {
            kept.put(i, i, MAX / 100);
            assert_eq!(kept.get(&0), Some(0));
            assert!(kept.bytes <= MAX);
        }
        assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
        assert!((70..=100).contains(&kept.entries.len()), "{}", kept.entries.len());
        // What is asked for stays.
        assert_eq!((kept.get(&0), kept.get(&999), kept.get(&500)), (Some(0), Some(999), None));
        kept.put(999, 1, 10);
        assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }
}
