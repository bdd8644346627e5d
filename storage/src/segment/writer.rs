//! Writes one segment: rows in segment order go in, two synced files come out.
//!
//! The footer of the Parquet file repeats what the manifest records, as key-value pairs that begin with `throughline.`. `throughline.format`
//! is 3; `throughline.promoted` (`attributes/layout.rs`) lists attributes that have columns of their own. Files of format 1 had no such
//! columns, and those of format 2 and before have all times as they were sent (`segment/times.rs`). A reader refuses a higher number.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ulid::Ulid;

use crate::attributes::{FOOTER_KEY, Layout, Promoter};
use crate::files::Place;
use crate::store::Signal;

use super::encoding::{self, ROW_GROUP_ROWS};
use super::file::{NewFile, SyncedFile};
use super::indexes::Indexes;
use super::origin::{Origin, Part, Recorded};
use super::row_group::RowGroupBuilder;
use super::{SegmentError, SegmentMeta, times};

/// One segment being written under temporary names. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Writer {
    id: Ulid,
    signal: Signal,
    level: u8,
    parquet: Rows,
    indexes: Indexes,
}

/// A Parquet file being written, row group by row group.
pub(super) struct Rows {
    file: SerializedFileWriter<NewFile>,
    signal: Signal,
    format: u32,
    promoter: Promoter,
    group_rows: usize,
    group: Option<RowGroupBuilder>,
    groups: usize,
}

/// A written and synced segment that still has temporary names.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    parquet: SyncedFile,
    bundle: SyncedFile,
}

/// The newest format that is read.
pub(super) const FORMAT_VERSION: u32 = 3;
/// Key of the format.
pub(super) const FORMAT: &str = "throughline.format";

// === impl Writer ===

impl Writer {
    pub(super) fn create(tmp_dir: &Place, id: Ulid, signal: Signal, level: u8, layout: Layout) -> Result<Self, SegmentError> {
        let failed =
            |error: &dyn std::fmt::Display| SegmentError::io(id, format!("cannot create its files in {}: {error}", tmp_dir.display()));
        let file = NewFile::create(temporary(tmp_dir, id, "parquet")).map_err(|e| failed(&e))?;
        let parquet = Rows::create(file, signal, level, layout, ROW_GROUP_ROWS).map_err(|e| failed(&e))?;
        Ok(Self { id, signal, level, parquet, indexes: Indexes::create(tmp_dir, id, signal, level)? })
    }

    /// The same in an older format, as a version before this one wrote it.
    #[cfg(test)]
    pub(super) fn of_format(format: u32, tmp_dir: &Place, id: Ulid, of: (Signal, u8, Layout)) -> Self {
        let (signal, level) = (of.0, of.1);
        let file = NewFile::create(temporary(tmp_dir, id, "parquet")).unwrap();
        let parquet = Rows::of_format(format, file, of, ROW_GROUP_ROWS).unwrap();
        Self { id, signal, level, parquet, indexes: Indexes::create(tmp_dir, id, signal, level).unwrap() }
    }

    /// See [`Indexes::with_text_later`].
    pub(super) fn with_text_later(self) -> Self {
        Self { indexes: self.indexes.with_text_later(), ..self }
    }

    pub(super) fn rows(&self) -> usize {
        self.indexes.rows() as usize
    }

    /// Bytes of Parquet so far, about.
    pub(super) fn bytes(&self) -> usize {
        self.parquet.bytes()
    }

    /// Those of them that are in memory.
    pub(super) fn memory(&self) -> usize {
        self.parquet.memory()
    }

    /// Adds the next rows in segment order.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        self.parquet.push(batch).map_err(|e| SegmentError::io(self.id, format!("cannot write its rows: {e}")))?;
        self.indexes.push(batch)
    }

    /// Writes footers and indexes and syncs both files.
    pub(super) fn finish(self, origin: &Origin, part: Part) -> Result<Written, SegmentError> {
        let Self { id, signal, level, .. } = self;
        let footer = footer(self.indexes.recorded(id, signal, level), &self.parquet, origin, part);
        let parquet = self.parquet.finish(footer).map_err(|e| SegmentError::io(id, format!("cannot finish its Parquet file: {e}")))?;
        Written::new(id, signal, level, parquet, self.indexes)
    }
}

// === impl Rows ===

impl Rows {
    /// Begins a file whose row groups end after `group_rows` rows.
    pub(super) fn create(file: NewFile, signal: Signal, level: u8, layout: Layout, group_rows: usize) -> Result<Self, ParquetError> {
        Self::of_format(FORMAT_VERSION, file, (signal, level, layout), group_rows)
    }

    /// The same in an older format.
    fn of_format(format: u32, file: NewFile, of: (Signal, u8, Layout), group_rows: usize) -> Result<Self, ParquetError> {
        let (signal, level, layout) = of;
        let promoter = Promoter::new(times::stored(signal, format), layout);
        let properties = encoding::properties(signal, level, promoter.schema())?;
        let columns = ArrowSchemaConverter::new().convert(promoter.schema())?;
        let file = SerializedFileWriter::new(file, columns.root_schema_ptr(), Arc::new(properties))?;
        Ok(Self { file, signal, format, promoter, group_rows, group: None, groups: 0 })
    }

    /// Which attributes have columns of their own.
    pub(super) fn promoter(&mut self) -> &mut Promoter {
        &mut self.promoter
    }

    /// The file between row groups, to which the next one is appended elsewhere.
    pub(super) fn next_group(&mut self) -> Result<SerializedRowGroupWriter<'_, NewFile>, ParquetError> {
        self.end_group()?;
        self.groups += 1;
        self.file.next_row_group()
    }

    /// Adds rows; a full row group is written.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut rest = self.promoter.promote(&times::tell(self.signal, self.format, batch)?)?;
        while rest.num_rows() > 0 {
            let mut group = match self.group.take() {
                Some(group) => group,
                None => RowGroupBuilder::new(&self.file, self.promoter.schema().clone(), self.groups)?,
            };
            let fits = rest.num_rows().min(self.group_rows - group.rows());
            group.push(&rest.slice(0, fits))?;
            rest = rest.slice(fits, rest.num_rows() - fits);
            let is_full = group.rows() >= self.group_rows;
            self.group = Some(group);
            if is_full {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Writes the rows that wait as a row group.
    pub(super) fn end_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        self.groups += 1;
        group.finish(&mut self.file)
    }

    /// Bytes so far, about.
    fn bytes(&self) -> usize {
        self.file.bytes_written() + self.memory()
    }

    fn memory(&self) -> usize {
        self.group.as_ref().map_or(0, RowGroupBuilder::bytes)
    }

    /// Writes the footer and syncs.
    pub(super) fn finish(mut self, footer: Vec<KeyValue>) -> Result<SyncedFile, ParquetError> {
        self.end_group()?;
        footer.into_iter().for_each(|pair| self.file.append_key_value_metadata(pair));
        Ok(self.file.into_inner()?.sync()?)
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// What the footer of the Parquet file says of the segment.
pub(super) fn footer(of: Recorded, rows: &Rows, origin: &Origin, part: Part) -> Vec<KeyValue> {
    let mut pairs = of.to_metadata();
    pairs.push(KeyValue::new(FORMAT.to_owned(), rows.format.to_string()));
    pairs.extend(rows.promoter.layout().written().map(|list| KeyValue::new(FOOTER_KEY.to_owned(), list)));
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
