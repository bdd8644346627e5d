//! The places of one snapshot of a table, as they are known.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;

use super::keys::Plain;
use super::place::{InMemory, InSegment};
use crate::snapshot::TableSnapshot;

/// In the positions that they have in the snapshot.
#[derive(Debug)]
pub(super) struct Order {
    /// Tells it from all others.
    stamp: u64,
    /// No place in it has a higher number.
    latest: u64,
    segments: Arc<[Arc<InSegment>]>,
    batches: Vec<Arc<InMemory>>,
    /// Batches by number with their position, and segments.
    ranks: OnceLock<HashMap<u64, usize, BuildHasherDefault<Plain>>>,
}

impl Order {
    pub(super) fn new(stamp: u64, latest: u64, segments: Arc<[Arc<InSegment>]>, batches: Vec<Arc<InMemory>>) -> Self {
        Self { stamp, latest, segments, batches, ranks: OnceLock::new() }
    }

    pub(super) fn stamp(&self) -> u64 {
        self.stamp
    }

    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether a table has these places and no others.
    pub(super) fn is_of(&self, table: &TableSnapshot) -> bool {
        let is_same = |(known, batch): (&Arc<InMemory>, &RecordBatch)| known.is(batch);
        self.batches.len() == table.buffered.len()
            && self.batches.iter().zip(&table.buffered).all(is_same)
            && self.segments_of(table).is_some()
    }

    /// Its segments, when a table has the same.
    pub(super) fn segments_of(&self, table: &TableSnapshot) -> Option<Arc<[Arc<InSegment>]>> {
        let is_same = self.segments.len() == table.segments.len() && self.segments.iter().zip(&table.segments).all(|(a, b)| a.is(b));
        is_same.then(|| self.segments.clone())
    }

    pub(super) fn segment(&self, at: usize) -> Option<&InSegment> {
        self.segments.get(at).map(|segment| &**segment)
    }

    pub(super) fn batch(&self, at: usize) -> Option<&InMemory> {
        self.batches.get(at).map(|batch| &**batch)
    }

    /// The batch at a position, when it is this one.
    pub(super) fn batch_at(&self, at: usize, batch: &RecordBatch) -> Option<Arc<InMemory>> {
        self.batches.get(at).filter(|known| known.is(batch)).cloned()
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.ranks().contains_key(&number)
    }

    /// Whether a batch is in it behind the one at a position.
    pub(super) fn has_behind(&self, at: usize, batch: u64) -> bool {
        self.ranks().get(&batch).is_some_and(|rank| *rank > at)
    }

    fn ranks(&self) -> &HashMap<u64, usize, BuildHasherDefault<Plain>> {
        self.ranks.get_or_init(|| {
            let segments = self.segments.iter().map(|segment| (segment.number(), 0));
            segments.chain(self.batches.iter().enumerate().map(|(rank, batch)| (batch.number(), rank))).collect()
        })
    }
}
