//! Texts as words, of which some only fill a place: numbers, ids, addresses, and what stands in quotes.

mod json;

/// A word of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Word {
    Text(String),
    /// What stands between the values of a JSON object: keys and signs.
    Between(String),
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
        if let Self::Text(text) | Self::Between(text) = self { Some(text) } else { None }
    }

    pub(super) fn is_between(&self) -> bool {
        matches!(self, Self::Between(_))
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

    /// What finds it in a text; a word of JSON ends with its value.
    fn regex(&self, is_json: bool) -> String {
        match self {
            Self::Text(text) | Self::Between(text) => escaped(text),
            Self::Hole if is_json => r#"(?:[^\s"\\]|\\.)+"#.to_owned(),
            Self::Hole => r"\S+".to_owned(),
            Self::Quoted => r#"(?:[^\s"]*"[^"]*"\S*|\S+)"#.to_owned(),
        }
    }
}

/// What finds texts whose first line has these words, and no more where they are all of it.
pub(super) fn regex(words: &[Word], is_whole: bool) -> String {
    let is_json = words.iter().any(Word::is_between);
    let mut regex = r"^\s*".to_owned();
    for (place, word) in words.iter().enumerate() {
        if let Some(before) = place.checked_sub(1).and_then(|before| words.get(before)) {
            regex.push_str(if before.is_between() || word.is_between() { r"\s*" } else { r"\s+" });
        }
        regex.push_str(&word.regex(is_json));
    }
    if is_whole {
        regex.push_str(END);
    }
    regex
}

/// The words of the first line.
pub(super) fn words(text: &str) -> Vec<Word> {
    spelled(beginning(text)).into_iter().map(|(word, _)| word).collect()
}

/// Whether so many words of a text are all that its first line has.
pub(super) fn is_whole(text: &str, words: usize) -> bool {
    words < MAX_WORDS && text.trim_start().lines().next().is_none_or(|line| beginning(text).len() == line.trim_end().len())
}

/// As much of the first line as is looked at.
pub(super) fn beginning(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.char_indices().nth(MAX_TEXT).map_or(line, |(end, _)| line.get(..end).unwrap_or(line)).trim_end()
}

/// A line as words, each as it is written; what stands in quotes belongs to one word, save in JSON, of which the keys are words and so are those
/// of its texts.
pub(super) fn spelled(line: &str) -> Vec<(Word, &str)> {
    if json::is_object(line) {
        return json::words(line, MAX_WORDS);
    }
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && words.len() < MAX_WORDS {
        let (word, after) = rest.split_at(length(rest));
        words.push((Word::new(word), word));
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

/// Whether a text is like a pattern: of as many words, of which at least half are the same. JSON has the same keys too, which say nothing of
/// how much of the rest is the same.
pub(super) fn is_alike(pattern: &[Word], words: &[Word]) -> bool {
    let pairs = || pattern.iter().zip(words);
    let has_same_keys = pairs().all(|(a, b)| a == b || !(a.is_between() || b.is_between()));
    let between = pattern.iter().filter(|word| word.is_between()).count();
    let same = pairs().filter(|(a, b)| a == b || (a.is_hole() && b.is_hole())).count();
    pattern.len() == words.len() && has_same_keys && same.saturating_sub(between) * 2 >= words.len() - between
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

/// The end of a line.
const END: &str = r"[^\S\r\n]*(?:$|[\r\n])";

const MAX_TEXT: usize = 400;
const MAX_WORDS: usize = 40;
