//! Records deletes, durably and twice, and which of them are done.
//!
//! Owns the second record, which a repair reads when the manifest is gone. What a delete means is in `store::delete`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ulid::Ulid;

use crate::deletion::{Deletion, MAX_RECEIPTS};
use crate::manifest::{self, Change};
use crate::model::UnixNanos;
use crate::segment::{RowRanges, Segment, SegmentError};
use crate::store::Signal;

use super::{KeepError, Keeper};

impl Keeper {
    /// Records a delete durably and hides its rows from every question from now on. `looked_at` are the segments that hold such rows,
    /// `hidden` which rows; false when one of them was replaced meanwhile.
    pub(crate) fn delete(&self, deletion: Deletion, looked_at: &[(Arc<Segment>, RowRanges)]) -> Result<bool, KeepError> {
        let views = looked_at.iter().map(|(segment, hidden)| {
            let view = Segment::open(&self.folder.segments(segment.meta().signal), segment.meta().clone())?;
            Ok(Arc::new(view.hiding(hidden.clone())))
        });
        let views = views.collect::<Result<Vec<_>, SegmentError>>()?;
        let segments: Vec<Arc<Segment>> = looked_at.iter().map(|(segment, _)| segment.clone()).collect();
        let mut manifest = self.manifest.lock();
        if !self.tables.are_current(&segments) {
            return Ok(false);
        }
        let done = manifest.contents().deletions.values().filter(|known| known.done.is_some());
        let surplus = done.clone().count().saturating_sub(MAX_RECEIPTS);
        let forget = done.take(surplus).map(|known| known.id).collect();
        let mut deletions = manifest.contents().deletions.clone();
        deletions.insert(deletion.id, deletion.clone());
        // First, so that no delete is answered that a repair would not know of.
        self.remember(&deletions).map_err(KeepError::Deletes)?;
        if let Err(error) = self.commit(&mut manifest, Change { deletions: vec![deletion], forget, ..Change::default() }) {
            // What this leaves behind is put right by the next start.
            let _ = self.remember(&manifest.contents().deletions);
            return Err(error.into());
        }
        self.step("delete recorded");
        self.tables.hide(views);
        Ok(true)
    }

    /// Writes down which deletes are physically done: no file of a segment that held their rows is there any more, and no file of the
    /// log before `oldest_frame`. True when others wait for the log alone.
    pub(crate) fn settle(&self, oldest_frame: u64, now: UnixNanos) -> Result<bool, KeepError> {
        let _nothing_is_being_removed = self.removing.lock();
        let pending: Vec<Deletion> =
            self.manifest.lock().contents().deletions.values().filter(|deletion| deletion.done.is_none()).cloned().collect();
        // What was written in vain and could not be removed yet may hold their rows too.
        if pending.is_empty() || !self.discarded.lock().is_empty() {
            return Ok(false);
        }
        // What could not be opened is there all the same.
        let unopened: BTreeSet<Ulid> = self.listed().into_iter().filter(|id| !self.tables.is_open(*id)).collect();
        let holds = |deletion: &Deletion| self.tables.hold(&deletion.segments) || !deletion.segments.is_disjoint(&unopened);
        let rewritten: Vec<Deletion> = pending.into_iter().filter(|deletion| !holds(deletion)).collect();
        let (done, waiting): (Vec<Deletion>, Vec<Deletion>) = rewritten.into_iter().partition(|known| known.wal_through < oldest_frame);
        if !done.is_empty() {
            let folders = [self.folder.segments(Signal::Traces), self.folder.segments(Signal::Logs), self.folder.wal()];
            for folder in folders {
                folder
                    .sync_folder()
                    .map_err(|error| SegmentError::io(Ulid::nil(), format!("cannot sync {}: {error}", folder.display())))?;
            }
            let deletions: Vec<Deletion> = done.into_iter().map(|deletion| Deletion { done: Some(now), ..deletion }).collect();
            let mut manifest = self.manifest.lock();
            // First: the receipt says that no file names what was asked for but the receipts themselves.
            let mut known = manifest.contents().deletions.clone();
            known.extend(deletions.iter().map(|deletion| (deletion.id, deletion.clone())));
            self.remember_or_warn(&known);
            self.commit(&mut manifest, Change { deletions, ..Change::default() })?;
        }
        Ok(!waiting.is_empty())
    }

    /// Makes the second record of deletes what the manifest says.
    pub(crate) fn remember_deletes(&self) {
        self.remember_or_warn(&self.manifest.lock().contents().deletions);
    }

    /// For where the second record names a delete too many at worst.
    fn remember_or_warn(&self, deletions: &BTreeMap<Ulid, Deletion>) {
        if let Err(error) = self.remember(deletions) {
            tracing::warn!(%error, "the second record of deletes could not be written; it is tried again");
        }
    }

    fn remember(&self, deletions: &BTreeMap<Ulid, Deletion>) -> std::io::Result<()> {
        manifest::write_copy(&self.folder.deletes(), &self.folder.tmp(), self.folder.id(), deletions)
    }

    /// All deletes that are known, the oldest first.
    pub(crate) fn deletions(&self) -> Vec<Deletion> {
        self.manifest.lock().contents().deletions.values().cloned().collect()
    }
}
