//! Puts segments one behind the other into one of level 2, without sorting their rows again.
//!
//! Row groups are copied as they are, column chunk by column chunk; only small ones are decoded and joined, and those of older formats or with
//! other columns of promoted attributes than most rows have. Indexes of text are joined without taking bodies apart, filters copied, catalogues
//! added up; narrow columns are read once for what is cheap to count again. The rows of the result are sorted within the part of each input,
//! not across them; parts lie in order of their earliest time.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use ulid::Ulid;

use crate::attributes::Layout;
use crate::files::Place;
use crate::schema::{self, column};
use crate::store::Signal;

use super::file::NewFile;
use super::indexes::Indexes;
use super::origin::{Origin, Part};
use super::read::Footer;
use super::writer::{self, Written};
use super::{Limits, RowGroup, RowRanges, Segment, SegmentError, SegmentMeta, encoding, promotion, take_back};

/// A segment being put together under temporary names.
struct Stack {
    id: Ulid,
    signal: Signal,
    parquet: writer::Rows,
    indexes: Indexes,
    /// Rows of the inputs so far.
    rows: u64,
    /// Rows of small row groups that were decoded and share a new one.
    waiting_rows: usize,
    /// What tells spans apart, as keyed hashes.
    spans: Vec<u64>,
    keys: RandomState,
}

/// Row groups with fewer rows are joined with others.
const MIN_ROWS: usize = 32_768;

/// Stacks segments of one table, which must have all their indexes. `None` when a span is in two of them, or when not all of their rows are
/// to be kept, so that they have to be merged. Nothing is left behind then, nor when it fails. Both files are synced and have their lasting names when this returns.
pub(crate) fn stack(
    inputs: &[Arc<Segment>],
    tmp_dir: &Place,
    seg_dir: &Place,
    stop: &AtomicBool,
) -> Result<Option<SegmentMeta>, SegmentError> {
    let mut inputs: Vec<&Segment> = inputs.iter().map(AsRef::as_ref).collect();
    inputs.sort_unstable_by_key(|segment| (segment.meta().min_time, segment.meta().id));
    let Some(newest) = inputs.iter().map(|segment| segment.meta().id).max() else { return Ok(None) };
    let id = Ulid::from_parts(newest.timestamp_ms(), seg_dir.fresh_id().random());
    let signal = inputs.first().map_or(Signal::Traces, |segment| segment.meta().signal);
    let origin = Origin::replacing(inputs.iter().copied())?;
    let mut stack = Stack::create(tmp_dir, id, signal, layout_of(&inputs))?;
    for segment in inputs {
        stack.push(segment, stop)?;
        if u64::from(stack.indexes.rows()) != stack.rows {
            return Ok(None);
        }
    }
    let Some(written) = stack.finish(&origin)? else { return Ok(None) };
    let placed = written.rename(seg_dir).and_then(|meta| seg_dir.sync_folder().map(|()| meta));
    placed.map(Some).map_err(|e| {
        take_back(seg_dir, [id]);
        SegmentError::io(id, format!("cannot put its files in place: {e}"))
    })
}

// === impl Stack ===

impl Stack {
    fn create(tmp_dir: &Place, id: Ulid, signal: Signal, layout: Layout) -> Result<Self, SegmentError> {
        let failed = |e: &dyn std::fmt::Display| SegmentError::io(id, format!("cannot create its files in {}: {e}", tmp_dir.display()));
        let file = NewFile::create(writer::temporary(tmp_dir, id, "parquet")).map_err(|e| failed(&e))?;
        let parquet = writer::Rows::create(file, signal, LEVEL, layout, usize::MAX).map_err(|e| failed(&e))?;
        Ok(Self {
            id,
            signal,
            parquet,
            indexes: Indexes::stacked(tmp_dir, id, signal)?,
            rows: 0,
            waiting_rows: 0,
            spans: Vec::new(),
            keys: RandomState::new(),
        })
    }

