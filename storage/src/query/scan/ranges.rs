//! Sets of row numbers as sorted, disjoint ranges.

use std::ops::Range;

use crate::segment::RowRanges;

/// How many rows there are.
pub(super) fn count(rows: &RowRanges) -> usize {
    rows.iter().map(ExactSizeIterator::len).sum()
}

/// The ranges of single rows, in any order.
pub(in super::super) fn from_rows(mut rows: Vec<u32>) -> RowRanges {
    rows.sort_unstable();
    rows.dedup();
    let mut ranges = RowRanges::new();
    for row in rows {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}

/// The ranges of single rows in order, and of those of `all` that lie between two of them no further than so many rows apart.
pub(super) fn joined(rows: Vec<u32>, gap: u32, all: &[Range<u32>]) -> RowRanges {
    closed(&from_rows(rows), gap, all)
}

/// These ranges, and those of `all` that lie between two of them no further than so many rows apart.
pub(super) fn closed(ranges: &RowRanges, gap: u32, all: &[Range<u32>]) -> RowRanges {
    let mut closed = RowRanges::with_capacity(ranges.len());
    for range in ranges {
        match closed.last_mut() {
            Some(last) if range.start - last.end <= gap => last.end = range.end,
            _ => closed.push(range.clone()),
        }
    }
    intersect(&closed, all)
}

/// The first so many rows, and the rest.
pub(super) fn split(rows: &RowRanges, first: usize) -> (RowRanges, RowRanges) {
    let (mut head, mut rest, mut left) = (RowRanges::new(), RowRanges::new(), u32::try_from(first).unwrap_or(u32::MAX));
    for range in rows {
        let middle = range.start.saturating_add(left).min(range.end);
        left -= middle - range.start;
        head.extend((range.start < middle).then_some(range.start..middle));
        rest.extend((middle < range.end).then_some(middle..range.end));
    }
    (head, rest)
}

/// Rows in both.
pub(in super::super) fn intersect(a: &[Range<u32>], b: &[Range<u32>]) -> RowRanges {
    let mut both = RowRanges::new();
    // Often one of them is a small part of the other.
    let (a, b) = (from_start_of(a, b), from_start_of(b, a));
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
        let start = x.start.max(y.start);
        let end = x.end.min(y.end);
        if start < end {
            both.push(start..end);
        }
        if x.end <= y.end {
            left.next();
        } else {
            right.next();
        }
    }
    both
}

/// Ranges without those that end before the first of others begins.
fn from_start_of<'a>(ranges: &'a [Range<u32>], others: &[Range<u32>]) -> &'a [Range<u32>] {
    let start = others.first().map_or(0, |first| first.start);
    ranges.get(ranges.partition_point(|range| range.end <= start)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::union_rows as union;

    #[test]
    fn ranges_are_the_sets_they_stand_for() {
        assert_eq!(from_rows(vec![5, 1, 2, 2, 9]), vec![1..3, 5..6, 9..10]);
        assert_eq!(intersect(&[0..5, 8..12], &[3..9, 11..20]), vec![3..5, 8..9, 11..12]);
        assert_eq!(joined(vec![2, 5, 9, 20], 3, &[0..4, 5..40]), vec![2..4, 5..10, 20..21]);
        assert_eq!(closed(&vec![1..3, 6..9, 20..21], 3, &[0..5, 7..40]), vec![1..5, 7..9, 20..21]);
        assert_eq!(split(&vec![0..3, 8..12], 5), (vec![0..3, 8..10], from_rows(vec![10, 11])));
        assert_eq!(split(&vec![0..3, 8..12], 7), (vec![0..3, 8..12], RowRanges::new()));
        assert_eq!(union(vec![4..6, 0..2], vec![2..3, 5..9, 20..20]), vec![0..3, 4..9]);
    }
}
