//! The way in: from an OTLP request to rows that are durable and visible.
//!
//! Owns the order of steps: known already? → room → decode → log, written and synced → buffer and snapshot → answer. From the log on,
//! everything happens on the log's thread, so a sender that hangs up cannot leave a request half done.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::arrivals;
use crate::buffer::{Entry, Reach, Reservation, estimated_bytes};
use crate::error::AppendError;
use crate::model::UnixNanos;
use crate::otlp::{self, Decoded};
use crate::requests::{Claim, Outcome, Passing, Ticket};
use crate::wal::{LEAST_FILE_BYTES, MAX_PAYLOAD, Record, Refusal};

use super::{Appended, Inner, RETRY_AFTER, Signal, Store, backlog};

/// Rows on their way through the log. Dropped without a word when the log refuses them.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) signal: Signal,
    pub(super) entry: Entry,
    pub(super) request: Passing,
    pub(super) visible: oneshot::Sender<()>,
}

/// A request that was decoded and is ready for the log.
struct Prepared {
    record: Record,
    batch: RecordBatch,
    appended: Appended,
    /// Who sent it.
    arrived: Vec<(String, UnixNanos)>,
}

// === impl Store ===

impl Store {
    /// Takes in one `ExportTraceServiceRequest` or `ExportLogsServiceRequest` in protobuf. Returns when what was accepted is
    /// durable and visible to queries. A request that was taken in during the last five minutes, byte for byte the same, gets the
    /// first one's answer and is not stored again.
    ///
    /// # Errors
    /// When nothing was stored; the error says whether to send again.
    pub async fn append(&self, signal: Signal, payload: Bytes) -> Result<Appended, AppendError> {
        let inner = &self.inner;
        // Taken before `closing` is read: close waits for it.
        let in_progress = inner.tasks.token();
        inner.check_writable()?;
        if payload.len() > MAX_PAYLOAD {
            return Err(AppendError::Malformed(format!("the request has more than {} MiB", MAX_PAYLOAD >> 20)));
        }
        if inner.config.max_disk_bytes.is_some() && payload.len() > inner.config.max_buffer_bytes {
            return Err(AppendError::Malformed("the request is larger than max_buffer_bytes, which bounds the log on disk".to_owned()));
        }
        let requests = inner.requests.clone();
        let (hash, payload) = off_thread(payload, move |payload| requests.hash(signal, payload)).await?;
        let waiting = match inner.requests.claim(signal, hash, inner.clock.now()) {
            Claim::Done(appended) => {
                inner.meters.deduplicated.add(1);
                return Ok(again(appended));
            }
            Claim::InFlight(outcome) => {
                inner.meters.deduplicated.add(1);
                return wait_for(outcome).await.map(again);
            }
            Claim::New(ticket, outcome) => {
                let inner = inner.clone();
                // Its own task: it goes on when the sender hangs up, and those who wait for the same request are answered.
                drop(tokio::spawn(async move {
                    inner.take_in(signal, payload, hash, ticket).await;
                    drop(in_progress);
                }));
                outcome
            }
        };
        wait_for(waiting).await
    }
}

// === impl Inner ===

impl Inner {
    /// Why writes are refused; `None` when they are taken.
    pub(super) fn write_refusal(&self) -> Option<String> {
        if self.closing.load(Ordering::Acquire) {
            return Some("the store is closing".to_owned());
        }
        if let Some(Refusal::Failed(reason)) = self.wal.refusal() {
            return Some(reason);
        }
        if self.keeper.has_failed() {
            return Some("the list of segments could not be written; writes stay off until a restart".to_owned());
        }
        self.health.refusal().map(ToOwned::to_owned).or_else(|| self.disk.refusal()).or_else(|| self.budget_refusal())
    }

    /// Why the store is not ready although single requests may still be taken: memory is full of what cannot be written, the log had no
    /// room for another file and there still is none, or far too much is yet to be merged. Nobody may send any more, so that this must end
    /// without a request.
    pub(super) fn stuck(&self) -> Option<String> {
        let no_room = || match self.wal.refusal() {
            Some(Refusal::NoRoom(reason)) if !self.disk.has_room_for(LEAST_FILE_BYTES) => Some(reason),
            _ => None,
        };
        let unmerged = || {
            [Signal::Traces, Signal::Logs].into_iter().find_map(|signal| backlog::refusal(*self.tables.unmerged(signal).borrow(), signal))
        };
        self.health.stuck().map(|why| stuck(&why)).or_else(no_room).or_else(unmerged)
    }

