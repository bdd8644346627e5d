//! All texts among the attributes of rows, whatever their keys and wherever they lie.

use std::ops::Range;

use arrow::array::{RecordBatch, StringViewArray};

use super::Map;
use super::layout::is_promoted;
use crate::schema::{ColumnError, column};

/// Asks for what holds these texts, in place of the name of a column: their map as it is stored, and the columns of promoted texts. No
/// table has a column of this name.
pub(crate) const TEXTS: &str = "texts of attributes";

/// The texts in a batch that has all attributes or was read for [`TEXTS`].
#[derive(Debug)]
pub(crate) struct Texts<'a> {
    map: Map<'a, StringViewArray>,
    promoted: Vec<&'a StringViewArray>,
}

impl<'a> Texts<'a> {
    /// # Errors
    /// When their map is missing.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, ColumnError> {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let promoted = columns.filter(|(field, _)| is_promoted(field.name())).filter_map(|(_, array)| array.as_any().downcast_ref());
        Ok(Self { map: Map::of(batch, column::ATTR_STR)?, promoted: promoted.collect() })
    }

    /// Columns with at most one text of each row; null where it has none.
    pub(crate) fn columns(&self) -> &[&'a StringViewArray] {
        &self.promoted
    }

    /// The other texts, those of a row side by side.
    pub(crate) fn rest(&self) -> &'a StringViewArray {
        self.map.values
    }

    /// Which of [`Self::rest`] are of a row.
    pub(crate) fn rest_of(&self, row: usize) -> Range<usize> {
        self.map.entries(&(row..row + 1))
    }
}
