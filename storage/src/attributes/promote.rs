//! Moves values from maps to columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, MapArray, RecordBatch, StringViewArray, StructArray, UInt32Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::ATTRIBUTES;
use super::layout::{Layout, Type};
use crate::schema::column;

/// Writes the rows of a table in a layout.
#[derive(Debug)]
pub(crate) struct Promoter {
    layout: Layout,
    schema: SchemaRef,
    /// Length and first four bytes of each key: most differ there already.
    heads: Vec<u64>,
}

/// One map on its way into columns.
struct Moving<'a> {
    of: Type,
    /// Which column of the batch it is.
    at: usize,
    map: &'a MapArray,
    keys: &'a StringViewArray,
    moved: Moved,
    /// Whether anything was moved.
    moves: bool,
    /// Places of what stays.
    kept: Vec<u32>,
    offsets: Vec<i32>,
}

/// Per column of the layout: place of each row's value in the map, or none.
type Moved = Vec<Option<Vec<Option<u32>>>>;

/// Places in a map beyond this are not moved: they are written in one byte.
const MAX_PLACE: usize = 255;

// === impl Promoter ===

impl Promoter {
    /// Of rows that have the columns of `table`.
    pub(crate) fn new(table: &SchemaRef, layout: Layout) -> Self {
        let heads = layout.columns().iter().map(|column| head_of(&column.key)).collect();
        Self { schema: layout.schema(table), layout, heads }
    }

    /// The layout, with what the rows so far say of it.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The columns of the rows that it gives.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of another segment of the same columns are there too.
    pub(crate) fn join(&mut self, other: &Layout) {
        self.layout.join(other);
    }

    /// The rows of `batch`, which has the columns of the table, in the layout.
    pub(crate) fn promote(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.layout.is_plain() {
            return Ok(batch.clone());
        }
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        let mut maps = Vec::with_capacity(ATTRIBUTES.len());
        for name in ATTRIBUTES {
            let at = batch.schema_ref().index_of(name)?;
            let map = batch.column(at).as_map_opt().ok_or_else(|| ArrowError::SchemaError(format!("{name} is no map")))?;
            let keys = map.keys().as_string_view_opt().ok_or_else(|| ArrowError::SchemaError(format!("keys of {name} are no texts")))?;
            match Type::of_map(name) {
                Some(of) => maps.push(Moving::new(&self.layout, of, at, map, keys)),
                None => {
                    debug_assert_eq!(name, column::ATTR_ANY, "the one map without a type");
                    (entries(map, 0).start..entries(map, rows).start).for_each(|place| self.stays(keys, place));
                }
            }
        }
        let mut orders = BinaryViewBuilder::with_capacity(rows);
        let mut order = Vec::new();
        for row in 0..rows {
            order.clear();
            maps.iter_mut().for_each(|moving| self.divide(moving, row, &mut order));
            orders.append_option((!order.is_empty()).then_some(&order));
        }
        let mut promoted: Vec<Option<ArrayRef>> = vec![None; self.layout.columns().len()];
        for moving in maps {
            let (map, at) = (moving.map, moving.at);
            let (moved, rest) = moving.finish()?;
            if let (Some(column), Some(rest)) = (columns.get_mut(at), rest) {
                *column = rest;
            }
            for (column, places) in promoted.iter_mut().zip(moved) {
                if let Some(places) = places {
                    *column = Some(take(map.values(), &UInt32Array::from(places), None)?);
                }
            }
        }
        columns.push(Arc::new(orders.finish()));
        columns.extend(promoted.into_iter().flatten());
        RecordBatch::try_new(self.schema.clone(), columns)
    }

