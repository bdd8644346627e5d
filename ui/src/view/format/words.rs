//! Text from outside as it is shown: on one line, without what misleads, in pieces that can break.

use std::fmt::Write as _;

use storage::quiet;

/// Text from outside as it may be shown: control characters and marks that reorder text become visible signs.
pub(crate) fn text(raw: &str) -> String {
    if !raw.chars().any(is_treacherous) {
        return raw.to_owned();
    }
    raw.chars()
        .map(|c| match c {
            '\u{1b}' => '␛',
            '\u{7f}' => '␡',
            c if is_treacherous(c) => char::from_u32(0x2400 + u32::from(c)).filter(|_| u32::from(c) < 0x20).unwrap_or('\u{fffd}'),
            c => c,
        })
        .collect()
}

/// What a program said, as [`text`], without the sequences that colour it on a terminal.
pub(crate) fn said(raw: &str) -> String {
    text(&quiet(raw))
}

/// The first `max` characters of what a program said, on one line.
pub(crate) fn message(raw: &str, max: usize) -> String {
    line(&quiet(raw), max)
}

/// A text as it was sent, as a JSON string of harmless characters, for whoever copies what is shown otherwise; empty where it is shown as it is.
pub(crate) fn original(raw: &str, shown: &str) -> String {
    if raw == shown {
        return String::new();
    }
    serde_json::Value::from(raw).to_string().chars().fold(String::with_capacity(raw.len() + 16), |mut out, c| {
        if is_treacherous(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

/// Names that a reader may choose from a list and type: without control characters and marks that reorder text.
pub(crate) fn offered(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().filter(|name| !name.chars().any(|c| c.is_control() || is_treacherous(c))).collect()
}

/// The first `max` characters of [`text`] on one line, with `…` when more follows.
pub(crate) fn line(raw: &str, max: usize) -> String {
    let first = raw.trim_start().lines().next().unwrap_or_default();
    let mut out = text(first).chars().take(max).collect::<String>();
    if first.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

/// As [`line()`], with `…` when other lines follow too.
pub(crate) fn begun(raw: &str, max: usize) -> String {
    let mut shown = line(raw, max);
    if raw.trim().lines().nth(1).is_some() && !shown.ends_with('…') {
        shown.push('…');
    }
    shown
}

/// A name as shown; an empty one is said to be empty.
pub(crate) fn name(raw: &str) -> String {
    if raw.trim().is_empty() { "(no name)".to_owned() } else { begun(raw, MAX_NAME) }
}

/// A name of at most `max` characters: of a longer one the end, where names of one family differ, and before it a first word such as `GET`.
pub(crate) fn ending(name: &str, max: usize) -> String {
    let count = name.chars().count();
    if count <= max {
        return name.to_owned();
    }
    let is_verb = |word: &&str| word.ends_with(' ') && word.chars().count() <= MAX_VERB.min(max / 3);
    let verb = name.split_inclusive(' ').next().filter(is_verb).unwrap_or_default();
    let left = max.saturating_sub(verb.chars().count() + 1);
    let at = name.char_indices().nth(count - left).map_or(name.len(), |(at, _)| at);
    let end = name.get(at..).unwrap_or_default();
    // From the next separator on, where that is near.
    let near = end.find(['.', '/', ':', ' ']).filter(|near| *near <= end.len() / 3).and_then(|near| end.get(near..));
    format!("{verb}…{}", near.unwrap_or(end).trim_start_matches(['.', ':', ' ']))
}

/// A name in pieces between which a line may break: after its separators, before a capital of a long word, and else within a word only when
/// it is longer than any that people write, so that one name does not make a page as wide as it is. What has very many separators breaks
/// after the first of them alone, and from there on as a long word does.
pub(crate) fn pieces(name: &str) -> impl Iterator<Item = &str> {
    // A dot or comma within a number belongs to it.
    let mut letters = name.chars().skip(1);
    let mut before = ' ';
    let (mut ends, mut run) = (0, 0_usize);
    let is_end = move |c: char| {
        let after = letters.next().unwrap_or(' ');
        let is_number = matches!(c, '.' | ',') && before.is_ascii_digit() && after.is_ascii_digit();
        before = c;
        run = if c.is_whitespace() { 0 } else { run + 1 };
        // `CardDeclinedException` has no separators.
        let is_hump = run >= HUMP && c.is_lowercase() && after.is_uppercase();
        let is_separator = is_hump || ("/._-:,@=&?".contains(c) && !is_number);
        if is_separator {
            (ends, run) = (ends + 1, 0);
        }
        is_separator && ends <= MAX_ENDS
    };
    name.split_inclusive(is_end).flat_map(short)
}

/// Text in parts without words of more than so many characters.
fn short(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut run = 0_usize;
        let end = rest.char_indices().find(|(_, c)| {
            run = if c.is_whitespace() { 0 } else { run + 1 };
            run > MAX_WORD
        });
        let (part, after) = rest.split_at_checked(end.map_or(rest.len(), |(at, _)| at))?;
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Bytes as lower-case hex.
pub(crate) fn hex(raw: &[u8]) -> String {
    storage::Hex(raw).to_string()
}

fn is_treacherous(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A first word of a name that says what is done, with the space after it: `DELETE `.
const MAX_VERB: usize = 9;

/// Longer than words and identifiers that stand in code: `AbstractAutowireCapableBeanFactory` has 34.
const MAX_WORD: usize = 36;

/// Letters before a capital at which a word may break.
const HUMP: usize = 8;

/// More separators than names and addresses have.
const MAX_ENDS: usize = 40;

/// Longer names are cut in lists; the whole one is in the detail.
const MAX_NAME: usize = 240;

#[cfg(test)]
mod tests;
