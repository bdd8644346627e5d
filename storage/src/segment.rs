//! Segments: immutable files of rows with their index bundle.
//!
//! Owns the layout of `<ulid>.parquet` and `<ulid>.idx`, writing and reading both. Knows nothing of the log, the manifest or queries.
//!
//! The Parquet file is complete in itself and any engine reads it; a merge may have moved attributes of some keys to columns of their own
//! (`attributes/layout.rs`). The bundle (see `segment/bundle.rs`) holds what can be made again
//! from it: `parquet.blocks` (`segment/checked.rs`), `trace.keys` and `trace.fuse` (`segment/trace_keys.rs`), `summary` and `operations` (`segment/summary.rs`), `roll.red` (`rollup/codec.rs`), for merged
//! spans `roll.edge` and `roll.edge.cells` (`calls/codec.rs`), for merged logs `ft/*` (`text/index.rs`), and `attr.*` (`segment/attributes.rs`). A file appears in the segment folder whole and synced, or not at all.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;

use crate::files::Place;
use crate::model::UnixNanos;
use crate::store::Signal;
use crate::text;

mod attributes;
mod bare;
mod bundle;
mod calls;
mod checked;
mod chunk;
mod coded;
mod delta;
mod dictionary;
mod discover;
mod encoding;
mod error;
mod few;
mod file;
mod gather;
mod hybrid;
mod ids;
mod index;
mod indexes;
mod numbered;
mod order;
mod origin;
mod output;
mod pages;
mod plan;
mod press;
mod promotion;
mod read;
mod row_group;
mod rows;
mod sorting;
mod stack;
mod summary;
mod times;
mod trace_keys;
mod unpacked;
mod values;
mod words;
mod writer;

#[cfg(test)]
pub(crate) mod fixture;

pub(crate) use self::attributes::{AttributeIndex, Entry, GRANULE_ROWS, Kind, Owner, Scalar, bytes_hash, key_hash, value_hash};
pub(crate) use self::bundle::{Blob, Bundle, BundleWriter, damaged as bundle_damaged};
pub(crate) use self::checked::{BLOCK_SUMS, BlockSums};
pub(crate) use self::discover::discover;
pub(crate) use self::error::{SegmentError, SegmentErrorKind};
pub(crate) use self::few::Dictionaries;
use self::index::Index;
pub(crate) use self::indexes::{rebuild as rebuild_index, rebuild_beside as rebuild_index_beside};
pub(crate) use self::order::SortColumns;
pub(crate) use self::origin::{Origin, Part, Recorded};
pub(crate) use self::output::{Limits, Output, take_back};
pub(crate) use self::promotion::{choose as choose_layout, layout_before, layout_next};
#[cfg(test)]
use self::rows::merged as merged_rows;
#[cfg(test)]
use self::rows::push as push_row;
pub(crate) use self::rows::{holds as holds_rows, union as union_rows, without as without_rows};
pub(crate) use self::sorting::{write, write_run};
pub(crate) use self::stack::stack;
pub(crate) use self::summary::Operations;

/// One open segment. Reads are independent of each other and block; call them off the async threads.
#[derive(Debug)]
pub(crate) struct Segment {
    meta: SegmentMeta,
    parquet: checked::CheckedFile,
    footer: OnceLock<read::Footer>,
    row_groups: Vec<RowGroup>,
    /// Where dictionaries are kept that were read of it; nowhere as long as nobody asks it questions.
    dictionaries: OnceLock<Arc<Dictionaries>>,
    index: Option<Index>,
    /// Set once a part of the bundle was found to be damaged or missing.
    wanting: AtomicBool,
    /// Whether a question has read of the bundle, and whether all of it was compared with its checksum since it was opened.
    asked: AtomicBool,
    compared: AtomicBool,
    /// Why some of its rows could not be read, once that happened.
    damage: Damage,
    /// Rows that were let go and are still in the files: no read gives them.
    hidden: RowRanges,
}

/// What a read of a segment found to be wrong, shared with reads that are under way. The first finding stays.
#[derive(Clone, Debug, Default)]
struct Damage(Arc<OnceLock<String>>);

