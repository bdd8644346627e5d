//! Merges sorted segments into sorted segments, a few thousand rows of each at a time.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use ulid::Ulid;

use crate::attributes::Layout;
use crate::files::Place;
use crate::metrics::{Gauge, Held};
use crate::segment::{Limits, Origin, Output, Segment, SegmentError, SegmentMeta, SortColumns, choose_layout, take_back};
use crate::store::Signal;

/// Rows gathered at a time.
const GATHER_ROWS: usize = 16_384;

type Rows = Box<dyn Iterator<Item = Result<RecordBatch, SegmentError>> + Send>;

/// All inputs of a merge and the rows on their way to the output.
struct Merge<'a> {
    signal: Signal,
    stop: &'a AtomicBool,
    /// In order of arrival.
    cursors: Vec<Cursor>,
    /// Batches that cursors stand in or that gathered rows come from.
    held: Vec<(RecordBatch, SortColumns)>,
    /// Rows in order, without duplicates, as (batch in `held`, row).
    gathered: Vec<(usize, usize)>,
    /// Bytes of batches, and of rows on their way to the output.
    shown: Held,
}

/// Where an input stands.
struct Cursor {
    rows: Rows,
    batch: usize,
    row: usize,
    prefix: u128,
}

/// Where merged rows go.
#[derive(Clone, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) tmp_dir: &'a Place,
    pub(crate) seg_dir: &'a Place,
    /// What the segments of the table that were merged before have columns for.
    pub(crate) layout_before: Layout,
    pub(crate) limits: Limits,
    /// Ends the merge early, with [`crate::segment::SegmentErrorKind::Stopped`]; nothing is left in `seg_dir` then.
    pub(crate) stop: &'a AtomicBool,
    /// Shows the memory that it takes.
    pub(crate) memory: Gauge,
}

impl<'a> Target<'a> {
    pub(crate) fn new(tmp_dir: &'a Place, seg_dir: &'a Place, stop: &'a AtomicBool) -> Self {
        let (layout_before, limits, memory) = (Layout::default(), Limits::default(), Gauge::default());
        Self { tmp_dir, seg_dir, layout_before, limits, stop, memory }
    }

    /// Keeps to this layout as far as the rows allow.
    pub(crate) fn with_layout_before(self, layout_before: Layout) -> Self {
        Self { layout_before, ..self }
    }
}

/// Merges segments that cannot be stacked, because a span of them came again, into segments of the last level; see [`merge`].
pub(crate) fn merge_stack(inputs: &[Arc<Segment>], target: &Target<'_>) -> Result<Vec<SegmentMeta>, SegmentError> {
    let mut inputs = inputs.to_vec();
    inputs.sort_unstable_by_key(|segment| (segment.meta().min_time, segment.meta().id));
    let mut metas: Vec<SegmentMeta> = Vec::new();
    for group in inputs.chunks(super::MAX_INPUTS) {
        match merge_to(super::LAST_LEVEL, group, target) {
            Ok(merged) => metas.extend(merged),
            Err(error) => {
                take_back(target.seg_dir, metas.iter().map(|meta| meta.id));
                return Err(error);
            }
        }
    }
    Ok(metas)
}

/// Writes what is left of a segment whose rows are hidden in part: in its order, at its level, at least merged, with its layout.
pub(crate) fn rewrite(segment: &Arc<Segment>, target: Target<'_>) -> Result<Vec<SegmentMeta>, SegmentError> {
    let target = target.with_layout_before(segment.layout());
    merge_to(segment.meta().level.max(1), std::slice::from_ref(segment), &target)
}

/// Merges segments of one table into segments of level 1. Of equal spans the one in the later segment, by id, stays.
pub(crate) fn merge(inputs: &[Arc<Segment>], target: &Target<'_>) -> Result<Vec<SegmentMeta>, SegmentError> {
    merge_to(1, inputs, target)
}

fn merge_to(level: u8, inputs: &[Arc<Segment>], target: &Target<'_>) -> Result<Vec<SegmentMeta>, SegmentError> {
    let mut inputs: Vec<&Segment> = inputs.iter().map(AsRef::as_ref).collect();
    inputs.sort_unstable_by_key(|segment| segment.meta().id);
    let Some(newest) = inputs.last().map(|segment| segment.meta()) else { return Ok(Vec::new()) };
    let mut output = Output::new(target.tmp_dir, target.seg_dir, newest.signal, level)
        .with_origin(Origin::replacing(inputs.iter().copied())?)
        .with_limits(target.limits)
        .with_layout(choose_layout(&inputs, &target.layout_before, target.limits))
        .with_arrival(newest.id.timestamp_ms());
    let mut merge = Merge::new(newest.signal, &inputs, target)?;
    while let Some((from, bound)) = merge.next_run() {
        merge.take_run(from, bound)?;
        if merge.gathered.len() >= GATHER_ROWS {
            merge.flush(&mut output, 1)?;
        }
    }
    merge.flush(&mut output, 0)?;
    output.finish()
}

// === impl Merge ===

impl<'a> Merge<'a> {
    fn new(signal: Signal, inputs: &[&Segment], target: &Target<'a>) -> Result<Self, SegmentError> {
        let (cursors, shown) = (Vec::with_capacity(inputs.len()), target.memory.hold(0));
        let mut merge = Self { signal, stop: target.stop, cursors, held: Vec::new(), gathered: Vec::new(), shown };
        for segment in inputs {
            let mut rows = segment.stream()?;
            if let Some(batch) = merge.hold_next(&mut rows)? {
                merge.cursors.push(Cursor { rows, batch, row: 0, prefix: merge.prefix(batch, 0) });
            }
        }
        Ok(merge)
    }

