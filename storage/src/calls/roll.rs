//! The roll-up of the calls of a segment, unit by unit.

use std::ops::Range;

use arrow::array::RecordBatch;

use super::builder::UnitBuilder;
use super::codec::{self, MAX_UNITS};
use super::unit::{MAX_APART, MAX_CELLS, MAX_NAMES};
use super::{Unit, View};
use crate::schema::BUCKET_NANOS;

/// What is known of the units of a segment without looking at their cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallRoll {
    pub(crate) units: Vec<UnitHead>,
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitHead {
    /// Rows of the segment.
    pub(crate) rows: Range<u32>,
    /// Earliest and latest start of a span.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Where its cells lie, and their checksum.
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
    /// Traces that are not summed up.
    pub(crate) apart: Vec<u128>,
}

/// Sums up the rows of a segment while they are written.
#[derive(Debug, Default)]
pub(crate) struct RollWriter {
    units: Vec<UnitHead>,
    cells: Vec<u8>,
    current: Option<Current>,
    /// Of the current unit.
    builder: UnitBuilder,
    rows: u32,
    /// There was too much.
    given_up: bool,
}

/// The unit whose rows come in.
#[derive(Debug)]
struct Current {
    bucket: u64,
    trace: u128,
    first_row: u32,
    first: u64,
    last: u64,
}

/// Bytes of all cells of a segment.
const MAX_BYTES: usize = 32 << 20;

impl CallRoll {
    /// Reads the blob `roll.edge`: nothing when there was too much to sum up.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(blob: &[u8]) -> Result<Option<Self>, &'static str> {
        codec::decode_heads(blob).map(|heads| heads.map(|units| Self { units })).ok_or("it does not fit together")
    }

    /// The unit that a row lies in.
    pub(crate) fn unit_of(&self, row: u32) -> Option<usize> {
        let at = self.units.partition_point(|unit| unit.rows.end <= row);
        self.units.get(at).filter(|unit| unit.rows.contains(&row)).map(|_| at)
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.units.iter().map(|unit| size_of::<UnitHead>() + unit.apart.len() * 16).sum()
    }
}

impl UnitHead {
    /// Reads the cells of this unit.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Unit, &'static str> {
        if crc32c::crc32c(bytes) != self.crc {
            return Err("the checksum of a unit does not match");
        }
        codec::decode(bytes).ok_or("a unit does not fit together")
    }
}

impl RollWriter {
    /// Adds the next rows in segment order. `None` when a column is missing.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Option<()> {
        if self.given_up {
            return Some(());
        }
        let view = View::of(batch)?;
        for row in 0..batch.num_rows() {
            let start = view.start(row);
            let bucket = start / BUCKET_NANOS.unsigned_abs();
            let trace = view.trace(row);
            // Where segments were put one behind the other, order begins anew.
            if self.current.as_ref().is_none_or(|current| current.bucket != bucket || trace < current.trace) {
                self.end_unit();
                self.current = Some(Current { bucket, trace, first_row: self.rows, first: start, last: start });
            }
            if let Some(current) = &mut self.current {
                current.trace = trace;
                current.first = current.first.min(start);
                current.last = current.last.max(start);
                self.builder.push(&view, row);
            }
            self.rows = self.rows.saturating_add(1);
        }
        if self.builder.is_full() {
            self.give_up();
        }
        Some(())
    }

    /// Takes over the roll-up of a segment whose rows come next; without one, what would be finished is too little to be used.
    pub(crate) fn inherit(&mut self, roll: Option<(CallRoll, Vec<u8>)>, rows: u32) {
        let Some((roll, cells)) = roll else { return self.give_up() };
        if self.given_up {
            return;
        }
        self.end_unit();
        let offset = self.cells.len() as u64;
        for unit in roll.units {
            let rows = unit.rows.start.saturating_add(self.rows)..unit.rows.end.saturating_add(self.rows);
            self.units.push(UnitHead { rows, offset: unit.offset + offset, ..unit });
        }
        self.cells.extend_from_slice(&cells);
        self.rows = self.rows.saturating_add(rows);
        self.bound();
    }

    /// The blobs `roll.edge` and `roll.edge.cells`.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.end_unit();
        let heads = codec::encode_heads((!self.given_up).then_some(self.units.as_slice()));
        (heads, self.cells)
    }

    fn end_unit(&mut self) {
        let Some(current) = self.current.take() else { return };
        let (unit, apart) = self.builder.finish();
        if unit.cells.len() > MAX_CELLS || unit.names.len() > MAX_NAMES || apart.len() > MAX_APART {
            return self.give_up();
        }
        let bytes = codec::encode(&unit);
        self.units.push(UnitHead {
            rows: current.first_row..self.rows,
            first: current.first,
            last: current.last,
            offset: self.cells.len() as u64,
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            crc: crc32c::crc32c(&bytes),
            apart,
        });
        self.cells.extend_from_slice(&bytes);
        self.bound();
    }

    fn bound(&mut self) {
        if self.units.len() > MAX_UNITS || self.cells.len() > MAX_BYTES {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        *self = Self { given_up: true, ..Self::default() };
    }
}
