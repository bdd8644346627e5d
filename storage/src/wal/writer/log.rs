//! What writes the log: one group after the other, each with one write and one sync.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use crate::config::SyncPolicy;
use crate::files::{File, is_full};
use crate::metrics::{Counter, Histogram, Registry};

use super::super::file;
use super::super::frame::{self, FILE_HEADER};
use super::super::replay::Replayed;
use super::{Entry, Options, Order, Refusal, Shared};

/// What writes the log: a thread runs it, or a test takes it step by step.
pub(crate) struct Log<T> {
    options: Options,
    shared: Arc<Shared>,
    active: Option<Active>,
    next_seq: u64,
    /// Highest sequence number known to be on disk.
    synced: u64,
    last_sync: Instant,
    scratch: Vec<u8>,
    on_durable: OnDurable<T>,
    sync_seconds: Histogram,
    bytes_total: Counter,
    queue: Receiver<Order<T>>,
}

pub(super) type OnDurable<T> = Box<dyn FnMut(Vec<(u64, T)>) + Send>;

struct Active {
    file: Arc<dyn File>,
    first_seq: u64,
    written: u64,
    /// What was set aside for it.
    most: u64,
}

/// Ends writing when the thread panics.
struct Poison(Arc<Shared>);

/// Why a group was not made durable.
enum Fault {
    /// Nothing of it is in the log; later ones may be.
    NoRoom(io::Error),
    /// It is unknown what is on disk.
    Failed(&'static str, io::Error),
}

// === impl Poison ===

impl Drop for Poison {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.refusal.lock() = Some(Refusal::thread_ended());
        }
    }
}

// === impl Log ===

impl<T> Log<T> {
    pub(super) fn new(
        options: Options,
        shared: Arc<Shared>,
        replayed: &Replayed,
        registry: &Registry,
        queue: Receiver<Order<T>>,
        on_durable: OnDurable<T>,
    ) -> Self {
        Self {
            shared,
            active: None,
            next_seq: replayed.next_seq,
            synced: replayed.next_seq.saturating_sub(1),
            last_sync: Instant::now(),
            scratch: Vec::new(),
            on_durable,
            sync_seconds: registry.histogram("throughline_wal_sync_seconds", "Time of one sync of the log.", &[]),
            bytes_total: registry.counter("throughline_wal_bytes_total", "Bytes written to the log.", &[]),
            queue,
            options,
        }
    }