/// What the manifest records of a segment and the Parquet footer repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentMeta {
    /// Names the files; sorts by arrival of the newest rows.
    pub(crate) id: ulid::Ulid,
    /// Which table.
    pub(crate) signal: Signal,
    /// 0 for a flush, 1 for a merge, 2 for the last time that rows are written.
    pub(crate) level: u8,
    /// Rows.
    pub(crate) rows: u64,
    /// Earliest and latest time of a row (`schema::time_column`).
    pub(crate) min_time: UnixNanos,
    /// See `min_time`.
    pub(crate) max_time: UnixNanos,
    /// Bytes of the Parquet file.
    pub(crate) parquet_bytes: u64,
    /// Bytes of the index bundle.
    pub(crate) index_bytes: u64,
    /// Checksums (crc32c) of both files.
    pub(crate) parquet_crc: u32,
    /// See `parquet_crc`.
    pub(crate) index_crc: u32,
}

/// A row group: consecutive rows with their time bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowGroup {
    /// Row numbers within the segment.
    pub(crate) rows: Range<u32>,
    /// Earliest time inside.
    pub(crate) min_time: UnixNanos,
    /// Latest time inside.
    pub(crate) max_time: UnixNanos,
}

/// Sorted, disjoint row numbers of a segment. `None` in a call means all rows.
pub(crate) type RowRanges = Vec<Range<u32>>;

/// Rows as they are read.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<RecordBatch, SegmentError>> + Send>;

const TRACE_KEYS: &str = "trace.keys";
const TRACE_FUSE: &str = "trace.fuse";
const SUMMARY: &str = "summary";
const OPERATIONS: &str = "operations";
const ROLL: &str = "roll.red";
const ROLL_EDGE: &str = "roll.edge";
const ROLL_EDGE_CELLS: &str = "roll.edge.cells";

/// How many rows these are.
fn count_rows(rows: &RowRanges) -> u64 {
    rows.iter().map(|range| range.len() as u64).sum()
}

// === impl Damage ===

impl Damage {
    fn note(&self, detail: &str) {
        self.0.get_or_init(|| detail.to_owned());
    }

    /// Notes it and makes the error that tells it.
    fn error(&self, id: ulid::Ulid, detail: String) -> SegmentError {
        self.note(&detail);
        SegmentError::damaged(id, detail)
    }
}

// === impl Segment ===

impl Segment {
    /// Opens both files under `seg_dir` and loads resident indexes. A missing or damaged index bundle only makes reads slower.
    pub(crate) fn open(seg_dir: &Place, meta: SegmentMeta) -> Result<Self, SegmentError> {
        let path = meta.parquet_path(seg_dir);
        let file = file::SharedFile::open(&path).map_err(|e| SegmentError::io(meta.id, format!("cannot open {}: {e}", path.display())))?;
        if file.len() != meta.parquet_bytes {
            let detail = format!("{} is {} bytes long, {} expected", path.display(), file.len(), meta.parquet_bytes);
            return Err(SegmentError::damaged(meta.id, detail));
        }
        match Index::open(seg_dir, &meta, &file) {
            Ok((index, parquet, row_groups)) => {
                let lacking = indexes::lacking(&index.bundle, &meta);
                if let Some(index) = lacking.filter(|part| *part != indexes::Lacking::Text) {
                    tracing::info!(segment.id = %meta.id, ?index, "the index bundle of a segment was written by an older version");
                }
                let wanting = AtomicBool::new(lacking.is_some() || index.is_damaged);
                let (index, footer, damage) = (Some(index), OnceLock::new(), Damage::default());
                let (asked, compared, hidden) = (AtomicBool::new(false), AtomicBool::new(false), Vec::new());
                let dictionaries = OnceLock::new();
                Ok(Self { meta, parquet, footer, row_groups, dictionaries, index, wanting, asked, compared, damage, hidden })
            }
            Err(error) => {
                tracing::warn!(segment.id = %meta.id, %error, "the index bundle of a segment is unusable; reading it is slower");
                // The checksums of its blocks are gone with the bundle: looked at as a whole, or not at all.
                let parquet = checked::CheckedFile::read_through(file, meta.parquet_crc)
                    .map_err(|error| SegmentError::damaged(meta.id, format!("{}: {error}", path.display())))?;
                let (footer, wanting, damage) = (OnceLock::new(), AtomicBool::new(true), Damage::default());
                let (asked, compared, hidden, row_groups) = (AtomicBool::new(false), AtomicBool::new(true), Vec::new(), Vec::new());
                let (dictionaries, index) = (OnceLock::new(), None);
                let mut segment = Self { meta, parquet, footer, row_groups, dictionaries, index, wanting, asked, compared, damage, hidden };
                segment.row_groups = read::row_groups(segment.footer()?, segment.meta.signal);
                Ok(segment)
            }
        }
    }

