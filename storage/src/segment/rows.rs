//! Sets of row numbers as sorted, disjoint ranges.

use std::ops::Range;

use super::RowRanges;

/// Sorts ranges and joins those that touch or overlap.
pub(crate) fn merged(mut ranges: Vec<Range<u32>>) -> RowRanges {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_unstable_by_key(|range| range.start);
    let mut out: RowRanges = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// Adds `row`, greater than all before, to `ranges`.
pub(crate) fn push(ranges: &mut RowRanges, row: u32) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => ranges.push(row..row + 1),
    }
}
