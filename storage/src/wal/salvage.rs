//! Reads what is whole in a broken log, and writes a log anew.
//!
//! Used by `repair` alone. Where [`super::verify`] stops at the first damage, this goes on behind it.

use bytes::Bytes;

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{io_error, names};

use super::file;
use super::frame::{self, FILE_HEADER, Frame, Header, Next, Record};
use super::replay::Expected;

/// Frames on their way into new files.
#[derive(Debug)]
pub(crate) struct NewLog {
    store: [u8; 16],
    first_seq: u64,
    next_seq: u64,
    frames: u64,
    bytes: Vec<u8>,
}

/// Hands every whole frame above `must.through` to `visit`, in order, each once. Returns what is not there any more, one sentence each.
pub(crate) fn salvage(
    folder: &Place,
    store: [u8; 16],
    must: Expected,
    visit: &mut dyn FnMut(Frame) -> Result<(), OpenError>,
) -> Result<Vec<String>, OpenError> {
    let mut files: Vec<u64> =
        if folder.is_there() { names(folder)?.iter().filter_map(|name| file::first_seq(name)).collect() } else { Vec::new() };
    files.sort_unstable();
    let (mut lost, mut expected) = (Vec::new(), must.through + 1);
    for named in files {
        let path = file::path(folder, named);
        let bytes = Bytes::from(path.read_what_can_be().map_err(io_error("cannot read", &path))?);
        let header = frame::decode_header(&bytes);
        if header.is_some_and(|header| header.store != store) {
            lost.push(format!("{} belongs to another data folder", path.display()));
            continue;
        }
        let first_seq = header.map_or(named, |header| header.first_seq);
        // Also where no frame of this file tells that others were before it.
        if header.is_some() && first_seq > expected {
            lost.push(missing(&path, (expected, first_seq - 1), None));
            expected = first_seq;
        }
        let mut frames = Frames { bytes: &bytes, first_seq, at: FILE_HEADER, last: first_seq.saturating_sub(1) };
        let mut damage = None;
        for next in frames.by_ref() {
            let frame = match next {
                Ok(frame) => frame,
                Err(place) => {
                    damage = Some(place);
                    continue;
                }
            };
            let place = damage.take();
            if frame.seq < expected {
                continue;
            }
            if frame.seq > expected {
                lost.push(missing(&path, (expected, frame.seq - 1), place));
            }
            expected = frame.seq + 1;
            visit(frame)?;
        }
        // It was begun, and looks like a file that nothing was ever written to.
        let is_blank = header.is_none() && damage.is_none() && frames.last < first_seq;
        if is_blank && named == must.last_file {
            lost.push(format!("nothing is left of {}: requests from {expected} on that were acknowledged are lost", path.display()));
        }
        if let Some((from, to)) = damage.filter(|_| frames.last + 1 >= expected) {
            lost.push(format!(
                "the {} bytes at offset {from} of {}, where request {expected} belongs, cannot be read; if it was acknowledged, it is lost",
                to - from,
                path.display()
            ));
        }
    }
    Ok(lost)
}

fn missing(path: &Place, (from, to): (u64, u64), place: Option<(usize, usize)>) -> String {
    let of = place.map_or_else(
        || format!("before {}", path.display()),
        |(start, end)| format!("in the {} damaged bytes at offset {start} of {}", end - start, path.display()),
    );
    if from == to { format!("request {from}, {of}, is lost") } else { format!("requests {from} to {to}, {of}, are lost") }
}

/// The store that the log in `folder` belongs to, by the first header that is whole.
pub(crate) fn store_of(folder: &Place) -> Option<[u8; 16]> {
    let files = folder.names().ok()?;
    files.iter().filter(|name| file::first_seq(name).is_some()).find_map(|name| {
        let mut header = vec![0; FILE_HEADER];
        folder.join(name).open().and_then(|file| file.read_exact_at(&mut header, 0)).ok()?;
        frame::decode_header(&header).map(|header| header.store)
    })
}

/// Begins a log whose first frame will be `first_seq`: its first file, without frames.
#[cfg(test)]
pub(crate) fn begin(folder: &Place, first_seq: u64, store: [u8; 16]) -> Result<(), OpenError> {
    file::create(folder, first_seq, store, 0).map(drop).map_err(io_error("cannot begin the log in", folder))
}

/// The whole frames of a file, those behind damage too, and between them where the damage begins and ends.
struct Frames<'a> {
    bytes: &'a Bytes,
    first_seq: u64,
    at: usize,
    /// The last frame so far.
    last: u64,
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, (usize, usize)>;

    fn next(&mut self) -> Option<Self::Item> {
        match frame::decode(self.bytes, self.at, self.first_seq) {
            Next::Frame(frame, next) => {
                (self.at, self.last) = (next, frame.seq);
                Some(Ok(frame))
            }
            Next::End => None,
            Next::Broken(_) => {
                let begin = self.at;
                self.at = self.behind().unwrap_or(self.bytes.len());
                Some(Err((begin, self.at)))
            }
        }
    }
}

impl Frames<'_> {
    /// Where the next whole frame begins: where the broken one says that it ends, or else the first place that looks like one.
    fn behind(&self) -> Option<usize> {
        let length = self.bytes.get(self.at..)?.first_chunk().map(|length| u32::from_le_bytes(*length) as usize)?;
        let end = self.at.checked_add(8)?.checked_add(length)?;
        if let Next::Frame(frame, _) = frame::decode(self.bytes, end, self.first_seq)
            && frame.seq == self.last + 2
        {
            return Some(end);
        }
        frame::next_after(self.bytes, self.at, self.first_seq, self.last).map(|(_, start)| start)
    }
}

// === impl NewLog ===

impl NewLog {
    /// A log whose first frame is `first_seq`.
    pub(crate) fn new(store: [u8; 16], first_seq: u64) -> Self {
        Self { store, first_seq, next_seq: first_seq, frames: 0, bytes: Vec::new() }
    }

    /// Adds a frame under the next number. Gives a file that is full.
    pub(crate) fn push(&mut self, record: &Record) -> Option<(u64, Vec<u8>)> {
        let full = (self.bytes.len() > FILE_BYTES).then(|| self.file());
        if full.is_some() {
            self.first_seq = self.next_seq;
        }
        if self.bytes.is_empty() {
            self.bytes = self.header();
        }
        frame::encode(&mut self.bytes, self.first_seq, self.next_seq, self.next_seq - 1, record);
        self.next_seq += 1;
        self.frames += 1;
        full
    }

    /// Frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// The last file: its first frame and its bytes.
    pub(crate) fn finish(mut self) -> (u64, Vec<u8>) {
        self.file()
    }

    fn file(&mut self) -> (u64, Vec<u8>) {
        let bytes = std::mem::take(&mut self.bytes);
        (self.first_seq, if bytes.is_empty() { self.header() } else { bytes })
    }

    fn header(&self) -> Vec<u8> {
        frame::encode_header(Header { first_seq: self.first_seq, set_aside: 0, store: self.store })
    }
}

/// A file that has grown beyond this is followed by another.
const FILE_BYTES: usize = 64 << 20;
