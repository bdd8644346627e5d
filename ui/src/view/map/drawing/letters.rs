//! How much room text takes, without knowing the font: rather too much than too little.

use crate::view::format;

/// The width of a text in letters of `size` pixels.
pub(super) fn width(text: &str, size: f64, is_bold: bool) -> f64 {
    text.chars().map(em).sum::<f64>() * size * if is_bold { 1.0 } else { 0.86 }
}

/// A name in lines of at most so many pixels. They break after separators and spaces, and within a word only when it is longer than a line;
/// what more than three lines cannot hold is left to the title and the table.
pub(super) fn lines(name: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for piece in pieces(name) {
        let fits = |line: &str, more: &str| width(line, SIZE, true) + width(more, SIZE, true) <= room;
        if lines.last().is_some_and(|line| !line.is_empty() && !fits(line, piece)) {
            lines.push(String::new());
        }
        for letter in piece.chars() {
            if lines.last().is_some_and(|line| !fits(line, letter.encode_utf8(&mut [0; 4]))) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
        }
    }
    if lines.len() > MOST {
        lines.truncate(MOST);
        if let Some(last) = lines.last_mut() {
            last.pop();
            last.push('…');
        }
    }
    lines
}

/// The width of what does not break.
pub(super) fn least(name: &str) -> f64 {
    pieces(name).map(|piece| width(piece, SIZE, true)).fold(0.0, f64::max)
}

fn pieces(name: &str) -> impl Iterator<Item = &str> {
    format::pieces(name).flat_map(apart)
}

/// At spaces, but for how many services a namespace has: that stands together.
fn apart(piece: &str) -> impl Iterator<Item = &str> {
    let (name, count) = piece.split_at(piece.find(" (").map_or(piece.len(), |at| at + 1));
    name.split_inclusive(' ').chain(Some(count).filter(|count| !count.is_empty()))
}

/// Of a letter, in parts of its height, in a bold font that is rather wide.
fn em(letter: char) -> f64 {
    match letter {
        '\u{202f}' => 0.25,
        'i' | 'j' | 'l' | '|' | '!' | '\'' | '.' | ',' | ':' | ';' | ' ' | '\u{a0}' => 0.38,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | '-' | '/' | '·' => 0.48,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '&' => 1.06,
        letter if letter.is_ascii_uppercase() || letter.is_ascii_digit() => 0.74,
        letter if letter < '\u{250}' => 0.70,
        _ => 1.05,
    }
}

/// Letters of names.
const SIZE: f64 = 13.0;

/// Lines of a name.
const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_break_after_their_separators_and_lose_nothing() {
        assert_eq!(lines("cart", 190.0), ["cart"]);
        assert_eq!(lines("team-3 (7 services)", 150.0), ["team-3 ", "(7 services)"]);
        let name = "checkout-orchestration-service.internal";
        let broken = lines(name, 190.0);
        assert!(broken.len() == 2 && broken[0].ends_with('-') && broken.concat() == name, "{broken:?}");
        let word = "w".repeat(30);
        assert_eq!(lines(&word, 190.0).concat(), word);
    }

    #[test]
    fn names_break_at_spaces_and_say_what_does_not_break() {
        assert_eq!(lines("mongodb catalog", 99.0), ["mongodb ", "catalog"]);
        assert_eq!(lines("team-3 (7 services)", 150.0), ["team-3 ", "(7 services)"]);
        assert!((least("mongodb catalog") - width("mongodb ", SIZE, true)).abs() < 0.1);
    }

    #[test]
    fn a_name_that_is_too_long_for_a_box_says_so() {
        let lines = lines(&"very-long-".repeat(30), 190.0);
        assert!(lines.len() == 3 && lines[2].ends_with('…'), "{lines:?}");
    }
}
