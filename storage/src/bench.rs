//! The parts of the store by themselves, for `benches/`: nothing else may use this, and it may change with any version.
//!
//! Owns nothing: every function is one call of what the store itself calls. Errors are texts, because a measurement only ends with them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::compaction::{self, Target};
use crate::files::Place;
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::otlp::{self, Context};
use crate::query::{Among, Control, rows_matching};
use crate::segment::{self, BundleWriter, Origin, RowRanges, SegmentMeta};
use crate::snapshot::TableSnapshot;
use crate::store::Signal;
use crate::text::IndexBuilder;
use crate::wal::{Next, Record, decode_frame, encode_frame};

/// What came of a measured step.
pub type Outcome<T> = Result<T, String>;

/// A decoded request.
#[derive(Clone, Debug)]
pub struct Columns(RecordBatch);

/// Decodes a request into columns.
///
/// # Errors
/// When it is no such request.
pub fn decode(signal: Signal, payload: &Bytes, now: UnixNanos) -> Outcome<Columns> {
    let context = Context { now, retention: None, first_record_id: 1 };
    otlp::decode(signal, payload, &context).map(|decoded| Columns(decoded.batch)).map_err(text)
}

/// Puts requests into frames of the log, as they are.
#[must_use]
pub fn frames(signal: Signal, payloads: &[Bytes], now: UnixNanos) -> Vec<u8> {
    let record = |payload: &Bytes| Record {
        signal,
        ingest_time: now,
        retention: u64::MAX,
        first_record_id: 1,
        accepted: 1,
        rejected: 0,
        hash: [0; 16],
        raw_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        compressed: false,
        payload: payload.clone(),
    };
    let mut file = Vec::new();
    (1_u64..).zip(payloads).for_each(|(seq, payload)| encode_frame(&mut file, 1, seq, 0, &record(payload)));
    file
}

/// Reads frames back, with their checksums; how many bytes of requests they hold.
#[must_use]
pub fn read_frames(file: &Bytes) -> usize {
    let (mut at, mut bytes) = (0, 0);
    while let Next::Frame(frame, next) = decode_frame(file, at, 1) {
        bytes += frame.record.payload.len();
        at = next;
    }
    bytes
}

/// Puts bodies of log records into an index of words, in a file of this name.
///
/// # Errors
/// When the file cannot be written.
pub fn index_words<'a>(path: &Path, bodies: impl Iterator<Item = &'a str>) -> Outcome<()> {
    let mut bundle = BundleWriter::create(Place::real(path)).map_err(text)?;
    let mut index = IndexBuilder::default();
    for body in bodies {
        index.push(Some(body), &mut bundle).map_err(text)?;
    }
    index.finish(&mut bundle).map_err(text)?;
    bundle.finish().map(drop).map_err(text)
}

/// A folder with segments.
#[derive(Debug)]
pub struct Folder {
    tmp: Place,
    seg: Place,
}

/// Segments of one signal.
#[derive(Debug)]
pub struct Segments(Vec<Arc<segment::Segment>>);

impl Folder {
    /// Uses an empty folder.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn new(path: &Path) -> Outcome<Self> {
        let folder = Self { tmp: Place::real(path.join("tmp")), seg: Place::real(path.join("seg")) };
        folder.tmp.create_folder().and_then(|()| folder.seg.create_folder()).map_err(text)?;
        Ok(folder)
    }

    /// Sorts requests and writes them as a flush does.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn write(&self, signal: Signal, requests: &[Columns]) -> Outcome<Segments> {
        let batches = requests.iter().map(|columns| columns.0.clone()).collect();
        let metas = segment::write(&self.tmp, &self.seg, signal, 0, Origin::default(), batches).map_err(text)?;
        self.open(metas)
    }

    /// Merges flushes, with all indexes.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn merge(&self, flushes: &Segments) -> Outcome<Segments> {
        let stop = AtomicBool::new(false);
        let metas = compaction::merge(&flushes.0, &Target::new(&self.tmp, &self.seg, &stop)).map_err(text)?;
        self.open(metas)
    }

    /// Removes the files of segments.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn remove(&self, segments: Segments) -> Outcome<()> {
        for segment in segments.0 {
            let meta = segment.meta();
            meta.parquet_path(&self.seg).remove().and_then(|()| meta.index_path(&self.seg).remove()).map_err(text)?;
        }
        Ok(())
    }

    fn open(&self, metas: Vec<SegmentMeta>) -> Outcome<Segments> {
        let open = |meta| segment::Segment::open(&self.seg, meta).map(Arc::new).map_err(text);
        metas.into_iter().map(open).collect::<Outcome<Vec<_>>>().map(Segments)
    }
}

impl Segments {
    /// Several as one.
    #[must_use]
    pub fn join(all: impl IntoIterator<Item = Self>) -> Self {
        Self(all.into_iter().flat_map(|segments| segments.0).collect())
    }

    /// Reads columns of all rows; how many rows there are.
    ///
    /// # Errors
    /// When files cannot be read.
    pub fn read(&self, columns: &[&str]) -> Outcome<usize> {
        let mut rows = 0;
        for segment in &self.0 {
            for batch in segment.read(columns, None).map_err(text)? {
                rows += batch.map_err(text)?.num_rows();
            }
        }
        Ok(rows)
    }

    /// How many rows of a trace the index of traces leaves.
    ///
    /// # Errors
    /// When files cannot be read.
    pub fn of_trace(&self, id: TraceId) -> Outcome<usize> {
        self.0.iter().map(|segment| segment.trace_rows(id).map(|rows| count(&rows)).map_err(text)).sum()
    }

    /// How many rows match a query: indexes leave some, which are read.
    ///
    /// # Errors
    /// When it is no query, or files cannot be read.
    pub fn matching(&self, signal: Signal, query: &str) -> Outcome<usize> {
        let table = TableSnapshot { segments: self.0.clone(), ..TableSnapshot::default() };
        let among = Among::new(signal, table, Arc::default());
        let found = rows_matching(&among, query, TimeRange::ALL, &Control::new(LONG)).map_err(text)?;
        Ok(found.rows.values().map(count).sum())
    }
}

const LONG: Duration = Duration::from_secs(60);

fn count(rows: &RowRanges) -> usize {
    rows.iter().map(ExactSizeIterator::len).sum()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
