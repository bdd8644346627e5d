//! Deletes: found, recorded and hidden before they are answered; removed from the disk soon after, by `store::merge`.
//!
//! Everything in memory is written to segments first. So a delete is about rows of segments alone, and the log, which is replayed only
//! beyond what segments hold, never brings a row back. On a full disk that fails: then a delete of which nothing is in memory goes ahead
//! all the same, because it makes room.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use crate::deletion::{DeleteError, DeleteReceipt, DeleteWhat, Deletion, MAX_PENDING};
use crate::flush::KeepError;
use crate::model::UnixNanos;
use crate::query::{self, Among, Control, QueryError, Selected, Weight};
use crate::segment::{RowRanges, Segment, union_rows};
use crate::snapshot::{Snapshot, TableSnapshot};

use super::open::chain;
use super::{Inner, Signal, Store};

/// Tries until nothing is merged meanwhile.
const ATTEMPTS: usize = 20;
/// How long it may take at start to find the rows of one segment that were deleted.
const FINDING_AGAIN: Duration = Duration::from_secs(600);

/// What there was when a delete was asked for.
#[derive(Debug)]
pub(super) struct Before {
    asked: UnixNanos,
    /// The frame of the log up to which segments went.
    through: u64,
    /// Why some of it stayed in memory.
    unwritten: Option<KeepError>,
    segments: HashSet<Ulid>,
}

// === impl Store ===

impl Store {
    /// Deletes what is stored of `what` now. When this returns no question finds it any more, and a crash does not bring it back; the
    /// receipt says when it is gone from the disk.
    ///
    /// # Errors
    /// When nothing was deleted.
    pub async fn delete(&self, what: DeleteWhat) -> Result<DeleteReceipt, DeleteError> {
        what.check()?;
        let inner = self.inner.clone();
        let work = move |control: &Control| Ok(inner.delete(&what, control));
        self.inner.engine.run("delete", Weight::Heavy, work).await?
    }

    /// What became of a delete; `None` when it is not known, or not any more.
    #[must_use]
    pub fn deletion(&self, id: &str) -> Option<DeleteReceipt> {
        let id = Ulid::from_string(id).ok()?;
        self.inner.keeper.deletions().into_iter().find(|deletion| deletion.id == id).map(|deletion| deletion.receipt())
    }

    /// All deletes that are known, the newest first.
    #[must_use]
    pub fn deletions(&self) -> Vec<DeleteReceipt> {
        self.inner.keeper.deletions().iter().rev().map(Deletion::receipt).collect()
    }
}

// === impl Inner ===

impl Inner {
    fn delete(&self, what: &DeleteWhat, control: &Control) -> Result<DeleteReceipt, DeleteError> {
        let pending = self.keeper.deletions().iter().filter(|deletion| deletion.done.is_none()).count();
        if pending >= MAX_PENDING {
            return Err(DeleteError::Unavailable(format!("{pending} deletes are still being carried out; try again later")));
        }
        let before = self.before()?;
        for _ in 0..ATTEMPTS {
            if let Some(deletion) = self.attempt(what, &before, control)? {
                return Ok(deletion.receipt());
            }
        }
        Err(DeleteError::Unavailable("segments are being merged all the time; try again".to_owned()))
    }

    /// Brings what is stored now to segments, and says which they are.
    pub(super) fn before(&self) -> Result<Before, DeleteError> {
        let _open = self.stay_open().ok_or_else(closing)?;
        let asked = self.clock.now();
        let (through, unwritten) = self.flush_all();
        let snapshot = self.snapshot.load();
        let segments = snapshot.spans.segments.iter().chain(&snapshot.logs.segments).map(|segment| segment.meta().id).collect();
        Ok(Before { asked, through, unwritten, segments })
    }

