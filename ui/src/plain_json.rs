//! Attribute values as plain JSON, for readers that want `"key": value`.
//!
//! Easy to read rather than exact in types: bytes are base64 text, for example. No value is left out. A name that repeats has its last value
//! among the others, and all of them in [`Attributes::repeated`]; a map inside of a value whose names repeat is a list of objects of one
//! name each. OTLP JSON keeps everything.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Number, Value as Json};
use storage::{KeyValue, Value};

/// Attributes as fields of an answer.
#[derive(Debug, Serialize)]
pub(crate) struct Attributes {
    attributes: Map<String, Json>,
    #[serde(rename = "repeated_attributes", skip_serializing_if = "Map::is_empty")]
    repeated: Map<String, Json>,
}

impl Attributes {
    pub(crate) fn of(attributes: &[KeyValue]) -> Self {
        Self { attributes: self::attributes(attributes), repeated: repeated(attributes) }
    }
}

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
        Value::Map(pairs) if repeated_names(pairs).is_empty() => Json::Object(attributes(pairs)),
        Value::Map(pairs) => Json::Array(pairs.iter().map(|pair| Json::Object(attributes(std::slice::from_ref(pair)))).collect()),
    }
}

/// Attributes as one object.
pub(crate) fn attributes(attributes: &[KeyValue]) -> Map<String, Json> {
    attributes.iter().map(|kv| (kv.key.clone(), value(&kv.value))).collect()
}

/// Names that come more than once, each with all of its values in order.
pub(crate) fn repeated(attributes: &[KeyValue]) -> Map<String, Json> {
    let mut all: BTreeMap<&str, Vec<Json>> = repeated_names(attributes).into_iter().map(|name| (name, Vec::new())).collect();
    if !all.is_empty() {
        for kv in attributes {
            all.entry(&kv.key).and_modify(|values| values.push(value(&kv.value)));
        }
    }
    all.into_iter().map(|(name, values)| (name.to_owned(), Json::Array(values))).collect()
}

fn repeated_names(attributes: &[KeyValue]) -> HashSet<&str> {
    let mut names = HashSet::with_capacity(attributes.len());
    attributes.iter().map(|kv| kv.key.as_str()).filter(|name| !names.insert(*name)).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::kv;

    #[test]
    fn every_value_of_a_name_that_repeats_is_given() {
        let pairs = [kv("a", Value::Int(1)), kv("b", Value::Bool(true)), kv("a", Value::String("x".to_owned()))];
        let nested = [kv("a", Value::Int(7)), kv("m", Value::Map(pairs.to_vec()))];
        let given = |attributes: &[KeyValue]| serde_json::to_value(Attributes::of(attributes)).unwrap();
        assert_eq!(given(&pairs), json!({ "attributes": { "a": "x", "b": true }, "repeated_attributes": { "a": [1, "x"] } }));
        assert_eq!(given(&nested), json!({ "attributes": { "a": 7, "m": [{ "a": 1 }, { "b": true }, { "a": "x" }] } }));
        assert_eq!(given(&pairs[..2]), json!({ "attributes": { "a": 1, "b": true } }));
    }
}
