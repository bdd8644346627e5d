//! The folder that keeps moments.
//!
//! ```text
//! VAULT                   one line of text: `throughline backup 1`
//! seg/<signal>/           `<ulid>.parquet-<crc>` and `<ulid>.idx-<crc>`: files of segments, shared by all moments
//! points/<ulid>/          one moment: `wal/…`, `manifest/log`, `memo/…`, `FORMAT`, and SUMS
//! points/<ulid>.partial/  one that is not finished; removed by the next backup
//! SUMS                    `throughline backup 1`, lines `<crc32c 8 hex> <bytes> <name>`, `crc32c <8 hex>` of all before
//! ```
//!
//! A file has its name once its bytes are synced and match their checksum. A moment exists once its folder has its name. Files that are
//! there already are read and compared with their checksums before a new moment relies on them: one that is damaged is copied anew, which
//! mends older moments too. A vault belongs to one store, that of its newest moment.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ulid::Ulid;

use super::{FORMAT, is_of_segment, known_name};
use crate::check::{self, Watch};
use crate::error::OpenError;
use crate::files::{File, Place};
use crate::folder::{io_error, sync_above};
use crate::model::UnixNanos;

mod receiver;
mod sums;

pub use self::receiver::Receiver;
use self::sums::Summed;

/// An open vault.
#[derive(Clone, Debug)]
pub struct Vault {
    root: Place,
}

/// A moment in a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Names it.
    pub id: String,
    /// When it was taken.
    pub taken: UnixNanos,
    /// Its files.
    pub(super) files: Vec<Summed>,
}

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Names the new moment.
    pub id: String,
    /// Files of the moment.
    pub files: usize,
    /// Those that were copied.
    pub copied: usize,
    /// Bytes of those.
    pub bytes: u64,
    /// Files that are damaged where they were read, and are not in the moment.
    pub damaged: Vec<String>,
}

// === impl Point ===

#[cfg(test)]
impl Point {
    /// Its files: name, bytes, checksum, and whether it is of a segment.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&Summed, bool)> {
        self.files.iter().map(|file| (file, is_of_segment(&file.0)))
    }
}

// === impl Vault ===

