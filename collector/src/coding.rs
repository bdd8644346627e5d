//! Compression of requests, expanded under a cap.
//!
//! The cap counts expanded bytes and stops the decoder when it is reached, so a bomb costs what a legal request costs. Every
//! decoder must reach the end of its stream and of its input: what is cut short or followed by garbage is refused whole.

use std::io::{Cursor, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::admission::Lease;
use crate::error::{Refusal, bounded};

/// How a request is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Zstd,
    /// zlib or raw deflate; senders do both under this name.
    Deflate,
}

/// Gives expanded bytes piece by piece.
enum Decoder {
    Reader(Box<dyn Read + Send>),
    Inflate { state: Box<Decompress>, input: Cursor<Bytes>, ended: bool },
}

// === impl Coding ===

impl Coding {
    /// Reads a `content-encoding` or `grpc-encoding`. Codings in a row are refused.
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        let mut coding = Self::Identity;
        for part in name.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("identity")) {
            let known = match part.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "zstd" => Self::Zstd,
                "deflate" => Self::Deflate,
                _ => return Err(Self::unknown(name)),
            };
            if coding != Self::Identity {
                return Err(Self::unknown(name));
            }
            coding = known;
        }
        Ok(coding)
    }

    fn unknown(name: &str) -> Refusal {
        Refusal::Coding { got: bounded(name.escape_default().to_string(), 64) }
    }

    /// Bytes that a decoder holds at most: what it may look back at, and its tables.
    fn decoder_bytes(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Gzip | Self::Deflate => INFLATE_BYTES,
            Self::Zstd => (1 << MAX_ZSTD_WINDOW_LOG) + ZSTD_BYTES,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }
}

/// Expands `input`, at most to `limit` bytes, holding room for what it makes.
pub(crate) async fn expand(coding: Coding, input: Bytes, limit: usize, lease: &mut Lease) -> Result<Bytes, Refusal> {
    if coding == Coding::Identity {
        return if input.len() > limit { Err(Refusal::TooLarge { limit }) } else { Ok(input) };
    }
    if input.is_empty() {
        return Err(Refusal::Malformed(format!("the body is empty, which is not a {} stream", coding.as_str())));
    }
    let compressed = input.len();
    let _held = lease.decoder(coding.decoder_bytes());
    let mut decoder = Decoder::new(coding, input)?;
    let mut out = Vec::new();
    loop {
        lease.grow_to(compressed + out.len() + STEP_BYTES).await?;
        let until = out.len() + STEP_BYTES;
        let ended = decoder.fill(&mut out, until).map_err(|e| damaged(coding, &e))?;
        if out.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        if ended {
            return Ok(out.into());
        }
        tokio::task::yield_now().await;
    }
}

fn damaged(coding: Coding, error: &std::io::Error) -> Refusal {
    let text = error.to_string();
    if coding == Coding::Zstd && text.contains(TOO_WIDE) {
        let most = (1_u32 << MAX_ZSTD_WINDOW_LOG) >> 20;
        return Refusal::Malformed(format!(
            "the zstd stream needs a window of more than {most} MiB, which is the largest taken; compress with a level up to 19 and without long distance matching"
        ));
    }
    Refusal::Malformed(bounded(format!("the body is not a whole {} stream: {text}", coding.as_str()), 256))
}

// === impl Decoder ===

impl Decoder {
    fn new(coding: Coding, input: Bytes) -> Result<Self, Refusal> {
        Ok(match coding {
            Coding::Identity => Self::Reader(Box::new(Cursor::new(input))),
            Coding::Gzip => Self::Reader(Box::new(MultiGzDecoder::new(Cursor::new(input)))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(Cursor::new(input)).map_err(|e| damaged(coding, &e))?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(|e| damaged(coding, &e))?;
                Self::Reader(Box::new(decoder))
            }
            Coding::Deflate => {
                let state = Box::new(Decompress::new(has_zlib_header(&input)));
                Self::Inflate { state, input: Cursor::new(input), ended: false }
            }
        })
    }

    /// Adds to `out` until it has `until` bytes or the stream ends, and says whether it ended.
    fn fill(&mut self, out: &mut Vec<u8>, until: usize) -> std::io::Result<bool> {
        out.reserve(until.saturating_sub(out.len()));
        while out.len() < until {
            let start = out.len();
            out.resize((start + PIECE_BYTES).min(until), 0);
            let Some(room) = out.get_mut(start..) else { return Ok(true) };
            let made = match self {
                Self::Reader(reader) => reader.read(room),
                Self::Inflate { state, input, ended } => inflate(state, input, ended, room),
            };
            out.truncate(start + *made.as_ref().unwrap_or(&0));
            if made? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Makes at least one byte, or none at the end of the stream.
fn inflate(state: &mut Decompress, input: &mut Cursor<Bytes>, ended: &mut bool, room: &mut [u8]) -> std::io::Result<usize> {
    let cut_short = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it is cut short");
    while !*ended {
        let position = usize::try_from(input.position()).unwrap_or(usize::MAX);
        let rest = input.get_ref().get(position..).unwrap_or_default();
        let (seen, made) = (state.total_in(), state.total_out());
        let status = state.decompress(rest, room, FlushDecompress::None).map_err(std::io::Error::other)?;
        let (seen, made) = (state.total_in() - seen, state.total_out() - made);
        input.set_position(input.position() + seen);
        *ended = status == Status::StreamEnd;
        if *ended && usize::try_from(input.position()).unwrap_or(0) < input.get_ref().len() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "bytes follow its end"));
        }
        if made > 0 {
            return usize::try_from(made).map_err(std::io::Error::other);
        }
        if seen == 0 && !*ended {
            return Err(cut_short());
        }
    }
    Ok(0)
}

/// RFC 1950: method 8, and the first two bytes divisible by 31.
fn has_zlib_header(input: &[u8]) -> bool {
    matches!(input, [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// Expanded between two looks at the budget and the other tasks.
const STEP_BYTES: usize = 256 * 1024;
const PIECE_BYTES: usize = 64 * 1024;
/// 8 MiB, what RFC 8878 asks decoders to support; more would let a small request hold much memory.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;
/// The window of zlib, twice, with its tables.
const INFLATE_BYTES: usize = 96 * 1024;
/// Tables and two blocks of 128 KiB.
const ZSTD_BYTES: usize = 512 * 1024;
/// What the decoder says of a larger one.
const TOO_WIDE: &str = "requires too much memory";

#[cfg(test)]
mod tests;
