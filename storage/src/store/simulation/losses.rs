//! What damage in one place may take with it. Everything else must still be there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use crate::folder::{Folder, segment_of};
use crate::manifest;
use crate::otlp;
use crate::rows;
use crate::segment::Segment;
use crate::store::{Signal, context_of, payload};
use crate::wal::{self, Frame, Next};

use super::model::{log_number, span_number};
use super::world::World;

/// Items that may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Excused {
    #[default]
    Nothing,
    Items(BTreeSet<u64>),
    /// Of a broken list of segments it is not known what it said.
    Anything,
}

/// What may be missing of a folder with damage in one place.
#[derive(Debug)]
pub(super) struct Loss {
    /// When it is opened as it is.
    pub(super) opened: Excused,
    /// When it was repaired.
    pub(super) repaired: Excused,
}

/// A frame of the log and where it lies.
type Placed = (Range<u64>, Frame);

// === impl Excused ===

impl Excused {
    fn of(items: BTreeSet<u64>) -> Self {
        if items.is_empty() { Self::Nothing } else { Self::Items(items) }
    }

    pub(super) fn covers(&self, number: u64) -> bool {
        match self {
            Self::Nothing => false,
            Self::Items(items) => items.contains(&number),
            Self::Anything => true,
        }
    }
}

impl Loss {
    pub(super) fn both(excused: Excused) -> Self {
        Self { opened: excused.clone(), repaired: excused }
    }
}

impl World {
    /// What damage to some bytes of a file of the closed folder, which is whole, may take; `None` for the bytes is the whole file.
    pub(super) fn loss(&self, path: &Path, bytes: Option<Range<u64>>) -> Loss {
        let folder = Folder::inspect(&self.root).unwrap();
        let contents = manifest::read(&folder.manifest(), folder.id()).unwrap().contents;
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.starts_with("/srv/data/manifest") {
            return Loss::both(Excused::Anything);
        }
        if path.starts_with("/srv/data/wal") {
            return wal::first_seq(name).map_or(Loss::both(Excused::Nothing), |first| of_log(&folder, first, bytes, contents.wal_through));
        }
        // An index is made of rows: nothing may be missing without it.
        let listed = segment_of(name).and_then(|id| contents.segments.get(&id)).filter(|_| name.ends_with(".parquet"));
        Loss::both(listed.map_or(Excused::Nothing, |meta| {
            let segment = Segment::open(&folder.segments(meta.signal), meta.clone()).unwrap();
            let columns: Vec<String> = crate::schema::of(meta.signal).fields().iter().map(|field| field.name().clone()).collect();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            Excused::of(segment.read(&columns, None).unwrap().flat_map(|batch| numbers(meta.signal, &batch.unwrap())).collect())
        }))
    }
}

/// Of the log only what no segment has, from the damaged frame on: a start that cannot tell it from a frame that was being written cuts it
/// off with what follows, but not when a later frame says that it was on the disk, or another file follows. A repair goes on behind it.
fn of_log(folder: &Folder, first: u64, bytes: Option<Range<u64>>, through: u64) -> Loss {
    let (frames, header) = frames(folder, first);
    let files: Vec<u64> = folder.wal().names().unwrap().iter().filter_map(|name| wal::first_seq(name)).collect();
    let is_last = files.iter().all(|other| *other <= first);
    let items = |is_one: &dyn Fn(&Placed) -> bool| {
        let gone = frames.iter().filter(|placed| placed.1.seq > through && is_one(placed));
        Excused::of(gone.flat_map(|(_, frame)| items_of(frame)).collect())
    };
    let Some(bytes) = bytes else {
        return Loss { opened: Excused::Nothing, repaired: items(&|_| true) };
    };
    let is_hurt = |placed: &Placed| bytes.start < placed.0.end && placed.0.start < bytes.end;
    let begins = frames.iter().find(|placed| is_hurt(placed)).map(|(_, frame)| frame.seq);
    let opened = match begins {
        Some(seq) if is_last && bytes.start >= header && frames.iter().all(|(_, frame)| frame.synced < seq) => {
            items(&|(_, frame)| frame.seq >= seq)
        }
        _ => Excused::Nothing,
    };
    Loss { opened, repaired: items(&is_hurt) }
}

/// The frames of a file of the log, and the bytes of its header.
fn frames(folder: &Folder, first: u64) -> (Vec<Placed>, u64) {
    let bytes = Bytes::from(wal::file_path(&folder.wal(), first).read().unwrap());
    let header = wal::empty(folder.id(), first).len();
    let (mut at, mut frames) = (header, Vec::new());
    while let Next::Frame(frame, end) = wal::decode_frame(&bytes, at, first) {
        frames.push((at as u64..end as u64, frame));
        at = end;
    }
    (frames, header as u64)
}

fn items_of(frame: &Frame) -> Vec<u64> {
    let record = &frame.record;
    let decoded = otlp::decode(record.signal, &payload(record).unwrap(), &context_of(record)).unwrap();
    numbers(record.signal, &decoded.batch)
}

fn numbers(signal: Signal, batch: &arrow::array::RecordBatch) -> Vec<u64> {
    match signal {
        Signal::Traces => rows::spans(batch, 0..batch.num_rows()).unwrap().iter().map(span_number).collect(),
        Signal::Logs => rows::logs(batch, 0..batch.num_rows()).unwrap().iter().map(|log| log_number(log).unwrap()).collect(),
    }
}
