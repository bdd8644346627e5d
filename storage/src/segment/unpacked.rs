//! Pages of a segment's Parquet file, decompressed by what the thread keeps for that.
//!
//! Owns decompression alone: pages are found and read by the crate. That one would make a compressor and a decompressor for every column of
//! every row group, and where a few rows are read that takes longer than everything else. For the same reason pages are not read of chunks
//! that have no value, as a third of the columns of log records have none: the footer says so (`segment/coded.rs`).

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;
use parquet::file::statistics::Statistics;
use zstd::bulk::Decompressor;

use super::checked::CheckedFile;
use super::hybrid;

/// Some row groups of a file.
pub(super) struct Groups {
    file: Arc<CheckedFile>,
    metadata: Arc<ParquetMetaData>,
    chosen: Vec<usize>,
}

/// The chunks of one column in these row groups.
struct Column {
    file: Arc<CheckedFile>,
    metadata: Arc<ParquetMetaData>,
    chosen: std::vec::IntoIter<usize>,
    column: usize,
}

/// The pages of a chunk, of which the reader believes that they are not compressed.
struct Pages(SerializedPageReader<CheckedFile>);

/// What pages of a chunk without values amount to.
struct NoValues {
    /// Rows of the pages that are not read yet.
    rows: usize,
    /// Whether it is a part of a map.
    repeats: bool,
}

// === impl Groups ===

impl Groups {
    pub(super) fn new(file: CheckedFile, metadata: Arc<ParquetMetaData>, chosen: Vec<usize>) -> Self {
        Self { file: Arc::new(file), metadata, chosen }
    }

    fn chosen(&self) -> impl Iterator<Item = &RowGroupMetaData> {
        self.chosen.iter().filter_map(|number| self.metadata.row_groups().get(*number))
    }
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        self.chosen().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let (file, metadata, chosen) = (self.file.clone(), self.metadata.clone(), self.chosen.clone().into_iter());
        Ok(Box::new(Column { file, metadata, chosen, column }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.chosen())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

// === impl Column ===

impl Column {
    fn pages(&self, number: usize) -> Result<Box<dyn PageReader>, ParquetError> {
        let missing = || ParquetError::General("a column chunk is missing".to_owned());
        let group = self.metadata.row_groups().get(number).ok_or_else(missing)?;
        let chunk = group.columns().get(self.column).ok_or_else(missing)?;
        let index = self.metadata.offset_index().and_then(|groups| groups.get(number)?.get(self.column));
        let places = index.map(|index| index.page_locations().clone());
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        if has_no_values(group, chunk) {
            return Ok(Box::new(NoValues { rows, repeats: chunk.column_descr().max_rep_level() > 0 }));
        }
        if !matches!(chunk.compression(), Compression::ZSTD(_)) {
            return Ok(Box::new(SerializedPageReader::new(self.file.clone(), chunk, rows, places)?));
        }
        let chunk = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        Ok(Box::new(Pages(SerializedPageReader::new(self.file.clone(), &chunk, rows, places)?)))
    }
}

impl Iterator for Column {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.chosen.next()?;
        Some(self.pages(number))
    }
}

impl PageIterator for Column {}

// === impl Pages ===

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        self.0.get_next_page()?.map(unpacked).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.0.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.0.at_record_boundary()
    }
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

// === impl NoValues ===

impl NoValues {
    /// Takes the next page, as its number of rows; nothing at the end.
    fn take(&mut self) -> Option<usize> {
        let rows = self.rows.min(EMPTY_PAGE_ROWS);
        self.rows -= rows;
        (rows > 0).then_some(rows)
    }
}

