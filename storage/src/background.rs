//! The threads that keep the store in shape: one flushes, one merges and lets old segments go.
//!
//! Owns when that work is done and what its failures are told. What it consists of is in `flush` and `compaction`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::buffer::Reach;

/// Wakes and stops background threads.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    state: Mutex<State>,
    changed: Condvar,
    /// For long work, to look at in between.
    stopping: AtomicBool,
}

/// Running threads.
#[derive(Debug)]
pub(crate) struct Threads {
    wake: Arc<Wake>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// All of it is done.
    Done,
    /// Room for it is held by whoever reads what was let go: a question that ends soon, mostly.
    Waits,
    /// It is tried again after a while.
    Failed,
}

/// What the last attempt at each kind of work came to.
#[derive(Debug, Default)]
pub(crate) struct Health {
    flush: Mutex<Option<String>>,
    merge: Mutex<Option<String>>,
    /// Since when flushes have waited for room, and whether that was told.
    waits: Mutex<Option<(Instant, bool)>>,
    /// Flushes have failed for so long that memory is full.
    is_stuck: AtomicBool,
    /// Work that ended because of a fault in this program.
    ended: Mutex<BTreeSet<Work>>,
}

/// As long as this is held, some work goes on. Told when it panics: then nobody knows how far it came until the next start.
pub(crate) struct Watch {
    work: Work,
    health: Arc<Health>,
}

/// Kinds of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Memory to segments.
    Flush,
    /// Merging and letting go.
    Merge,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    flush: Option<Reach>,
}

// === impl Wake ===

impl Wake {
    /// Asks for a flush.
    pub(crate) fn flush(&self, reach: Reach) {
        let mut state = self.state.lock();
        state.flush = state.flush.max(Some(reach));
        drop(state);
        self.changed.notify_all();
    }

    /// Ends the threads after what they are doing.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Set when the threads are to end.
    pub(crate) fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    /// Whether the threads are to end.
    pub(crate) fn stopped(&self) -> bool {
        self.state.lock().stop
    }

    /// Waits up to `time` until a flush is asked for. Returns early when stopped.
    fn wait_flush(&self, time: Duration) -> Option<Reach> {
        let mut state = self.state.lock();
        let _ = self.changed.wait_while_for(&mut state, |state| !state.stop && state.flush.is_none(), time);
        state.flush.take()
    }

    /// Waits up to `time`, less when stopped.
    fn wait(&self, time: Duration) {
        let mut state = self.state.lock();
        let _ = self.changed.wait_while_for(&mut state, |state| !state.stop, time);
    }
}

// === impl Threads ===

impl Threads {
    /// No threads yet.
    pub(crate) fn new(wake: Arc<Wake>) -> Self {
        Self { wake, handles: Mutex::default() }
    }

    /// Starts both threads. `due` says whether rows waited long enough; `flush` and `merge` do the work, and `merge` says whether there
    /// may be more.
    pub(crate) fn start(
        &self,
        due: impl Fn() -> bool + Send + 'static,
        flush: impl Fn(Reach) -> Flushed + Send + 'static,
        mut merge: impl FnMut() -> Option<bool> + Send + 'static,
    ) -> std::io::Result<()> {
        let (flusher, merger) = (self.wake.clone(), self.wake.clone());
        let handles = vec![
            std::thread::Builder::new().name("storage-flush".to_owned()).spawn(move || {
                // What failed is tried again though nobody asks again: only a success takes back what is told of the failure.
                let (mut not_before, mut owed) = (Instant::now(), None);
                while !flusher.stopped() {
                    flusher.wait(not_before.saturating_duration_since(Instant::now()));
                    let patience = owed.map_or(TICK, |_| Duration::ZERO);
                    let asked = flusher.wait_flush(patience).max(due().then_some(Reach::All)).max(owed);
                    let Some(reach) = asked.filter(|_| !flusher.stopped()) else { continue };
                    let (again, pause) = match flush(reach) {
                        Flushed::Done => (None, Duration::ZERO),
                        Flushed::Waits => (Some(reach), LOOK_FOR_ROOM),
                        Flushed::Failed => (Some(reach), AFTER_FAILURE),
                    };
                    (owed, not_before) = (again, Instant::now() + pause);
                }
            })?,
            std::thread::Builder::new().name("storage-merge".to_owned()).spawn(move || {
                give_way();
                while !merger.stopped() {
                    match merge() {
                        Some(true) => {}
                        Some(false) => merger.wait(TICK),
                        None => merger.wait(AFTER_FAILURE),
                    }
                }
            })?,
        ];
        *self.handles.lock() = handles;
        Ok(())
    }

