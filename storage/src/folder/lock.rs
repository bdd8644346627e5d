//! The lock of a data folder: one process has it open.

use std::io;
use std::sync::Arc;

use super::io_error;
use crate::error::OpenError;
use crate::files::{File, Place};

/// Locks a folder; with `create` the file is made when it is not there, and says who holds it.
pub(super) fn take(root: &Place, create: bool) -> Result<Arc<dyn File>, OpenError> {
    let path = root.join("LOCK");
    let opened = if create { path.open_or_create() } else { path.open() };
    let file = opened.map_err(|error| {
        let denied = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        let action = if denied { "the data folder must be writable for the user that runs this; cannot open" } else { "cannot open" };
        OpenError::Io { action, path: path.path().to_owned(), source: error }
    })?;
    if !file.try_lock().map_err(io_error("cannot lock", &path))? {
        let mut bytes = [0; 20];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        let pid = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
        let known = !pid.trim().is_empty() && pid.trim().bytes().all(|b| b.is_ascii_digit());
        let holder = if known { format!(" (process {})", pid.trim()) } else { String::new() };
        return Err(OpenError::Locked { path: root.path().to_owned(), holder });
    }
    if create {
        let note = || -> io::Result<()> {
            file.set_len(0)?;
            file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
        };
        note().map_err(io_error("cannot write", &path))?;
    }
    Ok(file)
}