    /// Files that were let go may still be read, so that the next file of the log would not fit.
    fn budget_refusal(&self) -> Option<String> {
        let max = self.config.max_disk_bytes?;
        let used = self.keeper.segment_bytes().saturating_add(self.wal.disk_bytes()).saturating_add(self.config.log_file_bytes());
        (used > max).then(|| if self.keeper.is_leaving() { BUDGET_READ } else { BUDGET_FULL }.to_owned())
    }

    fn check_writable(&self) -> Result<(), AppendError> {
        self.write_refusal().map_or(Ok(()), |reason| Err(unavailable(reason)))
    }

    async fn take_in(&self, signal: Signal, payload: Bytes, hash: [u8; 16], ticket: Ticket) {
        let outcome = self.store(signal, payload, hash, &ticket).await;
        ticket.finish(outcome);
    }

    async fn store(&self, signal: Signal, payload: Bytes, hash: [u8; 16], ticket: &Ticket) -> Outcome {
        let size = payload.len();
        self.wait_for_merges(signal).await?;
        let Some(mut room) = self.room_for(size).await else {
            let busy = || AppendError::Busy { reason: "rows in memory wait for the disk".to_owned(), retry_after: RETRY_AFTER };
            return Err(self.health.note_full().map_or_else(busy, |why| unavailable(stuck(&why))));
        };
        let decoding_large = if size > INLINE_BYTES { self.large.acquire().await.ok() } else { None };
        let now = self.clock.now();
        let retention = self.config.retention.longest(signal);
        // No record takes less than two bytes, so these ids are enough; gaps do not matter.
        let ids = if signal == Signal::Logs { record_ids(size) } else { 0 };
        let context = otlp::Context { now, retention, first_record_id: self.next_record_id.fetch_add(ids, Ordering::Relaxed) };
        let (prepared, _) = off_thread(payload, move |payload| prepare(signal, payload, hash, &context)).await?;
        let Prepared { record, batch, appended, arrived } = prepared?;
        if appended.accepted == 0 {
            return Ok(appended);
        }
        room.resize(estimated_bytes(size, batch.num_rows()));
        drop(decoding_large);
        let (sender, visible) = oneshot::channel();
        let request = ticket.passing(appended.clone(), now);
        let pending = Pending { signal, entry: Entry { batch, room }, request, visible: sender };
        self.make_durable(record, pending, visible).await?;
        self.arrivals.note(signal, now, arrived);
        Ok(appended)
    }

    /// Waits while merging is behind.
    async fn wait_for_merges(&self, signal: Signal) -> Result<(), AppendError> {
        backlog::wait(self.tables.unmerged(signal)).await.map_err(|count| {
            let why = self.health.error().map_or_else(String::new, |why| format!("; {why}"));
            let reason = format!("{}{why}", backlog::reason(count, signal));
            AppendError::Busy { reason, retry_after: RETRY_AFTER }
        })
    }

    /// Room for a request of `size` bytes, in the order of asking; `None` when there was none for too long.
    async fn room_for(&self, size: usize) -> Option<Reservation> {
        let mut room = std::pin::pin!(self.room.reserve(estimated_bytes(size.saturating_mul(2), 0)));
        let mut patience = Duration::ZERO;
        for _ in 0..=PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
            if let Ok(room) = timeout(patience, room.as_mut()).await {
                return Some(room);
            }
            // Full lots give their room back by themselves. Without any, a large request waits for what fills none.
            self.wake.flush(if self.tables.is_due() { Reach::Full } else { Reach::All });
            patience = LOOK_AGAIN;
        }
        None
    }

    async fn make_durable(&self, record: Record, pending: Pending, visible: oneshot::Receiver<()>) -> Result<(), AppendError> {
        self.wal.append(record, pending).map_err(|refusal| refused(&refusal))?;
        match visible.await {
            Ok(()) => Ok(()),
            Err(_) => Err(refused(&self.wal.refusal().unwrap_or(Refusal::Stopped))),
        }
    }
}

/// How many record ids a request of `size` bytes may need.
pub(super) fn record_ids(size: usize) -> u64 {
    size as u64 / 2 + 1
}

