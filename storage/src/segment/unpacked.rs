//! Pages of a segment's Parquet file, decompressed by what the thread keeps for that.
//!
//! Owns decompression alone: pages are found and read by the crate. That one would make a compressor and a decompressor for every column of
//! every row group, and where a few rows are read that takes longer than everything else.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;
use zstd::bulk::Decompressor;

use super::checked::CheckedFile;

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
fn unpack(packed: &Bytes, before: usize) -> std::io::Result<Bytes> {
    thread_local!(static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) });
    let too_short = || std::io::Error::other("it is too short");
    let (head, rest) = packed.split_at_checked(before).ok_or_else(too_short)?;
    // What this program writes says its length; everything was checked against its checksum when it was read.
    let length = zstd::zstd_safe::get_frame_content_size(rest).ok().flatten().and_then(|length| usize::try_from(length).ok());
    let body = match length.filter(|length| *length <= MAX_PAGE_BYTES) {
        Some(0) => Vec::new(),
        Some(length) => UNPACKER.with_borrow_mut(|unpacker| {
            let unpacker = match unpacker {
                Some(unpacker) => unpacker,
                none => none.insert(Decompressor::new()?),
            };
            unpacker.decompress(rest, length)
        })?,
        None => zstd::stream::decode_all(rest)?,
    };
    Ok(if head.is_empty() { body.into() } else { [head, &body].concat().into() })
}

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
}
