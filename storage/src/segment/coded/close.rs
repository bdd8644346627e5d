//! Ends a column chunk: its dictionary, and what the footer says of it.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{CompressedPage, Page};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;

use super::CodedColumn;
use crate::segment::press::{Press, append};

/// Longer texts have no place in statistics.
const STATISTICS_BYTES: usize = 64;

impl CodedColumn {
    /// The bytes of the chunk, and what the footer says of it.
    pub(in crate::segment) fn close(mut self, press: &mut Press) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        self.end_page(press)?;
        let mut chunk = Vec::with_capacity(self.done.len() + self.words.page().len() / 2);
        let dictionary = Page::DictionaryPage {
            buf: press.press(self.compression, self.words.page().to_vec())?,
            num_values: u32::try_from(self.words.len()).map_err(|error| ParquetError::General(error.to_string()))?,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let dictionary = CompressedPage::new(dictionary, self.words.page().len());
        let written = append(dictionary, &mut chunk)?;
        let begin = i64::try_from(chunk.len()).unwrap_or_default();
        chunk.append(&mut self.done);
        let mut offsets = OffsetIndexBuilder::new();
        for page in &self.pages {
            offsets.append_row_count(i64::try_from(page.rows).unwrap_or_default());
            offsets.append_offset_and_size(
                begin + i64::try_from(page.offset).unwrap_or_default(),
                i32::try_from(page.bytes).unwrap_or(i32::MAX),
            );
        }
        let long = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.compression)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_total_compressed_size(long(chunk.len()))
            .set_total_uncompressed_size(long(written.uncompressed_size + self.totals.uncompressed))
            .set_num_values(long(self.totals.values))
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(begin);
        if let Some(statistics) = self.statistics() {
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

    /// Bounds of all values, when they are in the dictionary and short; that there are none, so that nobody reads the chunk for it.
    fn statistics(&self) -> Option<Statistics> {
        // Of a map the keys say it: there may be keys whose values are all null.
        let can_say = self.column.physical_type() == Type::BYTE_ARRAY && self.column.max_def_level() == 1;
        if can_say && self.totals.nulls == self.totals.values {
            return Some(Statistics::byte_array(None, None, None, Some(self.totals.nulls as u64), false));
        }
        let short =
            |value: Option<&[u8]>| value.filter(|value| value.len() <= STATISTICS_BYTES).map(|value| ByteArray::from(value.to_vec()));
        if self.is_plain || !self.has_statistics {
            return None;
        }
        let (min, max) = (short(self.words.iter().min())?, short(self.words.iter().max())?);
        Some(Statistics::byte_array(Some(min), Some(max), None, Some(self.totals.nulls as u64), false))
    }
}
