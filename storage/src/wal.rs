//! Write-ahead log: an accepted request is on disk here before its sender is told so.
//!
//! Owns the files in `wal/`: framing, group commit, rotation, replay. Knows nothing of spans, Parquet or queries.
//!
//! One log serves both signals. Every request gets the next sequence number; numbers have no gaps, within a file and from
//! file to file, so a lost frame is noticed even when the file it was in is gone; that the last file is gone, the manifest tells. A file
//! is never appended to after a restart. See [`frame`] for the bytes.

mod file;
mod frame;
mod replay;
mod salvage;
mod writer;

pub(crate) use self::file::{LEAST_FILE_BYTES, first_seq, path as file_path};
pub(crate) use self::frame::{Frame, MAX_PAYLOAD, Next, Record, decode as decode_frame, encode as encode_frame};
pub(crate) use self::replay::{Expected, NOTHING_IN_IT, Replayed, settle, verify};
#[cfg(test)]
pub(crate) use self::salvage::begin;
pub(crate) use self::salvage::{NewLog, salvage, store_of};
pub(crate) use self::writer::{Log, Notice, Options, Refusal, Writer};

/// The bytes of a log file without frames, whose first one will be `first_seq`.
pub(crate) fn empty(store: [u8; 16], first_seq: u64) -> Vec<u8> {
    frame::encode_header(frame::Header { first_seq, set_aside: 0, store })
}

#[cfg(test)]
pub(crate) mod tests;
