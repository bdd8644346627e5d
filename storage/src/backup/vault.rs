//! The folder that keeps moments.
//!
//! ```text
//! VAULT                   one line of text: `throughline backup 1`
//! seg/<signal>/           `<ulid>.parquet-<crc>` and `<ulid>.idx-<crc>`: files of segments, shared by all moments
//! points/<ulid>/          one moment: `wal/…`, `manifest/log`, `FORMAT`, and SUMS
//! points/<ulid>.partial/  one that is not finished; removed by the next backup
//! SUMS                    `throughline backup 1`, lines `<crc32c 8 hex> <bytes> <name>`, `crc32c <8 hex>` of all before
//! ```
//!
//! A file has its name once its bytes are synced and match their checksum. A moment exists once its folder has its name.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ulid::Ulid;

use super::stream::{DAMAGED, END, FILE, KNOWN, MAGIC};
use super::{is_of_segment, known_name};
use crate::error::OpenError;
use crate::files::{File, Place};
use crate::folder::io_error;
use crate::model::UnixNanos;

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
    /// Its files: name, bytes, crc32c.
    pub(super) files: Vec<(String, u64, u32)>,
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

/// Takes in a stream.
#[derive(Debug)]
pub struct Receiver {
    vault: Vault,
    /// One backup at a time.
    _lock: Arc<dyn File>,
    draft: Place,
    kept: Kept,
    sums: Vec<(String, u64, u32)>,
    /// Bytes that do not make a whole head or end yet.
    held: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    Between,
    Within { name: String, place: Place, file: Arc<dyn File>, bytes: u64, at: u64, crc: u32 },
    Ended,
}

/// Takes fields off the front of bytes that may not all be there.
struct Fields<'a>(&'a [u8]);

// === impl Vault ===

impl Vault {
    /// Opens a vault, or makes one of an empty or absent folder.
    ///
    /// # Errors
    /// When it is a folder of something else, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let root = Place::real(path);
        let vault = Self { root: root.clone() };
        let mark = root.join(MARK);
        if mark.is_there() {
            vault.check_mark()?;
        } else {
            root.create_folder().map_err(io_error("cannot create the folder", &root))?;
            if !root.names().map_err(io_error("cannot list the folder", &root))?.is_empty() {
                let detail = "it is not a folder of backups, and not empty; name another".to_owned();
                return Err(OpenError::Unsuitable { path: root.path().to_owned(), detail });
            }
            write(&mark, format!("{HEAD}\n").as_bytes()).map_err(io_error("cannot write", &mark))?;
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
            match sums.read().ok().and_then(|bytes| read_sums(&bytes)) {
                Some(files) => points.push(Point { id: name, taken: UnixNanos::new(id.timestamp_ms().saturating_mul(1_000_000)), files }),
                None => tracing::warn!(file = %sums.display(), "the list of a backup is damaged; it cannot be restored"),
            }
        }
        Ok(points)
    }

    /// Files of segments that need not be copied again: name, bytes and checksum of each.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn known(&self) -> Result<HashSet<String>, OpenError> {
        let mut known = HashSet::new();
        for (name, bytes, crc) in self.points()?.into_iter().flat_map(|point| point.files) {
            let there = self.segment_file(&name, crc);
            if is_of_segment(&name) && there.open().and_then(|file| file.len()).is_ok_and(|len| len == bytes) {
                known.insert(known_name(&name, bytes, crc));
            }
        }
        Ok(known)
    }

    /// Begins a new moment.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn receive(&self) -> Result<Receiver, OpenError> {
        let mark = self.root.join(MARK);
        let lock = mark.open().map_err(io_error("cannot open", &mark))?;
        if !lock.try_lock().map_err(io_error("cannot lock", &mark))? {
            return Err(io_error("another backup is being written to", &self.root)(io::ErrorKind::WouldBlock.into()));
        }
        let points = self.root.join(POINTS);
        for name in listed(&points)?.iter().filter(|name| name.ends_with(PARTIAL)) {
            let left_over = points.join(name);
            left_over.remove_all().map_err(io_error("cannot remove", &left_over))?;
        }
        let id = self.root.fresh_id().to_string();
        let draft = points.join(format!("{id}{PARTIAL}"));
        draft.create_folder().map_err(io_error("cannot create the folder", &draft))?;
        let kept = Kept { id, ..Kept::default() };
        Ok(Receiver { vault: self.clone(), _lock: lock, draft, kept, sums: Vec::new(), held: Vec::new(), state: State::Begin })
    }

    /// Removes all moments but the newest `keep`, and files of segments that none of those has. Returns how many moments went.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn prune(&self, keep: usize) -> Result<usize, OpenError> {
        let points = self.points()?;
        let (old, kept) = points.split_at(points.len().saturating_sub(keep.max(1)));
        for point in old {
            let folder = self.root.join(POINTS).join(&point.id);
            folder.remove_all().map_err(io_error("cannot remove", &folder))?;
        }
        let needed: HashSet<PathBuf> =
            kept.iter().flat_map(|point| &point.files).map(|(name, _, crc)| self.segment_file(name, *crc).path().to_owned()).collect();
        for signal in ["traces", "logs"] {
            let folder = self.root.join("seg").join(signal);
            for name in listed(&folder)? {
                let file = folder.join(name);
                if !needed.contains(file.path()) {
                    file.remove().map_err(io_error("cannot remove", &file))?;
                }
            }
        }
        Ok(old.len())
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

