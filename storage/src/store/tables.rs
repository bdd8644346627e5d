//! Both tables as they are now: rows in memory and open segments, published as one snapshot after every change.
//!
//! Owns the current snapshot. Every change happens under one lock and is seen by queries at once and as a whole.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use parking_lot::Mutex;
use ulid::Ulid;

use crate::buffer::{Buffer, Entry};
use crate::segment::Segment;
use crate::snapshot::{Snapshot, TableSnapshot};

use super::Signal;
use super::meters::Meters;

/// The tables and their current snapshot.
#[derive(Debug)]
pub(crate) struct Tables {
    state: Mutex<State>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    meters: Meters,
}

/// What a flush has to write.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) spans: Vec<RecordBatch>,
    pub(crate) logs: Vec<RecordBatch>,
    /// Once they are in segments, every frame of the log up to this one is.
    pub(crate) through: u64,
}

#[derive(Debug, Default)]
struct State {
    buffer: Buffer,
    spans: Vec<Arc<Segment>>,
    logs: Vec<Arc<Segment>>,
    /// Segments that are no longer listed, whose files go when no query reads them.
    retired: Vec<Arc<Segment>>,
    unreadable: Vec<(Signal, String)>,
    version: u64,
}

// === impl Tables ===

impl Tables {
    /// Begins with what the manifest lists; `unreadable` says which of it could not be opened.
    pub(crate) fn new(segments: Vec<Arc<Segment>>, unreadable: Vec<(Signal, String)>, last_seq: u64, meters: Meters) -> Arc<Self> {
        let (mut spans, mut logs): (Vec<_>, Vec<_>) = segments.into_iter().partition(|s| s.meta().signal == Signal::Traces);
        sort(&mut spans);
        sort(&mut logs);
        let state = State { buffer: Buffer::after(last_seq), spans, logs, unreadable, ..State::default() };
        let tables = Self { state: Mutex::new(state), snapshot: Arc::default(), meters };
        tables.change(|_| ());
        Arc::new(tables)
    }

    /// Where queries take their snapshot from.
    pub(crate) fn published(&self) -> Arc<ArcSwap<Snapshot>> {
        self.snapshot.clone()
    }

    /// Adds the rows of consecutive frames and makes them visible together. Returns the bytes that wait for a flush.
    pub(crate) fn insert(&self, rows: impl IntoIterator<Item = (u64, Signal, Entry)>) -> usize {
        self.change(|state| {
            for (seq, signal, entry) in rows {
                self.meters.stored(signal, entry.batch.num_rows());
                state.buffer.insert(seq, signal, entry);
            }
            state.buffer.active_bytes()
        })
    }

    /// Takes what is in memory for a flush; the same again when the flush before did not succeed.
    pub(crate) fn freeze(&self) -> Frozen {
        let mut state = self.state.lock();
        let through = state.buffer.freeze();
        Frozen { spans: state.buffer.frozen(Signal::Traces), logs: state.buffer.frozen(Signal::Logs), through }
    }

    /// Replaces the frozen rows by the segments that hold them.
    pub(crate) fn flushed(&self, segments: Vec<Arc<Segment>>) {
        segments.iter().for_each(|segment| self.meters.written(segment.meta()));
        self.change(|state| {
            state.buffer.drop_frozen();
            state.add(segments);
        });
    }

    /// Replaces segments by others. Files of the replaced ones become removable when no query reads them.
    pub(crate) fn replaced(&self, remove: &HashSet<Ulid>, add: Vec<Arc<Segment>>) {
        add.iter().for_each(|segment| self.meters.written(segment.meta()));
        self.change(|state| {
            for list in [&mut state.spans, &mut state.logs] {
                let (gone, kept) = list.drain(..).partition(|segment| remove.contains(&segment.meta().id));
                let gone: Vec<Arc<Segment>> = gone;
                *list = kept;
                state.retired.extend(gone);
            }
            state.add(add);
        });
    }

    /// Replaces a segment by itself with another index bundle. Its files stay.
    pub(crate) fn reindexed(&self, segment: &Arc<Segment>) {
        self.change(|state| {
            for known in state.spans.iter_mut().chain(&mut state.logs).filter(|known| known.meta().id == segment.meta().id) {
                *known = segment.clone();
            }
        });
    }

    /// Takes the segments whose files nobody reads any more.
    pub(crate) fn removable(&self) -> Vec<Arc<Segment>> {
        let mut state = self.state.lock();
        // They are in no current snapshot, so a count of one cannot grow again.
        let (removable, kept) = state.retired.drain(..).partition(|segment| Arc::strong_count(segment) == 1);
        state.retired = kept;
        removable
    }

    /// Bytes that no flush has frozen yet, and since when the oldest of them waits.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = self.state.lock();
        (state.buffer.active_bytes(), state.buffer.oldest())
    }

    /// Rows and bytes in memory.
    pub(crate) fn buffered(&self, signal: Signal) -> (u64, u64) {
        self.state.lock().buffer.size(signal)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        state.version += 1;
        let table = |signal, segments: &Vec<Arc<Segment>>| TableSnapshot {
            buffered: state.buffer.batches(signal),
            segments: segments.clone(),
            unreadable: state.unreadable.iter().filter(|(of, _)| *of == signal).map(|(_, why)| why.clone()).collect(),
        };
        let snapshot =
            Snapshot { spans: table(Signal::Traces, &state.spans), logs: table(Signal::Logs, &state.logs), version: state.version };
        self.meters.tables(&snapshot, &state.buffer);
        // Published under the lock, so that a later change is never overtaken by an earlier one.
        self.snapshot.store(Arc::new(snapshot));
        result
    }
}

// === impl State ===

impl State {
    fn add(&mut self, segments: Vec<Arc<Segment>>) {
        for segment in segments {
            match segment.meta().signal {
                Signal::Traces => self.spans.push(segment),
                Signal::Logs => self.logs.push(segment),
            }
        }
        sort(&mut self.spans);
        sort(&mut self.logs);
    }
}

/// Newest rows first.
fn sort(segments: &mut [Arc<Segment>]) {
    segments.sort_by_key(|segment| std::cmp::Reverse((segment.meta().max_time, segment.meta().id)));
}
