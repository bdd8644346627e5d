//! Which pages of a promoted attribute can hold a number.
//!
//! Reads the column indexes of the Parquet file, which has them for columns of numbers, when they are first asked for. Says only where a
//! number certainly is not.

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use crate::attributes::Type;

use super::checked::CheckedFile;
use super::{RowGroup, RowRanges, Scalar, Segment, rows};

impl Segment {
    /// Rows of the pages whose smallest and largest number under a key pass `can_hold`; `None` when not all values of the key are numbers in
    /// a column of their own, or nothing is known of their pages.
    pub(crate) fn number_rows(&self, key: &str, can_hold: impl Fn(Scalar<'_>, Scalar<'_>) -> bool) -> Option<RowRanges> {
        let footer = self.footer().ok()?;
        let promoted = footer.layout.find(key).filter(|column| column.whole && matches!(column.of, Type::Int | Type::Double))?;
        let metadata = footer.pages.get_or_init(|| pages(&self.parquet, &footer.parquet)).as_ref()?;
        let (name, schema) = (promoted.name(), footer.parquet.parquet_schema());
        let leaf = schema.columns().iter().position(|leaf| leaf.path().parts().first() == Some(&name))?;
        let mut found = RowRanges::new();
        for (number, group) in self.row_groups.iter().enumerate() {
            let numbers = metadata.column_index()?.get(number)?.get(leaf)?;
            let places = metadata.offset_index()?.get(number)?.get(leaf)?;
            add_pages(&mut found, group, numbers, places, &can_hold)?;
        }
        Some(rows::merged(found))
    }
}

fn add_pages(
    found: &mut RowRanges,
    group: &RowGroup,
    numbers: &ColumnIndexMetaData,
    places: &OffsetIndexMetaData,
    can_hold: &impl Fn(Scalar<'_>, Scalar<'_>) -> bool,
) -> Option<()> {
    let starts: Vec<u32> = places.page_locations().iter().map(|page| u32::try_from(page.first_row_index).ok()).collect::<Option<_>>()?;
    if u64::try_from(starts.len()).ok()? != numbers.num_pages() {
        return None;
    }
    for (page, start) in starts.iter().enumerate() {
        if numbers.is_null_page(page) {
            continue;
        }
        let (min, max) = match numbers {
            ColumnIndexMetaData::INT64(index) => (Scalar::Int(*index.min_value(page)?), Scalar::Int(*index.max_value(page)?)),
            ColumnIndexMetaData::DOUBLE(index) => (Scalar::Double(*index.min_value(page)?), Scalar::Double(*index.max_value(page)?)),
            _ => return None,
        };
        if can_hold(min, max) {
            let end = starts.get(page + 1).map_or(group.rows.end, |next| group.rows.start.saturating_add(*next));
            found.push(group.rows.start.saturating_add(*start)..end);
        }
    }
    Some(())
}

/// The footer with all page indexes.
fn pages(file: &CheckedFile, footer: &ArrowReaderMetadata) -> Option<ParquetMetaData> {
    let mut reader = ParquetMetaDataReader::new_with_metadata(footer.metadata().as_ref().clone())
        .with_column_index_policy(PageIndexPolicy::Optional)
        .with_offset_index_policy(PageIndexPolicy::Optional);
    reader.read_page_indexes(file).ok()?;
    reader.finish().ok()
}