// === impl Receiver ===

impl Receiver {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// When they make no sense, or cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), OpenError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.take(rest)?;
        }
        // A head, an end or an empty file may be complete without further bytes.
        while self.advance()? {}
        Ok(())
    }

    /// Takes some of `bytes`, gives the rest.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], OpenError> {
        if let State::Within { place, file, bytes: size, at, crc, .. } = &mut self.state
            && *at < *size
        {
            let length = usize::try_from((*size - *at).min(bytes.len() as u64)).unwrap_or(bytes.len());
            let (now, rest) = bytes.split_at(length);
            file.write_all_at(now, *at).map_err(io_error("cannot write", &*place))?;
            *crc = crc32c::crc32c_append(*crc, now);
            *at += length as u64;
            return Ok(rest);
        }
        // Heads are short: byte by byte until one is whole.
        let (byte, rest) = bytes.split_at(1);
        self.held.extend_from_slice(byte);
        self.advance()?;
        Ok(rest)
    }

    /// Acts on what is held, when it is a whole head or end; whether it was.
    fn advance(&mut self) -> Result<bool, OpenError> {
        let held = std::mem::take(&mut self.held);
        let mut fields = Fields(&held);
        let acted = match &self.state {
            State::Begin => match fields.array::<8>() {
                Some(magic) if magic == *MAGIC => {
                    self.state = State::Between;
                    true
                }
                Some(_) => return Err(self.broken("it is not a backup")),
                None => false,
            },
            State::Between => self.head(&mut fields)?,
            State::Within { bytes, at, .. } if at < bytes => false,
            State::Within { .. } => match (fields.array(), fields.array()) {
                (Some(crc), Some([state])) => {
                    self.file_ends(u32::from_le_bytes(crc), state)?;
                    true
                }
                _ => false,
            },
            State::Ended if held.is_empty() => false,
            State::Ended => return Err(self.broken("it goes on after its end")),
        };
        if !acted {
            self.held = held;
        }
        Ok(acted)
    }

    fn head(&mut self, fields: &mut Fields<'_>) -> Result<bool, OpenError> {
        let Some([kind]) = fields.array() else { return Ok(false) };
        if kind == END {
            let Some(count) = fields.array().map(u32::from_le_bytes) else { return Ok(false) };
            if count as usize != self.kept.files {
                return Err(self.broken("it ends with another number of files than it had"));
            }
            self.state = State::Ended;
            return Ok(true);
        }
        let Some(length) = fields.array().map(u16::from_le_bytes) else { return Ok(false) };
        let (Some(name), Some(bytes)) = (fields.take(length.into()), fields.array().map(u64::from_le_bytes)) else { return Ok(false) };
        let name = str::from_utf8(name)
            .ok()
            .filter(|name| is_name(name))
            .ok_or_else(|| self.broken("it names a file that is none of a store"))?
            .to_owned();
        match kind {
            KNOWN => {
                let Some(crc) = fields.array().map(u32::from_le_bytes) else { return Ok(false) };
                self.kept.files += 1;
                self.sums.push((name, bytes, crc));
            }
            FILE => {
                self.kept.files += 1;
                self.begin(name, bytes)?;
            }
            _ => return Err(self.broken("it holds something that is not known")),
        }
        Ok(true)
    }

    fn begin(&mut self, name: String, bytes: u64) -> Result<(), OpenError> {
        let place = if is_of_segment(&name) { self.vault.root.join(format!("{name}{PARTIAL}")) } else { self.draft.join(&name) };
        let created = || {
            if let Some(folder) = place.parent() {
                folder.create_folder()?;
            }
            place.create()
        };
        let file = created().map_err(io_error("cannot create", &place))?;
        self.state = State::Within { name, place, file, bytes, at: 0, crc: 0 };
        Ok(())
    }

    fn file_ends(&mut self, sent: u32, state: u8) -> Result<(), OpenError> {
        let State::Within { name, place, file, bytes, crc, .. } = std::mem::replace(&mut self.state, State::Between) else { return Ok(()) };
        if sent != crc {
            return Err(self.broken(&format!("{name} arrived damaged; try again")));
        }
        if state == DAMAGED {
            place.remove().map_err(io_error("cannot remove", &place))?;
            // An index is made again by the first start.
            if !name.ends_with(".idx") {
                self.kept.damaged.push(name);
            }
            return Ok(());
        }
        file.sync_all().map_err(io_error("cannot sync", &place))?;
        if is_of_segment(&name) {
            let lasting = self.vault.segment_file(&name, crc);
            let renamed = place.rename_to(&lasting).and_then(|()| lasting.parent().map_or(Ok(()), |folder| folder.sync_folder()));
            renamed.map_err(io_error("cannot rename", &place))?;
        }
        self.kept.copied += 1;
        self.kept.bytes += bytes;
        self.sums.push((name, bytes, crc));
        Ok(())
    }

    /// Makes the moment one that can be restored.
    ///
    /// # Errors
    /// When the stream broke off, or the folder cannot be written.
    pub fn finish(self) -> Result<Kept, OpenError> {
        if !matches!(self.state, State::Ended) {
            return Err(self.broken("it broke off"));
        }
        let sums = self.draft.join(SUMS);
        let lasting = self.vault.root.join(POINTS).join(&self.kept.id);
        let finished = || -> io::Result<()> {
            write(&sums, write_sums(&self.sums).as_bytes())?;
            for folder in ["wal", "manifest"] {
                if self.draft.join(folder).is_there() {
                    self.draft.join(folder).sync_folder()?;
                }
            }
            self.draft.rename_to(&lasting)?;
            self.vault.root.join(POINTS).sync_folder()?;
            self.vault.root.sync_folder()
        };
        finished().map_err(io_error("cannot finish", &self.draft))?;
        Ok(self.kept)
    }

    fn broken(&self, what: &str) -> OpenError {
        damaged(&self.draft, &format!("the stream of the backup cannot be used: {what}"))
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

/// Whether a name is one that a data folder has: it comes from a stream and becomes a path.
fn is_name(name: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') && !text.starts_with('.');
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["FORMAT"] | ["manifest", "log"] => true,
        ["wal", file] => plain(file),
        ["seg", "traces" | "logs", file] => plain(file),
        _ => false,
    }
}

fn write_sums(files: &[(String, u64, u32)]) -> String {
    let mut text = format!("{HEAD}\n");
    for (name, bytes, crc) in files {
        text.push_str(&format!("{crc:08x} {bytes} {name}\n"));
    }
    text.push_str(&format!("crc32c {:08x}\n", crc32c::crc32c(text.as_bytes())));
    text
}

/// `None` when it is not whole.
fn read_sums(bytes: &[u8]) -> Option<Vec<(String, u64, u32)>> {
    let text = str::from_utf8(bytes).ok()?;
    let at = text.trim_end().rfind('\n')? + 1;
    let (body, sum) = text.split_at_checked(at)?;
    if sum != format!("crc32c {:08x}\n", crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let read = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (crc, bytes, name) = (words.next()?, words.next()?, words.next().filter(|name| is_name(name))?);
        Some((name.to_owned(), bytes.parse().ok()?, u32::from_str_radix(crc, 16).ok()?))
    };
    lines.map(read).collect()
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
const PARTIAL: &str = ".partial";
const HEAD: &str = "throughline backup 1";
const HEAD_OF_ANY: &str = "throughline backup ";

#[cfg(test)]
mod tests;
