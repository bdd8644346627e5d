//! Reads a whole file for its checksums.

use std::io;

use crate::files::Place;
use crate::segment::BlockSums;

/// What a file is, whatever it holds.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Bytes.
    pub(crate) len: u64,
    /// crc32c of all of them.
    pub(crate) crc: u32,
    /// Checksums of its blocks, as a bundle keeps them.
    pub(crate) blocks: Vec<u8>,
}

/// Reads a file from its beginning to its end.
pub(crate) fn sums(place: &Place) -> io::Result<Sums> {
    sums_of_first(place, u64::MAX)
}

/// Reads at most so many bytes of it.
pub(crate) fn sums_of_first(place: &Place, most: u64) -> io::Result<Sums> {
    let file = place.open()?;
    let (mut len, mut crc, mut blocks, mut buffer) = (0, 0, BlockSums::default(), vec![0; READ_BYTES]);
    loop {
        let wanted = usize::try_from(most - len).unwrap_or(READ_BYTES).min(READ_BYTES);
        let read = file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), len)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(Sums { len, crc, blocks: blocks.finish() });
        }
        len += read as u64;
        crc = crc32c::crc32c_append(crc, bytes);
        blocks.push(bytes);
    }
}

/// Whether a file is what was recorded of it; what is wrong otherwise.
pub(super) fn check(place: &Place, bytes: u64, crc: u32) -> Result<(), String> {
    let found = sums(place).map_err(|error| error.to_string())?;
    if found.len != bytes {
        return Err(format!("it has {} bytes, {bytes} are recorded", found.len));
    }
    if found.crc == crc { Ok(()) } else { Err("it does not match its checksum".to_owned()) }
}

const READ_BYTES: usize = 1 << 20;
