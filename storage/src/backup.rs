//! `throughline backup` and `throughline restore`: a consistent moment of a store, copied while the store goes on.
//!
//! Owns the moment, the stream that carries it (`backup/stream.rs`), the folder that keeps moments (`backup/vault.rs`) and the way back
//! (`backup/restore.rs`). A moment is the list of segments, their files, and the log up to its last acknowledged frame: what a crash at
//! that time would have left, so a start from it is a start after a crash. Segments never change; those that a vault has already are not
//! copied again. While a moment is held, files that it needs are not removed. Saved views and the marks of services are in it too.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use ulid::Ulid;

use crate::error::OpenError;
use crate::files::{File, Place};
use crate::flush::Keeper;
use crate::folder::{Folder, io_error};
use crate::manifest::{self, Contents};
use crate::memo;
use crate::segment::SegmentMeta;
use crate::snapshot::Snapshot;
use crate::store::Signal;
use crate::wal;

mod restore;
mod stream;
mod vault;

pub(crate) use self::restore::RESTORING;
#[cfg(test)]
pub(crate) use self::restore::restore_place;
pub use self::restore::{Restored, restore};
pub use self::stream::Stream;
pub use self::vault::{Kept, Point, Receiver, Vault};

/// Everything that a store holds at one moment.
#[derive(Debug)]
pub struct Backup {
    folder: Arc<Folder>,
    contents: Contents,
    log: LogFiles,
    /// Keeps the files of its segments from being removed.
    _pinned: Option<Arc<Snapshot>>,
}

/// Files of the log: first frame, handle, bytes.
type LogFiles = Vec<(u64, Arc<dyn File>, u64)>;

/// A file of a moment.
#[derive(Clone, Debug)]
struct Piece {
    /// Relative to the data folder.
    name: String,
    bytes: u64,
    /// What it must add up to; `None` where only the copy can tell.
    crc: Option<u32>,
    content: Content,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
enum Content {
    At(Place),
    Open(Arc<dyn File>),
    Here(Arc<Vec<u8>>),
}

// === impl Backup ===

impl Backup {
    /// The present moment of a store that runs.
    pub(crate) fn of_store(
        keeper: &Keeper,
        log: &dyn Fn() -> Vec<(u64, u64)>,
        snapshot: &dyn Fn() -> Arc<Snapshot>,
    ) -> Result<Self, OpenError> {
        let folder = keeper.shared_folder();
        let wal = folder.wal();
        let mut missing: Option<BTreeSet<Ulid>> = None;
        for attempt in 0..ATTEMPTS {
            // An edit of the list, and what it lets go, waits meanwhile: list, log and segments are of one moment.
            let (contents, files, pinned) = keeper.at_one_moment(|contents| (contents.clone(), open_log(&wal, log()), snapshot()));
            let open = pinned.spans.segments.iter().chain(&pinned.logs.segments).map(|segment| segment.meta().id);
            let unopened = pinned.spans.unopened.iter().chain(&pinned.logs.unopened).map(|meta| meta.id);
            let is_pinned: BTreeSet<Ulid> = open.chain(unopened).collect();
            let others: BTreeSet<Ulid> = contents.segments.keys().filter(|id| !is_pinned.contains(id)).copied().collect();
            // What was just listed is in the snapshot soon after. After a fault while it was written it never is, and nobody removes it.
            let never = missing.as_ref().map_or(others.clone(), |before| before.intersection(&others).copied().collect());
            if others.is_empty() || (attempt >= PATIENCE && others == never) {
                return Ok(Self { folder, contents, log: files?, _pinned: Some(pinned) });
            }
            missing = Some(never);
            std::thread::sleep(BETWEEN);
        }
        let source = std::io::Error::other("the list of segments changes all the time; try again");
        Err(OpenError::Io { action: "cannot hold a moment of", path: wal.parent().unwrap_or(wal).into(), source })
    }

