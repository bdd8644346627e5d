//! Encoded `AnyValue`s and `KeyValue`s into values.

use crate::model::{KeyValue, Value};
use crate::otlp::MAX_NESTING;
use crate::otlp::wire::{Blob, Cursor, Field, WireError};

/// What stands for a value that is nested too deep, or that has too many parts.
const ELLIPSIS: &str = "…";

/// Parts of one value beyond which the rest is left out: two bytes on the wire become dozens in memory.
const MAX_PARTS: usize = 1 << 20;

/// Decodes an encoded `AnyValue`. Bytes that are not one read as the value up to the damage.
pub(crate) fn any_value(bytes: &[u8]) -> Value {
    let mut value = Value::Empty;
    let _ = merge_any(&mut value, Blob::whole(bytes), &mut Budget::new());
    value
}

/// What may still be read of one value. Recursion is bounded by `nesting`.
#[derive(Debug)]
pub(super) struct Budget {
    nesting: usize,
    parts: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { nesting: 0, parts: MAX_PARTS }
    }

    fn take_part(&mut self) -> bool {
        self.parts = self.parts.saturating_sub(1);
        self.parts > 0
    }
}

/// Decodes one `KeyValue`.
pub(super) fn key_value(blob: Blob<'_>, budget: &mut Budget) -> Result<KeyValue, WireError> {
    let mut pair = KeyValue { key: String::new(), value: Value::Empty };
    let mut cursor = Cursor::new("KeyValue", blob);
    while let Some(field) = cursor.next()? {
        match field.number {
            1 => pair.key = text(&field)?,
            2 => merge_any(&mut pair.value, field.blob()?, budget)?,
            _ => {}
        }
    }
    Ok(pair)
}

/// A text; wrong bytes read as U+FFFD.
pub(super) fn text(field: &Field<'_>) -> Result<String, WireError> {
    Ok(String::from_utf8_lossy(field.blob()?.bytes).into_owned())
}

/// Reads the members of an `AnyValue`: the last one wins, but parts of an array or map in a row add up.
fn merge_any(value: &mut Value, blob: Blob<'_>, budget: &mut Budget) -> Result<(), WireError> {
    let mut cursor = Cursor::new("AnyValue", blob);
    while let Some(field) = cursor.next()? {
        match field.number {
            1 => *value = Value::String(text(&field)?),
            2 => *value = Value::Bool(field.varint()? != 0),
            3 => *value = Value::Int(field.varint()?.cast_signed()),
            4 => *value = Value::Double(f64::from_bits(field.fixed64()?)),
            5 | 6 if budget.nesting >= MAX_NESTING => *value = Value::String(ELLIPSIS.to_owned()),
            5 | 6 => {
                budget.nesting += 1;
                let done =
                    if field.number == 5 { merge_array(value, field.blob()?, budget) } else { merge_map(value, field.blob()?, budget) };
                budget.nesting -= 1;
                done?;
            }
            7 => *value = Value::Bytes(field.blob()?.bytes.to_vec()),
            8 => *value = Value::Empty,
            _ => {}
        }
    }
    Ok(())
}

fn merge_array(value: &mut Value, blob: Blob<'_>, budget: &mut Budget) -> Result<(), WireError> {
    if !matches!(value, Value::Array(_)) {
        *value = Value::Array(Vec::new());
    }
    let Value::Array(items) = value else { return Ok(()) };
    let mut cursor = Cursor::new("ArrayValue", blob);
    while let Some(field) = cursor.next()? {
        if field.number != 1 {
            continue;
        }
        if !budget.take_part() {
            items.push(Value::String(ELLIPSIS.to_owned()));
            return Ok(());
        }
        let mut item = Value::Empty;
        let done = merge_any(&mut item, field.blob()?, budget);
        items.push(item);
        done?;
    }
    Ok(())
}

fn merge_map(value: &mut Value, blob: Blob<'_>, budget: &mut Budget) -> Result<(), WireError> {
    if !matches!(value, Value::Map(_)) {
        *value = Value::Map(Vec::new());
    }
    let Value::Map(items) = value else { return Ok(()) };
    let mut cursor = Cursor::new("KeyValueList", blob);
    while let Some(field) = cursor.next()? {
        if field.number != 1 {
            continue;
        }
        if !budget.take_part() {
            items.push(KeyValue { key: ELLIPSIS.to_owned(), value: Value::Empty });
            return Ok(());
        }
        items.push(key_value(field.blob()?, budget)?);
    }
    Ok(())
}
