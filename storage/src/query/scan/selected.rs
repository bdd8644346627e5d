//! Which rows of a segment matter, and which columns are read of them.

use super::super::predicate::{Hints, Needs};
use super::ranges::intersect;
use crate::attributes::{ATTRIBUTES, TEXTS};
use crate::segment::{self, RowRanges, Segment, SegmentError, union_rows};
use crate::store::Signal;

/// Looking up more traces than this in the index of a segment costs more than it saves.
const MAX_TRACE_HINTS: usize = 1024;
const FEW_ROWS: usize = 64;

/// Reads rows of a segment: attributes in their maps when all of them are wanted, otherwise what holds those that are.
pub(super) fn read(segment: &Segment, needs: &Needs<'_>, rows: &RowRanges) -> Result<segment::Rows, SegmentError> {
    let texts = needs.columns.contains(TEXTS);
    let columns: Vec<&str> = needs.columns.iter().copied().filter(|name| *name != TEXTS).collect();
    let are_wanted = texts || !needs.keys.is_empty();
    if !are_wanted || ATTRIBUTES.iter().any(|map| needs.columns.contains(map)) {
        return segment.read(&[&columns[..], if are_wanted { &ATTRIBUTES } else { &[] }].concat(), Some(rows));
    }
    segment.read_keys(&columns, (needs.keys.iter().copied(), texts), Some(rows))
}

/// Rows of a segment that the indexes leave; `None` for all. An index that cannot be read leaves all.
pub(super) fn select(segment: &Segment, hints: &Hints) -> Option<RowRanges> {
    let by_trace = hints.traces.as_ref().filter(|ids| ids.len() <= MAX_TRACE_HINTS).and_then(|ids| {
        let mut rows = RowRanges::new();
        for id in ids {
            rows = union_rows(rows, segment.trace_rows(*id).ok()?);
        }
        Some(rows)
    });
    let mut selection = by_trace;
    if segment.meta().signal == Signal::Logs {
        selection = both(selection, segment.text_rows(&hints.terms).ok().flatten());
        selection = hints.prefixes.iter().fold(selection, |rows, prefix| both(rows, segment.prefix_rows(prefix)));
    }
    // A few rows are compared faster than an index is asked.
    if selection.as_ref().is_some_and(|rows| rows.iter().map(ExactSizeIterator::len).sum::<usize>() <= FEW_ROWS) {
        return selection;
    }
    both(selection, hints.attributes.rows(segment))
}

fn both(a: Option<RowRanges>, b: Option<RowRanges>) -> Option<RowRanges> {
    match (a, b) {
        (Some(a), Some(b)) => Some(intersect(&a, &b)),
        (a, b) => a.or(b),
    }
}
