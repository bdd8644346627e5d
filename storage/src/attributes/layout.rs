//! Which attributes a segment keeps in columns of their own.
//!
//! The columns `attr_order` and `a:<key>` follow those of the table. `a:<key>` has the values of one key and one type, null where a row has
//! none. A value that is there is not in the map of its type. `attr_order` says where it was: two bytes for each value of a row that lies in
//! a column, the number of the column and the place among the row's attributes of that type; null where a row has none.
//!
//! The footer of the Parquet file lists the columns in order, as JSON under `throughline.promoted`:
//! `[{"key":"http.route","type":"text","whole":true}]`. `whole` says that no row of the segment has the key in a map. A footer without the
//! entry is that of a segment without such columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::schema::column;

/// The columns of promoted attributes, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Layout {
    columns: Vec<Promoted>,
}

/// One promoted attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Promoted {
    /// The key.
    pub(crate) key: String,
    /// Values of this type are in the column.
    #[serde(rename = "type")]
    pub(crate) of: Type,
    /// Whether all values of the key are in the column.
    pub(crate) whole: bool,
}

/// Types of values that have a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Text,
    Int,
    Double,
    Bool,
}

/// Columns of one segment. Each costs a page whenever a trace is read.
pub(crate) const MAX_PROMOTED: usize = 12;
/// Key of the footer's entry.
pub(crate) const FOOTER_KEY: &str = "throughline.promoted";
/// Where promoted values were in their maps.
pub(crate) const ORDER: &str = "attr_order";
const PREFIX: &str = "a:";

// === impl Layout ===

impl Layout {
    /// Columns for these keys; the first of a key counts, and no more than [`MAX_PROMOTED`].
    pub(crate) fn new(keys: impl IntoIterator<Item = (String, Type)>) -> Self {
        let mut columns: Vec<Promoted> = Vec::new();
        for (key, of) in keys {
            if columns.len() < MAX_PROMOTED && columns.iter().all(|known| known.key != key) {
                columns.push(Promoted { key, of, whole: true });
            }
        }
        columns.sort_unstable();
        Self { columns }
    }

    /// Reads the footer's entry; `None` when it makes no sense.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let layout: Self = serde_json::from_str(text).ok()?;
        let sorted = layout.columns.iter().zip(layout.columns.iter().skip(1)).all(|(one, next)| one.key < next.key);
        (sorted && layout.columns.len() <= MAX_PROMOTED).then_some(layout)
    }

    /// The footer's entry; `None` when there is nothing to say.
    pub(crate) fn written(&self) -> Option<String> {
        if self.is_plain() { None } else { serde_json::to_string(self).ok() }
    }

    /// Whether no attribute has a column.
    pub(crate) fn is_plain(&self) -> bool {
        self.columns.is_empty()
    }

    pub(crate) fn columns(&self) -> &[Promoted] {
        &self.columns
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Promoted> {
        self.columns.binary_search_by(|column| column.key.as_str().cmp(key)).ok().and_then(|at| self.columns.get(at))
    }

    /// Whether both have the same columns, so that one's rows can be copied as the other's.
    pub(crate) fn has_columns_of(&self, other: &Self) -> bool {
        let names = |layout: &Self| layout.columns.iter().map(|column| (column.key.clone(), column.of)).collect::<Vec<_>>();
        names(self) == names(other)
    }

    /// The same columns for other rows.
    pub(crate) fn renewed(&self) -> Self {
        Self { columns: self.columns.iter().map(|column| Promoted { whole: true, ..column.clone() }).collect() }
    }

    /// Notes of a column that not all values of its key are in it.
    pub(super) fn is_not_whole(&mut self, at: usize) {
        if let Some(column) = self.columns.get_mut(at) {
            column.whole = false;
        }
    }

    /// Rows of `other`, which has the same columns, are added.
    pub(crate) fn join(&mut self, other: &Self) {
        for (column, theirs) in self.columns.iter_mut().zip(&other.columns) {
            column.whole &= theirs.whole;
        }
    }

    /// The columns of a segment of this layout, whose other columns are `table`.
    pub(crate) fn schema(&self, table: &SchemaRef) -> SchemaRef {
        if self.is_plain() {
            return table.clone();
        }
        let mut fields: Vec<Arc<Field>> = table.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ORDER, DataType::BinaryView, true)));
        fields.extend(self.columns.iter().map(|column| Arc::new(Field::new(column.name(), column.of.data_type(), true))));
        Arc::new(Schema::new(fields))
    }
}

// === impl Promoted ===

impl Promoted {
    /// Of the column.
    pub(crate) fn name(&self) -> String {
        column_of(&self.key)
    }
}

/// Name of the column for a key.
pub(super) fn column_of(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// Whether a column has the values of a key.
pub(crate) fn is_promoted(column: &str) -> bool {
    column.starts_with(PREFIX)
}

// === impl Type ===

impl Type {
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Int, Self::Double, Self::Bool];

    /// The map for values of this type.
    pub(crate) fn map(self) -> &'static str {
        match self {
            Self::Text => column::ATTR_STR,
            Self::Int => column::ATTR_INT,
            Self::Double => column::ATTR_DBL,
            Self::Bool => column::ATTR_BOOL,
        }
    }

    pub(super) fn of_map(map: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.map() == map)
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }
}
