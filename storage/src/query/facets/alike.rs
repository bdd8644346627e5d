//! Rows that share a resource or a scope, so that each of these is read once.

use std::collections::HashMap;

use arrow::array::BinaryViewArray;

use crate::spread::{Spread, place_of_view};

/// Rows of a batch by their envelope.
#[derive(Debug)]
pub(super) struct Alike {
    /// The first row of each and how many there are.
    found: Vec<(usize, u64)>,
    /// Where each is, by its view: equal views are equal bytes.
    places: HashMap<u128, usize, Spread>,
    /// The same of views that came lately.
    recent: Vec<Option<(u128, usize)>>,
}

const RECENT_BITS: u32 = 6;

impl Default for Alike {
    fn default() -> Self {
        Self { found: Vec::new(), places: HashMap::default(), recent: vec![None; 1 << RECENT_BITS] }
    }
}

impl Alike {
    /// Adds a row, which comes after all before.
    pub(super) fn add(&mut self, array: &BinaryViewArray, row: usize) {
        let view = array.views().get(row).copied().unwrap_or_default();
        let Some(recent) = self.recent.get_mut(place_of_view(view, RECENT_BITS)) else { return };
        let place = match recent {
            Some((known, place)) if *known == view => *place,
            _ => {
                let place = *self.places.entry(view).or_insert_with(|| {
                    self.found.push((row, 0));
                    self.found.len() - 1
                });
                *recent = Some((view, place));
                place
            }
        };
        self.found.get_mut(place).into_iter().for_each(|(_, count)| *count += 1);
    }

    /// The first row of each with how many there are, in the order of rows, so that the same rows give the same answer when there are too
    /// many values.
    pub(super) fn rows(self) -> Vec<(usize, u64)> {
        self.found
    }
}
