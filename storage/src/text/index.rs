//! The text index of merged log segments: tantivy segments inside the bundle.
//!
//! Bodies are indexed in row order, at most 131,072 rows or 32 MiB to a *unit*, which bounds the memory of building. A unit is one
//! tantivy segment whose document numbers are row numbers less the unit's first row. Its files are the blobs
//! `ft/v<tokenizer version>/<first row>/<file>`. Only which rows have a term is kept: no positions, norms or stored text.
//!
//! Files are mapped by tantivy's own directory, because a term dictionary is used in place; they are checked once before.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{DirectoryLock, FileHandle, FileSlice, Lock, RamDirectory, WatchCallback, WatchHandle, WritePtr};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{Token, TokenStream, TokenizerManager};
use tantivy::{Directory, DocSet, IndexSettings, SegmentReader, SingleSegmentIndexWriter, TERMINATED, TantivyDocument, Term};

use crate::files::Place;
use crate::segment::{Blob, Bundle, BundleWriter, RowRanges, bundle_damaged, push_row};

use super::{Tokenizer, VERSION, truncated};

mod digest;
mod prefix;
mod stack;

pub(crate) use self::digest::Digest;
pub(crate) use self::stack::Stack;

/// Indexes bodies row by row into a bundle.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    unit: Option<UnitBuilder>,
    next_row: u32,
    unit_rows: u32,
}

/// The text index of an open segment.
#[derive(Debug)]
pub(crate) struct Index {
    units: Vec<Unit>,
}

struct UnitBuilder {
    first_row: u32,
    rows: u32,
    bytes: usize,
    body: Field,
    directory: RamDirectory,
    writer: SingleSegmentIndexWriter,
}

struct Unit {
    first_row: u32,
    bundle: Bundle,
    blobs: Vec<Blob>,
    directory: BundleDirectory,
    reader: OnceLock<(SegmentReader, Field)>,
}

/// Files of one unit, read-only.
#[derive(Clone, Debug)]
struct BundleDirectory {
    files: Arc<HashMap<PathBuf, FileSlice>>,
}

/// The tokenizer in tantivy's terms. Positions are not kept, so all tokens stand at 0.
#[derive(Clone, Debug, Default)]
struct BodyTokenizer;

/// Tokens of one body, terms end to end in one string.
struct BodyTokens {
    terms: String,
    ends: std::vec::IntoIter<usize>,
    start: usize,
    token: Token,
}

const UNIT_ROWS: u32 = 131_072;
const UNIT_BYTES: usize = 32 << 20;
const WRITER_BYTES: usize = 15_000_000;
const TOKENIZER: &str = "body";
const META: &str = "meta.json";

fn prefix() -> String {
    format!("ft/v{VERSION}/")
}

// === impl IndexBuilder ===

impl IndexBuilder {
    /// Starts a new unit after so many rows.
    pub(crate) fn with_unit_rows(unit_rows: u32) -> Self {
        Self { unit: None, next_row: 0, unit_rows }
    }

    /// Adds the body of the next row.
    pub(crate) fn push(&mut self, body: Option<&str>, bundle: &mut BundleWriter) -> io::Result<()> {
        if let Some(full) = self.unit.take_if(|unit| unit.rows >= self.unit_rows || unit.bytes >= UNIT_BYTES) {
            full.finish(bundle)?;
        }
        let mut unit = match self.unit.take() {
            Some(unit) => unit,
            None => UnitBuilder::new(self.next_row).map_err(io::Error::other)?,
        };
        unit.push(body).map_err(io::Error::other)?;
        self.unit = Some(unit);
        self.next_row = self.next_row.saturating_add(1);
        Ok(())
    }

    pub(crate) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.unit.take().map_or(Ok(()), |unit| unit.finish(bundle))
    }
}

impl Default for IndexBuilder {
    fn default() -> Self {
        Self::with_unit_rows(UNIT_ROWS)
    }
}

// === impl UnitBuilder ===

