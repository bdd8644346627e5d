//! One change of the manifest and its protobuf form.

use ulid::Ulid;

use crate::model::UnixNanos;
use crate::segment::SegmentMeta;
use crate::store::Signal;

use crate::deletion::Deletion;

use super::{Contents, Written, deletions};

/// What one edit changes, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Segments that exist from now on.
    pub(crate) add: Vec<SegmentMeta>,
    /// Segments that exist no longer.
    pub(crate) remove: Vec<Ulid>,
    /// Deletes as they are from now on.
    pub(crate) deletions: Vec<Deletion>,
    /// Deletes whose receipts are forgotten.
    pub(crate) forget: Vec<Ulid>,
    /// New value of [`Contents::wal_through`]; kept when lower.
    pub(crate) wal_through: u64,
    /// New value of [`Contents::next_record_id`]; kept when lower.
    pub(crate) next_record_id: u64,
    /// New value of [`Contents::log_begun`]; kept when lower. When there is one, the log goes on: [`Contents::log_ended`] is known no more.
    pub(crate) log_begun: u64,
    /// New value of [`Contents::log_ended`].
    pub(crate) log_ended: u64,
    /// New value of [`Contents::written`]; when there is none, what is added and removed says what was written.
    pub(crate) written: Option<Written>,
}

/// The stored form. Numbers of fields are never given twice.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Edit {
    #[prost(message, repeated, tag = "1")]
    add: Vec<Entry>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    remove: Vec<Vec<u8>>,
    #[prost(uint64, tag = "3")]
    wal_through: u64,
    #[prost(uint64, tag = "4")]
    next_record_id: u64,
    /// [`PLAIN_FORM`] or [`DELETING_FORM`], so that no edit is empty and one of another form is not misread: a program that knows nothing
    /// of deletes must not take deleted rows for rows.
    #[prost(uint32, tag = "5")]
    form: u32,
    #[prost(message, repeated, tag = "6")]
    deletions: Vec<deletions::Entry>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    forget: Vec<Vec<u8>>,
    #[prost(uint64, tag = "8")]
    log_begun: u64,
    #[prost(uint64, tag = "9")]
    log_ended: u64,
    /// [`Written::to_numbers`], in an edit that holds everything.
    #[prost(uint64, repeated, tag = "10")]
    written: Vec<u64>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    /// 0 traces, 1 logs.
    #[prost(uint32, tag = "2")]
    signal: u32,
    #[prost(uint32, tag = "3")]
    level: u32,
    #[prost(uint64, tag = "4")]
    rows: u64,
    #[prost(uint64, tag = "5")]
    min_time: u64,
    #[prost(uint64, tag = "6")]
    max_time: u64,
    #[prost(uint64, tag = "7")]
    parquet_bytes: u64,
    #[prost(uint64, tag = "8")]
    index_bytes: u64,
    #[prost(fixed32, tag = "9")]
    parquet_crc: u32,
    #[prost(fixed32, tag = "10")]
    index_crc: u32,
}

// === impl Change ===

impl Change {
    /// Makes nothing into `contents`.
    pub(super) fn all(contents: &Contents) -> Self {
        Self {
            add: contents.segments.values().cloned().collect(),
            remove: Vec::new(),
            deletions: contents.deletions.values().cloned().collect(),
            forget: Vec::new(),
            wal_through: contents.wal_through,
            next_record_id: contents.next_record_id,
            log_begun: contents.log_begun,
            log_ended: contents.log_ended,
            written: Some(contents.written),
        }
    }
}

// === impl Edit ===

impl From<Change> for Edit {
    fn from(change: Change) -> Self {
        let deleting = !change.deletions.is_empty() || !change.forget.is_empty();
        Self {
            add: change.add.into_iter().map(Entry::from).collect(),
            remove: change.remove.iter().map(|id| id.to_bytes().to_vec()).collect(),
            wal_through: change.wal_through,
            next_record_id: change.next_record_id,
            log_begun: change.log_begun,
            log_ended: change.log_ended,
            written: change.written.map(Written::to_numbers).unwrap_or_default(),
            form: if deleting { DELETING_FORM } else { PLAIN_FORM },
            deletions: change.deletions.iter().map(deletions::Entry::from).collect(),
            forget: change.forget.iter().map(|id| id.to_bytes().to_vec()).collect(),
        }
    }
}

