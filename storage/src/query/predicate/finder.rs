//! What a piece of free text looks for.

use super::super::language::Literal;
use crate::text::{Exact, Needle, Wildcard, quiet};

/// Decides whether a text is found in another.
#[derive(Clone, Debug)]
pub(super) enum Finder {
    /// A word or a phrase, whatever its case.
    Needle(Needle),
    /// A word with gaps, whatever its case.
    Wildcard(Wildcard),
    /// In one very case.
    Exact(Exact),
}

impl Finder {
    /// Whatever the case: a bare word finds words, a quoted text is found anywhere. `None` when it asks for nothing.
    pub(super) fn new(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Bare(word) => Some(Self::Needle(Needle::word(word))),
            Literal::Quoted(phrase) if !phrase.is_empty() => Some(Self::Needle(Needle::phrase(&quiet(phrase)))),
            Literal::Quoted(_) => None,
            Literal::Glob(pieces) => Some(Self::Wildcard(Wildcard::new(pieces))),
        }
    }

    /// The same in this very case.
    pub(super) fn exact(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Bare(word) => Some(Self::Exact(Exact::word(std::slice::from_ref(word)))),
            Literal::Quoted(phrase) if !phrase.is_empty() => Some(Self::Exact(Exact::phrase(&quiet(phrase)))),
            Literal::Quoted(_) => None,
            Literal::Glob(pieces) => Some(Self::Exact(Exact::word(pieces))),
        }
    }

    /// Terms that every text with a match has, as `text::terms` makes them.
    pub(super) fn hint_terms(&self) -> Vec<String> {
        match self {
            Self::Needle(needle) => needle.hint_terms(),
            Self::Wildcard(wildcard) => wildcard.hint_terms(),
            Self::Exact(exact) => exact.hint_terms(),
        }
    }

    /// Beginnings of terms that every text with a match has.
    pub(super) fn hint_prefixes(&self) -> Vec<String> {
        match self {
            Self::Needle(needle) => needle.hint_prefix().into_iter().collect(),
            Self::Wildcard(wildcard) => wildcard.hint_prefixes(),
            Self::Exact(exact) => exact.hint_prefixes(),
        }
    }

    /// Looks for it as it is shown: what colours a text on a terminal is not part of it.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = &*quiet(text);
        match self {
            Self::Needle(needle) => needle.matches(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Exact(exact) => exact.matches(text),
        }
    }
}
