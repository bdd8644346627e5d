//! Columns of maps: the attributes of one type.
//!
//! Owns offsets, keys and values. What the views of keys and texts point into is in `columns.rs`.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, BooleanArray, Float64Array, Int64Array, MapArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::columns::Blocks;

/// A column of maps with values of one type.
#[derive(Debug)]
pub(super) struct Maps<V> {
    offsets: Vec<i32>,
    keys: Vec<u128>,
    values: V,
}

/// Values of a map column.
pub(super) trait Values {
    type Item;
    fn with_room(entries: usize) -> Self;
    fn push(&mut self, item: Self::Item);
    fn finish(self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError>;
}

/// Values that are texts.
#[derive(Debug)]
pub(super) struct Texts(Vec<u128>);

/// Values that are bytes.
#[derive(Debug)]
pub(super) struct Binaries(Vec<u128>);

// === impl Maps ===

impl<V: Values> Maps<V> {
    /// With room for the offsets of so many rows, and for so many entries.
    pub(super) fn with_room(rows: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, keys: Vec::with_capacity(entries), values: V::with_room(entries) }
    }

    #[inline]
    pub(super) fn push(&mut self, key: u128, item: V::Item) {
        self.keys.push(key);
        self.values.push(item);
    }

    /// Ends the map of one row.
    #[inline]
    pub(super) fn end_row(&mut self) {
        self.offsets.push(i32::try_from(self.keys.len()).unwrap_or(i32::MAX));
    }

    pub(super) fn finish(self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        let keys = blocks.texts(self.keys, None)?;
        let values = self.values.finish(blocks)?;
        let fields =
            Fields::from(vec![Field::new("key", DataType::Utf8View, false), Field::new("value", values.data_type().clone(), true)]);
        let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        Ok(Arc::new(MapArray::try_new(field, OffsetBuffer::new(ScalarBuffer::from(self.offsets)), entries, None, false)?))
    }
}

impl Values for Texts {
    type Item = u128;
    fn with_room(entries: usize) -> Self {
        Self(Vec::with_capacity(entries))
    }
    fn push(&mut self, view: u128) {
        self.0.push(view);
    }
    fn finish(self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        blocks.texts(self.0, None)
    }
}

impl Values for Binaries {
    type Item = u128;
    fn with_room(entries: usize) -> Self {
        Self(Vec::with_capacity(entries))
    }
    fn push(&mut self, view: u128) {
        self.0.push(view);
    }
    fn finish(self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        blocks.binaries(self.0, None)
    }
}

impl Values for Vec<i64> {
    type Item = i64;
    fn with_room(entries: usize) -> Self {
        Self::with_capacity(entries)
    }
    fn push(&mut self, item: i64) {
        Self::push(self, item);
    }
    fn finish(self, _: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Int64Array::from(self)))
    }
}

impl Values for Vec<f64> {
    type Item = f64;
    fn with_room(entries: usize) -> Self {
        Self::with_capacity(entries)
    }
    fn push(&mut self, item: f64) {
        Self::push(self, item);
    }
    fn finish(self, _: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Float64Array::from(self)))
    }
}

impl Values for Vec<bool> {
    type Item = bool;
    fn with_room(entries: usize) -> Self {
        Self::with_capacity(entries)
    }
    fn push(&mut self, item: bool) {
        Self::push(self, item);
    }
    fn finish(self, _: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(BooleanArray::from(self)))
    }
}
