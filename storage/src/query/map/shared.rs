//! Which traces lie in several units, so that what each unit says of them may not be all there is to say.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use ulid::Ulid;

use super::super::columns;
use super::super::question::QueryError;
use super::super::scan::{Control, Numbers};
use super::rolls::{Known, Unread};
use crate::calls::{CallRoll, REACH};
use crate::schema::column;
use crate::segment::{RowRanges, Segment, union_rows};

/// Traces; `None` for too many.
pub(super) type Shared = Option<Arc<Vec<u128>>>;

/// Key and rows of every trace of a segment, sorted.
type Entries = Vec<(u32, Range<u32>)>;

/// The entries of segments, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Runs(HashMap<Ulid, Option<Arc<Entries>>>);

/// More rows of shared traces than these are not looked at.
const MAX_ROWS: usize = 1_000_000;
/// Units further apart hold nothing that has to do with each other.
pub(super) const GAP: u64 = 2 * REACH;

/// What [`super::CallRolls::shared`] says. The error inside says what could not be read.
pub(super) fn find(
    a: (&Segment, &Known),
    b: (&Segment, &Known),
    runs: &mut Runs,
    control: &Control,
) -> Result<Result<Shared, Unread>, QueryError> {
    let (Some(of_a), Some(of_b)) = (runs.of(a.0), runs.of(b.0)) else { return Ok(Ok(None)) };
    let same = a.0.meta().id == b.0.meta().id;
    let (in_a, in_b) = if same { (within(&of_a, &a.1.roll), Vec::new()) } else { common((&of_a, &a.1.roll), (&of_b, &b.1.roll)) };
    let count = |rows: &RowRanges| rows.iter().map(ExactSizeIterator::len).sum::<usize>();
    if count(&in_a) + count(&in_b) > MAX_ROWS {
        return Ok(Ok(None));
    }
    let places_in_a = match places(a, &in_a, control)? {
        Ok(places) => places,
        Err(note) => return Ok(Err(note)),
    };
    let places_in_b = if same { Ok(places_in_a.clone()) } else { places(b, &in_b, control)? };
    Ok(places_in_b.map(|places_in_b| {
        let is_shared = |trace: &u128| {
            let (Some(x), Some(y)) = (places_in_a.get(trace), places_in_b.get(trace)) else { return false };
            x.iter().any(|x| y.iter().any(|y| !(same && x == y) && near(&a.1.roll, *x, &b.1.roll, *y)))
        };
        let mut found: Vec<u128> = places_in_a.keys().filter(|trace| is_shared(trace)).copied().collect();
        found.sort_unstable();
        Some(Arc::new(found))
    }))
}

/// Hands rows of a segment on, with the position of the first one and the numbers of all. The error inside says what could not be read.
pub(super) fn each(
    segment: &Segment,
    columns: &[&str],
    rows: &RowRanges,
    control: &Control,
    mut take: impl FnMut(&RecordBatch, usize, &Numbers<'_>) -> Result<(), QueryError>,
) -> Result<Result<(), Unread>, QueryError> {
    let unreadable = |error| Ok(Err(format!("a part of the data could not be read: {error}")));
    let numbers = Numbers::new(rows);
    let mut first = 0;
    let batches = match segment.read(columns, Some(rows)) {
        Ok(batches) => batches,
        Err(error) => return unreadable(error),
    };
    for batch in batches {
        control.check()?;
        match batch {
            Ok(batch) => {
                take(&batch, first, &numbers)?;
                first += batch.num_rows();
            }
            Err(error) => return unreadable(error),
        }
    }
    Ok(Ok(()))
}

/// The units in which these rows of traces lie.
fn places(
    (segment, known): (&Segment, &Known),
    rows: &RowRanges,
    control: &Control,
) -> Result<Result<HashMap<u128, HashSet<usize>>, Unread>, QueryError> {
    let mut found: HashMap<u128, HashSet<usize>> = HashMap::new();
    let read = each(segment, &[column::TRACE_ID], rows, control, |batch, first, numbers| {
        let ids = columns::id(batch, column::TRACE_ID)?;
        for row in 0..batch.num_rows() {
            if let (Some(trace), Some(unit)) = (columns::trace_id(ids, row), known.roll.unit_of(numbers.of(first + row))) {
                found.entry(u128::from_be_bytes(*trace.as_bytes())).or_default().insert(unit);
            }
        }
        Ok(())
    })?;
    Ok(read.map(|()| found))
}

/// Rows of keys that are in several units.
fn within(entries: &Entries, roll: &CallRoll) -> RowRanges {
    let mut found = RowRanges::new();
    for group in entries.chunk_by(|a, b| a.0 == b.0) {
        let units = units_of(group, roll);
        if units.iter().any(|a| units.iter().any(|b| a != b && near(roll, *a, roll, *b))) {
            found.extend(group.iter().map(|(_, rows)| rows.clone()));
        }
    }
    union_rows(found, Vec::new())
}

/// Rows of keys that are in both, near each other.
fn common((a, roll_a): (&Entries, &CallRoll), (b, roll_b): (&Entries, &CallRoll)) -> (RowRanges, RowRanges) {
    let (mut in_a, mut in_b) = (RowRanges::new(), RowRanges::new());
    let mut groups = b.chunk_by(|x, y| x.0 == y.0).peekable();
    for group in a.chunk_by(|x, y| x.0 == y.0) {
        let Some((key, _)) = group.first() else { continue };
        while groups.next_if(|other| other.first().is_some_and(|(other, _)| other < key)).is_some() {}
        let Some(same) = groups.next_if(|other| other.first().is_some_and(|(other, _)| other == key)) else { continue };
        let (units_a, units_b) = (units_of(group, roll_a), units_of(same, roll_b));
        if units_a.iter().any(|a| units_b.iter().any(|b| near(roll_a, *a, roll_b, *b))) {
            in_a.extend(group.iter().map(|(_, rows)| rows.clone()));
            in_b.extend(same.iter().map(|(_, rows)| rows.clone()));
        }
    }
    (union_rows(in_a, Vec::new()), union_rows(in_b, Vec::new()))
}

/// Units that hold these rows, each once.
fn units_of(group: &[(u32, Range<u32>)], roll: &CallRoll) -> Vec<usize> {
    let mut units = Vec::new();
    for (_, rows) in group {
        let (Some(first), Some(last)) = (roll.unit_of(rows.start), roll.unit_of(rows.end.saturating_sub(1))) else { continue };
        units.extend(first..=last);
    }
    units.dedup();
    units
}

fn near(roll_a: &CallRoll, a: usize, roll_b: &CallRoll, b: usize) -> bool {
    roll_a
        .units
        .get(a)
        .zip(roll_b.units.get(b))
        .is_some_and(|(a, b)| a.first <= b.last.saturating_add(GAP) && b.first <= a.last.saturating_add(GAP))
}

impl Runs {
    fn of(&mut self, segment: &Segment) -> Option<Arc<Entries>> {
        self.0.entry(segment.meta().id).or_insert_with(|| segment.trace_runs().map(Arc::new)).clone()
    }
}
