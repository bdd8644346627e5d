//! Scripts in which words are not told apart by spaces alone: Chinese, Japanese, Korean.
//!
//! A run of their characters is one word of a body, and what people look for is a part of it. The index knows every two characters that
//! stand beside each other, so that a part of two characters or more is looked up.

/// Whether it is a character of such a script.
pub(super) fn is_one(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11ff // Korean, letter by letter
        | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3031..=0x3035 | 0x3038..=0x303c // signs of repetition, numbers
        | 0x3041..=0x309f | 0x30a0..=0x30ff // Hiragana, Katakana
        | 0x3100..=0x318f | 0x31a0..=0x31bf | 0x31f0..=0x31ff // Bopomofo, more of Korean and Katakana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff // Chinese
        | 0xa960..=0xa97f | 0xac00..=0xd7ff // Korean
        | 0xff66..=0xffdc // Katakana and Korean of half width
        | 0x1aff0..=0x1b16f | 0x20000..=0x3ffff // more of Katakana and Chinese
    )
}

/// Every two neighbours of a folded text that are letters of such scripts.
pub(super) fn pairs(folded: &str) -> impl Iterator<Item = &str> {
    let is_letter = |c: char| is_one(c) && super::is_word(c);
    let neighbours = folded.char_indices().zip(folded.char_indices().skip(1));
    neighbours
        .filter(move |((_, first), (_, second))| is_letter(*first) && is_letter(*second))
        .filter_map(|((from, _), (at, second))| folded.get(from..at + second.len_utf8()))
}