impl PageReader for NoValues {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let Some(rows) = self.take() else { return Ok(None) };
        // All repetition levels, if there are any, and all definition levels are 0.
        let mut levels = Vec::new();
        let kinds = if self.repeats { 2 } else { 1 };
        for _ in 0..kinds {
            let mut run = Vec::new();
            hybrid::run_of_zeros(rows, &mut run);
            levels.extend_from_slice(&u32::try_from(run.len()).unwrap_or(0).to_le_bytes());
            levels.append(&mut run);
        }
        Ok(Some(Page::DataPage {
            buf: levels.into(),
            num_values: u32::try_from(rows).map_err(|error| ParquetError::General(error.to_string()))?,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        let rows = Some(self.rows.min(EMPTY_PAGE_ROWS));
        Ok((self.rows > 0).then_some(PageMetadata { num_rows: rows, num_levels: rows, is_dict: false }))
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.take();
        Ok(())
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        Ok(true)
    }
}

impl Iterator for NoValues {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Whether a chunk is known to have no value: it says so itself, or, of a map, its keys do. That all values of a map are null says nothing.
pub(super) fn has_no_values(group: &RowGroupMetaData, chunk: &ColumnChunkMetaData) -> bool {
    let says_so = |chunk: &ColumnChunkMetaData| {
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        chunk.column_descr().max_def_level() == 1 && nulls.is_some_and(|nulls| nulls == u64::try_from(chunk.num_values()).unwrap_or(0))
    };
    if chunk.column_descr().max_rep_level() == 0 {
        return says_so(chunk);
    }
    let of_map = |other: &&ColumnChunkMetaData| other.column_path().parts().first() == chunk.column_path().parts().first();
    group.columns().iter().filter(of_map).any(says_so)
}

fn unpacked(mut page: Page) -> Result<Page, ParquetError> {
    let levels = match &page {
        Page::DataPage { .. } | Page::DictionaryPage { .. } => 0,
        Page::DataPageV2 { is_compressed: false, .. } => return Ok(page),
        // These are not compressed.
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => *def_levels_byte_len as usize + *rep_levels_byte_len as usize,
    };
    match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } | Page::DataPageV2 { buf, .. } => {
            *buf = unpack(buf, levels).map_err(|error| ParquetError::General(format!("a page cannot be decompressed: {error}")))?;
        }
    }
    Ok(page)
}

/// Decompresses all but the first bytes.
pub(super) fn unpack(packed: &Bytes, before: usize) -> std::io::Result<Bytes> {
    let too_short = || std::io::Error::other("it is too short");
    let (head, rest) = packed.split_at_checked(before).ok_or_else(too_short)?;
    let mut body = Vec::new();
    unpack_into(rest, &mut body)?;
    Ok(if head.is_empty() { body.into() } else { [head, &body].concat().into() })
}

/// Decompresses in place of what is in `body`.
pub(super) fn unpack_into(packed: &[u8], body: &mut Vec<u8>) -> std::io::Result<()> {
    thread_local!(static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) });
    // What this program writes says its length; everything was checked against its checksum when it was read.
    let length = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().and_then(|length| usize::try_from(length).ok());
    body.clear();
    match length.filter(|length| *length <= MAX_PAGE_BYTES) {
        Some(0) => {}
        Some(length) => UNPACKER.with_borrow_mut(|unpacker| {
            let unpacker = match unpacker {
                Some(unpacker) => unpacker,
                none => none.insert(Decompressor::new()?),
            };
            body.reserve_exact(length);
            unpacker.decompress_to_buffer(packed, body).map(|_| ())
        })?,
        None => *body = zstd::stream::decode_all(packed)?,
    }
    Ok(())
}

/// Rows of a page without values. Whoever skips to a row goes over pages at once and over the levels of its page one by one.
const EMPTY_PAGE_ROWS: usize = 1_024;

/// Longer pages, of which there are none, are decompressed piece by piece.
const MAX_PAGE_BYTES: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_decompressed_behind_their_levels() {
        let text = b"a page of some length, of some length, of some length";
        let packed = zstd::bulk::compress(text, 3).unwrap();
        assert_eq!(unpack(&packed.clone().into(), 0).unwrap(), &text[..]);
        let with_levels = [b"levels", &packed[..]].concat();
        assert_eq!(unpack(&with_levels.into(), 6).unwrap(), [b"levels", &text[..]].concat());
        let streamed = zstd::stream::encode_all(&text[..], 3).unwrap();
        assert_eq!(unpack(&streamed.into(), 0).unwrap(), &text[..]);
        assert_eq!(unpack(&zstd::bulk::compress(b"", 3).unwrap().into(), 0).unwrap(), &b""[..]);
        for damaged in [&packed[..packed.len() - 1], b"no frame", b""] {
            assert!(unpack(&damaged.to_vec().into(), 0).is_err(), "{damaged:?}");
        }
        assert!(unpack(&b"abc"[..].into(), 4).is_err());
    }

    #[test]
    fn chunks_without_values_are_skipped_page_by_page() {
        let rows = 3 * EMPTY_PAGE_ROWS + 7;
        for repeats in [false, true] {
            let mut pages = NoValues { rows, repeats };
            let mut seen = Vec::new();
            while let Some(next) = pages.peek_next_page().unwrap() {
                if seen.len() % 2 == 0 {
                    pages.skip_next_page().unwrap();
                } else {
                    let page = pages.get_next_page().unwrap().unwrap();
                    assert_eq!(page.num_values() as usize, next.num_rows.unwrap());
                }
                seen.push(next.num_rows.unwrap());
            }
            assert_eq!(seen, [EMPTY_PAGE_ROWS, EMPTY_PAGE_ROWS, EMPTY_PAGE_ROWS, 7]);
            assert!(pages.get_next_page().unwrap().is_none());
        }
    }
}
