//! Ids of a unit: tokens that are no [words](super::words), most of which are in one body only. Knows which blocks have them, nearly: now
//! and then blocks of another id.
//!
//! The file `ids`, little-endian:
//!
//! - pages (`ids/page.rs`), each a list of keys of tokens (`ids/key.rs`) with the blocks of rows that have them;
//! - the directory: for each page the first key u64 and where the page begins u32;
//! - the parts of the unit: rows of each u32;
//! - parts u32, pages u32, crc32c of the directory, the parts and these two u32.
//!
//!
//! Equal bodies make equal bytes, and equal units that are joined (`ids/join.rs`) as well.

use std::borrow::Cow;
use std::io;
use std::ops::{Range, RangeInclusive};

use crate::segment::{Blob, Bundle, bundle_damaged};

use super::blocks::{self, Blocks};
use super::{BLOCK_ROWS, MAX_BLOCKS, UNIT_ROWS};

mod builder;
mod file;
mod join;
mod key;
mod page;

pub(super) use self::builder::IdsBuilder;
pub(super) use self::join::join;
use self::page::Page;

/// The ids of one unit.
#[derive(Debug)]
pub(super) struct Ids {
    /// Rows of each part.
    parts: Vec<u32>,
    blocks: u32,
    /// First key and begin of each page.
    directory: Vec<(u64, u32)>,
    /// Where the last page ends.
    end: u32,
}

/// The bytes of a file of ids.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Blob(&'a Bundle, &'a Blob),
    Bytes(&'a [u8]),
}

/// The name of the file within the unit.
pub(super) const FILE: &str = "ids";
const BLOCK_BITS: u32 = MAX_BLOCKS.ilog2();
const TAIL_BYTES: u32 = 12;
const ENTRY_BYTES: usize = 12;
const PART_BYTES: usize = 4;
/// Pages that are read for one beginning of a token in as many blocks as 131,072 rows have; what more have says too little.
const MAX_PAGES: usize = 64;

// === impl Source ===

impl Source<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Blob(_, blob) => blob.len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    fn read(&self, at: u32, length: usize) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Blob(bundle, blob) => bundle.file().bytes_at(blob.offset + u64::from(at), length).map(Cow::Owned),
            Self::Bytes(bytes) => {
                let found = bytes.get(at as usize..).and_then(|rest| rest.get(..length));
                found.map(Cow::Borrowed).ok_or_else(|| self.damaged("is too short"))
            }
        }
    }

    fn damaged(&self, what: &str) -> io::Error {
        let name = if let Self::Blob(_, blob) = self { &blob.name } else { FILE };
        bundle_damaged(format!("{name} {what}"))
    }
}

// === impl Ids ===

impl Ids {
    pub(super) fn open(source: &Source<'_>) -> io::Result<Self> {
        let short = || source.damaged("is too short");
        let end = u32::try_from(source.len()).map_err(|_| source.damaged("is too long"))?;
        let tail_at = end.checked_sub(TAIL_BYTES).ok_or_else(short)?;
        let tail = source.read(tail_at, TAIL_BYTES as usize)?;
        let number =
            |bytes: &[u8], at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (parts, pages, crc) = (number(&tail, 0), number(&tail, 4), number(&tail, 8));
        let directory_bytes = (pages as usize).checked_mul(ENTRY_BYTES).ok_or_else(short)?;
        let parts_bytes = (parts as usize).checked_mul(PART_BYTES).ok_or_else(short)?;
        let length = directory_bytes.checked_add(parts_bytes).filter(|bytes| *bytes <= tail_at as usize).ok_or_else(short)?;
        let directory_at = tail_at - u32::try_from(length).map_err(|_| short())?;
        let bytes = source.read(directory_at, length)?;
        if crc32c::crc32c_append(crc32c::crc32c(&bytes), tail.get(..8).unwrap_or_default()) != crc {
            return Err(source.damaged("has a directory that does not match its checksum"));
        }
        let (directory, parts) = bytes.split_at_checked(directory_bytes).ok_or_else(short)?;
        let entry = |entry: &[u8; ENTRY_BYTES]| {
            let (key, at) = entry.split_first_chunk()?;
            Some((u64::from_le_bytes(*key), u32::from_le_bytes(*at.first_chunk()?)))
        };
        let (entries, _) = directory.as_chunks::<ENTRY_BYTES>();
        let directory: Vec<(u64, u32)> = entries.iter().filter_map(entry).collect();
        let (parts, _) = parts.as_chunks::<PART_BYTES>();
        let parts: Vec<u32> = parts.iter().copied().map(u32::from_le_bytes).collect();
        let blocks = blocks::count_all(&parts);
        let is_sorted = directory.is_sorted() && directory.last().is_none_or(|(_, at)| *at <= directory_at);
        if !is_sorted || parts.iter().any(|rows| *rows > UNIT_ROWS) || blocks > MAX_BLOCKS {
            return Err(source.damaged("has a directory that makes no sense"));
        }
        Ok(Self { parts, blocks, directory, end: directory_at })
    }

