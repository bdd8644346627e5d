//! Ends a column chunk: its dictionary, and what the footer says of it.

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;

use super::CodedColumn;
use crate::segment::chunk::statistics_of_nulls;
use crate::segment::press::Press;

/// Longer texts have no place in statistics.
const STATISTICS_BYTES: usize = 64;

impl CodedColumn {
    /// The bytes of the chunk, and what the footer says of it.
    pub(in crate::segment) fn close(mut self, press: &mut Press) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        self.end_page(press)?;
        let statistics = self.statistics();
        self.chunk.close(Some((self.words.page(), self.words.len())), statistics, press)
    }

    /// Bounds of all values, when they are in the dictionary and short; that there are none, so that nobody reads the chunk for it.
    fn statistics(&self) -> Option<Statistics> {
        // Of a map the keys say it: there may be keys whose values are all null.
        let (nulls, values) = self.chunk.nulls();
        if self.chunk.column.max_def_level() == 1 && nulls == values {
            return statistics_of_nulls(self.chunk.column.physical_type(), nulls);
        }
        let short =
            |value: Option<&[u8]>| value.filter(|value| value.len() <= STATISTICS_BYTES).map(|value| ByteArray::from(value.to_vec()));
        if self.is_plain || !self.has_statistics {
            return None;
        }
        let (min, max) = (short(self.words.iter().min())?, short(self.words.iter().max())?);
        Some(Statistics::byte_array(Some(min), Some(max), None, Some(nulls as u64), false))
    }
}
