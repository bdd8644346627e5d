//! The data folder: its layout, its lock and its format version.
//!
//! Owns which files and folders there are and which process may write them. Knows nothing of what the files hold.
//!
//! ```text
//! LOCK            locked while a process has the folder open; holds its process id for messages
//! FORMAT          three lines of text: `throughline`, `format <version>`, `store <32 hex digits>`
//! manifest/log    which segments there are, see `manifest`
//! wal/<seq>.wal   accepted requests that are in no segment yet, see `wal`
//! wal/next        the next file of the log while it is begun; of no use after a crash
//! seg/<signal>/   `<ulid>.parquet` and `<ulid>.idx`, see `segment`
//! memo/           what is remembered besides telemetry, see `memo`
//! RESERVE         space that is set aside, see `store::reserve`; what is in it means nothing
//! tmp/            files being written; emptied at open
//! repair/         files that a repair prepares, see `repair`; none outside of one
//! set-aside/<id>/ what a repair took away; nothing reads it
//! ```

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ulid::Ulid;

use crate::error::OpenError;
use crate::files::{File, Place};
use crate::store::Signal;
use crate::{manifest, repair, wal};

mod format;
mod lock;

pub use self::format::VERSION as FORMAT_VERSION;

/// An open, locked data folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: Place,
    id: [u8; 16],
    lock: Mutex<Option<Arc<dyn File>>>,
    /// FORMAT was written just now.
    is_new: bool,
}

// === impl Folder ===

impl Folder {
    /// Creates the folder when absent, locks it and checks its version. One that is not ours is left as it is.
    pub(crate) fn open(root: &Place) -> Result<Self, OpenError> {
        if format::read(root)?.is_none() {
            format::check_unused(root)?;
        }
        root.create_folder().map_err(io_error("cannot create the data folder", root))?;
        let lock = lock::take(root, true)?;
        let mut folder = Self { root: root.clone(), id: [0; 16], lock: Mutex::new(Some(lock)), is_new: false };
        folder.must_not_be_under_repair()?;
        for path in folder.subfolders() {
            path.create_folder().map_err(io_error("cannot create the folder", &path))?;
        }
        folder.id = match format::read(root)? {
            Some(id) => {
                folder.sync_names()?;
                id
            }
            None => folder.initialise()?,
        };
        folder.clean_tmp()?;
        Ok(folder)
    }

    /// Locks an existing folder and checks its version. Writes nothing.
    pub(crate) fn inspect(root: &Place) -> Result<Self, OpenError> {
        if format::read(root)?.is_none() {
            format::check_used(root)?;
        }
        let lock = lock::take(root, false)?;
        let mut folder = Self { root: root.clone(), id: [0; 16], lock: Mutex::new(Some(lock)), is_new: false };
        folder.must_not_be_under_repair()?;
        let format = folder.format_path();
        let missing = || OpenError::Damaged { path: format.path().to_owned(), detail: "it is missing".to_owned() };
        folder.id = format::read(root)?.ok_or_else(missing)?;
        Ok(folder)
    }

    /// Locks a folder of which anything may be damaged but its version; without `write` it stays as it is. Returns what is wrong with
    /// FORMAT; then the id is that of the other files.
    pub(crate) fn rescue(root: &Place, write: bool) -> Result<(Self, Option<String>), OpenError> {
        let lock = lock::take(root, write)?;
        let mut folder = Self { root: root.clone(), id: [0; 16], lock: Mutex::new(Some(lock)), is_new: false };
        for path in folder.subfolders().iter().filter(|_| write) {
            path.create_folder().map_err(io_error("cannot create the folder", path))?;
        }
        let (by_manifest, by_log) = (manifest::store_of(&folder.manifest()), wal::store_of(&folder.wal()));
        // FORMAT has no checksum: where all others agree, it is wrong.
        let known = by_manifest.or(by_log).filter(|id| by_log.is_none_or(|other| other == *id));
        let problem = match format::read(root) {
            Ok(Some(id)) if known.is_none_or(|known| known == id) => {
                folder.id = id;
                return Ok((folder, None));
            }
            Ok(Some(_)) => "it names another store than the files beside it".to_owned(),
            Ok(None) => "it is missing".to_owned(),
            Err(OpenError::Damaged { detail, .. }) => detail,
            Err(OpenError::Io { source, .. }) => source.to_string(),
            Err(other) => return Err(other),
        };
        folder.id = known.unwrap_or_else(|| folder.fresh_id());
        Ok((folder, Some(problem)))
    }

