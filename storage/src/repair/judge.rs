//! Which segments count, and up to which frame of the log they hold everything.
//!
//! While the list of segments is whole it decides. Without it, what segments say of their origin does:
//!
//! | on disk | counts |
//! |---|---|
//! | of a merge, an input is missing, or something is there that was made of the outputs | the outputs: inputs are removed only after the list named the outputs |
//! | of a merge, all inputs, whole | the inputs: nothing says that the list ever named the outputs |
//! | of a merge, all inputs, not all whole, and all outputs, whole | the outputs |
//! | a flush whose frames the log still holds, all of them whole | the log, from which the same rows come again |
//! | spans of a flush without log records | they, and what the log still holds of its frames too: spans that come twice are one |
//! | any other flush | the flush: frames are removed only after the list named it |
//!
//! A merge that the list did not name may be left over beside another merge of the same segments: then the later one counts, because a
//! segment that was replaced is not merged again. A merge reads only what was listed, and edits of the list come in order: whatever a
//! merge took up, or whatever lost its first frames, proves that every flush up to it was listed. So does a delete, which flushes first.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ulid::Ulid;

use crate::store::Signal;

use super::examine::Found;
use super::known::Known;
use super::log::Held;

/// What is to become of the segments.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Those whose rows count, as far as they can be read.
    pub(super) counting: Vec<Found>,
    /// Flushes whose rows are read from the log instead.
    pub(super) replayed: Vec<Found>,
    /// Those whose rows are elsewhere, and where.
    pub(super) not_counting: Vec<(Found, String)>,
    /// Every frame up to this one is in segments.
    pub(super) wal_through: u64,
    /// What is not certain.
    pub(super) notes: Vec<String>,
}

pub(super) fn judge(found: Vec<Found>, known: &Known, held: &Held) -> Judged {
    if known.problem.is_none() {
        let (listed, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|segment| segment.listed);
        drop(rest); // Left-over files: the next start removes them.
        return by_list(listed, known, held);
    }
    let mut judged = Judged::default();
    let superseded = superseded(&found, &known.salvaged.removed);
    let mut counting = Vec::new();
    for segment in found {
        if !segment.has_rows && !segment.listed {
            judged.not_counting.push((segment, "it is an index without rows, of a flush or merge that was not finished".to_owned()));
            continue;
        }
        match superseded.get(&segment.id) {
            Some(why) => judged.not_counting.push((segment, (*why).to_owned())),
            None => counting.push(segment),
        }
    }
    judged.wal_through = proven(&counting, held, known.salvaged.wal_through.max(known.deleted_through()));
    let unknown = counting.iter().filter(|segment| segment.origin.frames.is_none() && segment.part.is_none()).count();
    if unknown > 0 && held.first.is_some() {
        judged.notes.push(format!("{unknown} segments do not say which frames of the log they hold; some log records may be there twice"));
    }
    split(&mut judged, counting);
    judged
}

/// The list decides. Where a young segment is damaged, the log may still hold its rows.
fn by_list(listed: Vec<Found>, known: &Known, held: &Held) -> Judged {
    let mut judged = Judged { wal_through: known.contents.wal_through, ..Judged::default() };
    let missing = listed.len() < known.contents.segments.len();
    let damaged = missing || listed.iter().any(|segment| segment.parquet.is_err());
    let all_known = listed.iter().all(|segment| segment.origin.frames.is_some() || segment.parquet.is_err());
    if damaged && all_known && held.first.is_some() {
        judged.wal_through = proven(&listed, held, known.deleted_through()).min(known.contents.wal_through);
        split(&mut judged, listed);
    } else {
        judged.counting = listed;
    }
    judged
}

/// Flushes beyond what is proven are read from the log.
fn split(judged: &mut Judged, segments: Vec<Found>) {
    let beyond = |segment: &Found| is_flush(segment) && segment.origin.frames.is_some_and(|(first, _)| first > judged.wal_through);
    let (replayed, counting) = segments.into_iter().partition(beyond);
    (judged.replayed, judged.counting) = (replayed, counting);
}

/// Whether rows came to it from the log and not from segments. A flush of many spans has level 1 from the start.
pub(super) fn is_flush(segment: &Found) -> bool {
    let is_run = || segment.signal == Signal::Traces && segment.origin.inputs.is_empty() && segment.origin.before.is_empty();
    segment.meta.level == 0 || (segment.meta.level == 1 && is_run())
}

/// The frame up to which segments are proven to hold everything, or must be taken to.
fn proven(segments: &[Found], held: &Held, at_least: u64) -> u64 {
    let frames = || segments.iter().filter_map(|segment| Some((segment, segment.origin.frames?)));
    // Without a log there is nothing to read again: what segments hold is all there is.
    let mut through = held.first.map_or(u64::MAX, |first| first.saturating_sub(1)).max(at_least);
    if held.first.is_none() {
        return frames().map(|(_, (_, last))| last).max().unwrap_or(0).max(at_least);
    }
    // Where frames are gone because a file of the log was lost, a flush may have been stopped between its spans and its log records.
    let of_logs = frames().filter(|(segment, _)| segment.signal == Signal::Logs);
    let with_logs: BTreeSet<(u64, u64)> = of_logs.map(|(_, frames)| frames).collect();
    let is_half = |segment: &Found, frames| segment.signal == Signal::Traces && !with_logs.contains(&frames);
    loop {
        let counts = |segment: &Found, (first, last): (u64, u64)| {
            let is_proof = first <= through || (segment.readable && !held.all(first, last));
            !is_flush(segment) || (is_proof && !is_half(segment, (first, last)))
        };
        let further = frames().filter(|(segment, frames)| counts(segment, *frames)).map(|(_, (_, last))| last).max().unwrap_or(0);
        if further <= through {
            return through;
        }
        through = further;
    }
}

