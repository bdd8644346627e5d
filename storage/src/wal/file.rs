//! One file of the log: its name, creation and preallocation.

use std::io;
use std::sync::Arc;

use crate::files::{File, Place};

use super::frame::{FILE_HEADER, Header, encode_header};

/// The path of the file whose first frame has `first_seq`.
pub(crate) fn path(folder: &Place, first_seq: u64) -> Place {
    folder.join(format!("{first_seq:020}.wal"))
}

/// The first sequence number in a file name; `None` when the name is not one of ours.
pub(crate) fn first_seq(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal").filter(|digits| digits.len() == 20)?;
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Whether this is the path of a file of the log, and not of its folder.
pub(crate) fn is_one(path: &Place) -> bool {
    path.path().file_name().and_then(|name| name.to_str()).is_some_and(|name| first_seq(name).is_some())
}

/// How large a file is to become: `most`, and less where a few of that size would fill the disk, of which `free` bytes may be taken.
pub(crate) fn share(most: u64, free: u64) -> u64 {
    most.min((free / FILES_THAT_FIT).max(LEAST_FILE_BYTES))
}

/// Below this no file is made smaller.
pub(crate) const LEAST_FILE_BYTES: u64 = 1 << 20;

/// As many files the disk has room for, one that is written and those that wait for a flush.
const FILES_THAT_FIT: u64 = 4;

/// Creates a file with its header, synced, its name durable. Space for `bytes` is set aside, so that later syncs have no change of size
/// to journal and a full disk shows here, before anything is promised. It gets its name when its header is on the disk, so that no crash
/// leaves one without: it takes the place of one of that name that has no frames.
pub(crate) fn create(folder: &Place, first_seq: u64, store: [u8; 16], bytes: u64) -> io::Result<Arc<dyn File>> {
    let draft = folder.join(DRAFT);
    let written = || -> io::Result<Arc<dyn File>> {
        let file = draft.create_anew()?;
        let wanted = bytes.max(FILE_HEADER as u64);
        let set_aside = if file.preallocate(wanted)? { wanted } else { 0 };
        file.write_all_at(&encode_header(Header { first_seq, set_aside, store }), 0)?;
        file.sync_all()?;
        draft.rename_to(&path(folder, first_seq))?;
        folder.sync_folder()?;
        Ok(file)
    };
    let created = written();
    if created.is_err() {
        // Gives back what was set aside. Where it has its name already, the next attempt takes its place.
        let _ = draft.remove();
    }
    created
}

/// The name of the next file while it is made ready.
const DRAFT: &str = "next";

/// Writes bytes that are there already, so that they are on the disk for sure.
pub(crate) fn rewrite(path: &Place, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let file = path.open_to_write()?;
    file.write_all_at(bytes, offset)?;
    file.sync_data()
}

/// Cuts a file after `len` bytes, durably.
pub(crate) fn cut(path: &Place, len: u64) -> io::Result<()> {
    let file = path.open_to_write()?;
    file.set_len(len)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_has_small_files() {
        const MIB: u64 = 1 << 20;
        assert_eq!(share(64 * MIB, u64::MAX), 64 * MIB);
        assert_eq!(share(64 * MIB, 256 * MIB), 64 * MIB);
        assert_eq!(share(64 * MIB, 40 * MIB), 10 * MIB);
        assert_eq!(share(64 * MIB, 0), LEAST_FILE_BYTES, "whether it fits the disk says itself");
        assert_eq!(share(2_000, 0), 2_000);
    }
}
