//! Columns of a batch by name and type, and attribute maps.

use arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, MapArray, RecordBatch,
    StringViewArray,
};

use crate::model::{KeyValue, UnixNanos, Value};
use crate::schema::column;

use super::any_value;

/// A batch lacks a column that its table has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {0} is missing or has another type than its table says")]
pub(crate) struct RowError(String);

/// The columns of a batch.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
}

/// The five attribute maps of a batch.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    texts: TypedMap<'a, StringViewArray>,
    ints: TypedMap<'a, Int64Array>,
    doubles: TypedMap<'a, Float64Array>,
    bools: TypedMap<'a, BooleanArray>,
    any: TypedMap<'a, BinaryViewArray>,
}

#[derive(Debug)]
struct TypedMap<'a, V> {
    offsets: &'a [i32],
    keys: &'a StringViewArray,
    values: &'a V,
}

// === impl Columns ===

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Self {
        Self { batch }
    }

    pub(super) fn long(&self, name: &str) -> Result<&'a Int64Array, RowError> {
        self.get(name)
    }

    pub(super) fn int(&self, name: &str) -> Result<&'a Int32Array, RowError> {
        self.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a StringViewArray, RowError> {
        self.get(name)
    }

    pub(super) fn binary(&self, name: &str) -> Result<&'a BinaryViewArray, RowError> {
        self.get(name)
    }

    pub(super) fn ids(&self, name: &str) -> Result<&'a FixedSizeBinaryArray, RowError> {
        self.get(name)
    }

    fn get<A: 'static>(&self, name: &str) -> Result<&'a A, RowError> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
        column.ok_or_else(|| RowError(name.to_owned()))
    }

    fn map<V: 'static>(&self, name: &str) -> Result<TypedMap<'a, V>, RowError> {
        let map: &MapArray = self.get(name)?;
        let keys = map.keys().as_any().downcast_ref();
        let values = map.values().as_any().downcast_ref();
        match (keys, values) {
            (Some(keys), Some(values)) => Ok(TypedMap { offsets: map.value_offsets(), keys, values }),
            _ => Err(RowError(name.to_owned())),
        }
    }
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    pub(super) fn new(columns: &Columns<'a>) -> Result<Self, RowError> {
        Ok(Self {
            texts: columns.map(column::ATTR_STR)?,
            ints: columns.map(column::ATTR_INT)?,
            doubles: columns.map(column::ATTR_DBL)?,
            bools: columns.map(column::ATTR_BOOL)?,
            any: columns.map(column::ATTR_ANY)?,
        })
    }

    /// The attributes of one row.
    pub(super) fn at(&self, row: usize) -> Vec<KeyValue> {
        let mut out =
            Vec::with_capacity(self.texts.len(row) + self.ints.len(row) + self.doubles.len(row) + self.bools.len(row) + self.any.len(row));
        self.texts.read(row, &mut out, |values, at| Value::String(values.value(at).to_owned()));
        self.ints.read(row, &mut out, |values, at| Value::Int(values.value(at)));
        self.doubles.read(row, &mut out, |values, at| Value::Double(values.value(at)));
        self.bools.read(row, &mut out, |values, at| Value::Bool(values.value(at)));
        self.any.read(row, &mut out, |values, at| any_value(values.value(at)));
        out
    }
}

impl<V> TypedMap<'_, V> {
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let at = |row: usize| self.offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        at(row)..at(row + 1)
    }

    fn len(&self, row: usize) -> usize {
        self.range(row).len()
    }

    fn read(&self, row: usize, out: &mut Vec<KeyValue>, value: impl Fn(&V, usize) -> Value) {
        for at in self.range(row) {
            out.push(KeyValue { key: self.keys.value(at).to_owned(), value: value(self.values, at) });
        }
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
