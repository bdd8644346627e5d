//! Both tables as they are now: rows in memory and open segments, published as one snapshot after every change.
//!
//! Owns the current snapshot. Every change happens under one lock and is seen by queries at once and as a whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio::sync::watch;
use ulid::Ulid;

use crate::buffer::{Buffer, Entry, Reach};
use crate::metrics::Held;
use crate::query::Versions;
use crate::segment::{Dictionaries, Segment, SegmentMeta};
use crate::snapshot::{Snapshot, TableSnapshot};

use super::Signal;
use super::meters::{LetGo, Meters};

mod unopened;

pub(crate) use self::unopened::{Oldest, Unreadable};

/// The tables and their current snapshot.
#[derive(Debug)]
pub(crate) struct Tables {
    state: Mutex<State>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// Segments of spans and of log records that are yet to be merged and can be.
    unmerged: [watch::Sender<usize>; 2],
    meters: Meters,
}

/// What a flush has to write.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) spans: Vec<RecordBatch>,
    pub(crate) logs: Vec<RecordBatch>,
    /// Where they come from in the log. Once they are in segments, every frame up to the last of these is.
    pub(crate) frames: RangeInclusive<u64>,
    /// Bytes that they take in memory; segments take fewer.
    pub(crate) bytes: usize,
    /// Shows as many for what is made of them, as long as they are being written.
    pub(crate) made: Held,
}

#[derive(Debug, Default)]
struct State {
    buffer: Buffer,
    spans: Vec<Arc<Segment>>,
    logs: Vec<Arc<Segment>>,
    /// Segments that are no longer listed, whose files go when no query reads them.
    retired: Vec<Arc<Segment>>,
    unreadable: Vec<Unreadable>,
    /// Segments that could not be opened and are not listed any more, whose files are still there.
    leaving: Vec<Arc<SegmentMeta>>,
    version: u64,
    versions: Arc<Versions>,
    /// Where segments keep dictionaries, once there is anybody to ask questions.
    dictionaries: Option<Arc<Dictionaries>>,
}

// === impl Tables ===

impl Tables {
    /// Begins with what the manifest lists, after the log's frame `last_seq`; `unreadable` says which of it could not be opened, and
    /// `lot_bytes` how many bytes of rows are written together.
    pub(crate) fn new(
        segments: Vec<Arc<Segment>>,
        unreadable: Vec<Unreadable>,
        last_seq: u64,
        lot_bytes: usize,
        meters: Meters,
    ) -> Arc<Self> {
        let (mut spans, mut logs): (Vec<_>, Vec<_>) = segments.into_iter().partition(|s| s.meta().signal == Signal::Traces);
        sort(&mut spans);
        sort(&mut logs);
        let state = State { buffer: Buffer::after(last_seq, lot_bytes), spans, logs, unreadable, ..State::default() };
        let tables = Self { state: Mutex::new(state), snapshot: Arc::default(), unmerged: Default::default(), meters };
        tables.change(|_| ());
        Arc::new(tables)
    }

    /// Has segments keep dictionaries that are read of them here.
    pub(crate) fn keep_dictionaries(&self, kept: Arc<Dictionaries>) {
        self.change(|state| state.dictionaries = Some(kept));
    }

    /// Where queries take their snapshot from.
    pub(crate) fn published(&self) -> Arc<ArcSwap<Snapshot>> {
        self.snapshot.clone()
    }

    /// How many segments of a signal are yet to be merged, now and as that changes.
    pub(crate) fn unmerged(&self, signal: Signal) -> watch::Receiver<usize> {
        let [spans, logs] = &self.unmerged;
        match signal {
            Signal::Traces => spans.subscribe(),
            Signal::Logs => logs.subscribe(),
        }
    }

    /// Adds the rows of consecutive frames and makes them visible together. Says whether there is enough of them for a flush.
    pub(crate) fn insert(&self, rows: impl IntoIterator<Item = (u64, Signal, Entry)>) -> bool {
        self.change(|state| {
            for (seq, signal, entry) in rows {
                self.meters.stored(signal, entry.batch.num_rows());
                state.buffer.insert(seq, signal, entry);
            }
            state.buffer.is_due()
        })
    }

    /// The same of rows that were read back from the log.
    pub(crate) fn insert_again(&self, (seq, signal, entry): (u64, Signal, Entry)) -> bool {
        self.change(|state| {
            self.meters.read_back(signal, entry.batch.num_rows());
            state.buffer.insert(seq, signal, entry);
            state.buffer.is_due()
        })
    }

