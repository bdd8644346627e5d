//! Memory in which a thread reads pages, one after the other: making it for each takes as long as decompressing a small one.

use std::cell::Cell;

use super::super::checked::CheckedFile;
use super::super::unpacked::unpack_into;

/// Bytes of a page as they are stored, and as they are when decompressed.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    stored: Vec<u8>,
    body: Vec<u8>,
}

thread_local!(static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch { stored: Vec::new(), body: Vec::new() }) });

/// More is not kept for the next page; the pages of the longest bodies are as long.
const MAX_KEPT_BYTES: usize = 256 << 10;

impl Scratch {
    /// Lends what this thread has.
    pub(super) fn lent<T>(each: impl FnOnce(&mut Self) -> T) -> T {
        let mut scratch = SCRATCH.take();
        let made = each(&mut scratch);
        for bytes in [&mut scratch.stored, &mut scratch.body] {
            if bytes.capacity() > MAX_KEPT_BYTES {
                *bytes = Vec::new();
            }
        }
        SCRATCH.set(scratch);
        made
    }

    /// Reads bytes of a file.
    pub(super) fn read(&mut self, file: &CheckedFile, start: u64, length: usize) -> Option<()> {
        file.read_into(&mut self.stored, start, length).ok()
    }

    pub(super) fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Decompresses some of the bytes that were read.
    pub(super) fn unpack(&mut self, stored: std::ops::Range<usize>) -> Option<&[u8]> {
        unpack_into(self.stored.get(stored)?, &mut self.body).ok()?;
        Some(&self.body)
    }
}
