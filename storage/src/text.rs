//! Text search in log bodies: one tokenizer for index and queries, the index itself, and the exact check that decides.
//!
//! Case is folded character by character. A *word* is a run of letters, digits and `_`. A body's tokens are its words, the parts of a word
//! between `_`, and the parts at changes of case (`HTTPServer`: `httpserver`, `http`, `server`); words longer than 64 bytes are not taken
//! apart. The index knows tokens by their first 64 bytes and is only a hint: [`Needle::matches`] decides. What people look for in Chinese,
//! Japanese and Korean is a part of a word: it is found wherever it is, and the index knows each two of their characters as a token too.
//! What colours a body on a terminal is not there for any of them, see [`quiet`].

use std::ops::Range;
use std::sync::OnceLock;

mod index;
mod terminal;
mod tokenizer;
mod unspaced;
mod wildcard;

pub(crate) use self::index::{Comparison as TextComparison, Index, IndexBuilder, Stack};
pub use self::terminal::quiet;
use self::tokenizer::Tokenizer;
pub(crate) use self::wildcard::{Exact, Wildcard};

/// Changes when the tokenizer or the index does; an index of another version is not used, and made again.
pub(crate) const VERSION: u32 = 7;
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
    /// Words with characters of scripts without spaces: equals a token, or occurs and goes on into no longer word of other scripts.
    Within,
    /// Occurs anywhere.
    Substring,
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
    /// Matches bodies with a token that equals `word`, whatever its case; with characters of a script without spaces, wherever it is. When
    /// `word` is several words (`foo-bar`), matches bodies where it occurs and does not go on into a longer word; when it has no word at all,
    /// where it occurs.
    pub(crate) fn word(word: &str) -> Self {
        let text = folded(word);
        let mut found = words(&text);
        let form = match (found.next(), found.next()) {
            (Some((range, _)), None) if range == (0..text.len()) => Form::Token,
            (Some(_), _) => Form::Bounded,
            (None, _) => Form::Substring,
        };
        drop(found);
        let form = if text.contains(unspaced::is_one) && form != Form::Substring { Form::Within } else { form };
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
        let may_go_on = matches!(self.form, Form::Substring | Form::Within);
        let whole = |range: &Range<usize>| !may_go_on || (range.start > 0 && range.end < len);
        let mut terms: Vec<String> =
            words(&self.folded).filter(|(range, _)| whole(range)).map(|(_, word)| truncated(word).to_owned()).collect();
        terms.extend(unspaced::pairs(&self.folded).map(str::to_owned));
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    /// The beginning of a term that every matching body has: the last word of a phrase may go on. `None` when it has but one word.
    pub(crate) fn hint_prefix(&self) -> Option<String> {
        let last = words(&self.folded).last().filter(|_| self.form == Form::Substring);
        let begun = last.filter(|(range, _)| range.start > 0 && range.end == self.folded.len());
        begun.map(|(_, word)| truncated(word).to_owned())
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
            Form::Token => self.is_token_of(body),
            Form::Bounded => self.occurs_bounded(&folded(body), is_word),
            Form::Within => {
                let text = folded(body);
                let joins = |c| is_word(c) && !unspaced::is_one(c);
                text.contains(&self.folded) && (self.occurs_bounded(&text, joins) || self.is_token_of(body))
            }
            Form::Substring => folded(body).contains(&self.folded),
        }
    }

    fn is_token_of(&self, body: &str) -> bool {
        let mut found = false;
        Tokenizer::default().each(body, |token| {
            found = token == self.folded;
            !found
        });
        found
    }

    /// Whether it is in a folded body where no character that `joins` goes on before or behind one that does.
    fn occurs_bounded(&self, body: &str, joins: impl Fn(char) -> bool) -> bool {
        let opens = self.folded.starts_with(&joins);
        let closes = self.folded.ends_with(&joins);
        let mut from = 0;
        while let Some(at) = body.get(from..).and_then(|rest| rest.find(&self.folded)) {
            let start = from + at;
            let end = start + self.folded.len();
            let before = body.get(..start).is_some_and(|text| text.ends_with(&joins));
            let after = body.get(end..).is_some_and(|text| text.starts_with(&joins));
            if !(opens && before || closes && after) {
                return true;
            }
            from = start + body.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        }
        false
    }
}

#[cfg(test)]
mod tests;
