//! A column chunk being written: its data pages, and what the footer says of it.
//!
//! Owns pages that are done and what they sum up to. What is in them, and when they are full, is up to `segment/coded.rs` and
//! `segment/bare.rs`, which encode columns with a dictionary and without.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{CompressedPage, Page};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::press::{Press, append, levels};

/// The data pages of one column chunk.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) column: ColumnDescPtr,
    compression: Compression,
    /// Data pages that are done.
    done: Vec<u8>,
    pages: Vec<Written>,
    totals: Totals,
    encodings: Vec<Encoding>,
}

/// What a data page has.
pub(super) struct Body<'a> {
    pub(super) rows: usize,
    pub(super) repetition: &'a [u8],
    pub(super) definition: &'a [u8],
    /// Values that are there.
    pub(super) values: usize,
    pub(super) encoding: Encoding,
}

/// A data page in `done`.
#[derive(Clone, Copy, Debug)]
struct Written {
    offset: u64,
    bytes: usize,
    rows: usize,
}

#[derive(Debug, Default)]
struct Totals {
    rows: usize,
    /// Levels, that is values and nulls.
    values: usize,
    nulls: usize,
    uncompressed: usize,
}

// === impl Chunk ===

impl Chunk {
    /// `None` when the column is neither flat nor in a map, or compressed in another way than segments are.
    pub(super) fn new(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let compression = properties.compression(column.path());
        let is_known = matches!(compression, Compression::ZSTD(_) | Compression::UNCOMPRESSED)
            && matches!((column.max_rep_level(), column.max_def_level()), (0, 0 | 1) | (1, 1 | 2));
        let column = column.clone();
        is_known.then(|| Self {
            column,
            compression,
            done: Vec::new(),
            pages: Vec::new(),
            totals: Totals::default(),
            encodings: vec![Encoding::RLE],
        })
    }

    /// Bytes of pages that are done.
    pub(super) fn bytes(&self) -> usize {
        self.done.len()
    }

    /// Values of pages that are done: those that are null, of all.
    pub(super) fn nulls(&self) -> (usize, usize) {
        (self.totals.nulls, self.totals.values)
    }

    /// Ends a page, whose values `put` appends to what it is given.
    pub(super) fn push(&mut self, page: &Body<'_>, put: impl FnOnce(&mut Vec<u8>), press: &mut Press) -> Result<(), ParquetError> {
        let mut body = Vec::with_capacity(page.values * 4 + page.definition.len() / 4 + 64);
        levels(page.repetition, self.column.max_rep_level(), &mut body);
        levels(page.definition, self.column.max_def_level(), &mut body);
        put(&mut body);
        let values = if self.column.max_def_level() > 0 { page.definition.len() } else { page.values };
        let uncompressed = body.len();
        let data = Page::DataPage {
            buf: press.press(self.compression, body)?,
            num_values: u32::try_from(values).map_err(|error| ParquetError::General(error.to_string()))?,
            encoding: page.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let offset = self.done.len() as u64;
        let written = append(CompressedPage::new(data, uncompressed), &mut self.done)?;
        self.pages.push(Written { offset, bytes: written.compressed_size, rows: page.rows });
        self.totals.rows += page.rows;
        self.totals.values += values;
        self.totals.nulls += values - page.values;
        self.totals.uncompressed += written.uncompressed_size;
        self.has(page.encoding);
        Ok(())
    }

    /// The bytes of the chunk, and what the footer says of it. A dictionary is its page and how many values it has.
    pub(super) fn close(
        mut self,
        dictionary: Option<(&[u8], usize)>,
        statistics: Option<Statistics>,
        press: &mut Press,
    ) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let mut chunk = Vec::with_capacity(self.done.len() + dictionary.map_or(0, |(page, _)| page.len() / 2));
        let mut uncompressed = self.totals.uncompressed;
        if let Some((page, count)) = dictionary {
            uncompressed += self.put_dictionary(page, count, &mut chunk, press)?;
        }
        let begin = chunk.len();
        chunk.append(&mut self.done);
        let mut offsets = OffsetIndexBuilder::new();
        for page in &self.pages {
            offsets.append_row_count(long(page.rows));
            offsets.append_offset_and_size(long(begin) + page.offset.cast_signed(), i32::try_from(page.bytes).unwrap_or(i32::MAX));
        }
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.compression)
            .set_encodings(self.encodings)
            .set_total_compressed_size(long(chunk.len()))
            .set_total_uncompressed_size(long(uncompressed))
            .set_num_values(long(self.totals.values))
            .set_dictionary_page_offset(dictionary.map(|_| 0))
            .set_data_page_offset(long(begin));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: chunk.len() as u64,
            rows_written: self.totals.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        };
        Ok((chunk.into(), close))
    }

    /// How many bytes it has before compression, with its header.
    fn put_dictionary(&mut self, page: &[u8], count: usize, chunk: &mut Vec<u8>, press: &mut Press) -> Result<usize, ParquetError> {
        let dictionary = Page::DictionaryPage {
            buf: press.press(self.compression, page.to_vec())?,
            num_values: u32::try_from(count).map_err(|error| ParquetError::General(error.to_string()))?,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.has(Encoding::PLAIN);
        Ok(append(CompressedPage::new(dictionary, page.len()), chunk)?.uncompressed_size)
    }

    fn has(&mut self, encoding: Encoding) {
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
    }
}

/// Statistics that say how many values are null, and nothing else.
pub(super) fn statistics_of_nulls(of: Type, nulls: usize) -> Option<Statistics> {
    let nulls = Some(nulls as u64);
    Some(match of {
        Type::BYTE_ARRAY => Statistics::byte_array(None, None, None, nulls, false),
        Type::FIXED_LEN_BYTE_ARRAY => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
        Type::INT32 => Statistics::int32(None, None, None, nulls, false),
        Type::INT64 => Statistics::int64(None, None, None, nulls, false),
        _ => return None,
    })
}

fn long(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
