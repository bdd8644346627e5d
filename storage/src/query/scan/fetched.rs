//! Reading single rows in full, once it is known which.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::workers;
use super::{Place, Scan, from_rows};
use crate::query::question::QueryError;
use crate::schema;
use crate::segment::{RowRanges, SegmentError};

/// Fewer segments are read sooner than a thread is started on a core that others use. Rows of one segment are never shared out: each half
/// would take apart the same dictionaries.
const MANY_PLACES: usize = 4;

impl Scan<'_> {
    /// Reads all columns of single rows, place by place, on both cores where these are many. What cannot be read is noted.
    pub(in super::super) fn fetch_all(&mut self, found: &BTreeMap<Place, Vec<u32>>) -> Result<Vec<RecordBatch>, QueryError> {
        let mut parts: Vec<(Place, RowRanges)> = Vec::new();
        for (place, rows) in found {
            let mut rows = rows.clone();
            rows.sort_unstable();
            parts.push((*place, from_rows(rows)));
        }
        let fetch = |(place, rows): &(Place, RowRanges)| self.fetch(*place, rows);
        let in_segments = parts.iter().filter(|(place, _)| matches!(place, Place::Segment(_))).count();
        let fetched =
            if in_segments < MANY_PLACES { parts.iter().map(fetch).collect() } else { workers::each(&parts, self.control, fetch)? };
        let mut batches = Vec::new();
        for part in fetched {
            match part? {
                Ok(more) => batches.extend(more),
                Err(error) => self.note(format!("a part of the data could not be read: {error}")),
            }
        }
        Ok(batches)
    }

    /// Reads all columns of single rows of one place, in the order of their numbers.
    pub(in super::super) fn fetch(&self, place: Place, rows: &RowRanges) -> Result<Result<Vec<RecordBatch>, SegmentError>, QueryError> {
        self.control.check()?;
        match place {
            Place::Buffer(i) => {
                let Some(batch) = self.table.buffered.get(i) else { return Ok(Ok(Vec::new())) };
                Ok(Ok(rows.iter().map(|range| batch.slice(range.start as usize, range.len())).collect()))
            }
            Place::Segment(i) => {
                let Some(segment) = self.table.segments.get(i) else { return Ok(Ok(Vec::new())) };
                let schema = schema::of(self.signal);
                let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                Ok(segment.read(&columns, Some(rows)).and_then(Iterator::collect))
            }
        }
    }
}
