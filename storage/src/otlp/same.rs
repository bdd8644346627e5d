//! Spans of one request that are told apart by nothing but their content: questions know the last one alone.

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::schema::column;

/// How many spans another of the rows takes the place of: same trace id, span id, kind and start, and other content. None of log records;
/// of more than [`MAX_COMPARED`] such pairs no more are looked at.
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
    let (mut found, mut left) = (0, MAX_COMPARED);
    for same in rows.chunk_by(|(one, _), (other, _)| one == other).filter(|same| same.len() > 1) {
        let mut rows: Vec<usize> = same.iter().map(|(_, row)| *row as usize).collect();
        rows.sort_by_key(|row| key(*row));
        let is_one = |pair: &&[usize]| pair.first().map(|row| key(*row)) == pair.last().map(|row| key(*row));
        for pair in rows.windows(2).filter(is_one).take(left) {
            left -= 1;
            let mut content = pair.iter().map(|row| batch.slice(*row, 1));
            found += u64::from(content.next() != content.next());
        }
    }
    found
}

/// Comparing two rows looks at every column.
const MAX_COMPARED: usize = 1_000;
