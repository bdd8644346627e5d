//! Attribute values: OTLP `AnyValue` without loss of type.

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
