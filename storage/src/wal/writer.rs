//! The one thread that writes the log: takes all that wait, writes once, syncs once, hands all on.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::config::SyncPolicy;
use crate::files::Place;
use crate::metrics::{Gauge, Registry};

use super::file;
use super::frame::{FILE_HEADER, Record};
use super::replay::Replayed;

mod log;

pub(crate) use self::log::Log;

/// Hands records to the writing thread. The queue has no bound of its own: callers bound what they have in flight by bytes.
#[derive(Debug)]
pub(crate) struct Writer<T> {
    queue: Mutex<Option<Sender<Order<T>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

/// What the log is told at start.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where the files are.
    pub(crate) folder: Place,
    /// Ties the files to their store.
    pub(crate) store: [u8; 16],
    /// When a record counts as durable.
    pub(crate) sync: SyncPolicy,
    /// A file that reached this size is followed by the next, on a small disk earlier.
    pub(crate) file_bytes: u64,
    /// Bytes that are to stay free on the disk.
    pub(crate) keep_free: u64,
    /// Told up to which frame the log is about to forget; when it fails, files stay.
    pub(crate) before_removal: Notice,
    /// Told the first frame of a file that is there, durably; when it fails, nothing is written to it.
    pub(crate) before_use: Notice,
}

/// Told of a frame before something is done; when it fails, that is not done.
#[derive(Clone)]
pub(crate) struct Notice(Arc<dyn Fn(u64) -> io::Result<()> + Send + Sync>);

/// Why records are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A write or sync failed: what is on disk is not known until the log is read again at the next start.
    Failed(String),
    /// No new file could be started; nothing was written. Goes away when there is room.
    NoRoom(String),
    /// The log was stopped.
    Stopped,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) | Self::NoRoom(reason) => f.write_str(reason),
            Self::Stopped => f.write_str("the store is closing"),
        }
    }
}

/// What the thread is told.
#[derive(Debug)]
enum Order<T> {
    Write(Entry<T>),
    /// Begin another file, so that what is in the one being written can be let go.
    Rotate,
}

#[derive(Debug)]
struct Entry<T> {
    record: Record,
    item: T,
}

#[derive(Debug)]
struct Shared {
    refusal: Mutex<Option<Refusal>>,
    /// Older files by first sequence number with their bytes; the active one is last.
    files: Mutex<Vec<(u64, u64)>>,
    folder: Place,
    size: Gauge,
    /// Set aside for the file being written.
    set_aside: AtomicU64,
    /// Nothing up to this frame is needed any more.
    released: AtomicU64,
    before_removal: Notice,
    /// Held while files are removed.
    removing: Mutex<()>,
}

// === impl Writer ===

