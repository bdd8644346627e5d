//! The requests of the last minutes whose frames are in no file of the log any more.
//!
//! ```text
//! requests   magic "THRLREQ1" | entries u32 | crc32c u32 of the entries | entries, the oldest first
//! entry      hash 16 bytes | frame u64 | time of ingest u64 | signal u8: 0 traces, 1 logs | accepted u32 | rejected u32
//! ```
//!
//! Written before a file of the log is removed, so that one of the two always tells what came in lately.

use std::io;

use super::{REQUESTS, read_as};
use crate::files::Place;
use crate::folder::replace_file;
use crate::model::UnixNanos;
use crate::store::Signal;

/// A request that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownRequest {
    /// What it is known by.
    pub(crate) hash: [u8; 16],
    /// Its frame of the log.
    pub(crate) seq: u64,
    /// When it came in.
    pub(crate) time: UnixNanos,
    /// What it held.
    pub(crate) signal: Signal,
    /// Items that were stored.
    pub(crate) accepted: u32,
    /// Items that were refused.
    pub(crate) rejected: u32,
}

/// Bytes of one request in the file.
pub(crate) const REQUEST_BYTES: u64 = 16 + 8 + 8 + 1 + 4 + 4;

/// What was written last, the oldest first; nothing when it is absent or damaged, and then it is set aside.
pub(crate) fn read_requests(folder: &Place) -> Vec<KnownRequest> {
    read_as(&folder.join(REQUESTS), decode).unwrap_or_default()
}

/// Replaces what was written before, durably.
pub(crate) fn write_requests(tmp: &Place, folder: &Place, requests: &[KnownRequest]) -> io::Result<()> {
    replace_file(tmp, &folder.join(REQUESTS), &encode(requests)?)
}

fn encode(requests: &[KnownRequest]) -> io::Result<Vec<u8>> {
    let mut entries = Vec::with_capacity(requests.len() * 41);
    for request in requests {
        entries.extend(request.hash);
        entries.extend(request.seq.to_le_bytes());
        entries.extend(request.time.get().to_le_bytes());
        entries.push(u8::from(request.signal == Signal::Logs));
        entries.extend(request.accepted.to_le_bytes());
        entries.extend(request.rejected.to_le_bytes());
    }
    let count = u32::try_from(requests.len()).map_err(io::Error::other)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(count.to_le_bytes());
    bytes.extend(crc32c::crc32c(&entries).to_le_bytes());
    bytes.extend(entries);
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Option<Vec<KnownRequest>> {
    let (count, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let (crc, mut entries) = rest.split_first_chunk::<4>()?;
    let count = u64::from(u32::from_le_bytes(*count));
    if entries.len() as u64 != count * REQUEST_BYTES || crc32c::crc32c(entries) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut requests = Vec::new();
    while !entries.is_empty() {
        let request = KnownRequest {
            hash: take(&mut entries)?,
            seq: take(&mut entries).map(u64::from_le_bytes)?,
            time: take(&mut entries).map(|bytes| UnixNanos::new(u64::from_le_bytes(bytes)))?,
            signal: match take(&mut entries)? {
                [0] => Signal::Traces,
                [1] => Signal::Logs,
                _ => return None,
            },
            accepted: take(&mut entries).map(u32::from_le_bytes)?,
            rejected: take(&mut entries).map(u32::from_le_bytes)?,
        };
        requests.push(request);
    }
    Some(requests)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

const MAGIC: &[u8; 8] = b"THRLREQ1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn request()(hash: [u8; 16], seq: u64, time: u64, logs: bool, accepted: u32, rejected: u32) -> KnownRequest {
            let signal = if logs { Signal::Logs } else { Signal::Traces };
            KnownRequest { hash, seq, time: UnixNanos::new(time), signal, accepted, rejected }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_damage_is_noticed(
            requests in proptest::collection::vec(request(), 0..20),
            at: proptest::sample::Index,
            bit in 0..8u32,
        ) {
            let mut bytes = encode(&requests).unwrap();
            prop_assert_eq!(bytes.len() as u64, 16 + requests.len() as u64 * REQUEST_BYTES);
            prop_assert_eq!(decode(&bytes), Some(requests));
            let cut = at.index(bytes.len());
            prop_assert_eq!(decode(&bytes[..cut]), None);
            bytes[cut] ^= 1 << bit;
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}
