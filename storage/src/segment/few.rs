//! Reads a few rows straight from the pages that hold them.
//!
//! The crate's reader is made for many rows: for one row of a page of each of thirty columns, making readers takes longer than reading. Here
//! a page is read, decompressed and asked for its rows, and dictionaries are kept for the next question, since few row groups answer many.
//!
//! Owns how rows are found in pages as this program writes them: those of `segment/coded.rs`, and of Arrow's writer for all others. Of
//! anything else, and of whatever is damaged, it says nothing: the crate's reader reads it then, or says what is wrong.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, MapArray, RecordBatch, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader as _;
use parquet::file::statistics::Statistics;

use super::read::Footer;
use super::unpacked::{has_no_values, unpack};
use super::{RowRanges, Segment};

mod asked;
mod dictionary;
mod entries;
mod header;
mod page;
mod passing;
mod scratch;
mod sink;
mod sums;
mod walk;

pub(crate) use self::dictionary::Dictionaries;
use self::dictionary::Dictionary;
use self::page::{Ends, Page};
use self::scratch::Scratch;
use self::sink::Sink;

/// More rows than these are read sooner by a reader that is made for many.
pub(super) const FEW_ROWS: u64 = 512;

/// Some rows of a row group, counted from its first.
struct Part<'a> {
    number: usize,
    group: &'a RowGroupMetaData,
    rows: Vec<Range<usize>>,
}

/// One column chunk.
struct Chunk<'a> {
    segment: &'a Segment,
    part: &'a Part<'a>,
    leaf: usize,
    chunk: &'a ColumnChunkMetaData,
    pages: &'a [PageLocation],
}

/// A page and those of its rows that are wanted, counted from its first.
type Wanted = (usize, Vec<Range<usize>>);

/// Leaves of the file that make up the columns of a schema, the first of each.
pub(super) fn leaves(stored: &SchemaRef, positions: &[usize]) -> Vec<usize> {
    let mut leaf = 0;
    let mut firsts = Vec::with_capacity(stored.fields().len());
    for field in stored.fields() {
        firsts.push(leaf);
        leaf += if matches!(field.data_type(), DataType::Map(..)) { 2 } else { 1 };
    }
    positions.iter().filter_map(|position| firsts.get(*position).copied()).collect()
}

impl Segment {
    /// These rows as one batch of `schema`, whose columns begin with these leaves; `None` when the crate must read them.
    pub(super) fn few_rows(&self, footer: &Footer, schema: &SchemaRef, leaves: &[usize], rows: &RowRanges) -> Option<RecordBatch> {
        let parts = parts(footer, rows);
        if schema.fields().is_empty() || schema.fields().len() != leaves.len() {
            return None;
        }
        let columns = schema.fields().iter().zip(leaves).map(|(field, leaf)| self.column(footer, field, *leaf, &parts));
        RecordBatch::try_new(schema.clone(), columns.collect::<Option<Vec<_>>>()?).ok()
    }

    fn column(&self, footer: &Footer, field: &Field, leaf: usize, parts: &[Part<'_>]) -> Option<ArrayRef> {
        let root = footer.parquet.parquet_schema().columns().get(leaf)?.path().parts().first()?;
        if root != field.name() {
            return None;
        }
        let DataType::Map(field, sorted) = field.data_type() else { return Some(self.leaf(footer, field.data_type(), leaf, parts)?.0) };
        let DataType::Struct(fields) = field.data_type() else { return None };
        let [key, value] = &fields[..] else { return None };
        let (keys, ends) = self.leaf(footer, key.data_type(), leaf, parts)?;
        let (values, of_values) = self.leaf(footer, value.data_type(), leaf + 1, parts)?;
        if ends != of_values {
            return None;
        }
        let entries = StructArray::try_new(fields.clone(), vec![keys, values], None).ok()?;
        let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
        let map = MapArray::try_new(field.clone(), OffsetBuffer::new(ScalarBuffer::from(offsets)), entries, None, *sorted).ok()?;
        Some(Arc::new(map))
    }

    fn leaf(&self, footer: &Footer, of: &DataType, leaf: usize, parts: &[Part<'_>]) -> Option<(ArrayRef, Ends)> {
        let rows: usize = parts.iter().flat_map(|part| &part.rows).map(ExactSizeIterator::len).sum();
        let (mut sink, mut ends) = (Sink::new(of, rows)?, Ends::new());
        for part in parts {
            let chunk = part.group.columns().get(leaf)?;
            let pages = footer.parquet.metadata().offset_index()?.get(part.number)?.get(leaf)?.page_locations();
            Chunk { segment: self, part, leaf, chunk, pages }.gather(&mut sink, &mut ends)?;
        }
        let values = sink.finish();
        let is_map = parts.iter().any(|part| part.group.columns().get(leaf).is_some_and(is_of_map));
        let (found, last) = if is_map { (ends.len(), ends.last().copied().unwrap_or(0)) } else { (values.len(), 0) };
        (found == rows && (!is_map || usize::try_from(last) == Ok(values.len()))).then_some((values, ends))
    }
}

/// The row groups that hold any of these rows.
fn parts<'a>(footer: &'a Footer, rows: &RowRanges) -> Vec<Part<'a>> {
    let (mut parts, mut start, mut rest) = (Vec::new(), 0, &rows[..]);
    for (number, group) in footer.parquet.metadata().row_groups().iter().enumerate() {
        let end = start + usize::try_from(group.num_rows()).unwrap_or(0);
        let mut within = Vec::new();
        while let Some((range, later)) = rest.split_first().filter(|(range, _)| (range.start as usize) < end) {
            within.push((range.start as usize).max(start) - start..(range.end as usize).min(end) - start);
            if range.end as usize > end {
                break;
            }
            rest = later;
        }
        if !within.is_empty() {
            parts.push(Part { number, group, rows: within });
        }
        start = end;
    }
    parts
}

