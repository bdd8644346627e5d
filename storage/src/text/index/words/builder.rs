//! Builds the segment of words: the words of each block are one document, in which each comes once, nearly.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tantivy::directory::RamDirectory;
use tantivy::indexer::merge_indices;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Directory, IndexSettings, SingleSegmentIndexWriter, TantivyDocument};

use crate::segment::{BundleWriter, bytes_hash};

use super::super::blob_name;
use super::{BODY, Reader};

/// The words of a unit that is being built.
pub(in super::super) struct WordsBuilder {
    /// `None` before the first block ends.
    writer: Option<Writer>,
    /// Words of the block, with a space after each.
    text: String,
    /// Words that came lately with their blocks, by their hash, so that few come twice.
    recent: Vec<(u32, String)>,
    block: u32,
}

struct Writer {
    index: SingleSegmentIndexWriter,
    body: Field,
    directory: RamDirectory,
}

/// The words of a whole unit.
#[derive(Debug)]
pub(in super::super) struct Written {
    index: tantivy::Index,
    directory: RamDirectory,
}

/// A power of two.
const RECENT: u64 = 1_024;
/// What tantivy makes its first table of terms for; it grows.
const WRITER_BYTES: usize = 1 << 20;
/// Memory of a writer that ends a unit.
const UNIT_BYTES: usize = 32 << 20;
/// Takes a text apart at spaces.
const TOKENIZER: &str = "whitespace";
const META: &str = "meta.json";

// === impl WordsBuilder ===

impl Default for WordsBuilder {
    fn default() -> Self {
        Self { writer: None, text: String::new(), recent: (0..RECENT).map(|_| (u32::MAX, String::new())).collect(), block: 0 }
    }
}

impl WordsBuilder {
    /// Adds a word of the block.
    pub(in super::super) fn push(&mut self, word: &str) {
        let place = usize::try_from(bytes_hash(word.as_bytes()) % RECENT).unwrap_or_default();
        let Some((block, recent)) = self.recent.get_mut(place) else { return };
        if *block == self.block && recent == word {
            return;
        }
        *block = self.block;
        word.clone_into(recent);
        self.text.push_str(word);
        self.text.push(' ');
    }

    /// The next words are of the next block.
    pub(in super::super) fn end_block(&mut self) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::new().map_err(io::Error::other)?),
        };
        let mut document = TantivyDocument::default();
        document.add_text(writer.body, &self.text);
        writer.index.add_document(document).map_err(io::Error::other)?;
        self.text.clear();
        self.block += 1;
        Ok(())
    }

    /// Whether the unit ends here, to bound its memory.
    pub(in super::super) fn is_full(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.index.mem_usage() >= UNIT_BYTES)
    }

    /// The words of the unit, whose last block has ended; begins the next one.
    pub(in super::super) fn finish(&mut self) -> io::Result<Written> {
        let writer = self.writer.take().map_or_else(Writer::new, Ok).map_err(io::Error::other)?;
        self.recent.iter_mut().for_each(|(block, _)| *block = u32::MAX);
        self.block = 0;
        let index = writer.index.finalize().map_err(io::Error::other)?;
        Ok(Written { index, directory: writer.directory })
    }
}

impl fmt::Debug for WordsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WordsBuilder").field("block", &self.block).finish_non_exhaustive()
    }
}

// === impl Writer ===

impl Writer {
    fn new() -> tantivy::Result<Self> {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_fieldnorms(false).set_index_option(IndexRecordOption::Basic);
        let mut schema = Schema::builder();
        let body = schema.add_text_field(BODY, TextOptions::default().set_indexing_options(indexing));
        // Documents are empty, and compress to next to nothing.
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let directory = RamDirectory::create();
        let index = tantivy::Index::builder()
            .schema(schema.build())
            .settings(settings)
            .single_segment_index_writer(directory.clone(), WRITER_BYTES)?;
        Ok(Self { index, body, directory })
    }
}

// === impl Written ===

impl Written {
    /// Adds the files to a bundle.
    pub(in super::super) fn add_to(&self, bundle: &mut BundleWriter, first_row: u32) -> io::Result<()> {
        let mut names: Vec<PathBuf> = self.index.load_metas().map_err(io::Error::other)?.list_segment_files().into_iter().collect();
        names.push(PathBuf::from(META));
        names.sort_unstable();
        for name in names {
            if self.directory.exists(&name).map_err(io::Error::other)? {
                let file = self.directory.open_read(&name).map_err(io::Error::other)?;
                bundle.add(blob_name(first_row, &name.display().to_string()), file.read_bytes()?.as_slice())?;
            }
        }
        Ok(())
    }

    /// Opens what was written, of so many blocks.
    pub(in super::super) fn reader(&self, blocks: u32) -> io::Result<Reader> {
        Reader::open(&self.index, blocks)
    }

    pub(in super::super) fn index(&self) -> &tantivy::Index {
        &self.index
    }

    /// The words of units that become the parts of one, in order.
    pub(in super::super) fn join(units: &[tantivy::Index]) -> io::Result<Self> {
        let directory = RamDirectory::create();
        let index = merge_indices(units, directory.clone()).map_err(io::Error::other)?;
        Ok(Self { index, directory })
    }
}
