//! The protobuf form of a delete.

use ulid::Ulid;

use crate::deletion::{DeleteWhat, Deletion};
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::store::Signal;

/// The stored form. Numbers of fields are never given twice.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    asked: u64,
    /// Ids one behind the other.
    #[prost(bytes = "vec", tag = "3")]
    traces: Vec<u8>,
    /// 0 for traces by id, 1 for spans and 2 for log records by a query.
    #[prost(uint32, tag = "4")]
    kind: u32,
    #[prost(string, tag = "5")]
    query: String,
    #[prost(uint64, tag = "6")]
    from: u64,
    #[prost(uint64, tag = "7")]
    to: u64,
    #[prost(uint64, tag = "8")]
    spans: u64,
    #[prost(uint64, tag = "9")]
    logs: u64,
    /// Ids one behind the other.
    #[prost(bytes = "vec", tag = "10")]
    segments: Vec<u8>,
    #[prost(uint64, tag = "11")]
    wal_through: u64,
    /// 0 while it is not done.
    #[prost(uint64, tag = "12")]
    done: u64,
}

// === impl Entry ===

impl From<&Deletion> for Entry {
    fn from(deletion: &Deletion) -> Self {
        let [spans, logs] = deletion.rows;
        let mut entry = Self {
            id: deletion.id.to_bytes().to_vec(),
            asked: deletion.asked.get(),
            spans,
            logs,
            segments: deletion.segments.iter().flat_map(Ulid::to_bytes).collect(),
            wal_through: deletion.wal_through,
            done: deletion.done.map_or(0, UnixNanos::get),
            ..Self::default()
        };
        match &deletion.what {
            DeleteWhat::Traces(ids) => entry.traces = ids.iter().flat_map(|id| *id.as_bytes()).collect(),
            DeleteWhat::Matching { signal, query, range } => {
                entry.kind = if *signal == Signal::Traces { 1 } else { 2 };
                entry.query.clone_from(query);
                (entry.from, entry.to) = (range.from.get(), range.to.get());
            }
        }
        entry
    }
}

impl Entry {
    /// `None` when a value is out of its range.
    pub(super) fn deletion(&self) -> Option<Deletion> {
        let matching = |signal| DeleteWhat::Matching {
            signal,
            query: self.query.clone(),
            range: TimeRange { from: UnixNanos::new(self.from), to: UnixNanos::new(self.to) },
        };
        Some(Deletion {
            id: super::edit::ulid(&self.id)?,
            what: match self.kind {
                0 => DeleteWhat::Traces(self.traces.chunks(16).map(TraceId::from_slice).collect::<Option<_>>()?),
                1 => matching(Signal::Traces),
                2 => matching(Signal::Logs),
                _ => return None,
            },
            asked: UnixNanos::new(self.asked),
            rows: [self.spans, self.logs],
            segments: self.segments.chunks(16).map(super::edit::ulid).collect::<Option<_>>()?,
            wal_through: self.wal_through,
            done: (self.done > 0).then(|| UnixNanos::new(self.done)),
        })
    }
}
