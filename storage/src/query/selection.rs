//! Which rows of segments a query means: for deletes and for what is kept longer than the rest. As in searches, of a span that came again the last
//! version is judged; what is meant are then all of its versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use ulid::Ulid;

use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Place, Scan, Wanted, from_rows};
use super::versions::Versions;
use crate::model::{TimeRange, TraceId};
use crate::schema::column;
use crate::segment::{RowRanges, union_rows};
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Signal;

/// What is looked through.
#[derive(Clone, Debug)]
pub(crate) struct Among {
    snapshot: Snapshot,
    signal: Signal,
    /// Segments whose rows are wanted, when it is not those of all.
    named: Option<BTreeSet<Ulid>>,
}

/// Rows that are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// By segment; those without any are left out.
    pub(crate) rows: BTreeMap<Ulid, RowRanges>,
    /// Whether rows in memory are meant too.
    pub(crate) in_memory: bool,
}

impl Among {
    /// A table of one signal. Where not everything is looked through, what is left out came later than all of it or shares no time with it.
    pub(crate) fn new(signal: Signal, table: TableSnapshot, versions: Arc<Versions>) -> Self {
        let snapshot = match signal {
            Signal::Traces => Snapshot { spans: table, versions, ..Snapshot::default() },
            Signal::Logs => Snapshot { logs: table, versions, ..Snapshot::default() },
        };
        Self { snapshot, signal, named: None }
    }

    /// Rows of these segments alone are wanted; the others say which versions are the last.
    pub(crate) fn of(mut self, named: BTreeSet<Ulid>) -> Self {
        self.named = Some(named);
        self
    }

    fn table(&self) -> &TableSnapshot {
        self.snapshot.table(self.signal)
    }

    fn is_wanted(&self, place: Place) -> bool {
        match (&self.named, place) {
            (None, _) => true,
            (Some(named), Place::Segment(at)) => self.table().segments.get(at).is_some_and(|segment| named.contains(&segment.meta().id)),
            (Some(_), Place::Buffer(_)) => false,
        }
    }
}

/// Rows that belong to one of these traces, every version of them.
pub(crate) fn rows_of_traces(among: &Among, ids: Vec<TraceId>, control: &Control) -> Result<Selected, QueryError> {
    rows_of(among, TimeRange::ALL, &Predicate::traces(ids), true, control)
}

/// Rows that a search would match, with the older versions of such spans. The query was accepted before, perhaps by an earlier version.
pub(crate) fn rows_matching(among: &Among, query: &str, range: TimeRange, control: &Control) -> Result<Selected, QueryError> {
    let query = Query::parse_kept(among.signal, query).map_err(QueryError::Parse)?;
    let mut selected = rows_of(among, range, &Predicate::new(&query), false, control)?;
    if among.signal == Signal::Traces && !selected.rows.is_empty() {
        let older = among.snapshot.versions.older_than(among.table(), &selected.rows, control)?.map_err(QueryError::Internal)?;
        for (id, rows) in older.into_iter().filter(|(id, _)| among.named.as_ref().is_none_or(|named| named.contains(id))) {
            let found = selected.rows.entry(id).or_default();
            *found = union_rows(std::mem::take(found), rows);
        }
    }
    Ok(selected)
}

/// Traces with a span that a search would match; fails when there are more than `limit`.
pub(crate) fn traces_matching(
    among: &Among,
    query: &str,
    range: TimeRange,
    limit: usize,
    control: &Control,
) -> Result<BTreeSet<TraceId>, QueryError> {
    let query = Query::parse(Signal::Traces, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let mut scan = Scan::new(&among.snapshot, Signal::Traces, range, &predicate.hints, control)?;
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

fn rows_of(among: &Among, range: TimeRange, predicate: &Predicate, every_version: bool, control: &Control) -> Result<Selected, QueryError> {
    let mut scan = Scan::new(&among.snapshot, among.signal, range, &predicate.hints, control)?;
    scan.units.retain(|unit| among.is_wanted(unit.place));
    if every_version {
        scan.every_version();
    }
    let found = scan.fold(Wanted { columns: &[], keys: &[], predicate }, HashMap::<Place, Vec<u32>>::new, |found, rows| {
        found.entry(rows.place).or_default().extend(rows.alive.set_indices().map(|row| rows.number(row)));
        Ok(())
    })?;
    whole(&scan)?;
    let mut numbers: HashMap<Place, Vec<u32>> = HashMap::new();
    for (place, rows) in found.into_iter().flatten() {
        numbers.entry(place).or_default().extend(rows);
    }
    let mut selected = Selected::default();
    for (place, rows) in numbers.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        match place {
            Place::Segment(at) => {
                let segment = among.table().segments.get(at).map(|segment| (segment.meta().id, from_rows(rows)));
                selected.rows.extend(segment);
            }
            Place::Buffer(_) => selected.in_memory = true,
        }
    }
    Ok(selected)
}

/// A part that cannot be read may hold rows that are meant.
fn whole(scan: &Scan<'_>) -> Result<(), QueryError> {
    match scan.stats.notes.first() {
        Some(note) => Err(QueryError::Internal(note.clone())),
        None => Ok(()),
    }
}
