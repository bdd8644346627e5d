//! Moves rows from memory to segments, merges segments and lets old ones go.
//!
//! Owns the order of steps that keeps every row in exactly one place whenever the process dies:
//!
//! | step | a crash after it leaves |
//! |---|---|
//! | segments written, synced and renamed | files the manifest does not name: removed at the next start, their rows replayed |
//! | manifest edit synced | rows in segments; their frames in the log are skipped |
//! | snapshot swapped | the same |
//! | files of the log removed | the same |

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use ulid::Ulid;

use crate::budget::Budget;
use crate::buffer::Reach;
use crate::files::Place;
use crate::folder::Folder;
use crate::manifest::{Change, CommitError, Contents, Manifest};
use crate::segment::{self, Origin, Segment, SegmentError, SegmentMeta};
use crate::store::{LetGo, Signal, Tables};

mod deletes;
mod log;
mod room;

/// Writes segments and the manifest.
#[derive(Debug)]
pub(crate) struct Keeper {
    folder: Arc<Folder>,
    tables: Arc<Tables>,
    manifest: Mutex<Manifest>,
    /// What [`Manifest::has_failed`] says, without waiting for a change that is being made.
    failed: AtomicBool,
    budget: Arc<Budget>,
    /// See [`crate::Config::run_rows`].
    run_rows: usize,
    /// Held during a flush: one at a time.
    flushing: Mutex<()>,
    /// Held while files are removed: until then they are there.
    removing: Mutex<()>,
    /// Segments that were written and are not to be listed: their files are removed.
    discarded: Mutex<Vec<SegmentMeta>>,
    let_go_lately: Mutex<room::LetGoLately>,
    #[cfg(test)]
    steps: Mutex<Option<Hook>>,
}

/// A flush or a merge failed. Nothing is lost: rows stay in memory and in the log, inputs stay listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// A segment could not be written or read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] CommitError),
    /// The second record of deletes could not be written.
    #[error("the deletes could not be written to memo/deletes")]
    Deletes(#[source] std::io::Error),
    /// Segments changed while something was made of them. What was made was thrown away; it is done again.
    #[error("segments changed while they were read; it is tried again")]
    Outdated,
    /// The byte budget has no room until whoever reads files lets go of them.
    #[error(
        "the data folder would take more than max_disk_bytes; segments were let go whose files a question, an export or a merge still reads"
    )]
    NoRoom,
    /// The byte budget has no room, and nothing is left to let go.
    #[error("the data folder would take more than max_disk_bytes although nothing older is left to let go; raise it")]
    TooSmall,
    /// A flush panicked. What of its rows is in segments is known when the log is read back by the next start.
    #[error("{0}")]
    Fault(&'static str),
}

impl KeepError {
    /// Whether it could not be recorded because the disk is full.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        let mut causes = std::iter::successors(Some(self as &dyn std::error::Error), |error| error.source());
        causes.any(|error| error.downcast_ref().is_some_and(crate::files::is_full))
    }
}

