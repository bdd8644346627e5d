//! Takes a backup's stream in, piece by piece, and makes a moment of it.
//!
//! Owns the states of a stream whose pieces may end anywhere. What the stream looks like is in `backup/stream.rs`.

use std::io;
use std::sync::Arc;

use super::super::stream::{DAMAGED, END, FILE, KNOWN, MAGIC};
use super::super::{FORMAT, is_of_segment};
use super::sums::{self, Summed};
use super::{Kept, PARTIAL, POINTS, SEG, SUMS, Vault, damaged, store_of, write};
use crate::error::OpenError;
use crate::files::{File, Place};
use crate::folder::io_error;

/// Takes in a stream.
#[derive(Debug)]
pub struct Receiver {
    vault: Vault,
    /// One backup at a time.
    _lock: Arc<dyn File>,
    draft: Place,
    /// Whose moments the vault keeps, when it keeps any.
    store: Option<String>,
    kept: Kept,
    sums: Vec<Summed>,
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

// === impl Receiver ===

impl Receiver {
    /// For a moment that is written to `draft`; `lock` is held until it is finished.
    pub(super) fn new(vault: Vault, lock: Arc<dyn File>, draft: Place, id: String, store: Option<String>) -> Self {
        let kept = Kept { id, ..Kept::default() };
        Self { vault, _lock: lock, draft, store, kept, sums: Vec::new(), held: Vec::new(), state: State::Begin }
    }

    /// Names the moment that it will be.
    #[cfg(test)]
    pub(crate) fn id(&self) -> &str {
        &self.kept.id
    }

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
            .filter(|name| sums::is_name(name))
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
            place.create_anew()
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
        if name == FORMAT {
            self.must_be_of_the_same_store(&place)?;
        }
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

    /// Moments of several stores in one folder would be taken for those of one.
    fn must_be_of_the_same_store(&self, format: &Place) -> Result<(), OpenError> {
        let sent = store_of(&format.read().map_err(io_error("cannot read", format))?);
        let (Some(known), Some(sent)) = (&self.store, sent) else { return Ok(()) };
        if *known == sent {
            return Ok(());
        }
        let detail = format!("it keeps backups of another data folder (store {known}, not {sent}); name another folder for this one");
        Err(OpenError::Unsuitable { path: self.vault.root.path().to_owned(), detail })
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
            write(&sums, sums::written(&self.sums).as_bytes())?;
            for folder in ["wal", "manifest", "memo"] {
                if self.draft.join(folder).is_there() {
                    self.draft.join(folder).sync_folder()?;
                }
            }
            // What it relies on first.
            if self.vault.root.join(SEG).is_there() {
                self.vault.root.join(SEG).sync_folder()?;
            }
            self.vault.root.sync_folder()?;
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
