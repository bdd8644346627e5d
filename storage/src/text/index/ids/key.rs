//! Tokens as numbers of 47 bits: how a token begins, then a hash of all of it.
//!
//! The upper 24 bits are the first four characters, six bits each, so that tokens with one beginning lie together. Digits, `_` and the
//! letters a to z have a code each, other characters share 26, and 0 is none. The lower 23 bits are the upper ones of the hash.
//! A part of the format: a change needs another [`crate::text`] version.

use std::ops::RangeInclusive;

use crate::segment::bytes_hash;

const HASH_BITS: u32 = 23;
const CHARACTER_BITS: u32 = 6;
const CHARACTERS: u32 = 4;

/// The key of a token.
pub(super) fn of(token: &str) -> u64 {
    (beginning(token).0 << HASH_BITS) | (bytes_hash(token.as_bytes()) >> (u64::BITS - HASH_BITS))
}

/// Keys among which are those of all tokens with this beginning.
pub(super) fn beginning_with(prefix: &str) -> RangeInclusive<u64> {
    let (code, known) = beginning(prefix);
    let open = HASH_BITS + CHARACTER_BITS * (CHARACTERS - known);
    let first = code << HASH_BITS;
    first..=first | ((1 << open) - 1)
}

/// The code of the first characters, and how many there are.
fn beginning(text: &str) -> (u64, u32) {
    if let Some(first) = text.as_bytes().first_chunk::<{ CHARACTERS as usize }>()
        && first.is_ascii()
    {
        return (first.iter().fold(0, |code, byte| (code << CHARACTER_BITS) | code_of(char::from(*byte))), CHARACTERS);
    }
    let mut known = 0;
    let mut code = 0;
    for c in text.chars().take(CHARACTERS as usize) {
        code = (code << CHARACTER_BITS) | code_of(c);
        known += 1;
    }
    (code << (CHARACTER_BITS * (CHARACTERS - known)), known)
}

#[inline]
fn code_of(c: char) -> u64 {
    let number = u64::from(u32::from(c));
    match c {
        '0'..='9' => number - u64::from(b'0') + 1,
        '_' => 11,
        'a'..='z' => number - u64::from(b'a') + 12,
        _ => 38 + number % 26,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lie_within_the_keys_of_their_beginnings() {
        for token in ["a", "order", "payment_failed", "9f3a77c0d1e2b3a4", "grüße", "äpfel", "zzzz", "__init__", "0"] {
            let key = of(token);
            assert!(key < 1 << 47, "{token}");
            for (end, _) in token.char_indices().chain([(token.len(), ' ')]) {
                assert!(beginning_with(&token[..end]).contains(&key), "{token} {end}");
            }
        }
        assert!(!beginning_with("orda").contains(&of("order")) && !beginning_with("p").contains(&of("order")));
        assert_ne!(of("payment_failed"), of("payment_failure"));
    }

    #[test]
    fn keys_are_part_of_the_format() {
        assert_eq!(
            ["order", "grüße", "42"].map(of),
            [58_179_225_003_500, 40_609_364_046_661, 11_098_199_040_511],
            "another version is needed"
        );
    }
}
