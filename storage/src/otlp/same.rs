//! Spans of one request that are told apart by nothing but their content: questions know the last one alone.

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::schema::column;

/// How many spans another of the rows takes the place of: same trace id, span id, kind and start, and other content. None of log records.
pub(super) fn spans(batch: &RecordBatch) -> u64 {
    let Some(kinds) = batch.column_by_name(column::KIND).and_then(|kinds| kinds.as_primitive_opt::<Int32Type>()) else { return 0 };
    let long = |name| batch.column_by_name(name).and_then(|times| times.as_primitive_opt::<Int64Type>());
    let ids = |name| batch.column_by_name(name).and_then(|ids| ids.as_fixed_size_binary_opt());
    let (Some(traces), Some(spans), Some(starts)) = (ids(column::TRACE_ID), ids(column::SPAN_ID), long(column::START_TIME)) else {
        return 0;
    };
    let (chunks, _) = spans.value_data().as_chunks::<8>();
    let mut rows: Vec<(u64, u32)> = chunks.iter().map(|id| u64::from_le_bytes(*id)).zip(0..).collect();
    rows.sort_unstable();
    let key = |row: usize| (traces.value(row), kinds.value(row), starts.value(row));
    let mut found = 0;
    for same in rows.chunk_by(|(one, _), (other, _)| one == other).filter(|same| same.len() > 1) {
        let mut rows: Vec<usize> = same.iter().map(|(_, row)| *row as usize).collect();
        rows.sort_by_key(|row| key(*row));
        let takes = |pair: &&[usize]| match pair {
            [one, next] => key(*one) == key(*next) && batch.slice(*one, 1) != batch.slice(*next, 1),
            _ => false,
        };
        found += rows.windows(2).filter(takes).count() as u64;
    }
    found
}
