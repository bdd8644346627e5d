//! Which rows are older versions of a span: the same span came again later, and only what came last counts.
//!
//! Places have one order, that of arrival: segments by their id, then batches in memory as they came, and within a batch its rows. A row whose
//! span is in a later place too, or further down in its batch, is an older version. Scans leave such rows out, so that every question is about
//! the same rows, whatever it matches and whoever reads first.
//!
//! Rows do not change, so what two places share is found once for each two of them: segments are compared by the sorted keys of their traces,
//! a batch with a segment by its trace filter, and rows are read of traces alone that both hold. Owns what was found, within bounds. Places that
//! no time is common to are not compared.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use parking_lot::Mutex;
use ulid::Ulid;

use super::kept::Kept;
use super::question::QueryError;
use super::scan::{Control, Place};
use crate::segment::{RowRanges, Segment, union_rows};
use crate::snapshot::TableSnapshot;

mod batch;
mod keys;
mod shared;

use self::batch::Batch;
use self::shared::Run;

/// What was found of places that were compared.
#[derive(Debug)]
pub(crate) struct Versions {
    state: Mutex<State>,
    /// Held while places are compared, so that it is done once.
    comparing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    pairs: Kept<(Id, Id), Arc<RowRanges>>,
    runs: Kept<Ulid, Option<Arc<Vec<Run>>>>,
    batches: HashMap<usize, Known>,
    next_batch: u64,
}

/// A place for as long as its rows are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Id {
    /// A segment, and how many of its rows are read: hidden ones are no version of anything.
    Segment(Ulid, u64),
    Batch(u64),
}

/// A batch in memory by the address of its first column, which nothing else has while it is watched.
#[derive(Debug)]
struct Known {
    column: Weak<dyn Array>,
    batch: Arc<Batch>,
}

/// One of two places that are compared.
#[derive(Clone, Copy, Debug)]
enum Side<'a> {
    Segment(&'a Arc<Segment>),
    Batch(&'a Arc<Batch>, &'a RecordBatch),
}

/// Rows of a place that are older versions, and why some of them may not be known.
pub(crate) type Older = (Arc<RowRanges>, Vec<String>);

const MAX_PAIR_BYTES: usize = 32 << 20;
const MAX_RUN_BYTES: usize = 32 << 20;
/// How often somebody who waits for others to compare looks at the time.
const LOOK_UP: Duration = Duration::from_millis(50);

impl Default for Versions {
    fn default() -> Self {
        let (pairs, runs) = (Kept::new(MAX_PAIR_BYTES), Kept::new(MAX_RUN_BYTES));
        let state = State { pairs, runs, batches: HashMap::new(), next_batch: 0 };
        Self { state: Mutex::new(state), comparing: Mutex::new(()) }
    }
}

impl Versions {
    /// Rows of a segment of a table of spans that are older versions.
    pub(crate) fn older_in(&self, table: &TableSnapshot, segment: Ulid, control: &Control) -> Result<Older, QueryError> {
        let at = table.segments.iter().position(|known| known.meta().id == segment);
        at.map_or_else(|| Ok(Older::default()), |at| self.older(table, Place::Segment(at), control))
    }

    /// Rows of a place of a table of spans that are older versions.
    pub(crate) fn older(&self, table: &TableSnapshot, place: Place, control: &Control) -> Result<Older, QueryError> {
        let batches = table.buffered.iter().map(|batch| self.known(batch)).collect::<Result<Vec<_>, _>>()?;
        let in_memory = |from: usize| batches.iter().zip(&table.buffered).skip(from).map(|(known, batch)| Side::Batch(known, batch));
        let (mut found, mut notes) = (RowRanges::new(), Vec::new());
        let (of, later): (Side<'_>, Vec<Side<'_>>) = match place {
            Place::Buffer(at) => {
                let Some(of) = in_memory(at).next() else { return Ok(Older::default()) };
                if let Side::Batch(known, batch) = of {
                    found = known.repeated(batch)?;
                }
                (of, in_memory(at + 1).collect())
            }
            Place::Segment(at) => {
                let Some(of) = table.segments.get(at) else { return Ok(Older::default()) };
                let later = table.segments.iter().filter(|other| other.meta().id > of.meta().id).map(Side::Segment);
                (Side::Segment(of), later.chain(in_memory(0)).collect())
            }
        };
        for later in later.into_iter().filter(|later| of.meets(later)) {
            match self.pair(of, later, control)? {
                Ok(rows) => found.extend(rows.iter().cloned()),
                Err(note) => notes.push(note),
            }
        }
        Ok((Arc::new(union_rows(found, Vec::new())), notes))
    }

