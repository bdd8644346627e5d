//! Text indexes of segments that are put one behind the other, without taking bodies apart again.

use std::io;
use std::mem;

use tantivy::directory::RamDirectory;
use tantivy::indexer::merge_indices;

use crate::segment::{BundleWriter, bundle_damaged};

use super::{Index, UNIT_ROWS, Unit, add_unit, prefix};

/// Puts units one behind the other: large ones as they are, small ones joined.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    next_row: u32,
    /// Units that wait to be joined: the rows before `next_row`.
    waiting: Vec<tantivy::Index>,
    waiting_rows: u32,
}

/// Units with fewer rows are joined with others.
const MIN_ROWS: u32 = 32_768;

impl Stack {
    /// Adds the index of the next segment, which has so many rows.
    pub(crate) fn push(&mut self, index: &Index, rows: u32, bundle: &mut BundleWriter) -> io::Result<()> {
        let ends = index.units.iter().skip(1).map(|unit| unit.first_row).chain([rows]);
        for (unit, end) in index.units.iter().zip(ends) {
            let rows = end.checked_sub(unit.first_row).ok_or_else(|| bundle_damaged("units of a text index are in no order"))?;
            if rows < MIN_ROWS {
                self.join(unit, rows, bundle)?;
            } else {
                self.flush(bundle)?;
                self.copy(unit, bundle)?;
                self.next_row = self.next_row.saturating_add(rows);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.flush(bundle)
    }

    fn copy(&self, unit: &Unit, bundle: &mut BundleWriter) -> io::Result<()> {
        let from = format!("{}{}/", prefix(), unit.first_row);
        for blob in &unit.blobs {
            let name = blob.name.strip_prefix(&from).ok_or_else(|| bundle_damaged("a file of a text index has another name"))?;
            bundle.add(format!("{}{}/{name}", prefix(), self.next_row), &unit.bundle.read_blob(blob)?)?;
        }
        Ok(())
    }

    fn join(&mut self, unit: &Unit, rows: u32, bundle: &mut BundleWriter) -> io::Result<()> {
        for blob in &unit.blobs {
            unit.bundle.read_blob(blob)?;
        }
        self.waiting.push(tantivy::Index::open(unit.directory.clone()).map_err(io::Error::other)?);
        self.waiting_rows = self.waiting_rows.saturating_add(rows);
        self.next_row = self.next_row.saturating_add(rows);
        if self.waiting_rows >= UNIT_ROWS { self.flush(bundle) } else { Ok(()) }
    }

    fn flush(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        let (waiting, rows) = (mem::take(&mut self.waiting), mem::take(&mut self.waiting_rows));
        if waiting.is_empty() {
            return Ok(());
        }
        let directory = RamDirectory::create();
        // Documents keep their order, so a number is still a row.
        let joined = merge_indices(&waiting, directory.clone()).map_err(io::Error::other)?;
        let documents: u32 = joined.searchable_segment_metas().map_err(io::Error::other)?.iter().map(tantivy::SegmentMeta::max_doc).sum();
        if documents != rows {
            return Err(bundle_damaged(format!("text indexes of {rows} rows were joined to one of {documents}")));
        }
        add_unit(&joined, &directory, self.next_row - rows, bundle)
    }
}
