//! Builds the index bundle of a segment out of its rows in segment order, while they are written or when it is made again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch};
use ulid::Ulid;

use crate::calls;
use crate::files::Place;
use crate::model::UnixNanos;
use crate::rollup::RollBuilder;
use crate::schema::{self, column};
use crate::store::Signal;
use crate::text;

use super::attributes::AttributesBuilder;
use super::bundle::{Bundle, BundleWriter};
use super::checked::{self, BLOCK_SUMS};
use super::file::SyncedFile;
use super::origin::Recorded;
use super::summary::SummaryBuilder;
use super::trace_keys::TraceKeysBuilder;
use super::{Segment, SegmentError, SegmentErrorKind, SegmentMeta, writer};

/// All indexes of one segment being built. Dropping it removes the temporary file.
#[derive(Debug)]
pub(super) struct Indexes {
    id: Ulid,
    bundle: BundleWriter,
    trace_keys: TraceKeysBuilder,
    summary: SummaryBuilder,
    roll: RollBuilder,
    /// Of spans that are merged; who asks for calls of others sums them up.
    calls: Option<calls::RollWriter>,
    /// Whether roll-ups are summed up from other roll-ups, not from rows.
    inherits_roll: bool,
    attributes: AttributesBuilder,
    text: Option<text::IndexBuilder>,
    /// Of segments that are put one behind the other, in place of `text`.
    texts: Option<text::Stack>,
    rows: u32,
}

/// Makes the index bundle of a segment again from its rows and puts it in the place of the old one, synced. The caller records the
/// returned lengths and checksums; until then the new bundle is not used.
pub(crate) fn rebuild(segment: &Segment, tmp_dir: &Place, seg_dir: &Place, stop: &AtomicBool) -> Result<SegmentMeta, SegmentError> {
    let (meta, bundle) = build(segment, tmp_dir, seg_dir, stop)?;
    let renamed = bundle.rename(&meta.index_path(seg_dir)).and_then(|()| seg_dir.sync_folder());
    renamed.map_err(|e| SegmentError::io(meta.id, format!("cannot put its new index bundle in place: {e}")))?;
    Ok(meta)
}

/// As [`rebuild`], but the new bundle is left in `into`, from where the caller puts it in its place.
pub(crate) fn rebuild_beside(segment: &Segment, seg_dir: &Place, into: &Place) -> Result<SegmentMeta, SegmentError> {
    let (meta, bundle) = build(segment, into, seg_dir, &AtomicBool::new(false))?;
    let renamed = bundle.rename(&meta.index_path(into));
    renamed.map_err(|e| SegmentError::io(meta.id, format!("cannot write its new index bundle: {e}")))?;
    Ok(meta)
}

fn build(segment: &Segment, tmp_dir: &Place, seg_dir: &Place, stop: &AtomicBool) -> Result<(SegmentMeta, SyncedFile), SegmentError> {
    let meta = segment.meta();
    let lacks_text_alone = |bundle: &Bundle| lacking(bundle, meta) == Some(Lacking::Text);
    if let Some(index) = segment.index.as_ref().filter(|index| lacks_text_alone(&index.bundle)) {
        match add_text(segment, &index.bundle, tmp_dir, stop) {
            Err(error) if error.kind != SegmentErrorKind::Stopped => {
                tracing::debug!(segment.id = %meta.id, %error, "the index bundle of a segment is made again as a whole");
            }
            added => return added,
        }
    }
    let failed = |detail: &str, e: &dyn std::fmt::Display| SegmentError::io(meta.id, format!("{detail}: {e}"));
    let (blocks, crc) = checked::sums(&meta.parquet_path(seg_dir)).map_err(|e| failed("cannot read its Parquet file", &e))?;
    if crc != meta.parquet_crc {
        return Err(SegmentError::damaged(meta.id, "its Parquet file does not match its checksum"));
    }
    let mut indexes = Indexes::create(tmp_dir, meta.id, meta.signal, meta.level)?;
    let table = schema::of(meta.signal);
    let columns: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).collect();
    for batch in segment.read(&columns, None)? {
        if stop.load(Ordering::Relaxed) {
            return Err(SegmentError::stopped(meta.id));
        }
        indexes.push(&batch?)?;
    }
    if u64::from(indexes.rows()) != meta.rows {
        return Err(SegmentError::damaged(meta.id, "not all of its rows can be read"));
    }
    let bundle = indexes.finish(&blocks)?;
    Ok((SegmentMeta { index_bytes: bundle.len, index_crc: bundle.crc, ..meta.clone() }, bundle))
}