    /// Where the version is.
    pub(crate) fn format_path(&self) -> Place {
        self.root.join(format::NAME)
    }

    /// What stands in FORMAT.
    pub(crate) fn format_text(&self) -> String {
        format::written(self.id)
    }

    /// Drawn at random when the folder was created. Ties its files to each other and keys request hashes.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Where the log's files are.
    pub(crate) fn wal(&self) -> Place {
        self.root.join("wal")
    }

    /// Where the manifest is.
    pub(crate) fn manifest(&self) -> Place {
        self.root.join("manifest")
    }

    /// Where a signal's segments are.
    pub(crate) fn segments(&self, signal: Signal) -> Place {
        self.root.join("seg").join(signal.as_str())
    }

    /// Where deletes are remembered that are not done, besides the manifest.
    pub(crate) fn deletes(&self) -> Place {
        self.memo().join("deletes")
    }

    /// Where is what is remembered besides telemetry.
    pub(crate) fn memo(&self) -> Place {
        self.root.join("memo")
    }

    /// Where space is set aside for deletes on a full disk.
    pub(crate) fn reserve(&self) -> Place {
        self.root.join("RESERVE")
    }

    /// Where files are written before they are renamed.
    pub(crate) fn tmp(&self) -> Place {
        self.root.join(TMP)
    }

    /// Whether this is its first start: FORMAT was written just now.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether nothing shows that the folder was ever served from: its first start ended before it had a list of segments, or all is gone.
    pub(crate) fn is_blank(&self) -> Result<bool, OpenError> {
        Ok(!self.was_served()? && !self.holds_data()?)
    }

    /// Whether there is something that only a store makes which has a log.
    pub(crate) fn was_served(&self) -> Result<bool, OpenError> {
        let remembered = self.memo();
        Ok(self.reserve().is_there() || (remembered.is_there() && !names(&remembered)?.is_empty()))
    }

