//! A sum over everything that a text index holds, to compare it with the bodies that it was made of.
//!
//! Each pair of term and row adds a hash of both, so the order in which they come does not matter, and nothing is kept but the sum.

use std::collections::HashSet;
use std::io;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

use super::{Index, Tokenizer, Unit, truncated};

/// Pairs of term and row: how many, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    pairs: u64,
    sum: u64,
}

// === impl Digest ===

impl Digest {
    /// Adds what the body of a row puts into an index.
    pub(crate) fn add_body(&mut self, row: u32, body: &str) {
        let mut terms = HashSet::new();
        Tokenizer::default().each(body, |token| {
            terms.insert(truncated(token).to_owned());
            true
        });
        for term in terms {
            self.add(term.as_bytes(), row);
        }
    }

    /// Adds one pair, which comes once.
    fn add(&mut self, term: &[u8], row: u32) {
        let mut hash = term.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        hash ^= u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.pairs += 1;
        self.sum = self.sum.wrapping_add(hash ^ (hash >> 31));
    }
}

// === impl Index ===

impl Index {
    /// Everything that the index holds, added up.
    pub(crate) fn digest(&self) -> io::Result<Digest> {
        let mut digest = Digest::default();
        for unit in &self.units {
            unit.digest(&mut digest)?;
        }
        Ok(digest)
    }
}

// === impl Unit ===

impl Unit {
    fn digest(&self, digest: &mut Digest) -> io::Result<()> {
        let (reader, body) = self.reader()?;
        let inverted = reader.inverted_index(*body).map_err(io::Error::other)?;
        let mut terms = inverted.terms().stream()?;
        while terms.advance() {
            let mut postings = inverted.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            let mut document = postings.doc();
            while document != TERMINATED {
                digest.add(terms.key(), self.first_row + document);
                document = postings.advance();
            }
        }
        Ok(())
    }
}
