//! A cursor for files that are written from front to back.

use std::io::{self, Write};
use std::sync::Arc;

use super::File;

/// Writes to the end of a new file. Every write is one call to the file system: put a buffer in front.
#[derive(Debug)]
pub(crate) struct Appender {
    file: Arc<dyn File>,
    at: u64,
}

impl Appender {
    /// Begins at the start of a file.
    pub(crate) fn new(file: Arc<dyn File>) -> Self {
        Self { file, at: 0 }
    }

    /// Makes everything durable that was written.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
