//! A little disk space that is set aside for what makes room.
//!
//! A delete is recorded before it frees anything. On a disk that others have filled to the last byte that would fail, so a file of some
//! blocks stands in the data folder and is given up then. It is set aside again when there is room. Owns the file; what is in it means nothing.

use std::io;

use crate::files::Place;

/// The file.
#[derive(Debug)]
pub(crate) struct Reserve {
    place: Place,
}

impl Reserve {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Whether there is nothing to give up.
    pub(crate) fn is_wanting(&self) -> bool {
        !self.place.is_there()
    }

    /// Sets the space aside. Where the file system cannot, there is none, which is as good as not having a reserve.
    pub(crate) fn set_aside(&self) {
        let file = || -> io::Result<()> {
            let file = self.place.create()?;
            file.preallocate(RESERVE_BYTES)?;
            file.sync_all()
        };
        if let Err(error) = file() {
            tracing::debug!(%error, "no space is set aside for deletes on a full disk");
            let _ = self.place.remove();
        }
    }

    /// Gives the space up; whether there was any.
    pub(crate) fn give_up(&self) -> bool {
        self.place.remove().is_ok()
    }
}

/// Enough for the records of many deletes, twice, and for a block or two that the file system wants for itself.
pub(crate) const RESERVE_BYTES: u64 = 256 << 10;
