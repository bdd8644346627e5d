//! Attribute values: OTLP `AnyValue` without loss of type.

use std::fmt::{self, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// One value of any OTLP type. Equality of doubles is by bits, so that NaN equals itself.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// An `AnyValue` with no member set.
    #[default]
    Empty,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Double(f64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// Values in order, types may differ.
    Array(Vec<Self>),
    /// Named values in order; names may repeat.
    Map(Vec<KeyValue>),
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// The attribute's name; any text, also empty.
    pub key: String,
    /// The attribute's value.
    pub value: Value,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    /// The text, when this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// A double as lists of values and groups show it and conditions compare it: whole numbers as integers are written, others than finite
/// ones in the words of OTLP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShownDouble(pub(crate) f64);

impl fmt::Display for ShownDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() { self.0.fmt(f) } else { f.write_str(not_finite(self.0)) }
    }
}

/// The form that OTLP prescribes where only text will do: texts as they are, bytes in base64, arrays and maps in JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::String(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&BASE64_STANDARD.encode(bytes)),
            Self::Double(number) if !number.is_finite() => f.write_str(not_finite(*number)),
            other => other.write_json(f),
        }
    }
}

impl Value {
    /// Writes JSON. Recursion is as deep as the value; stored values have at most 128 levels.
    fn write_json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("null"),
            Self::String(text) => write_json_text(text, f),
            Self::Bool(is) => write!(f, "{is}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) if number.is_finite() => write!(f, "{number:?}"),
            Self::Double(number) => write!(f, "\"{}\"", not_finite(*number)),
            Self::Bytes(bytes) => write!(f, "\"{}\"", BASE64_STANDARD.encode(bytes)),
            Self::Array(items) => {
                f.write_char('[')?;
                for (place, item) in items.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    item.write_json(f)?;
                }
                f.write_char(']')
            }
            Self::Map(items) => {
                f.write_char('{')?;
                for (place, item) in items.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { "," })?;
                    write_json_text(&item.key, f)?;
                    f.write_char(':')?;
                    item.value.write_json(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn write_json_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            other if other < ' ' => write!(f, "\\u{:04x}", u32::from(other))?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value }
    }

    #[test]
    fn single_values_read_without_quotes() {
        assert_eq!(Value::String("a\"b".to_owned()).to_string(), "a\"b");
        assert_eq!(Value::Bytes(vec![1, 2, 3]).to_string(), "AQID");
        assert_eq!(Value::Double(f64::NEG_INFINITY).to_string(), "-Infinity");
        assert_eq!(Value::Double(1.0).to_string(), "1.0");
        assert_eq!(Value::Int(i64::MIN).to_string(), "-9223372036854775808");
        assert_eq!(Value::Empty.to_string(), "");
    }

    #[test]
    fn arrays_and_maps_read_as_json() {
        let array = Value::Array(vec![Value::Int(1), Value::Empty, Value::String("a\n\u{1}".to_owned()), Value::Double(f64::NAN)]);
        let map = Value::Map(vec![pair("a", array), pair("a\"", Value::Bytes(vec![255])), pair("t", Value::Bool(true))]);
        let text = map.to_string();
        assert_eq!(text, r#"{"a":[1,null,"a\n\u0001","NaN"],"a\"":"/w==","t":true}"#);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
