//! The bytes of the log.
//!
//! All numbers are little-endian.
//!
//! ```text
//! file    magic "THRLWAL1" | crc32c u32 of what follows | first_seq u64 | set_aside u64 | store id 16 bytes | frames
//!         | zeroes to the end
//! frame   len u32 | crc32c u32 | kind u8 | seq u64 | synced u64 | ingest_time u64 | retention u64 | first_record_id u64
//!         | accepted u32 | rejected u32 | request hash 16 bytes | raw_len u32 | payload
//! ```
//!
//! `set_aside` is the size that the file was given when it was created, 0 when the file system cannot: a file that is shorter was cut off
//! from outside, unless it ends with a whole frame, as after its end was cut off by this program.
//!
//! `len` counts the bytes after the checksum. The checksum covers the file's `first_seq` and everything after itself, so a frame that
//! strayed into another file is not taken for one of this file's. `synced` is the highest sequence number known to be on disk when the
//! frame was written: a broken frame before it was acknowledged and its loss is damage, a broken frame after it is a torn write that
//! nobody was told of. Of the last ones nothing says whether they were synced, but a torn write lacks a part: the space of a file is zeroes
//! before it is written, and disks write sectors. A broken frame of which no part is missing was written as a whole and damaged later, and
//! may have been acknowledged. `kind` bit 0: logs instead of traces; bit 1: the payload is compressed with zstd.

use bytes::{BufMut as _, Bytes};

use crate::model::UnixNanos;
use crate::store::Signal;

/// One request as it is kept in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Which message the payload is.
    pub(crate) signal: Signal,
    /// When it was received: what "now" was when it was decoded.
    pub(crate) ingest_time: UnixNanos,
    /// The retention it was decoded with in nanoseconds; `u64::MAX` for none.
    pub(crate) retention: u64,
    /// The first of the record ids that it may use.
    pub(crate) first_record_id: u64,
    /// Items stored.
    pub(crate) accepted: u32,
    /// Items refused.
    pub(crate) rejected: u32,
    /// Hash of signal and raw payload.
    pub(crate) hash: [u8; 16],
    /// Bytes of the payload before compression.
    pub(crate) raw_len: u32,
    /// Whether the payload is compressed with zstd.
    pub(crate) compressed: bool,
    /// The OTLP message as received.
    pub(crate) payload: Bytes,
}

/// A frame that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) seq: u64,
    pub(crate) synced: u64,
    pub(crate) record: Record,
}

/// What is found at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole frame and where the next one begins.
    Frame(Frame, usize),
    /// The end of the frames: end of file, or zeroes up to it.
    End,
    /// Bytes that are no frame.
    Broken(&'static str),
}

/// What is wrong with a frame that is not there whole.
pub(crate) const CUT: &str = "the file ends within a frame";

/// What is wrong with a frame of a later version.
const UNKNOWN_KIND: &str = "a frame is of a kind this program does not know";

/// Bytes that come to a disk together, if they do: a line of the processor's cache, of which sectors have several.
const PART: usize = 64;

/// Bytes of a file before its first frame.
pub(crate) const FILE_HEADER: usize = 44;

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sequence number of the first frame.
    pub(crate) first_seq: u64,
    /// Bytes that the file had when it was created; 0 when nothing could be set aside.
    pub(crate) set_aside: u64,
    /// Ties the file to its store.
    pub(crate) store: [u8; 16],
}

/// Payloads beyond this are not written; the collector's bound is far below.
pub(crate) const MAX_PAYLOAD: usize = 1 << 30;

/// Writes a file's header.
pub(crate) fn encode_header(of: Header) -> Vec<u8> {
    let mut header = Vec::with_capacity(FILE_HEADER);
    header.put_slice(MAGIC);
    header.put_u32_le(0);
    header.put_u64_le(of.first_seq);
    header.put_u64_le(of.set_aside);
    header.put_slice(&of.store);
    let crc = crc32c::crc32c(header.get(12..).unwrap_or_default());
    patch(&mut header, 8, crc);
    header
}

/// Reads a file's header; `None` when it is broken.
pub(crate) fn decode_header(file: &[u8]) -> Option<Header> {
    let mut fields = Fields(file.get(..FILE_HEADER)?);
    if fields.take::<8>()? != *MAGIC || fields.u32()? != crc32c::crc32c(fields.0) {
        return None;
    }
    Some(Header { first_seq: fields.u64()?, set_aside: fields.u64()?, store: fields.take()? })
}

/// Appends a frame to `out`.
pub(crate) fn encode(out: &mut Vec<u8>, first_seq: u64, seq: u64, synced: u64, record: &Record) {
    let start = out.len();
    let len = u32::try_from(BODY + record.payload.len()).unwrap_or(u32::MAX);
    out.reserve(FRAME_HEADER + record.payload.len());
    out.put_u32_le(len);
    out.put_u32_le(0);
    out.put_u8(u8::from(record.signal == Signal::Logs) | (u8::from(record.compressed) << 1));
    for number in [seq, synced, record.ingest_time.get(), record.retention, record.first_record_id] {
        out.put_u64_le(number);
    }
    out.put_u32_le(record.accepted);
    out.put_u32_le(record.rejected);
    out.put_slice(&record.hash);
    out.put_u32_le(record.raw_len);
    out.put_slice(&record.payload);
    let crc = checksum(first_seq, len, out.get(start + 8..).unwrap_or_default());
    patch(out, start + 4, crc);
}

