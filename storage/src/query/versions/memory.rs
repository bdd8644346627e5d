//! The spans of all batches in memory by what tells them apart, so that a new batch is compared with all others at once.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::super::question::QueryError;
use super::super::scan::from_rows;
use super::keys::{Plain, SpanKeys};
use super::order::Order;
use super::place::InMemory;
use crate::segment::RowRanges;

type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<Plain>>;

/// Each span of each batch once: its last row there.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Batches up to this number were taken in.
    through: u64,
    /// By hash, the last one that was taken in.
    heads: ByNumber<u32>,
    spans: Vec<Span>,
    batches: ByNumber<Indexed>,
}

#[derive(Debug)]
struct Indexed {
    known: Arc<InMemory>,
    spans: usize,
    /// Rows that come again further down.
    repeated: Vec<u32>,
    /// Places in `spans` of those that another batch has too.
    shared: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    hash: u64,
    batch: u64,
    row: u32,
    /// The one of the same hash that was taken in before.
    before: Option<u32>,
    is_shared: bool,
}

impl Memory {
    pub(super) fn through(&self) -> u64 {
        self.through
    }

    /// What it takes, about.
    pub(super) fn bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.heads.capacity() * (size_of::<(u64, u32)>() + 1)
    }

    /// Takes in batches, and with them everything up to a number.
    pub(super) fn take_in(&mut self, batches: &[Arc<InMemory>], through: u64) -> Result<(), QueryError> {
        let gone = |indexed: &&Indexed| indexed.known.is_gone();
        if self.batches.values().filter(gone).map(|indexed| indexed.spans).sum::<usize>() > self.spans.len() / 2 {
            self.sweep();
        }
        for known in batches {
            let Some(batch) = known.keys() else { continue };
            let keys = SpanKeys::of(&batch)?;
            self.begin(known.clone(), Vec::new());
            for (row, number) in (0..batch.num_rows()).zip(0..) {
                self.add(known.number(), keys.hash(row), number);
            }
        }
        self.through = self.through.max(through);
        Ok(())
    }

    /// Rows of the batch at a position of which it, or one behind it, has a later version.
    pub(super) fn older(&self, order: &Order, at: usize) -> Arc<RowRanges> {
        let indexed = order.batch(at).and_then(|batch| self.batches.get(&batch.number()));
        let Some(indexed) = indexed.filter(|indexed| !(indexed.repeated.is_empty() && indexed.shared.is_empty())) else {
            return Arc::default();
        };
        let shared = indexed.shared.iter().filter_map(|at| self.spans.get(*at as usize));
        let older = shared.filter(|span| self.alike(span.hash).any(|other| order.has_behind(at, other.batch))).map(|span| span.row);
        Arc::new(from_rows(indexed.repeated.iter().copied().chain(older).collect()))
    }

    /// Forgets batches that are gone.
    pub(super) fn sweep(&mut self) {
        let before = std::mem::take(self);
        self.through = before.through;
        for (_, indexed) in before.batches {
            if !indexed.known.is_gone() {
                self.begin(indexed.known, indexed.repeated);
            }
        }
        for span in before.spans {
            if self.batches.contains_key(&span.batch) {
                self.add(span.batch, span.hash, span.row);
            }
        }
    }

    fn begin(&mut self, known: Arc<InMemory>, repeated: Vec<u32>) {
        self.batches.insert(known.number(), Indexed { known, spans: 0, repeated, shared: Vec::new() });
    }

    fn add(&mut self, batch: u64, hash: u64, row: u32) {
        let Ok(at) = u32::try_from(self.spans.len()) else { return };
        let mut span = Span { hash, batch, row, before: None, is_shared: false };
        let mut before = self.heads.get(&hash).copied();
        // Joined batches hold what small ones held that are gone.
        while let Some(known) = before.and_then(|at| self.spans.get(at as usize))
            && self.batches.get(&known.batch).is_none_or(|indexed| indexed.known.is_gone())
        {
            before = known.before;
        }
        if let Some((before, known)) = before.and_then(|at| Some((at, self.spans.get_mut(at as usize)?))) {
            if known.batch == batch {
                let older = std::mem::replace(&mut known.row, row);
                self.batches.entry(batch).and_modify(|indexed| indexed.repeated.push(older));
                return;
            }
            // Of those before it all are shared already.
            if !std::mem::replace(&mut known.is_shared, true) {
                self.batches.entry(known.batch).and_modify(|indexed| indexed.shared.push(before));
            }
            (span.before, span.is_shared) = (Some(before), true);
        }
        self.heads.insert(hash, at);
        self.spans.push(span);
        self.batches.entry(batch).and_modify(|indexed| {
            indexed.spans += 1;
            indexed.shared.extend(span.is_shared.then_some(at));
        });
    }

    /// All of a hash, what was taken in last first.
    fn alike(&self, hash: u64) -> impl Iterator<Item = &Span> {
        let find = |at: u32| self.spans.get(at as usize);
        std::iter::successors(self.heads.get(&hash).and_then(move |at| find(*at)), move |span| find(span.before?))
    }
}
