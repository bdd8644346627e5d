//! Files of segments: positioned reads, checksums while writing, and temporary files that remove themselves.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use crate::files::{Appender, File, Place};

use super::checked::BlockSums;

/// A file that many readers share without a cursor.
#[derive(Clone, Debug)]
pub(crate) struct SharedFile {
    file: Arc<dyn File>,
    len: u64,
}

/// A file being written under a temporary name; removed unless it is renamed. Counts and checksums what is written.
#[derive(Debug)]
pub(crate) struct NewFile {
    out: BufWriter<Appender>,
    crc: u32,
    blocks: BlockSums,
    len: u64,
    path: TempPath,
}

/// A synced file under a temporary name.
#[derive(Debug)]
pub(crate) struct SyncedFile {
    /// crc32c of all bytes.
    pub(crate) crc: u32,
    /// Checksums of its blocks.
    pub(super) blocks: BlockSums,
    /// Bytes.
    pub(crate) len: u64,
    path: TempPath,
}

#[derive(Debug)]
struct TempPath {
    path: Place,
    keep: bool,
}

// === impl SharedFile ===

impl SharedFile {
    pub(crate) fn open(path: &Place) -> io::Result<Self> {
        let file = path.open()?;
        let len = file.len()?;
        Ok(Self { file, len })
    }

    /// The same, as if it ended after so many bytes.
    pub(super) fn first(self, len: u64) -> Self {
        Self { len: self.len.min(len), ..self }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads exactly `length` bytes at `start`.
    pub(crate) fn bytes_at(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        self.check_end(start, length)?;
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start)?;
        Ok(buffer)
    }

    /// Reads exactly `length` bytes at `start` in place of what is in `buffer`.
    pub(super) fn read_into(&self, buffer: &mut Vec<u8>, start: u64, length: usize) -> io::Result<()> {
        self.check_end(start, length)?;
        buffer.resize(length, 0);
        self.file.read_exact_at(buffer, start)
    }

    fn check_end(&self, start: u64, length: usize) -> io::Result<()> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{length} bytes at {start} lie beyond the end of the file")));
        }
        Ok(())
    }

    /// Hands all bytes to `each`, in order.
    pub(super) fn read_through(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut start = 0;
        while start < self.len {
            let length = (self.len - start).min(READ_BYTES as u64);
            each(&self.bytes_at(start, usize::try_from(length).map_err(io::Error::other)?)?);
            start += length;
        }
        Ok(())
    }

    /// Reads what is there at `start`, at most as much as the buffer takes.
    pub(super) fn read_at(&self, buffer: &mut [u8], start: u64) -> io::Result<usize> {
        self.file.read_at(buffer, start)
    }
}

// === impl NewFile ===

impl NewFile {
    pub(crate) fn create(path: Place) -> io::Result<Self> {
        let file = Appender::new(path.create()?);
        Ok(Self {
            out: BufWriter::with_capacity(256 * 1024, file),
            crc: 0,
            blocks: BlockSums::default(),
            len: 0,
            path: TempPath { path, keep: false },
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Writes out and syncs. The bytes are on the disk; the name is still temporary.
    pub(crate) fn sync(self) -> io::Result<SyncedFile> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(SyncedFile { crc: self.crc, blocks: self.blocks, len: self.len, path: self.path })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.blocks.push(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

// === impl SyncedFile ===

impl SyncedFile {
    /// Gives the file its lasting name. The caller syncs the folder.
    pub(crate) fn rename(mut self, to: &Place) -> io::Result<()> {
        self.path.path.rename_to(to)?;
        self.path.keep = true;
        Ok(())
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now is removed with the folder of temporary files at the next start.
            let _ = self.path.remove();
        }
    }
}

/// Bytes read at a time when a whole file is looked at.
const READ_BYTES: usize = 1 << 20;
