//! Which segments to merge, and merging them.
//!
//! A merge takes up to 16 segments and leaves fewer, larger ones of level 1: sorted, without duplicates, with a text index for logs. The
//! caller commits the result and removes the inputs. Knows nothing of the manifest or of when it is run.
//!
//! Flushes are merged when their newest time bucket is over, or when too many pile up. Level 1 segments of like size are merged when
//! eight follow each other in a day or four cover one bucket, so that each row is rewritten a bounded number of times.

use std::sync::Arc;

use crate::model::UnixNanos;
use crate::schema::BUCKET_NANOS;
use crate::segment::{Segment, SegmentMeta};
use crate::snapshot::TableSnapshot;
use crate::store::Signal;

mod merge;

pub(crate) use self::merge::merge;

/// Inputs of one merge; bounds its memory.
const MAX_INPUTS: usize = 16;
/// Rows of one merge, unless a single input has more.
const MAX_ROWS: u64 = 4_000_000;
/// Flushes that may pile up in buckets that are not over.
const MAX_LEVEL0: usize = 16;
const LEVEL1_RUN: usize = 8;
const LEVEL1_OVERLAP: usize = 4;
/// How long after a bucket's end its rows are expected.
const GRACE_NANOS: u64 = 60_000_000_000;
const BUCKETS_PER_DAY: u64 = 144;

/// Segments of a table to merge now, or `None` when nothing is to be done.
pub(crate) fn plan(table: &TableSnapshot, signal: Signal, now: UnixNanos) -> Option<Vec<Arc<Segment>>> {
    let segments: Vec<&Arc<Segment>> = table.segments.iter().filter(|segment| segment.meta().signal == signal).collect();
    let metas: Vec<&SegmentMeta> = segments.iter().map(|segment| segment.meta()).collect();
    let chosen = choose(&metas, now)?;
    Some(segments.into_iter().filter(|segment| chosen.contains(&segment.meta().id)).cloned().collect())
}

fn choose(metas: &[&SegmentMeta], now: UnixNanos) -> Option<Vec<ulid::Ulid>> {
    let mut level0: Vec<&SegmentMeta> = metas.iter().copied().filter(|meta| meta.level == 0).collect();
    let mut level1: Vec<&SegmentMeta> = metas.iter().copied().filter(|meta| meta.level > 0).collect();
    level1.sort_unstable_by_key(|meta| (meta.min_time, meta.id));
    level0.sort_unstable_by_key(|meta| (meta.min_time, meta.id));
    let closed: Vec<&SegmentMeta> = level0.iter().copied().filter(|meta| is_closed(meta, now)).collect();
    if !closed.is_empty() {
        return Some(ids(&with_overlapping(bounded(&closed), &level1)));
    }
    if level0.len() > MAX_LEVEL0 {
        level0.sort_unstable_by_key(|meta| meta.id);
        return Some(ids(&bounded(&level0)));
    }
    like_sized_run(&level1).map(|run| ids(&run))
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

/// Adds segments of level 1 that share a bucket with the group and are no larger than it: rows are rewritten only together with as many
/// new ones.
fn with_overlapping<'a>(mut group: Vec<&'a SegmentMeta>, level1: &[&'a SegmentMeta]) -> Vec<&'a SegmentMeta> {
    let first = group.iter().map(|meta| bucket(meta.min_time)).min().unwrap_or_default();
    let last = group.iter().map(|meta| bucket(meta.max_time)).max().unwrap_or_default();
    let new_rows: u64 = group.iter().map(|meta| meta.rows).sum();
    let mut rows = new_rows;
    for meta in level1 {
        let overlaps = bucket(meta.min_time) <= last && bucket(meta.max_time) >= first;
        if overlaps && meta.rows <= new_rows && group.len() < MAX_INPUTS && rows + meta.rows <= MAX_ROWS {
            rows += meta.rows;
            group.push(meta);
        }
    }
    group
}

/// Neighbours of like size: eight of one day, or four that share a bucket.
fn like_sized_run<'a>(level1: &[&'a SegmentMeta]) -> Option<Vec<&'a SegmentMeta>> {
    let tier = |meta: &SegmentMeta| meta.rows.max(1).ilog2() / 3;
    let mut tiers: Vec<u32> = level1.iter().map(|meta| tier(meta)).collect();
    tiers.sort_unstable();
    tiers.dedup();
    for wanted in tiers {
        let same: Vec<&SegmentMeta> = level1.iter().copied().filter(|meta| tier(meta) == wanted).collect();
        let fits = |run: &&[&SegmentMeta]| run.iter().map(|meta| meta.rows).sum::<u64>() <= MAX_ROWS;
        let day = |time: UnixNanos| bucket(time) / BUCKETS_PER_DAY;
        let one_day = |run: &&[&SegmentMeta]| {
            let first = run.first().map(|meta| day(meta.min_time));
            run.iter().all(|meta| Some(day(meta.max_time)) == first)
        };
        let one_bucket = |run: &&[&SegmentMeta]| {
            let latest_start = run.iter().map(|meta| bucket(meta.min_time)).max();
            run.iter().map(|meta| bucket(meta.max_time)).min() >= latest_start
        };
        let run = same.windows(LEVEL1_OVERLAP).filter(fits).find(one_bucket);
        if let Some(run) = run.or_else(|| same.windows(LEVEL1_RUN).filter(fits).find(one_day)) {
            return Some(run.to_vec());
        }
    }
    None
}

fn is_closed(meta: &SegmentMeta, now: UnixNanos) -> bool {
    let end = UnixNanos::new((bucket(meta.max_time) + 1).saturating_mul(BUCKET_NANOS.unsigned_abs()));
    end.plus(GRACE_NANOS) < now
}

fn bucket(time: UnixNanos) -> u64 {
    time.get() / BUCKET_NANOS.unsigned_abs()
}

fn ids(metas: &[&SegmentMeta]) -> Vec<ulid::Ulid> {
    metas.iter().map(|meta| meta.id).collect()
}

#[cfg(test)]
mod tests;
