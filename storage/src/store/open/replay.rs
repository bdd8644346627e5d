//! Reads the log back into memory: frames that no segment covers, decoded again as they were when they came.
//!
//! Owns what of a frame is known again beside its rows: ids of records, requests and their answers. Frames are decoded some at a time on two
//! threads, and take effect in their order.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::buffer::{Entry, Reach, Room, estimated_bytes};
use crate::error::OpenError;
use crate::files::Place;
use crate::flush::Keeper;
use crate::folder::Folder;
use crate::hands;
use crate::manifest::Contents;
use crate::memo::KnownRequest;
use crate::model::UnixNanos;
use crate::otlp::{self, Decoded};
use crate::requests::{REMEMBER_NANOS, Requests, appended};
use crate::wal::{self, Frame, Record, Replayed};

use super::super::append::{context_of, record_ids};
use super::super::{Signal, Tables};
use super::chain;

/// Reads the log back into memory.
pub(super) struct Replay<'a> {
    pub(super) contents: &'a Contents,
    pub(super) tables: Arc<Tables>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) room: Arc<Room>,
    pub(super) requests: Arc<Requests>,
    pub(super) next_record_id: Arc<AtomicU64>,
    pub(super) now: UnixNanos,
    /// The last frame before a delete, of spans and of log records: what frames up to it brought may be gone, so it may be sent again.
    pub(super) deleted_through: [u64; 2],
    /// A flush failed, most likely because the disk is full: everything stays in memory, which is bounded by what was once taken in.
    pub(super) flush_failed: Cell<bool>,
}

/// Frames that were read and are not decoded yet.
#[derive(Debug, Default)]
struct Ahead {
    frames: Vec<Frame>,
    /// Of their messages, before compression.
    bytes: usize,
}

const AHEAD_FRAMES: usize = 256;
const AHEAD_BYTES: usize = 8 << 20;

impl Replay<'_> {
    pub(super) fn run(&self, folder: &Folder) -> Result<Replayed, OpenError> {
        self.requests.recall(folder, self.now, self.deleted_through);
        let path = folder.wal();
        let mut ahead = Ahead::default();
        let replayed = wal::verify(&path, folder.id(), self.contents.log(), &mut |frame| {
            ahead.push(frame);
            if ahead.is_enough() { self.frames(std::mem::take(&mut ahead), &path) } else { Ok(()) }
        })?;
        self.frames(ahead, &path)?;
        let replayed = wal::settle(replayed)?;
        // The others are in segments.
        let frames = replayed.next_seq.saturating_sub(1).saturating_sub(self.contents.wal_through);
        if frames > 0 {
            tracing::info!(frames, size_bytes = self.tables.waiting().0, "the log was read back");
        }
        Ok(replayed)
    }

    /// Makes room while the log is read. Without success the store starts all the same and answers questions; flushing is tried again
    /// in the background.
    fn flush(&self) {
        if let Err(error) = self.keeper.flush(Reach::Full, || self.next_record_id.load(Ordering::Relaxed)) {
            tracing::warn!(error = chain(&error), "what is read back from the log cannot be written to segments; it stays in memory");
            self.flush_failed.set(true);
        }
    }

    fn deleted_through(&self, signal: Signal) -> u64 {
        let [spans, logs] = self.deleted_through;
        if signal == Signal::Traces { spans } else { logs }
    }

    fn frames(&self, ahead: Ahead, path: &Place) -> Result<(), OpenError> {
        let decoded = ahead.decode(self.contents.wal_through);
        let decoded = decoded.map_err(|detail| OpenError::Damaged { path: path.path().to_owned(), detail })?;
        ahead.frames.into_iter().zip(decoded).for_each(|(frame, decoded)| self.frame(frame, decoded));
        Ok(())
    }

    fn frame(&self, frame: Frame, decoded: Option<Decoded>) {
        let Frame { seq, record, .. } = frame;
        if record.signal == Signal::Logs {
            let next = record.first_record_id.saturating_add(record_ids(record.raw_len as usize));
            self.next_record_id.fetch_max(next, Ordering::Relaxed);
        }
        let Record { signal, hash, ingest_time: time, accepted, rejected, .. } = record;
        let request = KnownRequest { hash, seq, time, signal, accepted, rejected };
        let mut appended = appended(&request);
        if let Some(decoded) = decoded {
            let rows = decoded.batch.num_rows();
            if rows as u64 != appended.accepted {
                tracing::warn!(
                    wal.seq = seq,
                    rows,
                    expected = appended.accepted,
                    "a frame of the log holds another number of rows than it says"
                );
            }
            // Another version of this program may refuse for other reasons.
            if decoded.rejected == appended.rejected {
                (appended.message, appended.rejected_by) = (decoded.message, decoded.rejected_by);
            }
            appended.flaws = decoded.flaws;
            let room = self.room.force(estimated_bytes(record.raw_len as usize, rows));
            let is_due = self.tables.insert_again((seq, record.signal, Entry { batch: decoded.batch, room }));
            if is_due && !self.flush_failed.get() {
                self.flush();
            }
        }
        if self.now.since(time) <= REMEMBER_NANOS && self.deleted_through(signal) < seq {
            self.requests.remember(request, appended);
        }
    }
}

// === impl Ahead ===

impl Ahead {
    fn push(&mut self, frame: Frame) {
        self.bytes += frame.record.raw_len as usize;
        self.frames.push(frame);
    }

    fn is_enough(&self) -> bool {
        self.frames.len() >= AHEAD_FRAMES || self.bytes >= AHEAD_BYTES
    }

    /// The rows of each frame; none where segments have them. An error says what is wrong with which frame.
    fn decode(&self, wal_through: u64) -> Result<Vec<Option<Decoded>>, String> {
        let decode = |Frame { seq, record, .. }: &Frame| {
            if *seq <= wal_through {
                return Ok(None);
            }
            let payload = payload(record).map_err(|detail| format!("frame {seq}: {detail}"))?;
            let decoded = otlp::decode(record.signal, &payload, &context_of(record));
            decoded.map(Some).map_err(|error| format!("frame {seq}: {error}"))
        };
        match self.frames.as_slice() {
            many @ [_, _, ..] => hands::share(many.len(), |at| many.get(at).map_or(Ok(None), decode)),
            few => few.iter().map(decode).collect(),
        }
    }
}

/// The OTLP message of a frame.
pub(crate) fn payload(record: &Record) -> Result<Bytes, String> {
    if !record.compressed {
        // A copy: the payload is a part of the whole file, which the rows would keep in memory.
        return Ok(Bytes::copy_from_slice(&record.payload));
    }
    let raw = zstd::bulk::decompress(&record.payload, record.raw_len as usize).map_err(|error| error.to_string())?;
    if raw.len() == record.raw_len as usize { Ok(Bytes::from(raw)) } else { Err("its payload has another length than it says".to_owned()) }
}