    /// Finds the rows and records the delete; `None` when some of their segments were replaced meanwhile.
    pub(super) fn attempt(&self, what: &DeleteWhat, before: &Before, control: &Control) -> Result<Option<Deletion>, DeleteError> {
        // One moment of memory and segments: rows that could not be written at first are in one or the other whenever they are.
        let snapshot = self.snapshot.load_full();
        // Asked for after that, so that it goes as far as those segments.
        let wal_through = if before.unwritten.is_some() { self.tables.flushed_through() } else { before.through };
        let found = self.find(what, &snapshot, before, control)?;
        let mut deletion = Deletion {
            id: self.keeper.folder().tmp().fresh_id(),
            what: what.clone(),
            asked: before.asked,
            rows: [rows(&found, Signal::Traces), rows(&found, Signal::Logs)],
            segments: found.iter().map(|(segment, _)| segment.meta().id).collect(),
            wal_through,
            done: None,
        };
        if found.is_empty() {
            deletion.done = Some(before.asked);
        }
        let hidden: Vec<_> =
            found.into_iter().map(|(segment, rows)| (segment.clone(), union_rows(rows, segment.hidden().clone()))).collect();
        // Finding them may take long, which nobody who closes the store waits for.
        let _open = self.stay_open().ok_or_else(closing)?;
        if !self.record(&deletion, &hidden).map_err(|error| unavailable(&error))? {
            return Ok(None);
        }
        if deletion.done.is_none() {
            self.wal.rotate();
        }
        deletion.signals().for_each(|signal| self.requests.forget(signal));
        tracing::info!(id = %deletion.id, spans = deletion.rows[0], logs = deletion.rows[1], "rows were deleted as asked");
        Ok(Some(deletion))
    }

    /// Writes everything that is in memory now to segments, and says up to which frame of the log segments go, and why no further.
    fn flush_all(&self) -> (u64, Option<KeepError>) {
        let wanted = self.tables.last_seq();
        loop {
            // The first flush may be of rows that an earlier one could not write.
            match self.flush() {
                Ok(through) if through >= wanted => return (through, None),
                Ok(_) => {}
                Err(error) => return (self.tables.flushed_through(), Some(error)),
            }
        }
    }

    /// Records a delete, on a full disk in the space that is set aside for it.
    fn record(&self, deletion: &Deletion, hidden: &[(Arc<Segment>, RowRanges)]) -> Result<bool, KeepError> {
        match self.keeper.delete(deletion.clone(), hidden) {
            Err(error) if error.is_for_want_of_room() && self.reserve.give_up() => self.keeper.delete(deletion.clone(), hidden),
            recorded => recorded,
        }
    }

    /// The rows of segments that a delete means. Rows in memory that could not be written must not be among them.
    fn find(
        &self,
        what: &DeleteWhat,
        snapshot: &Snapshot,
        before: &Before,
        control: &Control,
    ) -> Result<Vec<(Arc<Segment>, RowRanges)>, DeleteError> {
        let unreadable = |signal: Signal| snapshot.table(signal).unreadable.first().cloned();
        let mut found = Vec::new();
        for signal in what.signals() {
            if let Some(why) = unreadable(*signal) {
                return Err(DeleteError::Unavailable(format!(
                    "some of it may be where nothing can be read: {why}; run `throughline check`"
                )));
            }
            let mine: Vec<Arc<Segment>> =
                snapshot.table(*signal).segments.iter().filter(|segment| before.may_hold(segment)).cloned().collect();
            let buffered = if before.unwritten.is_some() { snapshot.table(*signal).buffered.clone() } else { Vec::new() };
            let table = TableSnapshot { buffered, segments: mine.clone(), ..TableSnapshot::default() };
            let mut selected = select(what, &Among::new(*signal, table, snapshot.versions.clone()), control)?;
            if let Some(error) = before.unwritten.as_ref().filter(|_| selected.in_memory) {
                return Err(not_written(error));
            }
            found.extend(mine.into_iter().filter_map(|segment| selected.rows.remove(&segment.meta().id).map(|rows| (segment, rows))));
        }
        Ok(found)
    }
}

// === impl Before ===

impl Before {
    /// Whether a segment may hold some of it. What a flush has added since does not, unless some of it was still in memory; what was merged
    /// since may.
    fn may_hold(&self, segment: &Segment) -> bool {
        self.unwritten.is_some() || segment.meta().level > 0 || self.segments.contains(&segment.meta().id)
    }
}

