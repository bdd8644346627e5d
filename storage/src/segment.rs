//! Segments: immutable sorted files of rows with their index bundle.
//!
//! Owns the layout of `<ulid>.parquet` and `<ulid>.idx`, writing and reading both. Knows nothing of the log, the manifest or queries.

use std::ops::Range;
use std::path::Path;

use arrow::array::RecordBatch;

use crate::model::{TraceId, UnixNanos};
use crate::store::Signal;

/// One open segment. Reads are independent of each other and block; call them off the async threads.
#[derive(Debug)]
pub(crate) struct Segment {}

/// What the manifest records of a segment and the Parquet footer repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentMeta {
    /// Names the files; sorts by creation.
    pub(crate) id: ulid::Ulid,
    /// Which table.
    pub(crate) signal: Signal,
    /// 0 for a flush, 1 for a merge.
    pub(crate) level: u8,
    /// Rows.
    pub(crate) rows: u64,
    /// Earliest and latest time of a row (`schema::time_column`).
    pub(crate) min_time: UnixNanos,
    /// See `min_time`.
    pub(crate) max_time: UnixNanos,
    /// Bytes of the Parquet file.
    pub(crate) parquet_bytes: u64,
    /// Bytes of the index bundle.
    pub(crate) index_bytes: u64,
    /// Checksums (crc32c) of both files.
    pub(crate) parquet_crc: u32,
    /// See `parquet_crc`.
    pub(crate) index_crc: u32,
}

/// A row group: consecutive rows with their time bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowGroup {
    /// Row numbers within the segment.
    pub(crate) rows: Range<u32>,
    /// Earliest time inside.
    pub(crate) min_time: UnixNanos,
    /// Latest time inside.
    pub(crate) max_time: UnixNanos,
}

/// Sorted, disjoint row numbers of a segment. `None` in a call means all rows.
pub(crate) type RowRanges = Vec<Range<u32>>;

/// A file of a segment cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("segment {id}: {detail}")]
pub(crate) struct SegmentError {
    /// Names the files.
    pub(crate) id: ulid::Ulid,
    /// What failed.
    pub(crate) detail: String,
}

impl Segment {
    /// Opens both files under `seg_dir` and loads footer and resident indexes. A missing or damaged index bundle only makes reads
    /// slower.
    pub(crate) fn open(seg_dir: &Path, meta: SegmentMeta) -> Result<Self, SegmentError> {
        todo!()
    }

    pub(crate) fn meta(&self) -> &SegmentMeta {
        todo!()
    }

    /// Row groups in file order.
    pub(crate) fn row_groups(&self) -> &[RowGroup] {
        todo!()
    }

    /// Distinct services in this segment, sorted; `None` when the index bundle is missing.
    pub(crate) fn services(&self) -> Option<&[String]> {
        todo!()
    }

    /// Rows that may belong to a trace; empty when it is certainly absent. Spans: exact up to a 64-bit key, compare ids again. Logs: the
    /// same through the bundle's sorted keys, as ranges may be scattered.
    pub(crate) fn trace_rows(&self, id: TraceId) -> Result<RowRanges, SegmentError> {
        todo!()
    }

    /// Logs: rows whose body contains every term (terms as `text::terms` makes them); `None` when there is no text index.
    pub(crate) fn text_rows(&self, terms: &[String]) -> Result<Option<RowRanges>, SegmentError> {
        todo!()
    }

    /// Reads `columns`, in the schema's order, of `rows` or of all rows, as batches of at most 8,192 rows in file order.
    pub(crate) fn read(
        &self,
        columns: &[&str],
        rows: Option<&RowRanges>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, SegmentError>> + Send>, SegmentError> {
        todo!()
    }
}
