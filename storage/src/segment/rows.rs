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

/// Rows in either.
pub(crate) fn union(mut rows: RowRanges, more: RowRanges) -> RowRanges {
    rows.extend(more);
    merged(rows)
}

/// Whether `row` is one of these.
pub(crate) fn holds(ranges: &RowRanges, row: u32) -> bool {
    let after = ranges.partition_point(|range| range.end <= row);
    ranges.get(after).is_some_and(|range| range.start <= row)
}

/// Adds `row`, greater than all before, to `ranges`.
pub(crate) fn push(ranges: &mut RowRanges, row: u32) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => ranges.push(row..row + 1),
    }
}

/// Adds rows, greater than all before, to `ranges`.
pub(crate) fn push_range(ranges: &mut RowRanges, rows: Range<u32>) {
    match ranges.last_mut() {
        Some(last) if last.end == rows.start => last.end = rows.end,
        _ => ranges.push(rows),
    }
}

/// The rows of `rows` that are not in `gone`.
pub(crate) fn without(rows: &RowRanges, gone: &RowRanges) -> RowRanges {
    let mut left = RowRanges::with_capacity(rows.len());
    let mut rest = gone.iter().peekable();
    for range in rows {
        let mut start = range.start;
        while let Some(hole) = rest.peek().filter(|hole| hole.start < range.end) {
            if hole.start > start {
                left.push(start..hole.start);
            }
            start = start.max(hole.end);
            if hole.end > range.end {
                break;
            }
            rest.next();
        }
        if start < range.end {
            left.push(start..range.end);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges() -> impl Strategy<Value = RowRanges> {
        let pairs = prop::collection::vec((0u32..60, 0u32..9), 0..8);
        pairs.prop_map(|pairs| merged(pairs.into_iter().map(|(start, len)| start..start + len).collect()))
    }

    fn numbers(rows: &RowRanges) -> Vec<u32> {
        rows.iter().cloned().flatten().collect()
    }

    proptest! {
        #[test]
        fn what_is_without_is_in_the_first_and_not_in_the_second(rows in ranges(), gone in ranges()) {
            let expected: Vec<u32> = numbers(&rows).into_iter().filter(|row| !gone.iter().any(|range| range.contains(row))).collect();
            prop_assert_eq!(numbers(&without(&rows, &gone)), expected);
        }
    }
}