/// Called after each step of a flush or merge, so that tests can look at what a crash would leave.
#[cfg(test)]
struct Hook(Box<dyn FnMut(&'static str) + Send>);

// === impl Keeper ===

impl Keeper {
    pub(crate) fn new(folder: Arc<Folder>, tables: Arc<Tables>, manifest: Manifest, budget: Arc<Budget>, run_rows: usize) -> Self {
        // What comes sorts after what is there, also when the clock went back: of a span that comes again the later one counts.
        if let Some(newest) = manifest.contents().segments.keys().max() {
            folder.tmp().ids_after(*newest);
        }
        Self {
            folder,
            tables,
            manifest: Mutex::new(manifest),
            failed: AtomicBool::new(false),
            budget,
            run_rows,
            flushing: Mutex::new(()),
            removing: Mutex::new(()),
            discarded: Mutex::default(),
            let_go_lately: Mutex::default(),
            #[cfg(test)]
            steps: Mutex::new(None),
        }
    }

    /// Writes the oldest lot that is in memory to segments and returns the frame of the log up to which segments hold everything, so that
    /// the log may forget it; `None` when there is nothing to write. `next_record_id` is above every record id given so far.
    pub(crate) fn flush(&self, reach: Reach, next_record_id: impl FnOnce() -> u64) -> Result<Option<u64>, KeepError> {
        let _one_at_a_time = self.flushing.lock();
        let Some(rows) = self.tables.next_rows(reach) else { return Ok(None) };
        let (through, made) = (*rows.frames.end(), rows.made);
        let origin = Origin::flush(&rows.frames);
        let share = self.make_room(rows.bytes as u64)?;
        let mut metas = self.write(Signal::Traces, &origin, rows.spans)?;
        match self.write(Signal::Logs, &origin, rows.logs) {
            Ok(logs) => metas.extend(logs),
            Err(error) => {
                self.discard(metas);
                return Err(error.into());
            }
        }
        self.step("segments renamed");
        let segments = self.open_or_discard(&metas)?;
        let change = Change { add: metas, wal_through: through, next_record_id: next_record_id(), ..Change::default() };
        self.commit_or_discard(&mut self.manifest.lock(), change)?;
        self.step("edit synced");
        self.tables.flushed(segments);
        self.step("snapshot swapped");
        drop((share, made));
        self.let_go_ahead();
        Ok(Some(through))
    }

    /// Replaces segments by what they were made into; `why` says where rows went that are in none of the outputs.
    pub(crate) fn replace(&self, inputs: &[Arc<Segment>], outputs: Vec<SegmentMeta>, why: LetGo) -> Result<(), KeepError> {
        self.step("outputs renamed");
        let segments = self.open_or_discard(&outputs)?;
        let remove: Vec<Ulid> = inputs.iter().map(|segment| segment.meta().id).collect();
        let gone = remove.iter().copied().collect();
        // Held until questions see it: rows that are hidden meanwhile must not come back with the outputs.
        let mut manifest = self.manifest.lock();
        if !self.tables.are_current(inputs) {
            drop(manifest);
            self.discard(outputs);
            return Err(KeepError::Outdated);
        }
        self.commit_or_discard(&mut manifest, Change { add: outputs, remove, ..Change::default() })?;
        self.step("inputs replaced");
        self.tables.replaced(&gone, segments, why);
        Ok(())
    }

    /// Makes the index bundle of a segment again and uses it from now on. After a crash in between, the list names the old bundle, which
    /// is gone: its segment is read without one, and it is made once more. So it is when rows were hidden meanwhile.
    pub(crate) fn reindex(&self, segment: &Arc<Segment>, stop: &AtomicBool) -> Result<(), KeepError> {
        let meta = segment::rebuild_index(segment, &self.folder.tmp(), &self.folder.segments(segment.meta().signal), stop)?;
        self.step("index renamed");
        let reopened = open(&self.folder.segments(meta.signal), &meta)?;
        let mut manifest = self.manifest.lock();
        if !self.tables.are_current(std::slice::from_ref(segment)) {
            return Err(KeepError::Outdated);
        }
        self.commit(&mut manifest, Change { remove: vec![meta.id], add: vec![meta], ..Change::default() })?;
        self.step("index recorded");
        self.tables.reindexed(segment, reopened);
        Ok(())
    }

    /// Looks at the list of segments while nothing changes it. Short: flushes and merges wait.
    pub(crate) fn at_one_moment<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(self.manifest.lock().contents())
    }

    /// The data folder, to be kept open by others too.
    pub(crate) fn shared_folder(&self) -> Arc<Folder> {
        self.folder.clone()
    }

    /// Whether the manifest takes no more changes until a restart.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn commit(&self, manifest: &mut Manifest, change: Change) -> Result<(), CommitError> {
        let committed = manifest.commit(change);
        self.failed.store(manifest.has_failed(), Ordering::Release);
        committed
    }

    /// Where files are written before they are renamed.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Ids of all listed segments.
    pub(crate) fn listed(&self) -> HashSet<Ulid> {
        self.manifest.lock().contents().segments.keys().copied().collect()
    }

    fn open_or_discard(&self, metas: &[SegmentMeta]) -> Result<Vec<Arc<Segment>>, SegmentError> {
        self.open(metas).inspect_err(|_| self.discard(metas.to_vec()))
    }

    /// Where it is certain that nothing was recorded, what was to be added is discarded, a little later: whoever removes files may wait for
    /// the manifest.
    fn commit_or_discard(&self, manifest: &mut Manifest, change: Change) -> Result<(), CommitError> {
        let added = change.add.clone();
        self.commit(manifest, change).inspect_err(|_| {
            if !manifest.has_failed() {
                self.discarded.lock().extend(added);
            }
        })
    }

    fn write(&self, signal: Signal, origin: &Origin, batches: Vec<RecordBatch>) -> Result<Vec<SegmentMeta>, SegmentError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let (tmp, folder) = (self.folder.tmp(), self.folder.segments(signal));
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        // So many rows make a run of their own, which no merge improves: sorted, with all indexes, but for the text of logs.
        if rows < self.run_rows {
            return segment::write(&tmp, &folder, signal, 0, origin.clone(), batches);
        }
        let layout = segment::layout_next(&self.tables.published().load().table(signal).segments);
        segment::write_run(&tmp, &folder, signal, layout, origin.clone(), batches)
    }

    fn open(&self, metas: &[SegmentMeta]) -> Result<Vec<Arc<Segment>>, SegmentError> {
        metas.iter().map(|meta| open(&self.folder.segments(meta.signal), meta)).collect()
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests look at every step")]
    fn step(&self, _name: &'static str) {}

    #[cfg(test)]
    fn step(&self, name: &'static str) {
        if let Some(hook) = self.steps.lock().as_mut() {
            hook.0(name);
        }
    }

    /// Calls `hook` after each step.
    #[cfg(test)]
    pub(crate) fn watch_steps(&self, hook: impl FnMut(&'static str) + Send + 'static) {
        *self.steps.lock() = Some(Hook(Box::new(hook)));
    }
}

fn open(folder: &Place, meta: &SegmentMeta) -> Result<Arc<Segment>, SegmentError> {
    Segment::open(folder, meta.clone()).map(Arc::new)
}

#[cfg(test)]
impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}
