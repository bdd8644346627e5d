//! Column chunks with a dictionary: texts and bytes, encoded from their views, ids of traces, and integers.
//!
//! What comes out is Parquet as any writer makes it: a dictionary page, then data pages (version 1) of codes; once the dictionary is full,
//! pages of plain values. What is different is the work: Arrow's writer hashes and compares every value of every row, which was the largest
//! part of writing a segment. Here most values are known by their view (`segment/words.rs`).

use std::ops::Range;

use parquet::basic::{Encoding, Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Body, Chunk};
use super::encoding::{DICTIONARY_BYTES, PAGE_BYTES};
use super::hybrid;
use super::press::Press;
use super::values::Values;
use super::words::Words;

mod close;

/// One column chunk being written.
#[derive(Debug)]
pub(super) struct CodedColumn {
    chunk: Chunk,
    page_rows: usize,
    has_statistics: bool,
    words: Words,
    /// Whether the dictionary is full or in vain, so that values are written as they are.
    is_plain: bool,
    /// Values by number in pages that are done.
    coded: usize,
    page: OpenPage,
}

#[derive(Debug, Default)]
struct OpenPage {
    rows: usize,
    repetition: Vec<u8>,
    definition: Vec<u8>,
    codes: Vec<u32>,
    plain: Vec<u8>,
    plain_values: usize,
}

/// Codes of a page: as many as 4,096 rows with some attributes have.
const PAGE_VALUES: usize = 65_536;
/// A dictionary of so many bytes has shown whether values repeat.
pub(super) const TRIAL_BYTES: usize = 16 * 1024;
// === impl CodedColumn ===

impl CodedColumn {
    /// `None` when the column has no dictionary or is neither flat nor in a map.
    pub(super) fn new(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let (path, statistics) = (column.path(), properties.statistics_enabled(column.path()));
        let (has_lengths, is_number) = match column.physical_type() {
            Type::BYTE_ARRAY => (true, false),
            Type::FIXED_LEN_BYTE_ARRAY => (false, false),
            Type::INT32 | Type::INT64 => (false, true),
            _ => return None,
        };
        // Numbers with bounds per page are left to the library.
        let is_coded = properties.dictionary_enabled(path) && !(is_number && statistics == EnabledStatistics::Page);
        let chunk = Chunk::new(column, properties).filter(|_| is_coded)?;
        Some(Self {
            chunk,
            page_rows: properties.data_page_row_count_limit(),
            has_statistics: has_lengths && statistics != EnabledStatistics::None,
            words: Words::new(has_lengths),
            is_plain: false,
            coded: 0,
            page: OpenPage::default(),
        })
    }

    /// Bytes so far, about.
    pub(super) fn bytes(&self) -> usize {
        self.chunk.bytes() + self.words.page().len() + self.page.plain.len() + self.page.codes.len()
    }

    /// Adds a batch: one value per row, or in a map those between the row's `offsets`.
    pub(super) fn push(
        &mut self,
        values: Values<'_>,
        offsets: Option<&[i32]>,
        rows: Range<usize>,
        press: &mut Press,
    ) -> Result<(), ParquetError> {
        self.words.next_batch();
        let has_none = match offsets {
            Some(offsets) => offsets.get(rows.start) == offsets.get(rows.end),
            None => values.nulls() == values.len() && self.chunk.column.max_def_level() > 0,
        };
        if has_none {
            return self.push_nothing(rows.len(), press);
        }
        for row in rows {
            match offsets {
                Some(offsets) => self.push_entries(values, offsets, row)?,
                None => self.push_value(values, row),
            }
            self.end_rows(1, press)?;
        }
        Ok(())
    }

    /// Adds rows without any value, which a third of the columns have only.
    fn push_nothing(&mut self, mut rows: usize, press: &mut Press) -> Result<(), ParquetError> {
        while rows > 0 {
            let fits = rows.min(self.page_rows.saturating_sub(self.page.rows).max(1));
            if self.chunk.column.max_rep_level() > 0 {
                self.page.repetition.resize(self.page.repetition.len() + fits, 0);
            }
            self.page.definition.resize(self.page.definition.len() + fits, 0);
            self.end_rows(fits, press)?;
            rows -= fits;
        }
        Ok(())
    }

