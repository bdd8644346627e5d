//! Takes texts apart: the same for the index and for who looks for words.

use super::{MAX_TERM_BYTES, is_token, is_word, quiet, unspaced};

/// Takes a text apart, token by token, without allocating for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokenizer {
    /// The word being read, folded.
    word: String,
    /// Where case changes within it.
    humps: Vec<usize>,
    last: Case,
    last_start: usize,
    last_is_unspaced: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Case {
    #[default]
    None,
    Upper,
    Lower,
    Other,
}

/// What an ASCII character is, by a table: one look at each tells where a word ends and whether it is a token as it is.
const KINDS: [u8; 256] = kinds();
/// Between words.
const SEPARATOR: u8 = 0;
/// Small letters and digits.
const PLAIN: u8 = 1;
/// Capitals and `_`: the word is folded or taken apart.
const TO_FOLD: u8 = 2;

const fn kinds() -> [u8; 256] {
    let mut kinds = [SEPARATOR; 256];
    let mut rest: &mut [u8] = &mut kinds;
    let mut byte = 0u8;
    while let Some((kind, others)) = rest.split_first_mut() {
        *kind = match byte {
            b'a'..=b'z' | b'0'..=b'9' => PLAIN,
            b'A'..=b'Z' | b'_' => TO_FOLD,
            _ => SEPARATOR,
        };
        byte = byte.wrapping_add(1);
        rest = others;
    }
    kinds
}

fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(SEPARATOR)
}

// === impl Tokenizer ===

impl Tokenizer {
    /// Visits the tokens of `text` in order until `visit` says false.
    pub(super) fn each(&mut self, text: &str, mut visit: impl FnMut(&str) -> bool) {
        self.clear();
        let text = &*quiet(text);
        if text.is_ascii() {
            return self.each_ascii(text, visit);
        }
        for c in text.chars() {
            let go_on = if c.is_ascii() {
                self.push(c.to_ascii_lowercase(), case(c), &mut visit)
            } else {
                // One character may fold to several, not all of them letters: what separates is decided after folding.
                c.to_lowercase().all(|lower| self.push(lower, case(c), &mut visit))
            };
            if !go_on {
                return;
            }
        }
        self.flush(&mut visit);
    }

    /// The same of ASCII: words of small letters and digits, most of them, are what they are.
    fn each_ascii(&mut self, text: &str, mut visit: impl FnMut(&str) -> bool) {
        let mut rest = text;
        while !rest.is_empty() {
            let mut kinds = 0;
            let kinds_of_word = rest.bytes().map(kind).take_while(|kind| *kind != SEPARATOR).inspect(|kind| kinds |= kind);
            let (word, after) = rest.split_at(kinds_of_word.count());
            rest = after.get(1..).unwrap_or_default();
            let go_on = if kinds & TO_FOLD == 0 {
                word.is_empty() || visit(word)
            } else {
                word.chars().all(|c| self.push(c.to_ascii_lowercase(), case(c), &mut visit)) && self.flush(&mut visit)
            };
            if !go_on {
                return;
            }
        }
    }

    pub(super) fn push(&mut self, folded: char, case: Case, visit: &mut impl FnMut(&str) -> bool) -> bool {
        if !is_word(folded) {
            return self.flush(visit);
        }
        let at = self.word.len();
        if at <= MAX_TERM_BYTES {
            match (self.last, case) {
                // fooBar: before B. HTTPServer: before S, known when e comes.
                (Case::Lower | Case::Other, Case::Upper) => self.humps.push(at),
                (Case::Upper, Case::Lower) => self.humps.push(self.last_start),
                _ => {}
            }
        }
        self.word.push(folded);
        self.last = case;
        let last_start = std::mem::replace(&mut self.last_start, at);
        let is_unspaced = unspaced::is_one(folded);
        let is_pair = std::mem::replace(&mut self.last_is_unspaced, is_unspaced) && is_unspaced;
        !is_pair || visit(self.word.get(last_start..).unwrap_or_default())
    }

    /// Visits the tokens of the word that ends here.
    pub(super) fn flush(&mut self, visit: &mut impl FnMut(&str) -> bool) -> bool {
        let go_on = !is_token(&self.word) || self.visit_word(visit);
        self.clear();
        go_on
    }

    fn visit_word(&self, visit: &mut impl FnMut(&str) -> bool) -> bool {
        let word = self.word.as_str();
        if !visit(word) {
            return false;
        }
        if word.len() > MAX_TERM_BYTES {
            return true;
        }
        let mut start = 0;
        for part in word.split('_') {
            let range = start..start + part.len();
            start = range.end + 1;
            if part.is_empty() {
                continue;
            }
            if part.len() < word.len() && !visit(part) {
                return false;
            }
            let mut from = range.start;
            for hump in self.humps.iter().filter(|hump| range.start < **hump && **hump < range.end).chain([&range.end]) {
                let piece = word.get(from..*hump).unwrap_or_default();
                if !piece.is_empty() && piece.len() < part.len() && !visit(piece) {
                    return false;
                }
                from = *hump;
            }
        }
        true
    }

    fn clear(&mut self) {
        self.word.clear();
        self.humps.clear();
        self.last = Case::None;
        self.last_start = 0;
        self.last_is_unspaced = false;
    }
}

pub(super) fn case(c: char) -> Case {
    if c.is_lowercase() {
        Case::Lower
    } else if c.is_uppercase() {
        Case::Upper
    } else if c == '_' {
        Case::None
    } else {
        Case::Other
    }
}
