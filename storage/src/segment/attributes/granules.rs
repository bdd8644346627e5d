//! Granule filters: in which granules a hash may be.
//!
//! Rows are taken in *chunks* of 32 granules. A chunk is the sorted list of its different (hash, granule) pairs, packed into pages; hashes
//! are cut to so few bits that one in 256 or fewer foreign hashes is mistaken for one of the list. A look-up reads one page per chunk.
//!
//! Blob `attr.granules/<first row>`: pages of 1,024 bytes, little-endian: pair count u16, first hash u32, pairs as bits, crc32c u32 of the
//! rest. A pair is the distance from the hash before in Rice code (quotient in ones ended by a zero, then 8 bits), and 5 bits of granule.
//! Bits fill bytes from the lowest. Blob `attr.directory`: version u32; per chunk first row u32, row count u32, bits of a hash u32 (0 when
//! there were too many pairs to keep), page count u32, and the first hash u32 of each page.
//!
//! Compared with a fuse filter per granule this takes more bits for each pair, but a foreign hash brings in one granule of a chunk instead
//! of one granule in 256 of everything, and costs one read instead of one per granule; see `docs/adr`.

use std::io;

use crate::spread::Spread;

use super::super::RowRanges;
use super::super::bundle::{Bundle, BundleWriter, damaged};
use super::super::file::SharedFile;
use super::super::rows;
use super::GRANULE_ROWS;

/// Collects the hashes of rows in order.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Different hashes of the current granule, open addressing, 0 is free.
    seen: Vec<u64>,
    seen_count: usize,
    spread: Spread,
    /// Pairs of the current chunk.
    pairs: Vec<u64>,
    /// Whether there were too many of them.
    overflowed: bool,
    granule: u32,
    /// Of the current chunk.
    first_row: u32,
    rows: u32,
    directory: Vec<u8>,
}

/// Where the pages of each chunk lie, in memory.
#[derive(Debug)]
pub(super) struct Directory {
    chunks: Vec<Chunk>,
}

/// Answers from the pages on disk.
#[derive(Debug)]
pub(super) struct Granules<'a> {
    pub(super) file: &'a SharedFile,
    pub(super) directory: &'a Directory,
}

#[derive(Debug)]
struct Chunk {
    first_row: u32,
    rows: u32,
    /// 0 when nothing is known.
    hash_bits: u32,
    offset: u64,
    /// First hash of each page.
    firsts: Vec<u32>,
}

/// 1 had no events and links.
const VERSION: u32 = 2;
pub(super) const DIRECTORY: &str = "attr.directory";
const PAGES: &str = "attr.granules";
const GRANULES_PER_CHUNK: u32 = 32;
const GRANULE_BITS: u32 = 5;
const RICE_BITS: u32 = 8;
const PAGE_BYTES: usize = 1_024;
const HEADER_BYTES: usize = 6;
const CRC_AT: usize = PAGE_BYTES - 4;
/// Pairs of a chunk; bounds memory at 16 MiB.
const MAX_PAIRS: usize = 1 << 21;
/// Low bits of a pair, which hold the granule.
const GRANULE_MASK: u64 = 0xff;

// === impl Builder ===

impl Builder {
    /// Notes a hash of a row of the current granule.
    pub(super) fn insert(&mut self, hash: u64) {
        if self.overflowed {
            return;
        }
        if (self.seen_count + 1) * 2 > self.seen.len() {
            self.grow();
        }
        let hash = (hash | 1) & !(GRANULE_MASK & !1);
        if insert(&mut self.seen, hash, self.spread) {
            self.seen_count += 1;
            self.pairs.push((hash & !GRANULE_MASK) | u64::from(self.granule));
            self.overflowed = self.pairs.len() > MAX_PAIRS;
        }
    }

    /// Notes that the current granule has more rows.
    pub(super) fn advance(&mut self, rows: u32) {
        self.rows += rows;
    }

    /// Copies the chunk of another segment that begins at a row there; `Ok(None)` when none does.
    pub(super) fn copy(&mut self, from: &Granules<'_>, first_row: u32, bundle: &mut BundleWriter) -> io::Result<Option<()>> {
        let Some(chunk) = from.directory.chunks.iter().find(|chunk| chunk.first_row == first_row) else { return Ok(None) };
        self.finish_chunk(bundle)?;
        let pages = from.file.bytes_at(chunk.offset, chunk.firsts.len() * PAGE_BYTES)?;
        for (number, page) in pages.chunks(PAGE_BYTES).enumerate() {
            check(page, number)?;
        }
        self.rows = chunk.rows;
        self.add(chunk.hash_bits, &chunk.firsts, &pages, bundle).map(Some)
    }

    pub(super) fn next_granule(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.seen.fill(0);
        self.seen_count = 0;
        self.granule += 1;
        if self.granule == GRANULES_PER_CHUNK { self.finish_chunk(bundle) } else { Ok(()) }
    }