/// Retention as the log keeps it.
pub(super) fn retention_nanos(retention: Option<Duration>) -> u64 {
    retention.map_or(u64::MAX, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn prepare(signal: Signal, payload: &Bytes, hash: [u8; 16], context: &otlp::Context) -> Result<Prepared, AppendError> {
    let decoded = otlp::decode(signal, payload, context).map_err(|error| AppendError::Malformed(error.to_string()))?;
    let accepted = decoded.batch.num_rows();
    let Decoded { batch, rejected, rejected_by, message, flaws } = decoded;
    let appended = Appended { accepted: accepted as u64, rejected, rejected_by, repeated: false, message, flaws };
    let compressed = if accepted > 0 && payload.len() > COMPRESS_ABOVE { compress(payload) } else { None };
    let record = Record {
        signal,
        ingest_time: context.now,
        retention: retention_nanos(context.retention),
        first_record_id: context.first_record_id,
        accepted: u32::try_from(accepted).unwrap_or(u32::MAX),
        rejected: u32::try_from(appended.rejected).unwrap_or(u32::MAX),
        hash,
        raw_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        compressed: compressed.is_some(),
        payload: compressed.unwrap_or_else(|| payload.clone()),
    };
    let arrived = arrivals::found(signal, &batch);
    Ok(Prepared { record, batch, appended, arrived })
}

/// `None` when compression does not make it smaller.
fn compress(payload: &[u8]) -> Option<Bytes> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = RefCell::new(zstd::bulk::Compressor::new(LOG_LEVEL).ok());
    }
    let compressed = COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(payload).ok())?;
    (compressed.len() < payload.len()).then(|| Bytes::from(compressed))
}

/// Runs `work` here when the payload is small, else on a thread where it delays nobody.
async fn off_thread<T: Send + 'static>(payload: Bytes, work: impl FnOnce(&Bytes) -> T + Send + 'static) -> Result<(T, Bytes), AppendError> {
    if payload.len() <= INLINE_BYTES {
        return Ok((work(&payload), payload));
    }
    let moved = tokio::task::spawn_blocking(move || (work(&payload), payload));
    moved.await.map_err(|_| broken())
}

/// The answer to a request that came again. One of which nothing was stored has nothing to repeat.
fn again(appended: Appended) -> Appended {
    Appended { repeated: appended.accepted > 0, ..appended }
}

async fn wait_for(mut outcome: watch::Receiver<Option<Outcome>>) -> Outcome {
    match outcome.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(broken())),
        Err(_) => Err(broken()),
    }
}

/// What is left to say when taking a request in panicked. Sent again, it would do so again.
fn broken() -> AppendError {
    AppendError::Malformed("the request could not be processed because of a fault in this program; nothing of it was stored".to_owned())
}

/// What is said while memory is full of rows that cannot be written.
fn stuck(why: &str) -> String {
    format!("memory is full, and {why}")
}

fn refused(refusal: &Refusal) -> AppendError {
    unavailable(refusal.to_string())
}

fn unavailable(reason: String) -> AppendError {
    AppendError::Unavailable { reason, retry_after: RETRY_AFTER }
}

/// What a frame of the log was decoded with.
pub(crate) fn context_of(record: &Record) -> otlp::Context {
    let retention = (record.retention != u64::MAX).then(|| Duration::from_nanos(record.retention));
    otlp::Context { now: UnixNanos::new(record.ingest_time.get()), retention, first_record_id: record.first_record_id }
}

/// Until the oldest data is let go, which happens in the background.
const BUDGET_FULL: &str = "the data folder has reached max_disk_bytes; the oldest data is being let go";

/// What is let go goes from the disk when nobody reads it any more.
const BUDGET_READ: &str =
    "the data folder has reached max_disk_bytes, and files that were let go are still read by a question, an export or a merge";

/// How long a request waits for room in memory. A slow answer is better than a refusal.
const PATIENCE: Duration = Duration::from_secs(4);

/// How often it asks for what may give it room.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Larger payloads are decoded on a thread that may block.
const INLINE_BYTES: usize = 256 * 1024;

/// The log is short-lived: on requests of the sample shop this is twice as fast as level 1 and takes a seventh more bytes.
const LOG_LEVEL: i32 = -3;

/// Smaller payloads do not get smaller enough.
const COMPRESS_ABOVE: usize = 512;
