//! The way back: a moment of a vault becomes a data folder.
//!
//! Every byte is compared with its checksum as it is copied. `RESTORING` stands in the folder until everything is in place, and FORMAT
//! comes last, so that half of a restore is not taken for a data folder; the same restore run again goes on where it was.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::vault::{Point, Vault};
use super::{FORMAT, is_of_segment};
use crate::check::Watch;
use crate::error::OpenError;
use crate::files::{File, Place};
use crate::folder::{io_error, sync_above};

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files that are in place.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files of the moment that are damaged or missing in the vault, and therefore in the folder.
    pub damaged: Vec<String>,
    /// Indexes that are damaged or missing in the vault. Nothing is lost: a start makes them again from the rows of their segments.
    pub indexes: Vec<String>,
}

/// Makes a data folder of a moment. `into` must be absent, empty, or begun by the same restore. Blocks.
///
/// # Errors
/// When `into` holds something else or cannot be written.
pub fn restore(vault: &Vault, point: &Point, into: &Path, watch: Watch<'_>) -> Result<Restored, OpenError> {
    restore_place(vault, point, &Place::real(into), watch)
}

pub(crate) fn restore_place(vault: &Vault, point: &Point, root: &Place, watch: Watch<'_>) -> Result<Restored, OpenError> {
    begin(root, point)?;
    let mut restored = Restored::default();
    let (format, files): (Vec<_>, Vec<_>) = point.files.iter().partition(|(name, _, _)| name == FORMAT);
    for (number, (name, bytes, crc)) in files.into_iter().chain(format).enumerate() {
        if name == FORMAT {
            sync_folders(root, point)?;
        }
        watch(&format!("restoring file {} of {}", number + 1, point.files.len()));
        let (from, to) = (vault.file(point, name, *crc), root.join(name));
        if is(&to, *bytes, *crc) || copy(&from, &to, *bytes, *crc)? {
            restored.files += 1;
            restored.bytes += bytes;
        } else if is_index(name) {
            restored.indexes.push(name.clone());
        } else {
            restored.damaged.push(name.clone());
        }
    }
    restored.indexes.extend(left_out(point));
    let mark = root.join(RESTORING);
    // As a stopped server leaves it, for those who only look.
    root.join("LOCK").open_or_create().map_err(io_error("cannot create the lock of", root))?;
    match mark.remove() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("cannot finish", root)(error)),
        _ => root.sync_folder().map_err(io_error("cannot finish", root))?,
    }
    Ok(restored)
}

/// Whether a file of this name is made of others.
fn is_index(name: &str) -> bool {
    is_of_segment(name) && name.ends_with(".idx")
}

/// Indexes that were damaged when the moment was taken, and are not in it.
fn left_out(point: &Point) -> impl Iterator<Item = String> {
    let names: BTreeSet<&str> = point.files.iter().map(|(name, _, _)| name.as_str()).collect();
    let rows = names.clone().into_iter().filter(|name| is_of_segment(name)).filter_map(|name| name.strip_suffix(".parquet"));
    rows.map(|segment| format!("{segment}.idx")).filter(move |index| !names.contains(index.as_str()))
}

/// Makes durable which folders there are and what is in them: a file may be of a run that ended before its folder was synced.
fn sync_folders(root: &Place, point: &Point) -> Result<(), OpenError> {
    let folders: BTreeSet<&Path> = point.files.iter().flat_map(|(name, _, _)| Path::new(name).ancestors().skip(1)).collect();
    // What lies within a folder comes before it.
    for folder in folders.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
        let folder = root.join(folder);
        if folder.is_there() {
            folder.sync_folder().map_err(io_error("cannot sync the folder", &folder))?;
        }
    }
    root.sync_folder().map_err(io_error("cannot sync the folder", root))?;
    sync_above(root)
}

fn begin(root: &Place, point: &Point) -> Result<(), OpenError> {
    root.create_folder().map_err(io_error("cannot create the folder", root))?;
    let mark = root.join(RESTORING);
    let names = root.names().map_err(io_error("cannot list the folder", root))?;
    let written = |file: io::Result<Arc<dyn File>>| {
        let file = file?;
        file.write_all_at(point.id.as_bytes(), 0)?;
        file.sync_all()?;
        root.sync_folder()
    };
    let failed = io_error("cannot write", &mark);
    if mark.read().is_ok_and(|bytes| bytes == point.id.as_bytes()) {
        // The run that wrote it may have ended before it was durable: then a power failure would leave files that nothing tells from others.
        return written(mark.open_or_create()).map_err(failed);
    }
    // It may have ended at its very end.
    let is_there = |(name, bytes, crc): &(String, u64, u32)| {
        let place = root.join(name);
        is(&place, *bytes, *crc) || (is_index(name) && !place.is_there())
    };
    if point.files.iter().all(is_there) {
        return Ok(());
    }
    // The mark itself may have been cut short.
    if !names.iter().all(|name| name == RESTORING) {
        let detail = "it is not empty; restore into a folder that is, or go on with the restore that was begun there".to_owned();
        return Err(OpenError::Unsuitable { path: root.path().to_owned(), detail });
    }
    written(mark.create()).map_err(failed)
}

/// Whether a file is there and is this one.
fn is(place: &Place, bytes: u64, crc: u32) -> bool {
    let read = || -> io::Result<(u64, u32)> {
        let (file, mut at, mut found, mut buffer) = (place.open()?, 0, 0, vec![0; COPY_BYTES]);
        loop {
            let read = file.read_at(&mut buffer, at)?;
            if read == 0 {
                return Ok((at, found));
            }
            found = crc32c::crc32c_append(found, buffer.get(..read).unwrap_or_default());
            at += read as u64;
        }
    };
    place.is_there() && read().is_ok_and(|found| found == (bytes, crc))
}

/// Copies a file; false when it is not what was recorded of it.
fn copy(from: &Place, to: &Place, bytes: u64, crc: u32) -> Result<bool, OpenError> {
    let draft = to.parent().unwrap_or_else(|| to.clone()).join(PARTIAL);
    let copied = || -> io::Result<bool> {
        let Ok(source) = from.open() else { return Ok(false) };
        if let Some(folder) = to.parent() {
            folder.create_folder()?;
        }
        let (target, mut at, mut found) = (draft.create_anew()?, 0, 0);
        let mut buffer = vec![0; COPY_BYTES];
        while at < bytes {
            let read = source.read_at(&mut buffer, at)?;
            let now = buffer.get(..read).unwrap_or_default();
            if now.is_empty() {
                break;
            }
            target.write_all_at(now, at)?;
            found = crc32c::crc32c_append(found, now);
            at += read as u64;
        }
        if (at, found) != (bytes, crc) {
            draft.remove()?;
            draft.parent().map_or(Ok(()), |folder| folder.sync_folder())?;
            return Ok(false);
        }
        target.sync_all()?;
        draft.rename_to(to)?;
        to.parent().map_or(Ok(()), |folder| folder.sync_folder())?;
        Ok(true)
    };
    copied().map_err(io_error("cannot restore", to))
}

/// Stands in a folder while it is made.
pub(crate) const RESTORING: &str = "RESTORING";
const PARTIAL: &str = "restoring.partial";
const COPY_BYTES: usize = 256 << 10;
