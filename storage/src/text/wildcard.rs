//! Words with gaps, and texts in one very case: the finders beside [`super::Needle`].
//!
//! Their automata are bounded in size, and regular expressions here never backtrack.

use regex::{Regex, RegexBuilder};

use super::{Tokenizer, folded, is_word, truncated, words};

/// Finds words with gaps, whatever their case. A gap stands for any run of letters, digits and `_`.
#[derive(Clone, Debug)]
pub(crate) struct Wildcard {
    /// Folded, with a gap between each two; empty ones only at the ends.
    pieces: Vec<String>,
    form: Form,
    /// Finds the longest piece in ASCII bodies, fast.
    ascii: Option<regex::bytes::Regex>,
}

/// Finds a text in one very case.
#[derive(Clone, Debug)]
pub(crate) struct Exact {
    pieces: Vec<String>,
    /// `None` when the text is looked for anywhere.
    pattern: Option<Regex>,
}

#[derive(Clone, Debug)]
enum Form {
    /// Every piece is letters: compared with tokens.
    Token,
    /// Occurs, and does not go on into a longer word at its ends.
    Pattern(Regex),
    /// Too large to be searched for.
    Nowhere,
}

/// Letters, digits and `_`, as `char::is_alphanumeric` knows them.
const WORD: &str = r"[\p{Alphabetic}\p{N}_]";
const NO_WORD: &str = r"[^\p{Alphabetic}\p{N}_]";
const MAX_PATTERN_BYTES: usize = 4 << 20;

// === impl Wildcard ===

impl Wildcard {
    /// Matches bodies with a word that begins with the first of `pieces`, ends with the last, and has the others between in order.
    pub(crate) fn new(pieces: &[String]) -> Self {
        let pieces: Vec<String> = pieces.iter().map(|piece| folded(piece)).collect();
        let form = if pieces.iter().all(|piece| piece.chars().all(is_word)) {
            Form::Token
        } else {
            pattern(&pieces, true).map_or(Form::Nowhere, Form::Pattern)
        };
        let longest = pieces.iter().max_by_key(|piece| piece.len()).filter(|piece| !piece.is_empty() && piece.is_ascii());
        let ascii = longest.and_then(|longest| {
            regex::bytes::RegexBuilder::new(&regex::escape(longest)).unicode(false).case_insensitive(true).build().ok()
        });
        Self { pieces, form, ascii }
    }

    /// Terms that every matching body has.
    pub(crate) fn hint_terms(&self) -> Vec<String> {
        whole_words(&self.pieces)
    }

    /// Beginnings of terms: every matching body has a term with each.
    pub(crate) fn hint_prefixes(&self) -> Vec<String> {
        if matches!(self.form, Form::Token) { begun_words(&self.pieces) } else { Vec::new() }
    }

    /// Whether `body` matches.
    pub(crate) fn matches(&self, body: &str) -> bool {
        if let Some(ascii) = &self.ascii
            && body.is_ascii()
            && !ascii.is_match(body.as_bytes())
        {
            return false;
        }
        match &self.form {
            Form::Token => {
                let mut found = false;
                Tokenizer::default().each(body, |token| {
                    found = fits(&self.pieces, token);
                    !found
                });
                found
            }
            Form::Pattern(pattern) => pattern.is_match(body),
            Form::Nowhere => false,
        }
    }
}

// === impl Exact ===

impl Exact {
    /// Matches bodies in which the words of `pieces`, with a gap between each two, stand by themselves.
    pub(crate) fn word(pieces: &[String]) -> Self {
        Self { pieces: pieces.to_vec(), pattern: pattern(pieces, false) }
    }

    /// Matches bodies in which `phrase` occurs.
    pub(crate) fn phrase(phrase: &str) -> Self {
        Self { pieces: vec![phrase.to_owned()], pattern: None }
    }

    /// Terms that every matching body has.
    pub(crate) fn hint_terms(&self) -> Vec<String> {
        match (&self.pattern, self.pieces.as_slice()) {
            (Some(_), pieces) => whole_words(&pieces.iter().map(|piece| folded(piece)).collect::<Vec<_>>()),
            (None, [phrase]) => super::Needle::phrase(phrase).hint_terms(),
            (None, _) => Vec::new(),
        }
    }

    /// See [`Wildcard::hint_prefixes`].
    pub(crate) fn hint_prefixes(&self) -> Vec<String> {
        match (&self.pattern, self.pieces.as_slice()) {
            (Some(_), pieces) => begun_words(&pieces.iter().map(|piece| folded(piece)).collect::<Vec<_>>()),
            (None, [phrase]) => super::Needle::phrase(phrase).hint_prefix().into_iter().collect(),
            (None, _) => Vec::new(),
        }
    }