    fn push(&mut self, segment: &Segment, stop: &AtomicBool) -> Result<(), SegmentError> {
        self.indexes.inherit(segment)?;
        self.rows += segment.meta.rows;
        let metadata = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&segment.parquet)
            .map_err(|e| SegmentError::damaged(segment.meta.id, format!("cannot read the footer of its Parquet file: {e}")))?;
        let Footer { layout, tells_times, .. } = segment.footer()?;
        let can_copy = *tells_times && self.parquet.promoter().layout().has_columns_of(layout);
        if can_copy {
            self.parquet.promoter().join(layout);
        }
        for (number, group) in segment.row_groups().iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(SegmentError::stopped(self.id));
            }
            let is_large = group.rows.len() >= MIN_ROWS;
            if is_large {
                self.flush()?;
            }
            if is_large && can_copy {
                self.copy(segment, &metadata, number).map_err(|e| self.failed(&e))?;
                self.indexes.copy_attributes(segment, group.rows.start)?;
                self.note(segment, group)?;
                self.indexes.end_row_group();
            } else {
                self.decode(segment, group)?;
                if is_large {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    /// Copies the column chunks of a row group.
    fn copy(&mut self, segment: &Segment, metadata: &ParquetMetaData, number: usize) -> Result<(), ParquetError> {
        let mut group = self.parquet.next_group()?;
        for (position, chunk) in metadata.row_group(number).columns().iter().enumerate() {
            let rows_written = u64::try_from(metadata.row_group(number).num_rows()).unwrap_or(0);
            let column_index = metadata.column_index().and_then(|index| index.get(number)?.get(position)).cloned();
            let offset_index = metadata.offset_index().and_then(|index| index.get(number)?.get(position)).cloned();
            let bytes_written = u64::try_from(chunk.compressed_size()).unwrap_or(0);
            let metadata = chunk.clone();
            let close = ColumnCloseResult { bytes_written, rows_written, metadata, bloom_filter: None, column_index, offset_index };
            group.append_column(&segment.parquet, close)?;
        }
        group.close().map(|_| ())
    }

    /// Counts again what is cheap to count: traces, services, operations.
    fn note(&mut self, segment: &Segment, group: &RowGroup) -> Result<(), SegmentError> {
        for batch in segment.read(narrow(self.signal), Some(&RowRanges::from([group.rows.clone()])))? {
            let batch = batch?;
            self.indexes.note(&batch)?;
            self.remember(&batch);
        }
        Ok(())
    }

    fn decode(&mut self, segment: &Segment, group: &RowGroup) -> Result<(), SegmentError> {
        let table = schema::of(self.signal);
        let columns: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).collect();
        for batch in segment.read(&columns, Some(&RowRanges::from([group.rows.clone()])))? {
            let batch = batch?;
            self.indexes.note(&batch)?;
            self.indexes.push_attributes(&batch)?;
            self.remember(&batch);
            self.parquet.push(&batch).map_err(|e| self.failed(&e))?;
            self.waiting_rows += batch.num_rows();
        }
        if self.waiting_rows >= encoding::ROW_GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Ends the row group of rows that were decoded.
    fn flush(&mut self) -> Result<(), SegmentError> {
        if self.waiting_rows > 0 {
            self.waiting_rows = 0;
            self.parquet.end_group().map_err(|e| self.failed(&e))?;
            self.indexes.end_row_group();
        }
        Ok(())
    }

    fn remember(&mut self, batch: &RecordBatch) {
        if self.signal != Signal::Traces {
            return;
        }
        let column = |name| batch.column_by_name(name);
        let ids = |name| column(name).and_then(|ids| ids.as_fixed_size_binary_opt());
        let kinds = column(column::KIND).and_then(|kinds| kinds.as_primitive_opt::<Int32Type>());
        let starts = column(column::START_TIME).and_then(|starts| starts.as_primitive_opt::<Int64Type>());
        if let (Some(traces), Some(spans), Some(kinds), Some(starts)) = (ids(column::TRACE_ID), ids(column::SPAN_ID), kinds, starts) {
            let keys = (0..batch.num_rows()).map(|row| (traces.value(row), spans.value(row), kinds.value(row), starts.value(row)));
            self.spans.extend(keys.map(|key| self.keys.hash_one(key)));
        }
    }

    /// `None` when a span is there twice.
    fn finish(mut self, origin: &Origin) -> Result<Option<Written>, SegmentError> {
        let mut spans = std::mem::take(&mut self.spans);
        spans.sort_unstable();
        if spans.windows(2).any(|pair| pair.first() == pair.last()) {
            return Ok(None);
        }
        drop(spans);
        self.flush()?;
        let Self { id, signal, parquet, indexes, .. } = self;
        let part = Part { group: id, number: 1, last: true };
        let footer = writer::footer(indexes.recorded(id, signal, LEVEL), &parquet, origin, part);
        let parquet = parquet.finish(footer).map_err(|e| SegmentError::io(id, format!("cannot finish its Parquet file: {e}")))?;
        Written::new(id, signal, LEVEL, parquet, indexes).map(Some)
    }

    fn failed(&self, error: &ParquetError) -> SegmentError {
        SegmentError::io(self.id, format!("cannot write its rows: {error}"))
    }
}

/// The layout that most rows have, so that they can be copied; where none can, one is chosen.
fn layout_of(inputs: &[&Segment]) -> Layout {
    let before = promotion::most_frequent(inputs);
    let has_large = inputs.iter().flat_map(|segment| segment.row_groups()).any(|group| group.rows.len() >= MIN_ROWS);
    if has_large { before } else { promotion::choose(inputs, &before, Limits::default()) }
}

/// Columns that are read of every row.
fn narrow(signal: Signal) -> &'static [&'static str] {
    use column::*;
    match signal {
        Signal::Traces => &[TRACE_ID, SPAN_ID, PARENT_SPAN_ID, START_TIME, DURATION, NAME, KIND, STATUS_CODE, SERVICE_NAME, FLAGS],
        Signal::Logs => &[TIME, TRACE_ID, SEVERITY_NUMBER, SERVICE_NAME],
    }
}

const LEVEL: u8 = 2;

#[cfg(test)]
mod tests;
