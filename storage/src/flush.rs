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
use std::sync::atomic::AtomicBool;

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use ulid::Ulid;

use crate::files::Place;
use crate::folder::Folder;
use crate::manifest::{Change, CommitError, Manifest};
use crate::segment::{self, Segment, SegmentError, SegmentMeta};
use crate::store::{Signal, Tables};

/// Writes segments and the manifest.
#[derive(Debug)]
pub(crate) struct Keeper {
    folder: Arc<Folder>,
    tables: Arc<Tables>,
    manifest: Mutex<Manifest>,
    /// Held during a flush: one at a time.
    flushing: Mutex<()>,
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
}

/// Called after each step of a flush or merge, so that tests can look at what a crash would leave.
#[cfg(test)]
struct Hook(Box<dyn FnMut(&'static str) + Send>);

// === impl Keeper ===

impl Keeper {
    pub(crate) fn new(folder: Arc<Folder>, tables: Arc<Tables>, manifest: Manifest) -> Self {
        Self {
            folder,
            tables,
            manifest: Mutex::new(manifest),
            flushing: Mutex::new(()),
            #[cfg(test)]
            steps: Mutex::new(None),
        }
    }

    /// Writes everything that is in memory now to segments and returns the frame of the log up to which segments hold everything; the
    /// log may forget it. `next_record_id` is above every record id given so far.
    pub(crate) fn flush(&self, next_record_id: impl FnOnce() -> u64) -> Result<(u64, bool), KeepError> {
        let _one_at_a_time = self.flushing.lock();
        let frozen = self.tables.freeze();
        let through = frozen.through;
        if frozen.spans.is_empty() && frozen.logs.is_empty() {
            return Ok((through, false));
        }
        let mut metas = self.write(Signal::Traces, frozen.spans)?;
        metas.extend(self.write(Signal::Logs, frozen.logs)?);
        self.step("segments renamed");
        let segments = self.open(&metas)?;
        let change = Change { add: metas, wal_through: through, next_record_id: next_record_id(), ..Change::default() };
        self.manifest.lock().commit(change)?;
        self.step("edit synced");
        self.tables.flushed(segments);
        self.step("snapshot swapped");
        Ok((through, true))
    }

    /// Replaces segments by what they were merged into.
    pub(crate) fn replace(&self, inputs: &[Arc<Segment>], outputs: Vec<SegmentMeta>) -> Result<(), KeepError> {
        self.step("outputs renamed");
        let segments = self.open(&outputs)?;
        let remove: Vec<Ulid> = inputs.iter().map(|segment| segment.meta().id).collect();
        let gone = remove.iter().copied().collect();
        self.manifest.lock().commit(Change { add: outputs, remove, ..Change::default() })?;
        self.step("inputs replaced");
        self.tables.replaced(&gone, segments);
        Ok(())
    }

    /// Makes the index bundle of a segment again and uses it from now on. After a crash in between, the list names the old bundle, which
    /// is gone: its segment is read without one, and it is made once more.
    pub(crate) fn reindex(&self, segment: &Segment, stop: &AtomicBool) -> Result<(), KeepError> {
        let meta = segment::rebuild_index(segment, &self.folder.tmp(), &self.folder.segments(segment.meta().signal), stop)?;
        self.step("index renamed");
        let reopened = open(&self.folder.segments(meta.signal), &meta)?;
        self.manifest.lock().commit(Change { remove: vec![meta.id], add: vec![meta], ..Change::default() })?;
        self.step("index recorded");
        self.tables.reindexed(&reopened);
        Ok(())
    }

    /// Removes the files of segments that are no longer listed and that no query reads. A crash before leaves orphans.
    pub(crate) fn remove_files(&self) {
        for segment in self.tables.removable() {
            let meta = segment.meta().clone();
            drop(segment);
            for extension in ["parquet", "idx"] {
                let path = self.folder.segments(meta.signal).join(format!("{}.{extension}", meta.id));
                match path.remove() {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        tracing::warn!(file = %path.display(), %error, "a replaced file stays until the next start");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether the manifest takes no more changes until a restart.
    pub(crate) fn has_failed(&self) -> bool {
        self.manifest.lock().has_failed()
    }

    /// Where files are written before they are renamed.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Ids of all listed segments.
    pub(crate) fn listed(&self) -> HashSet<Ulid> {
        self.manifest.lock().contents().segments.keys().copied().collect()
    }

    fn write(&self, signal: Signal, batches: Vec<RecordBatch>) -> Result<Vec<SegmentMeta>, SegmentError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        segment::write(&self.folder.tmp(), &self.folder.segments(signal), signal, 0, batches)
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