    /// Writes what is left, and the directory.
    pub(super) fn finish(mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        self.finish_chunk(bundle)?;
        let mut blob = VERSION.to_le_bytes().to_vec();
        blob.append(&mut self.directory);
        bundle.add(DIRECTORY, &blob)
    }

    fn finish_chunk(&mut self, bundle: &mut BundleWriter) -> io::Result<()> {
        let pairs = std::mem::take(&mut self.pairs);
        if self.rows > 0 {
            let (hash_bits, pages) = if self.overflowed { (0, Pages::default()) } else { encode(pairs) };
            self.add(hash_bits, &pages.firsts, &pages.bytes, bundle)?;
        }
        self.seen.fill(0);
        (self.seen_count, self.granule, self.overflowed) = (0, 0, false);
        Ok(())
    }

    /// Writes the current chunk and begins the next.
    fn add(&mut self, hash_bits: u32, firsts: &[u32], pages: &[u8], bundle: &mut BundleWriter) -> io::Result<()> {
        let count = u32::try_from(firsts.len()).map_err(io::Error::other)?;
        for number in [self.first_row, self.rows, hash_bits, count].iter().chain(firsts) {
            self.directory.extend_from_slice(&number.to_le_bytes());
        }
        bundle.add(blob_name(self.first_row), pages)?;
        self.first_row = self.first_row.saturating_add(self.rows);
        self.rows = 0;
        Ok(())
    }

    fn grow(&mut self) {
        let mut larger = vec![0; (self.seen.len() * 2).max(1 << 12)];
        for hash in self.seen.iter().filter(|hash| **hash != 0) {
            insert(&mut larger, *hash, self.spread);
        }
        self.seen = larger;
    }
}

fn blob_name(first_row: u32) -> String {
    format!("{PAGES}/{first_row}")
}

/// True when the hash was not there. There is always room.
fn insert(table: &mut [u64], hash: u64, spread: Spread) -> bool {
    let mask = table.len().wrapping_sub(1);
    #[expect(clippy::cast_possible_truncation, reason = "a place in the table is taken from some of the bits")]
    let mut at = spread.of(hash) as usize & mask;
    while let Some(slot) = table.get_mut(at) {
        if *slot == hash {
            return false;
        }
        if *slot == 0 {
            *slot = hash;
            return true;
        }
        at = (at + 1) & mask;
    }
    false
}

/// Sorts and packs pairs; also the bits that hashes were cut to.
fn encode(mut pairs: Vec<u64>) -> (u32, Pages) {
    pairs.sort_unstable();
    let hash_bits = (pairs.len().max(1).next_power_of_two().ilog2() + RICE_BITS).min(32);
    let mut pages = Pages::default();
    let mut last = None;
    for pair in pairs {
        let hash = cut(pair, hash_bits);
        let next = (hash, u32::try_from(pair & GRANULE_MASK).unwrap_or(0));
        if last != Some(next) {
            pages.push(next.0, next.1);
            last = Some(next);
        }
    }
    pages.close();
    (hash_bits, pages)
}

/// The upper `bits` bits, 32 at most.
fn cut(hash: u64, bits: u32) -> u32 {
    u32::try_from(hash.checked_shr(64 - bits).unwrap_or(0)).unwrap_or(u32::MAX)
}

/// Pages being filled.
#[derive(Debug, Default)]
struct Pages {
    bytes: Vec<u8>,
    firsts: Vec<u32>,
    page: Vec<u8>,
    bits: usize,
    count: u16,
    last: u32,
}

impl Pages {
    fn push(&mut self, hash: u32, granule: u32) {
        let length = |distance: u32| (distance >> RICE_BITS) as usize + (1 + RICE_BITS + GRANULE_BITS) as usize;
        if self.count == 0 || self.bits + length(hash - self.last) > (CRC_AT - HEADER_BYTES) * 8 {
            self.close();
            self.firsts.push(hash);
            self.last = hash;
        }
        let distance = hash - self.last;
        for _ in 0..distance >> RICE_BITS {
            self.bit(true);
        }
        self.bit(false);
        (0..RICE_BITS).for_each(|bit| self.bit((distance >> bit) & 1 == 1));
        (0..GRANULE_BITS).for_each(|bit| self.bit((granule >> bit) & 1 == 1));
        self.count += 1;
        self.last = hash;
    }

    fn bit(&mut self, bit: bool) {
        if self.bits.is_multiple_of(8) {
            self.page.push(0);
        }
        if let Some(byte) = self.page.last_mut() {
            *byte |= u8::from(bit) << (self.bits % 8);
        }
        self.bits += 1;
    }

