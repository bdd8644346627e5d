//! Keeps decoded roll-ups and what segments share, the latest used ones, within a bound.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ulid::Ulid;

use super::super::question::QueryError;
use super::super::scan::Control;
use super::duplicates::{self, Runs, Shared};
use crate::rollup::Roll;
use crate::segment::Segment;

/// What was read of segments.
#[derive(Debug)]
pub(crate) struct Rolls {
    kept: Mutex<Kept>,
    /// Whether roll-ups are used at all.
    usable: bool,
}

#[derive(Debug, Default)]
struct Kept {
    rolls: HashMap<Ulid, Entry<Option<Arc<Roll>>>>,
    shared: HashMap<(Ulid, Ulid), Entry<Shared>>,
    bytes: usize,
    turn: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    bytes: usize,
    used: u64,
}

const MAX_BYTES: usize = 96 << 20;
/// Bytes of an entry beside its value, about.
const ENTRY_BYTES: usize = 128;

impl Default for Rolls {
    fn default() -> Self {
        Self { kept: Mutex::default(), usable: true }
    }
}

impl Rolls {
    /// As if no segment had a roll-up.
    #[cfg(test)]
    pub(crate) fn unusable() -> Self {
        Self { usable: false, ..Self::default() }
    }

    /// The roll-up of a segment.
    pub(super) fn of(&self, segment: &Segment) -> Option<Arc<Roll>> {
        let id = segment.meta().id;
        let mut kept = self.kept.lock();
        let turn = kept.next_turn();
        if let Some(entry) = kept.rolls.get_mut(&id) {
            entry.used = turn;
            return entry.value.clone();
        }
        drop(kept);
        let roll = if self.usable { segment.roll().map(Arc::new) } else { None };
        let bytes = ENTRY_BYTES + roll.as_ref().map_or(0, |roll| roll.bytes());
        let mut kept = self.kept.lock();
        if kept.rolls.insert(id, Entry { value: roll.clone(), bytes, used: turn }).is_none() {
            kept.grow(bytes);
        }
        roll
    }

    /// What two segments share. What could not be read is named in `notes`, and asked for again the next time.
    pub(super) fn shared(
        &self,
        older: &Segment,
        newer: &Segment,
        runs: &mut Runs,
        notes: &mut Vec<String>,
        control: &Control,
    ) -> Result<Shared, QueryError> {
        let key = (older.meta().id, newer.meta().id);
        let mut kept = self.kept.lock();
        let turn = kept.next_turn();
        if let Some(entry) = kept.shared.get_mut(&key) {
            entry.used = turn;
            return Ok(entry.value.clone());
        }
        drop(kept);
        control.check()?;
        match duplicates::shared(older, newer, runs, control)? {
            Ok(value) => {
                let texts =
                    |all: &Arc<Vec<(u64, duplicates::Duplicate)>>| all.iter().map(|(_, row)| 96 + row.service.len() + row.name.len()).sum();
                let bytes = ENTRY_BYTES + value.as_ref().map_or(0, texts);
                let mut kept = self.kept.lock();
                if kept.shared.insert(key, Entry { value: value.clone(), bytes, used: turn }).is_none() {
                    kept.grow(bytes);
                }
                Ok(value)
            }
            Err(note) => {
                notes.push(note);
                Ok(Some(Arc::default()))
            }
        }
    }
}

impl Kept {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Makes room by a quarter, so that it is not made each time.
    fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes <= MAX_BYTES {
            return;
        }
        let sizes = self.rolls.values().map(|e| (e.used, e.bytes)).chain(self.shared.values().map(|e| (e.used, e.bytes)));
        let mut sizes: Vec<(u64, usize)> = sizes.collect();
        sizes.sort_unstable();
        let mut oldest = 0;
        for (used, bytes) in sizes {
            if self.bytes <= MAX_BYTES / 4 * 3 {
                break;
            }
            self.bytes -= bytes;
            oldest = used;
        }
        self.rolls.retain(|_, entry| entry.used > oldest);
        self.shared.retain(|_, entry| entry.used > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let mut kept = Kept::default();
        for _ in 0..1_000 {
            let used = kept.next_turn();
            let bytes = MAX_BYTES / 100;
            kept.rolls.insert(Ulid::new(), Entry { value: None, bytes, used });
            kept.grow(bytes);
            assert!(kept.bytes <= MAX_BYTES);
        }
        assert_eq!(kept.bytes, kept.rolls.values().map(|entry| entry.bytes).sum::<usize>());
        assert!((70..=100).contains(&kept.rolls.len()), "{}", kept.rolls.len());
        assert!(kept.rolls.values().any(|entry| entry.used == 1_000) && kept.rolls.values().all(|entry| entry.used > 800));
    }
}
