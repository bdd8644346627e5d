//! Spans of a batch in memory by what tells them apart.

use std::sync::OnceLock;

use arrow::array::RecordBatch;

use super::super::columns;
use super::super::question::QueryError;
use super::super::scan::from_rows;
use super::keys::SpanKeys;
use crate::schema::column;
use crate::segment::RowRanges;

/// What is known of a batch, which never changes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    number: u64,
    /// The earliest and the latest start; the other way round in an empty batch.
    times: (u64, u64),
    sorted: OnceLock<Vec<(u64, u32)>>,
}

impl Batch {
    pub(super) fn new(number: u64, batch: &RecordBatch) -> Result<Self, QueryError> {
        let starts = columns::long(batch, column::START_TIME)?.values().iter().map(|start| start.cast_unsigned());
        let times = starts.fold((u64::MAX, 0), |(first, last), start| (first.min(start), last.max(start)));
        Ok(Self { number, times, sorted: OnceLock::new() })
    }

    /// Names it; no other batch of the process has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn times(&self) -> (u64, u64) {
        self.times
    }

    /// Rows that come again further down.
    pub(super) fn repeated(&self, batch: &RecordBatch) -> Result<RowRanges, QueryError> {
        let pairs = self.sorted(batch)?.windows(2);
        Ok(from_rows(pairs.filter_map(|pair| if let [a, b] = pair { (a.0 == b.0).then_some(a.1) } else { None }).collect()))
    }

    /// Rows of which `later` has another version.
    pub(super) fn rows_also_in(&self, batch: &RecordBatch, later: &Self, of_later: &RecordBatch) -> Result<RowRanges, QueryError> {
        let (mine, theirs) = (self.sorted(batch)?, later.sorted(of_later)?);
        let (mut found, mut at) = (Vec::new(), 0);
        for (hash, _) in theirs {
            let rest = mine.get(at..).unwrap_or_default();
            at += ahead(rest, *hash);
            let same = mine.get(at..).unwrap_or_default().iter().take_while(|(other, _)| other == hash);
            found.extend(same.map(|(_, row)| *row));
        }
        Ok(from_rows(found))
    }

    /// Whether a span of this hash is in the batch.
    pub(super) fn holds(&self, batch: &RecordBatch, hash: u64) -> Result<bool, QueryError> {
        Ok(self.sorted(batch)?.binary_search_by_key(&hash, |(hash, _)| *hash).is_ok())
    }

    /// Hashes of all spans with their rows, sorted.
    fn sorted(&self, batch: &RecordBatch) -> Result<&[(u64, u32)], QueryError> {
        if let Some(known) = self.sorted.get() {
            return Ok(known);
        }
        let keys = SpanKeys::of(batch)?;
        let mut sorted: Vec<(u64, u32)> = (0..batch.num_rows()).zip(0_u32..).map(|(row, number)| (keys.hash(row), number)).collect();
        sorted.sort_unstable();
        Ok(self.sorted.get_or_init(|| sorted))
    }
}

/// How many of a sorted list are below `hash`, looked for from its beginning in steps that double.
fn ahead(sorted: &[(u64, u32)], hash: u64) -> usize {
    let mut step = 1;
    while sorted.get(step - 1).is_some_and(|(other, _)| *other < hash) {
        step *= 2;
    }
    let (from, to) = (step / 2, step.min(sorted.len()));
    from + sorted.get(from..to).unwrap_or_default().partition_point(|(other, _)| *other < hash)
}
