//! Room for what is written: what the byte budget lets go for it, and when files are removed that nobody needs any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ulid::Ulid;

use super::{KeepError, Keeper};
use crate::budget::{Asked, InUse, Share};
use crate::manifest::Change;
use crate::segment::SegmentMeta;
use crate::store::{LetGo, Oldest};

/// What was let go since it was last told.
#[derive(Debug, Default)]
pub(super) struct LetGoLately {
    segments: u64,
    rows: u64,
    told: Option<Instant>,
}

/// Between two tellings.
const QUIET: Duration = Duration::from_secs(60);

// === impl LetGoLately ===

impl LetGoLately {
    /// One more segment; what to tell, where it is time.
    fn add(&mut self, rows: u64) -> Option<(u64, u64)> {
        self.segments += 1;
        self.rows += rows;
        if self.told.is_some_and(|told| told.elapsed() < QUIET) {
            return None;
        }
        self.told = Some(Instant::now());
        Some((std::mem::take(&mut self.segments), std::mem::take(&mut self.rows)))
    }
}

// === impl Keeper ===

impl Keeper {
    /// Sets `bytes` aside for files to be written; lets go of the oldest segments until they fit.
    pub(crate) fn make_room(&self, bytes: u64) -> Result<Share, KeepError> {
        loop {
            match self.ask_room(bytes) {
                Asked::Granted(share) => return Ok(share),
                Asked::Leaving => return Err(KeepError::NoRoom),
                Asked::Full => {}
            }
            if !self.let_oldest_go()? {
                return Err(KeepError::TooSmall);
            }
        }
    }

    /// Lets the oldest segments go until the next flush fits: by then whoever reads them has mostly ended, and it need not wait. Where the
    /// budget was made smaller since they were written, nothing is taken in before, so that no flush would let them go.
    pub(crate) fn let_go_ahead(&self) {
        while self.budget.is_short(self.tables.disk_bytes().0) {
            match self.let_oldest_go() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::debug!(%error, "nothing could be let go ahead of need"),
            }
        }
        self.remove_files();
    }

    /// False when there is no segment.
    fn let_oldest_go(&self) -> Result<bool, KeepError> {
        let Some(oldest) = self.tables.oldest() else { return Ok(false) };
        let (id, rows, gone) = match oldest {
            Oldest::Open(segment) => (segment.meta().id, segment.visible_rows(), self.replace(&[segment], Vec::new(), LetGo::Budget)),
            Oldest::Unopened(meta) => (meta.id, meta.rows, self.forget(&[meta], LetGo::Budget)),
        };
        match gone {
            Ok(()) => self.say_let_go(id, rows),
            Err(KeepError::Outdated) => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Lets segments go that could not be opened. What is not listed any more is passed over: another thread let it go.
    pub(crate) fn forget(&self, unopened: &[Arc<SegmentMeta>], why: LetGo) -> Result<(), KeepError> {
        // Held until questions see it, so that a backup finds the files of what it lists.
        let mut manifest = self.manifest.lock();
        let listed = |meta: &&Arc<SegmentMeta>| manifest.contents().segments.contains_key(&meta.id);
        let gone: Vec<Arc<SegmentMeta>> = unopened.iter().filter(listed).cloned().collect();
        if !gone.is_empty() {
            self.commit(&mut manifest, Change { remove: gone.iter().map(|meta| meta.id).collect(), ..Change::default() })?;
            self.tables.forget(&gone, why);
        }
        Ok(())
    }

    /// Once a minute for people: a full folder lets go of segments as fast as rows come in.
    fn say_let_go(&self, id: Ulid, rows: u64) {
        tracing::debug!(segment.id = %id, rows, "the oldest rows were let go to stay within max_disk_bytes");
        if let Some((segments, rows)) = self.let_go_lately.lock().add(rows) {
            tracing::info!(segments, rows, "the oldest rows were let go to stay within max_disk_bytes; this is told once a minute at most");
        }
    }

    /// Sets `bytes` aside for files to be written, if they fit as things are.
    pub(crate) fn ask_room(&self, bytes: u64) -> Asked {
        self.remove_files();
        let (listed, leaving) = self.tables.disk_bytes();
        self.budget.ask(InUse { listed, leaving }, bytes)
    }

    /// Bytes of all segments' files, those being written included.
    pub(crate) fn segment_bytes(&self) -> u64 {
        let (listed, leaving) = self.tables.disk_bytes();
        listed + leaving + self.budget.writing()
    }

    /// Whether files of segments that are not listed any more are still there.
    pub(crate) fn is_leaving(&self) -> bool {
        self.tables.disk_bytes().1 > 0
    }

    /// Removes the files of segments that are no longer listed and that no query reads. A crash before leaves orphans.
    pub(crate) fn remove_files(&self) {
        let _one_at_a_time = self.removing.lock();
        self.discarded.lock().retain(|meta| self.remove(meta).is_err());
        for segment in self.tables.removable() {
            if !self.removes(segment.meta()) {
                self.tables.retire_again(segment);
            }
        }
        for meta in self.tables.removable_unopened() {
            if !self.removes(&meta) {
                self.tables.leave_again(meta);
            }
        }
    }

    /// Removes files, or tells that this failed.
    fn removes(&self, meta: &SegmentMeta) -> bool {
        let removed = self.remove(meta);
        if let Err(error) = &removed {
            tracing::warn!(segment.id = %meta.id, %error, "a file that is not needed any more could not be removed; it is tried again");
        }
        removed.is_ok()
    }

    fn remove(&self, meta: &SegmentMeta) -> std::io::Result<()> {
        let folder = self.folder.segments(meta.signal);
        for path in [meta.parquet_path(&folder), meta.index_path(&folder)] {
            match path.remove() {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the files of what was written in vain: they are no part of the store, and take room. What cannot be removed now is tried again,
    /// and at the latest by the next start.
    pub(super) fn discard(&self, metas: Vec<SegmentMeta>) {
        self.discarded.lock().extend(metas);
        self.remove_files();
    }
}
