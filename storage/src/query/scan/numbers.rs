//! Row numbers of what is read.

use crate::segment::RowRanges;

/// Row numbers behind positions in what is read.
#[derive(Debug)]
pub(in super::super) struct Numbers<'a> {
    ranges: &'a RowRanges,
    /// Position of the first row of each range.
    starts: Vec<usize>,
}

impl<'a> Numbers<'a> {
    pub(in super::super) fn new(ranges: &'a RowRanges) -> Self {
        let mut next = 0;
        let starts = ranges
            .iter()
            .map(|range| {
                let start = next;
                next += range.len();
                start
            })
            .collect();
        Self { ranges, starts }
    }

    pub(in super::super) fn of(&self, position: usize) -> u32 {
        let i = self.starts.partition_point(|start| *start <= position).saturating_sub(1);
        let base = self.ranges.get(i).map_or(0, |range| range.start);
        let offset = position - self.starts.get(i).copied().unwrap_or_default();
        base.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
    }
}
