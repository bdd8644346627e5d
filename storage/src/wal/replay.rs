//! Reads the log back: every whole frame in order, a torn tail cut off, damage named.

use std::path::Path;

use bytes::Bytes;

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{io_error, names};

use super::file;
use super::frame::{self, FILE_HEADER, Frame, Next};

/// What the log held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replayed {
    /// The sequence number of the next record.
    pub(crate) next_seq: u64,
    /// Files with their first sequence number and their bytes, in order.
    pub(crate) files: Vec<(u64, u64)>,
    /// Whole frames.
    pub(crate) frames: u64,
    /// The last frames, which may not be on disk yet: file, offset, bytes.
    pub(crate) doubtful: Option<(Place, u64, Bytes)>,
    /// A torn tail: file, offset, bytes. Nobody was told that it was stored.
    pub(crate) torn: Option<(Place, u64, u64)>,
    /// The last file is gone or empty and nothing is lost by that: where it was, and what is wrong with it.
    pub(crate) missed: Option<(Place, String)>,
}

/// What must be in the log, by what is known besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Frames up to this one may be missing: segments hold them.
    pub(crate) through: u64,
    /// The file that begins with this frame was begun, its header on the disk, so that it or a later one must be there; 0 when that is
    /// not known.
    pub(crate) last_file: u64,
    /// Nothing was ever stored: no file need be there.
    pub(crate) pristine: bool,
    /// The store was stopped in good order: segments have every frame that was written, so none need be here.
    pub(crate) ended: bool,
}

/// What one file held.
struct FileEnd {
    /// The sequence number after its last frame.
    next_seq: u64,
    /// Bytes up to the end of its last frame.
    len: u64,
    frames: u64,
    torn_bytes: u64,
    /// Where the frames begin that no later one says to be on disk, and their bytes.
    doubtful: (u64, Bytes),
    /// Whether there is nothing in it, not even a header.
    is_blank: bool,
}

/// What is said of a log of which something is missing without a loss.
pub(crate) const NOTHING_IN_IT: &str =
    "nothing was in it that segments do not have: the store had been stopped in good order, by what the list of segments says";

/// Makes a log that was read to its end one that goes on: its last frames durable, a torn tail cut off.
pub(crate) fn settle(mut replayed: Replayed) -> Result<Replayed, OpenError> {
    if let Some((path, what)) = &replayed.missed {
        tracing::warn!(file = %path.display(), "a file of the log: {what}; {NOTHING_IN_IT}");
        // Another file is begun behind it, and then it would be missed.
        if file::is_one(path) && path.is_there() {
            path.remove().map_err(io_error("cannot remove the empty file", path))?;
        }
    }
    // Whoever wrote them may have been killed before they were synced, or their sync failed, and only a new write makes the system try
    // again. From now on they count: a sender that repeats them is told that they are stored.
    if let Some((path, offset, bytes)) = replayed.doubtful.take() {
        file::rewrite(&path, offset, &bytes).map_err(io_error("cannot make durable", &path))?;
    }
    if let Some((path, offset, bytes)) = &replayed.torn {
        tracing::warn!(
            file = %path.display(), offset, size_bytes = bytes,
            "the log ends in a torn frame: one that was being written when the machine stopped and was never acknowledged, unless the file was damaged since; it is cut off"
        );
        file::cut(path, *offset).map_err(io_error("cannot cut the torn tail off", path))?;
    }
    Ok(replayed)
}

/// Reads all frames in order and hands them to `visit`; changes nothing.
pub(crate) fn verify(
    folder: &Place,
    store: [u8; 16],
    must: Expected,
    visit: &mut dyn FnMut(Frame) -> Result<(), OpenError>,
) -> Result<Replayed, OpenError> {
    let known = if must.ended && !folder.is_there() { Vec::new() } else { names(folder)? };
    let mut files: Vec<u64> = known.iter().filter_map(|name| file::first_seq(name)).collect();
    files.sort_unstable();
    let missed = match files.last() {
        None if !must.pristine => Some((folder.clone(), "all files of the log are missing".to_owned())),
        Some(last) if *last < must.last_file => {
            Some((file::path(folder, must.last_file), "it is missing, and it was the last file of the log".to_owned()))
        }
        _ => None,
    };
    if let Some((path, what)) = missed.as_ref().filter(|_| !must.ended) {
        return Err(damaged(path, what.clone()));
    }
    let through = must.through;
    let mut replayed = Replayed { next_seq: through + 1, missed, ..Replayed::default() };
    let mut expected = through + 1;
    for (index, first) in files.iter().copied().enumerate() {
        let path = file::path(folder, first);
        if first > expected {
            let detail = format!("the frames {expected} to {} before it are missing", first - 1);
            return Err(damaged(&path, detail));
        }
        let is_last = index + 1 == files.len();
        let end = read_file(&path, store, first, (is_last, must), visit)?;
        expected = expected.max(end.next_seq);
        replayed.frames += end.frames;
        if end.is_blank && must.ended {
            replayed.missed.get_or_insert((path.clone(), BROKEN_HEADER.to_owned()));
        }
        if end.torn_bytes > 0 {
            replayed.torn = Some((path.clone(), end.len, end.torn_bytes));
        }
        if end.frames > 0 {
            let (offset, bytes) = end.doubtful;
            replayed.doubtful = Some((path, offset, bytes));
        }
        // A last file without frames is started again.
        if end.frames > 0 || !is_last {
            replayed.files.push((first, end.len));
        }
    }
    replayed.next_seq = expected;
    Ok(replayed)
}

