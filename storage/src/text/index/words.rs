//! Words of a unit: tokens that people write, of which there are few and which are in many bodies. Knows exactly which blocks have them.
//!
//! They are kept by tantivy: one segment whose documents are the blocks of the unit, in order. Of a term only its documents are kept: no
//! positions, norms or stored text. The files of the segment and `meta.json` are files of the unit; they are small, and are read whole and
//! checked when the unit is first asked. Where units are joined, tantivy merges their segments. Which words come to which files is tantivy's own, so indexes are compared term by term.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tantivy::directory::RamDirectory;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Directory, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term, postings::TermInfo};

use crate::segment::{Blob, Bundle, bundle_damaged};

use super::blocks::Blocks;
use super::{BLOCK_ROWS, UNIT_ROWS};

mod builder;

pub(super) use self::builder::{WordsBuilder, Written};

/// The words of one unit.
#[derive(Debug)]
pub(super) struct Words {
    /// Names of files within the unit, and where they are.
    files: Vec<(String, Blob)>,
    /// Blocks of the unit.
    blocks: u32,
    reader: OnceLock<Arc<Reader>>,
}

/// An open segment of tantivy.
pub(super) struct Reader {
    index: Arc<InvertedIndexReader>,
    body: Field,
    blocks: u32,
}

/// Longer ones are ids: what is random is rarely shorter and of letters alone, and nearly all words of languages are not longer.
const MAX_CHARACTERS: usize = 11;
/// The field of documents.
const BODY: &str = "body";
/// Files of a unit that stay in memory once read, for as many blocks as 131,072 rows have; larger ones are read again for each question.
const MAX_KEPT_BYTES: u64 = 1 << 20;
/// Terms of one unit that are looked up for one beginning; what more have says too little.
const MAX_TERMS: usize = 4_096;

/// Whether a token is a word: letters alone, and not many. The ids take the others. A part of the format: a change needs another
/// [`crate::text`] version.
pub(super) fn takes(token: &str) -> bool {
    let is_ascii_word = token.len() <= MAX_CHARACTERS && token.bytes().all(|b| b.is_ascii_alphabetic());
    is_ascii_word || (!token.is_ascii() && token.chars().nth(MAX_CHARACTERS).is_none() && token.chars().all(char::is_alphabetic))
}

// === impl Words ===

impl Words {
    pub(super) fn new(files: Vec<(String, Blob)>, blocks: u32) -> Self {
        Self { files, blocks, reader: OnceLock::new() }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, blob)| blob.len).sum()
    }

    /// Reads and checks the files.
    pub(super) fn load(&self, bundle: &Bundle) -> io::Result<tantivy::Index> {
        let directory = RamDirectory::create();
        for (name, blob) in &self.files {
            directory.atomic_write(Path::new(name), &bundle.read_blob(blob)?)?;
        }
        tantivy::Index::open(directory).map_err(io::Error::other)
    }

    pub(super) fn files(&self) -> &[(String, Blob)] {
        &self.files
    }

    /// Adds the blocks that have a word.
    pub(super) fn collect(&self, bundle: &Bundle, word: &str, found: &mut Blocks) -> io::Result<()> {
        self.reader(bundle)?.collect(word, found)
    }

    /// Adds the blocks that have a word with this beginning; `None` when there are too many such words.
    pub(super) fn collect_beginning(&self, bundle: &Bundle, prefix: &str, found: &mut Blocks) -> io::Result<Option<()>> {
        self.reader(bundle)?.collect_beginning(prefix, found)
    }

    /// Reads, checks and opens the files.
    pub(super) fn reader(&self, bundle: &Bundle) -> io::Result<Arc<Reader>> {
        if let Some(reader) = self.reader.get() {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(Reader::open(&self.load(bundle)?, self.blocks)?);
        let share = u64::from(self.blocks.div_ceil(UNIT_ROWS / BLOCK_ROWS).max(1));
        Ok(if self.bytes() > MAX_KEPT_BYTES * share { reader } else { Arc::clone(self.reader.get_or_init(|| reader)) })
    }
}

// === impl Reader ===

impl Reader {
    fn open(index: &tantivy::Index, blocks: u32) -> io::Result<Self> {
        let body = index.schema().get_field(BODY).map_err(io::Error::other)?;
        let segments = index.searchable_segments().map_err(io::Error::other)?;
        let [segment] = segments.as_slice() else { return Err(bundle_damaged("words of a unit are not in one segment")) };
        let segment = SegmentReader::open(segment).map_err(io::Error::other)?;
        if segment.max_doc() != blocks {
            return Err(bundle_damaged(format!("words of {} blocks are those of {blocks}", segment.max_doc())));
        }
        Ok(Self { index: segment.inverted_index(body).map_err(io::Error::other)?, body, blocks })
    }

    fn collect(&self, word: &str, found: &mut Blocks) -> io::Result<()> {
        let term = Term::from_field_text(self.body, word);
        self.index.get_term_info(&term)?.map_or(Ok(()), |term| self.collect_term(&term, found))
    }

    fn collect_beginning(&self, prefix: &str, found: &mut Blocks) -> io::Result<Option<()>> {
        let mut terms = self.index.terms().range().ge(prefix).into_stream()?;
        let mut count = 0;
        while terms.advance() && terms.key().starts_with(prefix.as_bytes()) {
            count += 1;
            if count > MAX_TERMS {
                return Ok(None);
            }
            self.collect_term(terms.value(), found)?;
        }
        Ok(Some(()))
    }

    fn collect_term(&self, term: &TermInfo, found: &mut Blocks) -> io::Result<()> {
        let mut postings = self.index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        let mut block = postings.doc();
        while block != TERMINATED {
            found.add(block).ok_or_else(|| bundle_damaged("a word is in a block that is not there"))?;
            block = postings.advance();
        }
        Ok(())
    }

    /// Whether both have the same words in the same blocks.
    pub(super) fn equals(&self, other: &Self) -> io::Result<bool> {
        let (mut ours, mut theirs) = (self.index.terms().stream()?, other.index.terms().stream()?);
        loop {
            match (ours.advance(), theirs.advance()) {
                (false, false) => return Ok(self.blocks == other.blocks),
                (true, true) if ours.key() == theirs.key() => {
                    let (mut here, mut there) = (Blocks::new(self.blocks), Blocks::new(other.blocks));
                    self.collect_term(ours.value(), &mut here)?;
                    other.collect_term(theirs.value(), &mut there)?;
                    if here != there {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("blocks", &self.blocks).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_alone_and_not_many() {
        for word in ["a", "order", "reconnected", "grüße", "подключение", "データ"] {
            assert!(takes(word), "{word}");
        }
        for id in ["42", "e2e", "user_id", "_", "slotslotslot", "deadbeef00", "переподключение", "②"] {
            assert!(!takes(id), "{id}");
        }
    }
}
