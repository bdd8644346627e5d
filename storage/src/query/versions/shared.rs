//! Rows of a segment of which a later place has another version.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use ulid::Ulid;

use super::super::question::QueryError;
use super::super::scan::{Control, Numbers, from_rows};
use super::keys::{Hashes, KEY_COLUMNS, SpanKeys};
use super::place::InMemory;
use crate::model::TraceId;
use crate::segment::{RowRanges, Segment, SegmentError, union_rows, without_rows};

/// Key and rows of every trace of a segment, sorted.
pub(super) type Run = (u32, Range<u32>);

/// Rows, where they could be read.
type Found = Result<RowRanges, Unread>;
/// What could not be read, as a sentence for the answer.
pub(super) type Unread = String;

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
    })?;
    if let Err(note) = read {
        return Ok(Err(note));
    }
    rows_of(older, &of_older, control, |hash| hashes.contains(&hash))
}

/// Compares a segment with a batch in memory by those of its traces that the segment may hold. One that is gone holds nothing.
pub(super) fn of_batch(older: &Segment, later: &InMemory, control: &Control) -> Result<Found, QueryError> {
    let traces: HashSet<TraceId> = later.traces()?.iter().filter(|trace| older.may_hold(**trace)).copied().collect();
    let Some(batch) = later.keys().filter(|_| !traces.is_empty()) else { return Ok(Ok(RowRanges::new())) };
    let rows = match rows_of_traces(older, &traces, control)? {
        Ok(rows) if rows.is_empty() => return Ok(Ok(rows)),
        Ok(rows) => rows,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    let keys = SpanKeys::of(&batch)?;
    let of_traces = (0..batch.num_rows()).filter(|row| keys.trace_id(*row).is_some_and(|trace| traces.contains(&trace)));
    let hashes: Hashes = of_traces.map(|row| keys.hash(row)).collect();
    rows_of(older, &rows, control, |hash| hashes.contains(&hash))
}

/// Those of some rows, by place, that are of a span that is among other rows too.
pub(super) fn of_spans(
    places: &[(&Arc<Segment>, Arc<RowRanges>)],
    others: &[(&Arc<Segment>, &RowRanges)],
    control: &Control,
) -> Result<Result<BTreeMap<Ulid, RowRanges>, String>, QueryError> {
    let (mut known, mut wanted) = (Hashes::default(), Hashes::default());
    let mut find = || -> Result<Result<(), String>, QueryError> {
        for (segment, rows) in places {
            let read = each(segment, rows, control, |keys, row, _| {
                known.insert(keys.hash(row));
            })?;
            if read.is_err() {
                return Ok(read);
            }
        }
        for (segment, rows) in others.iter().filter(|_| !known.is_empty()) {
            let read = each(segment, rows, control, |keys, row, _| {
                wanted.extend(Some(keys.hash(row)).filter(|hash| known.contains(hash)));
            })?;
            if read.is_err() {
                return Ok(read);
            }
        }
        Ok(Ok(()))
    };
    if let Err(note) = find()? {
        return Ok(Err(note));
    }
    let mut found = BTreeMap::new();
    for (segment, rows) in places.iter().filter(|_| !wanted.is_empty()) {
        match rows_of(segment, rows, control, |hash| wanted.contains(&hash))? {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => drop(found.insert(segment.meta().id, rows)),
            Err(note) => return Ok(Err(note)),
        }
    }
    Ok(Ok(found))
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
fn rows_of(segment: &Segment, rows: &RowRanges, control: &Control, is_asked: impl Fn(u64) -> bool) -> Result<Found, QueryError> {
    let mut found = Vec::new();
    let read = each(segment, rows, control, |keys, row, number| {
        if is_asked(keys.hash(row)) {
            found.push(number);
        }
    })?;
    Ok(read.map(|()| from_rows(found)))
}

/// Hands the keys of rows on, with the place in what was read and the number in the segment.
fn each(
    segment: &Segment,
    rows: &RowRanges,
    control: &Control,
    mut take: impl FnMut(&SpanKeys<'_>, usize, u32),
) -> Result<Result<(), Unread>, QueryError> {
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
            take(&keys, row, numbers.of(first + row));
        }
        first += batch.num_rows();
    }
    Ok(Ok(()))
}

fn unreadable(error: &SegmentError) -> Unread {
    format!("a part of the data could not be read: {error}")
}

/// Rows of traces whose keys are in both lists.
fn common(a: &[Run], b: &[Run]) -> (RowRanges, RowRanges) {
    if a.len() > b.len() {
        let (in_b, in_a) = common(b, a);
        return (in_a, in_b);
    }
    let (mut in_a, mut in_b, mut rest) = (Vec::new(), Vec::new(), b);
    for group in a.chunk_by(|x, y| x.0 == y.0) {
        let Some((key, _)) = group.first() else { continue };
        rest = rest.get(before(rest, *key)..).unwrap_or_default();
        let same = rest.iter().take_while(|(other, _)| other == key).map(|(_, rows)| rows.clone());
        let known = in_b.len();
        in_b.extend(same);
        if in_b.len() > known {
            in_a.extend(group.iter().map(|(_, rows)| rows.clone()));
        }
    }
    (union_rows(in_a, Vec::new()), union_rows(in_b, Vec::new()))
}

/// How many of a sorted list are below a key, looked for from its beginning in steps that double.
fn before(sorted: &[Run], key: u32) -> usize {
    let mut step = 1;
    while sorted.get(step - 1).is_some_and(|(other, _)| *other < key) {
        step *= 2;
    }
    let (from, to) = (step / 2, step.min(sorted.len()));
    from + sorted.get(from..to).unwrap_or_default().partition_point(|(other, _)| *other < key)
}
