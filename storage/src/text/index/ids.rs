//! Ids of a unit: tokens that are no [words](super::words), most of which are in one body only. Knows which blocks have them, nearly: now
//! and then blocks of another id.
//!
//! The file `ids`, little-endian:
//!
//! - pages (`ids/page.rs`), each a list of keys of tokens (`ids/key.rs`) with the blocks of rows that have them;
//! - the directory: for each page the first key u64 and where the page begins u32;
//! - rows of the unit u32, pages u32, crc32c of the directory and of these two u32.
//!
//! Equal bodies make equal bytes.

use std::io;
use std::ops::{Range, RangeInclusive};

use crate::segment::{Blob, Bundle, bundle_damaged};

use super::UNIT_ROWS;
use super::blocks::Blocks;

mod builder;
mod key;
mod page;

pub(super) use self::builder::IdsBuilder;
use self::page::Page;

/// The ids of one unit.
#[derive(Debug)]
pub(super) struct Ids {
    rows: u32,
    blob: Blob,
    /// First key and begin of each page.
    directory: Vec<(u64, u32)>,
    /// Where the last page ends.
    end: u32,
}

/// The name of the file within the unit.
pub(super) const FILE: &str = "ids";
/// So that a block has a number of 13 bits.
const BLOCK_BITS: u32 = 13;
const TAIL_BYTES: u32 = 12;
const ENTRY_BYTES: usize = 12;
/// Pages that are read for one beginning of a token; what more have says too little.
const MAX_PAGES: usize = 64;

// === impl Ids ===

impl Ids {
    pub(super) fn open(bundle: &Bundle, blob: &Blob) -> io::Result<Self> {
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
        Ok(Self { rows, blob: blob.clone(), directory, end: directory_at })
    }

    /// Rows of the unit.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Adds the blocks that may have a token.
    pub(super) fn collect(&self, bundle: &Bundle, token: &str, found: &mut Blocks) -> io::Result<()> {
        let key = key::of(token);
        self.collect_keys(bundle, &(key..=key), found)
    }

    /// Adds the blocks that may have a token with this beginning; `None` when there are too many such tokens.
    pub(super) fn collect_beginning(&self, bundle: &Bundle, prefix: &str, found: &mut Blocks) -> io::Result<Option<()>> {
        let keys = key::beginning_with(prefix);
        if self.pages(&keys).len() > MAX_PAGES {
            return Ok(None);
        }
        self.collect_keys(bundle, &keys, found).map(Some)
    }

    /// Numbers of the pages in which these keys can be.
    fn pages(&self, keys: &RangeInclusive<u64>) -> Range<usize> {
        let first = self.directory.partition_point(|(first, _)| first <= keys.start()).saturating_sub(1);
        let end = self.directory.partition_point(|(first, _)| first <= keys.end());
        first.min(end)..end
    }

    fn collect_keys(&self, bundle: &Bundle, keys: &RangeInclusive<u64>, found: &mut Blocks) -> io::Result<()> {
        let at = |number: usize| self.directory.get(number).map_or(self.end, |(_, at)| *at);
        let overlap = || bundle_damaged("pages of an index of words overlap");
        let pages = self.pages(keys);
        if pages.is_empty() {
            return Ok(());
        }
        let (begin, end) = (at(pages.start), at(pages.end));
        let length = end.checked_sub(begin).ok_or_else(overlap)?;
        let bytes = bundle.file().bytes_at(self.blob.offset + u64::from(begin), length as usize)?;
        for number in pages {
            let place = |number| at(number).checked_sub(begin).map(|at| at as usize);
            let page = place(number).zip(place(number + 1)).and_then(|(start, end)| bytes.get(start..end)).ok_or_else(overlap)?;
            let first = self.directory.get(number).map_or(0, |(first, _)| *first);
            Page::new(page, first)
                .and_then(|page| page.collect(keys, found))
                .ok_or_else(|| bundle_damaged(format!("page {number} of {} is damaged", self.blob.name)))?;
        }
        Ok(())
    }
}