fn is_of_map(chunk: &ColumnChunkMetaData) -> bool {
    chunk.column_descr().max_rep_level() > 0
}

// === impl Chunk ===

impl Chunk<'_> {
    fn gather(&self, sink: &mut Sink, ends: &mut Ends) -> Option<()> {
        let rows: usize = self.part.rows.iter().map(ExactSizeIterator::len).sum();
        if has_no_values(self.part.group, self.chunk) {
            if is_of_map(self.chunk) {
                ends.resize(ends.len() + rows, ends.last().copied().unwrap_or(0));
            } else {
                (0..rows).for_each(|_| sink.null());
            }
            return Some(());
        }
        let dictionary = self.dictionary()?;
        if let Some(value) = dictionary.as_ref().and_then(|dictionary| dictionary.only_value()).filter(|_| self.has_no_nulls()) {
            return (0..rows).try_for_each(|_| sink.value(value));
        }
        for (number, rows) in self.wanted()? {
            self.page(self.pages.get(number)?, |page| page.gather(&rows, dictionary.as_deref(), sink, ends))?;
        }
        Some(())
    }

    fn has_no_nulls(&self) -> bool {
        let column = self.chunk.column_descr();
        let nulls = || self.chunk.statistics().and_then(Statistics::null_count_opt);
        column.max_rep_level() == 0 && (column.max_def_level() == 0 || nulls() == Some(0))
    }

    /// The dictionary; within, `None` where there is none.
    fn dictionary(&self) -> Option<Option<Arc<Dictionary>>> {
        let Some(start) = self.chunk.dictionary_page_offset() else { return Some(None) };
        let (name, kept) = ((self.segment.meta.id, self.part.number, self.leaf), self.segment.dictionaries.get());
        if let Some(known) = kept.and_then(|kept| kept.get(name)) {
            return Some(Some(known));
        }
        let bytes = self.read(start, self.pages.first()?.offset.checked_sub(start)?)?;
        let (header, page) = self.open(&bytes)?;
        if header.kind != header::DICTIONARY {
            return None;
        }
        let dictionary = Arc::new(Dictionary::new(self.chunk.column_descr(), page, header.values)?);
        kept.into_iter().for_each(|kept| kept.put(name, &dictionary));
        Some(Some(dictionary))
    }

    fn wanted(&self) -> Option<Vec<Wanted>> {
        let rows = usize::try_from(self.part.group.num_rows()).ok()?;
        let first_of = |page: usize| self.pages.get(page).map_or(Some(rows), |page| usize::try_from(page.first_row_index).ok());
        let mut wanted: Vec<Wanted> = Vec::new();
        for range in &self.part.rows {
            let mut start = range.start;
            while start < range.end {
                let is_before = |page: &PageLocation| usize::try_from(page.first_row_index).is_ok_and(|first| first <= start);
                let page = self.pages.partition_point(is_before).checked_sub(1)?;
                let (first, end) = (first_of(page)?, first_of(page + 1)?.min(range.end));
                if end <= start {
                    return None;
                }
                match wanted.last_mut() {
                    Some((last, rows)) if *last == page => rows.push(start - first..end - first),
                    _ => wanted.push((page, std::iter::once(start - first..end - first).collect())),
                }
                start = end;
            }
        }
        Some(wanted)
    }

    /// Hands over a page.
    fn page(&self, place: &PageLocation, each: impl FnOnce(Page<'_>) -> Option<()>) -> Option<()> {
        let (start, length) = (u64::try_from(place.offset).ok()?, usize::try_from(place.compressed_page_size).ok()?);
        Scratch::lent(|scratch| {
            scratch.read(&self.segment.parquet, start, length)?;
            let (header, rest) = header::read(scratch.stored())?;
            let behind = length - rest.len();
            let stored = behind..behind.checked_add(header.stored)?;
            let body = match self.chunk.compression() {
                Compression::ZSTD(_) => scratch.unpack(stored)?,
                Compression::UNCOMPRESSED => scratch.stored().get(stored)?,
                _ => return None,
            };
            each(Page::new(&header, self.chunk.column_descr(), body)?)
        })
    }

    fn read(&self, start: i64, length: i64) -> Option<Bytes> {
        self.segment.parquet.get_bytes(u64::try_from(start).ok()?, usize::try_from(length).ok()?).ok()
    }

    /// The header of a page, and what is in it.
    fn open(&self, bytes: &Bytes) -> Option<(header::Header, Bytes)> {
        let (header, rest) = header::read(bytes)?;
        let body = bytes.slice_ref(rest.get(..header.stored)?);
        let body = match self.chunk.compression() {
            Compression::ZSTD(_) => unpack(&body, 0).ok()?,
            Compression::UNCOMPRESSED => body,
            _ => return None,
        };
        Some((header, body))
    }
}

#[cfg(test)]
mod tests;
