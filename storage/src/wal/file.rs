//! One file of the log: its name, creation and preallocation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::folder::sync_folder;

use super::frame::{FILE_HEADER, Header, encode_header};

/// The path of the file whose first frame has `first_seq`.
pub(crate) fn path(folder: &Path, first_seq: u64) -> PathBuf {
    folder.join(format!("{first_seq:020}.wal"))
}

/// The first sequence number in a file name; `None` when the name is not one of ours.
pub(crate) fn first_seq(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal").filter(|digits| digits.len() == 20)?;
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Creates a file with its header, synced, its name durable. Space for `bytes` is set aside, so that later syncs have no change of size
/// to journal and a full disk shows here, before anything is promised.
pub(crate) fn create(folder: &Path, first_seq: u64, store: [u8; 16], bytes: u64) -> io::Result<File> {
    let path = path(folder, first_seq);
    let written = || -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let wanted = bytes.max(FILE_HEADER as u64);
        let set_aside = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, wanted) {
            Ok(()) => wanted,
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
            Err(error) => return Err(error.into()),
        };
        file.write_all(&encode_header(Header { first_seq, set_aside, store }))?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(file)
    };
    let created = written();
    if created.is_err() {
        // Gives back what was set aside. The empty file is harmless and is used by the next attempt.
        let _ = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(0));
    }
    created
}

/// Cuts a file after `len` bytes, durably.
pub(crate) fn cut(path: &Path, len: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
}
