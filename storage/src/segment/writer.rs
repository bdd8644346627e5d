//! Writes one segment: rows in segment order go in, two synced files come out.

use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use ulid::Ulid;

use crate::schema::{self, column};
use crate::store::Signal;
use crate::text;

use super::bundle::BundleWriter;
use super::checked::BLOCK_SUMS;
use super::file::{NewFile, SyncedFile};
use super::summary::SummaryBuilder;
use super::trace_keys::TraceKeysBuilder;
use super::{SegmentError, SegmentMeta, encoding};

/// One segment being written under temporary names. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Writer {
    id: Ulid,
    signal: Signal,
    level: u8,
    parquet: ArrowWriter<NewFile>,
    bundle: BundleWriter,
    trace_keys: TraceKeysBuilder,
    summary: SummaryBuilder,
    text: Option<text::IndexBuilder>,
    rows: u32,
}

/// A written and synced segment that still has temporary names.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    parquet: SyncedFile,
    bundle: SyncedFile,
}

/// Written into the Parquet footer.
const FORMAT_VERSION: u32 = 1;

// === impl Writer ===

impl Writer {
    pub(super) fn create(tmp_dir: &Path, id: Ulid, signal: Signal, level: u8) -> Result<Self, SegmentError> {
        let failed =
            |error: &dyn std::fmt::Display| SegmentError::io(id, format!("cannot create its files in {}: {error}", tmp_dir.display()));
        let file = NewFile::create(temporary(tmp_dir, id, "parquet")).map_err(|e| failed(&e))?;
        let properties = encoding::properties(signal, level).map_err(|e| failed(&e))?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let parquet = ArrowWriter::try_new_with_options(file, schema::of(signal), options).map_err(|e| failed(&e))?;
        let bundle = BundleWriter::create(temporary(tmp_dir, id, "idx")).map_err(|e| failed(&e))?;
        Ok(Self {
            id,
            signal,
            level,
            parquet,
            bundle,
            trace_keys: TraceKeysBuilder::default(),
            summary: SummaryBuilder::new(signal),
            text: (signal == Signal::Logs && level > 0).then(text::IndexBuilder::default),
            rows: 0,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Bytes of Parquet so far, about.
    pub(super) fn bytes(&self) -> usize {
        self.parquet.bytes_written() + self.parquet.in_progress_size()
    }

    /// Adds the next rows in segment order.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let id = self.id;
        self.parquet.write(batch).map_err(|e| SegmentError::io(id, format!("cannot write its rows: {e}")))?;
        self.index(batch).ok_or_else(|| SegmentError::damaged(id, "rows without the columns of its table"))?;
        if let Some(text) = &mut self.text {
            let bodies = batch.column_by_name(column::BODY).and_then(|bodies| bodies.as_string_view_opt());
            let bodies = bodies.ok_or_else(|| SegmentError::damaged(id, "rows without the columns of its table"))?;
            for body in bodies {
                text.push(body, &mut self.bundle).map_err(|e| SegmentError::io(id, format!("cannot index its text: {e}")))?;
            }
        }
        Ok(())
    }

    fn index(&mut self, batch: &RecordBatch) -> Option<()> {
        self.summary.push(batch)?;
        let traces = batch.column_by_name(column::TRACE_ID)?.as_fixed_size_binary_opt()?;
        for (row, trace) in (self.rows..).zip(traces) {
            if let Some(trace) = trace {
                self.trace_keys.push(trace.try_into().ok()?, row);
            }
        }
        self.rows = self.rows.checked_add(u32::try_from(batch.num_rows()).ok()?)?;
        Some(())
    }

    /// Writes footers and indexes and syncs both files.
    pub(super) fn finish(mut self) -> Result<Written, SegmentError> {
        let id = self.id;
        let (min_time, max_time) = self.summary.bounds();
        for (key, value) in [
            ("throughline.id", id.to_string()),
            ("throughline.format", FORMAT_VERSION.to_string()),
            ("throughline.signal", self.signal.as_str().to_owned()),
            ("throughline.level", self.level.to_string()),
            ("throughline.min_time", min_time.get().to_string()),
            ("throughline.max_time", max_time.get().to_string()),
            ("throughline.rows", self.rows.to_string()),
        ] {
            self.parquet.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let close = |writer: ArrowWriter<NewFile>| -> Result<SyncedFile, ParquetError> { Ok(writer.into_inner()?.sync()?) };
        let mut parquet = close(self.parquet).map_err(|e| SegmentError::io(id, format!("cannot finish its Parquet file: {e}")))?;
        let blocks = std::mem::take(&mut parquet.blocks).finish();
        let mut bundle = self.bundle;
        let sums = bundle.add(BLOCK_SUMS, &blocks);
        let indexes = sums.and_then(|()| finish_indexes(&mut bundle, self.trace_keys, self.summary, self.text));
        let bundle =
            indexes.and_then(|()| bundle.finish()).map_err(|e| SegmentError::io(id, format!("cannot write its index bundle: {e}")))?;
        let meta = SegmentMeta {
            id,
            signal: self.signal,
            level: self.level,
            rows: u64::from(self.rows),
            min_time,
            max_time,
            parquet_bytes: parquet.len,
            index_bytes: bundle.len,
            parquet_crc: parquet.crc,
            index_crc: bundle.crc,
        };
        Ok(Written { meta, parquet, bundle })
    }
}

fn finish_indexes(
    bundle: &mut BundleWriter,
    trace_keys: TraceKeysBuilder,
    summary: SummaryBuilder,
    text: Option<text::IndexBuilder>,
) -> io::Result<()> {
    let (keys, fuse) = trace_keys.finish();
    bundle.add(super::TRACE_KEYS, &keys)?;
    if let Some(fuse) = fuse {
        bundle.add(super::TRACE_FUSE, &fuse)?;
    }
    let (summary, operations) = summary.finish()?;
    bundle.add(super::SUMMARY, &summary)?;
    if let Some(operations) = operations {
        bundle.add(super::OPERATIONS, &operations)?;
    }
    text.map_or(Ok(()), |text| text.finish(bundle))
}

fn temporary(tmp_dir: &Path, id: Ulid, extension: &str) -> PathBuf {
    tmp_dir.join(format!("{id}.{extension}.tmp"))
}

// === impl Written ===

impl Written {
    /// Gives both files their lasting names. The caller syncs the folder.
    pub(super) fn rename(self, seg_dir: &Path) -> io::Result<SegmentMeta> {
        // The index first: a Parquet file never stands there without the index it was written with.
        self.bundle.rename(&self.meta.index_path(seg_dir))?;
        self.parquet.rename(&self.meta.parquet_path(seg_dir))?;
        Ok(self.meta)
    }
}
