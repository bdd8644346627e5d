//! Which rows have a value that passes, without making rows of any column.
//!
//! Each value of a dictionary is asked about once, and pages then say by its number which rows have it; other values are asked about as they
//! lie in their pages. Whoever wants few rows of many finds them here sooner than by reading a column. Nothing is said of what is damaged.

use std::ops::Range;

use super::super::{RowRanges, rows, times, unpacked::has_no_values};
use super::page::{Asked, Page};
use super::{Chunk, Segment, is_of_map, parts};
use crate::attributes::{Found, Type};

impl Segment {
    /// Those of `rows` whose value of a column passes, as it is stored; those without a value do not. `None` where it takes reading them.
    pub(crate) fn rows_passing(&self, column: &str, rows: &RowRanges, pass: impl Fn(&[u8]) -> bool) -> Option<RowRanges> {
        let footer = self.footer().ok()?;
        if footer.tells_times && times::is_told(self.meta.signal, column) {
            return None;
        }
        let leaf = footer.parquet.parquet_schema().columns().iter().position(|leaf| leaf.path().parts() == [column])?;
        let mut found = RowRanges::new();
        for part in parts(footer, rows) {
            let start = self.row_groups.get(part.number)?.rows.start;
            let chunk = part.group.columns().get(leaf)?;
            let pages = footer.parquet.metadata().offset_index()?.get(part.number)?.get(leaf)?.page_locations();
            Chunk { segment: self, part: &part, leaf, chunk, pages }.passing(&pass, &mut |rows| {
                let row = |row: usize| u32::try_from(row).ok()?.checked_add(start);
                rows::push_range(&mut found, row(rows.start)?..row(rows.end)?);
                Some(())
            })?;
        }
        Some(found)
    }

    /// The same of the values under the key of an attribute of the record.
    pub(crate) fn rows_passing_under(&self, key: &str, rows: &RowRanges, pass: impl Fn(Found<'_>) -> bool) -> Option<RowRanges> {
        match self.footer().ok()?.layout.find(key) {
            None => self.maps_with(key).is_empty().then(RowRanges::new),
            Some(column) if !column.whole => None,
            Some(column) => match column.of {
                Type::Text => {
                    self.rows_passing(&column.name(), rows, |value| std::str::from_utf8(value).map_or(true, |text| pass(Found::Text(text))))
                }
                Type::Int => self.rows_passing(&column.name(), rows, |value| {
                    value.try_into().map_or(true, |value| pass(Found::Int(i64::from_le_bytes(value))))
                }),
                _ => None,
            },
        }
    }
}

// === impl Chunk ===

impl Chunk<'_> {
    /// Hands over rows of the part whose value passes.
    fn passing(&self, pass: &dyn Fn(&[u8]) -> bool, found: &mut dyn FnMut(Range<usize>) -> Option<()>) -> Option<()> {
        if is_of_map(self.chunk) {
            return None;
        }
        if has_no_values(self.part.group, self.chunk) {
            return Some(());
        }
        let mut known = Vec::new();
        if let Some(dictionary) = self.dictionary()? {
            known = (0..dictionary.count()).map(|number| dictionary.value(number).map(pass)).collect::<Option<_>>()?;
            if dictionary.is_whole() && !known.contains(&true) {
                return Some(());
            }
            if dictionary.is_whole() && !known.contains(&false) && self.has_no_nulls() {
                return self.part.rows.iter().cloned().try_for_each(found);
            }
        }
        let asked = Asked { known: &known, pass };
        for (number, rows) in self.wanted()? {
            let place = self.pages.get(number)?;
            let first = usize::try_from(place.first_row_index).ok()?;
            let bytes = self.read(place.offset, place.compressed_page_size.into())?;
            let (header, body) = self.open(&bytes)?;
            let page = Page::new(&header, self.chunk.column_descr(), &body)?;
            page.passing(&rows, asked, &mut |rows| found(first + rows.start..first + rows.end))?;
        }
        Some(())
    }
}