    /// Rows of a place of which a later one has another version. The error inside says what could not be read.
    fn pair(&self, older: Side<'_>, later: Side<'_>, control: &Control) -> Result<Result<Arc<RowRanges>, String>, QueryError> {
        let key = (older.id(), later.id());
        if let Some(known) = self.state.lock().pairs.get(&key) {
            return Ok(Ok(known));
        }
        let _one_at_a_time = loop {
            control.check()?;
            if let Some(turn) = self.comparing.try_lock_for(LOOK_UP) {
                break turn;
            }
        };
        if let Some(known) = self.state.lock().pairs.get(&key) {
            return Ok(Ok(known));
        }
        let found = match (older, later) {
            (Side::Segment(older), Side::Segment(later)) => {
                let runs = [older, later].map(|segment| self.runs(segment));
                shared::of_segments(older, later, &runs, control)?
            }
            (Side::Segment(older), Side::Batch(later, batch)) => shared::of_batch(older, later, batch, control)?,
            (Side::Batch(older, of), Side::Batch(later, batch)) => Ok(older.rows_also_in(of, later, batch)?),
            // Memory is later than all segments.
            (Side::Batch(..), Side::Segment(_)) => Ok(RowRanges::new()),
        };
        Ok(found.map(|rows| {
            let rows = Arc::new(rows);
            self.state.lock().pairs.put(key, rows.clone(), size_of_val(rows.as_slice()));
            rows
        }))
    }

    fn runs(&self, segment: &Segment) -> Option<Arc<Vec<Run>>> {
        let id = segment.meta().id;
        if let Some(known) = self.state.lock().runs.get(&id) {
            return known;
        }
        let runs = segment.trace_runs().map(Arc::new);
        let bytes = runs.as_ref().map_or(0, |runs| size_of_val(runs.as_slice()));
        self.state.lock().runs.put(id, runs.clone(), bytes);
        runs
    }

    fn known(&self, batch: &RecordBatch) -> Result<Arc<Batch>, QueryError> {
        let Some(column) = batch.columns().first() else { return Ok(Arc::default()) };
        let address = Arc::as_ptr(column).cast::<()>() as usize;
        let mut state = self.state.lock();
        if let Some(known) = state.batches.get(&address).filter(|known| known.column.strong_count() > 0) {
            return Ok(known.batch.clone());
        }
        state.batches.retain(|_, known| known.column.strong_count() > 0);
        state.next_batch += 1;
        let known = Arc::new(Batch::new(state.next_batch, batch)?);
        state.batches.insert(address, Known { column: Arc::downgrade(column), batch: known.clone() });
        Ok(known)
    }
}

impl Side<'_> {
    fn id(&self) -> Id {
        match self {
            Self::Segment(segment) => Id::Segment(segment.meta().id, segment.visible_rows()),
            Self::Batch(batch, _) => Id::Batch(batch.number()),
        }
    }

    /// The earliest and the latest start.
    fn times(&self) -> (u64, u64) {
        match self {
            Self::Segment(segment) => (segment.meta().min_time.get(), segment.meta().max_time.get()),
            Self::Batch(batch, _) => batch.times(),
        }
    }

    /// Whether both may hold spans that start at the same time.
    fn meets(&self, other: &Self) -> bool {
        let (a, b) = (self.times(), other.times());
        a.0 <= b.1 && b.0 <= a.1
    }
}

#[cfg(test)]
mod tests;
