//! Indexes of words of segments that are put one behind the other: large units are copied, bodies of small ones are taken apart again.

use std::io;
use std::ops::Range;

use crate::segment::BundleWriter;

use super::{Index, IndexBuilder, blob_name};

/// Puts units one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    builder: IndexBuilder,
}

/// Units with fewer rows are joined with others.
const MIN_ROWS: usize = 32_768;

impl Stack {
    /// Adds the index of the next segment; `bodies` hands over the bodies of some of its rows.
    pub(crate) fn push(
        &mut self,
        index: &Index,
        bundle: &mut BundleWriter,
        bodies: impl Fn(Range<u32>, &mut dyn FnMut(Option<&str>) -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        for unit in &index.units {
            let rows = unit.rows();
            if rows.len() < MIN_ROWS {
                bodies(rows, &mut |body| self.builder.push(body, bundle))?;
                continue;
            }
            self.builder.end_unit(bundle)?;
            for (name, blob) in unit.files() {
                bundle.add(blob_name(self.builder.next_row(), name), &index.bundle.read_blob(blob)?)?;
            }
            self.builder.skip(unit.rows, bundle)?;
        }
        Ok(())
    }

    pub(crate) fn finish(self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.builder.finish(bundle)
    }
}