    /// Ends the threads and waits for them. Blocks.
    pub(crate) fn stop(&self) {
        self.wake.stop();
        for handle in self.handles.lock().drain(..) {
            if handle.join().is_err() {
                tracing::error!("a background thread panicked");
            }
        }
    }
}

/// Lets every other thread of this machine go first; on Linux a nice value is one thread's own.
fn give_way() {
    if let Err(error) = rustix::process::nice(MERGE_NICE) {
        tracing::debug!(%error, "merging runs at the priority of everything else");
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.wake.stop();
    }
}

// === impl Health ===

impl Health {
    /// Notes what became of some work; true when it went well.
    pub(crate) fn note(&self, work: Work, error: Option<String>) -> bool {
        let cell = match work {
            Work::Flush => &self.flush,
            Work::Merge => &self.merge,
        };
        let well = error.is_none();
        let mut cell = cell.lock();
        *cell = error;
        if well && work == Work::Flush {
            *self.waits.lock() = None;
            self.is_stuck.store(false, Ordering::Release);
        }
        well
    }

    /// Notes that a flush found its room held by others; true once, when that has lasted for so long that it is to be told.
    pub(crate) fn note_waiting(&self) -> bool {
        let mut waits = self.waits.lock();
        let (since, told) = waits.get_or_insert((Instant::now(), false));
        let tell = !*told && since.elapsed() >= TOLD_AFTER;
        *told |= tell;
        tell
    }

    /// Notes that memory is full. Why it stays so, when that is because rows cannot be written.
    pub(crate) fn note_full(&self) -> Option<String> {
        let flush = self.flush.lock();
        self.is_stuck.store(flush.is_some(), Ordering::Release);
        flush.clone()
    }

    /// Why data was last refused, as long as memory is full of rows that cannot be written.
    pub(crate) fn stuck(&self) -> Option<String> {
        self.flush.lock().clone().filter(|_| self.is_stuck.load(Ordering::Acquire))
    }

    /// What fails at the moment.
    pub(crate) fn error(&self) -> Option<String> {
        let ended = self.ended.lock().first().map(|work| work.ended().to_owned());
        ended.or_else(|| self.flush.lock().clone()).or_else(|| self.merge.lock().clone())
    }

    /// Begins some work, of which it is told when it panics.
    pub(crate) fn watch(self: &Arc<Self>, work: Work) -> Watch {
        Watch { work, health: self.clone() }
    }

    /// Why memory is not written to segments any more until a restart; `None` when that is not so.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.ended.lock().get(&Work::Flush).map(|work| work.ended())
    }
}

// === impl Work ===

impl Work {
    /// What is said when it panicked.
    fn ended(self) -> &'static str {
        match self {
            Self::Flush => "writing memory to segments ended because of a fault in this program; writes stay off until a restart",
            Self::Merge => "merging ended because of a fault in this program; nothing is merged, and nothing goes, until a restart",
        }
    }
}

// === impl Watch ===

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.ended.lock().insert(self.work);
        }
    }
}

/// How far merging stands back behind receiving, flushing and queries.
const MERGE_NICE: i32 = 10;

/// How often the threads look whether there is work.
const TICK: Duration = Duration::from_millis(500);

/// How often a flush looks whether there is room by now.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(50);

/// How long a flush may wait for room before that is a failure.
const TOLD_AFTER: Duration = Duration::from_secs(3);

/// How long they wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
