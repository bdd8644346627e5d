//! Deletes: what was asked to be forgotten, and what has become of it.
//!
//! Owns the request, its durable form and its receipt. Which rows it means is found by `query::selection`, hiding and rewriting them is
//! done by `store` and `flush`. A delete covers what was stored when it was asked for, not what comes later.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::store::Signal;

/// What is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteWhat {
    /// Every span and every log record of these traces, at most 1,000.
    Traces(Vec<TraceId>),
    /// The spans or log records that a search in a window of time would match.
    Matching {
        /// Which table.
        signal: Signal,
        /// In the query language; empty means all.
        query: String,
        /// Times of the rows.
        range: TimeRange,
    },
}

/// What became of a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteReceipt {
    /// Names it: 26 letters and digits.
    pub id: String,
    /// What was to be deleted.
    pub what: DeleteWhat,
    /// When it was asked for.
    pub asked: UnixNanos,
    /// Spans deleted, as stored: one that was received twice may count twice.
    pub spans: u64,
    /// Log records deleted.
    pub logs: u64,
    /// When no file held any of them any more; `None` while they are only hidden from every question.
    pub done: Option<UnixNanos>,
}

/// A delete as the manifest keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) id: Ulid,
    pub(crate) what: DeleteWhat,
    pub(crate) asked: UnixNanos,
    /// Spans and log records.
    pub(crate) rows: [u64; 2],
    /// Segments that held some of the rows when it was asked for.
    pub(crate) segments: BTreeSet<Ulid>,
    /// No frame of the log after this one holds any of the rows.
    pub(crate) wal_through: u64,
    pub(crate) done: Option<UnixNanos>,
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The request cannot be understood. Ask differently.
    #[error("{0}")]
    Invalid(String),
    /// The store cannot do it now. Try again later, or look at its state.
    #[error("{0}; nothing was deleted")]
    Unavailable(String),
    /// Finding the rows failed.
    #[error("{0}; nothing was deleted")]
    Query(#[from] crate::query::QueryError),
}

/// The last frame of the log before any of these deletes, of those that deleted spans and of those that deleted log records.
pub(crate) fn deleted_through(deletions: &BTreeMap<Ulid, Deletion>) -> [u64; 2] {
    [Signal::Traces, Signal::Logs].map(|signal| {
        let of_signal = deletions.values().filter(|deletion| deletion.signals().any(|of| of == signal));
        of_signal.map(|deletion| deletion.wal_through).max().unwrap_or(0)
    })
}

// === impl Deletion ===

impl Deletion {
    /// The tables of which it deleted rows.
    pub(crate) fn signals(&self) -> impl Iterator<Item = Signal> + use<> {
        [Signal::Traces, Signal::Logs].into_iter().zip(self.rows).filter(|(_, rows)| *rows > 0).map(|(signal, _)| signal)
    }

    pub(crate) fn receipt(&self) -> DeleteReceipt {
        let [spans, logs] = self.rows;
        DeleteReceipt { id: self.id.to_string(), what: self.what.clone(), asked: self.asked, spans, logs, done: self.done }
    }
}

// === impl DeleteWhat ===

impl DeleteWhat {
    /// Which tables it is about.
    pub(crate) fn signals(&self) -> &'static [Signal] {
        match self {
            Self::Traces(_) => &[Signal::Traces, Signal::Logs],
            Self::Matching { signal: Signal::Traces, .. } => &[Signal::Traces],
            Self::Matching { signal: Signal::Logs, .. } => &[Signal::Logs],
        }
    }

    /// Refuses what can mean nothing.
    pub(crate) fn check(&self) -> Result<(), DeleteError> {
        match self {
            Self::Traces(ids) if ids.is_empty() => Err(DeleteError::Invalid("name at least one trace".to_owned())),
            Self::Traces(ids) if ids.len() > MAX_TRACES => {
                Err(DeleteError::Invalid(format!("{} traces are too many; delete at most {MAX_TRACES} at once", ids.len())))
            }
            Self::Matching { query, .. } if query.len() > MAX_QUERY_BYTES => {
                Err(DeleteError::Invalid(format!("the query has more than {MAX_QUERY_BYTES} bytes")))
            }
            Self::Matching { signal, query, .. } => {
                crate::query::check(*signal, query).map_err(|error| DeleteError::Query(crate::query::QueryError::Parse(error)))
            }
            Self::Traces(_) => Ok(()),
        }
    }
}

const MAX_TRACES: usize = 1_000;
const MAX_QUERY_BYTES: usize = 8 << 10;

/// Deletes that are not physically done yet, at most.
pub(crate) const MAX_PENDING: usize = 100;
/// Receipts of done deletes that are kept, the newest.
pub(crate) const MAX_RECEIPTS: usize = 1_000;