    /// The moment at which a data folder was left. Holds its lock.
    ///
    /// # Errors
    /// When it is in use, of another version or damaged.
    pub fn of_folder(data_dir: &Path) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::inspect(&Place::real(data_dir))?);
        let contents = manifest::read(&folder.manifest(), folder.id())?.contents;
        let read = wal::verify(&folder.wal(), folder.id(), contents.log(), &mut |_| Ok(()))?;
        let mut log = Vec::new();
        for (first, bytes) in read.files {
            let place = wal::file_path(&folder.wal(), first);
            log.push((first, place.open().map_err(io_error("cannot open", &place))?, bytes));
        }
        Ok(Self { folder, contents, log, _pinned: None })
    }

    /// The files that make the moment: what names the store first, so that it is refused before much was copied, then those of segments.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = vec![Piece::here(FORMAT.to_owned(), self.folder.format_text().into_bytes())];
        for meta in self.contents.segments.values() {
            let place = self.folder.segments(meta.signal);
            let name = |extension: &str| format!("{}{}.{extension}", segment_folder(meta.signal), meta.id);
            let SegmentMeta { parquet_bytes, parquet_crc, index_bytes, index_crc, .. } = *meta;
            pieces.push(Piece {
                name: name("parquet"),
                bytes: parquet_bytes,
                crc: Some(parquet_crc),
                content: Content::At(meta.parquet_path(&place)),
            });
            pieces.push(Piece {
                name: name("idx"),
                bytes: index_bytes,
                crc: Some(index_crc),
                content: Content::At(meta.index_path(&place)),
            });
        }
        for (first, file, bytes) in &self.log {
            let name = format!("wal/{first:020}.wal");
            pieces.push(Piece { name, bytes: *bytes, crc: None, content: Content::Open(file.clone()) });
        }
        let last = self.log.last().map_or(self.contents.wal_through + 1, |(first, _, _)| *first);
        if self.log.is_empty() {
            pieces.push(Piece::here(format!("wal/{last:020}.wal"), wal::empty(self.folder.id(), last)));
        }
        // The next file of the log may be begun already; it has nothing of this moment.
        let contents = Contents { log_begun: last, log_ended: 0, ..self.contents.clone() };
        pieces.push(Piece::here("manifest/log".to_owned(), manifest::snapshot(self.folder.id(), &contents)));
        pieces.extend(memo::kept(&self.folder.memo()).into_iter().map(|(name, bytes)| Piece::here(format!("memo/{name}"), bytes)));
        pieces
    }

    /// The moment as a stream, without the files of segments in `known`, which are named as [`Vault::known`] names them.
    #[must_use]
    pub fn stream(self, known: HashSet<String>) -> Stream {
        Stream::new(self, known)
    }
}

/// Opens the files of the log. One that is not there any more was let go: segments hold all of it.
fn open_log(wal: &Place, files: Vec<(u64, u64)>) -> Result<LogFiles, OpenError> {
    let mut log = Vec::with_capacity(files.len());
    for (first, bytes) in files {
        let place = wal::file_path(wal, first);
        match place.open() {
            Ok(file) => log.push((first, file, bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("cannot open", &place)(error)),
        }
    }
    Ok(log)
}

impl Piece {
    fn here(name: String, bytes: Vec<u8>) -> Self {
        Self { name, bytes: bytes.len() as u64, crc: Some(crc32c::crc32c(&bytes)), content: Content::Here(Arc::new(bytes)) }
    }
}

fn segment_folder(signal: Signal) -> String {
    format!("seg/{}/", signal.as_str())
}

/// Whether a file of this name never changes.
fn is_of_segment(name: &str) -> bool {
    name.starts_with("seg/")
}

/// A file of a segment as vaults know it: the same name may stand for an index that was made again.
fn known_name(name: &str, bytes: u64, crc: u32) -> String {
    format!("{name} {bytes} {crc:08x}")
}

const FORMAT: &str = "FORMAT";
/// How often a moment is tried to be held.
const ATTEMPTS: u32 = 500;
/// After so many attempts, what was in no snapshot at any of them is taken for what never will be.
const PATIENCE: u32 = 50;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(10);
