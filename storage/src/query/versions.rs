//! Which rows are older versions of a span: the same span came again later, and only what came last counts.
//!
//! Places have one order, that of arrival: segments by their id, then batches in memory as they came, and within a batch its rows. A row whose
//! span is in a later place too, or further down in its batch, is an older version. Scans leave such rows out, so that every question is about
//! the same rows, whatever it matches and whoever reads first.
//!
//! Rows do not change, so places are compared once, when a question first reads the earlier one: segments by the sorted keys of their traces, a
//! batch with a segment by its trace filter, and rows are read of traces alone that both hold. Places that no time is common to are not
//! compared. Each place that is known has a number, and a segment remembers up to which number it was compared and which few others have
//! versions of its rows; so a new snapshot costs what is new in it. What is in memory is found in one table of hashes.
//!
//! Owns what is known of places, within bounds. `place` is one place, `order` those of one snapshot, `memory` the spans of all batches,
//! `shared` compares segments.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use ulid::Ulid;

use super::question::QueryError;
use super::scan::{Control, Place};
use crate::kept::Kept;
use crate::segment::{RowRanges, Segment};
use crate::snapshot::TableSnapshot;

mod keys;
mod memory;
mod order;
mod place;
mod shared;

use self::memory::Memory;
use self::order::Order;
use self::place::{Found, InMemory, InSegment, Known, Listed};
use self::shared::Run;

/// What is known of places of a store, in whatever snapshots they are.
#[derive(Debug)]
pub(crate) struct Versions {
    state: Mutex<State>,
    memory: Mutex<Memory>,
    runs: Mutex<Kept<Ulid, Option<Arc<Vec<Run>>>>>,
    /// Bytes of what segments share with others.
    shares: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct State {
    segments: HashMap<usize, Arc<InSegment>>,
    batches: HashMap<usize, Arc<InMemory>>,
    /// All of these by their numbers.
    places: Vec<Listed>,
    last: Option<Arc<Order>>,
    /// Numbers of places and of orders that were given.
    numbers: u64,
    orders: u64,
    /// With so many places it is looked for those that are gone.
    crowded: usize,
}

/// The places of one table at one moment.
#[derive(Debug)]
pub(crate) struct InOrder<'a> {
    versions: &'a Versions,
    table: &'a TableSnapshot,
    order: OnceLock<Arc<Order>>,
}

/// Rows of a place that are older versions, and why some of them may not be known.
pub(crate) type Older = (Arc<RowRanges>, Vec<String>);

const MAX_SHARED_BYTES: usize = 32 << 20;
const MAX_RUN_BYTES: usize = 32 << 20;
/// Places beside those that are asked for, of which some may be gone.
const SPARE_PLACES: usize = 256;

impl Default for Versions {
    fn default() -> Self {
        let (state, memory, shares) = (Mutex::default(), Mutex::default(), Arc::default());
        Self { state, memory, runs: Mutex::new(Kept::new(MAX_RUN_BYTES)), shares }
    }
}

// === impl Versions ===

impl Versions {
    /// Places of a table of spans. Nothing is done until it is asked.
    pub(crate) fn of<'a>(&'a self, table: &'a TableSnapshot) -> InOrder<'a> {
        InOrder { versions: self, table, order: OnceLock::new() }
    }

    /// Keeps nothing that can be found again.
    pub(crate) fn clear(&self) {
        self.runs.lock().clear();
        self.let_go(0);
        self.memory.lock().sweep();
    }

