//! What spans are told apart by: trace, id, kind and start. A span that was sent twice has the same.

use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch};

use super::super::columns;
use super::super::question::QueryError;
use crate::model::TraceId;
use crate::schema::column;

/// Columns that tell spans apart.
pub(super) const KEY_COLUMNS: [&str; 4] = [column::TRACE_ID, column::SPAN_ID, column::KIND, column::START_TIME];

/// Reads what tells spans of a batch apart.
#[derive(Debug)]
pub(super) struct SpanKeys<'a> {
    traces: &'a FixedSizeBinaryArray,
    spans: &'a FixedSizeBinaryArray,
    kinds: &'a Int32Array,
    starts: &'a Int64Array,
}

impl<'a> SpanKeys<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self {
            traces: columns::id(batch, column::TRACE_ID)?,
            spans: columns::id(batch, column::SPAN_ID)?,
            kinds: columns::int(batch, column::KIND)?,
            starts: columns::long(batch, column::START_TIME)?,
        })
    }

    pub(super) fn trace_id(&self, row: usize) -> Option<TraceId> {
        columns::trace_id(self.traces, row)
    }

    /// Of everything that tells a span apart.
    pub(super) fn hash(&self, row: usize) -> u64 {
        let kind = u64::from(self.kinds.value(row).cast_unsigned());
        mix(mix(self.span(row), kind), columns::nanos(self.starts, row))
    }

    /// Of trace and span id.
    fn span(&self, row: usize) -> u64 {
        mix(self.trace(row), long(self.spans.value(row)))
    }

    fn trace(&self, row: usize) -> u64 {
        let bytes = self.traces.value(row);
        mix(long(bytes), bytes.get(8..).map_or(0, long))
    }
}

fn long(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Two numbers into one, all bits depending on all bits.
fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.rotate_left(32).wrapping_add(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Hashes of keys.
pub(super) type Hashes = std::collections::HashSet<u64, BuildHasherDefault<Plain>>;

/// Keys are hashes already.
#[derive(Debug, Default)]
pub(super) struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = long(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
