//! Rows of a segment of which a later place has another version.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::super::question::QueryError;
use super::super::scan::{Control, Numbers, from_rows};
use super::batch::Batch;
use super::keys::{Hashes, KEY_COLUMNS, SpanKeys};
use crate::model::TraceId;
use crate::segment::{RowRanges, Segment, SegmentError, union_rows, without_rows};

/// Key and rows of every trace of a segment, sorted.
pub(super) type Run = (u32, Range<u32>);

/// Rows. The error inside says what could not be read.
type Found = Result<RowRanges, String>;

/// Compares two segments by the keys of their traces; every row of those where one has no such index.
pub(super) fn of_segments(
    older: &Segment,
    later: &Segment,
    runs: &[Option<Arc<Vec<Run>>>; 2],
    control: &Control,
) -> Result<Found, QueryError> {
    let (of_older, of_later) = match runs {
        [Some(a), Some(b)] => common(a, b),
        _ => (older.every_row(), later.every_row()),
    };
    let mut hashes = Hashes::default();
    let read = each(later, &of_later, control, |keys, row, _| {
        hashes.insert(keys.hash(row));
        Ok(())
    })?;
    if let Err(note) = read {
        return Ok(Err(note));
    }
    rows_of(older, &of_older, control, |hash| Ok(hashes.contains(&hash)))
}

/// Compares a segment with a batch in memory by those of its traces that the segment may hold.
pub(super) fn of_batch(older: &Segment, later: &Batch, batch: &RecordBatch, control: &Control) -> Result<Found, QueryError> {
    let keys = SpanKeys::of(batch)?;
    let (mut traces, mut before) = (HashSet::new(), None);
    for trace in (0..batch.num_rows()).filter_map(|row| keys.trace_id(row)) {
        // Rows of one trace often come one after the other.
        if before.replace(trace) != Some(trace) && older.may_hold(trace) {
            traces.insert(trace);
        }
    }
    let rows = match rows_of_traces(older, &traces, control)? {
        Ok(rows) => rows,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    rows_of(older, &rows, control, |hash| later.holds(batch, hash))
}

fn rows_of_traces(segment: &Segment, traces: &HashSet<TraceId>, control: &Control) -> Result<Result<RowRanges, SegmentError>, QueryError> {
    let mut rows = RowRanges::new();
    for (i, trace) in traces.iter().enumerate() {
        if i % 1_024 == 0 {
            control.check()?;
        }
        match segment.trace_rows(*trace) {
            Ok(more) => rows.extend(more),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(union_rows(rows, Vec::new())))
}

/// Those of some rows whose hash is asked for.
fn rows_of(
    segment: &Segment,
    rows: &RowRanges,
    control: &Control,
    is_asked: impl Fn(u64) -> Result<bool, QueryError>,
) -> Result<Found, QueryError> {
    let mut found = Vec::new();
    let read = each(segment, rows, control, |keys, row, number| {
        if is_asked(keys.hash(row))? {
            found.push(number);
        }
        Ok(())
    })?;
    Ok(read.map(|()| from_rows(found)))
}

/// Hands the keys of rows on, with the place in what was read and the number in the segment.
fn each(
    segment: &Segment,
    rows: &RowRanges,
    control: &Control,
    mut take: impl FnMut(&SpanKeys<'_>, usize, u32) -> Result<(), QueryError>,
) -> Result<Result<(), String>, QueryError> {
    // Rows are numbered by their ranges, so hidden ones must not be among them.
    let rows = without_rows(rows, segment.hidden());
    if rows.is_empty() {
        return Ok(Ok(()));
    }
    let (numbers, mut first) = (Numbers::new(&rows), 0);
    let batches = match segment.read(&KEY_COLUMNS, Some(&rows)) {
        Ok(batches) => batches,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    for batch in batches {
        control.check()?;
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(unreadable(&error))),
        };
        let keys = SpanKeys::of(&batch)?;
        for row in 0..batch.num_rows() {
            take(&keys, row, numbers.of(first + row))?;
        }
        first += batch.num_rows();
    }
    Ok(Ok(()))
}

fn unreadable(error: &SegmentError) -> String {
    format!("a part of the data could not be read: {error}")
}

/// Rows of traces whose keys are in both lists.
fn common(a: &[Run], b: &[Run]) -> (RowRanges, RowRanges) {
    let (mut in_a, mut in_b) = (RowRanges::new(), RowRanges::new());
    let mut groups = b.chunk_by(|x, y| x.0 == y.0).peekable();
    for group in a.chunk_by(|x, y| x.0 == y.0) {
        let Some((key, _)) = group.first() else { continue };
        let is_before = |other: &&[Run]| other.first().is_some_and(|(other, _)| other < key);
        while groups.next_if(is_before).is_some() {}
        if let Some(same) = groups.next_if(|other| other.first().is_some_and(|(other, _)| other == key)) {
            in_a.extend(group.iter().map(|(_, rows)| rows.clone()));
            in_b.extend(same.iter().map(|(_, rows)| rows.clone()));
        }
    }
    (union_rows(in_a, Vec::new()), union_rows(in_b, Vec::new()))
}
