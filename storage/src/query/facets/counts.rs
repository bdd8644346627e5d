//! Counts of different values, bounded in number and in bytes.

use std::collections::HashMap;

/// How many rows have which value.
#[derive(Debug, Default)]
pub(super) struct Counts {
    values: HashMap<String, Count>,
    bytes: usize,
    full: bool,
    rows: u64,
    without: u64,
    /// Of the rows being read: their number, how many they stand for, and whether they have a value.
    mark: u64,
    weight: u64,
    has_value: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    rows: u64,
    /// The last rows that were counted.
    mark: u64,
}

/// Different values that are counted; what comes later and is new is not.
pub(super) const MAX_VALUES: usize = 10_000;
/// Bytes of different values.
const MAX_BYTES: usize = 8 << 20;

impl Counts {
    /// Begins `weight` rows that have the same values; [`Self::end`] ends them.
    pub(super) fn begin(&mut self, weight: u64) {
        self.mark += 1;
        self.weight = weight;
        self.has_value = false;
    }

    /// The rows have this value; saying it twice counts once.
    pub(super) fn add(&mut self, value: &str) {
        self.has_value = true;
        if let Some(count) = self.values.get_mut(value) {
            if count.mark != self.mark {
                *count = Count { rows: count.rows + self.weight, mark: self.mark };
            }
        } else if self.values.len() < MAX_VALUES && self.bytes + value.len() <= MAX_BYTES {
            self.bytes += value.len();
            self.values.insert(value.to_owned(), Count { rows: self.weight, mark: self.mark });
        } else {
            self.full = true;
        }
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
        for (value, count) in other.values {
            self.values.entry(value).or_default().rows += count.rows;
        }
        self.full |= other.full;
        self.rows += other.rows;
        self.without += other.without;
        self
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
        let mut values: Vec<_> = self.values.into_iter().map(|(value, count)| (value, count.rows)).collect();
        values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(limit);
        values
    }
}