    /// Tells entries of a row that go to columns from those that stay.
    fn divide(&mut self, moving: &mut Moving<'_>, row: usize, order: &mut Vec<u8>) {
        let (map, keys) = (moving.map, moving.keys);
        let entries = entries(map, row);
        for place in entries.clone() {
            let within = place - entries.start;
            let column = if map.values().is_valid(place) { self.column(moving.of, keys, place) } else { None };
            match column.filter(|_| within <= MAX_PLACE).filter(|column| moving.take(*column, row, place)) {
                Some(column) => order.extend([u8::try_from(column).unwrap_or(u8::MAX), u8::try_from(within).unwrap_or(u8::MAX)]),
                None => {
                    self.stays(keys, place);
                    moving.kept.push(u32::try_from(place).unwrap_or(u32::MAX));
                }
            }
        }
        moving.offsets.push(i32::try_from(moving.kept.len()).unwrap_or(i32::MAX));
    }

    /// The column for an entry of a map.
    fn column(&self, of: Type, keys: &StringViewArray, place: usize) -> Option<usize> {
        self.known(keys, place).filter(|at| self.layout.columns().get(*at).is_some_and(|column| column.of == of))
    }

    /// Notes that an entry stays in its map.
    fn stays(&mut self, keys: &StringViewArray, place: usize) {
        if let Some(at) = self.known(keys, place) {
            self.layout.is_not_whole(at);
        }
    }

    /// The column that has the key of an entry, whatever its type.
    fn known(&self, keys: &StringViewArray, place: usize) -> Option<usize> {
        let head = head(keys.views().get(place).copied().unwrap_or_default());
        let same = |at: &usize| self.layout.columns().get(*at).is_some_and(|column| column.key == keys.value(place));
        self.heads.iter().enumerate().filter(|(_, known)| **known == head).map(|(at, _)| at).find(same)
    }
}

// === impl Moving ===

impl<'a> Moving<'a> {
    fn new(layout: &Layout, of: Type, at: usize, map: &'a MapArray, keys: &'a StringViewArray) -> Self {
        let rows = map.len();
        let moved = layout.columns().iter().map(|column| (column.of == of).then(|| vec![None; rows])).collect();
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { of, at, map, keys, moved, moves: false, kept: Vec::with_capacity(keys.len()), offsets }
    }

    /// Moves an entry; false when the row has a value in the column already.
    fn take(&mut self, column: usize, row: usize, place: usize) -> bool {
        let cell = self.moved.get_mut(column).and_then(Option::as_mut).and_then(|places| places.get_mut(row));
        match cell {
            Some(cell @ None) => {
                *cell = u32::try_from(place).ok();
                self.moves |= cell.is_some();
                cell.is_some()
            }
            _ => false,
        }
    }

    /// What was moved, and the map of what stays; `None` when everything does.
    fn finish(self) -> Result<(Moved, Option<ArrayRef>), ArrowError> {
        let DataType::Map(field, sorted) = self.map.data_type() else { return Ok((self.moved, None)) };
        if !self.moves {
            return Ok((self.moved, None));
        }
        let kept = UInt32Array::from(self.kept);
        let entries = self.map.entries();
        let parts = entries.columns().iter().map(|part| take(part, &kept, None)).collect::<Result<Vec<_>, _>>()?;
        let entries = StructArray::try_new(entries.fields().clone(), parts, None)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok((self.moved, Some(Arc::new(MapArray::try_new(field.clone(), offsets, entries, None, *sorted)?))))
    }
}

/// Places of the entries of a row.
pub(super) fn entries(map: &MapArray, row: usize) -> Range<usize> {
    let at = |row: usize| map.value_offsets().get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    at(row)..at(row + 1)
}

fn head(view: u128) -> u64 {
    u64::try_from(view & u128::from(u64::MAX)).unwrap_or(0)
}

fn head_of(key: &str) -> u64 {
    let mut first = [0; 4];
    first.iter_mut().zip(key.bytes()).for_each(|(to, from)| *to = from);
    u64::from(u32::try_from(key.len()).unwrap_or(u32::MAX)) | (u64::from(u32::from_le_bytes(first)) << 32)
}
