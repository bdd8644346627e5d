//! Columns of maps: the attributes of one type.
//!
//! Owns offsets, keys and values. What the views of keys and texts point into is in `columns.rs`.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, MapArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::columns::Blocks;

/// A column of maps with values of one type; those of texts and of bytes are views.
#[derive(Debug)]
pub(super) struct Maps<T> {
    offsets: Vec<i32>,
    keys: Vec<u128>,
    values: Vec<T>,
}

// === impl Maps ===

impl<T> Maps<T> {
    /// With room for the offsets of so many rows, and for so many entries.
    pub(super) fn with_room(rows: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, keys: Vec::with_capacity(entries), values: Vec::with_capacity(entries) }
    }

    #[inline]
    pub(super) fn push(&mut self, key: u128, item: T) {
        self.keys.push(key);
        self.values.push(item);
    }

    /// Ends the map of one row.
    #[inline]
    pub(super) fn end_row(&mut self) {
        self.offsets.push(i32::try_from(self.keys.len()).unwrap_or(i32::MAX));
    }

    /// The column; `array` makes one of the values.
    pub(super) fn finish(
        self,
        blocks: &mut Blocks,
        array: impl FnOnce(&mut Blocks, Vec<T>) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ArrayRef, ArrowError> {
        let keys = blocks.texts(self.keys, None)?;
        let values = array(blocks, self.values)?;
        let fields =
            Fields::from(vec![Field::new("key", DataType::Utf8View, false), Field::new("value", values.data_type().clone(), true)]);
        let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        Ok(Arc::new(MapArray::try_new(field, OffsetBuffer::new(ScalarBuffer::from(self.offsets)), entries, None, false)?))
    }
}
