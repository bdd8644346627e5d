//! Reads what is whole in a broken manifest. Used by `repair` alone.

use std::collections::{BTreeMap, HashSet};

use prost::Message as _;
use ulid::Ulid;

use crate::deletion::Deletion;
use crate::files::Place;
use crate::segment::SegmentMeta;

use super::edit::Edit;
use super::{FILE, frame_at};

/// What the whole edits of a manifest say. Any edit may be missing, so it is a hint and no list.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    /// Segments that were listed at some time.
    pub(crate) known: BTreeMap<Ulid, SegmentMeta>,
    /// Segments that were replaced or let go.
    pub(crate) removed: HashSet<Ulid>,
    /// Deletes, done or not.
    pub(crate) deletions: BTreeMap<Ulid, Deletion>,
    /// Every frame of the log up to this one was in segments.
    pub(crate) wal_through: u64,
    /// No record in segments had this id or a higher one.
    pub(crate) next_record_id: u64,
    /// The file of the log that begins with this frame was begun; 0 when nothing says so.
    pub(crate) log_begun: u64,
}

/// Reads every whole edit, also behind damage. What cannot be read says nothing.
pub(crate) fn salvage(folder: &Place) -> Salvaged {
    let bytes = folder.join(FILE).read_what_can_be().unwrap_or_default();
    let (mut salvaged, mut offset) = (Salvaged::default(), HEADER_BYTES);
    while offset < bytes.len() {
        let Some((body, next)) = frame_at(&bytes, offset) else {
            offset += 1;
            continue;
        };
        if let Ok(edit) = Edit::decode(body) {
            salvaged.add(&edit);
        }
        offset = next;
    }
    salvaged
}

// === impl Salvaged ===

impl Salvaged {
    fn add(&mut self, edit: &Edit) {
        let ((added, removed), (deletions, forgotten)) = (edit.segments(), edit.deletions());
        let [wal_through, next_record_id, log_begun] = edit.numbers();
        self.removed.extend(removed);
        for meta in added {
            // A segment whose index was made again goes and comes with one edit.
            self.removed.remove(&meta.id);
            self.known.insert(meta.id, meta);
        }
        self.deletions.extend(deletions.into_iter().map(|deletion| (deletion.id, deletion)));
        forgotten.iter().for_each(|id| drop(self.deletions.remove(id)));
        self.wal_through = self.wal_through.max(wal_through);
        self.next_record_id = self.next_record_id.max(next_record_id);
        self.log_begun = self.log_begun.max(log_begun);
    }
}

/// The store that the manifest in `folder` belongs to, when its header is whole.
pub(crate) fn store_of(folder: &Place) -> Option<[u8; 16]> {
    let bytes = folder.join(FILE).read_what_can_be().ok()?;
    let store = bytes.get(8..24)?.try_into().ok()?;
    (bytes.get(..HEADER_BYTES)? == super::header(store)).then_some(store)
}

const HEADER_BYTES: usize = 28;
