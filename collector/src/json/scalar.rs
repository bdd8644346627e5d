//! Scalars from JSON to protobuf, and what becomes of those that do not fit.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::lexer::Token;
use super::number::{Problem, integer};
use super::schema::{Field, Kind};
use super::writer::Writer;

/// How a value fitted its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Written,
    /// Written, from the name of an enum's value.
    ByName,
    /// Written, with U+FFFD where the text was not UTF-8.
    Repaired,
    /// Left out; the item stays.
    Dropped(&'static str),
    /// The item cannot be kept as its sender meant it.
    Rejected(&'static str),
}

/// Writes a scalar that is not an id.
pub(super) fn write(field: &Field, value: &Token<'_>, writer: &mut Writer) -> Fit {
    match field.kind {
        Kind::String => match value {
            Token::String(text) => {
                let (text, repaired) = text.repair();
                writer.bytes(field.number, text.as_bytes());
                if repaired { Fit::Repaired } else { Fit::Written }
            }
            _ => Fit::Dropped("is not a string and is left out"),
        },
        Kind::Bool => match value {
            Token::True | Token::False => {
                writer.varint(field.number, u64::from(matches!(value, Token::True)));
                Fit::Written
            }
            _ => Fit::Dropped("is not true or false and is left out"),
        },
        Kind::Bytes => match value {
            Token::String(text) => bytes(field, &text.bytes(), writer),
            _ => Fit::Dropped("is not base64 and is left out"),
        },
        Kind::Double => double(field, value, writer),
        Kind::Enum(names) => enumeration(field, names, value, writer),
        Kind::Int64 => match whole(value) {
            Ok(n) => match i64::try_from(n) {
                Ok(n) => {
                    writer.varint(field.number, n.cast_unsigned());
                    Fit::Written
                }
                Err(_) => Fit::Rejected("is out of the range of 64 bits"),
            },
            Err(Problem::Fraction) => Fit::Dropped("is not a whole number and is left out"),
            Err(Problem::Range) => Fit::Rejected("is out of the range of 64 bits"),
            Err(Problem::NotANumber) => Fit::Rejected("is not a number"),
        },
        Kind::Uint32 | Kind::Fixed32 => match whole(value).ok().and_then(|n| u32::try_from(n).ok()) {
            Some(n) if matches!(field.kind, Kind::Fixed32) => {
                writer.fixed32(field.number, n);
                Fit::Written
            }
            Some(n) => {
                writer.varint(field.number, u64::from(n));
                Fit::Written
            }
            None => Fit::Rejected("is not a whole number of 32 bits without sign"),
        },
        Kind::Fixed64 => match whole(value).ok().and_then(|n| u64::try_from(n).ok()) {
            Some(n) => {
                writer.fixed64(field.number, n);
                Fit::Written
            }
            None => Fit::Rejected("is not a whole number of 64 bits without sign"),
        },
        Kind::Id(_) | Kind::LinkId(_) | Kind::Message(_) => Fit::Dropped("has a value of the wrong kind"),
    }
}

/// Writes an id from hex digits, and says whether it was one. What is not becomes an id of the wrong length.
pub(super) fn write_id(field: &Field, digits: usize, text: &[u8], writer: &mut Writer) -> bool {
    if text.is_empty() {
        return true;
    }
    let bytes = from_hex(text);
    writer.bytes(field.number, bytes.as_deref().unwrap_or(&[0xff]));
    bytes.is_some() && text.len() == digits
}

/// Writes an id of a link, whatever its length: such ids are shown as they were sent. Says whether there are bytes for it; if not,
/// nothing is written.
pub(super) fn write_link_id(field: &Field, text: &[u8], writer: &mut Writer) -> bool {
    let Some(bytes) = from_hex(text) else { return false };
    if !bytes.is_empty() {
        writer.bytes(field.number, &bytes);
    }
    true
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > MAX_ID_BYTES {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// Whether a wrong id may be one that a generic protobuf encoder wrote.
pub(super) fn looks_like_base64(text: &[u8]) -> bool {
    matches!(text.len(), 22 | 24 | 11 | 12) && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/-_=".contains(b))
}

fn bytes(field: &Field, text: &[u8], writer: &mut Writer) -> Fit {
    let standard: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    match BASE64.decode(standard) {
        Ok(value) => {
            writer.bytes(field.number, &value);
            Fit::Written
        }
        Err(_) => Fit::Dropped("is not base64 and is left out"),
    }
}

fn double(field: &Field, value: &Token<'_>, writer: &mut Writer) -> Fit {
    let parsed = match value {
        Token::Number(text) => str::from_utf8(text).ok().and_then(|text| text.parse().ok()).filter(|n: &f64| n.is_finite()),
        Token::String(text) => match &*text.decode() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // Rust reads words such as "inf" too, which JSON does not know.
            text if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => text.parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        },
        _ => None,
    };
    let Some(number) = parsed else { return Fit::Dropped("is not a number that a double holds and is left out") };
    writer.fixed64(field.number, number.to_bits());
    Fit::Written
}

fn enumeration(field: &Field, names: &[(&str, i32)], value: &Token<'_>, writer: &mut Writer) -> Fit {
    if let Token::String(text) = value {
        let text = text.decode();
        if let Some((_, number)) = names.iter().find(|(name, _)| *name == text) {
            writer.varint(field.number, i64::from(*number).cast_unsigned());
            return Fit::ByName;
        }
    }
    match whole(value) {
        Ok(n) => match i32::try_from(n) {
            Ok(n) => {
                writer.varint(field.number, i64::from(n).cast_unsigned());
                Fit::Written
            }
            Err(_) => Fit::Rejected("is out of the range of 32 bits"),
        },
        Err(_) => Fit::Dropped("is not a known value and is left out"),
    }
}

/// Whole numbers come as numbers and as strings.
fn whole(value: &Token<'_>) -> Result<i128, Problem> {
    match value {
        Token::Number(text) => integer(text),
        Token::String(text) => integer(&text.bytes()),
        _ => Err(Problem::NotANumber),
    }
}

/// No id is longer, by far.
const MAX_ID_BYTES: usize = 64;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);
