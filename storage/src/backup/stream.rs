//! A moment as one stream of bytes, over a wire or within a process.
//!
//! Numbers are little-endian.
//!
//! ```text
//! stream  magic "THRLBAK1" | files | end
//! file    0x01 | name length u16 | name | bytes u64 | content | crc32c u32 of the content | state u8: 0 whole, 1 damaged where it is
//! known   0x02 | name length u16 | name | bytes u64 | crc32c u32                 a file that the receiver has
//! end     0x03 | files and known u32
//! ```
//!
//! A stream without its end broke off. The crc is computed from what was read; a file is damaged when that is not what was recorded.

use std::collections::HashSet;
use std::io;

use bytes::Bytes;

use super::{Backup, Content, Piece, is_of_segment, known_name};
use crate::files::File;

/// Gives a moment bit by bit. Reading blocks.
#[derive(Debug)]
pub struct Stream {
    /// Keeps what is read.
    _backup: Backup,
    pieces: std::vec::IntoIter<Piece>,
    known: HashSet<String>,
    state: State,
    count: u32,
}

#[derive(Debug)]
enum State {
    Begin,
    Between,
    Within { piece: Piece, file: Option<std::sync::Arc<dyn File>>, at: u64, crc: u32, fault: bool },
    Ended,
}

/// What begins a stream.
pub(super) const MAGIC: &[u8; 8] = b"THRLBAK1";
pub(super) const FILE: u8 = 1;
pub(super) const KNOWN: u8 = 2;
pub(super) const END: u8 = 3;
pub(super) const WHOLE: u8 = 0;
pub(super) const DAMAGED: u8 = 1;

// === impl Stream ===

impl Stream {
    pub(super) fn new(backup: Backup, known: HashSet<String>) -> Self {
        let pieces = backup.pieces().into_iter();
        Self { _backup: backup, pieces, known, state: State::Begin, count: 0 }
    }

    fn step(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Begin => {
                self.state = State::Between;
                Some(Bytes::from_static(MAGIC))
            }
            State::Between => Some(self.begin_next()),
            State::Within { piece, file, at, crc, fault } if at < piece.bytes => {
                let length = usize::try_from((piece.bytes - at).min(CHUNK_BYTES)).unwrap_or(0);
                let mut bytes = vec![0; length];
                let read = read(&piece, file.as_deref(), &mut bytes, at);
                // What cannot be read is sent as zeroes, so that the rest of the stream keeps its place.
                let fault = fault || read.is_err();
                let crc = crc32c::crc32c_append(crc, &bytes);
                self.state = State::Within { at: at + length as u64, piece, file, crc, fault };
                Some(bytes.into())
            }
            State::Within { piece, crc, fault, .. } => {
                self.state = State::Between;
                let damaged = fault || piece.crc.is_some_and(|recorded| recorded != crc);
                let mut end = crc.to_le_bytes().to_vec();
                end.push(if damaged { DAMAGED } else { WHOLE });
                Some(end.into())
            }
            State::Ended => None,
        }
    }

    fn begin_next(&mut self) -> Bytes {
        let Some(piece) = self.pieces.next() else {
            let mut end = vec![END];
            end.extend(self.count.to_le_bytes());
            return end.into();
        };
        self.count += 1;
        let is_known =
            is_of_segment(&piece.name) && piece.crc.is_some_and(|crc| self.known.contains(&known_name(&piece.name, piece.bytes, crc)));
        let mut head = vec![if is_known { KNOWN } else { FILE }];
        head.extend(u16::try_from(piece.name.len()).unwrap_or(0).to_le_bytes());
        head.extend(piece.name.as_bytes());
        head.extend(piece.bytes.to_le_bytes());
        if is_known {
            head.extend(piece.crc.unwrap_or(0).to_le_bytes());
            self.state = State::Between;
        } else {
            let file = match &piece.content {
                Content::At(place) => place.open().ok(),
                Content::Open(file) => Some(file.clone()),
                Content::Here(_) => None,
            };
            self.state = State::Within { piece, file, at: 0, crc: 0, fault: false };
        }
        head.into()
    }
}

impl Iterator for Stream {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.step()
    }
}

fn read(piece: &Piece, file: Option<&dyn File>, buffer: &mut [u8], at: u64) -> io::Result<()> {
    match (&piece.content, file) {
        (Content::Here(bytes), _) => {
            let start = usize::try_from(at).map_err(io::Error::other)?;
            let there = bytes.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(there);
            Ok(())
        }
        (_, Some(file)) => file.read_exact_at(buffer, at),
        (_, None) => Err(io::ErrorKind::NotFound.into()),
    }
}

const CHUNK_BYTES: u64 = 256 << 10;