    /// What a flush has to write next; the same again when the flush before did not succeed.
    pub(crate) fn next_rows(&self, reach: Reach) -> Option<Rows> {
        let mut state = self.state.lock();
        let lot = state.buffer.next_lot(reach)?;
        let (spans, logs, bytes) = (lot.batches(Signal::Traces), lot.batches(Signal::Logs), lot.bytes());
        Some(Rows { spans, logs, frames: state.buffer.next_frames(), bytes, made: self.meters.flushing.hold(bytes) })
    }

    /// The frame of the log up to which segments hold everything.
    pub(crate) fn flushed_through(&self) -> u64 {
        self.state.lock().buffer.flushed_through()
    }

    /// Whether a flush of full lots has something to write.
    pub(crate) fn is_due(&self) -> bool {
        self.state.lock().buffer.is_due()
    }

    /// Replaces the rows of [`Self::next_rows`] by the segments that hold them.
    pub(crate) fn flushed(&self, segments: Vec<Arc<Segment>>) {
        segments.iter().for_each(|segment| self.meters.flushed(segment.meta()));
        let lot = self.change(|state| {
            let lot = state.buffer.written();
            for signal in [Signal::Traces, Signal::Logs] {
                let before = lot.as_ref().map_or(0, |lot| lot.rows(signal));
                let after: u64 = rows_of(signal, &segments);
                self.meters.let_go(signal, LetGo::Duplicate, (before as u64).saturating_sub(after));
            }
            state.add(segments);
            lot
        });
        // Without the lock: giving back that much memory takes a while.
        drop(lot);
    }

    /// Replaces segments by others. Files of the replaced ones become removable when no query reads them.
    pub(crate) fn replaced(&self, remove: &HashSet<Ulid>, add: Vec<Arc<Segment>>, why: LetGo) {
        add.iter().for_each(|segment| self.meters.written(segment.meta()));
        self.change(|state| {
            for (signal, list) in [(Signal::Traces, &mut state.spans), (Signal::Logs, &mut state.logs)] {
                let (gone, kept) = list.drain(..).partition(|segment| remove.contains(&segment.meta().id));
                let gone: Vec<Arc<Segment>> = gone;
                *list = kept;
                self.meters.let_go(signal, why, rows_of(signal, &gone).saturating_sub(rows_of(signal, &add)));
                state.retired.extend(gone);
            }
            state.add(add);
        });
    }

    /// Replaces a segment by itself with another index bundle. Its files stay.
    pub(crate) fn reindexed(&self, before: &Arc<Segment>, segment: Arc<Segment>) {
        self.change(|state| {
            let known = state.spans.iter_mut().chain(&mut state.logs).find(|known| Arc::ptr_eq(known, before));
            let before = known.map(|known| std::mem::replace(known, segment));
            state.retired.extend(before);
        });
    }

    /// Replaces segments by views of the same files that hide rows.
    pub(crate) fn hide(&self, views: Vec<Arc<Segment>>) {
        self.change(|state| {
            for view in views {
                let (list, retired) = match view.meta().signal {
                    Signal::Traces => (&mut state.spans, &mut state.retired),
                    Signal::Logs => (&mut state.logs, &mut state.retired),
                };
                if let Some(known) = list.iter_mut().find(|known| known.meta().id == view.meta().id) {
                    let hidden = known.visible_rows().saturating_sub(view.visible_rows());
                    self.meters.let_go(view.meta().signal, LetGo::Deleted, hidden);
                    retired.push(std::mem::replace(known, view));
                }
            }
        });
    }

    /// Segments that could not be opened or read, by what has been tried.
    pub(crate) fn damaged(&self) -> Vec<Unreadable> {
        let state = self.state.lock();
        let mut damaged = state.unreadable.clone();
        for segment in state.all() {
            let SegmentMeta { signal, id, .. } = *segment.meta();
            if let Some(detail) = segment.damage().filter(|_| !damaged.iter().any(|known| known.id == id)) {
                let why = format!("rows of {} are missing from answers: segment {id}: {detail}", signal.as_str());
                damaged.push(Unreadable { signal, id, why, unopened: None });
            }
        }
        damaged
    }

    /// Whether all of these, as they are, are what questions are answered from now.
    pub(crate) fn are_current(&self, segments: &[Arc<Segment>]) -> bool {
        let state = self.state.lock();
        segments.iter().all(|segment| state.all().any(|known| Arc::ptr_eq(known, segment)))
    }

    /// Whether questions read this segment.
    pub(crate) fn is_open(&self, id: Ulid) -> bool {
        self.state.lock().all().any(|segment| segment.meta().id == id)
    }