/// Segments that were written together out of others.
struct Group<'a> {
    id: Ulid,
    outputs: Vec<&'a Found>,
    inputs: BTreeSet<Ulid>,
}

/// Segments whose rows are in others, and why.
fn superseded(found: &[Found], removed: &HashSet<Ulid>) -> BTreeMap<Ulid, &'static str> {
    let mut out: BTreeMap<Ulid, &'static str> = removed.iter().map(|id| (*id, "the list of segments says that it was replaced")).collect();
    let there: BTreeMap<Ulid, &Found> =
        found.iter().filter(|segment| !removed.contains(&segment.id)).map(|segment| (segment.id, segment)).collect();
    let groups = groups(&there);
    let listed = listed(&groups, &there);
    for group in groups.iter().filter(|group| listed.contains(&group.id)) {
        for id in group.outputs.iter().flat_map(|segment| segment.origin.inputs.iter().chain(&segment.origin.before)) {
            out.insert(*id, MERGED);
        }
    }
    for group in groups.iter().filter(|group| !listed.contains(&group.id)) {
        let is_elsewhere = group.inputs.iter().any(|id| out.contains_key(id));
        let inputs_whole = group.inputs.iter().all(|id| there.get(id).is_some_and(|segment| segment.parquet.is_ok()));
        if is_elsewhere || inputs_whole || !is_complete(&group.outputs) {
            out.extend(
                group.outputs.iter().map(|segment| (segment.id, "it is of a merge that was not finished; what it was made of is there")),
            );
        } else {
            out.extend(group.inputs.iter().map(|id| (*id, MERGED)));
        }
    }
    for flush in flushes_again(&there) {
        out.insert(flush, "it is of a flush that was not finished; a later one has the same rows");
    }
    out
}

fn groups<'a>(there: &BTreeMap<Ulid, &'a Found>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Ulid, Vec<&Found>> = BTreeMap::new();
    for segment in there.values().filter(|segment| !segment.origin.inputs.is_empty()) {
        if let Some(part) = segment.part {
            groups.entry(part.group).or_default().push(segment);
        }
    }
    let with_inputs = groups.into_iter().map(|(id, outputs)| {
        let inputs = outputs.iter().flat_map(|segment| segment.origin.inputs.iter().copied()).collect();
        Group { id, outputs, inputs }
    });
    with_inputs.collect()
}

/// Groups that the list must have named.
fn listed(groups: &[Group<'_>], there: &BTreeMap<Ulid, &Found>) -> BTreeSet<Ulid> {
    let mut listed = BTreeSet::new();
    for group in groups {
        let is_later = |other: &&Group<'_>| other.id > group.id && !other.inputs.is_disjoint(&group.inputs);
        let lacks_inputs = group.inputs.iter().any(|id| !there.contains_key(id));
        let was_named = group.outputs.iter().any(|segment| segment.listed);
        if was_named || (lacks_inputs && !groups.iter().any(|other| is_later(&other))) {
            listed.insert(group.id);
        }
    }
    // Whatever they were made of was listed before them.
    loop {
        let of_listed = groups.iter().filter(|group| listed.contains(&group.id)).flat_map(|group| &group.outputs);
        let before: BTreeSet<Ulid> = of_listed.flat_map(|segment| segment.origin.before.iter().copied()).collect();
        let more: Vec<Ulid> = groups.iter().map(|group| group.id).filter(|id| before.contains(id) && !listed.contains(id)).collect();
        if more.is_empty() {
            return listed;
        }
        listed.extend(more);
    }
}

/// Flushes that a later one did again: the first was not listed, or its frames would not have been read back.
fn flushes_again(there: &BTreeMap<Ulid, &Found>) -> Vec<Ulid> {
    let flushes: Vec<(&Found, (u64, u64), Ulid)> = there
        .values()
        .filter(|segment| segment.origin.inputs.is_empty())
        .filter_map(|segment| Some((*segment, segment.origin.frames?, segment.part?.group)))
        .collect();
    let again = |(segment, (first, last), group): &(&Found, (u64, u64), Ulid)| {
        flushes.iter().any(|(other, (from, to), of)| {
            other.signal == segment.signal && of > group && from <= last && first <= to && other.parquet.is_ok()
        })
    };
    flushes.iter().filter(|flush| again(flush)).map(|(segment, _, _)| segment.id).collect()
}

/// Whether all segments that were written together are there and whole.
fn is_complete(outputs: &[&Found]) -> bool {
    let numbers: BTreeSet<usize> =
        outputs.iter().filter(|segment| segment.parquet.is_ok()).filter_map(|segment| Some(segment.part?.number)).collect();
    let last = outputs.iter().filter_map(|segment| segment.part.filter(|part| part.last)).map(|part| part.number).next();
    last.is_some_and(|last| numbers.len() == last)
}

const MERGED: &str = "it was merged into segments that are there";

#[cfg(test)]
mod tests;
