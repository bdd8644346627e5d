//! Brings rows of many batches into another order.
//!
//! Texts that repeat are numbered before (`segment/numbered.rs`): numbers of four bytes move, and equal texts come out with equal views, so that
//! whoever looks at them later can tell by the view.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, MapArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;

use super::ids::Ids;
use super::numbered::Numbered;
use crate::hands;

/// Fewer rows are numbered before a second thread would begin.
const SHARED_ROWS: usize = 16_384;

/// Batches with the same columns whose rows are wanted in another order.
#[derive(Debug)]
pub(super) struct Gatherer<'a> {
    schema: SchemaRef,
    columns: Vec<Column<'a>>,
}

#[derive(Debug)]
enum Column<'a> {
    /// No row has a value: so are a third of the columns of spans, mostly.
    Empty(DataType),
    Leaf(Leaf<'a>),
    Map {
        field: FieldRef,
        maps: Vec<&'a MapArray>,
        keys: Leaf<'a>,
        values: Leaf<'a>,
    },
}

#[derive(Debug)]
enum Leaf<'a> {
    Numbered(Numbered),
    Ids(Ids<'a>),
    Other(Vec<&'a dyn Array>),
}

// === impl Gatherer ===

impl<'a> Gatherer<'a> {
    /// Prepares the rows of `batches`, of which there is at least one.
    pub(super) fn new(batches: &'a [RecordBatch]) -> Result<Self, ArrowError> {
        let Some(first) = batches.first() else { return Err(ArrowError::InvalidArgumentError("no rows to gather".to_owned())) };
        let column = |at: usize| Column::new(batches.iter().map(|batch| batch.column(at).as_ref()).collect());
        let count = first.num_columns();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let columns = if rows < SHARED_ROWS { (0..count).map(column).collect::<Result<_, _>>()? } else { hands::share(count, column)? };
        Ok(Self { schema: first.schema(), columns })
    }

    /// The rows at these places, as (batch, row).
    pub(super) fn gather(&self, places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter().map(|column| column.gather(places)).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

// === impl Column ===

impl<'a> Column<'a> {
    fn new(arrays: Vec<&'a dyn Array>) -> Result<Self, ArrowError> {
        let of = arrays.first().map_or(DataType::Null, |array| array.data_type().clone());
        if arrays.iter().all(|array| array.null_count() == array.len()) {
            return Ok(Self::Empty(of));
        }
        let maps: Option<Vec<&MapArray>> = arrays.iter().map(|array| array.as_map_opt().filter(|map| map.null_count() == 0)).collect();
        match (of, maps) {
            (DataType::Map(field, false), Some(maps)) => {
                let keys = Leaf::new(maps.iter().map(|map| map.keys().as_ref()).collect())?;
                let values = Leaf::new(maps.iter().map(|map| map.values().as_ref()).collect())?;
                Ok(Self::Map { field, maps, keys, values })
            }
            _ => Leaf::new(arrays).map(Self::Leaf),
        }
    }

    fn gather(&self, places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Empty(of) => Ok(new_null_array(of, places.len())),
            Self::Leaf(leaf) => leaf.gather(places),
            Self::Map { field, maps, keys, values } => {
                let entries = Entries::of(maps, places)?;
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(ArrowError::SchemaError("the entries of a map are no pairs".to_owned()));
                };
                let parts = vec![keys.gather_entries(&entries)?, values.gather_entries(&entries)?];
                let pairs = StructArray::try_new(fields.clone(), parts, None)?;
                Ok(Arc::new(MapArray::try_new(field.clone(), entries.offsets, pairs, None, false)?))
            }
        }
    }
}

/// The entries of maps in the order of their rows.
struct Entries {
    /// Map, and the places in it.
    runs: Vec<(usize, std::ops::Range<usize>)>,
    offsets: OffsetBuffer<i32>,
    count: usize,
}

impl Entries {
    fn of(maps: &[&MapArray], places: &[(usize, usize)]) -> Result<Self, ArrowError> {
        let mut runs: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
        let mut offsets = Vec::with_capacity(places.len() + 1);
        let mut count = 0;
        offsets.push(0);
        for (map, row) in places {
            let range = maps.get(*map).and_then(|map| {
                let at = |row: usize| map.value_offsets().get(row).and_then(|offset| usize::try_from(*offset).ok());
                Some(at(*row)?..at(*row + 1)?)
            });
            let range = range.ok_or_else(|| ArrowError::InvalidArgumentError("a row that is not there".to_owned()))?;
            count += range.len();
            offsets.push(i32::try_from(count).map_err(|_| ArrowError::OffsetOverflowError(count))?);
            match runs.last_mut() {
                // Spans of one trace mostly come one after the other.
                Some((last, run)) if last == map && run.end == range.start => run.end = range.end,
                _ => runs.push((*map, range)),
            }
        }
        Ok(Self { runs, offsets: OffsetBuffer::new(ScalarBuffer::from(offsets)), count })
    }
}

// === impl Leaf ===

impl<'a> Leaf<'a> {
    fn new(arrays: Vec<&'a dyn Array>) -> Result<Self, ArrowError> {
        if let Some(ids) = Ids::of(&arrays) {
            return Ok(Self::Ids(ids));
        }
        Ok(Numbered::of(&arrays)?.map_or(Self::Other(arrays), Self::Numbered))
    }

    fn gather(&self, places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Numbered(numbered) => numbered.gather(places),
            Self::Ids(ids) => ids.gather(places),
            Self::Other(arrays) => interleave(arrays, places),
        }
    }

    fn gather_entries(&self, entries: &Entries) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Numbered(numbered) => numbered.gather_runs(&entries.runs, entries.count),
            other => {
                let places: Vec<(usize, usize)> =
                    entries.runs.iter().flat_map(|(map, run)| run.clone().map(|place| (*map, place))).collect();
                other.gather(&places)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryViewArray, FixedSizeBinaryArray, Int64Array, Int64Builder, MapBuilder, StringViewArray, StringViewBuilder};
    use arrow::compute::interleave_record_batch;
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 4] = ["", "checkout", "a text that is longer than its view", "another text that is longer than its view"];

    /// Rows with texts that repeat, texts that do not, nulls, and maps with both.
    fn batch(rows: &[(usize, u64)]) -> RecordBatch {
        let word = |row: &(usize, u64)| WORDS.get(row.0 % 5).copied();
        let unique = |row: &(usize, u64)| format!("the value of row {}", row.1);
        let id = |row: &(usize, u64)| (!row.0.is_multiple_of(3)).then(|| row.1.to_be_bytes());
        let trace = |row: &(usize, u64)| u128::from(row.1).to_be_bytes();
        let mut texts = MapBuilder::new(None, StringViewBuilder::new(), StringViewBuilder::new());
        let mut ints = MapBuilder::new(None, StringViewBuilder::new(), Int64Builder::new());
        for row in rows {
            for number in 0..row.0 % 4 {
                texts.keys().append_value(WORDS[number + 1 - usize::from(number == 3)]);
                texts.values().append_option(word(&(row.0 + number, 0)));
                ints.keys().append_value(WORDS[1]);
                ints.values().append_value(i64::try_from(row.1 % 1000).unwrap());
            }
            texts.append(true).unwrap();
            ints.append(true).unwrap();
        }
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("number", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::try_from(row.1 % 1000).unwrap()))), true),
            ("word", Arc::new(StringViewArray::from_iter(rows.iter().map(word))), true),
            ("id", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows.iter().map(id), 8).unwrap()), true),
            ("trace", Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter().map(trace)).unwrap()), true),
            ("unique", Arc::new(StringViewArray::from_iter_values(rows.iter().map(unique))), true),
            ("bytes", Arc::new(BinaryViewArray::from_iter(rows.iter().map(|row| word(row).map(str::as_bytes)))), true),
            ("none", Arc::new(StringViewArray::new_null(rows.len())), true),
            ("texts", Arc::new(texts.finish()), true),
            ("ints", Arc::new(ints.finish()), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    proptest! {
        #[test]
        fn rows_are_those_at_the_places(
            batches in prop::collection::vec(prop::collection::vec((0..20_usize, any::<u64>()), 1..30), 1..6),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
        ) {
            let batches: Vec<RecordBatch> = batches.iter().map(|rows| batch(rows)).collect();
            let place = |(batch, row): &(prop::sample::Index, prop::sample::Index)| {
                let batch = batch.index(batches.len());
                (batch, row.index(batches[batch].num_rows()))
            };
            let places: Vec<(usize, usize)> = picks.iter().map(place).collect();
            let gathered = Gatherer::new(&batches).unwrap().gather(&places).unwrap();
            let expected = interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places).unwrap();
            prop_assert_eq!(gathered, expected);
        }
    }

    #[test]
    fn equal_texts_of_different_requests_come_out_with_equal_views() {
        let batches: Vec<RecordBatch> = (0..3).map(|_| batch(&[(2, 1), (3, 2), (2, 3), (2, 4)])).collect();
        let places: Vec<(usize, usize)> = (0..3).flat_map(|batch| [(batch, 0), (batch, 2)]).collect();
        let gathered = Gatherer::new(&batches).unwrap().gather(&places).unwrap();
        let words = gathered.column(1).as_string_view();
        assert_eq!(words.value(0), WORDS[2]);
        assert!(words.views().iter().all(|view| *view == words.views()[0]));
    }
}
