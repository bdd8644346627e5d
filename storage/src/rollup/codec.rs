//! The blob `roll.red`.
//!
//! Layout: version u8 (1), signal u8 (0 spans, 1 logs), flags u8 (1: names are told apart; 2: there were too many cells, and nothing
//! follows). Then numbers of 7 bits a byte, lowest first,
//! the high bit set on all but the last byte (signed ones folded: 0, -1, 1, -2, …): services and names, each as count, then length and
//! UTF-8 of each; count of cells; per cell: minutes after the cell before, service, name, kind (signed), status or severity (signed),
//! entry (0 or 1), rows, last time after the begin of the minute; for spans also sum of durations (128 bits), shortest, longest minus
//! shortest, count of buckets, and per bucket its number after the one before and its count. Nothing follows.
//!
//! The bundle has the checksum of the blob. What does not fit together is no roll-up.

use std::sync::Arc;

use super::notes::Run;
use super::numbers::{Reader, fold, put, put_buckets, put_small, put_texts, unfold};
use super::{Buckets, Cell, Key, MAX_STACKED_CELLS, MINUTE, Roll, Sketch};
use crate::store::Signal;

const VERSION: u8 = 1;
const HAS_NAMES: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Of a segment with too many cells.
pub(super) fn given_up(signal: Signal) -> Vec<u8> {
    vec![VERSION, code(signal), GIVEN_UP]
}

/// Whether a blob says that there were too many cells.
pub(super) fn is_given_up(signal: Signal, blob: &[u8]) -> bool {
    blob == given_up(signal)
}

/// A blob being written, cell by cell, in the order of minutes.
pub(super) struct Writing {
    signal: Signal,
    out: Vec<u8>,
    minute: u32,
}

impl Writing {
    /// Begins one of so many cells.
    pub(super) fn begin(signal: Signal, texts: [&[Arc<str>]; 2], has_names: bool, cells: usize) -> Self {
        let mut out = vec![VERSION, code(signal), if has_names { HAS_NAMES } else { 0 }];
        texts.into_iter().for_each(|texts| put_texts(&mut out, texts));
        put(&mut out, cells as u128);
        out.reserve(cells * CELL_BYTES);
        Self { signal, out, minute: 0 }
    }

    /// Adds a cell.
    pub(super) fn put_cell(&mut self, cell: &Cell) {
        self.put_key(&cell.key(), cell.count, cell.last);
        let sketch = &cell.durations;
        if self.signal == Signal::Traces {
            self.put_durations((sketch.sum(), sketch.min(), sketch.max()), sketch.buckets());
        }
    }

    /// Adds the cell of these rows.
    pub(super) fn put_run(&mut self, run: &Run<'_>) {
        self.put_key(&run.key, run.count(), run.last());
        if self.signal == Signal::Traces {
            self.put_durations(run.durations(), run.buckets());
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn put_key(&mut self, key: &Key, count: u64, last: u64) {
        let numbers = [key.minute - self.minute, key.service, key.name, fold(key.kind), fold(key.status), u32::from(key.entry)];
        numbers.into_iter().for_each(|number| put_small(&mut self.out, number.into()));
        put_small(&mut self.out, count);
        put_small(&mut self.out, last - u64::from(key.minute) * MINUTE);
        self.minute = key.minute;
    }

    fn put_durations(&mut self, (sum, min, max): (u128, u64, u64), buckets: impl Iterator<Item = (u16, u64)> + Clone) {
        put(&mut self.out, sum);
        put_small(&mut self.out, min);
        put_small(&mut self.out, max - min);
        put_buckets(&mut self.out, buckets);
    }
}

/// Bytes of a cell, about.
const CELL_BYTES: usize = 32;

pub(super) fn encode(signal: Signal, roll: &Roll) -> Vec<u8> {
    let mut writing = Writing::begin(signal, [&roll.services, &roll.names], roll.has_names, roll.cells.len());
    roll.cells.iter().for_each(|cell| writing.put_cell(cell));
    writing.finish()
}

pub(super) fn decode(signal: Signal, blob: &[u8]) -> Option<Roll> {
    let (head, rest) = blob.split_first_chunk::<3>()?;
    let [version, signal_code, flags] = *head;
    if version != VERSION || signal_code != code(signal) {
        return None;
    }
    let mut reader = Reader::new(rest);
    let (services, names) = (reader.texts()?, reader.texts()?);
    let count = reader.count(MAX_STACKED_CELLS)?;
    let mut roll = Roll { services, names, has_names: flags & HAS_NAMES != 0, cells: Vec::with_capacity(count) };
    let mut minute = 0_u32;
    for _ in 0..count {
        minute = minute.checked_add(reader.number()?)?;
        let (service, name) = (reader.number()?, reader.number()?);
        let (kind, status, entry) = (unfold(reader.number()?), unfold(reader.number()?), reader.number::<u8>()? == 1);
        let (rows, offset): (u64, u64) = (reader.number()?, reader.number()?);
        let last = u64::from(minute).checked_mul(MINUTE)?.checked_add(offset)?;
        let durations = if signal == Signal::Traces { sketch(&mut reader)? } else { Sketch::default() };
        let knows_name = signal == Signal::Logs || !roll.has_names || (name as usize) < roll.names.len();
        if rows == 0 || (service as usize) >= roll.services.len() || !knows_name || (signal == Signal::Traces && durations.count() != rows)
        {
            return None;
        }
        roll.cells.push(Cell { minute, service, name, kind, status, entry, count: rows, last, durations });
    }
    reader.is_empty().then_some(roll)
}

fn code(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 0,
        Signal::Logs => 1,
    }
}

fn sketch(reader: &mut Reader<'_>) -> Option<Sketch> {
    let (sum, min, width): (u128, u64, u64) = (reader.number()?, reader.number()?, reader.number()?);
    Sketch::from_parts(sum, min, min.checked_add(width)?, Buckets::read(reader)?)
}