    /// Bytes that are kept, and that may be. What is known of memory is so much of each row in it.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let (runs, most) = self.runs.lock().memory();
        let in_memory = self.memory.try_lock().map_or(0, |memory| memory.bytes());
        (runs + self.shares.load(Ordering::Relaxed) + in_memory, most + MAX_SHARED_BYTES + in_memory)
    }

    fn order(&self, table: &TableSnapshot) -> Result<Arc<Order>, QueryError> {
        let mut state = self.state.lock();
        let last = state.last.take();
        let order = match &last {
            Some(last) if last.is_of(table) => last.clone(),
            _ => Arc::new(state.arrange(last.as_deref(), table, &self.shares)?),
        };
        state.last = Some(order.clone());
        Ok(order)
    }

    /// The older versions of the spans in some rows of the segments of a table, by segment. The error inside says what could not be read.
    pub(crate) fn older_than(
        &self,
        table: &TableSnapshot,
        rows: &BTreeMap<Ulid, RowRanges>,
        control: &Control,
    ) -> Result<Result<BTreeMap<Ulid, RowRanges>, String>, QueryError> {
        let (arrivals, mut places) = (self.of(table), Vec::new());
        for (at, segment) in table.segments.iter().enumerate() {
            let (older, notes) = arrivals.older(Place::Segment(at), control)?;
            if let Some(note) = notes.into_iter().next() {
                return Ok(Err(note));
            }
            if !older.is_empty() {
                places.push((segment, older));
            }
        }
        let mine: Vec<_> = table.segments.iter().filter_map(|segment| Some((segment, rows.get(&segment.meta().id)?))).collect();
        shared::of_spans(&places, &mine, control)
    }

    fn of_segment(&self, order: &Order, known: &InSegment, segment: &Segment, control: &Control) -> Result<Older, QueryError> {
        let mut found = known.found(control)?;
        if found.needs(order) {
            let compared = self.compare(known, segment, &mut found, control);
            found.account();
            compared?;
        }
        let older = found.of(order);
        drop(found);
        if self.shares.load(Ordering::Relaxed) > MAX_SHARED_BYTES {
            self.let_go(MAX_SHARED_BYTES / 4 * 3);
        }
        Ok(older)
    }

    /// Compares a segment with all later places that it was not compared with yet.
    fn compare(&self, known: &InSegment, segment: &Segment, found: &mut Found, control: &Control) -> Result<(), QueryError> {
        let (later, through) = self.state.lock().to_compare(known, found);
        found.begin(&later);
        for other in later {
            control.check()?;
            // What is gone is in no snapshot that can be asked for.
            let rows = match &other.known {
                Known::Segment(later) => later.segment().map_or_else(
                    || Ok(Ok(RowRanges::new())),
                    |later| {
                        let runs = [segment, &*later].map(|segment| self.runs(segment));
                        shared::of_segments(segment, &later, &runs, control)
                    },
                ),
                Known::Batch(later) => shared::of_batch(segment, later, control),
            };
            found.note(other, rows?);
        }
        found.end(through);
        Ok(())
    }

    fn of_batch(&self, order: &Order, at: usize) -> Result<Older, QueryError> {
        let mut memory = self.memory.lock();
        if memory.through() < order.latest() {
            let (new, through) = self.state.lock().batches_after(memory.through());
            memory.take_in(&new, through)?;
        }
        Ok((memory.older(order, at), Vec::new()))
    }

    fn runs(&self, segment: &Segment) -> Option<Arc<Vec<Run>>> {
        let id = segment.meta().id;
        if let Some(known) = self.runs.lock().get(&id) {
            return known;
        }
        let runs = segment.trace_runs().map(Arc::new);
        let bytes = runs.as_ref().map_or(0, |runs| size_of_val(runs.as_slice()));
        self.runs.lock().put(id, runs.clone(), bytes);
        runs
    }

    /// Forgets what segments share, of those that were asked for longest ago, until it takes at most so many bytes.
    fn let_go(&self, bytes: usize) {
        let mut segments: Vec<Arc<InSegment>> = self.state.lock().segments.values().cloned().collect();
        segments.sort_by_cached_key(|segment| segment.last_used());
        for segment in segments {
            if self.shares.load(Ordering::Relaxed) <= bytes {
                break;
            }
            segment.forget();
        }
    }
}

// === impl State ===