    /// Notes that so many rows are in, and ends a page that is full.
    #[inline]
    fn end_rows(&mut self, rows: usize, press: &mut Press) -> Result<(), ParquetError> {
        self.page.rows += rows;
        let is_full = !self.is_plain && (self.words.page().len() >= DICTIONARY_BYTES || self.is_in_vain());
        if self.page.rows >= self.page_rows || self.page.plain.len() >= PAGE_BYTES || self.page.codes.len() >= PAGE_VALUES || is_full {
            self.end_page(press)?;
            self.is_plain |= is_full;
        }
        Ok(())
    }

    /// Whether values hardly repeat: a dictionary of them takes no less room than they do, and whoever reads a few rows reads all of it.
    #[inline]
    fn is_in_vain(&self) -> bool {
        self.words.page().len() >= TRIAL_BYTES && self.coded + self.page.codes.len() < 2 * self.words.len()
    }

    #[inline]
    fn push_value(&mut self, values: Values<'_>, row: usize) {
        if self.chunk.column.max_def_level() > 0 {
            let is_there = values.is_valid(row);
            self.page.definition.push(u8::from(is_there));
            if !is_there {
                return;
            }
        }
        self.add(values, row);
    }

    #[inline]
    fn push_entries(&mut self, values: Values<'_>, offsets: &[i32], row: usize) -> Result<(), ParquetError> {
        let offset = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok());
        let (Some(start), Some(end)) = (offset(row), offset(row + 1)) else {
            return Err(ParquetError::General("a map without the offsets of its rows".to_owned()));
        };
        if start >= end {
            self.page.repetition.push(0);
            self.page.definition.push(0);
            return Ok(());
        }
        let is_optional = self.chunk.column.max_def_level() > 1;
        for entry in start..end {
            self.page.repetition.push(u8::from(entry > start));
            let is_there = values.is_valid(entry);
            self.page.definition.push(1 + u8::from(is_optional && is_there));
            if is_there {
                self.add(values, entry);
            }
        }
        Ok(())
    }

    #[inline]
    fn add(&mut self, values: Values<'_>, at: usize) {
        if self.is_plain {
            let value = values.value(at);
            self.words.put(value.as_ref(), &mut self.page.plain);
            self.page.plain_values += 1;
        } else {
            self.page.codes.push(self.words.number(values.view(at), || values.value(at)));
        }
    }

    fn end_page(&mut self, press: &mut Press) -> Result<(), ParquetError> {
        let page = std::mem::take(&mut self.page);
        if page.rows == 0 {
            return Ok(());
        }
        self.coded += page.codes.len();
        let (is_plain, width) = (self.is_plain, hybrid::width(self.words.len().saturating_sub(1)));
        let body = Body {
            rows: page.rows,
            repetition: &page.repetition,
            definition: &page.definition,
            values: page.codes.len() + page.plain_values,
            encoding: if is_plain { Encoding::PLAIN } else { Encoding::RLE_DICTIONARY },
        };
        let put = |out: &mut Vec<u8>| {
            if is_plain {
                out.extend_from_slice(&page.plain);
            } else {
                out.push(u8::try_from(width).unwrap_or_default());
                hybrid::encode(&page.codes, width, out);
            }
        };
        self.chunk.push(&body, put, press)?;
        self.page.clear_like(page);
        Ok(())
    }
}

// === impl OpenPage ===

impl OpenPage {
    /// Takes over the memory of a page that is written.
    fn clear_like(&mut self, mut page: Self) {
        page.rows = 0;
        page.plain_values = 0;
        page.repetition.clear();
        page.definition.clear();
        page.codes.clear();
        page.plain.clear();
        *self = page;
    }
}