    /// Rows of each part of the unit.
    pub(super) fn parts(&self) -> &[u32] {
        &self.parts
    }

    /// Blocks of the unit.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Where pages and directory end; what follows says of how many rows they are.
    pub(super) fn content(&self) -> usize {
        self.end as usize + self.directory.len() * ENTRY_BYTES
    }

    /// Adds the blocks that may have a token.
    pub(super) fn collect(&self, source: &Source<'_>, token: &str, found: &mut Blocks) -> io::Result<()> {
        let key = key::of(token);
        self.collect_keys(source, &(key..=key), found)
    }

    /// Adds the blocks that may have a token with this beginning; `None` when there are too many such tokens.
    pub(super) fn collect_beginning(&self, source: &Source<'_>, prefix: &str, found: &mut Blocks) -> io::Result<Option<()>> {
        let keys = key::beginning_with(prefix);
        let share = self.blocks.div_ceil(UNIT_ROWS / BLOCK_ROWS).max(1) as usize;
        if self.pages(&keys).len() > MAX_PAGES * share {
            return Ok(None);
        }
        self.collect_keys(source, &keys, found).map(Some)
    }

    /// Numbers of the pages in which these keys can be.
    fn pages(&self, keys: &RangeInclusive<u64>) -> Range<usize> {
        let first = self.directory.partition_point(|(first, _)| first <= keys.start()).saturating_sub(1);
        let end = self.directory.partition_point(|(first, _)| first <= keys.end());
        first.min(end)..end
    }

    fn collect_keys(&self, source: &Source<'_>, keys: &RangeInclusive<u64>, found: &mut Blocks) -> io::Result<()> {
        let pages = self.pages(keys);
        if pages.is_empty() {
            return Ok(());
        }
        let (begin, bytes) = self.read(source, pages.clone())?;
        for number in pages {
            let page = self.page(source, number, begin, &bytes)?;
            page.collect(keys, found).ok_or_else(|| source.damaged("has a page that makes no sense"))?;
        }
        Ok(())
    }

    /// Where these pages begin, and their bytes.
    fn read<'s>(&self, source: &'s Source<'_>, pages: Range<usize>) -> io::Result<(u32, Cow<'s, [u8]>)> {
        let (begin, end) = (self.begin(pages.start), self.begin(pages.end));
        let length = end.checked_sub(begin).ok_or_else(|| source.damaged("has pages that overlap"))?;
        Ok((begin, source.read(begin, length as usize)?))
    }

    /// A page, checked, within bytes that begin somewhere before it.
    fn page<'b>(&self, source: &Source<'_>, number: usize, begin: u32, bytes: &'b [u8]) -> io::Result<Page<'b>> {
        let place = |number| self.begin(number).checked_sub(begin).map(|at| at as usize);
        let page = place(number).zip(place(number + 1)).and_then(|(start, end)| bytes.get(start..end));
        let page = page.ok_or_else(|| source.damaged("has pages that overlap"))?;
        let first = self.directory.get(number).map_or(0, |(first, _)| *first);
        Page::new(page, first).ok_or_else(|| source.damaged(&format!("is damaged in page {number}")))
    }

    fn begin(&self, page: usize) -> u32 {
        self.directory.get(page).map_or(self.end, |(_, at)| *at)
    }
}
