//! The whole trace at a glance: rows of spans as thin lines of their service's colour, failures on top.

use std::collections::BTreeMap;

use super::Scene;
use crate::view::format;

/// A picture of [`COLUMNS`] by `height` units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minimap {
    /// Lanes of the picture.
    pub(crate) height: usize,
    /// Class and path data.
    pub(crate) paths: Vec<(String, String)>,
    /// Path data of failures.
    pub(crate) errors: String,
    /// Path data of matches.
    pub(crate) matches: String,
    /// Labels of the axis below.
    pub(crate) ticks: Vec<String>,
    /// In words.
    pub(crate) summary: String,
}

/// Draws the trace. Spans share lanes in the order of rows, so a large trace keeps its shape.
pub(crate) fn minimap(scene: &Scene<'_>) -> Minimap {
    let (start, whole) = extent(scene);
    let count = scene.outline.order.len();
    let lanes = count.clamp(1, LANES);
    let mut cells: BTreeMap<String, Vec<(usize, usize, usize)>> = BTreeMap::new();
    let (mut errors, mut matches) = (String::new(), String::new());
    let column = |nanos: u64| scaled(nanos, whole, COLUMNS);
    for (row, place) in scene.outline.order.iter().enumerate() {
        let Some(span) = scene.trace.spans.get(*place) else { continue };
        let lane = row * lanes / count.max(1);
        let from = column(span.start.since(start)).min(COLUMNS - 1);
        let to = column(span.end.since(start)).clamp(from + 1, COLUMNS);
        cells.entry(scene.palette.chip(span.service_name()).class).or_default().push((lane, from, to));
        if span.is_error() {
            errors.push_str(&format!("M{from} 0v{lanes}"));
        }
    }
    for place in &scene.matches {
        if let Some(span) = scene.trace.spans.get(*place) {
            matches.push_str(&format!("M{} {lanes}v-3", column(span.start.since(start)).min(COLUMNS - 1)));
        }
    }
    let paths = cells.into_iter().map(|(class, runs)| (class, path(runs))).collect();
    let ticks = (0..=4_u64).map(|quarter| format::duration(whole / 4 * quarter)).collect();
    Minimap {
        height: lanes,
        paths,
        errors,
        matches,
        ticks,
        summary: format!("{} over {}", format::counted(count as u64, "span", "spans"), format::duration(whole)),
    }
}

/// Earliest start, and nanoseconds until the latest end.
pub(super) fn extent(scene: &Scene<'_>) -> (storage::UnixNanos, u64) {
    let spans = &scene.trace.spans;
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = spans.iter().map(|span| span.end.max(span.start)).max().unwrap_or_default();
    (start, end.since(start))
}

/// One stroke per run of cells; runs that touch or overlap are joined.
fn path(mut runs: Vec<(usize, usize, usize)>) -> String {
    use std::fmt::Write as _;
    runs.sort_unstable();
    let mut out = String::new();
    let mut open: Option<(usize, usize, usize)> = None;
    let mut flush = |run: Option<(usize, usize, usize)>| {
        if let Some((lane, from, to)) = run {
            // Writing to a String cannot fail.
            let _ = write!(out, "M{from} {lane}.5h{}", to - from);
        }
    };
    for (lane, from, to) in runs {
        match open {
            Some((known, begin, end)) if known == lane && from <= end => open = Some((lane, begin, end.max(to))),
            _ => {
                flush(open.take());
                open = Some((lane, from, to));
            }
        }
    }
    flush(open);
    out
}

/// A part of a whole as one of `units` cells.
fn scaled(part: u64, whole: u64, units: usize) -> usize {
    if whole == 0 {
        return 0;
    }
    let cell = u128::from(part) * units as u128 / u128::from(whole);
    usize::try_from(cell).unwrap_or(units).min(units)
}

/// Cells from left to right.
const COLUMNS: usize = 600;

/// Cells from top to bottom, at most.
const LANES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_touch_become_one_stroke() {
        assert_eq!(path(vec![(1, 5, 9), (0, 0, 3), (0, 3, 4), (0, 6, 7)]), "M0 0.5h4M6 0.5h1M5 1.5h4");
    }

    #[test]
    fn positions_stay_inside_for_the_longest_traces() {
        assert_eq!(scaled(u64::MAX, u64::MAX, 600), 600);
        assert_eq!(scaled(1, 0, 600), 0);
    }
}
