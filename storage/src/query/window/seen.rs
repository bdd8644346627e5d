//! Which spans were counted already: a span sent twice has the same trace, id, kind and start.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use parking_lot::Mutex;

use super::super::columns;
use super::super::question::QueryError;
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Columns that tell spans apart.
pub(crate) const DEDUPLICATION: [&str; 4] = [column::TRACE_ID, column::SPAN_ID, column::KIND, column::START_TIME];

/// Spans seen so far, by 64-bit hash. Beyond [`MAX_SPANS`] every span counts as new.
///
/// Only where the times of two places overlap can a span be stored twice: elsewhere nothing is looked up or remembered.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Times that several places hold, ends included: disjoint, sorted.
    contested: Vec<(u64, u64)>,
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
    /// For the spans of a snapshot.
    pub(crate) fn of(snapshot: &Snapshot) -> Result<Self, QueryError> {
        let table = &snapshot.spans;
        // A segment holds no span twice.
        let mut held: Vec<_> =
            table.segments.iter().map(|segment| (segment.meta().min_time.get(), segment.meta().max_time.get())).collect();
        for batch in &table.buffered {
            let starts = columns::long(batch, column::START_TIME)?;
            let times = || starts.values().iter().map(|start| start.cast_unsigned());
            // A request may hold a span twice by itself.
            held.extend(times().min().zip(times().max()).into_iter().flat_map(|bounds| [bounds; 2]));
        }
        Ok(Self { contested: overlaps(held), shards: Default::default() })
    }

    /// Of spans that are read one by one; `None` when none can be stored twice, so that nothing has to be read to tell them apart.
    pub(crate) fn where_needed(snapshot: &Snapshot, signal: Signal) -> Result<Option<Self>, QueryError> {
        if signal != Signal::Traces {
            return Ok(None);
        }
        Self::of(snapshot).map(|seen| Some(seen).filter(|seen| !seen.contested.is_empty()))
    }

    /// Those of the `alive` spans that come for the first time.
    pub(crate) fn firsts(&self, batch: &RecordBatch, alive: &BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        let keys = SpanKeys::of(batch)?;
        Ok(BooleanBuffer::collect_bool(alive.len(), |row| alive.value(row) && self.is_first(keys.start(row), || keys.hash(row))))
    }

    /// Whether a span that starts then comes for the first time.
    pub(crate) fn is_first(&self, start: u64, hash: impl FnOnce() -> u64) -> bool {
        let at = self.contested.partition_point(|(_, last)| *last < start);
        if self.contested.get(at).is_none_or(|(first, _)| start < *first) {
            return true;
        }
        let hash = hash();
        let Some(shard) = usize::try_from(hash >> 59).ok().and_then(|shard| self.shards.get(shard)) else { return true };
        let mut shard = shard.lock();
        if shard.len() >= MAX_SPANS / SHARDS {
            return !shard.contains(&hash);
        }
        shard.insert(hash)
    }
}

/// Where at least two of these lie, ends included.
fn overlaps(mut held: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    held.sort_unstable();
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut reached: Option<u64> = None;
    for (first, last) in held {
        if let Some(reached) = reached.filter(|reached| first <= *reached) {
            let end = last.min(reached);
            match found.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(end),
                _ => found.push((first, end)),
            }
        }
        reached = reached.max(Some(last));
    }
    found
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

    /// When the span starts.
    pub(crate) fn start(&self, row: usize) -> u64 {
        columns::nanos(self.starts, row)
    }

    /// Of everything that tells a span apart.
    pub(crate) fn hash(&self, row: usize) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::overlaps;

    #[test]
    fn times_are_contested_where_two_places_hold_them() {
        assert_eq!(overlaps(vec![(0, 9), (10, 19), (20, 29)]), []);
        assert_eq!(overlaps(vec![(10, 19), (0, 10), (18, 30), (40, 50), (40, 50)]), [(10, 10), (18, 19), (40, 50)]);
        assert_eq!(overlaps(vec![(0, 100), (10, 20), (15, 30), (90, 200)]), [(10, 30), (90, 100)]);
        for seed in 0..200_u64 {
            let mut x = seed * 7_919 + 1;
            let mut next = || {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                x >> 59
            };
            let held: Vec<_> = (0..4).map(|_| (next(), next())).map(|(a, b)| (a.min(b), a.max(b))).collect();
            let found = overlaps(held.clone());
            for time in 0..40 {
                let holders = held.iter().filter(|(first, last)| (*first..=*last).contains(&time)).count();
                assert_eq!(found.iter().any(|(first, last)| (*first..=*last).contains(&time)), holders >= 2, "{held:?} {time}");
            }
        }
    }
}
