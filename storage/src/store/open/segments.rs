//! The segments that the list names, opened; and the files that it does not name, removed.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::Signal;
use super::super::delete::hidden_before;
use super::super::tables::Unreadable;
use crate::error::OpenError;
use crate::files::Place;
use crate::flush::Keeper;
use crate::folder::{Folder, most_open_files};
use crate::manifest::Contents;
use crate::segment::{Segment, SegmentError, SegmentMeta};

/// Opens all segments. One that cannot be opened does not keep the others from being read; it stays listed, and its files stay until they
/// are past their age or a byte budget needs the room.
///
/// # Errors
/// When this process may not have so many files open: answers would lack rows for no fault of the disk.
pub(super) fn open_segments(root: &Place, folder: &Folder, contents: &Contents) -> Result<(Vec<Arc<Segment>>, Vec<Unreadable>), OpenError> {
    let too_few = |detail| OpenError::Unsuitable { path: root.path().to_owned(), detail };
    enough_files(contents.segments.len(), most_open_files()).map_err(too_few)?;
    let (mut segments, mut unreadable) = (Vec::new(), Vec::new());
    let mut missing = |meta: &SegmentMeta, error: &SegmentError| {
        tracing::error!(%error, rows = meta.rows, "a segment cannot be opened; answers lack its rows");
        let why = format!("{} rows of {} are missing from answers: {error}", meta.rows, meta.signal.as_str());
        unreadable.push(Unreadable { signal: meta.signal, id: meta.id, why, unopened: Some(Arc::new(meta.clone())) });
    };
    let open = |meta: &SegmentMeta| Segment::open(&folder.segments(meta.signal), meta.clone());
    for meta in contents.segments.values() {
        match open(meta) {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(error) => missing(meta, &error),
        }
    }
    let mut faults = Vec::new();
    for signal in [Signal::Traces, Signal::Logs] {
        let mine: Vec<Arc<Segment>> = segments.iter().filter(|segment| segment.meta().signal == signal).cloned().collect();
        // Without the rows that were deleted and are not gone from the disk yet; it is said when that hides more than it should.
        for (id, (rows, fault)) in hidden_before(signal, &mine, &contents.deletions).into_iter().filter(|(_, (rows, _))| !rows.is_empty()) {
            let Some(at) = segments.iter().position(|segment| segment.meta().id == id) else { continue };
            faults.extend(fault.map(|why| Unreadable { signal, id, why, unopened: None }));
            let meta = segments.remove(at).meta().clone();
            match open(&meta) {
                Ok(segment) => segments.push(Arc::new(segment.hiding(rows))),
                Err(error) => missing(&meta, &error),
            }
        }
    }
    unreadable.extend(faults);
    Ok((segments, unreadable))
}

/// Says what to do when so many segments cannot be open where a process may have `most` files open.
fn enough_files(segments: usize, most: Option<u64>) -> Result<(), String> {
    let needed = FILES_OF_A_SEGMENT * segments as u64 + OTHER_FILES;
    match most {
        Some(most) if most < needed => Err(format!(
            "its {segments} segments need {needed} open files and this process may have {most}; raise that limit (LimitNOFILE of systemd, \
             --ulimit nofile of Docker, ulimit -Hn of a shell)"
        )),
        _ => Ok(()),
    }
}

const FILES_OF_A_SEGMENT: u64 = 2;
/// The least that a server works with: ports, the log, the list of segments, and those being written.
const OTHER_FILES: u64 = 16;

/// Removes files that no segment names. They stay while a segment cannot be read: it may have to be mended with them; and after a change
/// of the list that failed: the list may name them when the power comes back.
pub(super) fn remove_orphans(folder: &Folder, keeper: &Keeper, all_readable: bool) -> Result<(), OpenError> {
    if keeper.has_failed() {
        tracing::warn!(
            "files that no segment names stay where they are until the next start: the list of segments could not be written, and may name them"
        );
        return Ok(());
    }
    if !all_readable {
        tracing::warn!("files that no segment names stay where they are: what cannot be read may have to be mended with them");
        return Ok(());
    }
    let listed: HashSet<_> = keeper.listed();
    for signal in [Signal::Traces, Signal::Logs] {
        let removed = folder.remove_orphans(signal, &listed)?;
        if removed > 0 {
            tracing::info!(files = removed, signal = signal.as_str(), "left-over files of an interrupted flush or merge were removed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_open_files_are_told_before_segments_are_missing() {
        for (segments, most) in [(504, Some(1_024)), (0, Some(16)), (1 << 20, None)] {
            assert_eq!(enough_files(segments, most), Ok(()));
        }
        let refused = enough_files(505, Some(1_024)).unwrap_err();
        assert!(refused.contains("505 segments need 1026 open files and this process may have 1024; raise that limit"), "{refused}");
    }
}
