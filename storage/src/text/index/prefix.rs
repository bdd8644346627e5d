//! Rows with a token that begins with a text: the sorted dictionary of terms has them together.

use std::io;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

use crate::segment::{RowRanges, push_row};

use super::{Index, Unit, truncated};

/// Terms of one unit that are looked up; a beginning that more have says too little.
const MAX_TERMS: usize = 4_096;

impl Index {
    /// Rows that have a token with this beginning, ascending; `None` when there are too many such tokens.
    pub(crate) fn prefix_rows(&self, prefix: &str) -> io::Result<Option<RowRanges>> {
        let mut rows = RowRanges::new();
        for unit in &self.units {
            if unit.prefix_rows(truncated(prefix).as_bytes(), &mut rows)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(rows))
    }
}

impl Unit {
    fn prefix_rows(&self, prefix: &[u8], rows: &mut RowRanges) -> io::Result<Option<()>> {
        let (reader, body) = self.reader()?;
        let inverted = reader.inverted_index(*body).map_err(io::Error::other)?;
        let mut found = vec![0_u64; (reader.max_doc() as usize).div_ceil(64)];
        let mut terms = inverted.terms().range().ge(prefix).into_stream()?;
        let mut count = 0;
        while terms.advance() && terms.key().starts_with(prefix) {
            count += 1;
            if count > MAX_TERMS {
                return Ok(None);
            }
            let mut postings = inverted.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            let mut document = postings.doc();
            while document != TERMINATED {
                if let Some(bits) = found.get_mut((document / 64) as usize) {
                    *bits |= 1 << (document % 64);
                }
                document = postings.advance();
            }
        }
        for (first, bits) in (0u32..).step_by(64).zip(found) {
            (0..64).filter(|bit| bits >> bit & 1 == 1).for_each(|bit| push_row(rows, self.first_row + first + bit));
        }
        Ok(Some(()))
    }
}
