//! The way back: from a data folder to a running store.
//!
//! Owns the order of steps: lock and version → manifest → segments → log, replayed into memory → left-over files removed → threads
//! started. Left-over files are removed only after the log was read to its end: until then damage could still be mended with them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::arrivals::Arrivals;
use crate::background::{Flushed, Health, Threads, Wake, Work};
use crate::budget::Budget;
use crate::buffer::{Reach, Room};
use crate::clock::Clock;
use crate::config::Config;
use crate::deletion;
use crate::error::OpenError;
use crate::files::{Place, is_full};
use crate::flush::{KeepError, Keeper};
use crate::folder::{Folder, io_error, raise_open_files};
use crate::manifest::{CommitError, Manifest};
use crate::memo::Memo;
use crate::metrics::Registry;
use crate::query::Engine;
use crate::requests::Requests;
use crate::wal::{self, Notice, Options, Refusal, Replayed, Writer};

use super::append::Pending;
use super::merge::Merger;
use super::{Disk, Inner, Meters, Reserve, Tables};

mod replay;
mod segments;

use self::replay::Replay;
pub(crate) use self::replay::payload;
use self::segments::{open_segments, remove_orphans};

/// What the threads of a store do. Whoever holds it starts them, or does it himself.
pub(super) struct Hands {
    pub(super) log: wal::Log<Pending>,
    pub(super) merger: Merger,
}

/// Opens a data folder and starts the background work. Blocks.
pub(super) fn open(config: Config, clock: Clock, registry: Registry) -> Result<Inner, OpenError> {
    raise_open_files();
    let (inner, hands) = prepare(&Place::real(&config.data_dir), config.log_file_bytes(), config, clock, registry)?;
    hands.start(&inner)?;
    Ok(inner)
}

fn engine(config: &Config, registry: &Registry, tables: &Tables) -> Engine {
    let engine = Engine::new(config, registry);
    engine.look_after(tables.published().load().versions.clone());
    tables.keep_dictionaries(engine.dictionaries());
    engine
}

/// Whether the folder holds nothing yet. Says so when it was known before.
fn begins(folder: &Folder, root: &Place) -> Result<bool, OpenError> {
    let is_blank = folder.is_blank()?;
    if is_blank && !folder.is_new() {
        tracing::warn!(
            folder = %root.display(),
            "the data folder is known and holds nothing: its first start did not come far, or all of it is gone; it begins anew"
        );
    }
    Ok(is_blank)
}

/// Opens a data folder; nothing is written or merged yet. Blocks.
pub(super) fn prepare(
    root: &Place,
    log_file_bytes: u64,
    config: Config,
    clock: Clock,
    registry: Registry,
) -> Result<(Inner, Hands), OpenError> {
    let folder = Arc::new(Folder::open(root)?);
    let begins = begins(&folder, root)?;
    let manifest = Manifest::open(&folder.manifest(), &folder.tmp(), folder.id(), begins)?;
    let contents = manifest.contents().clone();
    let meters = Meters::new(&registry, contents.written);
    meters.bounds(&config);
    let (segments, unreadable) = open_segments(root, &folder, &contents)?;
    let all_readable = unreadable.is_empty();
    let tables = Tables::new(segments, unreadable, contents.wal_through, config.buffer_bytes, meters.clone());
    let keeper = Arc::new(Keeper::new(folder.clone(), tables.clone(), manifest, Budget::new(&config), config.run_rows));
    keeper.remember_deletes();
    let replay = Replay {
        contents: &contents,
        tables: tables.clone(),
        keeper: keeper.clone(),
        room: Room::new(config.max_buffer_bytes),
        requests: Requests::new(folder.id()),
        next_record_id: Arc::new(AtomicU64::new(contents.next_record_id)),
        now: clock.now(),
        deleted_through: deletion::deleted_through(&contents.deletions),
        flush_failed: Cell::new(false),
    };
    let replayed = replay.run(&folder)?;
    let Replay { room, requests, next_record_id, .. } = replay;
    remove_orphans(&folder, &keeper, all_readable)?;

    let memo = Arc::new(Memo::open(folder.memo(), folder.tmp()));
    let wake = Arc::new(Wake::default());
    let options = log_options(&config, log_file_bytes, &keeper, &requests);
    let (wal, log) = new_wal(options, &replayed, &registry, tables.clone(), wake.clone());
    let wal = Arc::new(wal);
    wal.release(contents.wal_through);
    let health = Arc::new(Health::default());
    let disk = Arc::new(Disk::new(folder.clone(), config.kept_free(), meters.disk_free.clone()));
    let flusher = Flusher {
        tables: tables.clone(),
        keeper: keeper.clone(),
        wal: wal.clone(),
        next_record_id: next_record_id.clone(),
        meters: meters.clone(),
        health: health.clone(),
    };
    flush_what_was_replayed(&tables, &wake);
    let inner = Inner {
        snapshot: tables.published(),
        engine: engine(&config, &registry, &tables),
        disk,
        reserve: Arc::new(Reserve::new(folder.reserve())),
        memo,
        arrivals: Arrivals::default(),
        assigning: tokio::sync::Mutex::new(()),
        clock,
        registry,
        keeper,
        tables,
        wal,
        requests,
        room,
        next_record_id,
        health,
        meters,
        flusher,
        threads: Threads::new(wake.clone()),
        wake,
        tasks: TaskTracker::new(),
        large: Semaphore::new(large_at_once()),
        closing: AtomicBool::new(false),
        config,
    };
    let merger = merger(&inner);
    Ok((inner, Hands { log, merger }))
}

/// What was replayed may be on disk by the word of a system that failed to sync it before: bring it to segments soon.
fn flush_what_was_replayed(tables: &Tables, wake: &Wake) {
    if tables.waiting().0 > 0 {
        wake.flush(Reach::All);
    }
}