    /// Whether any of these segments still has rows to be hidden, or files of one that is no longer listed are still there.
    pub(crate) fn hold(&self, ids: &BTreeSet<Ulid>) -> bool {
        let state = self.state.lock();
        let hiding = state.all().filter(|segment| !segment.hidden().is_empty());
        let segments = hiding.chain(&state.retired).map(|segment| segment.meta().id);
        segments.chain(state.leaving.iter().map(|meta| meta.id)).any(|id| ids.contains(&id))
    }

    /// Takes one view of each segment that is no longer listed and that nobody reads any more.
    pub(crate) fn removable(&self) -> Vec<Arc<Segment>> {
        let mut state = self.state.lock();
        let listed: HashSet<Ulid> = state.all().map(|segment| segment.meta().id).collect();
        let mut views: BTreeMap<Ulid, Vec<Arc<Segment>>> = BTreeMap::new();
        for view in state.retired.drain(..) {
            views.entry(view.meta().id).or_default().push(view);
        }
        let mut removable = Vec::new();
        for (id, mut views) in views {
            // They are in no current snapshot, so a count of one cannot grow again.
            if listed.contains(&id) {
                views.retain(|view| Arc::strong_count(view) > 1);
            } else if views.iter().all(|view| Arc::strong_count(view) == 1) {
                removable.extend(views.drain(..).next());
            }
            state.retired.extend(views);
        }
        removable
    }

    /// Takes back a segment whose files could not be removed.
    pub(crate) fn retire_again(&self, segment: Arc<Segment>) {
        self.state.lock().retired.push(segment);
    }

    /// Bytes of the files of all listed segments, and of those that are not listed any more and still there. What could not be opened counts
    /// as it is listed.
    pub(crate) fn disk_bytes(&self) -> (u64, u64) {
        let state = self.state.lock();
        let bytes = |meta: &SegmentMeta| (meta.id, meta.parquet_bytes + meta.index_bytes);
        let unopened = state.unopened().map(|meta| bytes(meta));
        let listed: BTreeMap<Ulid, u64> = state.all().map(|segment| bytes(segment.meta())).chain(unopened).collect();
        let leaving = state.leaving.iter().map(|meta| bytes(meta));
        let retired: BTreeMap<Ulid, u64> = state.retired.iter().map(|segment| bytes(segment.meta())).chain(leaving).collect();
        let waiting = retired.iter().filter(|(id, _)| !listed.contains_key(id)).map(|(_, bytes)| bytes).sum();
        (listed.values().sum(), waiting)
    }

    /// The last frame whose rows were inserted.
    pub(crate) fn last_seq(&self) -> u64 {
        self.state.lock().buffer.last_seq()
    }

    /// Bytes of rows in memory, and since when the oldest of them waits.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = self.state.lock();
        (state.buffer.bytes(), state.buffer.oldest())
    }

    /// Rows and bytes in memory.
    pub(crate) fn buffered(&self, signal: Signal) -> (u64, u64) {
        self.state.lock().buffer.size(signal)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        state.version += 1;
        if let Some(kept) = &state.dictionaries {
            state.all().for_each(|segment| segment.keep_dictionaries(kept));
        }
        let table = |signal, segments: &Vec<Arc<Segment>>| TableSnapshot {
            buffered: state.buffer.batches(signal),
            segments: segments.clone(),
            unreadable: state.unreadable.iter().filter(|segment| segment.signal == signal).map(|segment| segment.why.clone()).collect(),
            unopened: state.unopened().filter(|meta| meta.signal == signal).cloned().collect(),
        };
        let (spans, logs) = (table(Signal::Traces, &state.spans), table(Signal::Logs, &state.logs));
        let snapshot = Snapshot { spans, logs, version: state.version, versions: state.versions.clone() };
        self.meters.tables(&snapshot, &state.buffer);
        for (count, table) in self.unmerged.iter().zip([&snapshot.spans, &snapshot.logs]) {
            // What is damaged stays as it is.
            let is_unmerged = |segment: &&Arc<Segment>| segment.meta().level == 0 && segment.damage().is_none();
            let now = table.segments.iter().filter(is_unmerged).count();
            count.send_if_modified(|count| std::mem::replace(count, now) != now);
        }
        // Published under the lock, so that a later change is never overtaken by an earlier one.
        self.snapshot.store(Arc::new(snapshot));
        result
    }
}

// === impl State ===

impl State {
    fn all(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.spans.iter().chain(&self.logs)
    }

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

fn rows_of(signal: Signal, segments: &[Arc<Segment>]) -> u64 {
    segments.iter().filter(|segment| segment.meta().signal == signal).map(|segment| segment.visible_rows()).sum()
}

/// Newest rows first.
fn sort(segments: &mut [Arc<Segment>]) {
    segments.sort_by_key(|segment| std::cmp::Reverse((segment.meta().max_time, segment.meta().id)));
}