/// The same bundle with an index of text, which it lacks.
fn add_text(segment: &Segment, bundle: &Bundle, tmp_dir: &Place, stop: &AtomicBool) -> Result<(SegmentMeta, SyncedFile), SegmentError> {
    let meta = segment.meta();
    let failed = |error: io::Error| SegmentError::io(meta.id, format!("cannot add an index of text to its index bundle: {error}"));
    let mut out = BundleWriter::create(writer::temporary(tmp_dir, meta.id, "idx")).map_err(failed)?;
    for blob in bundle.blobs().iter().filter(|blob| !text::Index::has(&blob.name)) {
        out.add(&*blob.name, &bundle.read_blob(blob).map_err(failed)?).map_err(failed)?;
    }
    let (mut index, mut rows) = (text::IndexBuilder::default(), 0);
    for batch in segment.read(&[column::BODY], None)? {
        if stop.load(Ordering::Relaxed) {
            return Err(SegmentError::stopped(meta.id));
        }
        let batch = batch?;
        let bodies = batch.column_by_name(column::BODY).and_then(|bodies| bodies.as_string_view_opt());
        for body in bodies.ok_or_else(|| SegmentError::damaged(meta.id, "bodies of another type"))? {
            index.push(body, &mut out).map_err(failed)?;
            rows += 1;
        }
    }
    if rows != meta.rows {
        return Err(SegmentError::damaged(meta.id, "not all of its rows can be read"));
    }
    let bundle = index.finish(&mut out).and_then(|()| out.finish()).map_err(failed)?;
    Ok((SegmentMeta { index_bytes: bundle.len, index_crc: bundle.crc, ..meta.clone() }, bundle))
}

/// What a bundle of this program has and this one lacks: one of an older version, which answers less, or one of logs whose text is not
/// indexed yet.
pub(super) fn lacking(bundle: &Bundle, meta: &SegmentMeta) -> Option<Lacking> {
    let SegmentMeta { signal, level, .. } = *meta;
    let parts = [
        (Lacking::Attributes, bundle.find(super::attributes::CATALOGUE).is_some()),
        (Lacking::RollUps, bundle.find(super::ROLL).is_some()),
        (Lacking::Calls, !sums_up_calls(signal, level) || bundle.find(super::ROLL_EDGE).is_some()),
        (Lacking::Text, !wants_text(meta) || text::Index::is_in(bundle)),
    ];
    parts.into_iter().find_map(|(part, is_there)| (!is_there).then_some(part))
}

/// Records of a flush whose words are indexed before it is merged.
const TEXT_ROWS: u64 = 1_024;

/// A part of a bundle that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    Attributes,
    RollUps,
    Calls,
    /// As of logs that were flushed just now.
    Text,
}

fn indexes_text(signal: Signal, level: u8) -> bool {
    signal == Signal::Logs && level > 0
}

/// Whether words are to be indexed before the rows are merged: what few records hold is looked through sooner than an index is made.
fn wants_text(meta: &SegmentMeta) -> bool {
    indexes_text(meta.signal, meta.level) || (meta.signal == Signal::Logs && meta.rows >= TEXT_ROWS)
}

fn sums_up_calls(signal: Signal, level: u8) -> bool {
    signal == Signal::Traces && level > 0
}

// === impl Indexes ===