impl Edit {
    /// The segments that it adds and those that it removes, as far as they can be understood.
    pub(super) fn segments(&self) -> (Vec<SegmentMeta>, Vec<Ulid>) {
        (self.add.iter().filter_map(Entry::meta).collect(), self.remove.iter().filter_map(|id| ulid(id)).collect())
    }

    /// The deletes that it records and those that it forgets, likewise.
    pub(super) fn deletions(&self) -> (Vec<Deletion>, Vec<Ulid>) {
        (self.deletions.iter().filter_map(deletions::Entry::deletion).collect(), self.forget.iter().filter_map(|id| ulid(id)).collect())
    }

    /// New values of what is counted: [`Contents::wal_through`], `next_record_id` and `log_begun`.
    pub(super) fn numbers(&self) -> [u64; 3] {
        [self.wal_through, self.next_record_id, self.log_begun]
    }

    /// Whether it says how much was written before it.
    pub(super) fn tells_written(&self) -> bool {
        !self.written.is_empty()
    }

    /// Whether it replaces segments by themselves.
    fn only_reindexes(&self) -> bool {
        !self.remove.is_empty() && self.add.iter().all(|entry| self.remove.contains(&entry.id))
    }

    /// `None` when a value is out of its range or a removed segment is not there.
    pub(super) fn apply(&self, contents: &mut Contents) -> Option<()> {
        if ![PLAIN_FORM, DELETING_FORM].contains(&self.form) {
            return None;
        }
        for id in &self.remove {
            contents.segments.remove(&ulid(id)?)?;
        }
        let added: Vec<SegmentMeta> = self.add.iter().map(Entry::meta).collect::<Option<_>>()?;
        match self.written.as_slice() {
            [] if !self.only_reindexes() => contents.written.add(&added, self.remove.is_empty()),
            [] => {}
            numbers => contents.written = Written::from_numbers(numbers)?,
        }
        contents.segments.extend(added.into_iter().map(|meta| (meta.id, meta)));
        for entry in &self.deletions {
            let deletion = entry.deletion()?;
            contents.deletions.insert(deletion.id, deletion);
        }
        for id in &self.forget {
            contents.deletions.remove(&ulid(id)?);
        }
        contents.wal_through = contents.wal_through.max(self.wal_through);
        contents.next_record_id = contents.next_record_id.max(self.next_record_id);
        contents.log_begun = contents.log_begun.max(self.log_begun);
        if self.log_begun > 0 || self.log_ended > 0 {
            contents.log_ended = self.log_ended;
        }
        Some(())
    }
}

// === impl Entry ===

impl From<SegmentMeta> for Entry {
    fn from(meta: SegmentMeta) -> Self {
        Self {
            id: meta.id.to_bytes().to_vec(),
            signal: u32::from(meta.signal == Signal::Logs),
            level: meta.level.into(),
            rows: meta.rows,
            min_time: meta.min_time.get(),
            max_time: meta.max_time.get(),
            parquet_bytes: meta.parquet_bytes,
            index_bytes: meta.index_bytes,
            parquet_crc: meta.parquet_crc,
            index_crc: meta.index_crc,
        }
    }
}

impl Entry {
    fn meta(&self) -> Option<SegmentMeta> {
        Some(SegmentMeta {
            id: ulid(&self.id)?,
            signal: match self.signal {
                0 => Signal::Traces,
                1 => Signal::Logs,
                _ => return None,
            },
            level: u8::try_from(self.level).ok()?,
            rows: self.rows,
            min_time: UnixNanos::new(self.min_time),
            max_time: UnixNanos::new(self.max_time),
            parquet_bytes: self.parquet_bytes,
            index_bytes: self.index_bytes,
            parquet_crc: self.parquet_crc,
            index_crc: self.index_crc,
        })
    }
}

pub(super) fn ulid(bytes: &[u8]) -> Option<Ulid> {
    bytes.try_into().ok().map(Ulid::from_bytes)
}

const PLAIN_FORM: u32 = 1;
const DELETING_FORM: u32 = 2;
