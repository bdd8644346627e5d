//! Random conditions, each with what it says of a record.

use std::sync::Arc;

use super::fixtures::{self, Dice};
use crate::model::{KeyValue, Resource, Scope, Value};

/// A condition with what it says of a record, found the slow way.
pub(super) struct Condition<R> {
    pub(super) text: String,
    pub(super) holds: Box<dyn Fn(&R) -> bool>,
}

pub(super) fn joined<R: 'static>(dice: &mut Dice, depth: u32, leaf: fn(&mut Dice) -> Condition<R>) -> Condition<R> {
    if depth == 0 || dice.roll(3) == 0 {
        return leaf(dice);
    }
    let a = joined(dice, depth - 1, leaf);
    match dice.roll(3) {
        0 => Condition { text: format!("NOT ({})", a.text), holds: Box::new(move |r| !(a.holds)(r)) },
        kind => {
            let b = joined(dice, depth - 1, leaf);
            let text = format!("({}) {} ({})", a.text, if kind == 1 { "AND" } else { "OR" }, b.text);
            Condition {
                text,
                holds: Box::new(move |r| if kind == 1 { (a.holds)(r) && (b.holds)(r) } else { (a.holds)(r) || (b.holds)(r) }),
            }
        }
    }
}

pub(super) const KEYS: [&str; 3] = ["code", "app.x", "a key"];

fn value(dice: &mut Dice) -> Value {
    match dice.roll(7) {
        6 => Value::Bytes(vec![1]),
        0 => Value::Int(dice.roll(4).cast_signed() - 1),
        1 => Value::Bool(dice.roll(2) == 0),
        2 => Value::Double(*dice.pick(&[0.5, 1.0, -2.0, f64::NAN])),
        3 => Value::Array(vec![value(dice), Value::String("ab".to_owned())]),
        _ => Value::String(["ab", "abc", "1", "true", "", "Ab c"][dice.count(6)].to_owned()),
    }
}

/// Some attributes, now and then the same key twice.
pub(super) fn attributes(dice: &mut Dice) -> Vec<KeyValue> {
    (0..dice.roll(4)).map(|_| KeyValue { key: KEYS[dice.count(3)].to_owned(), value: value(dice) }).collect()
}

pub(super) fn resource(dice: &mut Dice) -> Arc<Resource> {
    let mut attributes = attributes(dice);
    attributes.push(fixtures::text("service.name", ["api", "pay"][dice.count(2)]));
    Arc::new(Resource { attributes, ..Resource::default() })
}

pub(super) fn scope(dice: &mut Dice) -> Arc<Scope> {
    let name = ["", "otel.http", "otel.db"][dice.count(3)].to_owned();
    Arc::new(Scope { name, version: "1.2".to_owned(), attributes: attributes(dice), ..Scope::default() })
}

/// A comparison as it is written after the field, with what it says of one value; of an array, as a whole.
type Comparison = (&'static str, fn(&Value) -> bool);

const COMPARISONS: [Comparison; 18] = [
    (":*", |_| true),
    (":ab", |v| is(v, "ab")),
    (":1", |v| is(v, "1") || number(v) == Some(1.0)),
    ("=\"1\"", |v| is(v, "1")),
    (":true,0.5", |v| is(v, "true") || *v == Value::Bool(true) || is(v, "0.5") || number(v) == Some(0.5)),
    (":ab*", |v| v.as_str().is_some_and(|text| text.starts_with("ab"))),
    (":*\\ *", |v| v.as_str().is_some_and(|text| text.contains(' '))),
    ("=\"\"", |v| is(v, "")),
    (">=1", |v| number(v).is_some_and(|n| n >= 1.0)),
    ("<0.75", |v| number(v).is_some_and(|n| n < 0.75)),
    (":0..1", |v| number(v).is_some_and(|n| (0.0..=1.0).contains(&n))),
    (":..0,2..", |v| number(v).is_some_and(|n| n <= 0.0 || n >= 2.0)),
    ("~\"(?i)^AB\"", |v| v.as_str().is_some_and(|text| text.to_lowercase().starts_with("ab"))),
    (">\"ab\"", |v| v.as_str().is_some_and(|text| text > "ab")),
    // As they are shown.
    ("=AQ==,ab", |v| is(v, "ab") || *v == Value::Bytes(vec![1])),
    (":[true\\,\\\"ab\\\"]", |v| v.to_string() == r#"[true,"ab"]"#),
    ("=\"[\\\"AQ==\\\",\\\"ab\\\"]\"", |v| v.to_string() == r#"["AQ==","ab"]"#),
    (":NaN", |v| v.to_string() == "NaN"),
];

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Double(double) => Some(*double),
        _ => None,
    }
}

fn is(value: &Value, text: &str) -> bool {
    value.as_str() == Some(text)
}

/// Whether a value, or an element of an array, passes.
fn passes(value: &Value, test: fn(&Value) -> bool, exists: bool) -> bool {
    match value {
        _ if exists => true,
        Value::Array(elements) => test(value) || elements.iter().any(|element| passes(element, test, false)),
        single => test(single),
    }
}

/// A comparison of an attribute under `key` in what `lists` gives of a record. Without any under that key the next list is looked at.
pub(super) fn attribute<R: 'static>(dice: &mut Dice, prefix: &str, lists: fn(&R) -> Vec<Vec<KeyValue>>) -> Condition<R> {
    let key = if prefix.is_empty() { "app.x" } else { KEYS[dice.count(3)] };
    let (operator, test) = *dice.pick(&COMPARISONS);
    let exists = operator == ":*";
    let written = if key.contains(' ') { format!("\"{key}\"") } else { key.to_owned() };
    let holds = move |record: &R| {
        let under = |list: &Vec<KeyValue>| list.iter().filter(|kv| kv.key == key).map(|kv| kv.value.clone()).collect::<Vec<_>>();
        let found = lists(record).iter().map(under).find(|values| !values.is_empty()).unwrap_or_default();
        found.iter().any(|value| passes(value, test, exists))
    };
    Condition { text: format!("{prefix}{written}{operator}"), holds: Box::new(holds) }
}

/// A condition with what it says of a record.
type Fixed<R> = (&'static str, fn(&R) -> bool);

pub(super) fn fixed<R: 'static>(dice: &mut Dice, all: &[Fixed<R>]) -> Condition<R> {
    let (text, holds) = *dice.pick(all);
    Condition { text: text.to_owned(), holds: Box::new(holds) }
}
