//! Where the rows of a trace lie: sorted keys on disk, and a filter in memory that says "certainly not here".
//!
//! `trace.keys` is a list of 4,096-byte pages, little-endian: entry count u16, zero u16, up to 408 entries of key u32, first row u32,
//! rows u16; the last four bytes are the crc32c of the rest. Entries are sorted by key, then row. The key is the upper half of a mixed
//! 64-bit hash of the trace id, so keys are spread evenly and a look-up guesses its page. Rows may belong to another trace of equal key:
//! whoever reads them compares ids. `trace.fuse` is a binary fuse filter (8 bits) over the whole hashes: 20 bytes of descriptor, then
//! fingerprints.

use std::io;
use std::ops::Range;

use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter, FilterRef};

use super::RowRanges;
use super::bundle::{Blob, damaged};
use super::file::SharedFile;

/// Collects keys while rows are written in order.
#[derive(Debug, Default)]
pub(super) struct TraceKeysBuilder {
    runs: Vec<Run>,
}

/// Consecutive rows of one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    hash: u64,
    first: u32,
    rows: u16,
}

/// Answers from the pages on disk.
#[derive(Clone, Debug)]
pub(super) struct TraceKeys {
    file: SharedFile,
    offset: u64,
    pages: u64,
}

/// Answers from memory.
#[derive(Debug)]
pub(super) struct TraceFilter(Box<[u8]>);

/// One checked page.
struct Page {
    bytes: Vec<u8>,
    entries: usize,
}

const PAGE_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 10;
const ENTRIES_PER_PAGE: usize = 408;
const HEADER_BYTES: usize = 4;
const CRC_AT: usize = PAGE_BYTES - 4;