    /// The cursor with the smallest row, and the one with the next smallest, which ends the run of the first.
    fn next_run(&self) -> Option<(usize, Option<usize>)> {
        let mut smallest: Option<usize> = None;
        let mut next: Option<usize> = None;
        for cursor in 0..self.cursors.len() {
            if smallest.is_none_or(|known| self.is_before(cursor, known)) {
                next = smallest.replace(cursor);
            } else if next.is_none_or(|known| self.is_before(cursor, known)) {
                next = Some(cursor);
            }
        }
        Some((smallest?, next))
    }

    /// Whether the row of one cursor comes before that of another; equal rows in order of arrival.
    fn is_before(&self, cursor: usize, other: usize) -> bool {
        let (Some(a), Some(b)) = (self.cursors.get(cursor), self.cursors.get(other)) else { return false };
        let order = a.prefix.cmp(&b.prefix).then_with(|| match (self.held.get(a.batch), self.held.get(b.batch)) {
            (Some((_, left)), Some((_, right))) => left.compare(a.row, right, b.row),
            _ => Ordering::Equal,
        });
        order.then(cursor.cmp(&other)).is_lt()
    }

    /// Takes rows of one cursor up to the row of `bound`, or one batch of them.
    fn take_run(&mut self, from: usize, bound: Option<usize>) -> Result<(), SegmentError> {
        loop {
            let Some(cursor) = self.cursors.get(from) else { return Ok(()) };
            let (batch, row) = (cursor.batch, cursor.row);
            self.gather(batch, row);
            let rows_of_batch = self.held.get(batch).map_or(0, |(batch, _)| batch.num_rows());
            if row + 1 >= rows_of_batch {
                return self.next_batch(from);
            }
            let prefix = self.prefix(batch, row + 1);
            if let Some(cursor) = self.cursors.get_mut(from) {
                (cursor.row, cursor.prefix) = (row + 1, prefix);
            }
            if bound.is_some_and(|bound| !self.is_before(from, bound)) {
                return Ok(());
            }
        }
    }

    /// Adds a row; a duplicate takes the place of the one before, which arrived earlier.
    fn gather(&mut self, batch: usize, row: usize) {
        let place = (batch, row);
        if let Some(last) = self.gathered.last_mut()
            && let (Some((_, before)), Some((_, columns))) = (self.held.get(last.0), self.held.get(batch))
            && columns.is_duplicate(row, before, last.1)
        {
            *last = place;
            return;
        }
        self.gathered.push(place);
    }

    fn next_batch(&mut self, from: usize) -> Result<(), SegmentError> {
        let mut cursor = self.cursors.remove(from);
        if let Some(batch) = self.hold_next(&mut cursor.rows)? {
            let prefix = self.prefix(batch, 0);
            self.cursors.insert(from, Cursor { batch, row: 0, prefix, ..cursor });
        }
        Ok(())
    }

    fn hold_next(&mut self, rows: &mut Rows) -> Result<Option<usize>, SegmentError> {
        if self.stop.load(atomic::Ordering::Relaxed) {
            return Err(SegmentError::stopped(Ulid::nil()));
        }
        let Some(batch) = rows.next().transpose()?.filter(|batch| batch.num_rows() > 0) else { return Ok(None) };
        let columns = SortColumns::of(self.signal, &batch)
            .ok_or_else(|| SegmentError::damaged(Ulid::nil(), "rows to be merged lack a column of their table"))?;
        self.held.push((batch, columns));
        Ok(Some(self.held.len() - 1))
    }

    fn prefix(&self, batch: usize, row: usize) -> u128 {
        self.held.get(batch).map_or(0, |(_, columns)| columns.prefix(row))
    }

    /// Writes gathered rows but the last `keep`, with which later rows are compared, and lets go of batches that are done.
    fn flush(&mut self, output: &mut Output<'_>, keep: usize) -> Result<(), SegmentError> {
        let kept = self.gathered.split_off(self.gathered.len().saturating_sub(keep));
        if !self.gathered.is_empty() {
            let sources: Vec<&RecordBatch> = self.held.iter().map(|(batch, _)| batch).collect();
            let rows = interleave_record_batch(&sources, &self.gathered)
                .map_err(|e| SegmentError::damaged(Ulid::nil(), format!("cannot gather rows to be merged: {e}")))?;
            let held: usize = sources.iter().map(|batch| batch.get_array_memory_size()).sum();
            self.shown.set(held + rows.get_array_memory_size() + output.memory());
            output.push(&rows)?;
        }
        self.gathered = kept;
        let mut places = vec![None; self.held.len()];
        let mut used = Vec::new();
        let batches = self.cursors.iter_mut().map(|cursor| &mut cursor.batch).chain(self.gathered.iter_mut().map(|(batch, _)| batch));
        for batch in batches {
            if let (Some(place), Some(held)) = (places.get_mut(*batch), self.held.get(*batch)) {
                *batch = *place.get_or_insert_with(|| {
                    used.push(held.clone());
                    used.len() - 1
                });
            }
        }
        self.held = used;
        Ok(())
    }
}
