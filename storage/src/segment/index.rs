//! What an open segment says from its index bundle, without reading rows or to read fewer.
//!
//! Every part may be missing or damaged: it then says nothing, and the rows are read.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::files::Place;
use crate::model::TraceId;
use crate::rollup::Roll;
use crate::text;

use super::attributes::AttributeIndex;
use super::bundle::{self, Bundle};
use super::checked::{self, BLOCK_SUMS};
use super::rows::without as without_rows;
use super::summary::{self, Operations};
use super::{OPERATIONS, ROLL, RowGroup, RowRanges, SUMMARY, Segment, SegmentError, SegmentMeta, TRACE_FUSE, TRACE_KEYS, file, trace_keys};

/// The usable part of the bundle.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) bundle: Bundle,
    services: Option<Vec<String>>,
    operations: OnceLock<Option<Operations>>,
    trace_filter: Option<trace_keys::TraceFilter>,
    trace_keys: Option<trace_keys::TraceKeys>,
    text: OnceLock<Option<text::Index>>,
    attributes: OnceLock<AttributeIndex>,
    /// Whether a part of it was damaged when it was opened.
    pub(super) is_damaged: bool,
}

/// What a usable bundle gives.
pub(super) type Opened = (Index, checked::CheckedFile, Vec<RowGroup>);

// === impl Segment ===

impl Segment {
    /// Distinct services in this segment, sorted; `None` when the index bundle is missing or there are more than 10,000.
    pub(crate) fn services(&self) -> Option<&[String]> {
        self.index.as_ref()?.services.as_deref()
    }

    /// Bytes of memory that it takes as long as it is open, about: the filter of its traces, and the footer of its file once that was read.
    pub(crate) fn memory(&self) -> usize {
        let filter = self.index.as_ref().and_then(|index| index.trace_filter.as_ref());
        let footer = self.footer.get().map_or(0, |footer| footer.parquet.metadata().memory_size());
        filter.map_or(0, trace_keys::TraceFilter::len) + footer + size_of::<Self>()
    }

    /// Spans: operations with their counts; `None` when the index bundle is missing.
    pub(crate) fn operations(&self) -> Option<&Operations> {
        let index = self.index.as_ref()?;
        let load = || {
            let blob = self.usable(OPERATIONS, index.bundle.read_packed(OPERATIONS))??;
            self.usable(OPERATIONS, serde_json::from_slice(&blob))
        };
        index.operations.get_or_init(load).as_ref()
    }

    /// Its roll-up, read and decoded each time; `None` when there is none that can be used.
    pub(crate) fn roll(&self) -> Option<Roll> {
        let blob = self.usable(ROLL, self.index.as_ref()?.bundle.read_packed(ROLL))??;
        self.usable(ROLL, Roll::decode(self.meta.signal, &blob))?
    }

    /// False when certainly no row belongs to a trace; asks memory only.
    pub(crate) fn may_hold(&self, id: TraceId) -> bool {
        let filter = self.index.as_ref().and_then(|index| index.trace_filter.as_ref());
        filter.is_none_or(|filter| filter.may_contain(trace_keys::hash(id.as_bytes())))
    }

    /// The key by which rows of a trace are found in [`Self::trace_runs`].
    pub(crate) fn trace_key(id: TraceId) -> u32 {
        trace_keys::key_of(trace_keys::hash(id.as_bytes()))
    }

    /// Keys of all traces with their rows, sorted by key; different traces may have equal keys. `None` when the index cannot say.
    pub(crate) fn trace_runs(&self) -> Option<Vec<(u32, Range<u32>)>> {
        self.usable(TRACE_KEYS, self.index.as_ref()?.trace_keys.as_ref()?.all())
    }

    /// Rows that may belong to a trace; empty when it is certainly absent. Exact up to a 32-bit key behind a 64-bit filter: compare ids
    /// again.
    pub(crate) fn trace_rows(&self, id: TraceId) -> Result<RowRanges, SegmentError> {
        let hash = trace_keys::hash(id.as_bytes());
        if let Some(index) = &self.index {
            if index.trace_filter.as_ref().is_some_and(|filter| !filter.may_contain(hash)) {
                return Ok(Vec::new());
            }
            if let Some(keys) = &index.trace_keys
                && let Some(rows) = self.usable(TRACE_KEYS, keys.rows(hash))
            {
                return Ok(self.visible(rows));
            }
        }
        self.scan_for_trace(id).map(|rows| self.visible(rows))
    }

