//! Brings rows of many batches into another order.

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::interleave;
use arrow::error::ArrowError;

/// The rows at these places, as (batch, row), of batches with the same columns. Columns without any value are not looked at row by row: a
/// third of those of spans are such, mostly.
pub(super) fn gather(batches: &[RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let Some(first) = batches.first() else { return Err(ArrowError::InvalidArgumentError("no rows to gather".to_owned())) };
    let columns = (0..first.num_columns()).map(|column| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
        if arrays.iter().all(|array| array.null_count() == array.len()) {
            return Ok(new_null_array(first.column(column).data_type(), places.len()));
        }
        interleave(&arrays, places)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(first.schema(), columns, &options)
}