    /// Keeps dictionaries that are read of it with those of others.
    pub(crate) fn keep_dictionaries(&self, kept: &Arc<Dictionaries>) {
        self.dictionaries.get_or_init(|| kept.clone());
    }

    /// Why some of its rows cannot be read, as far as anybody tried.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.0.get().map(String::as_str)
    }

    /// Notes that some of its rows cannot be read.
    pub(crate) fn note_damage(&self, detail: &str) {
        self.damage.note(detail);
    }

    /// Whether a part of the index bundle is known to be missing or damaged, so that it should be made again.
    pub(crate) fn is_index_wanting(&self) -> bool {
        self.wanting.load(Ordering::Relaxed)
    }

    /// Whether questions read of the bundle and nobody has compared all of it with its checksum yet.
    pub(crate) fn is_index_to_be_compared(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && !self.compared.load(Ordering::Relaxed) && !self.is_index_wanting()
    }

    /// Notes whether the bundle is what is recorded of it.
    pub(crate) fn note_compared(&self, is_whole: bool) {
        self.compared.store(true, Ordering::Relaxed);
        self.wanting.fetch_or(!is_whole, Ordering::Relaxed);
    }

    pub(crate) fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// What its rows come from, as its own footer says.
    pub(crate) fn origin(&self) -> Result<(Origin, Option<Part>), SegmentError> {
        Ok(Origin::from_metadata(self.footer()?.parquet.metadata().file_metadata().key_value_metadata()))
    }

    /// Whether the footer of the Parquet file says what is recorded of it; what is wrong otherwise.
    pub(crate) fn check_footer(&self) -> Result<(), String> {
        let footer = self.footer().map_err(|error| error.detail)?;
        let said = Recorded::from_metadata(footer.parquet.metadata().file_metadata().key_value_metadata())
            .ok_or("its footer does not say which segment it is")?;
        let SegmentMeta { id, signal, level, rows, min_time, max_time, .. } = self.meta;
        let recorded = Recorded { id, signal, level, rows, min_time, max_time };
        if said == recorded { Ok(()) } else { Err("its footer says something else than is recorded of it".to_owned()) }
    }

    /// Compares the index of words with bodies; `None` when there is none. The error says why it cannot be read.
    pub(crate) fn text_comparison(&self) -> Result<Option<text::TextComparison>, String> {
        let Some(index) = &self.index else { return Ok(None) };
        let text = text::Index::open(&index.bundle).map_err(|error| error.to_string())?;
        Ok(text.map(text::TextComparison::new))
    }

    /// The same files without `rows`: they are as if they were not there, until the segment is written anew.
    pub(crate) fn hiding(mut self, rows: RowRanges) -> Self {
        self.hidden = rows;
        self
    }

    /// Rows that no read gives.
    pub(crate) fn hidden(&self) -> &RowRanges {
        &self.hidden
    }

    /// All rows, hidden ones too.
    pub(crate) fn every_row(&self) -> RowRanges {
        std::iter::once(0..u32::try_from(self.meta.rows).unwrap_or(u32::MAX)).collect()
    }

    /// Rows that are read.
    pub(crate) fn visible_rows(&self) -> u64 {
        self.meta.rows.saturating_sub(count_rows(&self.hidden))
    }

    /// Row groups in file order. They count hidden rows too.
    pub(crate) fn row_groups(&self) -> &[RowGroup] {
        &self.row_groups
    }
}

// === impl SegmentMeta ===

impl SegmentMeta {
    /// The Parquet file.
    pub(crate) fn parquet_path(&self, seg_dir: &Place) -> Place {
        seg_dir.join(format!("{}.parquet", self.id))
    }

    /// The index bundle.
    pub(crate) fn index_path(&self, seg_dir: &Place) -> Place {
        seg_dir.join(format!("{}.idx", self.id))
    }
}

#[cfg(test)]
mod tests;
