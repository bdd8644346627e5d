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
        self.0.chunks(AT_ONCE).for_each(|chunk| text.push_str(digits(chunk, &mut [0; 2 * AT_ONCE])));
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An id in one call: each goes through a table of functions.
        self.0.chunks(AT_ONCE).try_for_each(|chunk| f.write_str(digits(chunk, &mut [0; 2 * AT_ONCE])))
    }
}

/// Bytes that are written in one piece.
const AT_ONCE: usize = 16;

/// The digits of no more bytes than are written in one piece. Byte by byte into pairs of digits, which compilers do for many at once.
fn digits<'b>(bytes: &[u8], buffer: &'b mut [u8; 2 * AT_ONCE]) -> &'b str {
    let digit = |number: u8| number + if number < 10 { b'0' } else { b'a' - 10 };
    let (pairs, _) = buffer.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    buffer.get(..2 * bytes.len()).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
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