fn read_file(
    path: &Place,
    store: [u8; 16],
    first_seq: u64,
    (is_last, must): (bool, Expected),
    visit: &mut dyn FnMut(Frame) -> Result<(), OpenError>,
) -> Result<FileEnd, OpenError> {
    let bytes = Bytes::from(path.read().map_err(io_error("cannot read", path))?);
    let (next_seq, len, doubtful) = (first_seq, FILE_HEADER as u64, (0, Bytes::new()));
    let mut end = FileEnd { next_seq, len, frames: 0, torn_bytes: 0, doubtful, is_blank: false };
    let mut doubt = (first_seq, FILE_HEADER);
    let set_aside = match frame::decode_header(&bytes) {
        Some(header) if header.first_seq != first_seq => {
            return Err(damaged(path, format!("its header says that it begins with frame {}; it was renamed", header.first_seq)));
        }
        Some(header) if header.store == store => header.set_aside,
        Some(_) => return Err(damaged(path, "it belongs to another data folder".to_owned())),
        // A crash of an earlier version while it was created: nothing was ever written to it. Not so when it is known to have been begun, or
        // segments already hold frames of it, unless they hold all that ever were.
        None if is_last
            && (must.ended || first_seq > must.through.max(must.last_file))
            && frame::find_after(&bytes, 0, first_seq, first_seq.saturating_sub(1)).is_none() =>
        {
            return Ok(FileEnd { len: 0, is_blank: true, ..end });
        }
        None => return Err(damaged(path, BROKEN_HEADER.to_owned())),
    };
    let mut offset = FILE_HEADER;
    loop {
        match frame::decode(&bytes, offset, first_seq) {
            Next::Frame(frame, next) => {
                if frame.seq != end.next_seq {
                    return Err(damaged(path, format!("at offset {offset} stands frame {} instead of {}", frame.seq, end.next_seq)));
                }
                if frame.synced >= doubt.0 {
                    doubt = (frame.seq, offset);
                }
                visit(frame)?;
                end.next_seq += 1;
                end.frames += 1;
                offset = next;
                end.len = offset as u64;
                end.doubtful = (doubt.1 as u64, bytes.slice(doubt.1..offset));
            }
            Next::End => return Ok(end),
            Next::Broken(what) => {
                let is_short = (bytes.len() as u64) < set_aside;
                let seq = end.next_seq;
                // Those that have a successor were cut to what was written.
                if is_last && is_short && what == frame::CUT {
                    let detail = format!("it was cut off after {} of {set_aside} bytes, within frame {seq}", bytes.len());
                    return Err(damaged(path, detail));
                }
                let place = format!("{what} at offset {offset}, where frame {seq} belongs");
                // Frames are synced before the next file is begun, and `synced` of a later frame tells what was.
                if !is_last || is_short || frame::was_on_disk(&bytes, offset, first_seq, seq) {
                    return Err(damaged(path, place));
                }
                if frame::was_whole(&bytes, offset, what) && !is_held(must, &bytes, offset, (first_seq, seq)) {
                    return Err(damaged(path, format!("{place}; it was whole once, and may have been acknowledged")));
                }
                end.torn_bytes = (bytes.len() - offset) as u64;
                return Ok(end);
            }
        }
    }
}

/// Whether segments have the frame that belongs at `offset`, and all after it.
fn is_held(must: Expected, bytes: &Bytes, offset: usize, (first_seq, seq): (u64, u64)) -> bool {
    must.ended || (seq <= must.through && frame::find_after(bytes, offset, first_seq, seq.max(must.through)).is_none())
}

const BROKEN_HEADER: &str = "its header is broken";

fn damaged(path: impl AsRef<Path>, detail: String) -> OpenError {
    OpenError::Damaged { path: path.as_ref().to_owned(), detail }
}