impl Indexes {
    pub(super) fn create(tmp_dir: &Place, id: Ulid, signal: Signal, level: u8) -> Result<Self, SegmentError> {
        let bundle = BundleWriter::create(writer::temporary(tmp_dir, id, "idx"))
            .map_err(|e| SegmentError::io(id, format!("cannot create its files in {}: {e}", tmp_dir.display())))?;
        Ok(Self {
            id,
            bundle,
            trace_keys: TraceKeysBuilder::default(),
            summary: SummaryBuilder::new(signal),
            roll: RollBuilder::new(signal),
            calls: sums_up_calls(signal, level).then(calls::RollWriter::default),
            inherits_roll: false,
            attributes: AttributesBuilder::default(),
            text: indexes_text(signal, level).then(text::IndexBuilder::default),
            texts: None,
            rows: 0,
        })
    }

    /// For segments that are put one behind the other: see `segment/stack.rs`.
    pub(super) fn stacked(tmp_dir: &Place, id: Ulid, signal: Signal) -> Result<Self, SegmentError> {
        let texts = (signal == Signal::Logs).then(text::Stack::default);
        let indexes = Self::create(tmp_dir, id, signal, 0)?;
        Ok(Self {
            attributes: AttributesBuilder::stacked(),
            summary: SummaryBuilder::new(signal).without_row_limit(),
            calls: (signal == Signal::Traces).then(calls::RollWriter::default),
            texts,
            roll: RollBuilder::stacked(signal),
            inherits_roll: true,
            ..indexes
        })
    }

    /// Without an index of text, which is made when there is time: see [`add_text`].
    pub(super) fn with_text_later(self) -> Self {
        Self { text: None, ..self }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// What is to be recorded of the segment, all rows being in.
    pub(super) fn recorded(&self, id: Ulid, signal: Signal, level: u8) -> Recorded {
        let (min_time, max_time) = self.bounds();
        Recorded { id, signal, level, rows: u64::from(self.rows), min_time, max_time }
    }

    /// Earliest and latest time of all rows.
    pub(super) fn bounds(&self) -> (UnixNanos, UnixNanos) {
        self.summary.bounds()
    }

    /// Adds the next rows in segment order.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let id = self.id;
        let added = self.add(batch).map_err(|e| SegmentError::io(id, format!("cannot write its index bundle: {e}")))?;
        added.ok_or_else(|| SegmentError::damaged(id, "rows without the columns of its table"))
    }

    /// Takes over what a segment knows of all its rows, which come next.
    pub(super) fn inherit(&mut self, segment: &Segment) -> Result<(), SegmentError> {
        let missing = |what: &str| SegmentError::damaged(segment.meta.id, format!("has no index of its {what}"));
        let (first_row, rows) = (self.rows, u32::try_from(segment.meta.rows).unwrap_or(u32::MAX));
        let attributes = segment.attributes().ok_or_else(|| missing("attributes"))?;
        self.attributes.inherit(attributes, first_row, rows).ok_or_else(|| missing("attributes"))?;
        // A roll-up counts rows that are hidden by now.
        self.roll.absorb(segment.roll().filter(|_| segment.hidden.is_empty()));
        if let Some(calls) = &mut self.calls {
            calls.inherit(segment.whole_call_roll().filter(|_| segment.hidden.is_empty()), rows);
        }
        let Some(texts) = &mut self.texts else { return Ok(()) };
        // Wanting from now on, so that it is made again before the segment is stacked.
        let failed = || SegmentError::io(segment.meta.id, "its index of text cannot be read, and is made again first");
        let text = segment.index.as_ref().and_then(|index| segment.text(index)).ok_or_else(failed)?;
        for part in segment.usable("ft", text.parts()).ok_or_else(failed)? {
            let added = texts.push(part, &mut self.bundle);
            added.map_err(|e| SegmentError::io(self.id, format!("cannot join indexes of text: {e}")))?;
        }
        Ok(())
    }

