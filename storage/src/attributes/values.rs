//! The values of one key, wherever they lie.

use arrow::array::{Array, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringViewArray};

use super::layout::column_of;
use super::{Found, Map};
use crate::encoded::{self, Any};
use crate::schema::{ColumnError, column};

/// The values of one key in the rows of a batch, which has all attributes or was read for this key
/// ([`crate::segment::Segment::read_keys`]). A map that is not there has none.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    key: &'a str,
    promoted: Option<Column<'a>>,
    texts: Option<Map<'a, StringViewArray>>,
    ints: Option<Map<'a, Int64Array>>,
    doubles: Option<Map<'a, Float64Array>>,
    bools: Option<Map<'a, BooleanArray>>,
    any: Option<Map<'a, BinaryViewArray>>,
}

/// A column of values of one key.
#[derive(Debug)]
enum Column<'a> {
    Texts(&'a StringViewArray),
    Ints(&'a Int64Array),
    Doubles(&'a Float64Array),
    Bools(&'a BooleanArray),
}

impl<'a> Values<'a> {
    /// # Errors
    /// When a column has another type than its name says.
    pub(crate) fn of(batch: &'a RecordBatch, key: &'a str) -> Result<Self, ColumnError> {
        Ok(Self {
            key,
            promoted: Column::of(batch, key)?,
            texts: map(batch, column::ATTR_STR)?,
            ints: map(batch, column::ATTR_INT)?,
            doubles: map(batch, column::ATTR_DBL)?,
            bools: map(batch, column::ATTR_BOOL)?,
            any: map(batch, column::ATTR_ANY)?,
        })
    }

    /// The values of several keys.
    pub(crate) fn of_each(batch: &'a RecordBatch, keys: &'a [String]) -> Result<Vec<Self>, ColumnError> {
        keys.iter().map(|key| Self::of(batch, key)).collect()
    }

    /// Calls `each` for every value of a row, text first, until it returns true. Says whether it did, and whether there was a value: an
    /// attribute that was sent without one has none.
    pub(crate) fn any(&self, row: usize, mut each: impl FnMut(Found<'a>) -> bool) -> (bool, bool) {
        let mut present = false;
        let mut see = |found| {
            present = true;
            each(found)
        };
        // In a row of which some values of the key are promoted and others are not, these are of other types.
        let hit = self.promoted.as_ref().and_then(|column| column.at(row)).is_some_and(&mut see)
            || self.texts.is_some_and(|texts| texts.under(row, self.key).any(|text| see(Found::Text(text))))
            || self.ints.is_some_and(|ints| ints.under(row, self.key).any(|int| see(Found::Int(int))))
            || self.doubles.is_some_and(|doubles| doubles.under(row, self.key).any(|double| see(Found::Double(double))))
            || self.bools.is_some_and(|bools| bools.under(row, self.key).any(|flag| see(Found::Bool(flag))))
            || self.any.is_some_and(|any| {
                any.under(row, self.key).filter(|value| encoded::any(value) != Any::Empty).any(|value| see(Found::Encoded(value)))
            });
        (hit, present)
    }
}

fn map<'a, V: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<Option<Map<'a, V>>, ColumnError> {
    if batch.schema_ref().index_of(name).is_ok() { Map::of(batch, name).map(Some) } else { Ok(None) }
}

impl<'a> Column<'a> {
    fn of(batch: &'a RecordBatch, key: &str) -> Result<Option<Self>, ColumnError> {
        let name = column_of(key);
        let Some(array) = batch.column_by_name(&name) else { return Ok(None) };
        let array = array.as_any();
        let texts = array.downcast_ref().map(Self::Texts);
        let column = texts
            .or_else(|| array.downcast_ref().map(Self::Ints))
            .or_else(|| array.downcast_ref().map(Self::Doubles))
            .or_else(|| array.downcast_ref().map(Self::Bools));
        column.map(Some).ok_or(ColumnError(name))
    }

    fn at(&self, row: usize) -> Option<Found<'a>> {
        match self {
            Self::Texts(texts) => texts.is_valid(row).then(|| Found::Text(texts.value(row))),
            Self::Ints(ints) => ints.is_valid(row).then(|| Found::Int(ints.value(row))),
            Self::Doubles(doubles) => doubles.is_valid(row).then(|| Found::Double(doubles.value(row))),
            Self::Bools(bools) => bools.is_valid(row).then(|| Found::Bool(bools.value(row))),
        }
    }
}