impl UnitBuilder {
    fn new(first_row: u32) -> tantivy::Result<Self> {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_fieldnorms(false).set_index_option(IndexRecordOption::Basic);
        let mut schema = Schema::builder();
        let body = schema.add_text_field("body", TextOptions::default().set_indexing_options(indexing));
        let tokenizers = TokenizerManager::new();
        tokenizers.register(TOKENIZER, BodyTokenizer);
        let directory = RamDirectory::create();
        let writer = tantivy::Index::builder()
            .schema(schema.build())
            .tokenizers(tokenizers)
            .settings(IndexSettings::default())
            .single_segment_index_writer(directory.clone(), WRITER_BYTES)?;
        Ok(Self { first_row, rows: 0, bytes: 0, body, directory, writer })
    }

    fn push(&mut self, body: Option<&str>) -> tantivy::Result<()> {
        let mut document = TantivyDocument::default();
        if let Some(body) = body {
            document.add_text(self.body, body);
            self.bytes += body.len();
        }
        self.rows += 1;
        self.writer.add_document(document)
    }

    fn finish(self, bundle: &mut BundleWriter) -> io::Result<()> {
        let index = self.writer.finalize().map_err(io::Error::other)?;
        add_unit(&index, &self.directory, self.first_row, bundle)
    }
}

/// Copies the files of a unit into a bundle.
fn add_unit(index: &tantivy::Index, directory: &RamDirectory, first_row: u32, bundle: &mut BundleWriter) -> io::Result<()> {
    let mut names: Vec<PathBuf> = index.load_metas().map_err(io::Error::other)?.list_segment_files().into_iter().collect();
    names.push(PathBuf::from(META));
    names.sort_unstable();
    for name in names {
        if directory.exists(&name).map_err(io::Error::other)? {
            let file = directory.open_read(&name).map_err(io::Error::other)?;
            bundle.add(format!("{}{first_row}/{}", prefix(), name.display()), file.read_bytes()?.as_slice())?;
        }
    }
    Ok(())
}

impl fmt::Debug for UnitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitBuilder").field("first_row", &self.first_row).field("rows", &self.rows).finish_non_exhaustive()
    }
}

// === impl Index ===

impl Index {
    /// Whether a blob of this name is part of one, of whatever version.
    pub(crate) fn has(name: &str) -> bool {
        name.starts_with("ft/")
    }

    /// Whether a bundle has one of this tokenizer version.
    pub(crate) fn is_in(bundle: &Bundle) -> bool {
        let prefix = prefix();
        bundle.blobs().iter().any(|blob| blob.name.starts_with(&prefix))
    }

    /// The text index in a bundle; `None` when there is none of this tokenizer version.
    pub(crate) fn open(bundle: &Bundle, path: &Place) -> io::Result<Option<Self>> {
        let prefix = prefix();
        let mut units: BTreeMap<u32, Vec<(PathBuf, Blob)>> = BTreeMap::new();
        for blob in bundle.blobs() {
            let place = blob.name.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
            if let Some((first_row, name)) = place
                && let Ok(first_row) = first_row.parse()
            {
                units.entry(first_row).or_default().push((PathBuf::from(name), blob.clone()));
            }
        }
        if units.is_empty() {
            return Ok(None);
        }
        let whole = path.map()?;
        let units = units.into_iter().map(|(first_row, files)| Unit::new(first_row, bundle, &whole, files));
        Ok(Some(Self { units: units.collect::<io::Result<_>>()? }))
    }

    /// Rows that have every term, ascending.
    pub(crate) fn rows(&self, terms: &[String]) -> io::Result<RowRanges> {
        let mut rows = RowRanges::new();
        for unit in &self.units {
            unit.rows(terms, &mut rows)?;
        }
        Ok(rows)
    }
}

// === impl Unit ===

