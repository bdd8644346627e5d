//! Keeps decoded roll-ups and what segments share, the latest used ones, within a bound.

use std::sync::Arc;

use parking_lot::Mutex;
use ulid::Ulid;

use super::super::kept::Kept;
use super::super::question::QueryError;
use super::super::scan::Control;
use super::duplicates::{self, Runs, Shared};
use crate::rollup::Roll;
use crate::segment::Segment;

/// What was read of segments.
#[derive(Debug)]
pub(crate) struct Rolls {
    rolls: Mutex<Kept<(Ulid, Detail), Known>>,
    shared: Mutex<Kept<(Ulid, Ulid), Shared>>,
    /// Whether roll-ups are used at all.
    usable: bool,
}

/// A roll-up, where there is one that can be used.
type Known = Option<Arc<Roll>>;

/// What a roll-up tells apart, beside everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Detail {
    pub(super) names: bool,
    pub(super) minutes: bool,
}

const MAX_ROLL_BYTES: usize = 80 << 20;
const MAX_SHARED_BYTES: usize = 16 << 20;

impl Default for Rolls {
    fn default() -> Self {
        Self { rolls: Mutex::new(Kept::new(MAX_ROLL_BYTES)), shared: Mutex::new(Kept::new(MAX_SHARED_BYTES)), usable: true }
    }
}

impl Rolls {
    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.rolls.lock().clear();
        self.shared.lock().clear();
    }

    /// As if no segment had a roll-up.
    #[cfg(test)]
    pub(crate) fn unusable() -> Self {
        Self { usable: false, ..Self::default() }
    }

    /// The roll-up of a segment, summed up to what is asked for.
    pub(super) fn of(&self, segment: &Segment, detail: Detail) -> Option<Arc<Roll>> {
        const ALL: Detail = Detail { names: true, minutes: true };
        let key = (segment.meta().id, detail);
        if let Some(known) = self.rolls.lock().get(&key) {
            return known;
        }
        let roll = match detail {
            _ if !self.usable => None,
            ALL => segment.roll(),
            // Fewer cells to be summed up, where they are there already.
            Detail { minutes: false, .. } => {
                self.of(segment, Detail { minutes: true, ..detail }).map(|roll| roll.summed(detail.names, false))
            }
            Detail { names: false, .. } => {
                let known = self.rolls.lock().get(&(key.0, ALL));
                // Whoever asks for less does not need it all to be kept.
                known.map_or_else(|| segment.roll().map(|roll| roll.summed(false, true)), |roll| roll.map(|roll| roll.summed(false, true)))
            }
        };
        let roll = roll.map(Arc::new);
        let bytes = roll.as_ref().map_or(0, |roll| roll.bytes());
        self.rolls.lock().put(key, roll.clone(), bytes);
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
        if let Some(known) = self.shared.lock().get(&key) {
            return Ok(known);
        }
        control.check()?;
        match duplicates::shared(older, newer, runs, control)? {
            Ok(value) => {
                let texts =
                    |all: &Arc<Vec<(u64, duplicates::Duplicate)>>| all.iter().map(|(_, row)| 96 + row.service.len() + row.name.len()).sum();
                let bytes = value.as_ref().map_or(0, texts);
                self.shared.lock().put(key, value.clone(), bytes);
                Ok(value)
            }
            Err(note) => {
                notes.push(note);
                Ok(Some(Arc::default()))
            }
        }
    }
}
