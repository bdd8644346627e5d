//! The list of segments, and how far the log is covered by them.
//!
//! Owns `manifest/log`, which also remembers deletes. A segment exists once an edit that adds it is synced, and no longer once an edit that removes it is. Knows
//! nothing of what segments hold.
//!
//! ```text
//! file    magic "THRLMAN1" | store id 16 bytes | crc32c u32 of both | frames
//! frame   len u32 | crc32c u32 of offset u64, len and body | body: an `Edit` in protobuf
//! ```
//!
//! Numbers are little-endian. Every edit is synced before it counts, so only the last one can be torn. When the file has grown, it is
//! replaced by one whose first edit holds everything. Deletes that are not done are kept a second time, see `manifest/copy.rs`.

mod copy;
mod deletions;
mod edit;
mod salvage;
mod written;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BufMut as _;
use prost::Message as _;
use ulid::Ulid;

use crate::deletion::Deletion;
use crate::error::OpenError;
use crate::files::{File, Place, is_full};
use crate::folder::{draft, io_error, put_in_place, replace_file};
use crate::segment::SegmentMeta;
use crate::wal::Expected;

pub(crate) use self::copy::{copy_of, read_copy, write_copy};
pub(crate) use self::edit::Change;
use self::edit::Edit;
pub(crate) use self::salvage::{Salvaged, salvage, store_of};
pub(crate) use self::written::Written;

/// The open manifest.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: Place,
    tmp: Place,
    store: [u8; 16],
    file: Arc<dyn File>,
    bytes: u64,
    /// Size at which the file is replaced.
    replace_at: u64,
    failed: bool,
    contents: Contents,
}

/// What the edits add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// All segments of both signals.
    pub(crate) segments: BTreeMap<Ulid, SegmentMeta>,
    /// Deletes that are not done yet, and receipts of those that are.
    pub(crate) deletions: BTreeMap<Ulid, Deletion>,
    /// Every frame of the log up to this one is in segments.
    pub(crate) wal_through: u64,
    /// No record in segments has this id or a higher one.
    pub(crate) next_record_id: u64,
    /// The file of the log that begins with this frame was begun: it or a later one must be there. 0 when that is not known.
    pub(crate) log_begun: u64,
    /// The store was stopped in good order before it wrote this frame, and segments have all that were before it. 0 when it was not, or was
    /// started again.
    pub(crate) log_ended: u64,
    /// Rows written to segments so far.
    pub(crate) written: Written,
}

/// What reading a manifest found.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) contents: Contents,
    /// Bytes up to the end of the last whole edit.
    len: u64,
    /// Where the last whole edit begins, and its bytes.
    last: (u64, Vec<u8>),
    /// Bytes of a torn edit after that.
    pub(crate) torn_bytes: u64,
}

/// A change was not made, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
#[error("the manifest {} could not be written", .path.display())]
pub(crate) struct CommitError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

// === impl Contents ===

impl Contents {
    /// What must be in the log.
    pub(crate) fn log(&self) -> Expected {
        let ended = self.log_ended > 0 && self.wal_through + 1 == self.log_ended && self.log_begun <= self.log_ended;
        Expected { through: self.wal_through, last_file: self.log_begun, pristine: *self == Self::default(), ended }
    }
}

// === impl CommitError ===

impl CommitError {
    /// What the system said.
    pub(crate) fn into_io(self) -> io::Error {
        self.source
    }
}

// === impl Manifest ===

impl Manifest {
    /// Opens the manifest in `folder`, or begins one when `create`. A torn last edit is cut off.
    pub(crate) fn open(folder: &Place, tmp: &Place, store: [u8; 16], create: bool) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        if create && !path.is_there() {
            replace_file(tmp, &path, &snapshot(store, &Contents::default())).map_err(io_error("cannot write", &path))?;
        }
        let read = read(folder, store)?;
        let opened = path.open_to_write().map_err(io_error("cannot open", &path))?;
        // Whoever wrote the last edit may have been killed before it was synced, or its sync failed, and only a new write makes the system
        // try again. What it says is acted on: the log is released.
        let (offset, edit) = &read.last;
        let written = opened.write_all_at(edit, *offset).and_then(|()| opened.sync_data()).and_then(|()| folder.sync_folder());
        written.map_err(io_error("cannot make durable", &path))?;
        if read.torn_bytes > 0 {
            tracing::warn!(file = %path.display(), offset = read.len, size_bytes = read.torn_bytes, "a torn last edit is cut off");
            opened.set_len(read.len).and_then(|()| opened.sync_all()).map_err(io_error("cannot cut", &path))?;
        }
        Ok(Self {
            path,
            tmp: tmp.clone(),
            store,
            file: opened,
            bytes: read.len,
            replace_at: REPLACE_AT.max(read.len * 2),
            failed: false,
            contents: read.contents,
        })
    }

    /// What is recorded now.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Records a change durably. A full disk records nothing, and the next change may have room. After any other failure nothing more is
    /// recorded until a restart, as it is not known what is on disk.
    pub(crate) fn commit(&mut self, change: Change) -> Result<(), CommitError> {
        if self.failed {
            return Err(self.error(io::Error::other("an earlier write failed; a restart is needed")));
        }
        let edit = Edit::from(change);
        let bytes = frame(self.bytes, &edit);
        if let Err(source) = self.file.write_all_at(&bytes, self.bytes) {
            self.failed = !self.undo(&source);
            return Err(self.error(source));
        }
        if let Err(source) = self.file.sync_data() {
            self.failed = true;
            return Err(self.error(source));
        }
        self.bytes += bytes.len() as u64;
        // It came from values that are in range.
        let _ = edit.apply(&mut self.contents);
        if self.bytes > self.replace_at {
            self.replace();
        }
        Ok(())
    }

    /// Whether nothing more can be recorded until a restart.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Cuts off what a full disk left of an edit; false when it is not known what is on disk.
    fn undo(&self, error: &io::Error) -> bool {
        is_full(error) && self.file.set_len(self.bytes).and_then(|()| self.file.sync_all()).is_ok()
    }

    fn replace(&mut self) {
        let bytes = snapshot(self.store, &self.contents);
        let draft = match draft(&self.tmp, &self.path, &bytes) {
            Ok(draft) => draft,
            // Nothing has happened to the file itself: it grows on, and is replaced when there is room.
            Err(error) => {
                tracing::warn!(%error, "the manifest could not be replaced by a shorter one; it is tried again when it has grown");
                self.replace_at = self.bytes + REPLACE_AT;
                return;
            }
        };
        let replaced = put_in_place(&draft, &self.path).and_then(|()| self.path.open_to_write());
        match replaced {
            Ok(file) => {
                self.file = file;
                self.bytes = bytes.len() as u64;
                self.replace_at = REPLACE_AT.max(self.bytes * 2);
            }
            // The change itself is recorded in one file or the other, but it is not known which one will be there after a crash.
            Err(source) => {
                self.failed = true;
                tracing::error!(error = %source, "the manifest could not be replaced; nothing is flushed or merged until a restart");
            }
        }
    }

    fn error(&self, source: io::Error) -> CommitError {
        CommitError { path: self.path.path().to_owned(), source }
    }
}

