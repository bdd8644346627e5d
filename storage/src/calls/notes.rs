//! Calls of a unit before they are summed up: sorted, then counted run by run, for the reason in `rollup/notes.rs`.

use super::unit::Subject;
use super::{Instance, Name};
use crate::rollup::{bucket_of, minute_of};

/// Calls and requests that wait, of a bounded number.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

/// Minute, what it is about, and the bucket of its duration in one number, and the call.
#[derive(Clone, Copy, Debug)]
struct Note {
    key: u128,
    call: Instance,
}

/// Those of one minute about one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) minute: u32,
    pub(super) subject: Subject,
    notes: &'a [Note],
}

/// Calls that are kept until they are summed up: 5 MiB.
const MAX_NOTES: usize = 1 << 16;
const BUCKET_BITS: u32 = 12;
const PART_BITS: u32 = 32;
const TAG_BITS: u32 = 2;

// === impl Notes ===

impl Notes {
    /// Whether they have to be summed up before more come.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_NOTES
    }

    /// Adds a call, or what a service was asked for.
    pub(super) fn push(&mut self, subject: Subject, call: Instance) {
        let (tag, first, second) = match subject {
            Subject::Service(name) => (0, name.0, 0),
            Subject::Edge(edge) => (1, edge, 0),
            // A part of a minute has 15 s, of which 64 bits of nanoseconds hold fewer than 2^31.
            Subject::Orphans(name, ended) => (2, name.0, u32::try_from(ended).unwrap_or(u32::MAX)),
            Subject::Answers(address, service) => (3, address.0, service.0),
        };
        let mut key = u128::from(minute_of(call.at));
        for (part, bits) in [(tag, TAG_BITS), (first, PART_BITS), (second, PART_BITS), (bucket_of(call.duration).into(), BUCKET_BITS)] {
            key = key << bits | u128::from(part);
        }
        self.0.push(Note { key, call });
    }

    /// Calls `each` with those of each cell, in the order of cells. Nothing is left then.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Run<'_>)) {
        self.0.sort_unstable_by_key(|note| note.key);
        for notes in self.0.chunk_by(|a, b| a.key >> BUCKET_BITS == b.key >> BUCKET_BITS) {
            if let Some((minute, subject)) = notes.first().map(|note| about(note.key)) {
                each(Run { minute, subject, notes });
            }
        }
        self.0.clear();
    }
}

fn about(key: u128) -> (u32, Subject) {
    let part = |shift: u32, bits: u32| u32::try_from(key >> shift & ((1 << bits) - 1)).unwrap_or_default();
    let second = part(BUCKET_BITS, PART_BITS);
    let first = part(BUCKET_BITS + PART_BITS, PART_BITS);
    let minute = part(BUCKET_BITS + 2 * PART_BITS + TAG_BITS, 32);
    let subject = match part(BUCKET_BITS + 2 * PART_BITS, TAG_BITS) {
        0 => Subject::Service(Name(first)),
        1 => Subject::Edge(first),
        2 => Subject::Orphans(Name(first), second.into()),
        _ => Subject::Answers(Name(first), Name(second)),
    };
    (minute, subject)
}

// === impl Run ===

impl<'a> Run<'a> {
    pub(super) fn calls(&self) -> impl Iterator<Item = &'a Instance> + use<'a> {
        self.notes.iter().map(|note| &note.call)
    }

    /// Buckets of durations in their order, with their counts.
    pub(super) fn buckets(&self) -> Vec<(u16, u64)> {
        let bucket = |note: &Note| u16::try_from(note.key & ((1 << BUCKET_BITS) - 1)).unwrap_or_default();
        let equal = self.notes.chunk_by(|a, b| a.key == b.key);
        equal.filter_map(|equal| Some((bucket(equal.first()?), equal.len() as u64))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_is_about_comes_out_as_it_went_in_and_in_its_order() {
        let (most, minute) = (u32::MAX, 60_000_000_000);
        let subjects = [
            Subject::Service(Name(0)),
            Subject::Service(Name(most)),
            Subject::Edge(7),
            Subject::Edge(most),
            Subject::Orphans(Name(3), 0),
            Subject::Orphans(Name(3), u64::MAX / 15_000_000_000),
            Subject::Answers(Name(0), Name(most)),
            Subject::Answers(Name(most), Name(1)),
        ];
        let mut notes = Notes::default();
        for at in [u64::MAX, minute, 0] {
            for subject in subjects.iter().rev() {
                for duration in [u64::MAX, 5, 5] {
                    notes.push(*subject, Instance { at, duration, error: false, trace: 1, span: 2 });
                }
            }
        }
        let mut found = Vec::new();
        notes.drain(|run| {
            assert_eq!(run.buckets(), [(5, 2), (bucket_of(u64::MAX), 1)]);
            assert_eq!(run.calls().count(), 3);
            found.push((run.minute, run.subject));
        });
        let expected: Vec<_> =
            [0, 1, minute_of(u64::MAX)].into_iter().flat_map(|minute| subjects.map(|subject| (minute, subject))).collect();
        assert_eq!(found, expected);
        assert!(found.is_sorted());
    }
}
