//! Which times are in doubt because clocks contradict each other. Corrected times are believed.

use super::Sheet;

/// Of the length of what is told, this part may be the work of a clock before nothing is told.
const TOLERATED: u64 = 10;

/// Per span, by how many nanoseconds its clock or one above it contradicts its caller's; empty where none does.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    shifts: Vec<u64>,
}

// === impl Doubt ===

impl Doubt {
    pub(super) fn of(sheet: &Sheet) -> Self {
        let open = || sheet.skew().jumps.iter().filter(|jump| !(jump.applied && sheet.is_corrected()));
        if open().next().is_none() {
            return Self::default();
        }
        let mut shifts = vec![0_u64; sheet.spans.len()];
        for jump in open() {
            if let Some(shift) = shifts.get_mut(jump.server) {
                *shift = jump.delta.unsigned_abs();
            }
        }
        for place in sheet.tree().preorder() {
            let above = sheet.tree().parent(*place).and_then(|parent| shifts.get(parent).copied()).unwrap_or(0);
            if let Some(shift) = shifts.get_mut(*place) {
                *shift = above.max(*shift);
            }
        }
        Self { shifts }
    }

    /// Of one span.
    pub(super) fn at(&self, place: usize) -> u64 {
        self.shifts.get(place).copied().unwrap_or(0)
    }

    /// The greatest of a span and all below it.
    pub(super) fn below(&self, sheet: &Sheet, place: usize) -> u64 {
        if self.shifts.is_empty() {
            return 0;
        }
        let rows = sheet.tree().preorder().iter().skip(sheet.rank(place)).take(sheet.tree().subtree_size(place));
        rows.map(|place| self.at(*place)).max().unwrap_or(0)
    }

    /// Whether a clock that is off by `shift` leaves little of what lasts `nanos`.
    pub(super) fn reaches(&self, nanos: u64, shift: u64) -> bool {
        shift.saturating_mul(TOLERATED) > nanos
    }
}
