//! Writes the rows of a damaged segment into a new one, as far as they can be read, with new indexes.

use std::ops::Range;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{Folder, io_error};
use crate::schema::{self, column};
use crate::segment::{self, Origin, Output, Segment, SegmentError, SegmentMeta};
use crate::store::Signal;

use super::examine::Found;

/// What was saved.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) metas: Vec<SegmentMeta>,
    pub(super) rows: u64,
    /// Above every record id seen.
    pub(super) next_record_id: u64,
}

/// Saves what can be read of `found` into new segments in `staging`; without it, only counts.
pub(super) fn save(folder: &Folder, found: &Found, staging: Option<&Place>) -> Result<Saved, OpenError> {
    let mut saved = Saved::default();
    if !found.readable {
        return Ok(saved);
    }
    let seg_dir = folder.segments(found.signal);
    let Ok(segment) = open(&seg_dir, found) else { return Ok(saved) };
    let origin = Origin::of([(found.id, found.origin.clone(), found.part)]);
    let mut output = staging.map(|staging| {
        let output = Output::new(staging, staging, found.signal, found.meta.level).with_origin(origin);
        output.with_layout(segment.layout()).with_arrival(found.id.timestamp_ms())
    });
    for group in segment.row_groups() {
        for batch in readable(&segment, group.rows.clone()) {
            saved.count(found.signal, &batch);
            output.as_mut().map_or(Ok(()), |output| output.push(&batch)).map_err(|error| failed(&seg_dir, error))?;
        }
    }
    if let Some(output) = output.filter(|_| saved.rows > 0) {
        saved.metas = output.finish().map_err(|error| failed(&seg_dir, error))?;
    }
    Ok(saved)
}

/// Copies the first bytes of a file, synced.
pub(super) fn beginning(from: &Place, bytes: u64, to: &Place) -> Result<(), OpenError> {
    let copied = || -> std::io::Result<()> {
        let (source, target, mut at, mut buffer) = (from.open()?, to.create()?, 0, vec![0; COPY_BYTES]);
        while at < bytes {
            let wanted = usize::try_from(bytes - at).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            source.read_exact_at(piece, at)?;
            target.write_all_at(piece, at)?;
            at += wanted as u64;
        }
        target.sync_all()
    };
    copied().map_err(io_error("cannot copy the rows of", from))
}

/// Makes the index of a segment again in `staging`, whose rows can all be read; without it, only reads them. `None` when they cannot.
pub(super) fn index(folder: &Folder, found: &Found, staging: Option<&Place>) -> Option<SegmentMeta> {
    let seg_dir = folder.segments(found.signal);
    let segment = open(&seg_dir, found).ok()?;
    let made = match staging {
        Some(staging) => segment::rebuild_index_beside(&segment, &seg_dir, staging),
        None => can_be_read(&segment).map(|()| found.meta.clone()),
    };
    made.inspect_err(|error| tracing::debug!(%error, "an index cannot be made again from its segment")).ok()
}

fn can_be_read(segment: &Segment) -> Result<(), SegmentError> {
    let columns: Vec<&str> = schema::names(segment.meta().signal).collect();
    segment.read(&columns, None)?.try_for_each(|batch| batch.map(drop))
}

/// Opens a segment without its index where that is damaged.
fn open(seg_dir: &Place, found: &Found) -> Result<Segment, SegmentError> {
    let index_bytes = if found.index.is_ok() { found.meta.index_bytes } else { 0 };
    Segment::open(seg_dir, SegmentMeta { index_bytes, ..found.meta.clone() })
}

/// Rows of a range; where they cannot be read together, those of smaller ranges that can.
fn readable(segment: &Segment, rows: Range<u32>) -> Vec<RecordBatch> {
    let columns: Vec<&str> = schema::names(segment.meta().signal).collect();
    let read = |rows: Range<u32>| -> Result<Vec<RecordBatch>, SegmentError> { segment.read(&columns, Some(&vec![rows]))?.collect() };
    if let Ok(batches) = read(rows.clone()) {
        return batches;
    }
    let mut batches = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        let end = start.saturating_add(STEP_ROWS).min(rows.end);
        batches.extend(read(start..end).unwrap_or_default());
        start = end;
    }
    batches
}

/// Above every record id in a segment; 0 for spans.
pub(super) fn next_record_id(folder: &Folder, found: &Found) -> u64 {
    let mut saved = Saved::default();
    if found.signal == Signal::Logs
        && let Ok(segment) = open(&folder.segments(found.signal), found)
        && let Ok(batches) = segment.read(&[column::RECORD_ID], None)
    {
        for batch in batches.map_while(Result::ok) {
            saved.count(found.signal, &batch);
        }
    }
    saved.next_record_id
}

fn failed(place: &Place, error: SegmentError) -> OpenError {
    OpenError::Io { action: "cannot save the rows of a segment in", path: place.path().to_owned(), source: std::io::Error::other(error) }
}

// === impl Saved ===

impl Saved {
    fn count(&mut self, signal: Signal, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        if signal == Signal::Logs
            && let Some(ids) = batch.column_by_name(column::RECORD_ID).and_then(|ids| ids.as_primitive_opt::<Int64Type>())
        {
            let highest = ids.values().iter().map(|id| id.cast_unsigned()).max().unwrap_or(0);
            self.next_record_id = self.next_record_id.max(highest.saturating_add(1));
        }
    }
}

const COPY_BYTES: usize = 1 << 20;
/// Rows of a page of the narrowest pages.
const STEP_ROWS: u32 = 2_048;
