//! Reads columns and rows of a segment: only the pages that hold them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use ulid::Ulid;

use crate::model::UnixNanos;
use crate::schema::{self, time_column};
use crate::store::Signal;

use super::checked::CheckedFile;
use super::{RowGroup, SegmentError, encoding};

/// Rows of a batch, at most.
pub(super) const BATCH_ROWS: usize = 8_192;

/// Batches of a segment in file order.
#[derive(Debug)]
pub(super) struct Batches {
    id: Ulid,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
}

/// The footer with the offset index, read as the columns of `schema::of(signal)`.
pub(super) fn footer(file: &CheckedFile, signal: Signal) -> Result<ArrowReaderMetadata, ParquetError> {
    let metadata = ParquetMetaDataReader::new()
        .with_offset_index_policy(PageIndexPolicy::Optional)
        .with_column_index_policy(PageIndexPolicy::Skip)
        .parse_and_finish(file)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema::of(signal));
    ArrowReaderMetadata::try_new(Arc::new(metadata), options)
}

/// Row groups with the time bounds of the footer's statistics, or with no bounds where these do not say.
pub(super) fn row_groups(footer: &ArrowReaderMetadata, signal: Signal) -> Vec<RowGroup> {
    let time = schema::of(signal).index_of(time_column(signal)).ok();
    let mut first = 0u32;
    let mut groups = Vec::new();
    for group in footer.metadata().row_groups() {
        let end = first.saturating_add(u32::try_from(group.num_rows()).unwrap_or(u32::MAX));
        let (min_time, max_time) = time_bounds(group, footer, time).unwrap_or((UnixNanos::new(0), UnixNanos::MAX));
        groups.push(RowGroup { rows: first..end, min_time, max_time });
        first = end;
    }
    groups
}

fn time_bounds(group: &RowGroupMetaData, footer: &ArrowReaderMetadata, root: Option<usize>) -> Option<(UnixNanos, UnixNanos)> {
    let leaf = (0..footer.parquet_schema().num_columns()).find(|leaf| Some(footer.parquet_schema().get_column_root_idx(*leaf)) == root)?;
    let Some(Statistics::Int64(statistics)) = group.columns().get(leaf)?.statistics() else { return None };
    let (min, max) = (*statistics.min_opt()?, *statistics.max_opt()?);
    // The statistics compare signed; times beyond 2^63 are stored as negative numbers and lie after all others.
    ((min < 0) == (max < 0)).then(|| (UnixNanos::new(min.cast_unsigned()), UnixNanos::new(max.cast_unsigned())))
}

/// Starts reading `columns` of `rows`, or of all rows.
pub(super) fn batches(
    id: Ulid,
    signal: Signal,
    file: &CheckedFile,
    footer: &ArrowReaderMetadata,
    columns: &[&str],
    rows: Option<&[Range<u32>]>,
) -> Result<Batches, SegmentError> {
    let table = schema::of(signal);
    let positions = encoding::positions(&table, columns)
        .map_err(|name| SegmentError::damaged(id, format!("has no column `{name}`; ask for a column of its table")))?;
    let failed = |e: &dyn std::fmt::Display| SegmentError::damaged(id, format!("cannot read its Parquet file: {e}"));
    let schema = Arc::new(table.project(&positions).map_err(|e| failed(&e))?);
    let mask = ProjectionMask::roots(footer.parquet_schema(), positions);
    let mut builder =
        ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), footer.clone()).with_batch_size(BATCH_ROWS).with_projection(mask);
    if let Some(rows) = rows {
        let (groups, selection) = select(footer, rows);
        builder = builder.with_row_groups(groups).with_row_selection(selection);
    }
    let reader = builder.build().map_err(|e| failed(&e))?;
    Ok(Batches { id, schema, reader })
}

/// The row groups that hold any of `rows`, and which of their rows to read.
fn select(footer: &ArrowReaderMetadata, rows: &[Range<u32>]) -> (Vec<usize>, RowSelection) {
    let mut chosen = Vec::new();
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(rows.len());
    let (mut group_start, mut chosen_rows) = (0, 0);
    let mut rest = rows;
    for (number, group) in footer.metadata().row_groups().iter().enumerate() {
        let group_rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let group_end = group_start + group_rows;
        let before = ranges.len();
        while let Some((range, later)) = rest.split_first() {
            let (start, end) = (range.start as usize, range.end as usize);
            if start < group_end && end > group_start {
                let within = start.max(group_start) - group_start..end.min(group_end) - group_start;
                ranges.push(chosen_rows + within.start..chosen_rows + within.end);
            }
            if end > group_end {
                break;
            }
            rest = later;
        }
        if ranges.len() > before {
            chosen.push(number);
            chosen_rows += group_rows;
        }
        group_start = group_end;
    }
    (chosen, RowSelection::from_consecutive_ranges(ranges.into_iter(), chosen_rows))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let batch = batch.and_then(|batch| batch.with_schema(self.schema.clone()));
        Some(batch.map_err(|e| SegmentError::damaged(self.id, format!("cannot read its Parquet file: {e}"))))
    }
}
