//! A file that is checked as it is read: blocks with a checksum each, looked at the first time that any byte of them is read.
//!
//! Owns the checksums of blocks and which of them were looked at. Knows nothing of Parquet: it stands below it, so damaged bytes reach no
//! decoder, which might make rows of them. A block costs four bytes of memory and one reading of [`BLOCK_BYTES`] per start.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::files::Place;

use super::bundle::damaged;
use super::file::SharedFile;

/// The blob of the bundle that holds the checksums of the Parquet file's blocks.
pub(crate) const BLOCK_SUMS: &str = "parquet.blocks";

/// Bytes of a block; the last one is shorter.
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// Makes the checksums of the blocks of a file as it is written.
#[derive(Debug, Default)]
pub(crate) struct BlockSums {
    whole: Vec<u32>,
    begun: u32,
    begun_bytes: usize,
}

/// A file whose bytes are those that were written, or reading them fails.
#[derive(Clone, Debug)]
pub(super) struct CheckedFile {
    file: SharedFile,
    /// `None` when the whole file was looked at when it was opened.
    blocks: Option<Arc<Blocks>>,
}

/// Reads a [`CheckedFile`] from a position onwards.
#[derive(Debug)]
pub(super) struct ReadFrom {
    file: CheckedFile,
    position: u64,
}

#[derive(Debug)]
struct Blocks {
    sums: Vec<u32>,
    /// One bit per block that was found to be whole.
    seen: Vec<AtomicU64>,
}

// === impl BlockSums ===

impl BlockSums {
    /// Adds the next bytes of the file.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.begun_bytes));
            self.begun = crc32c::crc32c_append(self.begun, now);
            self.begun_bytes += now.len();
            if self.begun_bytes == BLOCK_BYTES {
                self.whole.push(self.begun);
                (self.begun, self.begun_bytes) = (0, 0);
            }
            bytes = later;
        }
    }

    /// The blob: four bytes per block, little-endian.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.begun_bytes > 0 {
            self.whole.push(self.begun);
        }
        self.whole.iter().flat_map(|sum| sum.to_le_bytes()).collect()
    }
}

/// Reads a file through: the blob of its blocks' checksums, and the checksum of all.
pub(super) fn sums(path: &Place) -> io::Result<(Vec<u8>, u32)> {
    let file = SharedFile::open(path)?;
    let (mut blocks, mut crc) = (BlockSums::default(), 0);
    file.read_through(|bytes| {
        crc = crc32c::crc32c_append(crc, bytes);
        blocks.push(bytes);
    })?;
    Ok((blocks.finish(), crc))
}

// === impl CheckedFile ===

impl CheckedFile {
    /// Checks blocks against the blob that [`BlockSums`] made of this file; an error when it was made of another one.
    pub(super) fn new(file: SharedFile, blob: &[u8]) -> io::Result<Self> {
        let (sums, rest) = blob.as_chunks();
        let sums: Vec<u32> = sums.iter().copied().map(u32::from_le_bytes).collect();
        if !rest.is_empty() || sums.len() as u64 != file.len().div_ceil(BLOCK_BYTES as u64) {
            return Err(damaged("checksums of another Parquet file"));
        }
        let seen = (0..sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { file, blocks: Some(Arc::new(Blocks { sums, seen })) })
    }

    /// For a file that was looked at as a whole before, or of which nothing says what it was.
    pub(super) fn unchecked(file: SharedFile) -> Self {
        Self { file, blocks: None }
    }

    /// Reads the whole file now, for want of the checksums of its blocks.
    pub(super) fn read_through(file: SharedFile, crc: u32) -> io::Result<Self> {
        let mut found = 0;
        file.read_through(|bytes| found = crc32c::crc32c_append(found, bytes))?;
        if found == crc { Ok(Self { file, blocks: None }) } else { Err(damaged("does not match its checksum")) }
    }

    /// Reads bytes into memory that is there.
    pub(super) fn read_into(&self, buffer: &mut Vec<u8>, start: u64, length: usize) -> io::Result<()> {
        self.check(start, length)?;
        self.file.read_into(buffer, start, length)
    }

    /// Fails when a block that holds any of these bytes is not what was written.
    fn check(&self, start: u64, length: usize) -> io::Result<()> {
        let Some(blocks) = &self.blocks else { return Ok(()) };
        let end = start.saturating_add(length as u64).min(self.file.len());
        let mut number = start / BLOCK_BYTES as u64;
        while number * (BLOCK_BYTES as u64) < end {
            self.check_block(blocks, number)?;
            number += 1;
        }
        Ok(())
    }

    fn check_block(&self, blocks: &Blocks, number: u64) -> io::Result<()> {
        let index = usize::try_from(number).map_err(io::Error::other)?;
        let (Some(sum), Some(seen)) = (blocks.sums.get(index), blocks.seen.get(index / 64)) else {
            return Err(damaged("a block beyond the end of the file"));
        };
        let bit = 1u64 << (index % 64);
        if seen.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let start = number * BLOCK_BYTES as u64;
        let length = (self.file.len() - start).min(BLOCK_BYTES as u64);
        let bytes = self.file.bytes_at(start, usize::try_from(length).map_err(io::Error::other)?)?;
        if crc32c::crc32c(&bytes) != *sum {
            return Err(damaged(format!("the {length} bytes at {start} do not match their checksum")));
        }
        seen.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for CheckedFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(ReadFrom { file: self.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.check(start, length)?;
        Ok(self.file.bytes_at(start, length)?.into())
    }
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.check(self.position, buffer.len())?;
        let read = self.file.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
