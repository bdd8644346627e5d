//! `AnyValue` and `KeyValue`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use storage::{KeyValue, Value};

/// A list of attributes, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [KeyValue]);

/// One `AnyValue`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnyValue<'a>(pub(super) &'a Value);

/// Something written as text: an id, or a 64-bit integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

#[derive(Serialize)]
struct ArrayValue<'a> {
    values: Items<'a>,
}

#[derive(Serialize)]
struct KeyValueList<'a> {
    values: Attributes<'a>,
}

struct Items<'a>(&'a [Value]);

#[derive(Serialize)]
struct KeyValueJson<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

impl Attributes<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|kv| KeyValueJson { key: &kv.key, value: AnyValue(&kv.value) }))
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Value::Empty => {}
            Value::String(text) => map.serialize_entry("stringValue", text)?,
            Value::Bool(truth) => map.serialize_entry("boolValue", truth)?,
            Value::Int(number) => map.serialize_entry("intValue", &Text(number))?,
            Value::Double(number) if number.is_finite() => map.serialize_entry("doubleValue", number)?,
            Value::Double(number) => map.serialize_entry("doubleValue", not_finite(*number))?,
            Value::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
            Value::Array(values) => map.serialize_entry("arrayValue", &ArrayValue { values: Items(values) })?,
            Value::Map(pairs) => map.serialize_entry("kvlistValue", &KeyValueList { values: Attributes(pairs) })?,
        }
        map.end()
    }
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(AnyValue))
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// How proto3 JSON writes what JSON has no number for.
pub(super) fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
