//! The attributes of records where they lie in a batch.
//!
//! The one place that knows how an attribute of a row is found in columns: readers of rows, conditions, facets, sums, SQL and the indexes of
//! segments all come here. What a value means to them is theirs. Knows nothing of files.
//!
//! A row's attributes lie in five maps, one per type. Segments may keep those of some keys in columns of their own (`attributes/layout.rs`):
//! [`Promoter`] and [`Restorer`] are the way there and back, [`Values`] reads one key and [`Texts`] all texts wherever they lie.

use std::ops::Range;

use arrow::array::{Array, ArrayAccessor, BinaryViewArray, BooleanArray, Float64Array, Int64Array, MapArray, RecordBatch, StringViewArray};

use crate::schema::{ColumnError, column};

mod layout;
mod promote;
mod restore;
mod texts;
mod values;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::layout::{FOOTER_KEY, Layout, MAX_PROMOTED, ORDER, Promoted, Type, is_promoted};
pub(crate) use self::promote::Promoter;
pub(crate) use self::restore::Restorer;
pub(crate) use self::texts::{TEXTS, Texts};
pub(crate) use self::values::Values;

/// The columns that hold a record's attributes.
pub(crate) const ATTRIBUTES: [&str; 5] = [column::ATTR_STR, column::ATTR_INT, column::ATTR_DBL, column::ATTR_BOOL, column::ATTR_ANY];

/// One attribute value where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// An encoded `AnyValue`.
    Encoded(&'a [u8]),
}

/// The attributes of the rows of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) texts: Map<'a, StringViewArray>,
    pub(crate) ints: Map<'a, Int64Array>,
    pub(crate) doubles: Map<'a, Float64Array>,
    pub(crate) bools: Map<'a, BooleanArray>,
    pub(crate) any: Map<'a, BinaryViewArray>,
}

/// The attributes of one type. Entries of a row lie together, and those of the next row behind them.
#[derive(Debug)]
pub(crate) struct Map<'a, V> {
    offsets: &'a [i32],
    pub(crate) keys: &'a StringViewArray,
    pub(crate) values: &'a V,
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// # Errors
    /// When a column is missing or has another type.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, ColumnError> {
        Ok(Self {
            texts: Map::of(batch, column::ATTR_STR)?,
            ints: Map::of(batch, column::ATTR_INT)?,
            doubles: Map::of(batch, column::ATTR_DBL)?,
            bools: Map::of(batch, column::ATTR_BOOL)?,
            any: Map::of(batch, column::ATTR_ANY)?,
        })
    }

    /// All attributes of a row, text first. An absent value reads as an empty one.
    pub(crate) fn all(&self, row: usize) -> impl Iterator<Item = (&'a str, Found<'a>)> + use<'a> {
        let others = self.any.of_row(row).map(|(key, value)| (key, Found::Encoded(value)));
        let texts = self.texts.of_row(row).map(|(key, text)| (key, Found::Text(text)));
        let ints = self.ints.of_row(row).map(|(key, int)| (key, Found::Int(int)));
        let doubles = self.doubles.of_row(row).map(|(key, double)| (key, Found::Double(double)));
        let bools = self.bools.of_row(row).map(|(key, flag)| (key, Found::Bool(flag)));
        texts.chain(ints).chain(doubles).chain(bools).chain(others)
    }

    /// How many attributes a row has.
    pub(crate) fn count(&self, row: usize) -> usize {
        let Self { texts, ints, doubles, bools, any } = self;
        let rows = row..row + 1;
        texts.entries(&rows).len()
            + ints.entries(&rows).len()
            + doubles.entries(&rows).len()
            + bools.entries(&rows).len()
            + any.entries(&rows).len()
    }
}

// === impl Map ===

impl<V> Clone for Map<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Map<'_, V> {}

impl<'a, V: Array + 'static> Map<'a, V> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, ColumnError> {
        let map = batch.column_by_name(name).and_then(|array| array.as_any().downcast_ref::<MapArray>());
        let parts = map.and_then(|map| {
            let (keys, values) = (map.keys().as_any().downcast_ref()?, map.values().as_any().downcast_ref()?);
            Some(Self { offsets: map.value_offsets(), keys, values })
        });
        parts.ok_or_else(|| ColumnError(name.to_owned()))
    }

    /// Places of the entries of some rows.
    pub(crate) fn entries(&self, rows: &Range<usize>) -> Range<usize> {
        let at = |row: usize| self.offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        at(rows.start)..at(rows.end)
    }

    fn of_row(&self, row: usize) -> impl Iterator<Item = (&'a str, <&'a V as ArrayAccessor>::Item)> + use<'a, V>
    where
        &'a V: ArrayAccessor,
    {
        let Self { keys, values, .. } = *self;
        self.entries(&(row..row + 1)).map(move |at| (keys.value(at), values.value(at)))
    }

    /// Values under a key; absent ones are left out.
    fn under<'k>(&self, row: usize, key: &'k str) -> impl Iterator<Item = <&'a V as ArrayAccessor>::Item> + use<'a, 'k, V>
    where
        &'a V: ArrayAccessor,
    {
        let Self { keys, values, .. } = *self;
        // A view begins with the length: most keys differ there already.
        let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let is_it = move |at: &usize| {
            let view = keys.views().get(*at).copied().unwrap_or_default();
            view & u128::from(u32::MAX) == u128::from(length) && keys.value(*at) == key && values.is_valid(*at)
        };
        self.entries(&(row..row + 1)).filter(is_it).map(move |at| values.value(at))
    }
}
