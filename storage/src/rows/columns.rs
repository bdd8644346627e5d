//! Columns of a batch by name and type, and what one row has in them.

use arrow::array::{Array, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray};

use crate::attributes::{Attributes, Found};
use crate::model::{KeyValue, UnixNanos, Value};
use crate::schema::ColumnError;

use super::any_value;

/// The columns of a batch.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
}

// === impl Columns ===

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Self {
        Self { batch }
    }

    pub(super) fn long(&self, name: &str) -> Result<&'a Int64Array, ColumnError> {
        self.get(name)
    }

    pub(super) fn int(&self, name: &str) -> Result<&'a Int32Array, ColumnError> {
        self.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a StringViewArray, ColumnError> {
        self.get(name)
    }

    pub(super) fn binary(&self, name: &str) -> Result<&'a BinaryViewArray, ColumnError> {
        self.get(name)
    }

    pub(super) fn ids(&self, name: &str) -> Result<&'a FixedSizeBinaryArray, ColumnError> {
        self.get(name)
    }

    fn get<A: 'static>(&self, name: &str) -> Result<&'a A, ColumnError> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
        column.ok_or_else(|| ColumnError(name.to_owned()))
    }
}

// === reading one cell ===

/// A text; empty for null.
pub(super) fn text_at(array: &StringViewArray, row: usize) -> String {
    if array.is_valid(row) { array.value(row).to_owned() } else { String::new() }
}

/// Bytes; `None` for null.
pub(super) fn bytes_at(array: &BinaryViewArray, row: usize) -> Option<&[u8]> {
    array.is_valid(row).then(|| array.value(row))
}

/// A number that was stored from 32 bits.
pub(super) fn uint32_at(array: &Int64Array, row: usize) -> u32 {
    u32::try_from(array.value(row)).unwrap_or(0)
}

pub(super) fn time_at(array: &Int64Array, row: usize) -> UnixNanos {
    super::time(array.value(row))
}

/// All attributes, text first.
pub(super) fn attributes_at(attributes: &Attributes<'_>, row: usize) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(attributes.count(row));
    all.extend(attributes.all(row).map(|(key, found)| KeyValue {
        key: key.to_owned(),
        value: match found {
            Found::Text(text) => Value::String(text.to_owned()),
            Found::Int(int) => Value::Int(int),
            Found::Double(double) => Value::Double(double),
            Found::Bool(flag) => Value::Bool(flag),
            Found::Encoded(value) => any_value(value),
        },
    }));
    all
}
