//! Indexes of words of segments that are put one behind the other: their units are joined, without taking bodies apart again.

use std::io;
use std::sync::Arc;

use crate::segment::{Bundle, BundleWriter};

use super::ids::{self, Source};
use super::words::Written;
use super::{Index, MAX_BLOCKS, Unit, blob_name};

/// Puts units one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    /// What becomes one unit.
    waiting: Vec<Part>,
    blocks: u32,
    words_bytes: u64,
    /// The row of the whole with which it begins, and with which the next one does.
    first_row: u32,
    next_row: u32,
}

/// A unit, read as far as it is small, and checked.
#[derive(Debug)]
pub(crate) struct Part {
    bundle: Bundle,
    unit: Arc<Unit>,
    words: tantivy::Index,
}

/// Units of one; bounds what is in memory of each of them.
const MAX_PARTS: usize = 256;
/// Words of one unit, which are in memory.
const MAX_WORDS_BYTES: u64 = 16 << 20;

// === impl Index ===

impl Index {
    /// All units, to be put behind those of other segments. The error is that this index cannot be read.
    pub(crate) fn parts(&self) -> io::Result<Vec<Part>> {
        let part = |unit: &Arc<Unit>| {
            self.bundle.read_blob(&unit.ids_blob)?;
            Ok(Part { bundle: self.bundle.clone(), unit: Arc::clone(unit), words: unit.words.load(&self.bundle)? })
        };
        self.units.iter().map(part).collect()
    }
}

// === impl Part ===

impl Part {
    fn is_joined(&self) -> bool {
        self.unit.ids.parts().len() > 1
    }

    fn ids(&self) -> (&ids::Ids, Source<'_>) {
        (&self.unit.ids, Source::Blob(&self.bundle, &self.unit.ids_blob))
    }
}

// === impl Stack ===

impl Stack {
    /// Adds a unit behind the others.
    pub(crate) fn push(&mut self, part: Part, bundle: &mut BundleWriter) -> io::Result<()> {
        let (blocks, bytes, is_joined) = (part.unit.ids.blocks(), part.unit.words.bytes(), part.is_joined());
        let is_full = self.blocks + blocks > MAX_BLOCKS || self.words_bytes + bytes > MAX_WORDS_BYTES;
        if is_full || is_joined || self.waiting.len() >= MAX_PARTS {
            self.end_unit(bundle)?;
        }
        self.blocks += blocks;
        self.words_bytes += bytes;
        self.next_row = part.unit.ids.parts().iter().fold(self.next_row, |row, rows| row.saturating_add(*rows));
        self.waiting.push(part);
        if is_joined { self.end_unit(bundle) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.end_unit(bundle)
    }

    fn end_unit(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        let parts = std::mem::take(&mut self.waiting);
        let first_row = std::mem::replace(&mut self.first_row, self.next_row);
        (self.blocks, self.words_bytes) = (0, 0);
        match parts.as_slice() {
            [] => Ok(()),
            [part] => {
                let words = part.unit.words.files().iter().map(|(name, blob)| (name.as_str(), blob));
                for (name, blob) in words.chain([(ids::FILE, &part.unit.ids_blob)]) {
                    bundle.add(blob_name(first_row, name), &part.bundle.read_blob(blob)?)?;
                }
                Ok(())
            }
            parts => {
                let mut blob = bundle.begin(blob_name(first_row, ids::FILE));
                ids::join(&parts.iter().map(Part::ids).collect::<Vec<_>>(), &mut blob)?;
                blob.finish();
                Written::join(&parts.iter().map(|part| part.words.clone()).collect::<Vec<_>>())?.add_to(bundle, first_row)
            }
        }
    }
}
