//! Bytes as lower-case hex: how ids and values of bytes are written everywhere.
//!
//! The formatter's `{:02x}` takes ten times as long, which shows where the ids of every row are written.

use std::fmt;

/// Bytes that are written as two lower-case hex digits each.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

// === impl Hex ===

impl Hex<'_> {
    /// Appends the digits to a text.
    pub fn push_to(self, text: &mut String) {
        text.reserve(self.0.len() * 2);
        text.extend(digits(self.0).map(char::from));
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An id in one call: each goes through a table of functions.
        for chunk in self.0.chunks(AT_ONCE) {
            let mut buffer = [0; 2 * AT_ONCE];
            buffer.iter_mut().zip(digits(chunk)).for_each(|(place, digit)| *place = digit);
            let written = buffer.get(..2 * chunk.len()).and_then(|digits| str::from_utf8(digits).ok());
            f.write_str(written.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Bytes that are written in one piece.
const AT_ONCE: usize = 16;

fn digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |number: u8| if number < 10 { b'0' + number } else { b'a' - 10 + number };
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit)
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
