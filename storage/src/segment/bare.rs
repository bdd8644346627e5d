//! Column chunks without a dictionary: ids, times, and texts that hardly repeat.
//!
//! What comes out is what Arrow's writer makes, which makes an object of every id, and takes levels and bounds of every value by itself: half
//! of the work of writing columns. Here a page is gathered from arrays as a whole.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Body, Chunk, statistics_of_nulls};
use super::delta;
use super::press::Press;

/// One column chunk being written.
#[derive(Debug)]
pub(super) struct BareColumn {
    chunk: Chunk,
    kind: Kind,
    page_rows: usize,
    page_bytes: usize,
    has_statistics: bool,
    page: OpenPage,
    /// Least and greatest number so far.
    bounds: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All of one length.
    Ids,
    /// As differences.
    Numbers,
    /// Each after its length.
    Texts,
    /// All lengths, as differences, before all texts.
    Bodies,
}

#[derive(Debug, Default)]
struct OpenPage {
    rows: usize,
    values: usize,
    /// Empty where no column can be null.
    definition: Vec<u8>,
    /// Numbers, or lengths of texts.
    numbers: Vec<i64>,
    bytes: Vec<u8>,
}

// === impl BareColumn ===

impl BareColumn {
    /// `None` when the column has a dictionary, lies in a map or is encoded in a way that is left to the library.
    pub(super) fn new(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let path = column.path();
        let statistics = properties.statistics_enabled(path);
        let kind = match (column.physical_type(), properties.encoding(path)) {
            (Type::FIXED_LEN_BYTE_ARRAY, None) => Kind::Ids,
            (Type::INT64, Some(Encoding::DELTA_BINARY_PACKED)) => Kind::Numbers,
            (Type::BYTE_ARRAY, None) => Kind::Texts,
            (Type::BYTE_ARRAY, Some(Encoding::DELTA_LENGTH_BYTE_ARRAY)) => Kind::Bodies,
            _ => return None,
        };
        let is_bare = !properties.dictionary_enabled(path) && column.max_rep_level() == 0 && statistics != EnabledStatistics::Page;
        let chunk = Chunk::new(column, properties).filter(|_| is_bare)?;
        Some(Self {
            chunk,
            kind,
            page_rows: properties.data_page_row_count_limit().max(1),
            page_bytes: properties.column_data_page_size_limit(path),
            has_statistics: statistics != EnabledStatistics::None,
            page: OpenPage::default(),
            bounds: None,
        })
    }

    /// Bytes so far, about.
    pub(super) fn bytes(&self) -> usize {
        self.chunk.bytes() + self.page.bytes.len() + self.page.numbers.len() * size_of::<i64>()
    }

    /// Adds a batch: one value per row.
    pub(super) fn push(&mut self, array: &ArrayRef, press: &mut Press) -> Result<(), ParquetError> {
        let mut row = 0;
        while row < array.len() {
            let fits = (array.len() - row).min(self.page_rows - self.page.rows);
            let taken = self.take(&array.slice(row, fits))?;
            row += taken;
            if self.page.rows >= self.page_rows || self.page.bytes.len() >= self.page_bytes {
                self.end_page(press)?;
            }
        }
        Ok(())
    }

    /// Adds rows until the page is full, and says how many.
    fn take(&mut self, array: &ArrayRef) -> Result<usize, ParquetError> {
        let rows = match array.data_type() {
            DataType::FixedSizeBinary(_) if self.kind == Kind::Ids => self.take_ids(array),
            DataType::Int64 if self.kind == Kind::Numbers => self.take_numbers(array),
            DataType::Utf8View => self.take_texts(array.as_string_view().iter().map(|text| text.map(str::as_bytes))),
            DataType::BinaryView => self.take_texts(array.as_binary_view().iter()),
            other => return Err(ParquetError::General(format!("a column of {other} has no form without a dictionary"))),
        };
        self.page.rows += rows;
        if self.chunk.column.max_def_level() > 0 {
            match array.nulls() {
                Some(nulls) => self.page.definition.extend(nulls.iter().take(rows).map(u8::from)),
                None => self.page.definition.resize(self.page.definition.len() + rows, 1),
            }
        }
        Ok(rows)
    }

    fn take_ids(&mut self, array: &ArrayRef) -> usize {
        let ids = array.as_fixed_size_binary();
        if ids.null_count() == 0 {
            self.page.bytes.extend_from_slice(ids.value_data());
        } else {
            ids.iter().flatten().for_each(|id| self.page.bytes.extend_from_slice(id));
        }
        self.page.values += ids.len() - ids.null_count();
        ids.len()
    }

    fn take_numbers(&mut self, array: &ArrayRef) -> usize {
        let numbers = array.as_primitive::<Int64Type>();
        let first = self.page.numbers.len();
        if numbers.null_count() == 0 {
            self.page.numbers.extend_from_slice(numbers.values());
        } else {
            self.page.numbers.extend(numbers.iter().flatten());
        }
        let new = self.page.numbers.get(first..).unwrap_or_default();
        self.page.values += new.len();
        if let (Some(min), Some(max)) = (new.iter().min(), new.iter().max()) {
            self.bounds = Some(self.bounds.map_or((*min, *max), |(least, greatest)| (least.min(*min), greatest.max(*max))));
        }
        numbers.len()
    }

    fn take_texts<'a>(&mut self, texts: impl Iterator<Item = Option<&'a [u8]>>) -> usize {
        let (page, mut rows) = (&mut self.page, 0);
        for text in texts {
            rows += 1;
            let Some(text) = text else { continue };
            page.values += 1;
            if self.kind == Kind::Bodies {
                page.numbers.push(i64::try_from(text.len()).unwrap_or(i64::MAX));
            } else {
                page.bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            }
            page.bytes.extend_from_slice(text);
            if page.bytes.len() >= self.page_bytes {
                break;
            }
        }
        rows
    }

    fn end_page(&mut self, press: &mut Press) -> Result<(), ParquetError> {
        let page = &mut self.page;
        if page.rows == 0 {
            return Ok(());
        }
        let encoding = match self.kind {
            Kind::Ids | Kind::Texts => Encoding::PLAIN,
            Kind::Numbers => Encoding::DELTA_BINARY_PACKED,
            Kind::Bodies => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        };
        let body = Body { rows: page.rows, repetition: &[], definition: &page.definition, values: page.values, encoding };
        let put = |out: &mut Vec<u8>| {
            match self.kind {
                Kind::Ids | Kind::Texts => {}
                Kind::Numbers | Kind::Bodies => delta::encode(&page.numbers, out),
            }
            out.extend_from_slice(&page.bytes);
        };
        self.chunk.push(&body, put, press)?;
        page.clear();
        Ok(())
    }

    /// The bytes of the chunk, and what the footer says of it.
    pub(super) fn close(mut self, press: &mut Press) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        self.end_page(press)?;
        let nulls = self.chunk.nulls().0;
        let statistics = match self.bounds {
            Some((min, max)) => Some(Statistics::int64(Some(min), Some(max), None, Some(nulls as u64), false)),
            None => statistics_of_nulls(self.chunk.column.physical_type(), nulls),
        };
        self.chunk.close(None, statistics.filter(|_| self.has_statistics), press)
    }
}

// === impl OpenPage ===

impl OpenPage {
    /// Keeps its memory for the next page.
    fn clear(&mut self) {
        (self.rows, self.values) = (0, 0);
        self.definition.clear();
        self.numbers.clear();
        self.bytes.clear();
    }
}
