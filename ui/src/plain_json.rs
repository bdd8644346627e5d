//! Attribute values as plain JSON, for readers that want `"key": value`.
//!
//! Easy to read rather than lossless: of names that repeat, the last one stays, and bytes are base64 text. OTLP JSON keeps
//! everything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};
use storage::{KeyValue, Value};

/// One value; 64-bit integers beyond 2^53 and numbers that JSON has not become text.
pub(crate) fn value(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::String(text) => Json::String(text.clone()),
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => int(*number),
        Value::Double(number) => double(*number),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Array(values) => Json::Array(values.iter().map(self::value).collect()),
        Value::Map(pairs) => Json::Object(attributes(pairs)),
    }
}

/// Attributes as one object.
pub(crate) fn attributes(attributes: &[KeyValue]) -> Map<String, Json> {
    attributes.iter().map(|kv| (kv.key.clone(), value(&kv.value))).collect()
}

/// A number where readers that only know doubles keep it exact, else text.
pub(crate) fn int(number: i64) -> Json {
    if (-MAX_EXACT..=MAX_EXACT).contains(&number) { number.into() } else { number.to_string().into() }
}

fn double(number: f64) -> Json {
    Number::from_f64(number).map_or_else(|| Json::String(Value::Double(number).to_string()), Json::Number)
}

/// 2^53 - 1.
const MAX_EXACT: i64 = 9_007_199_254_740_991;