/// The rows of a table that a delete means.
fn select(what: &DeleteWhat, among: &Among, control: &Control) -> Result<Selected, QueryError> {
    match what {
        DeleteWhat::Traces(ids) => query::rows_of_traces(among, ids.clone(), control),
        DeleteWhat::Matching { query, range, .. } => query::rows_matching(among, query, *range, control),
    }
}

/// The rows of segments of one table that deletes have hidden before a restart, by segment. Where that cannot be found out it is all of
/// them, with the reason.
pub(super) fn hidden_before(
    signal: Signal,
    segments: &[Arc<Segment>],
    deletions: &BTreeMap<Ulid, Deletion>,
) -> BTreeMap<Ulid, (RowRanges, Option<String>)> {
    let mut hidden: BTreeMap<Ulid, (RowRanges, Option<String>)> = BTreeMap::new();
    let is_pending = |deletion: &&Deletion| deletion.done.is_none() && deletion.what.signals().contains(&signal);
    for deletion in deletions.values().filter(is_pending) {
        // What came after the delete says nothing of the versions that it was about.
        let before = |segment: &&Arc<Segment>| segment.meta().id < deletion.id || deletion.segments.contains(&segment.meta().id);
        let there: Vec<Arc<Segment>> = segments.iter().filter(before).cloned().collect();
        let named: BTreeSet<Ulid> = there.iter().map(|segment| segment.meta().id).filter(|id| deletion.segments.contains(id)).collect();
        if named.is_empty() {
            continue;
        }
        let find = |segments: Vec<Arc<Segment>>, named: BTreeSet<Ulid>| {
            let table = TableSnapshot { segments, ..TableSnapshot::default() };
            select(&deletion.what, &Among::new(signal, table, Arc::default()).of(named), &Control::new(FINDING_AGAIN))
        };
        let mut found = match find(there.clone(), named.clone()) {
            Ok(found) => found.rows.into_iter().map(|(id, rows)| (id, (rows, None))).collect(),
            // One that cannot be read must not keep the others from being judged, each by itself.
            Err(_) => named.iter().filter_map(|id| there.iter().find(|segment| segment.meta().id == *id)).map(alone(&find)).collect(),
        };
        hidden_too(&mut hidden, &mut found);
    }
    hidden
}

/// Judges one segment without the others.
fn alone(
    find: &impl Fn(Vec<Arc<Segment>>, BTreeSet<Ulid>) -> Result<Selected, QueryError>,
) -> impl Fn(&Arc<Segment>) -> (Ulid, (RowRanges, Option<String>)) {
    move |segment| {
        let meta = segment.meta();
        let judged = match find(vec![segment.clone()], BTreeSet::from([meta.id])) {
            Ok(mut found) => (found.rows.remove(&meta.id).unwrap_or_default(), None),
            Err(error) => {
                let fault = format!("{} rows of {} are hidden, some of them deleted: {error}", meta.rows, meta.signal.as_str());
                (segment.every_row(), Some(fault))
            }
        };
        (meta.id, judged)
    }
}

fn hidden_too(all: &mut BTreeMap<Ulid, (RowRanges, Option<String>)>, found: &mut BTreeMap<Ulid, (RowRanges, Option<String>)>) {
    for (id, (rows, fault)) in std::mem::take(found) {
        let known = all.entry(id).or_default();
        known.0 = union_rows(std::mem::take(&mut known.0), rows);
        known.1 = known.1.take().or(fault);
    }
}

fn rows(found: &[(Arc<Segment>, RowRanges)], signal: Signal) -> u64 {
    let mine = found.iter().filter(|(segment, _)| segment.meta().signal == signal);
    mine.flat_map(|(_, rows)| rows).map(|range| range.len() as u64).sum()
}

/// Rows in memory can only be hidden once they are in segments: a start would bring them back from the log.
fn not_written(error: &KeepError) -> DeleteError {
    let why = chain(error);
    DeleteError::Unavailable(format!(
        "some of the rows are in memory, which is written to segments before anything of it is deleted, and could not be: {why}; delete what is \
         older first, which makes room, with a window that ends a few minutes ago"
    ))
}

fn closing() -> DeleteError {
    DeleteError::Unavailable("the store is closing".to_owned())
}

fn unavailable(error: &KeepError) -> DeleteError {
    DeleteError::Unavailable(chain(error))
}