impl State {
    /// Puts the places of a table in order; those of the order before are known again without looking for them.
    fn arrange(&mut self, last: Option<&Order>, table: &TableSnapshot, shares: &Arc<AtomicUsize>) -> Result<Order, QueryError> {
        self.sweep(table.segments.len() + table.buffered.len());
        let same = last.and_then(|last| last.segments_of(table));
        let segments = same.unwrap_or_else(|| table.segments.iter().map(|segment| self.segment(segment, shares)).collect());
        let mut batches = Vec::with_capacity(table.buffered.len());
        for (at, batch) in table.buffered.iter().enumerate() {
            batches.push(match last.and_then(|last| last.batch_at(at, batch)) {
                Some(same) => same,
                None => self.batch(batch)?,
            });
        }
        self.orders += 1;
        Ok(Order::new(self.orders, self.numbers, segments, batches))
    }

    fn segment(&mut self, segment: &Arc<Segment>, shares: &Arc<AtomicUsize>) -> Arc<InSegment> {
        let address = Arc::as_ptr(segment).addr();
        if let Some(known) = self.segments.get(&address).filter(|known| !known.is_gone()) {
            return known.clone();
        }
        self.numbers += 1;
        let known = Arc::new(InSegment::new(self.numbers, segment, shares.clone()));
        self.places.push(known.listed());
        self.segments.insert(address, known.clone());
        known
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Arc<InMemory>, QueryError> {
        let address = place::address_of(batch);
        if let Some(known) = self.batches.get(&address).filter(|known| !known.is_gone()) {
            return Ok(known.clone());
        }
        self.numbers += 1;
        let known = Arc::new(InMemory::new(self.numbers, batch)?);
        self.places.push(known.listed());
        self.batches.insert(address, known.clone());
        Ok(known)
    }

    /// Forgets what is in no snapshot any more.
    fn sweep(&mut self, asked: usize) {
        if self.places.len() < self.crowded {
            return;
        }
        self.segments.retain(|_, known| !known.is_gone());
        self.batches.retain(|_, known| !known.is_gone());
        self.places.retain(|place| !place.is_gone());
        self.crowded = 2 * self.places.len().max(asked) + SPARE_PLACES;
    }

    /// Places that a segment is yet to be compared with, and the number up to which it will be.
    fn to_compare(&self, known: &InSegment, found: &Found) -> (Vec<Listed>, u64) {
        let later = |place: &&Listed| known.is_before(place) && !place.is_gone();
        let from = self.places.partition_point(|place| place.number <= found.through());
        let (before, new) = self.places.split_at_checked(from).unwrap_or_default();
        let again = before.iter().filter(|place| found.is_again(place.number));
        (again.chain(new).filter(later).cloned().collect(), self.numbers)
    }

    fn batches_after(&self, number: u64) -> (Vec<Arc<InMemory>>, u64) {
        let from = self.places.partition_point(|place| place.number <= number);
        let new = self.places.get(from..).unwrap_or_default().iter();
        (new.filter_map(|place| place.batch().cloned()).collect(), self.numbers)
    }
}

// === impl InOrder ===

impl InOrder<'_> {
    /// Rows of a place that are older versions.
    pub(crate) fn older(&self, place: Place, control: &Control) -> Result<Older, QueryError> {
        let order = match self.order.get() {
            Some(order) => order,
            None => {
                let order = self.versions.order(self.table)?;
                self.order.get_or_init(|| order)
            }
        };
        match place {
            Place::Buffer(at) => self.versions.of_batch(order, at),
            Place::Segment(at) => match (order.segment(at), self.table.segments.get(at)) {
                (Some(known), Some(segment)) => self.versions.of_segment(order, known, segment, control),
                _ => Ok(Older::default()),
            },
        }
    }

    /// Rows of a segment that are older versions.
    pub(crate) fn older_in(&self, segment: Ulid, control: &Control) -> Result<Older, QueryError> {
        let at = self.table.segments.iter().position(|known| known.meta().id == segment);
        at.map_or_else(|| Ok(Older::default()), |at| self.older(Place::Segment(at), control))
    }
}

#[cfg(test)]
mod tests;
