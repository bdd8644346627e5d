//! Which rows of segments a query means: for deletes and for what is kept longer than the rest. Each stored version of a span is judged by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use ulid::Ulid;

use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Place, Scan, Wanted, from_rows};
use crate::model::{TimeRange, TraceId};
use crate::schema::column;
use crate::segment::{RowRanges, Segment};
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Signal;

/// Rows by segment; segments without any are left out.
pub(crate) type Selected = BTreeMap<Ulid, RowRanges>;

/// Rows of `segments`, all of one table, that belong to one of these traces.
pub(crate) fn rows_of_traces(
    segments: &[Arc<Segment>],
    signal: Signal,
    ids: Vec<TraceId>,
    control: &Control,
) -> Result<Selected, QueryError> {
    rows_of(segments, signal, TimeRange::ALL, &Predicate::traces(ids), control)
}

/// Rows of `segments`, all of one table, that a search would match.
pub(crate) fn rows_matching(
    segments: &[Arc<Segment>],
    signal: Signal,
    query: &str,
    range: TimeRange,
    control: &Control,
) -> Result<Selected, QueryError> {
    let query = Query::parse(signal, query).map_err(QueryError::Parse)?;
    rows_of(segments, signal, range, &Predicate::new(&query), control)
}

/// Traces with a span that a search would match; fails when there are more than `limit`.
pub(crate) fn traces_matching(
    segments: &[Arc<Segment>],
    query: &str,
    range: TimeRange,
    limit: usize,
    control: &Control,
) -> Result<BTreeSet<TraceId>, QueryError> {
    let query = Query::parse(Signal::Traces, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let snapshot = snapshot(segments, Signal::Traces);
    let mut scan = Scan::new(&snapshot, Signal::Traces, range, &predicate.hints, control)?;
    scan.every_version();
    let mut found = BTreeSet::new();
    scan.run(
        Wanted { columns: &[column::TRACE_ID], keys: &[], predicate: &predicate },
        |_| false,
        |rows| {
            let ids = rows.batch.column_by_name(column::TRACE_ID).and_then(|ids| ids.as_fixed_size_binary_opt());
            let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { return Ok(()) };
            found.extend(rows.alive.set_indices().filter_map(|row| TraceId::from_slice(ids.value(row))));
            if found.len() > limit {
                return Err(QueryError::Invalid(format!("more than {limit} traces match")));
            }
            Ok(())
        },
    )?;
    whole(&scan)?;
    Ok(found)
}

fn rows_of(
    segments: &[Arc<Segment>],
    signal: Signal,
    range: TimeRange,
    predicate: &Predicate,
    control: &Control,
) -> Result<Selected, QueryError> {
    let snapshot = snapshot(segments, signal);
    let mut scan = Scan::new(&snapshot, signal, range, &predicate.hints, control)?;
    scan.every_version();
    let found = scan.fold(Wanted { columns: &[], keys: &[], predicate }, HashMap::<Place, Vec<u32>>::new, |found, rows| {
        found.entry(rows.place).or_default().extend(rows.alive.set_indices().map(|row| rows.number(row)));
        Ok(())
    })?;
    whole(&scan)?;
    let mut numbers: HashMap<Place, Vec<u32>> = HashMap::new();
    for (place, rows) in found.into_iter().flatten() {
        numbers.entry(place).or_default().extend(rows);
    }
    let selected = numbers.into_iter().filter_map(|(place, rows)| match place {
        Place::Segment(at) => Some((segments.get(at)?.meta().id, from_rows(rows))),
        Place::Buffer(_) => None,
    });
    Ok(selected.filter(|(_, rows)| !rows.is_empty()).collect())
}

fn snapshot(segments: &[Arc<Segment>], signal: Signal) -> Snapshot {
    let table = TableSnapshot { segments: segments.to_vec(), ..TableSnapshot::default() };
    match signal {
        Signal::Traces => Snapshot { spans: table, ..Snapshot::default() },
        Signal::Logs => Snapshot { logs: table, ..Snapshot::default() },
    }
}

/// A part that cannot be read may hold rows that are meant.
fn whole(scan: &Scan<'_>) -> Result<(), QueryError> {
    match scan.stats.notes.first() {
        Some(note) => Err(QueryError::Internal(note.clone())),
        None => Ok(()),
    }
}
