//! The index of words of log segments: which rows have which tokens, nearly.
//!
//! An answer never leaves out a row that has a token; it names rows in blocks of 16, and now and then blocks of another token. Whoever asks
//! reads the bodies and decides.
//!
//! Bodies are indexed in row order, at most 131,072 rows to a *unit*, which bounds the memory of building. Where segments are put one behind
//! the other their units are joined, as they are, to units of several *parts*: a question then looks into few of them. Block `n` of a part
//! has its rows from `16 n` on; the blocks of a unit are those of its parts, numbered through. By their shape alone tokens are *words*
//! (`text/index/words.rs`), which tantivy keeps, or *ids* (`text/index/ids.rs`), which are keys in a file of our own: a dictionary of what
//! is in one body only costs more than it tells. The files of both are the blobs `ft/v<version>/<first row>/<file>`. All units of a segment
//! have one version: 6, or 5, which knows no pairs of characters of scripts without spaces, or 4, which has no parts either.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::segment::{Blob, Bundle, RowRanges, bundle_damaged};

use super::{VERSION, truncated};

mod blocks;
mod builder;
mod compare;
mod ids;
mod stack;
mod words;

use self::blocks::Blocks;
pub(crate) use self::builder::IndexBuilder;
pub(crate) use self::compare::Comparison;
use self::ids::{Ids, Source};
pub(crate) use self::stack::Stack;
use self::words::Words;

/// The index of words of an open segment.
#[derive(Debug)]
pub(crate) struct Index {
    bundle: Bundle,
    units: Vec<Arc<Unit>>,
}

#[derive(Debug)]
struct Unit {
    first_row: u32,
    ids: Ids,
    ids_blob: Blob,
    words: Words,
}

/// Rows of a unit, unless it was joined of several.
const UNIT_ROWS: u32 = 131_072;
const BLOCK_ROWS: u32 = 16;
/// So that the number of a block has 17 bits: two million rows.
const MAX_BLOCKS: u32 = 1 << 17;

fn prefix() -> String {
    format!("ft/v{VERSION}/")
}

/// The name of a file of the unit that begins at a row.
fn blob_name(first_row: u32, file: &str) -> String {
    format!("{}{first_row}/{file}", prefix())
}

// === impl Index ===

impl Index {
    /// Whether a blob of this name is part of one, of whatever version.
    pub(crate) fn has(name: &str) -> bool {
        name.starts_with("ft/")
    }

    /// Whether a bundle has one of this version.
    pub(crate) fn is_in(bundle: &Bundle) -> bool {
        let prefix = prefix();
        bundle.blobs().iter().any(|blob| blob.name.starts_with(&prefix))
    }

    /// The index in a bundle; `None` when there is none of this version.
    pub(crate) fn open(bundle: &Bundle) -> io::Result<Option<Self>> {
        let prefix = prefix();
        let mut units: BTreeMap<u32, Vec<(String, Blob)>> = BTreeMap::new();
        for blob in bundle.blobs() {
            let place = blob.name.strip_prefix(&prefix).and_then(|rest| rest.split_once('/'));
            if let Some((first_row, file)) = place
                && let Ok(first_row) = first_row.parse()
            {
                units.entry(first_row).or_default().push((file.to_owned(), blob.clone()));
            }
        }
        let open = |(first_row, files)| Unit::open(bundle, first_row, files).map(Arc::new);
        let units: Vec<Arc<Unit>> = units.into_iter().map(open).collect::<io::Result<_>>()?;
        Ok((!units.is_empty()).then(|| Self { bundle: bundle.clone(), units }))
    }

    /// Rows that may have every term, ascending.
    pub(crate) fn rows(&self, terms: &[String]) -> io::Result<RowRanges> {
        let mut terms: Vec<&str> = terms.iter().map(|term| truncated(term)).collect();
        // Ids are rare: where they leave nothing, words are not asked.
        terms.sort_by_key(|term| words::takes(term));
        let mut rows = RowRanges::new();
        for unit in &self.units {
            let mut left: Option<Blocks> = None;
            for term in &terms {
                let mut found = Blocks::new(unit.ids.blocks());
                unit.collect(&self.bundle, term, &mut found)?;
                let both = match left.take() {
                    Some(left) => left.both(&found),
                    None => found,
                };
                let is_done = both.is_empty();
                left = Some(both);
                if is_done {
                    break;
                }
            }
            left.into_iter().for_each(|found| found.add_rows(unit.first_row, unit.ids.parts(), &mut rows));
        }
        Ok(rows)
    }

    /// Rows that may have a token with this beginning, ascending; `None` when there are too many such tokens.
    pub(crate) fn prefix_rows(&self, prefix: &str) -> io::Result<Option<RowRanges>> {
        let mut rows = RowRanges::new();
        for unit in &self.units {
            let mut found = Blocks::new(unit.ids.blocks());
            if unit.collect_beginning(&self.bundle, truncated(prefix), &mut found)?.is_none() {
                return Ok(None);
            }
            found.add_rows(unit.first_row, unit.ids.parts(), &mut rows);
        }
        Ok(Some(rows))
    }
}

// === impl Unit ===

impl Unit {
    fn open(bundle: &Bundle, first_row: u32, files: Vec<(String, Blob)>) -> io::Result<Self> {
        let (ids, words): (Vec<_>, Vec<_>) = files.into_iter().partition(|(name, _)| name == ids::FILE);
        let [(_, blob)] = ids.as_slice() else { return Err(bundle_damaged(format!("the unit of row {first_row} lacks its ids"))) };
        let ids = Ids::open(&Source::Blob(bundle, blob))?;
        let words = Words::new(words, ids.blocks());
        Ok(Self { first_row, ids, ids_blob: blob.clone(), words })
    }

    /// Adds the blocks that may have a token.
    fn collect(&self, bundle: &Bundle, token: &str, found: &mut Blocks) -> io::Result<()> {
        if words::takes(token) {
            self.words.collect(bundle, token, found)
        } else {
            self.ids.collect(&Source::Blob(bundle, &self.ids_blob), token, found)
        }
    }

    /// Adds the blocks that may have a token with this beginning; `None` when there are too many such tokens.
    fn collect_beginning(&self, bundle: &Bundle, prefix: &str, found: &mut Blocks) -> io::Result<Option<()>> {
        if self.ids.collect_beginning(&Source::Blob(bundle, &self.ids_blob), prefix, found)?.is_none() {
            return Ok(None);
        }
        // What begins with something that is no word is none either.
        if words::takes(prefix) { self.words.collect_beginning(bundle, prefix, found) } else { Ok(Some(())) }
    }
}
