//! Texts that were written for a terminal.

use std::borrow::Cow;

/// A text without the sequences that colour it on a terminal: as it is shown and searched.
#[must_use]
pub fn quiet(raw: &str) -> Cow<'_, str> {
    // One character is looked for faster than two.
    if !raw.contains('\u{1b}') {
        return raw.into();
    }
    let mut out = String::with_capacity(raw.len());
    let mut pieces = raw.split("\u{1b}[");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // Numbers between semicolons, then the letter that ends it.
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | ':' | '?'));
        out.push_str(rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest));
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_a_terminal_are_left_out_and_nothing_else() {
        assert_eq!(quiet("\u{1b}[1;31mERROR\u{1b}[0m declined \u{1b}[38;5;9m[card]\u{1b}[K"), "ERROR declined [card]");
        for plain in ["", "a [31m b", "\u{1b}", "\u{1b}]8;;x"] {
            assert_eq!(quiet(plain), plain);
        }
        assert_eq!(quiet("cut \u{1b}[3"), "cut ");
    }
}
