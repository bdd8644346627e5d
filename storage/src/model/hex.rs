//! Bytes as lower-case hex: how ids and values of bytes are written everywhere.
//!
//! The formatter's `{:02x}` takes ten times as long, which shows where the ids of every row are written.

use std::fmt::{self, Write as _};

/// Bytes that are written as two lower-case hex digits each.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

// === impl Hex ===

impl Hex<'_> {
    /// Appends the digits to a text.
    pub fn push_to(self, text: &mut String) {
        text.reserve(self.0.len() * 2);
        self.digits().for_each(|digit| text.push(digit));
    }

    fn digits(&self) -> impl Iterator<Item = char> {
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().try_for_each(|digit| f.write_char(digit))
    }
}

/// The digit of a number below 16.
fn digit(number: u8) -> char {
    char::from(if number < 10 { b'0' + number } else { b'a' - 10 + number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_the_formatter_writes_it() {
        let bytes: Vec<u8> = (0..=255).collect();
        let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Hex(&bytes).to_string(), expected);
        let mut text = "before ".to_owned();
        Hex(&bytes).push_to(&mut text);
        assert_eq!(text, format!("before {expected}"));
    }
}
