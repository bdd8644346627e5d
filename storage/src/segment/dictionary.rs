//! Which columns of a row group can hold a text, by their dictionaries.
//!
//! Columns of texts are mostly numbers of a dictionary: whoever looks for a text in all rows looks into each different value once, and
//! needs to read the columns alone in which it is. Owns the reading of dictionaries; what is looked for is up to the caller.

use parquet::arrow::arrow_reader::RowGroups as _;
use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::read::Footer;
use super::unpacked::{Groups, has_no_values};
use super::{Segment, SegmentError};
use crate::attributes::{Promoted, Type};
use crate::schema::column;

/// What a column chunk says of its values without reading them.
enum Values {
    None,
    /// Those of a dictionary page, of which there are so many.
    Of(bytes::Bytes, usize),
    Any,
}

impl Segment {
    /// Columns, as they are stored, that texts of attributes lie in.
    pub(crate) fn columns_of_texts(&self) -> Result<Vec<String>, SegmentError> {
        let promoted = self.footer()?.layout.columns().iter().filter(|column| column.of == Type::Text).map(Promoted::name);
        Ok(std::iter::once(column::ATTR_STR.to_owned()).chain(promoted).collect())
    }

    /// Whether any value of a column may pass in the row group that holds `row`: of a map, any of its values.
    pub(crate) fn may_have_text(&self, row: u32, column: &str, mut pass: impl FnMut(&str) -> bool) -> Result<bool, SegmentError> {
        let footer = self.footer()?;
        let Some(group) = self.row_groups.iter().position(|group| group.rows.contains(&row)) else { return Ok(true) };
        let values = self.values_of(footer, group, column).map_err(|error| self.unreadable(&error))?;
        Ok(match values {
            Values::None => false,
            Values::Any => true,
            Values::Of(page, count) => any_passes(&page, count, &mut pass),
        })
    }

    fn values_of(&self, footer: &Footer, number: usize, column: &str) -> Result<Values, ParquetError> {
        let metadata = footer.parquet.metadata();
        let Some(group) = metadata.row_groups().get(number) else { return Ok(Values::Any) };
        let is_it = |parts: &[String]| parts.first().is_some_and(|root| root == column) && parts.last().is_none_or(|leaf| leaf != "key");
        let Some((leaf, chunk)) = group.columns().iter().enumerate().find(|(_, chunk)| is_it(chunk.column_path().parts())) else {
            return Ok(Values::Any);
        };
        if has_no_values(group, chunk) {
            return Ok(Values::None);
        }
        let Some(pages) = count_of_pages(metadata, number, leaf).filter(|_| chunk.dictionary_page_offset().is_some()) else {
            return Ok(Values::Any);
        };
        let groups = Groups::new(self.parquet.clone(), metadata.clone(), vec![number]);
        let Some(mut reader) = groups.column_chunks(leaf)?.next().transpose()? else { return Ok(Values::Any) };
        let Some(Page::DictionaryPage { buf, num_values, .. }) = reader.get_next_page()? else { return Ok(Values::Any) };
        // Once a dictionary is full, values are written as they are, to the end.
        for _ in 1..pages {
            reader.skip_next_page()?;
        }
        match reader.get_next_page()? {
            Some(last) if last.encoding() == Encoding::RLE_DICTIONARY => Ok(Values::Of(buf, num_values as usize)),
            _ => Ok(Values::Any),
        }
    }
}

fn count_of_pages(metadata: &ParquetMetaData, group: usize, leaf: usize) -> Option<usize> {
    metadata.offset_index()?.get(group)?.get(leaf).map(|index| index.page_locations().len()).filter(|pages| *pages > 0)
}

/// Whether any of the values of a dictionary page passes, or it is not what it should be.
fn any_passes(page: &[u8], count: usize, pass: &mut impl FnMut(&str) -> bool) -> bool {
    let mut rest = page;
    for _ in 0..count {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return true };
        let Some((value, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else { return true };
        if std::str::from_utf8(value).map_or(true, &mut *pass) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_page_is_asked_about_and_one_that_is_cut_passes() {
        let page: Vec<u8> = ["cart", "", "timeout"]
            .iter()
            .flat_map(|text| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat())
            .collect();
        let mut seen = Vec::new();
        let mut see = |text: &str| {
            seen.push(text.to_owned());
            false
        };
        assert!(!any_passes(&page, 3, &mut see));
        assert_eq!(seen, ["cart", "", "timeout"]);
        assert!(any_passes(&page, 3, &mut |text: &str| text == "timeout"));
        for cut in [&page[..page.len() - 1], &page[..3], &[1, 0, 0, 0, 0xff]] {
            assert!(any_passes(cut, 3, &mut |_: &str| false), "{cut:?}");
        }
    }
}