    /// Logs: rows whose body may contain every term (terms as `text::terms` makes them); `None` when there is no text index, or no term.
    pub(crate) fn text_rows(&self, terms: &[String]) -> Result<Option<RowRanges>, SegmentError> {
        let Some(index) = &self.index else { return Ok(None) };
        if terms.is_empty() {
            return Ok(None);
        }
        let Some(text) = self.text(index) else { return Ok(None) };
        Ok(self.usable("ft", text.rows(terms)).map(|rows| self.visible(rows)))
    }

    /// Logs: rows whose body may have a term with this beginning; `None` when there is no text index or there are too many such terms.
    pub(crate) fn prefix_rows(&self, prefix: &str) -> Option<RowRanges> {
        let text = self.text(self.index.as_ref()?)?;
        self.usable("ft", text.prefix_rows(prefix)).flatten()
    }

    pub(super) fn text<'a>(&self, index: &'a Index) -> Option<&'a text::Index> {
        let load = || self.usable("ft", text::Index::open(&index.bundle)).flatten();
        index.text.get_or_init(load).as_ref()
    }

    /// What is known of attributes; `None` when the index bundle is missing.
    pub(crate) fn attributes(&self) -> Option<&AttributeIndex> {
        let index = self.index.as_ref()?;
        let load = || {
            let (attributes, damage) = AttributeIndex::open(&index.bundle);
            self.usable("attr", damage.map_or(Ok(()), Err));
            attributes
        };
        Some(index.attributes.get_or_init(load))
    }

    /// Rows of the granules that may have an attribute hash; `None` when it is not known.
    pub(crate) fn attribute_rows(&self, hash: u64) -> Option<RowRanges> {
        self.usable("attr", self.attributes()?.rows(hash)).flatten()
    }

    pub(super) fn visible(&self, rows: RowRanges) -> RowRanges {
        if self.hidden.is_empty() { rows } else { without_rows(&rows, &self.hidden) }
    }

    /// The value, or a warning and `None`: what the bundle cannot say is found out from the rows.
    pub(super) fn usable<T, E: std::fmt::Display>(&self, blob: &str, result: Result<T, E>) -> Option<T> {
        self.asked.store(true, Ordering::Relaxed);
        result
            .inspect_err(|error| {
                self.wanting.store(true, Ordering::Relaxed);
                tracing::warn!(segment.id = %self.meta.id, blob, %error, "an index of a segment is damaged; reading it is slower");
            })
            .ok()
    }
}

// === impl Index ===

impl Index {
    /// Opens the bundle that belongs to a Parquet file.
    pub(super) fn open(seg_dir: &Place, meta: &SegmentMeta, parquet: &file::SharedFile) -> std::io::Result<Opened> {
        let path = meta.index_path(seg_dir);
        let bundle = Bundle::open(&path, meta.index_bytes)?;
        let summary = bundle.read(SUMMARY)?.ok_or_else(|| bundle::damaged("no summary"))?;
        let summary: summary::Summary = serde_json::from_slice(&summary)?;
        let sums = bundle.read(BLOCK_SUMS)?.ok_or_else(|| bundle::damaged("no checksums of blocks"))?;
        let parquet = checked::CheckedFile::new(parquet.clone(), &sums)?;
        let trace_keys = bundle.find(TRACE_KEYS).and_then(|blob| trace_keys::TraceKeys::new(bundle.file().clone(), blob));
        // A damaged filter must not be asked; the keys then answer alone.
        let trace_fuse = bundle.read(TRACE_FUSE);
        let row_groups = summary.row_groups();
        let index = Self {
            services: summary.services,
            operations: OnceLock::new(),
            is_damaged: trace_fuse.is_err() || trace_keys.is_none(),
            trace_filter: trace_fuse.ok().flatten().and_then(trace_keys::TraceFilter::new),
            trace_keys,
            text: OnceLock::new(),
            attributes: OnceLock::new(),
            bundle,
        };
        Ok((index, parquet, row_groups))
    }
}