impl Unit {
    fn new(first_row: u32, bundle: &Bundle, whole: &FileSlice, files: Vec<(PathBuf, Blob)>) -> io::Result<Self> {
        let mut slices = HashMap::with_capacity(files.len());
        let mut blobs = Vec::with_capacity(files.len());
        for (name, blob) in files {
            let start = usize::try_from(blob.offset).map_err(io::Error::other)?;
            let end = blob.offset.checked_add(blob.len).and_then(|end| usize::try_from(end).ok());
            let end =
                end.filter(|end| *end <= tantivy::HasLen::len(whole)).ok_or_else(|| bundle_damaged("a text index lies beyond its end"))?;
            slices.insert(name, whole.slice(start..end));
            blobs.push(blob);
        }
        let directory = BundleDirectory { files: Arc::new(slices) };
        Ok(Self { first_row, bundle: bundle.clone(), blobs, directory, reader: OnceLock::new() })
    }

    fn rows(&self, terms: &[String], rows: &mut RowRanges) -> io::Result<()> {
        let (reader, body) = self.reader()?;
        let inverted = reader.inverted_index(*body).map_err(io::Error::other)?;
        let mut postings = Vec::with_capacity(terms.len());
        for term in terms {
            let term = Term::from_field_text(*body, truncated(term));
            match inverted.read_postings(&term, IndexRecordOption::Basic)? {
                Some(found) => postings.push(found),
                None => return Ok(()),
            }
        }
        postings.sort_by_key(tantivy::postings::SegmentPostings::doc_freq);
        let Some((rarest, others)) = postings.split_first_mut() else { return Ok(()) };
        let mut document = rarest.doc();
        'documents: while document != TERMINATED {
            for other in others.iter_mut() {
                let at = if other.doc() < document { other.seek(document) } else { other.doc() };
                if at != document {
                    document = rarest.seek(at);
                    continue 'documents;
                }
            }
            push_row(rows, self.first_row + document);
            document = rarest.advance();
        }
        Ok(())
    }

    /// Checks and opens the unit when it is first asked.
    fn reader(&self) -> io::Result<&(SegmentReader, Field)> {
        if let Some(reader) = self.reader.get() {
            return Ok(reader);
        }
        for blob in &self.blobs {
            self.bundle.read_blob(blob)?;
        }
        let index = tantivy::Index::open(self.directory.clone()).map_err(io::Error::other)?;
        let body = index.schema().get_field("body").map_err(io::Error::other)?;
        let segments = index.searchable_segments().map_err(io::Error::other)?;
        let segment = segments.first().ok_or_else(|| bundle_damaged("a text index has no segment"))?;
        let reader = SegmentReader::open(segment).map_err(io::Error::other)?;
        Ok(self.reader.get_or_init(|| (reader, body)))
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("first_row", &self.first_row).finish_non_exhaustive()
    }
}

// === impl BundleDirectory ===

impl Directory for BundleDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.files.get(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(Arc::new(file.clone()))
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.files.contains_key(path))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let file = self.files.get(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        let bytes = file.read_bytes().map_err(|e| OpenReadError::wrap_io_error(e, path.to_owned()))?;
        Ok(bytes.as_slice().to_owned())
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, tantivy::directory::error::LockError> {
        // Nothing changes here, so there is nothing to hold.
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "an index bundle is never changed")
}

// === impl BodyTokenizer ===

impl tantivy::tokenizer::Tokenizer for BodyTokenizer {
    type TokenStream<'a> = BodyTokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> BodyTokens {
        let mut terms = String::with_capacity(text.len() * 2);
        let mut ends = Vec::new();
        Tokenizer::default().each(text, |token| {
            terms.push_str(truncated(token));
            ends.push(terms.len());
            true
        });
        BodyTokens { terms, ends: ends.into_iter(), start: 0, token: Token { position: 0, ..Token::default() } }
    }
}

impl TokenStream for BodyTokens {
    fn advance(&mut self) -> bool {
        let Some(end) = self.ends.next() else { return false };
        self.token.text.clear();
        self.token.text.push_str(self.terms.get(self.start..end).unwrap_or_default());
        self.token.position = 0;
        self.start = end;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
