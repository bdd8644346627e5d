//! JSON objects as words: their keys and signs stay, their values are words as others are.

use super::Word;

/// Whether a line begins as an object with a key does.
pub(super) fn is_object(line: &str) -> bool {
    line.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'))
}

/// At most `most` words of an object, which may be cut anywhere, each as it is written.
pub(super) fn words(line: &str, most: usize) -> Vec<(Word, &str)> {
    let mut words = Vec::new();
    let mut between = String::new();
    let mut rest = line;
    while words.len() < most {
        let Some(first) = rest.chars().next() else { break };
        let (piece, after) = rest.split_at(if first == '"' { quoted(rest) } else { plain(rest, first) });
        rest = after;
        let value = piece.strip_prefix('"').map(|value| value.strip_suffix('"').unwrap_or(value));
        match value {
            // A key, or a text that says nothing.
            Some(value) if value.trim().is_empty() || after.trim_start().starts_with(':') => between.push_str(piece),
            Some(value) => {
                between.push('"');
                words.push((Word::Between(std::mem::take(&mut between)), ""));
                words.extend(value.split_whitespace().map(|one| (word(one), one)));
                if piece.len() > value.len() + 1 {
                    between.push('"');
                }
            }
            None if first.is_whitespace() || SIGNS.contains(first) => between.push_str(piece),
            None => {
                words.push((Word::Between(std::mem::take(&mut between)), ""));
                words.push((word(piece), piece));
            }
        }
    }
    if !between.is_empty() {
        words.push((Word::Between(between), ""));
    }
    words.truncate(most);
    words
}

/// A word of a value.
fn word(word: &str) -> Word {
    let is_hole = word.contains('\\') || word.contains('@') || word.bytes().any(|byte| byte.is_ascii_digit());
    if is_hole { Word::Hole } else { Word::Text(word.to_owned()) }
}

/// Bytes of the text in quotes that `rest` begins with.
fn quoted(rest: &str) -> usize {
    let mut is_escaped = false;
    for (place, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Bytes of the sign or space, or of the number or word, that `rest` begins with.
fn plain(rest: &str, first: char) -> usize {
    if first.is_whitespace() || SIGNS.contains(first) {
        return first.len_utf8();
    }
    rest.find(|c: char| c == '"' || c.is_whitespace() || SIGNS.contains(c)).unwrap_or(rest.len())
}

/// What JSON consists of besides values.
const SIGNS: &str = "{}[]:,";
