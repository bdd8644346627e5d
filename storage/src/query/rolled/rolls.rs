//! Keeps decoded roll-ups and what must be taken off them, the latest used ones, within a bound.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use parking_lot::Mutex;
use ulid::Ulid;

use super::super::question::QueryError;
use super::super::scan::Control;
use super::older::{self, Told};
use crate::kept::Kept;
use crate::rollup::Roll;
use crate::segment::{RowRanges, Segment};

/// What was read of segments.
#[derive(Debug)]
pub(crate) struct Rolls {
    rolls: Mutex<Kept<(Ulid, Detail), Known>>,
    /// By segment and hash of the rows.
    older: Mutex<Kept<(Ulid, u64), Older>>,
    /// Whether roll-ups are used at all.
    usable: bool,
}

/// What it tells of some rows.
type Older = Arc<Vec<Told>>;

/// A roll-up, where there is one that can be used.
type Known = Option<Arc<Roll>>;

/// What a roll-up tells apart, beside everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Detail {
    pub(super) names: bool,
    pub(super) minutes: bool,
}

const ALL: Detail = Detail { names: true, minutes: true };
/// What lists of services and of operations need: of windows with parts or ends within a segment, of whole segments, and with names.
const USUAL: [Detail; 3] =
    [Detail { names: false, minutes: true }, Detail { names: false, minutes: false }, Detail { names: true, minutes: false }];
const MAX_ROLL_BYTES: usize = 80 << 20;
const MAX_OLDER_BYTES: usize = 16 << 20;
/// With more older versions than these, rows are counted.
const MAX_OLDER: usize = 100_000;

impl Default for Rolls {
    fn default() -> Self {
        Self { rolls: Mutex::new(Kept::new(MAX_ROLL_BYTES)), older: Mutex::new(Kept::new(MAX_OLDER_BYTES)), usable: true }
    }
}

impl Rolls {
    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.rolls.lock().clear();
        self.older.lock().clear();
    }

    /// Bytes that are kept, and that may be.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let (rolls, older) = (self.rolls.lock().memory(), self.older.lock().memory());
        (rolls.0 + older.0, rolls.1 + older.1)
    }

    /// As if no segment had a roll-up.
    #[cfg(test)]
    pub(crate) fn unusable() -> Self {
        Self { usable: false, ..Self::default() }
    }

    /// Reads the roll-up of a segment once and keeps what most questions make of it; also as it is, of the first few. False when what is kept
    /// leaves no room for more.
    pub(in super::super) fn read_ahead(&self, segment: &Segment) -> bool {
        let (bytes, most) = self.rolls.lock().memory();
        // Others would make room for it.
        if bytes > most / 8 * 5 {
            return false;
        }
        if !self.usable || self.has(segment) {
            return true;
        }
        let roll = segment.roll();
        for detail in USUAL {
            self.keep(segment, detail, roll.as_ref().map(|roll| roll.summed(detail.names, detail.minutes)));
        }
        if bytes + roll.as_ref().map_or(0, Roll::bytes) <= most / 4 {
            self.keep(segment, ALL, roll);
        }
        true
    }

    /// Whether what most questions ask for is kept.
    pub(in super::super) fn has(&self, segment: &Segment) -> bool {
        let mut rolls = self.rolls.lock();
        USUAL.iter().all(|detail| rolls.get(&(segment.meta().id, *detail)).is_some())
    }

    fn keep(&self, segment: &Segment, detail: Detail, roll: Option<Roll>) -> Known {
        let roll = roll.map(Arc::new);
        let bytes = roll.as_ref().map_or(0, |roll| roll.bytes());
        self.rolls.lock().put((segment.meta().id, detail), roll.clone(), bytes);
        roll
    }

    /// The roll-up of a segment, summed up to what is asked for.
    pub(super) fn of(&self, segment: &Segment, detail: Detail) -> Option<Arc<Roll>> {
        let key = (segment.meta().id, detail);
        if let Some(known) = self.rolls.lock().get(&key) {
            return known;
        }
        let roll = match detail {
            _ if !self.usable => None,
            ALL => segment.roll(),
            // Whoever asks for less does not need more to be kept; what is kept is less to be summed up.
            Detail { names, minutes } => {
                let more = [Detail { minutes: true, ..detail }, ALL];
                let known = more.into_iter().find_map(|more| self.rolls.lock().get(&(key.0, more)));
                known.map_or_else(
                    || segment.roll().map(|roll| roll.summed(names, minutes)),
                    |roll| roll.map(|roll| roll.summed(names, minutes)),
                )
            }
        };
        self.keep(segment, detail, roll)
    }

    /// What the roll-up of a segment tells of older versions of spans; `None` when there are too many. The error inside says what could not be
    /// read, which is asked for again the next time.
    pub(super) fn older(
        &self,
        segment: &Segment,
        rows: &RowRanges,
        control: &Control,
    ) -> Result<Result<Option<Older>, String>, QueryError> {
        if rows.is_empty() {
            return Ok(Ok(Some(Arc::default())));
        }
        if rows.iter().map(ExactSizeIterator::len).sum::<usize>() > MAX_OLDER {
            return Ok(Ok(None));
        }
        let key = (segment.meta().id, hash_of(rows));
        if let Some(known) = self.older.lock().get(&key) {
            return Ok(Ok(Some(known)));
        }
        Ok(older::told(segment, rows, control)?.map(|told| {
            let told = Arc::new(told);
            let bytes = told.iter().map(|row| size_of::<Told>() + row.service.len() + row.name.len()).sum();
            self.older.lock().put(key, told.clone(), bytes);
            Some(told)
        }))
    }
}

fn hash_of(rows: &RowRanges) -> u64 {
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}
