//! Builds the index of words: tokens of bodies become pairs of key and block, which are sorted.

use std::io;

use crate::segment::BundleWriter;

use super::super::{Tokenizer, truncated};
use super::{BLOCK_BITS, BLOCK_ROWS, UNIT_ROWS, key, page, prefix};

/// Indexes bodies row by row into a bundle.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    tokenizer: Tokenizer,
    unit: UnitBuilder,
    next_row: u32,
    unit_rows: u32,
}

/// One unit.
#[derive(Debug)]
pub(super) struct UnitBuilder {
    rows: u32,
    /// Key and block of every token, some twice.
    pairs: Vec<u64>,
    /// Those that came lately, by their lowest bits, so that few come twice.
    recent: Vec<u64>,
}

/// Pairs that end a unit: 24 MiB.
const UNIT_PAIRS: usize = 3 << 20;
/// A power of two.
const RECENT: usize = 4_096;

// === impl IndexBuilder ===

impl IndexBuilder {
    /// Starts a new unit after so many rows.
    pub(crate) fn with_unit_rows(unit_rows: u32) -> Self {
        Self { tokenizer: Tokenizer::default(), unit: UnitBuilder::default(), next_row: 0, unit_rows: unit_rows.min(UNIT_ROWS) }
    }

    /// Adds the body of the next row.
    pub(crate) fn push(&mut self, body: Option<&str>, bundle: &mut BundleWriter) -> io::Result<()> {
        if self.unit.rows >= self.unit_rows || self.unit.pairs.len() >= UNIT_PAIRS {
            self.end_unit(bundle)?;
        }
        self.unit.push(body, &mut self.tokenizer);
        self.next_row = self.next_row.saturating_add(1);
        Ok(())
    }

    /// The next row begins another unit.
    pub(super) fn end_unit(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        if self.unit.rows == 0 {
            return Ok(());
        }
        let first_row = self.next_row - self.unit.rows;
        bundle.add(format!("{}{first_row}", prefix()), &self.unit.finish())
    }

    /// The next rows are indexed elsewhere.
    pub(super) fn skip(&mut self, rows: u32, bundle: &mut BundleWriter) -> io::Result<()> {
        self.end_unit(bundle)?;
        self.next_row = self.next_row.saturating_add(rows);
        Ok(())
    }

    pub(super) fn next_row(&self) -> u32 {
        self.next_row
    }

    pub(crate) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.end_unit(bundle)
    }
}

impl Default for IndexBuilder {
    fn default() -> Self {
        Self::with_unit_rows(UNIT_ROWS)
    }
}

// === impl UnitBuilder ===

impl Default for UnitBuilder {
    fn default() -> Self {
        Self { rows: 0, pairs: Vec::new(), recent: vec![u64::MAX; RECENT] }
    }
}

impl UnitBuilder {
    pub(super) fn push(&mut self, body: Option<&str>, tokenizer: &mut Tokenizer) {
        let block = u64::from(self.rows / BLOCK_ROWS);
        self.rows += 1;
        tokenizer.each(body.unwrap_or_default(), |token| {
            let pair = (key::of(truncated(token)) << BLOCK_BITS) | block;
            let place = usize::try_from(pair >> BLOCK_BITS).unwrap_or_default() % RECENT;
            if let Some(recent) = self.recent.get_mut(place)
                && std::mem::replace(recent, pair) != pair
            {
                self.pairs.push(pair);
            }
            true
        });
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// The blob of the unit; begins the next one.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let (rows, mut pairs) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.pairs));
        self.recent.fill(u64::MAX);
        pairs.sort_unstable();
        pairs.dedup();
        let (mut blob, mut directory) = (Vec::new(), Vec::new());
        let mut rest = pairs.as_slice();
        while let Some(first) = rest.first() {
            let (now, later) = rest.split_at(page::length(rest, rows));
            directory.extend_from_slice(&(first >> BLOCK_BITS).to_le_bytes());
            directory.extend_from_slice(&u32::try_from(blob.len()).unwrap_or(u32::MAX).to_le_bytes());
            page::write(now, rows, &mut blob);
            rest = later;
        }
        let pages = u32::try_from(directory.len() / super::ENTRY_BYTES).unwrap_or(u32::MAX);
        directory.extend_from_slice(&rows.to_le_bytes());
        directory.extend_from_slice(&pages.to_le_bytes());
        let crc = crc32c::crc32c(&directory);
        blob.extend_from_slice(&directory);
        blob.extend_from_slice(&crc.to_le_bytes());
        // The memory is used again for the next unit.
        pairs.clear();
        self.pairs = pairs;
        blob
    }
}
