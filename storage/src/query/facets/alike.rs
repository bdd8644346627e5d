//! Rows that share a resource or a scope, so that each of these is read once.

use std::collections::HashMap;

use arrow::array::BinaryViewArray;

/// Rows of a batch by their envelope.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// By view, since equal views are equal bytes: the first row and how many there are.
    known: HashMap<u128, (usize, u64)>,
    /// The last view and how often it came since it was last another one: neighbours mostly share one.
    last: Option<(u128, usize, u64)>,
}

impl Alike {
    pub(super) fn add(&mut self, array: &BinaryViewArray, row: usize) {
        let view = array.views().get(row).copied().unwrap_or_default();
        match &mut self.last {
            Some((last, _, times)) if *last == view => *times += 1,
            _ => {
                self.close();
                self.last = Some((view, row, 1));
            }
        }
    }

    fn close(&mut self) {
        if let Some((view, row, times)) = self.last.take() {
            self.known.entry(view).or_insert((row, 0)).1 += times;
        }
    }

    /// The first row of each with how many there are, in the order of rows, so that the same rows give the same answer when there are too
    /// many values.
    pub(super) fn rows(mut self) -> Vec<(usize, u64)> {
        self.close();
        let mut rows: Vec<_> = self.known.into_values().collect();
        rows.sort_unstable();
        rows
    }
}