impl<T: Send + 'static> Writer<T> {
    /// A log that takes records; what writes them is to be started. `on_durable` receives each group in order of sequence numbers, with
    /// their items, where they are written; an item of a record that could not be made durable is dropped instead.
    pub(crate) fn new(
        options: Options,
        replayed: &Replayed,
        registry: &Registry,
        on_durable: impl FnMut(Vec<(u64, T)>) + Send + 'static,
    ) -> (Self, Log<T>) {
        let size = registry.gauge("throughline_wal_size_bytes", "Bytes of the log on disk.", &[]);
        let shared = Arc::new(Shared {
            refusal: Mutex::new(None),
            files: Mutex::new(replayed.files.clone()),
            folder: options.folder.clone(),
            set_aside: AtomicU64::new(0),
            size,
            released: AtomicU64::new(0),
            before_removal: options.before_removal.clone(),
            removing: Mutex::new(()),
        });
        shared.measure();
        let (sender, queue) = channel();
        let log = Log::new(options, shared.clone(), replayed, registry, queue, Box::new(on_durable));
        (Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(None), shared }, log)
    }

    /// Starts the thread that writes.
    pub(crate) fn start(&self, log: Log<T>) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("storage-wal".to_owned()).spawn(move || log.run())?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Queues a record. `item` comes back through `on_durable`, or is dropped when the log refuses.
    pub(crate) fn append(&self, record: Record, item: T) -> Result<(), Refusal> {
        if let Some(refusal @ Refusal::Failed(_)) = self.refusal() {
            return Err(refusal);
        }
        match self.queue.lock().as_ref() {
            Some(queue) => {
                queue.send(Order::Write(Entry { record, item })).map_err(|_| self.refusal().unwrap_or_else(Refusal::thread_ended))
            }
            None => Err(Refusal::Stopped),
        }
    }

    /// Why the last group was refused; `None` when it was not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.shared.refusal.lock().clone()
    }

    /// Removes files that hold nothing above `through`. The file being written stays.
    pub(crate) fn release(&self, through: u64) {
        self.shared.released.fetch_max(through, Ordering::AcqRel);
        self.shared.release();
    }

    /// Has another file begun soon, and then removes the one being written if everything in it was released.
    pub(crate) fn rotate(&self) {
        if let Some(queue) = self.queue.lock().as_ref() {
            // A thread that ended has no use for it.
            let _ = queue.send(Order::Rotate);
        }
    }

    /// The first frame that may still be in a file; `None` when there is no file.
    pub(crate) fn oldest_seq(&self) -> Option<u64> {
        self.shared.files.lock().first().map(|(first, _)| *first)
    }

    /// The first frame of the file that is being written; `None` when nothing is in it yet.
    pub(crate) fn file_with_frames(&self) -> Option<u64> {
        self.shared.files.lock().last().filter(|(_, bytes)| *bytes > FILE_HEADER as u64).map(|(first, _)| *first)
    }

    /// Files with their first frames and the bytes that are written, in order. All that was acknowledged is among these bytes.
    pub(crate) fn files(&self) -> Vec<(u64, u64)> {
        self.shared.files.lock().clone()
    }

    /// Bytes of all files.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.shared.files.lock().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes that all files take on the disk: the one being written is set aside whole.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let files = self.shared.files.lock();
        let last = files.last().map_or(0, |(_, bytes)| *bytes);
        files.iter().map(|(_, bytes)| bytes).sum::<u64>() - last + last.max(self.shared.set_aside.load(Ordering::Relaxed))
    }

    /// Writes and syncs what is queued and ends the thread. Blocks.
    pub(crate) fn stop(&self) {
        drop(self.queue.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the log's thread panicked");
        }
    }
}

// === impl Notice ===

impl Notice {
    pub(crate) fn new(tell: impl Fn(u64) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    fn tell(&self, seq: u64) -> io::Result<()> {
        (self.0)(seq)
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notice")
    }
}

// === impl Shared ===

impl Shared {
    /// Removes files of which nothing is needed any more and that have a successor.
    fn release(&self) {
        let _one_at_a_time = self.removing.lock();
        let through = self.released.load(Ordering::Acquire);
        let files = self.files.lock().clone();
        let covered: Vec<u64> = files
            .iter()
            .zip(files.iter().skip(1))
            .filter(|(_, (next, _))| *next <= through.saturating_add(1))
            .map(|((first, _), _)| *first)
            .collect();
        if covered.is_empty() {
            return self.measure();
        }
        if let Err(error) = self.before_removal.tell(through) {
            tracing::warn!(%error, "the requests in old log files could not be written down; the files are removed when they can be");
            return;
        }
        let gone: Vec<u64> = covered.into_iter().filter(|first| self.remove(*first)).collect();
        self.files.lock().retain(|(first, _)| !gone.contains(first));
        self.measure();
        if !gone.is_empty()
            && let Err(error) = self.folder.sync_folder()
        {
            tracing::debug!(%error, "the log folder could not be synced after a removal");
        }
    }

    /// Whether a file is not there any more.
    fn remove(&self, first_seq: u64) -> bool {
        match file::path(&self.folder, first_seq).remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(wal.first_seq = first_seq, %error, "an old log file could not be removed; it is tried again");
                false
            }
            _ => true,
        }
    }

    fn measure(&self) {
        self.size.set(self.files.lock().iter().map(|(_, bytes)| bytes).sum());
    }
}

// === impl Refusal ===

impl Refusal {
    fn thread_ended() -> Self {
        Self::Failed("the log's thread ended because of a fault in this program; writes stay off until a restart".to_owned())
    }
}