    /// Copies filters of the row group that begins at a row of a segment.
    pub(super) fn copy_attributes(&mut self, segment: &Segment, first_row: u32) -> Result<(), SegmentError> {
        let failed = |detail: String| SegmentError::damaged(segment.meta.id, format!("cannot copy its filters: {detail}"));
        let attributes = segment.attributes().ok_or_else(|| failed("there are none".to_owned()))?;
        let copied = self.attributes.copy(attributes, first_row, &mut self.bundle).map_err(|e| failed(e.to_string()))?;
        copied.ok_or_else(|| failed(format!("none begin at row {first_row}")))
    }

    /// Makes filters of rows that are written anew.
    pub(super) fn push_attributes(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let id = self.id;
        let added = self.attributes.push(batch, &mut self.bundle);
        let added = added.map_err(|e| SegmentError::io(id, format!("cannot write its index bundle: {e}")))?;
        added.ok_or_else(|| SegmentError::damaged(id, "rows without the columns of its table"))
    }

    /// Counts the next rows: traces, services, operations.
    pub(super) fn note(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        self.count(batch).ok_or_else(|| SegmentError::damaged(self.id, "rows without the columns of its table"))
    }

    /// The next rows are in another row group.
    pub(super) fn end_row_group(&mut self) {
        self.summary.end_row_group();
    }

    fn add(&mut self, batch: &RecordBatch) -> io::Result<Option<()>> {
        if self.count(batch).is_none() || self.attributes.push(batch, &mut self.bundle)?.is_none() {
            return Ok(None);
        }
        let Some(text) = &mut self.text else { return Ok(Some(())) };
        let Some(bodies) = batch.column_by_name(column::BODY).and_then(|bodies| bodies.as_string_view_opt()) else { return Ok(None) };
        for body in bodies {
            text.push(body, &mut self.bundle)?;
        }
        Ok(Some(()))
    }

    fn count(&mut self, batch: &RecordBatch) -> Option<()> {
        self.summary.push(batch)?;
        if !self.inherits_roll {
            self.roll.push(batch)?;
            self.calls.as_mut().map_or(Some(()), |calls| calls.push(batch))?;
        }
        let traces = batch.column_by_name(column::TRACE_ID)?.as_fixed_size_binary_opt()?;
        for (row, trace) in (self.rows..).zip(traces) {
            if let Some(trace) = trace {
                self.trace_keys.push(trace.try_into().ok()?, row);
            }
        }
        self.rows = self.rows.checked_add(u32::try_from(batch.num_rows()).ok()?)?;
        Some(())
    }

    /// Writes what is left and syncs; `blocks` are the checksums of the Parquet file.
    pub(super) fn finish(self, blocks: &[u8]) -> Result<SyncedFile, SegmentError> {
        let id = self.id;
        self.write(blocks).map_err(|e| SegmentError::io(id, format!("cannot write its index bundle: {e}")))
    }

    fn write(mut self, blocks: &[u8]) -> io::Result<SyncedFile> {
        let bundle = &mut self.bundle;
        bundle.add(BLOCK_SUMS, blocks)?;
        let (keys, fuse) = self.trace_keys.finish();
        bundle.add(super::TRACE_KEYS, &keys)?;
        if let Some(fuse) = fuse {
            bundle.add(super::TRACE_FUSE, &fuse)?;
        }
        let (summary, operations) = self.summary.finish()?;
        bundle.add(super::SUMMARY, &summary)?;
        if let Some(operations) = operations {
            bundle.add_packed(super::OPERATIONS, &operations)?;
        }
        bundle.add_packed(super::ROLL, &self.roll.finish())?;
        if let Some(calls) = self.calls {
            let (roll, cells) = calls.finish();
            bundle.add(super::ROLL_EDGE, &roll)?;
            bundle.add(super::ROLL_EDGE_CELLS, &cells)?;
        }
        self.attributes.finish(bundle)?;
        self.text.map_or(Ok(()), |text| text.finish(bundle))?;
        self.texts.map_or(Ok(()), |texts| texts.finish(bundle))?;
        self.bundle.finish()
    }
}
