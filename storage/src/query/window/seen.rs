//! Which spans were counted already: a span sent twice has the same trace, id, kind and start.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch};
use parking_lot::Mutex;

use super::super::columns;
use super::super::question::QueryError;
use crate::model::SpanId;
use crate::schema::column;

/// Columns that tell spans apart.
pub(crate) const DEDUPLICATION: [&str; 4] = [column::TRACE_ID, column::SPAN_ID, column::KIND, column::START_TIME];

/// Spans seen so far, by 64-bit hash. Beyond [`MAX_SPANS`] every span counts as new.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    shards: [Mutex<HashSet<u64, BuildHasherDefault<Plain>>>; SHARDS],
}

/// Reads what tells spans of a batch apart.
#[derive(Debug)]
pub(crate) struct SpanKeys<'a> {
    traces: &'a FixedSizeBinaryArray,
    spans: &'a FixedSizeBinaryArray,
    kinds: &'a Int32Array,
    starts: &'a Int64Array,
}

const SHARDS: usize = 32;
/// About 200 MiB.
const MAX_SPANS: usize = 10_000_000;

impl Seen {
    /// Whether this hash comes for the first time.
    pub(crate) fn is_first(&self, hash: u64) -> bool {
        let Some(shard) = usize::try_from(hash >> 59).ok().and_then(|shard| self.shards.get(shard)) else { return true };
        let mut shard = shard.lock();
        if shard.len() >= MAX_SPANS / SHARDS {
            return !shard.contains(&hash);
        }
        shard.insert(hash)
    }
}

impl<'a> SpanKeys<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self {
            traces: columns::id(batch, column::TRACE_ID)?,
            spans: columns::id(batch, column::SPAN_ID)?,
            kinds: columns::int(batch, column::KIND)?,
            starts: columns::long(batch, column::START_TIME)?,
        })
    }

    /// Of everything that tells a span apart.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        let kind = u64::from(self.kinds.value(row).cast_unsigned());
        mix(mix(self.span(row), kind), columns::nanos(self.starts, row))
    }

    /// Of trace and span id.
    pub(crate) fn span(&self, row: usize) -> u64 {
        mix(self.trace(row), long(self.spans.value(row)))
    }

    /// Of another span id in the same trace.
    pub(crate) fn span_in_trace(&self, row: usize, span: SpanId) -> u64 {
        mix(self.trace(row), u64::from_be_bytes(*span.as_bytes()))
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

/// Keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Plain(u64);

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
