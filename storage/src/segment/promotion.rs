//! Which attributes get columns of their own when segments are merged.
//!
//! Asks the catalogues of the segments that are merged how many rows have a key, with which types, and how long its texts are. Keys that had
//! a column before keep it more easily than others get one, so that neighbouring segments have the same columns and can be stacked by copying.
//! See `docs/adr/028-promoted-attributes.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::attributes::{Layout, MAX_PROMOTED, Type};

use super::{Kind, Limits, Owner, Segment};

/// What is known of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Values by type, those of other types last.
    counts: [u64; 5],
    /// Of all texts.
    bytes: u64,
}

/// What a key must come up to.
#[derive(Clone, Copy, Debug)]
struct Bar {
    /// Rows of a hundred that have it.
    share: u64,
    /// Values of a hundred that are of the most frequent type.
    one_type: u64,
    /// Bytes of a text on average.
    text_bytes: u64,
    /// For its place among the others: its rows count as many times.
    weight: u64,
}

/// To get a column.
const ENTER: Bar = Bar { share: 10, one_type: 99, text_bytes: 64, weight: 2 };
/// To keep it.
const STAY: Bar = Bar { share: 5, one_type: 90, text_bytes: 128, weight: 3 };

/// The layout for the rows of `inputs`; `before` is that of what was merged before.
pub(crate) fn choose(inputs: &[&Segment], before: &Layout, limits: Limits) -> Layout {
    let rows = inputs.iter().map(|segment| segment.visible_rows()).sum();
    if rows < limits.rows_for_columns {
        return Layout::default();
    }
    let mut known = BTreeMap::new();
    for segment in inputs {
        if tally(segment, &mut known).is_none() {
            return before.renewed();
        }
    }
    pick(rows, &known, before)
}

/// The layout that the newest of these segments has which were merged and are large enough to have one.
pub(crate) fn layout_before(segments: &[Arc<Segment>]) -> Layout {
    newest(segments).map_or_else(Layout::default, |segment| segment.layout())
}

/// The layout for rows that come after these segments and are not merged: what comes is like what came last.
pub(crate) fn layout_next(segments: &[Arc<Segment>]) -> Layout {
    newest(segments).map_or_else(Layout::default, |segment| choose(&[segment], &segment.layout(), Limits::default()))
}

fn newest(segments: &[Arc<Segment>]) -> Option<&Segment> {
    let rows = Limits::default().rows_for_columns;
    let merged = segments.iter().filter(|segment| segment.meta().level > 0 && segment.meta().rows >= rows);
    merged.max_by_key(|segment| (segment.meta().max_time, segment.meta().id)).map(AsRef::as_ref)
}

/// The layout in which most of these segments' rows are.
pub(super) fn most_frequent(segments: &[&Segment]) -> Layout {
    let mut found: Vec<(Layout, u64)> = Vec::new();
    for segment in segments {
        let layout = segment.layout();
        match found.iter_mut().find(|(known, _)| known.has_columns_of(&layout)) {
            Some((_, rows)) => *rows += segment.meta().rows,
            None => found.push((layout, segment.meta().rows)),
        }
    }
    found.into_iter().max_by_key(|(_, rows)| *rows).map_or_else(Layout::default, |(layout, _)| layout.renewed())
}

/// Adds what a segment knows; `None` when it knows nothing.
fn tally(segment: &Segment, known: &mut BTreeMap<String, Tally>) -> Option<()> {
    let catalogue = segment.attributes()?.catalogue()?;
    for entry in catalogue.entries.iter().filter(|entry| entry.owner == Owner::Record) {
        let tally = known.entry(entry.key.clone()).or_default();
        for values in &entry.types {
            if let Some(count) = tally.counts.get_mut(values.kind as usize) {
                *count += values.count;
            }
            tally.bytes += values.bytes;
        }
    }
    Some(())
}

fn pick(rows: u64, known: &BTreeMap<String, Tally>, before: &Layout) -> Layout {
    let mut candidates: Vec<(u64, &String, Type)> = known
        .iter()
        .filter_map(|(key, tally)| {
            let (of, count) = tally.most();
            let bar = if before.find(key).is_some_and(|column| column.of == of) { STAY } else { ENTER };
            tally.reaches(bar, rows, of, count).then_some((count * bar.weight, key, of))
        })
        .collect();
    candidates.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    Layout::new(candidates.into_iter().take(MAX_PROMOTED).map(|(_, key, of)| (key.clone(), of)))
}

// === impl Tally ===

impl Tally {
    /// The most frequent type that can have a column.
    fn most(&self) -> (Type, u64) {
        let kinds = [(Type::Text, Kind::Text), (Type::Int, Kind::Int), (Type::Double, Kind::Double), (Type::Bool, Kind::Bool)];
        let counts = kinds.map(|(of, kind)| (of, self.counts.get(kind as usize).copied().unwrap_or(0)));
        // The first of equals.
        counts.into_iter().rev().max_by_key(|(_, count)| *count).unwrap_or((Type::Text, 0))
    }

    fn reaches(&self, bar: Bar, rows: u64, of: Type, count: u64) -> bool {
        let all: u64 = self.counts.iter().sum();
        let is_short = of != Type::Text || self.bytes <= count * bar.text_bytes;
        count > 0 && count * 100 >= rows * bar.share && count * 100 >= all * bar.one_type && is_short
    }
}

#[cfg(test)]
mod tests;
