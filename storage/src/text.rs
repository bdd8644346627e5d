//! Text search in log bodies: one tokenizer for index and queries, the index itself, and the exact check that decides.
//!
//! Case is folded character by character. A *word* is a run of letters, digits and `_`. A body's tokens are its words, the parts of a word
//! between `_`, and the parts at changes of case (`HTTPServer`: `httpserver`, `http`, `server`); words longer than 64 bytes are not taken
//! apart. The index knows tokens by their first 64 bytes and is only a hint: [`Needle::matches`] decides.

use std::ops::Range;
use std::sync::OnceLock;

mod index;
mod wildcard;

pub(crate) use self::index::{Comparison as TextComparison, Index, IndexBuilder, Stack};
pub(crate) use self::wildcard::{Exact, Wildcard};

/// Changes when the tokenizer or the index does; an index of a version that is not read is not used, and made again.
pub(crate) const VERSION: u32 = 5;
/// The oldest version that is read: its units have one part each.
const OLDEST_VERSION: u32 = 4;
const MAX_TERM_BYTES: usize = 64;

/// What a search looks for in a body.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    folded: String,
    form: Form,
    /// Finds the needle in ASCII bodies, fast; `None` when it is empty or not ASCII itself. Made with the first body: mostly the index knows
    /// that there is none to look at.
    ascii: OnceLock<Option<regex::bytes::Regex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One word: equals a token.
    Token,
    /// Several words: occurs, and not within longer words.
    Bounded,
    /// Occurs anywhere.
    Substring,
}

/// Takes a text apart, token by token, without allocating for each.
#[derive(Clone, Debug, Default)]
struct Tokenizer {
    /// The word being read, folded.
    word: String,
    /// Where case changes within it.
    humps: Vec<usize>,
    last: Case,
    last_start: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Case {
    #[default]
    None,
    Upper,
    Lower,
    Other,
}

/// Terms of a text as the index knows them, in order; some occur twice.
#[cfg(test)]
pub(crate) fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    Tokenizer::default().each(text, |token| {
        terms.push(truncated(token).to_owned());
        true
    });
    terms
}

/// The first 64 bytes, or less when a character would be cut.
fn truncated(token: &str) -> &str {
    token.get(..token.floor_char_boundary(MAX_TERM_BYTES)).unwrap_or(token)
}

fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

fn is_ascii_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words of a folded text that are tokens, with their places.
fn words(folded: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut offset = 0;
    folded.split_inclusive(|c| !is_word(c)).filter_map(move |piece| {
        let start = offset;
        offset += piece.len();
        let word = piece.trim_end_matches(|c| !is_word(c));
        is_token(word).then(|| (start..start + word.len(), word))
    })
}

fn is_token(word: &str) -> bool {
    word.bytes().any(|b| b != b'_')
}

// === impl Needle ===

impl Needle {
    /// Matches bodies with a token that equals `word`, whatever its case. When `word` is several words (`foo-bar`), matches bodies where
    /// it occurs and does not go on into a longer word; when it has no word at all, where it occurs.
    pub(crate) fn word(word: &str) -> Self {
        let text = folded(word);
        let mut found = words(&text);
        let form = match (found.next(), found.next()) {
            (Some((range, _)), None) if range == (0..text.len()) => Form::Token,
            (Some(_), _) => Form::Bounded,
            (None, _) => Form::Substring,
        };
        drop(found);
        Self::new(text, form)
    }

    /// Matches bodies in which `phrase` occurs, whatever its case.
    pub(crate) fn phrase(phrase: &str) -> Self {
        Self::new(folded(phrase), Form::Substring)
    }

    fn new(folded: String, form: Form) -> Self {
        Self { folded, form, ascii: OnceLock::new() }
    }

    fn ascii(&self) -> Option<&regex::bytes::Regex> {
        let make = || {
            if self.folded.is_empty() || !self.folded.is_ascii() {
                return None;
            }
            regex::bytes::RegexBuilder::new(&regex::escape(&self.folded)).unicode(false).case_insensitive(true).build().ok()
        };
        self.ascii.get_or_init(make).as_ref()
    }

    /// Terms that every matching body has. May be empty, which says nothing.
    pub(crate) fn hint_terms(&self) -> Vec<String> {
        let len = self.folded.len();
        let whole = |range: &Range<usize>| self.form != Form::Substring || (range.start > 0 && range.end < len);
        let mut terms: Vec<String> =
            words(&self.folded).filter(|(range, _)| whole(range)).map(|(_, word)| truncated(word).to_owned()).collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// Whether `body` matches. This decides; the index does not.
    pub(crate) fn matches(&self, body: &str) -> bool {
        if body.is_ascii() {
            match self.ascii() {
                Some(ascii) if !ascii.is_match(body.as_bytes()) => return false,
                // A folded needle beyond ASCII is not in an ASCII body.
                None if !self.folded.is_empty() => return self.folded.is_ascii() && self.matches_folded(body),
                _ => {}
            }
        }
        self.matches_folded(body)
    }

    fn matches_folded(&self, body: &str) -> bool {
        match self.form {
            Form::Token => {
                let mut found = false;
                Tokenizer::default().each(body, |token| {
                    found = token == self.folded;
                    !found
                });
                found
            }
            Form::Bounded => self.occurs_bounded(&folded(body)),
            Form::Substring => folded(body).contains(&self.folded),
        }
    }

    fn occurs_bounded(&self, body: &str) -> bool {
        let opens = self.folded.starts_with(is_word);
        let closes = self.folded.ends_with(is_word);
        let mut from = 0;
        while let Some(at) = body.get(from..).and_then(|rest| rest.find(&self.folded)) {
            let start = from + at;
            let end = start + self.folded.len();
            let before = body.get(..start).is_some_and(|text| text.ends_with(is_word));
            let after = body.get(end..).is_some_and(|text| text.starts_with(is_word));
            if !(opens && before || closes && after) {
                return true;
            }
            from = start + body.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        }
        false
    }
}

// === impl Tokenizer ===

impl Tokenizer {
    /// Visits the tokens of `text` in order until `visit` says false.
    fn each(&mut self, text: &str, mut visit: impl FnMut(&str) -> bool) {
        self.clear();
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
        for word in text.split(|c: char| !is_ascii_word(c)).filter(|word| !word.is_empty()) {
            let is_plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let go_on = if is_plain {
                visit(word)
            } else {
                word.chars().all(|c| self.push(c.to_ascii_lowercase(), case(c), &mut visit)) && self.flush(&mut visit)
            };
            if !go_on {
                return;
            }
        }
    }

    fn push(&mut self, folded: char, case: Case, visit: &mut impl FnMut(&str) -> bool) -> bool {
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
        self.last_start = at;
        true
    }

    /// Visits the tokens of the word that ends here.
    fn flush(&mut self, visit: &mut impl FnMut(&str) -> bool) -> bool {
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
    }
}

fn case(c: char) -> Case {
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

#[cfg(test)]
mod tests;