impl Vault {
    /// Opens a vault, or makes one of an empty or absent folder.
    ///
    /// # Errors
    /// When it is a folder of something else, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_place(&Place::real(path))
    }

    pub(crate) fn open_place(root: &Place) -> Result<Self, OpenError> {
        let vault = Self { root: root.clone() };
        let mark = root.join(MARK);
        if mark.is_there() {
            vault.check_mark()?;
        } else {
            root.create_folder().map_err(io_error("cannot create the folder", root))?;
            sync_above(root)?;
            let draft = root.join(format!("{MARK}{PARTIAL}"));
            let names = root.names().map_err(io_error("cannot list the folder", root))?;
            if names.iter().any(|name| root.join(name).path() != draft.path()) {
                let detail = "it is not a folder of backups, and not empty; name another".to_owned();
                return Err(OpenError::Unsuitable { path: root.path().to_owned(), detail });
            }
            let written = write(&draft, format!("{HEAD}\n").as_bytes()).and_then(|()| draft.rename_to(&mark));
            written.and_then(|()| root.sync_folder()).map_err(io_error("cannot write", &mark))?;
        }
        Ok(vault)
    }

    /// Opens a vault to read from it.
    ///
    /// # Errors
    /// When it is none.
    pub fn inspect(path: &Path) -> Result<Self, OpenError> {
        let vault = Self { root: Place::real(path) };
        vault.check_mark()?;
        Ok(vault)
    }

    fn check_mark(&self) -> Result<(), OpenError> {
        let mark = self.root.join(MARK);
        let text = mark.read().map_err(io_error("this is no folder of backups: cannot read", &mark))?;
        if text == format!("{HEAD}\n").as_bytes() {
            return Ok(());
        }
        match text.strip_prefix(HEAD_OF_ANY.as_bytes()).and_then(|rest| str::from_utf8(rest).ok()?.trim().parse::<u32>().ok()) {
            Some(found) => {
                let detail = format!("it holds backups of version {found}, this program has version 1; use one that has that version");
                Err(OpenError::Unsuitable { path: self.root.path().to_owned(), detail })
            }
            None => Err(damaged(&mark, "it does not begin as a folder of backups does")),
        }
    }

    /// Moments, oldest first. One whose list is damaged is left out, with a warning.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn points(&self) -> Result<Vec<Point>, OpenError> {
        let folder = self.root.join(POINTS);
        let mut points = Vec::new();
        for name in listed(&folder)? {
            let Ok(id) = Ulid::from_string(&name) else { continue };
            let sums = folder.join(&name).join(SUMS);
            // It is being removed.
            if !sums.is_there() {
                continue;
            }
            match sums.read().ok().and_then(|bytes| sums::read(&bytes)) {
                Some(files) => points.push(Point { id: name, taken: UnixNanos::new(id.timestamp_ms().saturating_mul(1_000_000)), files }),
                None => tracing::warn!(file = %sums.display(), "the list of a backup is damaged; it cannot be restored"),
            }
        }
        Ok(points)
    }

    /// Files of segments that need not be copied again: name, bytes and checksum of each. Every one is read, and one that is not what was
    /// kept is left out. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn known(&self, watch: Watch<'_>) -> Result<HashSet<String>, OpenError> {
        let files: BTreeSet<Summed> =
            self.points()?.into_iter().flat_map(|point| point.files).filter(|file| is_of_segment(&file.0)).collect();
        let (mut known, all) = (HashSet::new(), files.len());
        for (number, (name, bytes, crc)) in files.into_iter().enumerate() {
            watch(&format!("comparing file {} of {all} of earlier backups with its checksum", number + 1));
            let there = self.segment_file(&name, crc);
            match there.open().and_then(|file| file.len()) {
                Ok(len) if len == bytes && check::sums(&there).is_ok_and(|sums| (sums.len, sums.crc) == (bytes, crc)) => {
                    known.insert(known_name(&name, bytes, crc));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!(file = %there.display(), "a file of earlier backups is missing; it is copied again when it is still stored");
                }
                _ => {
                    tracing::warn!(file = %there.display(), "a file of earlier backups is damaged; it is copied again when it is still stored")
                }
            }
        }
        Ok(known)
    }

    /// Which store the newest moment is of, as its FORMAT says; `None` when there is none that says it. One that is damaged says nothing.
    fn store(&self) -> Result<Option<String>, OpenError> {
        let points = self.points()?;
        let format_of = |point: &Point| {
            let (name, _, crc) = point.files.iter().find(|(name, _, _)| name == FORMAT)?;
            self.file(point, name, *crc).read().ok().filter(|bytes| crc32c::crc32c(bytes) == *crc)
        };
        Ok(points.iter().rev().filter_map(format_of).find_map(|format| store_of(&format)))
    }

    /// Begins a new moment.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn receive(&self) -> Result<Receiver, OpenError> {
        let lock = self.lock()?;
        let points = self.root.join(POINTS);
        let is_left_over =
            |name: &&String| name.ends_with(PARTIAL) || (Ulid::from_string(name).is_ok() && !points.join(name).join(SUMS).is_there());
        for name in listed(&points)?.iter().filter(is_left_over) {
            let left_over = points.join(name);
            left_over.remove_all().map_err(io_error("cannot remove", &left_over))?;
        }
        let id = self.root.fresh_id().to_string();
        let draft = points.join(format!("{id}{PARTIAL}"));
        draft.create_folder().map_err(io_error("cannot create the folder", &draft))?;
        Ok(Receiver::new(self.clone(), lock, draft, id, self.store()?))
    }

    /// Removes all moments but the newest `keep`, and files of segments that none of those has. Returns how many moments went.
    ///
    /// # Errors
    /// When something cannot be removed, when a backup is being written, whose files no moment has yet, or when a moment cannot be read: it may
    /// be whole, and what it has is not known.
    pub fn prune(&self, keep: usize) -> Result<usize, OpenError> {
        let _lock = self.lock()?;
        self.must_be_readable()?;
        let points = self.points()?;
        let (old, kept) = points.split_at(points.len().saturating_sub(keep.max(1)));
        for point in old {
            let folder = self.root.join(POINTS).join(&point.id);
            // First what makes it one that can be restored, for good.
            let removed = folder.join(SUMS).remove().and_then(|()| folder.sync_folder()).and_then(|()| folder.remove_all());
            removed.map_err(io_error("cannot remove", &folder))?;
        }
        let needed: HashSet<PathBuf> =
            kept.iter().flat_map(|point| &point.files).map(|(name, _, crc)| self.segment_file(name, *crc).path().to_owned()).collect();
        for signal in ["traces", "logs"] {
            let folder = self.root.join(SEG).join(signal);
            for name in listed(&folder)? {
                let file = folder.join(name);
                if !needed.contains(file.path()) {
                    file.remove().map_err(io_error("cannot remove", &file))?;
                }
            }
        }
        Ok(old.len())
    }

    /// Fails when the list of a moment is there and cannot be read.
    fn must_be_readable(&self) -> Result<(), OpenError> {
        let points = self.root.join(POINTS);
        for name in listed(&points)? {
            let sums = points.join(&name).join(SUMS);
            if Ulid::from_string(&name).is_ok() && sums.is_there() {
                sums.read().map_err(io_error("cannot read", &sums))?;
            }
        }
        Ok(())
    }

    /// For whoever writes or removes files.
    fn lock(&self) -> Result<Arc<dyn File>, OpenError> {
        let mark = self.root.join(MARK);
        let lock = mark.open().map_err(io_error("cannot open", &mark))?;
        if !lock.try_lock().map_err(io_error("cannot lock", &mark))? {
            return Err(io_error("another backup is being written to", &self.root)(io::ErrorKind::WouldBlock.into()));
        }
        Ok(lock)
    }

    /// Where the file of a segment is kept.
    pub(super) fn segment_file(&self, name: &str, crc: u32) -> Place {
        self.root.join(format!("{name}-{crc:08x}"))
    }

    /// Where a file of a moment is kept.
    pub(super) fn file(&self, point: &Point, name: &str, crc: u32) -> Place {
        if is_of_segment(name) { self.segment_file(name, crc) } else { self.root.join(POINTS).join(&point.id).join(name) }
    }
}

/// The store that a FORMAT names.
fn store_of(format: &[u8]) -> Option<String> {
    str::from_utf8(format).ok()?.lines().find_map(|line| line.strip_prefix("store ")).map(str::to_owned)
}

fn listed(folder: &Place) -> Result<Vec<String>, OpenError> {
    if folder.is_there() { folder.names().map_err(io_error("cannot list the folder", folder)) } else { Ok(Vec::new()) }
}

fn write(place: &Place, bytes: &[u8]) -> io::Result<()> {
    let file = place.create()?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    place.parent().map_or(Ok(()), |folder| folder.sync_folder())
}

fn damaged(place: &Place, detail: &str) -> OpenError {
    OpenError::Damaged { path: place.path().to_owned(), detail: detail.to_owned() }
}

const MARK: &str = "VAULT";
const POINTS: &str = "points";
const SUMS: &str = "SUMS";
const SEG: &str = "seg";
const PARTIAL: &str = ".partial";
const HEAD: &str = "throughline backup 1";
const HEAD_OF_ANY: &str = "throughline backup ";

#[cfg(test)]
mod tests;
