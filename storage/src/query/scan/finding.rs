//! Finding the units that can matter: batches and row groups with rows of the range that the indexes leave.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::selected::select;
use super::{Place, Scan, Unit, intersect, workers};
use crate::model::{TimeRange, UnixNanos};
use crate::query::columns;
use crate::query::predicate::Hints;
use crate::query::question::QueryError;
use crate::schema;
use crate::segment::{RowRanges, Segment, without_rows};

/// As few segments are asked faster than a thread is started.
const MANY_SEGMENTS: usize = 8;

// === impl Scan ===

impl Scan<'_> {
    pub(super) fn add_batch(&mut self, i: usize, batch: &RecordBatch) -> Result<(), QueryError> {
        let times = columns::long(batch, schema::time_column(self.signal))?;
        let (mut min, mut max) = (u64::MAX, 0);
        for time in times.values() {
            min = min.min(time.cast_unsigned());
            max = max.max(time.cast_unsigned());
        }
        let (min, max) = (UnixNanos::new(min), UnixNanos::new(max));
        if !times.is_empty() && self.overlaps(min, max) {
            self.units.push(Unit { place: Place::Buffer(i), rows: Vec::new(), min, max });
        }
        Ok(())
    }

    /// Which rows the indexes leave of each segment; `None` for all. An index of words is read for it, so many of them are asked by both
    /// cores.
    pub(super) fn selections(&self, hints: &Hints) -> Result<Vec<Option<RowRanges>>, QueryError> {
        let of = |segment: &Arc<Segment>| if self.can_matter(segment, hints) { select(segment, hints) } else { Some(RowRanges::new()) };
        let segments = &self.table.segments;
        if segments.len() >= MANY_SEGMENTS && hints.asks_words() {
            return workers::each(segments, self.control, of);
        }
        segments.iter().map(|segment| self.control.check().map(|()| of(segment))).collect()
    }

    /// Whether a segment can have rows of the range and of the wanted services.
    pub(super) fn can_matter(&self, segment: &Segment, hints: &Hints) -> bool {
        let meta = segment.meta();
        let has_service = match (&hints.services, segment.services()) {
            (Some(wanted), Some(known)) => wanted.iter().any(|service| known.binary_search(service).is_ok()),
            _ => true,
        };
        has_service && self.overlaps(meta.min_time, meta.max_time)
    }

    /// Adds the units of a segment that have selected rows.
    pub(super) fn add_segment(&mut self, i: usize, segment: &Segment, selection: Option<&RowRanges>) {
        if selection.is_some_and(Vec::is_empty) {
            return;
        }
        for group in segment.row_groups() {
            if !self.overlaps(group.min_time, group.max_time) {
                continue;
            }
            let whole = vec![group.rows.clone()];
            let rows = selection.map_or_else(|| whole.clone(), |selection| intersect(selection, &whole));
            // A unit's rows are numbered by its ranges, so hidden ones must not be among them.
            let rows = if segment.hidden().is_empty() { rows } else { without_rows(&rows, segment.hidden()) };
            if !rows.is_empty() {
                self.units.push(Unit { place: Place::Segment(i), rows, min: group.min_time, max: group.max_time });
            }
        }
    }

    pub(super) fn rows_of(&self, unit: &Unit) -> u64 {
        match unit.place {
            Place::Buffer(i) => self.table.buffered.get(i).map_or(0, RecordBatch::num_rows) as u64,
            Place::Segment(_) => self.left(unit, false).iter().map(ExactSizeIterator::len).sum::<usize>() as u64,
        }
    }

    /// A range is half open, but all time has no end.
    pub(super) fn overlaps(&self, min: UnixNanos, max: UnixNanos) -> bool {
        self.range == TimeRange::ALL || self.range.overlaps(min, max)
    }
}
