//! Writes a file of ids, page by page.

use std::io::{self, Write};

use super::page;

/// A file of ids that is being written.
pub(super) struct FileWriter<'a, W> {
    out: &'a mut W,
    /// Where the next page begins.
    at: u32,
    directory: Vec<u8>,
    pages: u32,
    page: Vec<u8>,
}

// === impl FileWriter ===

impl<'a, W: Write> FileWriter<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self { out, at: 0, directory: Vec::new(), pages: 0, page: Vec::new() }
    }

    /// Adds a page of pairs of key and block, which are sorted and follow all before. Of their keys at least the lowest `lost` bits are left
    /// out.
    pub(super) fn page(&mut self, pairs: &[u64], blocks: u32, lost: u32) -> io::Result<()> {
        let Some(first) = pairs.first() else { return Ok(()) };
        self.directory.extend_from_slice(&page::key_of(*first).to_le_bytes());
        self.directory.extend_from_slice(&self.at.to_le_bytes());
        self.page.clear();
        page::write(pairs, blocks, lost, &mut self.page);
        self.out.write_all(&self.page)?;
        let end = u32::try_from(self.page.len()).ok().and_then(|length| self.at.checked_add(length));
        self.at = end.ok_or_else(|| io::Error::other("ids of a unit take more than 4 GiB"))?;
        self.pages += 1;
        Ok(())
    }

    /// Ends the file of a unit of these parts.
    pub(super) fn finish(mut self, parts: &[u32]) -> io::Result<()> {
        parts.iter().for_each(|rows| self.directory.extend_from_slice(&rows.to_le_bytes()));
        self.directory.extend_from_slice(&u32::try_from(parts.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.directory.extend_from_slice(&self.pages.to_le_bytes());
        let crc = crc32c::crc32c(&self.directory);
        self.directory.extend_from_slice(&crc.to_le_bytes());
        self.out.write_all(&self.directory)
    }
}
