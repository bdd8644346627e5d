//! Typed access to the columns of a batch, and to attributes inside their maps.
//!
//! Knows the types that `schema` lays down, and says so when a batch has others.

use std::ops::Range;

use arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, MapArray, RecordBatch,
    StringViewArray,
};

use super::question::QueryError;
use crate::model::{SpanId, TraceId};
use crate::schema::column;

fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, QueryError> {
    batch
        .column_by_name(name)
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or_else(|| QueryError::Internal(format!("column {name} is missing or has an unknown type")))
}

pub(super) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray, QueryError> {
    typed(batch, name)
}

pub(super) fn binary<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a BinaryViewArray, QueryError> {
    typed(batch, name)
}

pub(super) fn long<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, QueryError> {
    typed(batch, name)
}

pub(super) fn int<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int32Array, QueryError> {
    typed(batch, name)
}

pub(super) fn id<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FixedSizeBinaryArray, QueryError> {
    typed(batch, name)
}

/// Times and durations are unsigned, kept in signed columns bit by bit.
pub(super) fn nanos(array: &Int64Array, row: usize) -> u64 {
    array.value(row).cast_unsigned()
}

pub(super) fn trace_id(array: &FixedSizeBinaryArray, row: usize) -> Option<TraceId> {
    if array.is_null(row) { None } else { TraceId::from_slice(array.value(row)) }
}

pub(super) fn span_id(array: &FixedSizeBinaryArray, row: usize) -> Option<SpanId> {
    if array.is_null(row) { None } else { SpanId::from_slice(array.value(row)) }
}

/// Text of a row; empty when null.
pub(super) fn text_or_empty(array: &StringViewArray, row: usize) -> &str {
    if array.is_null(row) { "" } else { array.value(row) }
}

/// The columns that hold a record's attributes.
pub(super) const ATTRIBUTES: [&str; 5] = [column::ATTR_STR, column::ATTR_INT, column::ATTR_DBL, column::ATTR_BOOL, column::ATTR_ANY];

/// One attribute value where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// An encoded `AnyValue`.
    Encoded(&'a [u8]),
}

/// The five attribute maps of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a> {
    text: Entries<'a, StringViewArray>,
    int: Entries<'a, Int64Array>,
    double: Entries<'a, Float64Array>,
    boolean: Entries<'a, BooleanArray>,
    any: Entries<'a, BinaryViewArray>,
}

#[derive(Debug)]
struct Entries<'a, V> {
    offsets: &'a [i32],
    keys: &'a StringViewArray,
    values: &'a V,
}

impl<V> Clone for Entries<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Entries<'_, V> {}

impl<'a> Attributes<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self {
            text: Entries::of(batch, column::ATTR_STR)?,
            int: Entries::of(batch, column::ATTR_INT)?,
            double: Entries::of(batch, column::ATTR_DBL)?,
            boolean: Entries::of(batch, column::ATTR_BOOL)?,
            any: Entries::of(batch, column::ATTR_ANY)?,
        })
    }

    /// Calls `each` for every value under `key` until it returns true. Says whether it did, and whether there was a value.
    pub(super) fn any_under(&self, row: usize, key: &str, mut each: impl FnMut(Found<'a>) -> bool) -> (bool, bool) {
        let mut present = false;
        let mut see = |found| {
            present = true;
            each(found)
        };
        let hit = self.text.under(row, key).any(|i| see(Found::Text(self.text.values.value(i))))
            || self.int.under(row, key).any(|i| see(Found::Int(self.int.values.value(i))))
            || self.double.under(row, key).any(|i| see(Found::Double(self.double.values.value(i))))
            || self.boolean.under(row, key).any(|i| see(Found::Bool(self.boolean.values.value(i))))
            || self.any.under(row, key).any(|i| see(Found::Encoded(self.any.values.value(i))));
        (hit, present)
    }

    /// All attributes of a row, text first.
    pub(super) fn all(&self, row: usize) -> impl Iterator<Item = (&'a str, Found<'a>)> + use<'a> {
        let Self { text, int, double, boolean, any } = *self;
        let texts = text.rows(row).map(move |i| (text.keys.value(i), Found::Text(text.values.value(i))));
        let ints = int.rows(row).map(move |i| (int.keys.value(i), Found::Int(int.values.value(i))));
        let doubles = double.rows(row).map(move |i| (double.keys.value(i), Found::Double(double.values.value(i))));
        let booleans = boolean.rows(row).map(move |i| (boolean.keys.value(i), Found::Bool(boolean.values.value(i))));
        let others = any.rows(row).map(move |i| (any.keys.value(i), Found::Encoded(any.values.value(i))));
        texts.chain(ints).chain(doubles).chain(booleans).chain(others)
    }

    /// Texts among the attributes of a row.
    pub(super) fn texts(&self, row: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let text = self.text;
        text.rows(row).map(move |i| text.values.value(i))
    }
}

impl<'a, V: Array + 'static> Entries<'a, V> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, QueryError> {
        let map: &MapArray = typed(batch, name)?;
        let unknown = || QueryError::Internal(format!("column {name} has unknown types inside"));
        Ok(Self {
            offsets: map.value_offsets(),
            keys: map.keys().as_any().downcast_ref().ok_or_else(unknown)?,
            values: map.values().as_any().downcast_ref().ok_or_else(unknown)?,
        })
    }

    fn rows(&self, row: usize) -> Range<usize> {
        let bound = |i| self.offsets.get(i).map_or(0, |offset: &i32| usize::try_from(*offset).unwrap_or(0));
        bound(row)..bound(row + 1)
    }

    fn under<'k>(&self, row: usize, key: &'k str) -> impl Iterator<Item = usize> + use<'a, 'k, V> {
        let Self { keys, values, .. } = *self;
        // A view begins with the length: most keys differ there already.
        let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
        self.rows(row).filter(move |i| {
            let view = keys.views().get(*i).copied().unwrap_or_default();
            view & u128::from(u32::MAX) == u128::from(length) && keys.value(*i) == key && values.is_valid(*i)
        })
    }
}
