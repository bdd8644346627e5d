//! Asking the indexes of segments when it is their turn, for questions that often end before all segments had theirs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::selected::select;
use super::{Control, Place, Scan, Unit, intersect};
use crate::model::TimeRange;
use crate::query::predicate::Hints;
use crate::query::question::QueryError;
use crate::segment::{RowRanges, Segment};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// What the indexes leave of each segment of a table, once they were asked.
#[derive(Debug)]
pub(super) struct Selections {
    hints: Hints,
    of: Vec<OnceLock<Option<RowRanges>>>,
}

// === impl Selections ===

impl Selections {
    pub(super) fn new(hints: Hints, segments: usize) -> Self {
        Self { hints, of: (0..segments).map(|_| OnceLock::new()).collect() }
    }

    /// Whether indexes of words have something to say.
    pub(super) fn asks_words(&self) -> bool {
        self.hints.asks_words()
    }

    /// What is left of the segment with this number, whose indexes are asked for it when the segment is given; `None` for all.
    pub(super) fn of(&self, number: usize, segment: Option<&Arc<Segment>>) -> Option<&RowRanges> {
        let of = self.of.get(number)?;
        match segment {
            Some(segment) => of.get_or_init(|| select(segment, &self.hints)).as_ref(),
            None => of.get()?.as_ref(),
        }
    }

    /// Forgets what is left of segments other than these.
    pub(super) fn keep(&mut self, places: &BTreeSet<Place>) {
        for (number, of) in self.of.iter_mut().enumerate() {
            if !places.contains(&Place::Segment(number)) {
                *of = OnceLock::new();
            }
        }
    }
}

impl<'a> Scan<'a> {
    /// As [`Scan::new`], but the indexes of a segment are asked when the first of its units is read: a question that few
    /// rows answer then asks few of them. For one run.
    pub(in super::super) fn asking_late(
        snapshot: &'a Snapshot,
        signal: Signal,
        range: TimeRange,
        hints: &Hints,
        control: &'a Control,
    ) -> Result<Self, QueryError> {
        let mut scan = Self::of_memory(snapshot, signal, range, control)?;
        for (i, segment) in scan.table.segments.iter().enumerate() {
            if scan.can_matter(segment, hints) {
                scan.add_segment(i, segment, None);
            }
        }
        scan.newest_first();
        scan.late = Some(Selections::new(hints.clone(), scan.table.segments.len()));
        Ok(scan)
    }

    /// Which rows of a unit are left; of a segment whose indexes are asked late only as far as they were, unless they are to be asked now.
    pub(super) fn left<'u>(&self, unit: &'u Unit, now: bool) -> Cow<'u, RowRanges> {
        let (Some(late), Place::Segment(i)) = (&self.late, unit.place) else { return Cow::Borrowed(&unit.rows) };
        let selection = late.of(i, self.table.segments.get(i).filter(|_| now));
        selection.map_or(Cow::Borrowed(&unit.rows), |selection| Cow::Owned(intersect(selection, &unit.rows)))
    }

    /// Notes what indexes that were asked late have left.
    pub(super) fn note_late(&mut self) {
        if self.late.is_none() {
            return;
        }
        let mut left: BTreeMap<usize, RowRanges> = BTreeMap::new();
        for unit in &self.units {
            if let Place::Segment(i) = unit.place {
                left.entry(i).or_default().extend(self.left(unit, false).iter().cloned());
            }
        }
        for (i, segment) in self.table.segments.iter().enumerate() {
            let mut rows = left.remove(&i).unwrap_or_default();
            rows.sort_unstable_by_key(|range| range.start);
            self.stats.prune(segment.meta(), rows.iter());
        }
        self.late = None;
    }
}
