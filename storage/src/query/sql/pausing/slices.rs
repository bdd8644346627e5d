//! Batches in parts, as large as whoever takes them needs for a part of its turn.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;

use super::TURN;

/// Rows of the first slice, and of the smallest. One row may have as many partners as the other side has rows.
const FEWEST: usize = 16;
/// More rows are given next time where all that were given took less.
const SHORT: Duration = Duration::from_micros(2_500);

/// A batch that is handed out in parts, and how long they take.
#[derive(Debug)]
pub(super) struct Slices {
    held: Option<RecordBatch>,
    rows: usize,
    /// When the last one was given, and how many rows it had.
    given: Option<(Instant, usize)>,
}

// === impl Slices ===

impl Default for Slices {
    fn default() -> Self {
        Self { held: None, rows: FEWEST, given: None }
    }
}

impl Slices {
    pub(super) fn hold(&mut self, batch: RecordBatch) {
        self.held = Some(batch);
    }

    /// The next rows of what is held.
    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        let held = self.held.take()?;
        let rows = self.rows.min(held.num_rows());
        if rows < held.num_rows() {
            self.held = Some(held.slice(rows, held.num_rows() - rows));
        }
        self.given = Some((Instant::now(), rows));
        Some(held.slice(0, rows))
    }

    /// Learns that whoever took the last one is done with it.
    pub(super) fn taken(&mut self) {
        if let Some((at, rows)) = self.given.take() {
            self.adapt(at.elapsed(), rows);
        }
    }

    fn adapt(&mut self, took: Duration, rows: usize) {
        if took > TURN {
            self.rows = (self.rows / 2).max(FEWEST);
        } else if took < SHORT && rows == self.rows {
            self.rows *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn all_rows_are_given_in_order_and_as_many_at_once_as_are_quick() {
        let mut slices = Slices::default();
        let mut given = Vec::new();
        for first in [0, 100] {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 100));
            slices.hold(RecordBatch::try_from_iter([("n", numbers)]).unwrap());
            while let Some(slice) = slices.next() {
                let numbers = slice.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
                given.extend(numbers.values().iter().copied());
                slices.given = None;
                slices.adapt(Duration::ZERO, slice.num_rows());
            }
        }
        assert_eq!(given, (0..200).collect::<Vec<_>>());
        assert_eq!(slices.rows, 128, "16, 32, 52 of 64, 64, 36 of 128");
        slices.adapt(2 * TURN, 36);
        assert_eq!(slices.rows, 64);
        (0..10).for_each(|_| slices.adapt(2 * TURN, 1));
        assert_eq!(slices.rows, FEWEST);
    }
}
