//! Which segments deletes are about, after segments were replaced.

use std::collections::BTreeMap;

use ulid::Ulid;

use crate::deletion::Deletion;
use crate::segment::SegmentMeta;

use super::examine::Found;
use super::known::Known;

/// The deletes of the new list. What was made of a segment with deleted rows before they were deleted has them too: a merge that was
/// outdated by the delete, and left behind. It holds nothing that came after the delete, so its rows are the delete's to judge.
pub(super) fn carried(known: &Known, counting: &[Found]) -> BTreeMap<Ulid, Deletion> {
    let mut deletions = known.deletions.clone();
    if known.problem.is_none() {
        return deletions;
    }
    for deletion in deletions.values_mut().filter(|deletion| deletion.done.is_none()) {
        let made_of = |segment: &&Found| {
            let (origin, about) = (&segment.origin, &deletion.segments);
            let before = origin.frames.is_some_and(|(_, last)| last <= deletion.wal_through);
            before && origin.inputs.iter().chain(&origin.before).any(|id| about.contains(id))
        };
        let more: Vec<Ulid> = counting.iter().filter(made_of).map(|segment| segment.id).collect();
        deletion.segments.extend(more);
    }
    deletions
}

/// What is saved of a segment is deleted as the segment was.
pub(super) fn follow(deletions: &mut BTreeMap<Ulid, Deletion>, segment: Ulid, saved: &[SegmentMeta]) {
    for deletion in deletions.values_mut().filter(|deletion| deletion.done.is_none() && deletion.segments.contains(&segment)) {
        deletion.segments.extend(saved.iter().map(|meta| meta.id));
    }
}
