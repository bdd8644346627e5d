//! A keyed hash for tables of what senders choose: texts, keys, views of them.
//!
//! Fast, and unpredictable from outside: every table takes a random key, so that nobody can choose texts that fall into one place. For
//! memory only: nothing of it is written down.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Spreads views and hashes over a table; seeded, because senders choose both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread(u64);

/// See [`Spread`].
#[derive(Debug)]
pub(crate) struct SpreadHasher {
    key: Spread,
    state: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }
}

impl Spread {
    /// The hash of bytes.
    #[inline]
    pub(crate) fn of_bytes(self, bytes: &[u8]) -> u64 {
        let (words, rest) = bytes.as_chunks::<8>();
        let whole =
            words.iter().fold(self.0.rotate_left(17) ^ bytes.len() as u64, |state, word| self.of(state ^ u64::from_le_bytes(*word)));
        let tail = match bytes.last_chunk::<8>() {
            // The last eight bytes again, so that they are one word.
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u64::from(*byte)),
        };
        if rest.is_empty() && !bytes.is_empty() { whole } else { self.of(whole ^ tail) }
    }

    /// A number that depends on a hash and the seed.
    #[inline]
    pub(crate) fn of(self, hash: u64) -> u64 {
        let product = u128::from(hash ^ self.0) * u128::from(self.0.rotate_left(32) | 1);
        #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
        let mixed = (product as u64) ^ ((product >> 64) as u64);
        mixed
    }
}

impl BuildHasher for Spread {
    type Hasher = SpreadHasher;

    fn build_hasher(&self) -> SpreadHasher {
        SpreadHasher { key: *self, state: self.0.rotate_left(17) }
    }
}

impl Hasher for SpreadHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(self.key.of_bytes(bytes));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.state = self.key.of(self.state ^ number);
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(u64::from(number.cast_unsigned()));
    }

    fn write_u128(&mut self, number: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
        let (low, high) = (number as u64, (number >> 64) as u64);
        self.write_u64(low);
        self.write_u64(high);
    }
}

/// Where a view is looked for among `2^bits` places for recent ones. Costs next to nothing and has no key: whoever makes views collide
/// makes them be looked up in full.
#[inline]
pub(crate) fn place_of_view(view: u128, bits: u32) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
    let (low, high) = (view as u64, (view >> 64) as u64);
    let mixed = (low ^ high.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - bits)).unwrap_or_default()
}

/// As [`place_of_view`], of a text: those of one program differ in their length, or at their begin or end.
#[inline]
pub(crate) fn place_of_text(text: &[u8], bits: u32) -> usize {
    let first = text.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let last = match text.last_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => text.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
    };
    let mixed = (first.rotate_left(32) ^ last ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - bits)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_have_equal_hashes_and_others_do_not() {
        let spread = Spread::default();
        let mut seen = std::collections::HashSet::new();
        let text = "a text that is longer than a few words of a machine, and ends";
        for end in 0..=text.len() {
            assert!(seen.insert(spread.of_bytes(&text.as_bytes()[..end])), "{end}");
            assert_eq!(spread.of_bytes(text[..end].to_owned().as_bytes()), spread.of_bytes(&text.as_bytes()[..end]));
        }
        assert!(seen.insert(spread.of_bytes(&[0; 8])) && seen.insert(spread.of_bytes(&[0; 9])) && seen.insert(spread.of_bytes(&[0; 16])));
    }

    #[test]
    fn hashes_depend_on_the_key_of_the_table() {
        assert_ne!(Spread::default().of_bytes(b"checkout"), Spread::default().of_bytes(b"checkout"));
        assert_ne!(Spread::default().hash_one(7_u64), Spread::default().hash_one(7_u64));
    }
}
