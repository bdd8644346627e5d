//! Moves values from columns back to the places in their maps that they came from.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, MapArray, RecordBatch, StringViewArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::layout::{Layout, ORDER, Type};
use super::promote::entries;

/// Gives rows of a segment as rows of the table.
#[derive(Debug)]
pub(crate) struct Restorer {
    layout: Layout,
    /// What is given.
    wanted: SchemaRef,
}

/// Columns of one type beside their map.
struct Beside<'a> {
    /// Number of each in the layout.
    numbers: Vec<usize>,
    keys: StringViewArray,
    values: Vec<&'a ArrayRef>,
}

// === impl Restorer ===

impl Restorer {
    /// Gives the columns `wanted` of the table.
    pub(crate) fn new(layout: Layout, wanted: SchemaRef) -> Self {
        Self { layout, wanted }
    }

    /// The columns of a segment that must be read for those that are wanted; `None` when these are all.
    pub(crate) fn needs(&self) -> Option<BTreeSet<String>> {
        let types: Vec<Type> = self.wanted.fields().iter().filter_map(|field| Type::of_map(field.name())).collect();
        let beside: BTreeSet<String> =
            self.layout.columns().iter().filter(|column| types.contains(&column.of)).map(super::Promoted::name).collect();
        (!beside.is_empty()).then(|| {
            let own = self.wanted.fields().iter().map(|field| field.name().clone());
            own.chain([ORDER.to_owned()]).chain(beside).collect()
        })
    }

    /// The wanted columns of rows that have the needed ones.
    pub(crate) fn restore(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let missing = |name: &str| ArrowError::SchemaError(format!("column {name} is missing or has another type"));
        let orders = batch.column_by_name(ORDER).and_then(|orders| orders.as_binary_view_opt()).ok_or_else(|| missing(ORDER))?;
        let mut columns = Vec::with_capacity(self.wanted.fields().len());
        for field in self.wanted.fields() {
            let column = batch.column_by_name(field.name()).ok_or_else(|| missing(field.name()))?;
            let beside = Type::of_map(field.name()).map(|of| self.beside(of, batch)).filter(|beside| !beside.numbers.is_empty());
            columns.push(match beside {
                Some(beside) => beside.back_into(column.as_map_opt().ok_or_else(|| missing(field.name()))?, orders)?,
                None => column.clone(),
            });
        }
        RecordBatch::try_new(self.wanted.clone(), columns)
    }

    fn beside<'a>(&self, of: Type, batch: &'a RecordBatch) -> Beside<'a> {
        let columns = self.layout.columns().iter().enumerate().filter(|(_, column)| column.of == of);
        let there: Vec<_> =
            columns.filter_map(|(number, column)| Some((number, &column.key, batch.column_by_name(&column.name())?))).collect();
        Beside {
            numbers: there.iter().map(|(number, ..)| *number).collect(),
            keys: there.iter().map(|(_, key, _)| Some(key.as_str())).collect(),
            values: there.into_iter().map(|(.., values)| values).collect(),
        }
    }
}

// === impl Beside ===

impl Beside<'_> {
    fn back_into(&self, map: &MapArray, orders: &BinaryViewArray) -> Result<ArrayRef, ArrowError> {
        let DataType::Map(field, sorted) = map.data_type() else { return Ok(Arc::new(map.clone())) };
        let room = map.keys().len() + self.values.iter().map(|values| values.len() - values.null_count()).sum::<usize>();
        // (array, place) of each key and each value; the map itself is array 0.
        let (mut keys, mut values) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut offsets = Vec::with_capacity(map.len() + 1);
        offsets.push(0);
        for row in 0..map.len() {
            let mut rest = entries(map, row);
            let start = values.len();
            let order = if orders.is_valid(row) { orders.value(row) } else { &[] };
            for pair in order.as_chunks::<2>().0 {
                let [number, place] = *pair;
                let Some(column) = self.numbers.iter().position(|known| *known == usize::from(number)) else { continue };
                while values.len() - start < usize::from(place)
                    && let Some(at) = rest.next()
                {
                    keys.push((0, at));
                    values.push((0, at));
                }
                keys.push((1, column));
                values.push((1 + column, row));
            }
            keys.extend(rest.clone().map(|at| (0, at)));
            values.extend(rest.map(|at| (0, at)));
            offsets.push(i32::try_from(values.len()).map_err(|_| ArrowError::OffsetOverflowError(values.len()))?);
        }
        let keys = interleave(&[map.keys().as_ref(), &self.keys], &keys)?;
        let sources: Vec<&dyn Array> = std::iter::once(map.values().as_ref()).chain(self.values.iter().map(AsRef::as_ref)).collect();
        let values = interleave(&sources, &values)?;
        let parts = StructArray::try_new(map.entries().fields().clone(), vec![keys, values], None)?;
        Ok(Arc::new(MapArray::try_new(field.clone(), OffsetBuffer::new(ScalarBuffer::from(offsets)), parts, None, *sorted)?))
    }
}
