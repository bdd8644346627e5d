//! Segments that the list names and that could not be opened. Their files take room and have an age like those of others.
//!
//! Owns what the list says of them, by which alone they can go; and that their files stay as long as a snapshot names them, since a backup may
//! copy them. What is wrong with their files is for `throughline check` to say.

use std::collections::BTreeSet;
use std::sync::Arc;

use ulid::Ulid;

use crate::segment::{Segment, SegmentMeta};

use super::super::Signal;
use super::{LetGo, State, Tables};

/// A segment of which rows are missing from answers.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) signal: Signal,
    pub(crate) id: Ulid,
    /// In a sentence that names it.
    pub(crate) why: String,
    /// What the list says of it, where it could not be opened at all.
    pub(crate) unopened: Option<Arc<SegmentMeta>>,
}

/// The segment that goes first where room is needed.
#[derive(Debug)]
pub(crate) enum Oldest {
    Open(Arc<Segment>),
    Unopened(Arc<SegmentMeta>),
}

// === impl Tables ===

impl Tables {
    /// The segment whose newest row is the oldest.
    pub(crate) fn oldest(&self) -> Option<Oldest> {
        let state = self.state.lock();
        let age = |meta: &SegmentMeta| (meta.max_time, meta.id);
        let open = state.all().min_by_key(|segment| age(segment.meta()));
        let unopened = state.unopened().min_by_key(|meta| age(meta));
        match (open, unopened) {
            (Some(open), Some(unopened)) if age(unopened) < age(open.meta()) => Some(Oldest::Unopened(unopened.clone())),
            (Some(open), _) => Some(Oldest::Open(open.clone())),
            (None, unopened) => unopened.cloned().map(Oldest::Unopened),
        }
    }

    /// Segments that are listed and could not be opened.
    pub(crate) fn unopened(&self) -> Vec<Arc<SegmentMeta>> {
        self.state.lock().unopened().cloned().collect()
    }

    /// Has segments that could not be opened and are not listed any more be missed no longer. Their files become removable when nobody needs
    /// them.
    pub(crate) fn forget(&self, gone: &[Arc<SegmentMeta>], why: LetGo) {
        let ids: BTreeSet<Ulid> = gone.iter().map(|meta| meta.id).collect();
        self.change(|state| {
            for meta in gone {
                self.meters.let_go(meta.signal, why, meta.rows);
            }
            state.leaving.extend(state.unreadable.extract_if(.., |known| ids.contains(&known.id)).filter_map(|known| known.unopened));
        });
    }

    /// Takes those of them that nobody needs any more.
    pub(crate) fn removable_unopened(&self) -> Vec<Arc<SegmentMeta>> {
        // They are in no current snapshot, so a count of one cannot grow again.
        self.state.lock().leaving.extract_if(.., |meta| Arc::strong_count(meta) == 1).collect()
    }

    /// Takes one back whose files could not be removed.
    pub(crate) fn leave_again(&self, meta: Arc<SegmentMeta>) {
        self.state.lock().leaving.push(meta);
    }
}

// === impl State ===

impl State {
    pub(super) fn unopened(&self) -> impl Iterator<Item = &Arc<SegmentMeta>> {
        self.unreadable.iter().filter_map(|segment| segment.unopened.as_ref())
    }
}