fn merger(inner: &Inner) -> Merger {
    Merger {
        keeper: inner.keeper.clone(),
        tables: inner.tables.clone(),
        wal: inner.wal.clone(),
        disk: inner.disk.clone(),
        reserve: inner.reserve.clone(),
        meters: inner.meters.clone(),
        health: inner.health.clone(),
        clock: inner.clock.clone(),
        retention: inner.config.retention.clone(),
        wake: inner.wake.clone(),
        damaged: BTreeSet::new(),
        unindexed: BTreeSet::new(),
        looked_at: BTreeMap::new(),
        set_aside: BTreeMap::new(),
        log_file: None,
        had_no_room: false,
    }
}

fn log_options(config: &Config, file_bytes: u64, keeper: &Arc<Keeper>, requests: &Arc<Requests>) -> Options {
    let folder = keeper.shared_folder();
    let (requests, held, most_bytes) = (requests.clone(), folder.clone(), config.requests_bytes());
    let before_removal = Notice::new(move |through| requests.keep(&held, through, most_bytes));
    let keeper = keeper.clone();
    let before_use = Notice::new(move |first_seq| match keeper.log_begun(first_seq).map_err(CommitError::into_io) {
        Err(error) if is_full(&error) => Err(error),
        // What came in would be taken for nothing if it was gone one day.
        Err(error) if keeper.has_log_ended() => Err(error),
        // Nothing is written to segments any more, which is said where it is seen; what comes in is safe in the log all the same.
        Err(error) => {
            tracing::warn!(%error, "that the log goes on in another file could not be recorded");
            Ok(())
        }
        Ok(()) => Ok(()),
    });
    let keep_free = config.kept_free();
    Options { folder: folder.wal(), store: folder.id(), sync: config.sync, file_bytes, keep_free, before_removal, before_use }
}

fn new_wal(
    options: Options,
    replayed: &Replayed,
    registry: &Registry,
    tables: Arc<Tables>,
    wake: Arc<Wake>,
) -> (Writer<Pending>, wal::Log<Pending>) {
    Writer::new(options, replayed, registry, move |group: Vec<(u64, Pending)>| {
        let mut visible = Vec::with_capacity(group.len());
        let is_due = tables.insert(group.into_iter().map(|(seq, pending)| {
            // First: once its rows can be flushed, its frame may leave the log.
            pending.request.durable(seq);
            visible.push(pending.visible);
            (seq, pending.signal, pending.entry)
        }));
        for sender in visible {
            // Whoever waited may have gone.
            let _ = sender.send(());
        }
        if is_due {
            wake.flush(Reach::Full);
        }
    })
}

/// What flushing works with.
#[derive(Clone, Debug)]
pub(super) struct Flusher {
    tables: Arc<Tables>,
    keeper: Arc<Keeper>,
    wal: Arc<Writer<Pending>>,
    next_record_id: Arc<AtomicU64>,
    meters: Meters,
    health: Arc<Health>,
}

impl Flusher {
    /// Writes what is in memory to segments and lets the log forget it; says up to which frame. Blocks.
    pub(super) fn flush(&self, reach: Reach) -> Result<u64, KeepError> {
        // Done once more, rows may be in segments twice.
        if let Some(why) = self.health.refusal() {
            return Err(KeepError::Fault(why));
        }
        let _watch = self.health.watch(Work::Flush);
        let wanted = self.tables.last_seq();
        loop {
            let flushed = self.keeper.flush(reach, || self.next_record_id.load(Ordering::Relaxed));
            match &flushed {
                Err(KeepError::NoRoom) if !self.health.note_waiting() => {}
                Err(error) => {
                    self.meters.background_errors.add(1);
                    self.health.note(Work::Flush, Some(format!("writing memory to segments failed: {}", chain(error))));
                }
                Ok(_) => {
                    self.health.note(Work::Flush, None);
                }
            }
            let Some(through) = flushed? else { break };
            self.meters.flushes.add(1);
            self.wal.release(through);
            if reach == Reach::All && through >= wanted {
                break;
            }
        }
        let through = self.tables.flushed_through();
        self.wal.release(through);
        // The last file of the log goes too, which may be what takes the room for another one.
        if matches!(self.wal.refusal(), Some(Refusal::NoRoom(_))) {
            self.wal.rotate();
        }
        Ok(through)
    }
}

impl Hands {
    /// Starts the threads.
    fn start(self, inner: &Inner) -> Result<(), OpenError> {
        let Self { log, mut merger } = self;
        let flusher = inner.flusher.clone();
        inner.wal.start(log).map_err(io_error("cannot start the thread that writes", inner.keeper.folder().wal()))?;
        let interval = inner.config.flush_interval;
        let tables = inner.tables.clone();
        let due = move || tables.waiting().1.is_some_and(|oldest| oldest.elapsed() >= interval);
        let flush = move |reach| match flusher.flush(reach) {
            Ok(_) => Flushed::Done,
            Err(error @ KeepError::NoRoom) => {
                tracing::debug!(%error, "memory is written to segments when there is room");
                Flushed::Waits
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "writing memory to segments failed; it is tried again");
                Flushed::Failed
            }
        };
        let started = inner.threads.start(due, flush, move || merger.run());
        started.map_err(io_error("cannot start the background threads of", &inner.config.data_dir))
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Large requests decoded at a time. One core is left to what writes them down: as soon as there is room, everybody who waits for it decodes,
/// and the next room comes the later. They are few also because rows of many empty records take many times the bytes of their request, which
/// is known only after.
fn large_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).clamp(1, LARGE_AT_ONCE)
}

const LARGE_AT_ONCE: usize = 4;
