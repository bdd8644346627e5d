//! Spans that two segments both hold. Segments do not change, so this is found out once for each two of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use ulid::Ulid;

use super::super::question::QueryError;
use super::super::scan::Control;
use super::super::window::{DEDUPLICATION, SpanKeys};
use super::view::{self, View};
use super::{Amount, Item, Moment, Predicate, Question, Snapshot, TimeRange};
use crate::model::UnixNanos;
use crate::segment::{RowRanges, Segment, union_rows};
use crate::store::Signal;

/// What a roll-up tells of a span, to take it off or to count it.
#[derive(Clone, Debug)]
pub(super) struct Duplicate {
    pub(super) service: Box<str>,
    pub(super) name: Box<str>,
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) entry: bool,
    pub(super) start: u64,
    pub(super) duration: u64,
}

/// Spans that the older of two segments shares with the newer one, by what tells spans apart; `None` for too many.
pub(super) type Shared = Option<Arc<Vec<(u64, Duplicate)>>>;

/// Key and rows of every trace of a segment, sorted.
type Run = (u32, Range<u32>);

/// Keys and rows of the traces of segments, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Runs(HashMap<Ulid, Option<Arc<Vec<Run>>>>);

/// More shared spans than these are not kept.
const MAX_SHARED: usize = 100_000;

/// Reads what two segments share. The error inside says what could not be read.
pub(super) fn shared(older: &Segment, newer: &Segment, runs: &mut Runs, control: &Control) -> Result<Result<Shared, String>, QueryError> {
    let (old_rows, new_rows) = match (runs.of(older), runs.of(newer)) {
        (Some(a), Some(b)) => {
            let (old_rows, new_rows) = common(&a, &b);
            (Some(old_rows), Some(new_rows))
        }
        // Without the index every row may be shared.
        _ => (None, None),
    };
    let mut hashes = HashSet::new();
    let read = each(newer, &DEDUPLICATION, new_rows.as_ref(), control, |batch| {
        let keys = SpanKeys::of(batch)?;
        hashes.extend((0..batch.num_rows()).map(|row| keys.hash(row)));
        Ok(())
    })?;
    if let Err(note) = read {
        return Ok(Err(note));
    }
    let mut found = Vec::new();
    let (snapshot, filter) = (Snapshot::default(), Predicate::all());
    let question = Question {
        snapshot: &snapshot,
        signal: Signal::Traces,
        range: TimeRange::ALL,
        names: true,
        bare: false,
        moment: Moment::Nothing,
        filter: &filter,
    };
    let read = each(older, &view::columns(&question), old_rows.as_ref(), control, |batch| {
        let view = View::of(&question, batch)?;
        let keys = SpanKeys::of(batch)?;
        for row in (0..batch.num_rows()).filter(|row| hashes.contains(&keys.hash(*row))) {
            if found.len() <= MAX_SHARED {
                found.push((keys.hash(row), view.owned(row)));
            }
        }
        Ok(())
    })?;
    Ok(read.map(|()| (found.len() <= MAX_SHARED).then(|| Arc::new(found))))
}

/// Hands rows of a segment on. The error inside says what could not be read.
pub(super) fn each(
    segment: &Segment,
    columns: &[&str],
    rows: Option<&RowRanges>,
    control: &Control,
    mut take: impl FnMut(&RecordBatch) -> Result<(), QueryError>,
) -> Result<Result<(), String>, QueryError> {
    let unreadable = |error| Ok(Err(format!("a part of the data could not be read: {error}")));
    let schema = crate::schema::of(Signal::Traces);
    let mut columns = columns.to_vec();
    columns.sort_by_key(|name| schema.index_of(name).unwrap_or(usize::MAX));
    columns.dedup();
    let batches = match segment.read(&columns, rows) {
        Ok(batches) => batches,
        Err(error) => return unreadable(error),
    };
    for batch in batches {
        control.check()?;
        match batch {
            Ok(batch) => take(&batch)?,
            Err(error) => return unreadable(error),
        }
    }
    Ok(Ok(()))
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

impl Runs {
    fn of(&mut self, segment: &Segment) -> Option<Arc<Vec<Run>>> {
        self.0.entry(segment.meta().id).or_insert_with(|| segment.trace_runs().map(Arc::new)).clone()
    }
}

impl Duplicate {
    /// As an item of a window that begins at `from`.
    pub(super) fn item(&self, from: UnixNanos, amount: Amount<'static>) -> Item<'_> {
        Item {
            signal: Signal::Traces,
            service: &self.service,
            name: &self.name,
            kind: self.kind,
            status: self.status,
            entry: self.entry,
            time: self.start.max(from.get()),
            amount,
        }
    }
}
