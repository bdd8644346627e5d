//! The chart above the list of traces: a heat map, or each span as a point where they are few.

use storage::{Grid, QueryError, SpanPoint, Store, TimeRange};

use super::{Asked, Counting, Traces, Visit, sentence};
use crate::view::chart::Parts;
use crate::view::heat::{COLUMNS, Counts, Heat};
use crate::view::link::Address;

/// What a chart counted, one by one; `None` where it is too many, or nothing. Looks only where the chart says that there is something.
pub(super) async fn points(
    store: &Store,
    grid: Option<&Result<Grid, QueryError>>,
    charted: &str,
    range: TimeRange,
) -> Option<Vec<SpanPoint>> {
    let cells = &grid?.as_ref().ok()?.cells;
    let all = cells.iter().map(|cell| cell.count).fold(0, u64::saturating_add);
    if all > MOST_POINTS as u64 {
        return None;
    }
    let columns = || cells.iter().map(|cell| cell.column);
    let part = Parts::new(range, COLUMNS).window(columns().min()?, columns().max()?);
    store.points(charted, part, MOST_POINTS).await.ok()?.points
}

/// What chart and values count of a question about whole traces.
pub(super) fn told(page: &mut Traces, counting: &Counting, grid: Option<&Result<Grid, QueryError>>) {
    match (counting, grid) {
        (Counting::Matches, _) => {}
        (Counting::Found(_), _) => page.counts = "Numbers count all spans of the traces that were found.",
        (Counting::More, Some(Ok(grid))) => {
            // Without such a note what is counted is of traces that the query finds, as everywhere.
            let note = grid.stats.notes.iter().find(|note| note.starts_with(OF_MORE));
            page.counted = note.map(|note| format!("Chart and numbers: {note}.")).unwrap_or_default();
        }
        (Counting::More, _) => {}
    }
}

pub(super) fn fill(
    page: &mut Traces,
    visit: &Visit,
    (grid, points): (Option<Result<Grid, QueryError>>, Option<Vec<SpanPoint>>),
    asked: &Asked,
    (address, counting): (&Address, &Counting),
) {
    let (clock, range) = (visit.clock(), asked.range);
    let counts = if matches!(counting, Counting::Found(_)) { Counts::Found } else { asked.counts() };
    match grid {
        None => {}
        Some(Ok(grid)) => {
            let notes = grid.stats.notes.iter().filter(|note| !note.starts_with(OF_MORE)).map(|note| sentence(note));
            let notes: Vec<String> = notes.filter(|note| !page.notes.contains(note)).collect();
            page.notes.extend(notes);
            let heat = Some(Heat::new(&grid, range, asked.selected, counts, (address, &clock))).filter(|heat| !heat.cells.is_empty());
            page.heat = match points {
                Some(points) => heat.map(|heat| heat.scattered(&points, range, counts, (&visit.links(), &clock))),
                None => heat,
            };
        }
        Some(Err(error)) => page.notes.push(sentence(&format!("the chart is missing: {error}"))),
    }
    page.selection = asked.selected.map(|selected| {
        let compare = visit.links().windowed("/traces/compare-groups").with("q", &asked.query);
        let compare = compare.with("sel", &selected.written()).href();
        (selected.words(range, &clock), address.href(), compare)
    });
}

/// How the store begins to say that it counts more than a question about whole traces finds.
const OF_MORE: &str = "counted are";

/// More spans are drawn as a heat map.
const MOST_POINTS: usize = 500;