    pub(super) fn run(mut self) {
        let _poison = Poison(self.shared.clone());
        self.begin();
        loop {
            let first = match self.options.sync {
                SyncPolicy::Group => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                SyncPolicy::Interval(every) => self.queue.recv_timeout(every.saturating_sub(self.last_sync.elapsed())),
            };
            match first {
                Ok(Order::Write(first)) => self.serve(first),
                Ok(Order::Rotate) => self.rotate(),
                Err(RecvTimeoutError::Timeout) => self.sync_rest(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sync_rest();
    }

    /// Starts the first file.
    pub(crate) fn begin(&mut self) {
        // Right away, so that a log folder without any file is known to have lost them.
        match self.start_file() {
            // What was released while it was the last file has a successor now.
            Ok(()) => self.shared.release(),
            Err(Fault::NoRoom(error)) => self.refuse(no_room(&error)),
            Err(Fault::Failed(..)) => {}
        }
    }

    /// Writes what waits as one group, as the thread would; false when nothing waits.
    #[cfg(test)]
    pub(crate) fn step(&mut self) -> bool {
        match self.queue.try_recv() {
            Ok(Order::Write(first)) => self.serve(first),
            Ok(Order::Rotate) => self.rotate(),
            Err(_) => return false,
        }
        true
    }

    /// Takes all that wait, up to a bound, and makes them durable with one write and one sync.
    fn serve(&mut self, first: Entry<T>) {
        let mut bytes = frame::encoded_len(&first.record);
        let mut group = vec![first];
        let mut rotate = false;
        while bytes < MAX_GROUP_BYTES {
            match self.queue.try_recv() {
                Ok(Order::Write(entry)) => {
                    bytes += frame::encoded_len(&entry.record);
                    group.push(entry);
                }
                Ok(Order::Rotate) => {
                    rotate = true;
                    break;
                }
                Err(_) => break,
            }
        }
        if matches!(*self.shared.refusal.lock(), Some(Refusal::Failed(_))) {
            return;
        }
        let first_seq = self.next_seq;
        match self.write(&group, bytes as u64) {
            Ok(()) => {
                *self.shared.refusal.lock() = None;
                self.next_seq += group.len() as u64;
                let items = group.into_iter().enumerate().map(|(index, entry)| (first_seq + index as u64, entry.item)).collect();
                (self.on_durable)(items);
            }
            Err(fault) => self.suffer(fault),
        }
        if rotate {
            self.rotate();
        }
    }

    /// Goes on in another file, unless there is nothing in the last one.
    fn rotate(&mut self) {
        if matches!(*self.shared.refusal.lock(), Some(Refusal::Failed(_))) {
            return;
        }
        // Where nothing is being written, a full disk has ended the last file before it had a successor.
        let last = || self.shared.files.lock().last().map(|(_, written)| *written);
        let written = self.active.as_ref().map(|active| active.written).or_else(last);
        let has_frames = written.is_some_and(|written| written > FILE_HEADER as u64);
        if has_frames && let Err(fault) = self.retire().and_then(|()| self.start_file()) {
            return self.suffer(fault);
        }
        // Files before this one may have had no successor when they were released.
        self.shared.release();
    }

    fn suffer(&self, fault: Fault) {
        match fault {
            Fault::NoRoom(error) => self.refuse(no_room(&error)),
            Fault::Failed(what, error) => self.fail(what, &error),
        }
    }

    fn write(&mut self, group: &[Entry<T>], bytes: u64) -> Result<(), Fault> {
        let goes_on = self.active.as_ref().is_some_and(|a| a.written == FILE_HEADER as u64 || a.written + bytes <= a.most);
        if !goes_on {
            self.look_for_room()?;
            self.retire()?;
            self.start_file()?;
        }
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        self.scratch.clear();
        for (entry, seq) in group.iter().zip(self.next_seq..) {
            frame::encode(&mut self.scratch, active.first_seq, seq, self.synced, &entry.record);
        }
        let written = active.file.write_all_at(&self.scratch, active.written);
        if let Err(error) = written {
            return Err(self.undo(error));
        }
        active.written += self.scratch.len() as u64;
        self.bytes_total.add(self.scratch.len() as u64);
        self.scratch.shrink_to(MAX_GROUP_BYTES);
        self.note_size();
        let through = self.next_seq + group.len() as u64 - 1;
        match self.options.sync {
            SyncPolicy::Group => self.sync(through),
            SyncPolicy::Interval(every) if self.last_sync.elapsed() >= every => self.sync(through),
            SyncPolicy::Interval(_) => Ok(()),
        }
    }

    /// A failed write because of a full disk says nothing of what was written before: cutting off what it left makes the log whole
    /// again. Any other failed write ends writing for good.
    fn undo(&mut self, error: io::Error) -> Fault {
        let Some(active) = self.active.take() else { return Fault::Failed("write", error) };
        if !is_full(&error) {
            return Fault::Failed("write", error);
        }
        if let Err(error) = active.file.set_len(active.written).and_then(|()| active.file.sync_all()) {
            return Fault::Failed("cut", error);
        }
        if active.written == FILE_HEADER as u64 {
            self.shared.files.lock().retain(|(first, _)| *first != active.first_seq);
        }
        Fault::NoRoom(error)
    }

    fn sync(&mut self, through: u64) -> Result<(), Fault> {
        let Some(active) = &self.active else { return Ok(()) };
        let begun = Instant::now();
        let synced = active.file.sync_data();
        synced.map_err(|error| Fault::Failed("sync", error))?;
        self.last_sync = Instant::now();
        self.sync_seconds.observe(begun.elapsed());
        self.synced = through;
        Ok(())
    }

    /// For [`SyncPolicy::Interval`]: syncs what was acknowledged but not synced.
    fn sync_rest(&mut self) {
        let through = self.next_seq.saturating_sub(1);
        self.last_sync = Instant::now();
        let failed = matches!(*self.shared.refusal.lock(), Some(Refusal::Failed(_)));
        if !failed
            && self.synced < through
            && let Err(Fault::Failed(what, error)) = self.sync(through)
        {
            self.fail(what, &error);
        }
    }

    /// Ends the active file: synced, without its unused space.
    fn retire(&mut self) -> Result<(), Fault> {
        self.sync(self.next_seq.saturating_sub(1))?;
        if let Some(active) = self.active.take() {
            active.file.set_len(active.written).and_then(|()| active.file.sync_all()).map_err(|error| Fault::Failed("sync", error))?;
        }
        Ok(())
    }

    /// Whether another file for records leaves free what is kept free, which writing memory to segments may need. Looked up for each file: many
    /// of them begin in a second.
    fn look_for_room(&self) -> Result<(), Fault> {
        let (free, most) = self.next_file();
        let fits = free >= most.saturating_add(self.options.keep_free);
        if fits { Ok(()) } else { Err(Fault::NoRoom(io::ErrorKind::StorageFull.into())) }
    }

    /// Bytes that are free, and those that another file takes of them.
    fn next_file(&self) -> (u64, u64) {
        let free = self.options.folder.free_bytes().unwrap_or(u64::MAX);
        (free, file::share(self.options.file_bytes, free.saturating_sub(self.options.keep_free)))
    }

    fn start_file(&mut self) -> Result<(), Fault> {
        let (_, most) = self.next_file();
        let Options { folder, store, before_use, .. } = &self.options;
        let file = file::create(folder, self.next_seq, *store, most).map_err(Fault::NoRoom)?;
        if let Err(error) = before_use.tell(self.next_seq) {
            // Gives back what was set aside. The header stays: the file may be recorded all the same.
            let _ = file.set_len(FILE_HEADER as u64);
            return Err(Fault::NoRoom(error));
        }
        self.active = Some(Active { file, first_seq: self.next_seq, written: FILE_HEADER as u64, most });
        self.shared.set_aside.store(most, Ordering::Relaxed);
        let mut files = self.shared.files.lock();
        files.retain(|(first, _)| *first != self.next_seq);
        files.push((self.next_seq, FILE_HEADER as u64));
        Ok(())
    }

    fn note_size(&self) {
        if let (Some(active), Some(last)) = (&self.active, self.shared.files.lock().last_mut()) {
            last.1 = active.written;
        }
        self.shared.measure();
    }

    fn refuse(&self, refusal: Refusal) {
        let mut known = self.shared.refusal.lock();
        if known.as_ref() != Some(&refusal) {
            tracing::warn!(reason = %refusal, "requests are refused");
        }
        *known = Some(refusal);
    }

    /// Never tried again: after a failed sync the system may have dropped what was not written, and a second sync would succeed.
    fn fail(&self, what: &'static str, error: &io::Error) {
        let reason = format!("the log could not {what}: {error}; writes stay off until a restart");
        tracing::error!(%error, "the log could not {what}; writes stay off until a restart");
        *self.shared.refusal.lock() = Some(Refusal::Failed(reason));
    }
}

fn no_room(error: &io::Error) -> Refusal {
    if !is_full(error) {
        return Refusal::NoRoom(format!("the log cannot go on in another file: {error}"));
    }
    let least = file::LEAST_FILE_BYTES >> 20;
    Refusal::NoRoom(format!("the log has no room, it needs {least} MiB beyond what is kept free: {error}"))
}

/// A group takes no more records once it has this many bytes.
const MAX_GROUP_BYTES: usize = 8 << 20;
