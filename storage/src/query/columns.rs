//! Typed access to the columns of a batch.
//!
//! Knows the types that `schema` lays down, and says so when a batch has others.

use arrow::array::{Array, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray};

use super::question::QueryError;
use crate::model::{SpanId, TraceId};
use crate::schema::ColumnError;

fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, QueryError> {
    batch.column_by_name(name).and_then(|array| array.as_any().downcast_ref()).ok_or_else(|| ColumnError(name.to_owned()).into())
}

pub(super) fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray, QueryError> {
    typed(batch, name)
}

pub(super) fn binary<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a BinaryViewArray, QueryError> {
    typed(batch, name)
}

pub(super) fn long<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, QueryError> {
    typed(batch, name)
}

pub(super) fn int<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int32Array, QueryError> {
    typed(batch, name)
}

pub(super) fn id<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FixedSizeBinaryArray, QueryError> {
    typed(batch, name)
}

/// Times and durations are unsigned, kept in signed columns bit by bit.
pub(super) fn nanos(array: &Int64Array, row: usize) -> u64 {
    array.value(row).cast_unsigned()
}

pub(super) fn trace_id(array: &FixedSizeBinaryArray, row: usize) -> Option<TraceId> {
    if array.is_null(row) { None } else { TraceId::from_slice(array.value(row)) }
}

pub(super) fn span_id(array: &FixedSizeBinaryArray, row: usize) -> Option<SpanId> {
    if array.is_null(row) { None } else { SpanId::from_slice(array.value(row)) }
}

/// Text of a row; empty when null.
pub(super) fn text_or_empty(array: &StringViewArray, row: usize) -> &str {
    if array.is_null(row) { "" } else { array.value(row) }
}
