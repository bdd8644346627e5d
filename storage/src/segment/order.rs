//! The sort order of segments, and which spans are duplicates.
//!
//! Spans: (bucket of start, trace, start, span, kind). Logs: (bucket of time, service, time, record id). Times compare as the unsigned
//! numbers they were sent as. Spans that agree in trace, span, kind and start are one span received more than once; the later one stays.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::schema::{BUCKET_NANOS, column};
use crate::store::Signal;

/// The columns of one batch that decide its rows' places.
#[derive(Clone, Debug)]
pub(crate) enum SortColumns {
    Spans { trace: FixedSizeBinaryArray, start: Int64Array, span: FixedSizeBinaryArray, kind: Int32Array },
    Logs { service: StringViewArray, time: Int64Array, record: Int64Array },
}

/// A row of one of several batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowAt {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// Bits of the start of a span in its bucket, which is shorter than 2^40 nanoseconds.
const START_BITS: u32 = 24;

/// Number of the time bucket that a stored time lies in.
pub(crate) fn bucket(time: i64) -> u64 {
    time.cast_unsigned() / BUCKET_NANOS.unsigned_abs()
}

/// Rows of `batches`, given in order of arrival, in segment order without duplicates.
pub(crate) fn sorted(batches: &[SortColumns]) -> Vec<RowAt> {
    let mut locations = Vec::with_capacity(batches.iter().map(SortColumns::len).sum());
    for (batch, columns) in (0u32..).zip(batches) {
        locations.extend((0u32..).take(columns.len()).map(|row| RowAt { batch, row }));
    }
    // One number per row: rank of the bucket (32 bits), start of the next sort keys (64 bits), arrival (32 bits), so that most comparisons
    // are of plain numbers. Rows that agree in what certainly comes first are compared in full; they mostly are in order by then.
    let mut keys = prefix_keys(batches);
    let tied = if matches!(batches.first(), Some(SortColumns::Spans { .. })) { 32 + START_BITS } else { 32 };
    keys.sort_unstable();
    let mut order: Vec<RowAt> = keys.iter().filter_map(|key| locations.get((key & 0xffff_ffff) as usize).copied()).collect();
    let column = |at: RowAt| batches.get(at.batch as usize);
    let compare = |a: &RowAt, b: &RowAt| match (column(*a), column(*b)) {
        (Some(left), Some(right)) => left.compare(a.row as usize, right, b.row as usize),
        _ => Ordering::Equal,
    };
    let mut start = 0;
    for ties in keys.chunk_by(|a, b| a >> tied == b >> tied) {
        let end = start + ties.len();
        if ties.len() > 1
            && let Some(rows) = order.get_mut(start..end)
        {
            // Stable: what arrived later stays behind.
            rows.sort_by(compare);
        }
        start = end;
    }
    drop(keys);
    drop(locations);
    // `dedup_by` keeps the first of equals, so look from the end.
    order.reverse();
    order.dedup_by(|earlier, later| match (column(*earlier), column(*later)) {
        (Some(a), Some(b)) => a.is_duplicate(earlier.row as usize, b, later.row as usize),
        _ => false,
    });
    order.reverse();
    order
}

fn prefix_keys(batches: &[SortColumns]) -> Vec<u128> {
    let buckets = ranks(batches.iter().flat_map(|columns| columns.times().values().iter().map(|time| bucket(*time))));
    let services = service_ranks(batches);
    let mut keys = Vec::with_capacity(batches.iter().map(SortColumns::len).sum());
    let mut last_bucket = (0, buckets.get(&0).copied().unwrap_or(0));
    for columns in batches {
        for (row, time) in columns.times().values().iter().enumerate() {
            let number = bucket(*time);
            if number != last_bucket.0 {
                last_bucket = (number, buckets.get(&number).copied().unwrap_or(0));
            }
            let next = match columns {
                // The spans of a trace are many, and other traces hardly begin like it.
                SortColumns::Spans { trace, .. } => {
                    let start = time.cast_unsigned() % BUCKET_NANOS.unsigned_abs();
                    (first_eight(trace.value(row)) >> START_BITS << START_BITS) | (start >> (40 - START_BITS))
                }
                // A bucket is shorter than 2^40 nanoseconds, which leaves 24 bits for the service.
                SortColumns::Logs { service, .. } => {
                    (services.get(service.value(row)).copied().unwrap_or(0) << 40) | (time.cast_unsigned() % BUCKET_NANOS.unsigned_abs())
                }
            };
            keys.push((u128::from(last_bucket.1) << 96) | (u128::from(next) << 32) | (keys.len() as u128));
        }
    }
    keys
}

