//! The segments that the list names, opened; and the files that it does not name, removed.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::Signal;
use super::super::delete::hidden_before;
use super::super::tables::Unreadable;
use crate::error::OpenError;
use crate::flush::Keeper;
use crate::folder::Folder;
use crate::manifest::Contents;
use crate::segment::{Segment, SegmentError, SegmentMeta};

/// Opens all segments. One that cannot be opened does not keep the others from being read; it stays listed, and its files stay until they
/// are past their age or a byte budget needs the room.
pub(super) fn open_segments(folder: &Folder, contents: &Contents) -> (Vec<Arc<Segment>>, Vec<Unreadable>) {
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
    (segments, unreadable)
}

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
