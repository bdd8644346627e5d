//! Sorts rows that came in and writes them as segments.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use ulid::Ulid;

use crate::attributes::Layout;
use crate::files::Place;
use crate::schema;
use crate::store::Signal;

use super::gather::Gatherer;
use super::order::{self, SortColumns};
use super::origin::Origin;
use super::output::Output;
use super::{SegmentError, SegmentMeta};
use crate::hands;

/// Rows that are brought into order at a time.
const GATHER_ROWS: usize = 16_384;
const MAX_BATCHES: usize = 1_024;

/// Sorts rows, removes duplicate spans (the later arrival stays) and writes segments of `level`. Both files of each are synced and have
/// their lasting names when this returns; they count once the manifest says so.
pub(crate) fn write(
    tmp_dir: &Place,
    seg_dir: &Place,
    signal: Signal,
    level: u8,
    origin: Origin,
    batches: Vec<RecordBatch>,
) -> Result<Vec<SegmentMeta>, SegmentError> {
    sort_into(Output::new(tmp_dir, seg_dir, signal, level).with_origin(origin), signal, batches)
}

/// As [`write()`], to segments of level 1, which are not merged any more, with columns for attributes as `layout` says. The text of logs is
/// not indexed yet: taking texts apart takes longer than everything else.
pub(crate) fn write_run(
    tmp_dir: &Place,
    seg_dir: &Place,
    signal: Signal,
    layout: Layout,
    origin: Origin,
    batches: Vec<RecordBatch>,
) -> Result<Vec<SegmentMeta>, SegmentError> {
    sort_into(Output::new(tmp_dir, seg_dir, signal, 1).with_layout(layout).with_origin(origin).with_text_later(), signal, batches)
}

/// Writes rows in segment order.
pub(super) fn sort_into(mut output: Output<'_>, signal: Signal, batches: Vec<RecordBatch>) -> Result<Vec<SegmentMeta>, SegmentError> {
    let failed = |e: &dyn std::fmt::Display| SegmentError::damaged(Ulid::nil(), format!("cannot sort rows to be written: {e}"));
    let batches = fewer(signal, batches).map_err(|e| failed(&e))?;
    let columns = batches.iter().map(|batch| SortColumns::of(signal, batch)).collect::<Option<Vec<_>>>();
    let order = order::sorted(&columns.ok_or_else(|| failed(&"a column of the table is missing"))?);
    if order.is_empty() {
        return output.finish();
    }
    let gatherer = Gatherer::new(&batches).map_err(|e| failed(&e))?;
    let gather = |chunk: &[order::RowAt]| {
        let places: Vec<(usize, usize)> = chunk.iter().map(|at| (at.batch as usize, at.row as usize)).collect();
        gatherer.gather(&places)
    };
    let mut write = |rows: Result<RecordBatch, ArrowError>| output.push(&rows.map_err(|e| failed(&e))?);
    match order.chunks(GATHER_ROWS) {
        chunks if chunks.len() > 1 => hands::ahead(chunks.map(gather), write)?,
        chunks => chunks.map(gather).try_for_each(&mut write)?,
    }
    output.finish()
}

/// Joins neighbouring batches when there are very many, because gathering visits each batch for each column and chunk.
fn fewer(signal: Signal, mut batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, ArrowError> {
    batches.retain(|batch| batch.num_rows() > 0);
    if batches.len() <= MAX_BATCHES {
        return Ok(batches);
    }
    let schema = schema::of(signal);
    batches.chunks(batches.len().div_ceil(MAX_BATCHES)).map(|group| concat_batches(&schema, group)).collect()
}
