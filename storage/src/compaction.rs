//! Which segments to merge or to stack, and merging them.
//!
//! By itself each row is written at most four times: to the log, by a flush (level 0), by a merge (level 1), and once more when the runs of a day are
//! put one behind the other (level 2), which sorts nothing and takes no text apart again. What has level 2 is written again only when rows of it
//! were deleted or are past their age. A flush of many spans is a run of level 1 from the start.
//!
//! Flushes are merged when their newest time bucket is over, or when too many pile up: sorted, without duplicates, with a text index for
//! logs. Merged segments are stacked when their day is over, or earlier when there are enough for a large one. The caller commits the result
//! and removes the inputs. Knows nothing of the manifest or of when it is run.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::UnixNanos;
use crate::schema::BUCKET_NANOS;
use crate::segment::{Segment, SegmentMeta};
use crate::snapshot::TableSnapshot;
use crate::store::Signal;

mod merge;

pub(crate) use self::merge::{Target, merge, merge_stack, rewrite};

/// Inputs of one merge; bounds its memory.
const MAX_INPUTS: usize = 16;
/// Rows of one merge or stack, unless a single input has more.
const MAX_ROWS: u64 = 4_000_000;
/// Bytes of one stack.
const MAX_STACK_BYTES: u64 = 512 << 20;
/// Segments of one stack: eight hours of ten minutes.
const MAX_STACK: usize = 48;
/// Segments that come late for a day that was stacked before and wait for each other.
const LATE: usize = 4;
/// Flushes that may pile up in buckets that are not over.
const MAX_LEVEL0: usize = 16;
/// How long after a bucket's end its rows are expected.
const GRACE_NANOS: u64 = 60_000_000_000;
const BUCKETS_PER_DAY: u64 = 144;
const LAST_LEVEL: u8 = 2;

/// What to do with some segments of a table.
#[derive(Clone, Debug)]
pub(crate) enum Job<T> {
    /// Merge them to level 1.
    Merge(Vec<T>),
    /// Put them one behind the other at level 2.
    Stack(Vec<T>),
}

/// What to do now with segments of a table, or `None` when nothing is to be done.
pub(crate) fn plan(table: &TableSnapshot, signal: Signal, now: UnixNanos) -> Option<Job<Arc<Segment>>> {
    let of_signal = table.segments.iter().filter(|segment| segment.meta().signal == signal);
    // Without all its indexes a segment cannot be stacked; they are made again first.
    let segments: Vec<&Arc<Segment>> = of_signal.filter(|segment| segment.meta().level == 0 || !segment.is_index_wanting()).collect();
    let metas: Vec<&SegmentMeta> = segments.iter().map(|segment| segment.meta()).collect();
    let find = |ids: Vec<ulid::Ulid>| segments.iter().filter(|segment| ids.contains(&segment.meta().id)).map(|s| Arc::clone(s)).collect();
    Some(match choose(&metas, now)? {
        Job::Merge(ids) => Job::Merge(find(ids)),
        Job::Stack(ids) => Job::Stack(find(ids)),
    })
}

fn choose(metas: &[&SegmentMeta], now: UnixNanos) -> Option<Job<ulid::Ulid>> {
    let of_level = |level: u8| {
        let mut found: Vec<&SegmentMeta> = metas.iter().copied().filter(|meta| meta.level == level).collect();
        found.sort_unstable_by_key(|meta| (meta.min_time, meta.id));
        found
    };
    let mut level0 = of_level(0);
    let closed: Vec<&SegmentMeta> = level0.iter().copied().filter(|meta| is_closed(meta, now)).collect();
    if !closed.is_empty() {
        return Some(Job::Merge(ids(&bounded(&closed))));
    }
    if level0.len() > MAX_LEVEL0 {
        level0.sort_unstable_by_key(|meta| meta.id);
        return Some(Job::Merge(ids(&bounded(&level0))));
    }
    let stacked: BTreeSet<u64> = of_level(LAST_LEVEL).iter().map(|meta| day(meta)).collect();
    let runs = of_level(1);
    let days: BTreeSet<u64> = runs.iter().map(|meta| day(meta)).collect();
    days.into_iter().find_map(|wanted| {
        let of_day: Vec<&SegmentMeta> = runs.iter().copied().filter(|meta| day(meta) == wanted).collect();
        let is_over = UnixNanos::new((wanted + 1).saturating_mul(BUCKETS_PER_DAY * BUCKET_NANOS.unsigned_abs())).plus(GRACE_NANOS) < now;
        let least = if stacked.contains(&wanted) { LATE } else { 2 };
        stack_of(&of_day, is_over.then_some(least)).map(|run| Job::Stack(ids(&run)))
    })
}

/// Neighbours that make a full stack, or the last ones of a day that is over when they are at least `least`.
fn stack_of<'a>(runs: &[&'a SegmentMeta], least: Option<usize>) -> Option<Vec<&'a SegmentMeta>> {
    let mut run: Vec<&SegmentMeta> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for meta in runs {
        if run.len() == MAX_STACK || rows + meta.rows > MAX_ROWS || bytes + meta.parquet_bytes > MAX_STACK_BYTES {
            if run.len() > 1 {
                return Some(run);
            }
            // The one before is large enough by itself.
            run.clear();
            (rows, bytes) = (0, 0);
        }
        run.push(meta);
        rows += meta.rows;
        bytes += meta.parquet_bytes;
    }
    (run.len() == MAX_STACK || least.is_some_and(|least| run.len() >= least)).then_some(run)
}

/// The first segments that together stay within the bounds of a merge, at least one.
fn bounded<'a>(metas: &[&'a SegmentMeta]) -> Vec<&'a SegmentMeta> {
    let mut rows = 0;
    let fits = |meta: &&&SegmentMeta| {
        let first = rows == 0;
        rows += meta.rows.max(1);
        first || rows <= MAX_ROWS
    };
    metas.iter().take(MAX_INPUTS).take_while(fits).copied().collect()
}

fn is_closed(meta: &SegmentMeta, now: UnixNanos) -> bool {
    let end = UnixNanos::new((bucket(meta.max_time) + 1).saturating_mul(BUCKET_NANOS.unsigned_abs()));
    end.plus(GRACE_NANOS) < now
}

/// The UTC day of the newest row.
fn day(meta: &SegmentMeta) -> u64 {
    bucket(meta.max_time) / BUCKETS_PER_DAY
}

fn bucket(time: UnixNanos) -> u64 {
    time.get() / BUCKET_NANOS.unsigned_abs()
}

fn ids(metas: &[&SegmentMeta]) -> Vec<ulid::Ulid> {
    metas.iter().map(|meta| meta.id).collect()
}

#[cfg(test)]
mod tests;
