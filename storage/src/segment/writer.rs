//! Writes one segment: rows in segment order go in, two synced files come out.
//!
//! The footer of the Parquet file repeats what the manifest records, as key-value pairs that begin with `throughline.`. `throughline.format`
//! is 1, or 2 when some attributes have columns of their own and `throughline.promoted` (`attributes/layout.rs`) lists them. A reader
//! refuses a higher number.

use std::io;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use ulid::Ulid;

use crate::attributes::{FOOTER_KEY, Layout, Promoter};
use crate::files::Place;
use crate::store::Signal;

use super::file::{NewFile, SyncedFile};
use super::indexes::Indexes;
use super::origin::{Origin, Part, Recorded};
use super::{SegmentError, SegmentMeta, encoding};

/// One segment being written under temporary names. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Writer {
    id: Ulid,
    signal: Signal,
    level: u8,
    parquet: ArrowWriter<NewFile>,
    promoter: Promoter,
    indexes: Indexes,
}

/// A written and synced segment that still has temporary names.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    parquet: SyncedFile,
    bundle: SyncedFile,
}

/// The newest format that is read.
pub(super) const FORMAT_VERSION: u32 = 2;
/// Key of the format.
pub(super) const FORMAT: &str = "throughline.format";
/// The format of segments without columns of promoted attributes.
const PLAIN_FORMAT: u32 = 1;

// === impl Writer ===

impl Writer {
    pub(super) fn create(tmp_dir: &Place, id: Ulid, signal: Signal, level: u8, layout: Layout) -> Result<Self, SegmentError> {
        let failed =
            |error: &dyn std::fmt::Display| SegmentError::io(id, format!("cannot create its files in {}: {error}", tmp_dir.display()));
        let file = NewFile::create(temporary(tmp_dir, id, "parquet")).map_err(|e| failed(&e))?;
        let properties = encoding::properties(signal, level, &layout).map_err(|e| failed(&e))?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let promoter = Promoter::new(signal, layout);
        let parquet = ArrowWriter::try_new_with_options(file, promoter.schema().clone(), options).map_err(|e| failed(&e))?;
        Ok(Self { id, signal, level, parquet, promoter, indexes: Indexes::create(tmp_dir, id, signal, level)? })
    }

    pub(super) fn rows(&self) -> usize {
        self.indexes.rows() as usize
    }

    /// Bytes of Parquet so far, about.
    pub(super) fn bytes(&self) -> usize {
        self.parquet.bytes_written() + self.parquet.in_progress_size()
    }

    /// Adds the next rows in segment order.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let failed = |e: &dyn std::fmt::Display| SegmentError::io(self.id, format!("cannot write its rows: {e}"));
        let rows = self.promoter.promote(batch).map_err(|e| failed(&e))?;
        self.parquet.write(&rows).map_err(|e| failed(&e))?;
        self.indexes.push(batch)
    }

    /// Writes footers and indexes and syncs both files.
    pub(super) fn finish(mut self, origin: &Origin, part: Part) -> Result<Written, SegmentError> {
        let Self { id, signal, level, .. } = self;
        for pair in footer(self.indexes.recorded(id, signal, level), self.promoter.layout(), origin, part) {
            self.parquet.append_key_value_metadata(pair);
        }
        let close = |writer: ArrowWriter<NewFile>| -> Result<SyncedFile, ParquetError> { Ok(writer.into_inner()?.sync()?) };
        let parquet = close(self.parquet).map_err(|e| SegmentError::io(id, format!("cannot finish its Parquet file: {e}")))?;
        Written::new(id, signal, level, parquet, self.indexes)
    }
}

/// What the footer of the Parquet file says of the segment.
pub(super) fn footer(of: Recorded, layout: &Layout, origin: &Origin, part: Part) -> Vec<KeyValue> {
    let format = if layout.is_plain() { PLAIN_FORMAT } else { FORMAT_VERSION };
    let mut pairs = of.to_metadata();
    pairs.push(KeyValue::new(FORMAT.to_owned(), format.to_string()));
    pairs.extend(layout.written().map(|list| KeyValue::new(FOOTER_KEY.to_owned(), list)));
    pairs.extend(origin.to_metadata(part));
    pairs
}

pub(super) fn temporary(tmp_dir: &Place, id: Ulid, extension: &str) -> Place {
    tmp_dir.join(format!("{id}.{extension}.tmp"))
}

// === impl Written ===

impl Written {
    /// Writes the indexes of a Parquet file that is written.
    pub(super) fn new(id: Ulid, signal: Signal, level: u8, mut parquet: SyncedFile, indexes: Indexes) -> Result<Self, SegmentError> {
        let (rows, (min_time, max_time)) = (u64::from(indexes.rows()), indexes.bounds());
        let blocks = std::mem::take(&mut parquet.blocks).finish();
        let bundle = indexes.finish(&blocks)?;
        let meta = SegmentMeta {
            id,
            signal,
            level,
            rows,
            min_time,
            max_time,
            parquet_bytes: parquet.len,
            index_bytes: bundle.len,
            parquet_crc: parquet.crc,
            index_crc: bundle.crc,
        };
        Ok(Self { meta, parquet, bundle })
    }

    /// Gives both files their lasting names. The caller syncs the folder.
    pub(super) fn rename(self, seg_dir: &Place) -> io::Result<SegmentMeta> {
        // The index first: a Parquet file never stands there without the index it was written with.
        self.bundle.rename(&self.meta.index_path(seg_dir))?;
        self.parquet.rename(&self.meta.parquet_path(seg_dir))?;
        Ok(self.meta)
    }
}