/// Reads the manifest in `folder` and changes nothing.
pub(crate) fn read(folder: &Place, store: [u8; 16]) -> Result<Read, OpenError> {
    let path = folder.join(FILE);
    let damaged = |detail: String| OpenError::Damaged { path: path.path().to_owned(), detail };
    let bytes = match path.read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("it is missing".to_owned())),
        read => read.map_err(io_error("cannot read", &path))?,
    };
    parse(&bytes, store).map_err(damaged)
}

/// What the bytes of a manifest say; the error says what is wrong with them.
fn parse(bytes: &[u8], store: [u8; 16]) -> Result<Read, String> {
    let header = header(store);
    if bytes.get(..header.len()) != Some(header.as_slice()) {
        return Err("its header is broken or belongs to another data folder".to_owned());
    }
    let mut contents = Contents::default();
    let (mut offset, mut last) = (header.len(), header.len());
    while offset < bytes.len() {
        let Some((body, next)) = frame_at(bytes, offset) else { break };
        let applied = Edit::decode(body).ok().and_then(|edit| edit.apply(&mut contents).map(|()| edit));
        let Some(edit) = applied else { return Err(format!("the edit at offset {offset} cannot be understood")) };
        if offset == header.len() && !edit.tells_written() {
            contents.written = Written::at_most(contents.segments.values());
        }
        (last, offset) = (offset, next);
    }
    // Every edit is synced before the next one is written: a whole edit after a broken one means that the broken one was whole once.
    if (offset + 1..bytes.len()).any(|later| frame_at(bytes, later).is_some()) {
        return Err(format!("the edit at offset {offset} is broken"));
    }
    if offset == header.len() {
        return Err("its first edit is broken".to_owned());
    }
    let edit = bytes.get(last..offset).unwrap_or_default().to_owned();
    Ok(Read { contents, len: offset as u64, last: (last as u64, edit), torn_bytes: (bytes.len() - offset) as u64 })
}

/// The bytes of a manifest that holds this.
pub(crate) fn snapshot(store: [u8; 16], contents: &Contents) -> Vec<u8> {
    let mut bytes = header(store);
    let all = frame(bytes.len() as u64, &Edit::from(Change::all(contents)));
    bytes.extend(all);
    bytes
}

fn header(store: [u8; 16]) -> Vec<u8> {
    let mut header = Vec::with_capacity(28);
    header.put_slice(b"THRLMAN1");
    header.put_slice(&store);
    header.put_u32_le(crc32c::crc32c(&header));
    header
}

fn frame(offset: u64, edit: &Edit) -> Vec<u8> {
    let body = edit.encode_to_vec();
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(8 + body.len());
    frame.put_u32_le(len);
    frame.put_u32_le(checksum(offset, len, &body));
    frame.put_slice(&body);
    frame
}

/// The body of the whole frame at `offset`, and where the next one begins.
fn frame_at(bytes: &[u8], offset: usize) -> Option<(&[u8], usize)> {
    let (len, rest) = bytes.get(offset..)?.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let len = u32::from_le_bytes(*len);
    let body = rest.get(..len as usize)?;
    let whole = len > 0 && checksum(offset as u64, len, body) == u32::from_le_bytes(*crc);
    whole.then_some((body, offset + 8 + body.len()))
}

fn checksum(offset: u64, len: u32, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&offset.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &len.to_le_bytes());
    crc32c::crc32c_append(crc, body)
}

/// Its name in the folder.
pub(crate) const FILE: &str = "log";

/// A file below this size is not worth replacing. Tests replace it often.
const REPLACE_AT: u64 = if cfg!(test) { 4 << 10 } else { 256 << 10 };

#[cfg(test)]
mod tests;
