//! Hashes of attributes, as they are stored in granule filters.
//!
//! A part of the format: a change needs a new version of `attr.directory`, and of the index of words. Numbers that compare equal have equal hashes, whatever their
//! type. The function is fast, not keyed: whoever makes values collide makes some searches read more.

use serde::{Deserialize, Serialize};

/// Whose attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Owner {
    /// The span's or the log record's.
    Record,
    /// Its resource's.
    Resource,
    /// Its scope's.
    Scope,
    /// An event's of the span.
    Event,
    /// A link's of the span.
    Link,
}

/// A value that can be looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// The hash of a key that is there, whatever its value.
pub(crate) fn key_hash(owner: Owner, key: &str) -> u64 {
    let owner = match owner {
        Owner::Record => 1,
        Owner::Resource => 2,
        Owner::Scope => 3,
        Owner::Event => 4,
        Owner::Link => 5,
    };
    bytes(fold(SEED, owner), key.as_bytes())
}

/// The hash of a value under a key; `None` when no value equals it.
pub(crate) fn value_hash(key_hash: u64, value: Scalar<'_>) -> Option<u64> {
    Some(match value {
        Scalar::Text(text) => bytes(fold(key_hash, 1), text.as_bytes()),
        Scalar::Int(int) => fold(fold(key_hash, 2), int.cast_unsigned()),
        Scalar::Double(double) => match whole(double) {
            Some(int) => fold(fold(key_hash, 2), int.cast_unsigned()),
            None if double.is_nan() => return None,
            None => fold(fold(key_hash, 3), double.to_bits()),
        },
        Scalar::Bool(flag) => fold(fold(key_hash, 4), u64::from(flag)),
    })
}

/// The integer that a double equals, if any.
fn whole(double: f64) -> Option<i64> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let fits = double.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&double);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range")]
    fits.then_some(double as i64)
}

/// The hash of bytes that are no attribute.
pub(crate) fn bytes_hash(of: &[u8]) -> u64 {
    bytes(SEED, of)
}

fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = fold(seed, bytes.len() as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u64::from(*byte));
    if rest.is_empty() { state } else { fold(state, tail) }
}

/// Mixes a word into a state: both halves of a product of 128 bits.
fn fold(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word) * u128::from(FACTOR);
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
    let mixed = (product as u64) ^ ((product >> 64) as u64);
    mixed.wrapping_add(SEED)
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0xd6e8_feb8_6659_fd93;
