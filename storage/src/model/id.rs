//! Trace and span identifiers: fixed bytes, written as lower-case hex.

use std::fmt;
use std::str::FromStr;

use super::hex::Hex;

/// Identifies one trace: 16 bytes, never all zero (OTLP `Span.trace_id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// Identifies one span within its trace: 8 bytes, never all zero (OTLP `Span.span_id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

/// Why a text or byte string is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text has the wrong number of digits.
    #[error("{0} has {1} hex digits where {2} are expected")]
    Length(&'static str, usize, &'static str),
    /// A character is not a hex digit.
    #[error("{0} contains `{1}`, which is not a hex digit")]
    Digit(&'static str, char),
    /// All bytes are zero, which OTLP defines as invalid.
    #[error("{0} is all zeros, which is not a valid id")]
    Zero(&'static str),
}

macro_rules! identifier {
    ($name:ident, $bytes:literal, $what:literal, $expected:literal) => {
        impl $name {
            /// Takes raw bytes as sent; `None` when the length is wrong or all bytes are zero.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let bytes: [u8; $bytes] = bytes.try_into().ok()?;
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// The raw bytes, in the order in which they are sent.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                if let Some(bad) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
                    return Err(ParseIdError::Digit($what, bad));
                }
                if text.is_empty() || text.len() > $bytes * 2 || !accepts_length($bytes, text.len()) {
                    return Err(ParseIdError::Length($what, text.len(), $expected));
                }
                let mut bytes = [0; $bytes];
                for (place, digit) in text.bytes().rev().enumerate() {
                    let value = char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
                    if let Some(byte) = bytes.iter_mut().rev().nth(place / 2) {
                        *byte |= value << (4 * (place % 2));
                    }
                }
                Self::from_slice(&bytes).ok_or(ParseIdError::Zero($what))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Hex(&self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

identifier!(TraceId, 16, "trace id", "32, or 16 for a 64-bit id,");
identifier!(SpanId, 8, "span id", "16");

/// 64-bit trace ids of older tracers are accepted and padded on the left.
fn accepts_length(bytes: usize, digits: usize) -> bool {
    digits == bytes * 2 || (bytes == 16 && digits == 16)
}

impl TraceId {
    /// The first eight bytes as a number: the key of trace look-ups inside segments.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The last eight bytes as a number. Unlike the first, random even in padded 64-bit ids.
    #[must_use]
    pub fn suffix(&self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_is_case_insensitive() {
        let id: TraceId = "5B8EFFF798038103d269b633813fc60c".parse().unwrap();
        assert_eq!(id.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!(id.prefix(), 0x5b8e_fff7_9803_8103);
    }

    #[test]
    fn short_trace_ids_are_padded_on_the_left() {
        let id: TraceId = "eee19b7ec3c1b174".parse().unwrap();
        assert_eq!(id.to_string(), "0000000000000000eee19b7ec3c1b174");
    }

    #[test]
    fn a_trace_id_of_31_digits_is_refused_with_its_length() {
        let error = "5b8efff798038103d269b633813fc60".parse::<TraceId>().unwrap_err();
        assert!(error.to_string().contains("31 hex digits"), "{error}");
    }

    #[test]
    fn zero_ids_and_other_letters_are_refused() {
        assert_eq!("0000000000000000".parse::<SpanId>(), Err(ParseIdError::Zero("span id")));
        assert_eq!("zz00000000000000".parse::<SpanId>(), Err(ParseIdError::Digit("span id", 'z')));
        assert!(SpanId::from_slice(&[0; 8]).is_none());
        assert!(SpanId::from_slice(&[1; 7]).is_none());
    }
}
