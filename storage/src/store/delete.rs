//! Deletes: found, recorded and hidden before they are answered; removed from the disk soon after, by `store::merge`.
//!
//! Everything in memory is written to segments first. So a delete is about rows of segments alone, and the log, which is replayed only
//! beyond what segments hold, never brings a row back.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ulid::Ulid;

use crate::deletion::{DeleteError, DeleteReceipt, DeleteWhat, Deletion, MAX_PENDING};
use crate::flush::KeepError;
use crate::query::{self, Control, QueryError, Selected, Weight};
use crate::segment::{RowRanges, Segment, union_rows};

use super::open::chain;
use super::{Inner, Signal, Store};

/// Tries until nothing is merged meanwhile.
const ATTEMPTS: usize = 20;
/// How long it may take at start to find the rows of one segment that were deleted.
const FINDING_AGAIN: Duration = Duration::from_secs(600);

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

impl Inner {
    fn delete(&self, what: &DeleteWhat, control: &Control) -> Result<DeleteReceipt, DeleteError> {
        let pending = self.keeper.deletions().iter().filter(|deletion| deletion.done.is_none()).count();
        if pending >= MAX_PENDING {
            return Err(DeleteError::Unavailable(format!("{pending} deletes are still being carried out; try again later")));
        }
        let asked = self.clock.now();
        let wal_through = self.flush_all()?;
        let first: HashSet<Ulid> = self.segments().iter().map(|segment| segment.meta().id).collect();
        for _ in 0..ATTEMPTS {
            // What a flush has added since holds nothing that was there when it was asked for; what was merged since may.
            let mut segments = self.segments();
            segments.retain(|segment| segment.meta().level > 0 || first.contains(&segment.meta().id));
            let found = self.find(what, &segments, control)?;
            let mut deletion = Deletion {
                id: self.keeper.folder().tmp().fresh_id(),
                what: what.clone(),
                asked,
                rows: [rows(&found, Signal::Traces), rows(&found, Signal::Logs)],
                segments: found.iter().map(|(segment, _)| segment.meta().id).collect(),
                wal_through,
                done: None,
            };
            if found.is_empty() {
                deletion.done = Some(asked);
            }
            let hidden: Vec<_> =
                found.into_iter().map(|(segment, rows)| (segment.clone(), union_rows(rows, segment.hidden().clone()))).collect();
            if self.keeper.delete(deletion.clone(), &hidden).map_err(|error| unavailable(&error))? {
                if deletion.done.is_none() {
                    self.wal.rotate();
                }
                deletion.signals().for_each(|signal| self.requests.forget(signal));
                tracing::info!(id = %deletion.id, spans = deletion.rows[0], logs = deletion.rows[1], "rows were deleted as asked");
                return Ok(deletion.receipt());
            }
        }
        Err(DeleteError::Unavailable("segments are being merged all the time; try again".to_owned()))
    }

    /// Writes everything that is in memory now to segments, and says up to which frame of the log that is.
    fn flush_all(&self) -> Result<u64, DeleteError> {
        let wanted = self.tables.last_seq();
        loop {
            // The first flush may be of rows that an earlier one could not write.
            let through = self.flush().map_err(|error| not_written(&error))?;
            if through >= wanted {
                return Ok(through);
            }
        }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        let snapshot = self.snapshot.load();
        snapshot.spans.segments.iter().chain(&snapshot.logs.segments).cloned().collect()
    }

    fn find(&self, what: &DeleteWhat, segments: &[Arc<Segment>], control: &Control) -> Result<Vec<(Arc<Segment>, RowRanges)>, DeleteError> {
        let unreadable = |signal: Signal| self.snapshot.load().table(signal).unreadable.first().cloned();
        let mut found = Vec::new();
        for signal in what.signals() {
            if let Some(why) = unreadable(*signal) {
                return Err(DeleteError::Unavailable(format!(
                    "some of it may be where nothing can be read: {why}; run `throughline check`"
                )));
            }
            let mine: Vec<Arc<Segment>> = segments.iter().filter(|segment| segment.meta().signal == *signal).cloned().collect();
            let mut selected = select(what, *signal, &mine, control)?;
            found.extend(mine.into_iter().filter_map(|segment| selected.remove(&segment.meta().id).map(|rows| (segment, rows))));
        }
        Ok(found)
    }
}

/// The rows of `segments`, all of one table, that a delete means.
pub(super) fn select(what: &DeleteWhat, signal: Signal, segments: &[Arc<Segment>], control: &Control) -> Result<Selected, QueryError> {
    match what {
        DeleteWhat::Traces(ids) => query::rows_of_traces(segments, signal, ids.clone(), control),
        DeleteWhat::Matching { query, range, .. } => query::rows_matching(segments, signal, query, *range, control),
    }
}

/// The rows of a segment that deletes have hidden before a restart. When that cannot be found out it is all of them, with the reason.
pub(super) fn hidden_before(segment: &Arc<Segment>, deletions: &BTreeMap<Ulid, Deletion>) -> (RowRanges, Option<String>) {
    let meta = segment.meta();
    let mut hidden = RowRanges::new();
    for deletion in deletions.values().filter(|deletion| deletion.done.is_none() && deletion.segments.contains(&meta.id)) {
        if !deletion.what.signals().contains(&meta.signal) {
            continue;
        }
        match select(&deletion.what, meta.signal, std::slice::from_ref(segment), &Control::new(FINDING_AGAIN)) {
            Ok(mut found) => hidden = union_rows(hidden, found.remove(&meta.id).unwrap_or_default()),
            Err(error) => {
                return (
                    segment.every_row(),
                    Some(format!("{} rows of {} are hidden, some of them deleted: {error}", meta.rows, meta.signal.as_str())),
                );
            }
        }
    }
    (hidden, None)
}

fn rows(found: &[(Arc<Segment>, RowRanges)], signal: Signal) -> u64 {
    let mine = found.iter().filter(|(segment, _)| segment.meta().signal == signal);
    mine.flat_map(|(_, rows)| rows).map(|range| range.len() as u64).sum()
}

/// Rows in memory can only be hidden once they are in segments: a start would bring them back from the log.
fn not_written(error: &KeepError) -> DeleteError {
    let why = chain(error);
    DeleteError::Unavailable(format!(
        "rows in memory are written to segments before anything is deleted, and they could not be: {why}; make room on the disk of the \
         data folder, or let go by age with a shorter retention, then delete again"
    ))
}

fn unavailable(error: &KeepError) -> DeleteError {
    DeleteError::Unavailable(chain(error))
}