    /// Whether any log file, manifest or segment exists.
    fn holds_data(&self) -> Result<bool, OpenError> {
        for path in [self.wal(), self.manifest(), self.segments(Signal::Traces), self.segments(Signal::Logs)] {
            if path.is_there() && !names(&path)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes segment files that no manifest names: what a crash left behind. Files with other names are left alone.
    pub(crate) fn remove_orphans(&self, signal: Signal, known: &HashSet<Ulid>) -> Result<usize, OpenError> {
        let folder = self.segments(signal);
        let mut removed = 0;
        for name in names(&folder)? {
            if segment_of(&name).is_some_and(|id| !known.contains(&id)) {
                let path = folder.join(&name);
                path.remove().map_err(io_error("cannot remove the left-over file", &path))?;
                removed += 1;
            }
        }
        // Durably: without the list of segments, names that a power failure brings back might count.
        if removed > 0 {
            folder.sync_folder().map_err(io_error("cannot sync the folder", &folder))?;
        }
        Ok(removed)
    }

    /// Lets another process open the folder.
    pub(crate) fn unlock(&self) {
        drop(self.lock.lock().take());
    }

    /// Bytes that this process may still write to the disk of the folder.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        self.root.free_bytes()
    }

    fn subfolders(&self) -> [Place; 6] {
        [self.manifest(), self.wal(), self.segments(Signal::Traces), self.segments(Signal::Logs), self.memo(), self.tmp()]
    }

    /// Writes FORMAT. Done before anything else is stored, so a folder with data but without FORMAT has lost it.
    fn initialise(&mut self) -> Result<[u8; 16], OpenError> {
        let path = self.format_path();
        if self.holds_data()? {
            let detail = "it is missing although the folder holds data".to_owned();
            return Err(OpenError::Damaged { path: path.path().to_owned(), detail });
        }
        self.id = self.fresh_id();
        self.is_new = true;
        self.sync_names()?;
        sync_above(&self.root)?;
        replace_file(&self.tmp(), &path, self.format_text().as_bytes()).map_err(io_error("cannot write", &path))?;
        Ok(self.id)
    }

    fn fresh_id(&self) -> [u8; 16] {
        (self.root.fresh_id().0.rotate_left(64) ^ self.root.fresh_id().0).to_be_bytes()
    }

    /// A repair that was interrupted has moved files: what is there is not what counts.
    fn must_not_be_under_repair(&self) -> Result<(), OpenError> {
        if repair::is_unfinished(&self.root) { Err(OpenError::Unrepaired { path: self.root.path().to_owned() }) } else { Ok(()) }
    }

    /// Makes durable that the folders and FORMAT are there: whoever made them may have been killed before he could.
    fn sync_names(&self) -> Result<(), OpenError> {
        for folder in [self.root.join("seg"), self.root.clone()] {
            folder.sync_folder().map_err(io_error("cannot sync the folder", &folder))?;
        }
        Ok(())
    }

    fn clean_tmp(&self) -> Result<(), OpenError> {
        let tmp = self.tmp();
        for name in names(&tmp)? {
            let path = tmp.join(name);
            path.remove_all().map_err(io_error("cannot remove the left-over file", &path))?;
        }
        Ok(())
    }
}

/// Makes durable that a new folder is where it is.
pub(crate) fn sync_above(folder: &Place) -> Result<(), OpenError> {
    for above in std::iter::successors(folder.parent(), Place::parent) {
        match above.sync_folder() {
            // Such a folder is not ours: whoever made it keeps it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(io_error("cannot sync the folder", &above))?,
        }
    }
    Ok(())
}

/// Writes a whole file so that after a crash it is either absent or old, or complete.
pub(crate) fn replace_file(tmp: &Place, place: &Place, bytes: &[u8]) -> io::Result<()> {
    put_in_place(&draft(tmp, place, bytes)?, place)
}

/// Writes what is to become the file at `place`, synced, under a temporary name.
pub(crate) fn draft(tmp: &Place, place: &Place, bytes: &[u8]) -> io::Result<Place> {
    let name = place.path().file_name().ok_or_else(|| io::Error::other("the path has no file name"))?;
    let draft = tmp.join(name);
    let file = draft.create()?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    Ok(draft)
}

/// Gives a draft its lasting name, durably.
pub(crate) fn put_in_place(draft: &Place, place: &Place) -> io::Result<()> {
    draft.rename_to(place)?;
    place.parent().map_or(Ok(()), |folder| folder.sync_folder())
}

/// Lets this process hold as many files open as the system grants: every segment holds two.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, limit = limit.current, "the number of files that may be open could not be raised");
    }
}

/// How many files this process may have open; `None` when there is no limit.
pub(crate) fn most_open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Place) -> Result<Vec<String>, OpenError> {
    folder.names().map_err(io_error("cannot list the folder", folder))
}

/// Turns an error of the operating system into one that names what was tried on which file.
pub(crate) fn io_error(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.as_ref().to_owned();
    move |source| OpenError::Io { action, path, source }
}

/// The segment that a file name belongs to; `None` when the name is not one of ours.
pub(crate) fn segment_of(name: &str) -> Option<Ulid> {
    let path = Path::new(name);
    let ours = matches!(path.extension().and_then(OsStr::to_str), Some("parquet" | "idx"));
    let stem = path.file_stem()?.to_str()?;
    if ours && stem.len() == 26 { Ulid::from_string(stem).ok() } else { None }
}

const TMP: &str = "tmp";

#[cfg(test)]
mod tests;
