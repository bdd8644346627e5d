//! Looks at every segment file: which segment it is by its own word, and how much of it is what was written.

use std::collections::BTreeSet;

use ulid::Ulid;

use crate::check::{Sums, Watch, sums, sums_of_first};
use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{Folder, segment_of};
use crate::segment::{BLOCK_SUMS, Bundle, Origin, Part, SegmentMeta, discover};
use crate::store::Signal;

use super::known::Known;

/// A segment of which there is at least one file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: Ulid,
    pub(super) signal: Signal,
    /// As its files are now; rows and times as far as they are known.
    pub(super) meta: SegmentMeta,
    /// Where its rows come from; unknown when its footer cannot be read.
    pub(super) origin: Origin,
    pub(super) part: Option<Part>,
    /// Whether the rows are as they were written.
    pub(super) parquet: Result<(), String>,
    pub(super) index: Result<(), String>,
    /// Bytes behind the end of the rows' file that were not written with it. Everything before them is as it was written.
    pub(super) appended: u64,
    /// Whether any row can be read and trusted.
    pub(super) readable: bool,
    /// Whether there is a file of rows, readable or not.
    pub(super) has_rows: bool,
    /// Whether anything says what its rows were when they were written.
    pub(super) proven: bool,
    /// Whether the list of segments names it, or did.
    pub(super) listed: bool,
}

/// All segments of a signal, by id.
pub(super) fn all(folder: &Folder, signal: Signal, known: &Known, watch: Watch<'_>) -> Result<Vec<Found>, OpenError> {
    let place = folder.segments(signal);
    let ids: BTreeSet<Ulid> = super::plan::names(&place)?.iter().filter_map(|name| segment_of(name)).collect();
    let mut found = Vec::with_capacity(ids.len());
    for (number, id) in ids.iter().enumerate() {
        watch(&format!("reading segment {} of {} of {}", number + 1, ids.len(), signal.as_str()));
        found.push(one(&place, signal, *id, known));
    }
    Ok(found)
}

fn one(folder: &Place, signal: Signal, id: Ulid, known: &Known) -> Found {
    let recorded = known.contents.segments.get(&id).or_else(|| known.salvaged.known.get(&id)).filter(|meta| meta.signal == signal);
    let mut meta = recorded.cloned().unwrap_or_else(|| unknown(id, signal));
    let (parquet_path, index_path) = (meta.parquet_path(folder), meta.index_path(folder));
    let blocks = match sums(&index_path) {
        Ok(index) => {
            (meta.index_bytes, meta.index_crc) = (index.len, index.crc);
            blocks_of(&index_path, index.len)
        }
        Err(error) => Err(format!("its index cannot be read: {error}")),
    };
    let (mut of_other_file, mut proven) = (false, false);
    // Without the list of segments, or without an index, there is less to go by: then it counts as damaged.
    let listed = recorded.filter(|_| known.problem.is_none() && blocks.is_ok());
    let (appended, found) = without_appended(&parquet_path, listed);
    let mut parquet = match found {
        Ok(found) => {
            let as_recorded = recorded.map(|meta| (meta.parquet_bytes, meta.parquet_crc) == (found.len, found.crc));
            let as_indexed = blocks.as_ref().ok().map(|blocks| *blocks == found.blocks);
            (meta.parquet_bytes, meta.parquet_crc) = (found.len, found.crc);
            of_other_file = as_indexed == Some(false) && as_recorded == Some(true);
            proven = as_indexed.is_some() || as_recorded.is_some();
            match (as_indexed, as_recorded) {
                (Some(true), _) | (_, Some(true)) => Ok(()),
                // Nothing says what it was: its rows are read, all of them, before they are trusted.
                (None, None) => Ok(()),
                _ => Err("it does not match its checksums".to_owned()),
            }
        }
        Err(error) => Err(format!("it cannot be read: {error}")),
    };
    // A footer that is not covered by any checksum is read only where the whole file is right.
    let sums = blocks.as_deref().ok().filter(|_| !of_other_file);
    let footer = if parquet.is_ok() || sums.is_some() {
        discover(&parquet_path, meta.parquet_bytes, sums)
    } else {
        Err("its footer cannot be trusted".to_owned())
    };
    let (mut origin, mut part) = (Origin::default(), None);
    let mut readable = false;
    match footer {
        Ok((said, from, place)) if said.id == id && said.signal == signal => {
            (meta.level, meta.rows, meta.min_time, meta.max_time) = (said.level, said.rows, said.min_time, said.max_time);
            (origin, part, readable) = (from, place, true);
        }
        Ok(_) => parquet = Err("its footer belongs to another segment".to_owned()),
        Err(error) => parquet = parquet.and(Err(error)),
    }
    let index = match blocks {
        Ok(_) if of_other_file => Err("its index was made of another file".to_owned()),
        other => other.map(drop),
    };
    Found {
        id,
        signal,
        meta,
        origin,
        part,
        parquet,
        index,
        appended,
        readable,
        has_rows: parquet_path.is_there(),
        proven,
        listed: recorded.is_some(),
    }
}

/// Checksums of a file, without what was appended to what is recorded of it; how many bytes those are.
fn without_appended(path: &Place, recorded: Option<&SegmentMeta>) -> (u64, std::io::Result<Sums>) {
    let whole = sums(path);
    if let (Some(meta), Ok(all)) = (recorded, &whole)
        && all.len > meta.parquet_bytes
        && let Ok(first) = sums_of_first(path, meta.parquet_bytes)
        && first.crc == meta.parquet_crc
    {
        return (all.len - meta.parquet_bytes, Ok(first));
    }
    (0, whole)
}

/// The checksums of the Parquet file's blocks, from an index of which every part is whole.
fn blocks_of(path: &Place, len: u64) -> Result<Vec<u8>, String> {
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        let bundle = Bundle::open(path, len)?;
        for blob in bundle.blobs() {
            bundle.read_blob(blob)?;
        }
        bundle.read(BLOCK_SUMS)
    };
    read().map_err(|error| format!("its index is damaged: {error}"))?.ok_or_else(|| "its index has no checksums of blocks".to_owned())
}

fn unknown(id: Ulid, signal: Signal) -> SegmentMeta {
    let zero = crate::model::UnixNanos::new(0);
    SegmentMeta {
        id,
        signal,
        level: 0,
        rows: 0,
        min_time: zero,
        max_time: zero,
        parquet_bytes: 0,
        index_bytes: 0,
        parquet_crc: 0,
        index_crc: 0,
    }
}

// === impl Found ===

impl Found {
    pub(super) fn is_whole(&self) -> bool {
        self.parquet.is_ok() && self.index.is_ok() && self.appended == 0
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> String {
        let problems = [self.parquet.as_ref().err(), self.index.as_ref().err()];
        problems.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}
