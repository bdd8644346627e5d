//! The dictionary of a column chunk: every different value once, by number.
//!
//! Owns how a value that comes again is found. Short values are known by their view, which holds them; long ones by their view as well as
//! long as the same batch goes on, since its equal views point at the same bytes. Only what is not known that way is hashed and compared.

use crate::spread::{Spread, place_of_view};

/// Different values, numbered as they came.
#[derive(Debug)]
pub(super) struct Words {
    /// As in a dictionary page: length u32 unless all are of one length, bytes.
    page: Vec<u8>,
    has_lengths: bool,
    /// Where each value ends in `page`, and its hash.
    ends: Vec<(u32, u32)>,
    /// Numbers plus one by hash, open addressing, 0 is free. Empty, as `recent` is, until something is looked for: many columns have no
    /// value at all.
    table: Vec<u32>,
    spread: Spread,
    recent: Vec<Recent>,
    batch: u32,
}

/// A view that was asked for lately.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    low: u64,
    high: u64,
    number: u32,
    /// 0 when there is none.
    batch: u32,
}

const RECENT_BITS: u32 = 12;
/// Longer values are not part of their views.
const INLINE: u32 = 12;
const LENGTH_BYTES: usize = 4;
const FIRST_TABLE: usize = 256;

// === impl Words ===

impl Words {
    /// No values yet, which have lengths or are all of one.
    pub(super) fn new(has_lengths: bool) -> Self {
        Self { page: Vec::new(), has_lengths, ends: Vec::new(), table: Vec::new(), spread: Spread::default(), recent: Vec::new(), batch: 1 }
    }

    /// Views that are asked for from now on may point into other buffers.
    pub(super) fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the dictionary page.
    pub(super) fn page(&self) -> &[u8] {
        &self.page
    }

    /// All values, in order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|number| self.value(number))
    }

    /// The number of the value that a view stands for.
    #[inline]
    pub(super) fn number<V: AsRef<[u8]>>(&mut self, view: u128, value: impl FnOnce() -> V) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "takes the two halves and the length")]
        let (low, high, length) = (view as u64, (view >> 64) as u64, view as u32);
        let place = place_of_view(view, RECENT_BITS);
        if let Some(recent) = self.recent.get(place)
            && (recent.low, recent.high) == (low, high)
            && (recent.batch == self.batch || (length <= INLINE && recent.batch > 0))
        {
            return recent.number;
        }
        let number = self.find(value().as_ref());
        let batch = self.batch;
        self.recent.get_mut(place).into_iter().for_each(|recent| *recent = Recent { low, high, number, batch });
        number
    }

    /// Appends a value as pages have it.
    #[inline]
    pub(super) fn put(&self, value: &[u8], to: &mut Vec<u8>) {
        if self.has_lengths {
            to.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        to.extend_from_slice(value);
    }

    fn find(&mut self, value: &[u8]) -> u32 {
        if self.table.is_empty() {
            self.table.resize(FIRST_TABLE, 0);
            self.recent.resize(1 << RECENT_BITS, Recent::default());
        }
        let hash = (self.spread.of_bytes(value) >> 32) as u32;
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.table.get(at).copied() {
                Some(0) | None => break,
                Some(known) => {
                    let number = known as usize - 1;
                    if self.ends.get(number).is_some_and(|(_, of)| *of == hash) && self.value(number) == value {
                        return known - 1;
                    }
                }
            }
            at = (at + 1) & mask;
        }
        self.add(value, hash, at)
    }

    fn add(&mut self, value: &[u8], hash: u32, at: usize) -> u32 {
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX - 1);
        let mut page = std::mem::take(&mut self.page);
        self.put(value, &mut page);
        self.page = page;
        self.ends.push((u32::try_from(self.page.len()).unwrap_or(u32::MAX), hash));
        self.table.get_mut(at).into_iter().for_each(|slot| *slot = number + 1);
        if self.ends.len() * 2 > self.table.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mut larger = vec![0_u32; self.table.len() * 4];
        let mask = larger.len() - 1;
        for (known, (_, hash)) in (1..).zip(&self.ends) {
            let mut at = *hash as usize & mask;
            while larger.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & mask;
            }
            larger.get_mut(at).into_iter().for_each(|slot| *slot = known);
        }
        self.table = larger;
    }

    fn value(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(end, _)| *end as usize);
        let end = self.ends.get(number).map_or(0, |(end, _)| *end as usize);
        self.page.get(start + if self.has_lengths { LENGTH_BYTES } else { 0 }..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number_whatever_their_views() {
        let mut words = Words::new(true);
        let values: Vec<String> = (0..2_000).map(|number| format!("a value that is longer than its view, {number}")).collect();
        for round in 0..3_u128 {
            words.next_batch();
            for (number, value) in (0_u32..).zip(&values) {
                // Equal views mean other values in another batch.
                let view = (u128::from(number) + round) << 64 | 40;
                assert_eq!(words.number(view, || value.as_bytes()), number);
                assert_eq!(words.number(view, || -> &[u8] { unreachable!("it was asked for just now") }), number);
            }
        }
        assert_eq!(words.len(), 2_000);
        assert!(words.iter().zip(&values).all(|(word, value)| word == value.as_bytes()));
    }

    #[test]
    fn short_values_are_known_by_their_views_for_ever() {
        let mut words = Words::new(true);
        assert_eq!(words.number(0, || b""), 0);
        assert_eq!(words.number(0x61_0000_0001, || b"a"), 1);
        words.next_batch();
        assert_eq!(words.number(0x61_0000_0001, || -> &[u8] { unreachable!("it is in the view") }), 1);
        assert_eq!(words.page(), [0, 0, 0, 0, 1, 0, 0, 0, b'a']);
    }
}