    fn close(&mut self) {
        if self.count == 0 {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.count.to_le_bytes());
        self.bytes.extend_from_slice(&self.firsts.last().copied().unwrap_or_default().to_le_bytes());
        self.bytes.append(&mut self.page);
        self.bytes.resize(start + CRC_AT, 0);
        let crc = crc32c::crc32c(self.bytes.get(start..).unwrap_or_default());
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        (self.bits, self.count) = (0, 0);
    }
}

// === impl Directory ===

impl Directory {
    pub(super) fn read(bundle: &Bundle) -> io::Result<Option<Self>> {
        let Some(blob) = bundle.read(DIRECTORY)? else { return Ok(None) };
        let (words, rest) = blob.as_chunks::<4>();
        let mut words = words.iter().copied().map(u32::from_le_bytes);
        if words.next() != Some(VERSION) || !rest.is_empty() {
            return Err(damaged("attr.directory is of another version"));
        }
        let mut chunks = Vec::new();
        while let Some(first_row) = words.next() {
            let mut number = || words.next().ok_or_else(|| damaged("attr.directory ends early"));
            let (rows, hash_bits, count) = (number()?, number()?, number()?);
            let firsts = (0..count).map(|_| number()).collect::<io::Result<Vec<_>>>()?;
            let pages = bundle.find(&blob_name(first_row));
            let whole = pages.filter(|pages| pages.len == u64::from(count) * PAGE_BYTES as u64 && hash_bits <= 32);
            let offset = whole.ok_or_else(|| damaged("attr.granules does not fit attr.directory"))?.offset;
            chunks.push(Chunk { first_row, rows, hash_bits, offset, firsts });
        }
        Ok(Some(Self { chunks }))
    }
}

// === impl Granules ===

impl Granules<'_> {
    /// Rows of granules that may have the hash.
    pub(super) fn rows(&self, hash: u64) -> io::Result<RowRanges> {
        let mut found = RowRanges::new();
        for chunk in &self.directory.chunks {
            let end = chunk.first_row.saturating_add(chunk.rows);
            if chunk.hash_bits == 0 {
                found.push(chunk.first_row..end);
                continue;
            }
            for granule in self.granules(chunk, cut(hash, chunk.hash_bits))? {
                let start = chunk.first_row.saturating_add(granule * GRANULE_ROWS);
                found.push(start..start.saturating_add(GRANULE_ROWS).min(end));
            }
        }
        Ok(rows::merged(found))
    }

    fn granules(&self, chunk: &Chunk, hash: u32) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        // Pairs of a hash may begin at the end of the page before the first that starts with it.
        let first = chunk.firsts.partition_point(|first| *first < hash).saturating_sub(1);
        for (number, page_first) in chunk.firsts.iter().enumerate().skip(first) {
            if *page_first > hash {
                break;
            }
            let page = self.file.bytes_at(chunk.offset + (number * PAGE_BYTES) as u64, PAGE_BYTES)?;
            scan_page(check(&page, number)?, hash, &mut found).ok_or_else(|| damaged("a page of attr.granules makes no sense"))?;
        }
        Ok(found)
    }
}

/// The page without its checksum.
fn check(page: &[u8], number: usize) -> io::Result<&[u8]> {
    match page.split_at_checked(CRC_AT) {
        Some((body, crc)) if crc == crc32c::crc32c(body).to_le_bytes() => Ok(body),
        _ => Err(damaged(format!("checksum of page {number} of attr.granules does not match"))),
    }
}

fn scan_page(body: &[u8], hash: u32, found: &mut Vec<u32>) -> Option<()> {
    let count = u16::from_le_bytes(*body.first_chunk()?);
    let mut at = u32::from_le_bytes(*body.get(2..)?.first_chunk()?);
    let mut bits = Bits { bytes: body.get(HEADER_BYTES..)?, position: 0 };
    for _ in 0..count {
        let quotient = bits.ones()?;
        at = at.checked_add(quotient.checked_shl(RICE_BITS)?)?.checked_add(bits.take(RICE_BITS)?)?;
        let granule = bits.take(GRANULE_BITS)?;
        if at == hash {
            found.push(granule);
        } else if at > hash {
            break;
        }
    }
    Some(())
}

/// Reads bits from the lowest of each byte.
struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    /// The next 32 bits and more, those beyond the end are 0.
    fn window(&self) -> Option<u64> {
        let from = self.bytes.get(self.position / 8..)?;
        let word = match from.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => from.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
        };
        Some(word >> (self.position % 8))
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let value = self.window()? & ((1 << count) - 1);
        self.position += count as usize;
        u32::try_from(value).ok()
    }

    /// Counts ones up to the next zero and steps over it.
    fn ones(&mut self) -> Option<u32> {
        let mut total = 0;
        loop {
            let ones = self.window()?.trailing_ones();
            // At least 57 bits of a window are bits of the page.
            if ones < 56 {
                self.position += ones as usize + 1;
                return Some(total + ones);
            }
            self.position += 56;
            total += 56;
        }
    }
}