    /// Whether `body` matches.
    pub(crate) fn matches(&self, body: &str) -> bool {
        self.pieces.iter().all(|piece| body.contains(piece.as_str()))
            && self.pattern.as_ref().map_or(self.pieces.len() == 1, |pattern| pattern.is_match(body))
    }
}

/// Words of folded pieces that no gap touches.
fn whole_words(pieces: &[String]) -> Vec<String> {
    let last = pieces.len().saturating_sub(1);
    let mut terms = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        let whole = |start: usize, end: usize| (start > 0 || place == 0) && (end < piece.len() || place == last);
        terms.extend(words(piece).filter(|(range, _)| whole(range.start, range.end)).map(|(_, word)| truncated(word).to_owned()));
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// Words of folded pieces that only a gap ends.
fn begun_words(pieces: &[String]) -> Vec<String> {
    let last = pieces.len().saturating_sub(1);
    let mut begun: Vec<String> = Vec::new();
    for (place, piece) in pieces.iter().enumerate().take(last) {
        let open = words(piece).filter(|(range, _)| range.end == piece.len() && (range.start > 0 || place == 0));
        begun.extend(open.map(|(_, word)| truncated(word).to_owned()));
    }
    begun.sort_unstable();
    begun.dedup();
    begun
}

/// The pieces with any word characters between, not within a longer word.
fn pattern(pieces: &[String], any_case: bool) -> Option<Regex> {
    let opens = pieces.first().is_some_and(|first| first.starts_with(is_word));
    let closes = pieces.last().is_some_and(|last| last.ends_with(is_word));
    let mut text = if opens { format!("(?:^|{NO_WORD})") } else { String::new() };
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 && !(place + 1 == pieces.len() && piece.is_empty()) && !(place == 1 && pieces.first().is_some_and(String::is_empty)) {
            text.push_str(WORD);
            text.push('*');
        }
        text.push_str(&regex::escape(piece));
    }
    if closes {
        text.push_str("(?:$|");
        text.push_str(NO_WORD);
        text.push(')');
    }
    RegexBuilder::new(&text).case_insensitive(any_case).size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).build().ok()
}

/// Whether the pieces occur in this order, the first at the start and the last at the end.
fn fits(pieces: &[String], token: &str) -> bool {
    let [first, middle @ .., last] = pieces else { return pieces.iter().any(|only| only == token) };
    let Some(mut rest) = token.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        text.split('*').map(str::to_owned).collect()
    }

    fn found(text: &str, body: &str) -> bool {
        Wildcard::new(&pieces(text)).matches(body)
    }

    fn exact(text: &str, body: &str) -> bool {
        Exact::word(&pieces(text)).matches(body)
    }

    #[test]
    fn a_gap_stays_within_a_word() {
        assert!(found("time*", "connection Timeout after"));
        assert!(found("*OUT", "connection timeout after"));
        assert!(found("t*o*t", "a timeout"));
        assert!(!found("time*after", "timeout after"));
        assert!(found("conn*", "getConnection failed"), "parts of a word are words");
        assert!(!found("onn*", "connection"));
        assert!(found("pay-*", "job pay-777 done"));
        assert!(found("pay-*7", "job pay-777 done"));
        assert!(!found("pay-*7", "job pay-8 77x done"));
        assert!(!found("ay-*", "job pay-7 done"));
        assert!(found("größ*", "die GRÖSSE, die Größe"));
    }

    #[test]
    fn exact_case_asks_for_these_letters_as_a_word() {
        assert!(exact("Timeout", "a Timeout, again"));
        assert!(!exact("Timeout", "a timeout, again"));
        assert!(!exact("Timeout", "aTimeout again"));
        assert!(exact("Time*", "a Timeout, again"));
        assert!(!exact("time*", "a Timeout, again"));
        assert!(Exact::phrase("ard De").matches("Card Declined"));
        assert!(!Exact::phrase("card de").matches("Card Declined"));
    }

    proptest! {
        #[test]
        fn terms_that_are_hinted_at_are_in_every_matching_body(text in "[abAB_*.-]{1,8}", body in "[abAB_ .-]{0,16}") {
            let wildcard = Wildcard::new(&pieces(&text));
            let terms = super::super::terms(&body);
            if wildcard.matches(&body) {
                for prefix in wildcard.hint_prefixes() {
                    prop_assert!(super::super::terms(&body).iter().any(|term| term.starts_with(&prefix)), "{prefix} in {body}");
                }
                for term in wildcard.hint_terms() {
                    prop_assert!(terms.contains(&term), "{term} of {text}");
                }
            }
            let exact = Exact::word(&pieces(&text));
            if exact.matches(&body) {
                for prefix in exact.hint_prefixes() {
                    prop_assert!(super::super::terms(&body).iter().any(|term| term.starts_with(&prefix)), "{prefix} in {body}");
                }
                for term in exact.hint_terms() {
                    prop_assert!(terms.contains(&term), "{term} of {text}");
                }
            }
        }
    }
}
