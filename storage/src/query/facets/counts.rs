//! Counts of different values, bounded in number and in bytes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::spread::{Spread, place_of_text};

/// How many rows have which value.
#[derive(Debug, Default)]
pub(super) struct Counts {
    places: HashMap<Arc<str>, usize, Spread>,
    values: Vec<Value>,
    /// Places of values that were counted lately, by a hash that costs next to nothing.
    recent: Vec<usize>,
    /// The same of whole numbers, which need not be written out for it.
    recent_numbers: Vec<Option<(i64, usize)>>,
    bytes: usize,
    full: bool,
    rows: u64,
    without: u64,
    /// Of the rows being read: their number, how many they stand for, and whether they have a value.
    mark: u64,
    weight: u64,
    has_value: bool,
}

#[derive(Debug)]
struct Value {
    text: Arc<str>,
    rows: u64,
    /// The last rows that were counted.
    mark: u64,
}

/// Different values that are counted; what comes later and is new is not.
pub(super) const MAX_VALUES: usize = 10_000;
/// Bytes of different values.
const MAX_BYTES: usize = 8 << 20;
/// What a value takes beside its bytes, about.
const VALUE_BYTES: usize = 128;
/// A power of two.
const RECENT: usize = 512;
const RECENT_NUMBERS: usize = 64;

impl Counts {
    /// Begins `weight` rows that have the same values; [`Self::end`] ends them.
    pub(super) fn begin(&mut self, weight: u64) {
        self.mark += 1;
        self.weight = weight;
        self.has_value = false;
    }

    /// The rows have this value; saying it twice counts once.
    pub(super) fn add(&mut self, value: &str) {
        self.added(value);
    }

    /// The same of a number, which is written out when it did not come lately.
    pub(super) fn add_number(&mut self, number: i64) {
        self.recent_numbers.resize(RECENT_NUMBERS, None);
        let at = usize::try_from(number.cast_unsigned() % RECENT_NUMBERS as u64).unwrap_or(0);
        if let Some(Some((known, place))) = self.recent_numbers.get(at).copied()
            && known == number
        {
            self.has_value = true;
            return self.mark_at(place);
        }
        let place = self.added(&number.to_string());
        self.recent_numbers.get_mut(at).into_iter().for_each(|recent| *recent = place.map(|place| (number, place)));
    }

    fn added(&mut self, value: &str) -> Option<usize> {
        self.has_value = true;
        let place = self.place(value);
        match place {
            Some(place) => self.mark_at(place),
            None => self.full = true,
        }
        place
    }

    fn mark_at(&mut self, place: usize) {
        if let Some(value) = self.values.get_mut(place).filter(|value| value.mark != self.mark) {
            value.rows += self.weight;
            value.mark = self.mark;
        }
    }

    /// The place of a value; `None` when it is new and there is no room for it.
    fn place(&mut self, value: &str) -> Option<usize> {
        self.recent.resize(RECENT, 0);
        let recent = self.recent.get_mut(place_of_text(value.as_bytes(), RECENT.ilog2()))?;
        if self.values.get(*recent).is_some_and(|known| *known.text == *value) {
            return Some(*recent);
        }
        let place = match self.places.get(value) {
            Some(place) => *place,
            None if self.values.len() < MAX_VALUES && self.bytes + value.len() <= MAX_BYTES => {
                self.bytes += value.len();
                self.insert(value.into())
            }
            None => return None,
        };
        self.recent.get_mut(place_of_text(value.as_bytes(), RECENT.ilog2())).into_iter().for_each(|recent| *recent = place);
        Some(place)
    }

    fn insert(&mut self, text: Arc<str>) -> usize {
        self.places.insert(text.clone(), self.values.len());
        self.values.push(Value { text, rows: 0, mark: 0 });
        self.values.len() - 1
    }

    pub(super) fn end(&mut self) {
        self.rows += self.weight;
        if !self.has_value {
            self.without += self.weight;
        }
    }

    /// A row with at most one value.
    pub(super) fn row(&mut self, value: Option<&str>) {
        self.begin(1);
        if let Some(value) = value {
            self.add(value);
        }
        self.end();
    }

    pub(super) fn join(mut self, other: Self) -> Self {
        for Value { text, rows, .. } in other.values {
            let place = self.places.get(&text).copied().unwrap_or_else(|| self.insert(text));
            self.values.get_mut(place).into_iter().for_each(|value| value.rows += rows);
        }
        self.full |= other.full;
        self.rows += other.rows;
        self.without += other.without;
        self
    }

    /// What the values take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.values.len() * VALUE_BYTES
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn without(&self) -> u64 {
        self.without
    }

    /// The most frequent values, equal counts by value.
    pub(super) fn most_frequent(self, limit: usize) -> Vec<(String, u64)> {
        let mut values = self.values;
        values.sort_unstable_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.text.cmp(&b.text)));
        values.truncate(limit);
        values.into_iter().map(|value| (value.text.as_ref().to_owned(), value.rows)).collect()
    }
}