/// Bytes that a record takes in the log.
pub(crate) fn encoded_len(record: &Record) -> usize {
    FRAME_HEADER + record.payload.len()
}

/// Reads what is at `offset` of a file whose header names `first_seq`.
pub(crate) fn decode(file: &Bytes, offset: usize, first_seq: u64) -> Next {
    let rest = file.get(offset..).unwrap_or_default();
    if rest.iter().all(|byte| *byte == 0) {
        return Next::End;
    }
    let mut fields = Fields(rest);
    let (Some(len), Some(crc)) = (fields.u32(), fields.u32()) else { return Next::Broken(CUT) };
    let body_len = len as usize;
    if body_len < BODY {
        return Next::Broken("a frame's length is impossible");
    }
    let Some(body) = fields.0.get(..body_len) else { return Next::Broken(CUT) };
    if checksum(first_seq, len, body) != crc {
        return Next::Broken("a frame does not match its checksum");
    }
    let end = offset + 8 + body_len;
    match decode_body(body, file.slice(offset + FRAME_HEADER..end)) {
        Some(frame) => Next::Frame(frame, end),
        None => Next::Broken(UNKNOWN_KIND),
    }
}

/// Whether the broken frame at `offset`, with which `what` is wrong, was written as a whole and damaged later, as far as its bytes tell: no
/// part of it is zeroes that nobody wrote over. Errs on the side of a torn write, of which only a part came to the disk.
pub(crate) fn was_whole(file: &[u8], offset: usize, what: &str) -> bool {
    if what == CUT {
        return false;
    }
    // Its checksum is right, so every byte is.
    if what == UNKNOWN_KIND {
        return true;
    }
    let rest = file.get(offset..).unwrap_or_default();
    let said = rest.first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let len = if said < BODY { written } else { said.saturating_add(8) };
    let Some(frame) = rest.get(..len) else { return false };
    let (first, others) = frame.split_at(frame.len().min(PART - offset % PART));
    let is_missing = |part: &[u8]| part.iter().all(|byte| *byte == 0);
    frame.last().is_some_and(|last| *last != 0) && !is_missing(first) && !others.chunks(PART).any(is_missing)
}

/// Finds a whole frame with a sequence number above `expected` that begins after `offset`: proof that what is at `offset` was damaged
/// after it was written.
pub(crate) fn find_after(file: &Bytes, offset: usize, first_seq: u64, expected: u64) -> Option<Frame> {
    next_after(file, offset, first_seq, expected).map(|(frame, _)| frame)
}

/// Whether a whole frame that begins after `offset` says that the one which belongs there, `seq`, was on the disk. The next one may be of the same
/// group and not know it yet.
pub(crate) fn was_on_disk(file: &Bytes, offset: usize, first_seq: u64, seq: u64) -> bool {
    let (mut from, mut expected) = (offset, seq);
    while let Some((frame, start)) = next_after(file, from, first_seq, expected) {
        if frame.synced >= seq {
            return true;
        }
        (from, expected) = (start, frame.seq);
    }
    false
}

/// As [`find_after`], with the place where the frame begins. A frame is not further on in the count than frames fit in between:
/// what looks like one may be in the text of a request.
pub(crate) fn next_after(file: &Bytes, offset: usize, first_seq: u64, expected: u64) -> Option<(Frame, usize)> {
    for start in offset + 1..file.len().saturating_sub(FRAME_HEADER) {
        let mut fields = Fields(file.get(start..)?);
        let (len, _crc, [kind]) = (fields.u32()?, fields.u32()?, fields.take::<1>()?);
        let seq = fields.u64()?;
        // Cheap tests first: nearly all places fail them, so that checksums are rarely computed.
        let plausible =
            kind <= 3 && len as usize >= BODY && seq > expected && seq - expected <= ((start - offset) / FRAME_HEADER + 1) as u64;
        if !plausible {
            continue;
        }
        if let Next::Frame(frame, _) = decode(file, start, first_seq) {
            return Some((frame, start));
        }
    }
    None
}

fn decode_body(body: &[u8], payload: Bytes) -> Option<Frame> {
    let mut fields = Fields(body);
    let [kind] = fields.take()?;
    if kind > 3 {
        return None;
    }
    let (seq, synced) = (fields.u64()?, fields.u64()?);
    let record = Record {
        signal: if kind & 1 == 0 { Signal::Traces } else { Signal::Logs },
        compressed: kind & 2 != 0,
        ingest_time: UnixNanos::new(fields.u64()?),
        retention: fields.u64()?,
        first_record_id: fields.u64()?,
        accepted: fields.u32()?,
        rejected: fields.u32()?,
        hash: fields.take()?,
        raw_len: fields.u32()?,
        payload,
    };
    Some(Frame { seq, synced, record })
}

fn checksum(first_seq: u64, len: u32, body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&first_seq.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &len.to_le_bytes());
    crc32c::crc32c_append(crc, body)
}

fn patch(out: &mut [u8], at: usize, crc: u32) {
    for (byte, value) in out.iter_mut().skip(at).zip(crc.to_le_bytes()) {
        *byte = value;
    }
}

/// Reads numbers from the front of a slice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

const MAGIC: &[u8; 8] = b"THRLWAL1";

/// Bytes between checksum and payload.
const BODY: usize = 1 + 5 * 8 + 2 * 4 + 16 + 4;

/// Bytes of a frame before its payload.
const FRAME_HEADER: usize = 8 + BODY;
