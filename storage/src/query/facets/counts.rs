//! Counts of different values, bounded in number and in bytes. Where there are more, rows are gone over again to count which are the most
//! frequent (`query/frequent.rs`), and once more to count those.

use std::collections::HashMap;
use std::sync::Arc;

use crate::query::frequent::{Chosen, Frequent};
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
    counting: Counting,
    full: bool,
    rows: u64,
    without: u64,
    /// Of the rows being read: their number, how many they stand for, and whether they have a value.
    mark: u64,
    weight: u64,
    has_value: bool,
}

/// Which values are counted.
#[derive(Debug, Default)]
pub(super) enum Counting {
    /// Every one, if there is room.
    #[default]
    All,
    /// Only how frequent each is.
    Rank(Frequent),
    /// These.
    Chosen(Arc<Chosen>),
}

#[derive(Debug)]
struct Value {
    text: Arc<str>,
    rows: u64,
    /// The last rows that were counted.
    mark: u64,
}

/// Different values that are counted.
pub(super) const MAX_VALUES: usize = 10_000;
/// Bytes of different values.
const MAX_BYTES: usize = 8 << 20;
/// What a value takes beside its bytes, about.
const VALUE_BYTES: usize = 128;
/// A power of two.
const RECENT: usize = 512;
const RECENT_NUMBERS: usize = 64;

impl Counts {
    pub(super) fn new(counting: Counting) -> Self {
        Self { counting, ..Self::default() }
    }

    /// The values that are to be counted for an answer with `limit` of them, once they are ranked.
    pub(super) fn chosen(&self, limit: usize) -> Option<Arc<Chosen>> {
        if let Counting::Rank(frequent) = &self.counting { Some(Arc::new(frequent.choose(limit, MAX_VALUES))) } else { None }
    }

    /// Says when it is not sure which values are the most frequent.
    pub(super) fn note(&self) -> Option<String> {
        if let Counting::Chosen(chosen) = &self.counting { chosen.note("values") } else { None }
    }

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

    /// As [`Self::add`]; says the place of the value among those of [`Self::values`].
    pub(super) fn added(&mut self, value: &str) -> Option<usize> {
        self.has_value = true;
        if let Counting::Rank(frequent) = &mut self.counting {
            frequent.add(value.as_bytes(), self.weight.cast_signed(), self.mark);
            return None;
        }
        let place = self.place(value)?;
        self.mark_at(place);
        Some(place)
    }

    fn mark_at(&mut self, place: usize) {
        if let Some(value) = self.values.get_mut(place).filter(|value| value.mark != self.mark) {
            value.rows += self.weight;
            value.mark = self.mark;
        }
    }

    /// The place of a value; `None` when it is new and not to be counted, or there is no room for it.
    fn place(&mut self, value: &str) -> Option<usize> {
        self.recent.resize(RECENT, 0);
        let recent = self.recent.get_mut(place_of_text(value.as_bytes(), RECENT.ilog2()))?;
        if self.values.get(*recent).is_some_and(|known| *known.text == *value) {
            return Some(*recent);
        }
        let place = match self.places.get(value) {
            Some(place) => *place,
            None => {
                match &self.counting {
                    Counting::Chosen(chosen) if !chosen.has(value.as_bytes()) => return None,
                    Counting::Chosen(_) if self.bytes + value.len() <= MAX_BYTES => {}
                    _ if self.values.len() < MAX_VALUES && self.bytes + value.len() <= MAX_BYTES => {}
                    _ => {
                        self.full = true;
                        return None;
                    }
                }
                self.bytes += value.len();
                self.insert(value.into())
            }
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
            let place = self.places.get(&text).copied().unwrap_or_else(|| {
                self.bytes += text.len();
                self.insert(text)
            });
            self.values.get_mut(place).into_iter().for_each(|value| value.rows += rows);
        }
        self.counting = match (self.counting, other.counting) {
            (Counting::Rank(one), Counting::Rank(more)) => Counting::Rank(one.join(more)),
            (counting, _) => counting,
        };
        // However the rows were shared among workers.
        self.full |= other.full || (matches!(self.counting, Counting::All) && (self.values.len() > MAX_VALUES || self.bytes > MAX_BYTES));
        self.rows += other.rows;
        self.without += other.without;
        self
    }

    /// What the values take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.values.len() * VALUE_BYTES
    }

    /// Every value that is counted, by place.
    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<str>> {
        self.values.iter().map(|value| &value.text)
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
