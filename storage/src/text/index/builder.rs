//! Builds the index of words: takes each body apart once, and gives each token to the part that it belongs to.

use std::io;

use crate::segment::BundleWriter;

use super::super::{Tokenizer, truncated};
use super::ids::{self, IdsBuilder};
use super::words::{self, WordsBuilder, Written};
use super::{BLOCK_ROWS, UNIT_ROWS, blob_name};

/// Indexes bodies row by row into a bundle.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    tokenizer: Tokenizer,
    unit: UnitBuilder,
    next_row: u32,
    unit_rows: u32,
}

/// One unit.
#[derive(Debug, Default)]
pub(super) struct UnitBuilder {
    rows: u32,
    ids: IdsBuilder,
    words: WordsBuilder,
}

/// Both files of a whole unit.
#[derive(Debug)]
pub(super) struct WrittenUnit {
    pub(super) ids: Vec<u8>,
    pub(super) words: Written,
}

// === impl IndexBuilder ===

impl IndexBuilder {
    /// Starts a new unit after so many rows.
    pub(crate) fn with_unit_rows(unit_rows: u32) -> Self {
        Self { tokenizer: Tokenizer::default(), unit: UnitBuilder::default(), next_row: 0, unit_rows: unit_rows.min(UNIT_ROWS) }
    }

    /// Adds the body of the next row.
    pub(crate) fn push(&mut self, body: Option<&str>, bundle: &mut BundleWriter) -> io::Result<()> {
        if self.unit.rows >= self.unit_rows || self.unit.is_full() {
            self.end_unit(bundle)?;
        }
        self.unit.push(body, &mut self.tokenizer)?;
        self.next_row = self.next_row.saturating_add(1);
        Ok(())
    }

    /// The next row begins another unit.
    fn end_unit(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        if self.unit.rows == 0 {
            return Ok(());
        }
        let first_row = self.next_row - self.unit.rows;
        let unit = self.unit.finish()?;
        bundle.add(blob_name(first_row, ids::FILE), &unit.ids)?;
        unit.words.add_to(bundle, first_row)
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

impl UnitBuilder {
    pub(super) fn push(&mut self, body: Option<&str>, tokenizer: &mut Tokenizer) -> io::Result<()> {
        let block = self.rows / BLOCK_ROWS;
        tokenizer.each(body.unwrap_or_default(), |token| {
            let token = truncated(token);
            if words::takes(token) {
                self.words.push(token)
            } else {
                self.ids.push(token, block)
            }
            true
        });
        self.rows += 1;
        if self.rows.is_multiple_of(BLOCK_ROWS) { self.words.end_block() } else { Ok(()) }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    fn is_full(&self) -> bool {
        self.ids.is_full() || self.words.is_full()
    }

    /// Both parts of the unit; begins the next one.
    pub(super) fn finish(&mut self) -> io::Result<WrittenUnit> {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_multiple_of(BLOCK_ROWS) {
            self.words.end_block()?;
        }
        Ok(WrittenUnit { ids: self.ids.finish(rows)?, words: self.words.finish()? })
    }
}
