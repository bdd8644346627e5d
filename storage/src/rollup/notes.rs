//! Rows of a roll-up before they are summed up: sorted, then counted run by run.
//!
//! A table of cells is looked into once for each row, and where rows lie all over an hour there are nearly as many cells as rows, each with
//! memory of its own. Sorting numbers costs a fraction of that.

use std::collections::HashMap;

use super::Key;
use super::buckets::bucket_of;
use crate::spread::Spread;

/// Rows that wait, of a bounded number.
#[derive(Debug, Default)]
pub(super) struct Notes {
    notes: Vec<Note>,
    sorts: HashMap<Sort, u32, Spread>,
    by_number: Vec<Sort>,
    last: Option<(Sort, u32)>,
}

/// Kind, status, and whether it is an entry.
type Sort = (i32, i32, bool);

/// A row: all that is told apart, then the bucket of its duration, in one number.
#[derive(Clone, Copy, Debug)]
struct Note {
    key: u128,
    time: u64,
    duration: u64,
}

/// The rows of one cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) key: Key,
    notes: &'a [Note],
}

/// Rows that are kept until they are summed up: 4 MiB.
const MAX_NOTES: usize = 1 << 17;
const BUCKET_BITS: u32 = 12;
const SORT_BITS: u32 = 24;
const NAME_BITS: u32 = 24;
const SERVICE_BITS: u32 = 24;

// === impl Notes ===

impl Notes {
    /// Whether they have to be summed up before more come.
    pub(super) fn is_full(&self) -> bool {
        self.notes.len() >= MAX_NOTES
    }

    /// Adds a row; false when its numbers are too large for it.
    pub(super) fn push(&mut self, key: &Key, time: u64, duration: u64) -> bool {
        let sort = self.sort((key.kind, key.status, key.entry));
        if key.service >> SERVICE_BITS != 0 || key.name >> NAME_BITS != 0 || sort >> SORT_BITS != 0 {
            return false;
        }
        let mut number = u128::from(key.minute);
        for (part, bits) in
            [(key.service, SERVICE_BITS), (key.name, NAME_BITS), (sort, SORT_BITS), (bucket_of(duration).into(), BUCKET_BITS)]
        {
            number = number << bits | u128::from(part);
        }
        self.notes.push(Note { key: number, time, duration });
        true
    }

    /// Calls `each` with the rows of each cell, in the order of minutes. No row is left then.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Run<'_>)) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.sort_unstable_by_key(|note| note.key);
        for run in notes.chunk_by(|a, b| a.key >> BUCKET_BITS == b.key >> BUCKET_BITS) {
            if let Some(key) = run.first().map(|note| self.key(note.key)) {
                each(Run { key, notes: run });
            }
        }
        notes.clear();
        self.notes = notes;
    }

    /// How many cells there are; sorts.
    pub(super) fn cells(&mut self) -> usize {
        self.notes.sort_unstable_by_key(|note| note.key);
        self.notes.chunk_by(|a, b| a.key >> BUCKET_BITS == b.key >> BUCKET_BITS).count()
    }

    fn sort(&mut self, sort: Sort) -> u32 {
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == sort) {
            return number;
        }
        let next = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        let number = *self.sorts.entry(sort).or_insert(next);
        if number == next {
            self.by_number.push(sort);
        }
        self.last = Some((sort, number));
        number
    }

    fn key(&self, mut number: u128) -> Key {
        number >>= BUCKET_BITS;
        let mut part = |bits: u32| {
            let part = u32::try_from(number & ((1 << bits) - 1)).unwrap_or_default();
            number >>= bits;
            part
        };
        let (sort, name, service, minute) = (part(SORT_BITS), part(NAME_BITS), part(SERVICE_BITS), part(32));
        let (kind, status, entry) = self.by_number.get(sort as usize).copied().unwrap_or_default();
        Key { minute, service, name, kind, status, entry }
    }
}

// === impl Run ===

impl Run<'_> {
    pub(super) fn count(&self) -> u64 {
        self.notes.len() as u64
    }

    /// The latest time.
    pub(super) fn last(&self) -> u64 {
        self.notes.iter().map(|note| note.time).max().unwrap_or_default()
    }

    /// Times and durations.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.notes.iter().map(|note| (note.time, note.duration))
    }

    /// Sum, shortest and longest duration.
    pub(super) fn durations(&self) -> (u128, u64, u64) {
        let durations = || self.notes.iter().map(|note| note.duration);
        (durations().map(u128::from).sum(), durations().min().unwrap_or_default(), durations().max().unwrap_or_default())
    }

    /// Buckets of durations in their order, with their counts.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u16, u64)> + Clone + '_ {
        let bucket = |note: &Note| u16::try_from(note.key & ((1 << BUCKET_BITS) - 1)).unwrap_or_default();
        self.notes.chunk_by(|a, b| a.key == b.key).filter_map(move |equal| Some((bucket(equal.first()?), equal.len() as u64)))
    }
}

/// Minutes that a key has room for are all that there are.
const _: () = assert!(32 + SERVICE_BITS + NAME_BITS + SORT_BITS + BUCKET_BITS <= u128::BITS);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(minute: u32, service: u32, name: u32, sort: Sort) -> Key {
        Key { minute, service, name, kind: sort.0, status: sort.1, entry: sort.2 }
    }

    #[test]
    fn rows_come_out_by_what_they_agree_in_with_their_durations() {
        let (most, high) = ((1 << NAME_BITS) - 1, u32::MAX);
        let sorts = [(0, 0, false), (i32::MAX, i32::MIN, true)];
        let keys: Vec<Key> = [(0, 0), (most, 1), (2, most)]
            .into_iter()
            .flat_map(|(service, name)| sorts.map(|sort| (service, name, sort)))
            .flat_map(|(service, name, sort)| [high, 0, 7].map(|minute| key(minute, service, name, sort)))
            .collect();
        let mut notes = Notes::default();
        for _ in 0..2 {
            for (time, duration) in [(3, u64::MAX), (9, 5), (4, 5)] {
                assert!(keys.iter().all(|key| notes.push(key, time, duration)));
            }
            assert_eq!(notes.cells(), keys.len());
            let mut found = Vec::new();
            notes.drain(|run| {
                assert_eq!((run.count(), run.last()), (3, 9));
                assert_eq!(run.durations(), (u128::from(u64::MAX) + 10, 5, u64::MAX));
                assert_eq!(run.buckets().collect::<Vec<_>>(), [(5, 2), (bucket_of(u64::MAX), 1)]);
                assert_eq!(run.rows().map(|(time, _)| time).sum::<u64>(), 16);
                found.push(run.key);
            });
            assert!(found.is_sorted_by_key(|key| key.minute));
            let mut expected = keys.clone();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected);
            assert_eq!(notes.cells(), 0);
        }
    }

    #[test]
    fn a_number_that_has_no_room_is_refused() {
        let mut notes = Notes::default();
        assert!(!notes.push(&key(1, 1 << SERVICE_BITS, 0, (0, 0, false)), 1, 1));
        assert!(!notes.push(&key(1, 0, 1 << NAME_BITS, (0, 0, false)), 1, 1));
        assert_eq!(notes.cells(), 0);
    }
}
