//! The one door to files.
//!
//! Owns every call that reaches the operating system's files; nothing else in this crate does. Knows nothing of what they hold. Two file
//! systems stand behind the door: the real one (`files/real.rs`), and in tests one that crashes, tears and forgets (`files/simulated.rs`).
//!
//! | call | what a power failure after it leaves |
//! |---|---|
//! | [`File::write_all_at`], [`File::set_len`] | any of the sectors, old or new, until the file is synced |
//! | [`File::sync_data`], [`File::sync_all`] | the bytes; not the name of a new file |
//! | [`Place::create`], [`Place::rename_to`], [`Place::remove`], [`Place::create_folder`] | the old name or the new one, until its folder is synced |
//! | [`Place::sync_folder`] | the names in it |

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ulid::Ulid;

mod append;
mod process;
mod real;
#[cfg(test)]
mod simulated;

pub(crate) use self::append::Appender;
pub(crate) use self::process::memory_taken;
use self::real::Real;
#[cfg(test)]
pub(crate) use self::simulated::{Mounted, Plan, Simulated};

/// A file or folder: where it is, and on which file system.
#[derive(Clone)]
pub(crate) struct Place {
    system: Arc<dyn FileSystem>,
    path: PathBuf,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be read.
    Read,
    /// To be written, as it is.
    Write,
    /// To be written; created or emptied.
    Create,
    /// To be read and written, as it is; created when absent.
    Keep,
}

/// What a file system does.
pub(crate) trait FileSystem: fmt::Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Gives a file another name; a file that had that name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which nothing has yet.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a file, or a folder with everything in it.
    fn remove_all(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder in one that is there, unless it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder that are UTF-8, sorted.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Whether there is a file or folder.
    fn is_there(&self, path: &Path) -> bool;
    /// Bytes that this process may still write.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
    /// A name that no file has had.
    fn fresh_id(&self) -> Ulid;

    /// Has all ids to come sort after this one.
    fn ids_after(&self, id: Ulid);
}

/// An open file. It has no cursor, so many may use it at once.
pub(crate) trait File: fmt::Debug + Send + Sync {
    /// Bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads what is there at `offset`, at most as much as the buffer takes.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Fills the buffer from `offset`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all bytes at `offset`. After an error some of them may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, or fills it up with zeroes.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Sets space aside and makes the file that long; false where the file system cannot.
    fn preallocate(&self, bytes: u64) -> io::Result<bool>;
    /// Makes the bytes durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the bytes and everything about the file durable.
    fn sync_all(&self) -> io::Result<()>;
    /// Locks the file until it is closed; false when another process has it locked.
    fn try_lock(&self) -> io::Result<bool>;
}

/// Whether an error says that there is no space for what was written. It says nothing of what was written before.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

// === impl Place ===

impl Place {
    /// A place on the real file system.
    pub(crate) fn real(path: impl Into<PathBuf>) -> Self {
        Self { system: Arc::new(Real), path: path.into() }
    }

    /// A place on another file system.
    #[cfg(test)]
    pub(crate) fn on(system: Arc<dyn FileSystem>, path: impl Into<PathBuf>) -> Self {
        Self { system, path: path.into() }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is, to be shown.
    pub(crate) fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// A place in this folder.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> Self {
        Self { system: self.system.clone(), path: self.path.join(name) }
    }

    /// The folder it is in; `None` for the root and for the current folder.
    pub(crate) fn parent(&self) -> Option<Self> {
        let parent = self.path.parent()?;
        let path = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        (path != self.path).then(|| Self { system: self.system.clone(), path: path.to_owned() })
    }

    /// Opens the file to be read.
    pub(crate) fn open(&self) -> io::Result<Arc<dyn File>> {
        self.system.open(&self.path, Mode::Read)
    }

    /// Opens the file to be written, as it is.
    pub(crate) fn open_to_write(&self) -> io::Result<Arc<dyn File>> {
        self.system.open(&self.path, Mode::Write)
    }

    /// Opens the file to be read and written, as it is; creates it when absent.
    pub(crate) fn open_or_create(&self) -> io::Result<Arc<dyn File>> {
        self.system.open(&self.path, Mode::Keep)
    }

    /// Creates the file or empties it.
    pub(crate) fn create(&self) -> io::Result<Arc<dyn File>> {
        self.system.open(&self.path, Mode::Create)
    }

    /// Creates a file of its own: one that is there under this name may have another name too, which a rename gave it whose end a power failure
    /// took back.
    pub(crate) fn create_anew(&self) -> io::Result<Arc<dyn File>> {
        match self.remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.create(),
        }
    }

    /// Reads the whole file.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        self.system.read(&self.path)
    }

    /// Reads the whole file; where it cannot be read, its bytes are 0xFF.
    pub(crate) fn read_what_can_be(&self) -> io::Result<Vec<u8>> {
        if let Ok(bytes) = self.read() {
            return Ok(bytes);
        }
        let file = self.open()?;
        let mut bytes = vec![0xff; usize::try_from(file.len()?).map_err(io::Error::other)?];
        for (number, block) in (0u64..).zip(bytes.chunks_mut(BLOCK_BYTES)) {
            let mut read = vec![0; block.len()];
            if file.read_exact_at(&mut read, number * BLOCK_BYTES as u64).is_ok() {
                block.copy_from_slice(&read);
            }
        }
        Ok(bytes)
    }

    /// Gives the file another name on the same file system.
    pub(crate) fn rename_to(&self, to: &Self) -> io::Result<()> {
        self.system.rename(&self.path, &to.path)
    }

    /// Gives the file a second name, which nothing has yet.
    pub(crate) fn link_to(&self, to: &Self) -> io::Result<()> {
        self.system.link(&self.path, &to.path)
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.system.remove(&self.path)
    }

    /// Removes the file, or the folder with everything in it.
    pub(crate) fn remove_all(&self) -> io::Result<()> {
        self.system.remove_all(&self.path)
    }

    /// Creates the folder, and those it is in.
    pub(crate) fn create_folder(&self) -> io::Result<()> {
        let Some(parent) = self.parent() else { return Ok(()) };
        if !parent.is_there() {
            parent.create_folder()?;
        }
        self.system.create_folder(&self.path)
    }

    /// Makes the names in the folder durable: created, renamed and removed files.
    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        self.system.sync_folder(&self.path)
    }

    /// Names in the folder, sorted. A name that is not UTF-8 is not ours and left out.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        self.system.names(&self.path)
    }

    /// Whether there is a file or folder.
    pub(crate) fn is_there(&self) -> bool {
        self.system.is_there(&self.path)
    }

    /// Bytes that this process may still write to the disk of the folder.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        self.system.free_bytes(&self.path)
    }

    /// A name that no file has had; later ones sort after those of earlier milliseconds.
    pub(crate) fn fresh_id(&self) -> Ulid {
        self.system.fresh_id()
    }

    /// Has all ids to come sort after this one.
    pub(crate) fn ids_after(&self, id: Ulid) {
        self.system.ids_after(id);
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl From<Place> for PathBuf {
    fn from(place: Place) -> Self {
        place.path
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// What is given up where a file cannot be read.
const BLOCK_BYTES: usize = 512;

#[cfg(test)]
mod tests;
