//! The index of words of log segments: which rows have which tokens, nearly.
//!
//! An answer never leaves out a row that has a word; it names rows in blocks of 16, and now and then blocks of another word. Whoever asks
//! reads the bodies and decides.
//!
//! Bodies are indexed in row order, at most 131,072 rows to a *unit*, which bounds the memory of building. A unit is the blob
//! `ft/v<version>/<first row>`, little-endian:
//!
//! - pages (`text/index/page.rs`), each a list of keys of tokens (`text/index/key.rs`) with the blocks of rows that have them;
//! - the directory: for each page the first key u64 and where the page begins u32;
//! - rows of the unit u32, pages u32, crc32c of the directory and of these two u32.
//!
//! Block `n` has the rows from `16 n` on, counted from the first row of the unit. Equal bodies make equal bytes, so an index is checked by making it again.

use std::io;
use std::ops::Range;

use crate::segment::{Blob, Bundle, RowRanges, bundle_damaged};

use super::{VERSION, truncated};

mod blocks;
mod builder;
mod compare;
mod key;
mod page;
mod stack;

use self::blocks::Blocks;
pub(crate) use self::builder::IndexBuilder;
pub(crate) use self::compare::Comparison;
use self::page::Page;
pub(crate) use self::stack::Stack;

/// The index of words of an open segment.
#[derive(Debug)]
pub(crate) struct Index {
    bundle: Bundle,
    units: Vec<Unit>,
}

#[derive(Debug)]
struct Unit {
    first_row: u32,
    rows: u32,
    blob: Blob,
    /// First key and begin of each page.
    directory: Vec<(u64, u32)>,
    /// Where the last page ends.
    end: u32,
}

const UNIT_ROWS: u32 = 131_072;
const BLOCK_ROWS: u32 = 16;
/// So that a block has a number of 13 bits.
const BLOCK_BITS: u32 = 13;
const TAIL_BYTES: u32 = 12;
const ENTRY_BYTES: usize = 12;
/// Pages that are read for one beginning of a word; what more have says too little.
const MAX_PAGES: usize = 64;

fn prefix() -> String {
    format!("ft/v{VERSION}/")
}

// === impl Index ===

impl Index {
    /// Whether a blob of this name is part of one, of whatever version.
    pub(crate) fn has(name: &str) -> bool {
        name.starts_with("ft/")
    }

    /// Whether a bundle has one of this version.
    pub(crate) fn is_in(bundle: &Bundle) -> bool {
        let prefix = prefix();
        bundle.blobs().iter().any(|blob| blob.name.starts_with(&prefix))
    }

    /// The index in a bundle; `None` when there is none of this version.
    pub(crate) fn open(bundle: &Bundle) -> io::Result<Option<Self>> {
        let prefix = prefix();
        let mut units = Vec::new();
        for blob in bundle.blobs() {
            if let Some(first_row) = blob.name.strip_prefix(&prefix).and_then(|first_row| first_row.parse().ok()) {
                units.push(Unit::open(bundle, blob, first_row)?);
            }
        }
        units.sort_unstable_by_key(|unit| unit.first_row);
        Ok((!units.is_empty()).then(|| Self { bundle: bundle.clone(), units }))
    }

    /// Rows that may have every term, ascending.
    pub(crate) fn rows(&self, terms: &[String]) -> io::Result<RowRanges> {
        let keys: Vec<u64> = terms.iter().map(|term| key::of(truncated(term))).collect();
        let mut rows = RowRanges::new();
        for unit in &self.units {
            let mut left: Option<Blocks> = None;
            for key in &keys {
                let mut found = Blocks::new(unit.rows);
                unit.collect(&self.bundle, *key..=*key, &mut found)?;
                let both = left.take().map_or_else(|| found.clone(), |left| left.both(&found));
                let is_done = both.is_empty();
                left = Some(both);
                if is_done {
                    break;
                }
            }
            left.into_iter().for_each(|found| found.add_rows(unit.first_row, &mut rows));
        }
        Ok(rows)
    }