/// A 64-bit hash of a trace id in which ids of any pattern, padded or counted up, are spread evenly.
pub(super) fn hash(trace_id: &[u8; 16]) -> u64 {
    let id = u128::from_be_bytes(*trace_id);
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
    let mut h = (id >> 64) as u64 ^ (id as u64).rotate_left(32);
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

pub(super) fn key_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

// === impl TraceKeysBuilder ===

impl TraceKeysBuilder {
    /// Notes that `row`, greater than all before, belongs to a trace.
    pub(super) fn push(&mut self, trace_id: &[u8; 16], row: u32) {
        self.push_hash(hash(trace_id), row);
    }

    fn push_hash(&mut self, hash: u64, row: u32) {
        if let Some(last) = self.runs.last_mut()
            && last.hash == hash
            && last.rows < u16::MAX
            && last.first + u32::from(last.rows) == row
        {
            last.rows += 1;
            return;
        }
        self.runs.push(Run { hash, first: row, rows: 1 });
    }

    /// The blobs `trace.keys` and `trace.fuse`; the latter is `None` when it cannot be built.
    pub(super) fn finish(mut self) -> (Vec<u8>, Option<Vec<u8>>) {
        self.runs.sort_unstable();
        let mut pages = Vec::with_capacity(self.runs.len().div_ceil(ENTRIES_PER_PAGE) * PAGE_BYTES);
        for runs in self.runs.chunks(ENTRIES_PER_PAGE) {
            let start = pages.len();
            pages.extend_from_slice(&u16::try_from(runs.len()).unwrap_or(0).to_le_bytes());
            pages.extend_from_slice(&[0; 2]);
            for run in runs {
                pages.extend_from_slice(&key_of(run.hash).to_le_bytes());
                pages.extend_from_slice(&run.first.to_le_bytes());
                pages.extend_from_slice(&run.rows.to_le_bytes());
            }
            pages.resize(start + CRC_AT, 0);
            let crc = crc32c::crc32c(pages.get(start..).unwrap_or_default());
            pages.extend_from_slice(&crc.to_le_bytes());
        }
        let mut hashes: Vec<u64> = self.runs.iter().map(|run| run.hash).collect();
        hashes.dedup();
        (pages, fuse(&hashes))
    }
}

fn fuse(hashes: &[u64]) -> Option<Vec<u8>> {
    let filter = BinaryFuse8::try_from(hashes).ok()?;
    let mut blob = vec![0; BinaryFuse8::DESCRIPTOR_LEN];
    filter.dma_copy_descriptor_to(&mut blob);
    blob.extend_from_slice(filter.dma_fingerprints());
    // A filter that forgets a key would hide spans: prove it before it is trusted.
    let check = TraceFilter(blob.clone().into_boxed_slice());
    hashes.iter().all(|hash| check.may_contain(*hash)).then_some(blob)
}

// === impl TraceFilter ===

impl TraceFilter {
    /// Takes the blob `trace.fuse`, already checked.
    pub(super) fn new(blob: Vec<u8>) -> Option<Self> {
        (blob.len() > BinaryFuse8::DESCRIPTOR_LEN).then(|| Self(blob.into_boxed_slice()))
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// False when no row has this hash; true is wrong in 4 of 1,000 cases.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let (descriptor, fingerprints) = self.0.split_at(BinaryFuse8::DESCRIPTOR_LEN);
        BinaryFuse8Ref::from_dma(descriptor, fingerprints).contains(&hash)
    }
}

// === impl TraceKeys ===

impl TraceKeys {
    pub(super) fn new(file: SharedFile, blob: &Blob) -> Option<Self> {
        blob.len.is_multiple_of(PAGE_BYTES as u64).then(|| Self { file, offset: blob.offset, pages: blob.len / PAGE_BYTES as u64 })
    }

    /// Rows of traces whose key equals that of `hash`.
    pub(super) fn rows(&self, hash: u64) -> io::Result<RowRanges> {
        let key = key_of(hash);
        let mut found = Vec::new();
        let mut number = self.first_page(key)?;
        while number < self.pages {
            let page = self.page(number)?;
            for (entry_key, rows) in page.entries() {
                if entry_key == key {
                    found.push(rows);
                }
            }
            if page.last_key().is_none_or(|last| last > key) {
                break;
            }
            number += 1;
        }
        Ok(super::rows::merged(found))
    }

    /// All entries in order.
    pub(super) fn all(&self) -> io::Result<Vec<(u32, Range<u32>)>> {
        let mut entries = Vec::new();
        for number in 0..self.pages {
            entries.extend(self.page(number)?.entries());
        }
        Ok(entries)
    }

    /// The first page whose last key is not below `key`.
    fn first_page(&self, key: u32) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.pages);
        // Keys are spread evenly, so the guess is right or off by one; after a few steps, halve.
        let mut probe = (u64::from(key) * self.pages) >> 32;
        let mut steps = 0;
        while low < high {
            let page = self.page(probe)?;
            let (Some(first), Some(last)) = (page.first_key(), page.last_key()) else { return Err(damaged("empty page of trace keys")) };
            if last < key {
                low = probe + 1;
            } else if first < key {
                return Ok(probe);
            } else {
                high = probe;
            }
            steps += 1;
            probe = match steps {
                0..4 if last < key => low,
                0..4 => high.saturating_sub(1),
                _ => low.midpoint(high),
            };
        }
        Ok(low)
    }

    fn page(&self, number: u64) -> io::Result<Page> {
        let bytes = self.file.bytes_at(self.offset + number * PAGE_BYTES as u64, PAGE_BYTES)?;
        let (body, crc) = bytes.split_at(CRC_AT);
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return Err(damaged(format!("checksum of page {number} of trace.keys does not match")));
        }
        let entries = body.first_chunk().map_or(0, |count| usize::from(u16::from_le_bytes(*count)));
        Ok(Page { bytes, entries: entries.min(ENTRIES_PER_PAGE) })
    }
}

// === impl Page ===

impl Page {
    fn entries(&self) -> impl Iterator<Item = (u32, Range<u32>)> + '_ {
        let body = self.bytes.get(HEADER_BYTES..HEADER_BYTES + self.entries * ENTRY_BYTES).unwrap_or_default();
        body.chunks_exact(ENTRY_BYTES).filter_map(decode_entry)
    }

    fn first_key(&self) -> Option<u32> {
        self.entry(0)
    }

    fn last_key(&self) -> Option<u32> {
        self.entry(self.entries.checked_sub(1)?)
    }

    fn entry(&self, number: usize) -> Option<u32> {
        let at = HEADER_BYTES + number * ENTRY_BYTES;
        decode_entry(self.bytes.get(at..at + ENTRY_BYTES)?).map(|(key, _)| key)
    }
}

fn decode_entry(bytes: &[u8]) -> Option<(u32, Range<u32>)> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk()?;
    let first = u32::from_le_bytes(*first);
    let rows = u16::from_le_bytes(*rest.first_chunk()?);
    Some((u32::from_le_bytes(*key), first..first.saturating_add(u32::from(rows))))
}
