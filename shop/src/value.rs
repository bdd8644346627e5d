//! Attribute values, short to write.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Inner;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

/// What an attribute can hold in the shop.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Texts(Vec<String>),
}

/// An attribute.
pub(crate) fn pair(key: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// A value as OTLP holds it.
pub(crate) fn any(value: impl Into<Value>) -> AnyValue {
    let inner = match value.into() {
        Value::Text(text) => Inner::StringValue(text),
        Value::Int(int) => Inner::IntValue(int),
        Value::Float(float) => Inner::DoubleValue(float),
        Value::Bool(flag) => Inner::BoolValue(flag),
        Value::Texts(texts) => Inner::ArrayValue(ArrayValue { values: texts.into_iter().map(any).collect() }),
    };
    AnyValue { value: Some(inner) }
}

// === impl Value ===

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<u16> for Value {
    fn from(int: u16) -> Self {
        Self::Int(i64::from(int))
    }
}

impl From<u64> for Value {
    fn from(int: u64) -> Self {
        Self::Int(i64::try_from(int).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}
