//! Spans by start and duration: what a heat map and a histogram of latencies are drawn from.

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::answer::QueryStats;
use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Scan, Wanted};
use crate::model::{StatusCode, TimeRange, UnixNanos};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Counts of spans in equal parts of a window, by duration.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Width of a part of the window in nanoseconds.
    pub step: u64,
    /// How many parts there are.
    pub columns: usize,
    /// Where spans are, by part of the window and then by row.
    pub cells: Vec<GridCell>,
    /// What it took.
    pub stats: QueryStats,
}

/// Spans that started in the same part of the window and took about as long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridCell {
    /// Part of the window.
    pub column: usize,
    /// Index into [`Grid::bounds`].
    pub row: usize,
    /// Spans.
    pub count: u64,
    /// Those with status ERROR.
    pub errors: u64,
}

impl Grid {
    /// The shortest and the first too long duration of a row in nanoseconds: ten rows per power of ten, from a microsecond on. The first
    /// row has everything shorter, the last everything longer.
    #[must_use]
    pub fn bounds(row: usize) -> (u64, u64) {
        (bound(row), bound(row + 1))
    }

    /// The row of a duration.
    #[must_use]
    pub fn row_of(duration: u64) -> usize {
        let mut low = 0;
        let mut high = ROWS;
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if bound(middle) <= duration { low = middle } else { high = middle }
        }
        low
    }
}

/// How a window is divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    from: UnixNanos,
    step: u64,
    columns: usize,
}

/// Spans and failed spans of each cell, column by column.
pub(super) type Cells = Vec<(u64, u64)>;

/// Counts what a search would find.
pub(crate) fn grid(snapshot: &Snapshot, query: &str, range: TimeRange, columns: usize, control: &Control) -> Result<Grid, QueryError> {
    let parts = Parts::new(range, columns)?;
    let (query, note) = Query::rows(Signal::Traces, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let mut scan = Scan::new(snapshot, Signal::Traces, range, &predicate.hints, control)?;
    note.into_iter().for_each(|note| scan.note(note));
    let wanted = Wanted { columns: &Parts::COLUMNS, keys: &[], predicate: &predicate };
    let counted = scan.fold(wanted, || parts.cells(), |cells, rows| parts.count(rows.batch, &rows.alive, cells))?;
    Ok(parts.grid(&counted, std::mem::take(&mut scan.stats)))
}

// === impl Parts ===

impl Parts {
    /// What is read of spans.
    pub(super) const COLUMNS: [&str; 3] = [column::START_TIME, column::DURATION, column::STATUS_CODE];

    pub(super) fn new(range: TimeRange, columns: usize) -> Result<Self, QueryError> {
        let width = range.to.since(range.from);
        if columns == 0 || columns > MAX_COLUMNS || width == 0 {
            return Err(QueryError::Invalid(format!("a window that is not empty has 1 to {MAX_COLUMNS} parts, not {columns}")));
        }
        Ok(Self { from: range.from, step: width.div_ceil(columns as u64), columns })
    }

    pub(super) fn cells(&self) -> Cells {
        vec![(0, 0); self.columns * ROWS]
    }

    /// Counts the alive rows.
    pub(super) fn count(&self, batch: &RecordBatch, alive: &BooleanBuffer, cells: &mut [(u64, u64)]) -> Result<(), QueryError> {
        let starts = columns::long(batch, column::START_TIME)?;
        let durations = columns::long(batch, column::DURATION)?;
        let statuses = columns::int(batch, column::STATUS_CODE)?;
        for row in alive.set_indices() {
            let part = UnixNanos::new(columns::nanos(starts, row)).since(self.from) / self.step;
            let place = usize::try_from(part).unwrap_or(self.columns).saturating_mul(ROWS) + Grid::row_of(columns::nanos(durations, row));
            if let Some((count, errors)) = cells.get_mut(place) {
                *count += 1;
                *errors += u64::from(statuses.value(row) == StatusCode::Error.number());
            }
        }
        Ok(())
    }

    /// What several have counted.
    pub(super) fn grid(&self, counted: &[Cells], stats: QueryStats) -> Grid {
        let sum = |place: usize| {
            let all = counted.iter().filter_map(|cells| cells.get(place));
            all.fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1))
        };
        let cells = (0..self.columns * ROWS).filter_map(|place| {
            let (count, errors) = sum(place);
            (count > 0).then_some(GridCell { column: place / ROWS, row: place % ROWS, count, errors })
        });
        Grid { step: self.step, columns: self.columns, cells: cells.collect(), stats }
    }
}

/// Where a row begins: 1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3 and 8 times a power of ten.
fn bound(row: usize) -> u64 {
    const STEPS: [u64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
    let Some(place) = row.checked_sub(1) else { return 0 };
    if row >= ROWS {
        return u64::MAX;
    }
    let step = STEPS.get(place % 10).copied().unwrap_or(100);
    let power = u32::try_from(place / 10).unwrap_or(0);
    // Row 1 begins at a microsecond.
    step.saturating_mul(10_u64.saturating_pow(power + 1))
}

/// Nine powers of ten, from a microsecond to a thousand seconds, and the rest below and above.
const ROWS: usize = 92;

/// Parts of a window.
const MAX_COLUMNS: usize = 200;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures;
    use super::*;

    #[test]
    fn rows_touch_and_every_duration_lies_in_its_row() {
        assert_eq!((Grid::bounds(0), Grid::bounds(1), Grid::bounds(11)), ((0, 1_000), (1_000, 1_250), (10_000, 12_500)));
        for duration in [0, 1, 999, 1_000, 1_250, 2_000_000, 999_999_999_999, u64::MAX - 1] {
            let (from, to) = Grid::bounds(Grid::row_of(duration));
            assert!(from <= duration && duration < to, "{duration} is not in {from}..{to}");
        }
        assert!((1..ROWS).all(|row| Grid::bounds(row).0 == Grid::bounds(row - 1).1 && Grid::bounds(row).0 < Grid::bounds(row).1));
    }

    #[test]
    fn spans_are_counted_by_start_and_duration_where_the_query_matches() {
        let mut snapshot = Snapshot::default();
        let span = |id, service: &str, start, length| fixtures::span(1, id, 0, service, "x", start, length);
        // One of them came twice.
        snapshot.spans.buffered = vec![
            fixtures::spans(&[span(1, "a", 0, 5), span(2, "a", 3, 5), span(3, "a", 60, 2_000), span(4, "b", 0, 5)]),
            fixtures::spans(&[span(2, "a", 3, 5)]),
        ];
        let control = Control::new(Duration::from_secs(60));
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(100) };
        let grid = grid(&snapshot, "service:a", range, 2, &control).unwrap();
        let cells: Vec<_> = grid.cells.iter().map(|cell| (cell.column, Grid::bounds(cell.row).0, cell.count)).collect();
        assert_eq!((grid.step, cells), (50, vec![(0, 0, 2), (1, 2_000, 1)]));
    }
}
