//! Texts as words, of which some only fill a place: numbers, ids, addresses, and what stands in quotes.

/// A word of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Word {
    Text(String),
    /// Any word.
    Hole,
    /// Any word, or several in quotes.
    Quoted,
}

impl Word {
    fn new(word: &str) -> Self {
        if word.contains('"') {
            Self::Quoted
        } else if word.bytes().any(|byte| byte.is_ascii_digit()) || word.contains('@') {
            Self::Hole
        } else {
            Self::Text(word.to_owned())
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn is_hole(&self) -> bool {
        self.text().is_none()
    }

    /// Becomes what stands for both.
    pub(super) fn widen(&mut self, other: &Self) {
        if self != other {
            *self = if matches!((&*self, other), (Self::Quoted, _) | (_, Self::Quoted)) { Self::Quoted } else { Self::Hole };
        }
    }

    /// What finds it in a text.
    pub(super) fn regex(&self) -> String {
        match self {
            Self::Text(text) => escaped(text),
            Self::Hole => r"\S+".to_owned(),
            Self::Quoted => r#"(?:[^\s"]*"[^"]*"\S*|\S+)"#.to_owned(),
        }
    }
}

/// The first line as words; what stands in quotes belongs to one word.
pub(super) fn words(text: &str) -> Vec<Word> {
    let line: String = text.trim_start().lines().next().unwrap_or_default().chars().take(MAX_TEXT).collect();
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && words.len() < MAX_WORDS {
        let (word, after) = rest.split_at(length(rest));
        words.push(Word::new(word));
        rest = after.trim_start();
    }
    words
}

/// Bytes of the word that a text begins with.
fn length(text: &str) -> usize {
    let mut is_inside = false;
    for (place, c) in text.char_indices() {
        match c {
            // A quote that is never closed is a sign like others.
            '"' if is_inside || text.get(place + 1..).is_some_and(|after| after.contains('"')) => is_inside = !is_inside,
            c if c.is_whitespace() && !is_inside => return place,
            _ => {}
        }
    }
    text.len()
}

/// Whether a text is like a pattern: of as many words, of which at least half are the same.
pub(super) fn is_alike(pattern: &[Word], words: &[Word]) -> bool {
    let same = pattern.iter().zip(words).filter(|(a, b)| a == b || (a.is_hole() && b.is_hole())).count();
    pattern.len() == words.len() && same * 2 >= words.len()
}

/// A word as a regular expression takes it.
fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

const MAX_TEXT: usize = 400;
const MAX_WORDS: usize = 40;