fn ranks(values: impl Iterator<Item = u64>) -> BTreeMap<u64, u32> {
    let mut distinct = BTreeSet::new();
    let mut last = None;
    for value in values {
        if last != Some(value) {
            distinct.insert(value);
            last = Some(value);
        }
    }
    distinct.into_iter().zip(0..).collect()
}

fn service_ranks(batches: &[SortColumns]) -> BTreeMap<&str, u64> {
    let mut distinct = BTreeSet::new();
    for columns in batches {
        if let SortColumns::Logs { service, .. } = columns {
            let mut last = None;
            for name in service.iter().flatten() {
                if last != Some(name) {
                    distinct.insert(name);
                    last = Some(name);
                }
            }
        }
    }
    // More than 2^24 services share the last rank; ties are compared in full.
    distinct.into_iter().zip((0..).map(|rank: u64| rank.min((1 << 24) - 1))).collect()
}

fn first_eight(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

// === impl SortColumns ===

impl SortColumns {
    /// The sort columns of a batch with the columns of `schema::of(signal)`; `None` when one is missing or of another type.
    pub(crate) fn of(signal: Signal, batch: &RecordBatch) -> Option<Self> {
        let int = |name| Some(batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?.clone());
        let id = |name, width| {
            let ids = fixed(batch.column_by_name(name)?)?;
            (ids.value_length() == width).then(|| ids.clone())
        };
        Some(match signal {
            Signal::Traces => Self::Spans {
                trace: id(column::TRACE_ID, 16)?,
                start: int(column::START_TIME)?,
                span: id(column::SPAN_ID, 8)?,
                kind: batch.column_by_name(column::KIND)?.as_primitive_opt::<Int32Type>()?.clone(),
            },
            Signal::Logs => Self::Logs {
                service: batch.column_by_name(column::SERVICE_NAME)?.as_string_view_opt()?.clone(),
                time: int(column::TIME)?,
                record: int(column::RECORD_ID)?,
            },
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.times().len()
    }

    /// The column that orders rows in time.
    pub(crate) fn times(&self) -> &Int64Array {
        match self {
            Self::Spans { start, .. } => start,
            Self::Logs { time, .. } => time,
        }
    }

    /// A number that never falls along the sort order; rows that tie need [`Self::compare`].
    pub(crate) fn prefix(&self, row: usize) -> u128 {
        let time = self.times().values().get(row).copied().unwrap_or_default();
        let next = match self {
            Self::Spans { trace, .. } => first_eight(trace.value(row)),
            Self::Logs { service, .. } => {
                let mut start = [0; 8];
                for (byte, from) in start.iter_mut().zip(service.value(row).bytes()) {
                    *byte = from;
                }
                u64::from_be_bytes(start)
            }
        };
        (u128::from(bucket(time)) << 64) | u128::from(next)
    }

    /// The sort order in full, without the order of arrival.
    pub(crate) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let time = |columns: &Self, row: usize| columns.times().value(row).cast_unsigned();
        let buckets = || bucket(self.times().value(row)).cmp(&bucket(other.times().value(other_row)));
        let times = || time(self, row).cmp(&time(other, other_row));
        match (self, other) {
            (Self::Spans { trace, span, kind, .. }, Self::Spans { trace: other_trace, span: other_span, kind: other_kind, .. }) => {
                buckets()
                    .then_with(|| trace.value(row).cmp(other_trace.value(other_row)))
                    .then_with(times)
                    .then_with(|| span.value(row).cmp(other_span.value(other_row)))
                    .then_with(|| kind.value(row).cmp(&other_kind.value(other_row)))
            }
            (Self::Logs { service, record, .. }, Self::Logs { service: other_service, record: other_record, .. }) => buckets()
                .then_with(|| service.value(row).cmp(other_service.value(other_row)))
                .then_with(times)
                .then_with(|| record.value(row).cast_unsigned().cmp(&other_record.value(other_row).cast_unsigned())),
            _ => Ordering::Equal,
        }
    }

    /// Whether two rows are the same span. Equal rows are neighbours in sort order. Log records are never the same.
    pub(crate) fn is_duplicate(&self, row: usize, other: &Self, other_row: usize) -> bool {
        matches!(self, Self::Spans { .. }) && self.compare(row, other, other_row) == Ordering::Equal
    }
}

fn fixed(array: &ArrayRef) -> Option<&FixedSizeBinaryArray> {
    array.as_fixed_size_binary_opt()
}
