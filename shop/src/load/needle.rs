//! Words that are looked for, and the words of all other slots.
//!
//! Owns which slot gets which word: words at their rates, a phrase, letters in the middle of words, and else a word that no other slot has.

use crate::random::Random;

/// Something that is looked for, and how often it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// What it is called in a report.
    pub name: &'static str,
    /// What is looked for.
    pub sought: Sought,
    /// Root spans that have it.
    pub spans: u64,
    /// Log records that have it.
    pub logs: u64,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// A word by itself.
    Word(&'static str),
    /// Words in this order.
    Phrase(&'static str),
    /// Letters in the middle of a word.
    Part(&'static str),
}

// === impl Needle ===

impl Needle {
    /// All that are looked for, not counted yet.
    pub(super) fn all() -> Vec<Self> {
        let of = |(name, sought)| Self { name, sought, spans: 0, logs: 0 };
        ALL.map(of).into()
    }

    /// Whether the word of a slot is one.
    pub(super) fn is_in(&self, word: &[u8; 12]) -> bool {
        match self.sought {
            Sought::Word(text) | Sought::Phrase(text) => text.as_bytes() == word,
            Sought::Part(text) => word.windows(text.len()).any(|letters| letters == text.as_bytes()),
        }
    }
}

/// What slot number `ordinal` is filled with; the slot `once` gets the word that is there once.
pub(super) fn word(ordinal: u64, once: u64) -> [u8; 12] {
    match ordinal % 10_000 {
        _ if ordinal == once => *ONCE,
        _ if ordinal % 100_000 == 99_950 => *RARE,
        _ if ordinal % 1_000 == 977 => *FREQUENT,
        4_321 => *PHRASE,
        1_234 | 8_765 => *TURNED_ROUND,
        place => {
            let mut random = Random::new(ordinal);
            let mut word = std::array::from_fn(|_| random.pick(b"bcdfghjkmnpqrstvwxz"));
            if let Some(middle) = word.get_mut(2..2 + PART.len()).filter(|_| place == 6_543) {
                middle.copy_from_slice(PART.as_bytes());
            }
            word
        }
    }
}

/// One slot in a thousand, one in a hundred thousand, one, none; one in ten thousand each of a phrase and of letters within a word.
const ALL: [(&str, Sought); 6] = [
    ("frequent", Sought::Word("needlecommon")),
    ("rare", Sought::Word("needlescarce")),
    ("unique", Sought::Word("needleunique")),
    ("absent", Sought::Word("needleabsent")),
    ("phrase", Sought::Phrase("needle found")),
    ("substring", Sought::Part(PART)),
];

const FREQUENT: &[u8; 12] = b"needlecommon";
const RARE: &[u8; 12] = b"needlescarce";
const ONCE: &[u8; 12] = b"needleunique";
const PHRASE: &[u8; 12] = b"needle found";
/// Who only looks for both words finds this too, twice as often.
const TURNED_ROUND: &[u8; 12] = b"found needle";
const PART: &str = "splinter";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_come_at_their_rates_and_no_other_word_comes_twice() {
        let mut needles = Needle::all();
        let mut others = std::collections::BTreeSet::new();
        for ordinal in 0..200_000 {
            let word = word(ordinal, 70_000);
            let found: Vec<&mut Needle> = needles.iter_mut().filter(|needle| needle.is_in(&word)).collect();
            assert!(found.len() <= 1);
            if found.is_empty() && word != *TURNED_ROUND {
                assert!(others.insert(word), "{} comes twice", String::from_utf8_lossy(&word));
            }
            found.into_iter().for_each(|needle| needle.logs += 1);
        }
        let counts: Vec<u64> = needles.iter().map(|needle| needle.logs).collect();
        assert_eq!(counts, [200, 2, 1, 0, 20, 20]);
    }
}
