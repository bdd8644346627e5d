//! Which rows have a value that passes, without making rows of any column.
//!
//! Each value of a dictionary is asked about once, and pages then say by its number which rows have it; other values are asked about as they
//! lie in their pages. Whoever wants few rows of many finds them here sooner than by reading a column. Nothing is said of what is damaged.

use std::ops::Range;

use super::super::read::Footer;
use super::super::{RowRanges, rows, times, unpacked::has_no_values};
use super::asked::Passing;
use super::page::{Asked, EachPassing};
use super::{Chunk, Segment, parts};
use crate::attributes::{Found, Type};
use crate::encoded::{self, Any};
use crate::schema::column;

impl Segment {
    /// Those of `rows` whose value of a column passes, as it is stored; those without a value do not. `None` where it takes reading them.
    pub(crate) fn rows_passing(&self, column: &str, rows: &RowRanges, pass: impl Fn(&[u8]) -> bool) -> Option<RowRanges> {
        let footer = self.footer().ok()?;
        if footer.tells_times && times::is_told(self.meta.signal, column) {
            return None;
        }
        let leaf = footer.parquet.parquet_schema().columns().iter().position(|leaf| leaf.path().parts() == [column])?;
        self.leaf_passing(footer, leaf, rows, &pass)
    }

    /// The same of the values under the key of an attribute of the record.
    pub(crate) fn rows_passing_under(&self, key: &str, rows: &RowRanges, pass: impl Fn(Found<'_>) -> bool) -> Option<RowRanges> {
        let column = self.footer().ok()?.layout.find(key);
        let mut found = match column {
            None => RowRanges::new(),
            Some(column) => {
                let of = Some(column.of);
                self.rows_passing(&column.name(), rows, |value| value_of(of, value).is_some_and(&pass))?
            }
        };
        if column.is_none_or(|column| !column.whole) {
            for map in self.maps_with(key) {
                found = rows::union(found, self.entries_passing((map, key), rows, &pass)?);
            }
        }
        Some(found)
    }

    /// Rows with an entry of a map that has a key and a value that passes.
    fn entries_passing(&self, (map, key): (&str, &str), rows: &RowRanges, pass: &dyn Fn(Found<'_>) -> bool) -> Option<RowRanges> {
        let footer = self.footer().ok()?;
        let keys =
            footer.parquet.parquet_schema().columns().iter().position(|leaf| leaf.path().parts().first().is_some_and(|of| of == map))?;
        // The row and its entry.
        let mut of_key: Vec<(u32, u32)> = Vec::new();
        self.each_passing((footer, keys), rows, &|found| found == key.as_bytes(), &mut |rows, entry| {
            of_key.extend(rows.map(|row| (row, entry)));
            Some(())
        })?;
        let (mut with_key, mut found, of) = (RowRanges::new(), RowRanges::new(), type_of(map));
        of_key.iter().for_each(|(row, _)| push_once(&mut with_key, *row..row + 1));
        let mut of_key = of_key.into_iter().peekable();
        self.each_passing((footer, keys + 1), &with_key, &|value| value_of(of, value).is_some_and(pass), &mut |rows, entry| {
            for row in rows {
                while of_key.next_if(|next| *next < (row, entry)).is_some() {}
                if of_key.peek() == Some(&(row, entry)) {
                    push_once(&mut found, row..row + 1);
                }
            }
            Some(())
        })?;
        Some(found)
    }

    pub(super) fn leaf_passing(&self, footer: &Footer, leaf: usize, rows: &RowRanges, pass: &dyn Fn(&[u8]) -> bool) -> Option<RowRanges> {
        let mut found = RowRanges::new();
        self.each_passing((footer, leaf), rows, pass, &mut |rows, _| {
            push_once(&mut found, rows);
            Some(())
        })?;
        Some(found)
    }

    /// Hands over rows whose value of a leaf passes; of a map with the number of each such entry in its row.
    fn each_passing(
        &self,
        (footer, leaf): (&Footer, usize),
        rows: &RowRanges,
        pass: &dyn Fn(&[u8]) -> bool,
        found: &mut dyn FnMut(Range<u32>, u32) -> Option<()>,
    ) -> Option<()> {
        for part in parts(footer, rows) {
            let start = self.row_groups.get(part.number)?.rows.start;
            let chunk = part.group.columns().get(leaf)?;
            let pages = footer.parquet.metadata().offset_index()?.get(part.number)?.get(leaf)?.page_locations();
            Chunk { segment: self, part: &part, leaf, chunk, pages }.passing(pass, &mut |rows, entry| {
                let row = |row: usize| u32::try_from(row).ok()?.checked_add(start);
                found(row(rows.start)?..row(rows.end)?, entry)
            })?;
        }
        Some(())
    }
}

/// Adds rows, none before the last one.
fn push_once(ranges: &mut RowRanges, rows: Range<u32>) {
    let end = ranges.last().map_or(0, |last| last.end);
    if rows.start >= end {
        rows::push_range(ranges, rows);
    }
}

/// The type of a map's values; `None` where they are encoded.
fn type_of(map: &str) -> Option<Type> {
    Some(match map {
        column::ATTR_STR => Type::Text,
        column::ATTR_INT => Type::Int,
        column::ATTR_DBL => Type::Double,
        column::ATTR_BOOL => Type::Bool,
        _ => return None,
    })
}

/// A value as it is stored; `None` when it is none of this type, or nothing.
fn value_of(of: Option<Type>, value: &[u8]) -> Option<Found<'_>> {
    Some(match of {
        None => Some(value).filter(|value| encoded::any(value) != Any::Empty).map(Found::Encoded)?,
        Some(Type::Text) => Found::Text(std::str::from_utf8(value).ok()?),
        Some(Type::Int) => Found::Int(i64::from_le_bytes(value.try_into().ok()?)),
        Some(Type::Double) => Found::Double(f64::from_le_bytes(value.try_into().ok()?)),
        Some(Type::Bool) => Found::Bool(<[u8; 1]>::try_from(value).ok()? != [0]),
    })
}

// === impl Chunk ===

impl Chunk<'_> {
    /// Hands over rows of the part whose value passes, and entries that do.
    fn passing(&self, pass: &dyn Fn(&[u8]) -> bool, found: EachPassing<'_>) -> Option<()> {
        if has_no_values(self.part.group, self.chunk) {
            return Some(());
        }
        let mut known = Passing::default();
        if let Some(dictionary) = self.dictionary()? {
            known = Passing::new((0..dictionary.count()).map(|number| dictionary.value(number).map(pass)).collect::<Option<_>>()?);
            if dictionary.is_whole() && known.are_none() {
                return Some(());
            }
            if dictionary.is_whole() && known.are_all() && self.has_no_nulls() {
                return self.part.rows.iter().cloned().try_for_each(|rows| found(rows, 0));
            }
        }
        let asked = Asked { known: &known, pass };
        for (number, rows) in self.wanted()? {
            let place = self.pages.get(number)?;
            let first = usize::try_from(place.first_row_index).ok()?;
            self.page(place, |page| page.passing(&rows, asked, &mut |rows, entry| found(first + rows.start..first + rows.end, entry)))?;
        }
        Some(())
    }
}