    /// Rows that may have a token with this beginning, ascending; `None` when there are too many such tokens.
    pub(crate) fn prefix_rows(&self, prefix: &str) -> io::Result<Option<RowRanges>> {
        let keys = key::beginning_with(truncated(prefix));
        let mut rows = RowRanges::new();
        for unit in &self.units {
            if unit.pages(&keys).len() > MAX_PAGES {
                return Ok(None);
            }
            let mut found = Blocks::new(unit.rows);
            unit.collect(&self.bundle, keys.clone(), &mut found)?;
            found.add_rows(unit.first_row, &mut rows);
        }
        Ok(Some(rows))
    }
}

// === impl Unit ===

impl Unit {
    fn open(bundle: &Bundle, blob: &Blob, first_row: u32) -> io::Result<Self> {
        let short = || bundle_damaged(format!("{} is too short", blob.name));
        let end = u32::try_from(blob.len).map_err(|_| bundle_damaged(format!("{} is too long", blob.name)))?;
        let tail_at = end.checked_sub(TAIL_BYTES).ok_or_else(short)?;
        let tail = bundle.file().bytes_at(blob.offset + u64::from(tail_at), TAIL_BYTES as usize)?;
        let number = |at: usize| tail.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (rows, pages, crc) = (number(0), number(4), number(8));
        let directory_bytes = (pages as usize).checked_mul(ENTRY_BYTES).filter(|bytes| *bytes <= tail_at as usize).ok_or_else(short)?;
        let directory_at = tail_at - u32::try_from(directory_bytes).map_err(|_| short())?;
        let bytes = bundle.file().bytes_at(blob.offset + u64::from(directory_at), directory_bytes)?;
        if crc32c::crc32c_append(crc32c::crc32c(&bytes), tail.get(..8).unwrap_or_default()) != crc {
            return Err(bundle_damaged(format!("checksum of the directory of {} does not match", blob.name)));
        }
        let entry = |entry: &[u8; ENTRY_BYTES]| {
            let (key, at) = entry.split_first_chunk()?;
            Some((u64::from_le_bytes(*key), u32::from_le_bytes(*at.first_chunk()?)))
        };
        let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
        let directory: Vec<(u64, u32)> = entries.iter().filter_map(entry).collect();
        let is_sorted = directory.is_sorted() && directory.last().is_none_or(|(_, at)| *at <= directory_at);
        if !is_sorted || rows > UNIT_ROWS {
            return Err(bundle_damaged(format!("the directory of {} makes no sense", blob.name)));
        }
        Ok(Self { first_row, rows, blob: blob.clone(), directory, end: directory_at })
    }

    /// Rows of the segment that it is about.
    fn rows(&self) -> Range<u32> {
        self.first_row..self.first_row.saturating_add(self.rows)
    }

    /// Numbers of the pages in which these keys can be.
    fn pages(&self, keys: &std::ops::RangeInclusive<u64>) -> Range<usize> {
        let first = self.directory.partition_point(|(first, _)| first <= keys.start()).saturating_sub(1);
        let end = self.directory.partition_point(|(first, _)| first <= keys.end());
        first.min(end)..end
    }

    /// Adds the blocks of all these keys.
    fn collect(&self, bundle: &Bundle, keys: std::ops::RangeInclusive<u64>, found: &mut Blocks) -> io::Result<()> {
        for number in self.pages(&keys) {
            let at = |number: usize| self.directory.get(number).map_or(self.end, |(_, at)| *at);
            let (start, end) = (at(number), at(number + 1));
            let length = end.checked_sub(start).ok_or_else(|| bundle_damaged("pages of an index of words overlap"))?;
            let bytes = bundle.file().bytes_at(self.blob.offset + u64::from(start), length as usize)?;
            let first = self.directory.get(number).map_or(0, |(first, _)| *first);
            Page::new(&bytes, first)
                .and_then(|page| page.collect(&keys, found))
                .ok_or_else(|| bundle_damaged(format!("page {number} of {} is damaged", self.blob.name)))?;
        }
        Ok(())
    }
}
