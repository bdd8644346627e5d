//! Many similar siblings as one row: how many, how long, how many failed, and when each ran.

use std::collections::HashSet;
use std::fmt::Write as _;

use storage::trace::{Brief, unnumbered};

use super::{Context, Line, Row, exceptions};
use crate::view::format;

/// Totals of similar spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// `×212`.
    pub(crate) times: String,
    /// `p50 9.00 ms · max 41.0 ms`; before it how many names they have when it is not one.
    pub(crate) facts: String,
    /// How many failed below them; empty for none.
    pub(crate) failed_below: String,
    /// How many failed; empty for none.
    pub(crate) errors: String,
    /// How many match the search; empty for none.
    pub(crate) matches: String,
    /// Path data of a strip of [`STRIP`] units: when they ran.
    pub(crate) strip: String,
    /// The slowest of them, and the first that failed; the latter empty for none.
    pub(crate) slowest: String,
    pub(crate) failed: String,
}

impl Context<'_> {
    pub(super) fn fill_group(&self, row: &mut Row, line: &Line) {
        let (scene, sheet) = (self.scene, &self.scene.sheet);
        let spans = || line.group.iter().filter_map(|place| Some((*place, sheet.spans.get(*place)?)));
        let mut durations: Vec<u64> = spans().map(|(_, span)| span.duration()).collect();
        durations.sort_unstable();
        let total = durations.iter().fold(0_u64, |sum, duration| sum.saturating_add(*duration));
        let (median, longest) = (durations.get(durations.len() / 2).copied().unwrap_or(0), durations.last().copied().unwrap_or(0));
        let errors = spans().filter(|(_, span)| span.is_error()).count();
        let failed_below: usize = line.group.iter().map(|place| sheet.errors_below(*place)).sum();
        let matches = line.group.iter().filter(|place| self.matches.contains(place)).count();
        let below: usize = line.group.iter().map(|place| scene.below(*place) + 1).sum();
        let chosen = |place: usize| scene.to_span(place);
        let slowest = spans().max_by_key(|(place, span)| (span.duration(), std::cmp::Reverse(*place))).map(|(place, _)| place);
        let id = sheet.spans.get(line.place).map(|span| span.span_id);
        let count = line.group.len() as u64;
        row.has_error_below = failed_below > 0;
        row.is_error = errors > 0;
        row.is_match = matches > 0;
        row.is_critical = line.group.iter().any(|place| sheet.is_critical(*place));
        row.is_open = Some(line.is_open);
        row.below = format::count(below as u64);
        row.id = id.map(|id| format!("g{id}")).unwrap_or_default();
        if let Some(id) = id {
            let groups = exceptions(&scene.wanted.groups, id, !line.is_open);
            let is_inside = |place: &usize| self.above.contains(place) || scene.chosen == Some(*place);
            let hides = line.is_open && line.group.iter().any(is_inside);
            row.toggle = self.folded(&format!("g{id}"), &[("groups", groups.as_str())], hides);
        }
        row.href.clone_from(&row.toggle);
        row.duration = format!("Σ {}", format::duration(total));
        row.exact = format!("{} in {count} spans", format::exact_nanos(total));
        let names = spans().map(|(_, span)| span.name).collect::<HashSet<_>>().len() as u64;
        let named = if names > 1 { format!("{} · ", format::counted(names, "name", "names")) } else { String::new() };
        let facts = format!("{named}p50 {} · max {}", format::duration(median), format::duration(longest));
        if names > 1 {
            row.name = format::name(&unnumbered(sheet.name(line.place)));
        }
        row.words = format!("{count} similar spans, {} in all, {facts}", format::duration(total));
        row.group = Some(Group {
            times: format!("×{}", format::exact(count)),
            errors: if errors > 0 { format::counted(errors as u64, "error", "errors") } else { String::new() },
            matches: if matches > 0 { format::counted(matches as u64, "match", "matches") } else { String::new() },
            strip: self.strip(spans().map(|(place, span)| (place, *span))),
            slowest: slowest.map(chosen).unwrap_or_default(),
            failed: spans().find(|(_, span)| span.is_error()).map(|(place, _)| chosen(place)).unwrap_or_default(),
            failed_below: if failed_below > 0 { format::count(failed_below as u64) } else { String::new() },
            facts,
        });
    }

    /// A bar per run of cells of equal height: how much of the time of a cell any of them ran.
    fn strip(&self, spans: impl Iterator<Item = (usize, Brief)>) -> String {
        let (scene, axis) = (self.scene, &self.scene.axis);
        let stretch = |(place, span): (usize, Brief)| {
            let from = scene.offset(place);
            (from, from.saturating_add(span.duration()))
        };
        let mut ran: Vec<(u64, u64)> = spans.map(stretch).filter(|(from, to)| axis.shows(*from, *to)).collect();
        ran.sort_unstable();
        let mut covered = [0.0; STRIP];
        let mut until = 0;
        for (from, to) in ran {
            // What ran beside another one counts once.
            cover(&mut covered, axis.share(from.max(until).min(to)), axis.share(to));
            until = until.max(to);
        }
        drawn(&covered)
    }
}

/// Adds a stretch of the axis, both ends as shares of one, to the parts of the cells in which something ran.
fn cover(cells: &mut [f64], from: f64, to: f64) {
    let (first, last) = (cell(from), cell(to));
    for (at, part) in cells.iter_mut().enumerate().take(last + 1).skip(first) {
        let (begin, end) = (at as f64 / STRIP as f64, (at + 1) as f64 / STRIP as f64);
        let added = (to.min(end) - from.max(begin)).max(0.0) * STRIP as f64;
        if added > 0.0 || (to <= from && at == first) {
            *part += added.max(SEEN);
        }
    }
}

/// Path data of the cells: as high as the part of each in which something ran, a single moment too.
fn drawn(cells: &[f64]) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a share of one, of few steps")]
    let height = |part: &f64| if *part > 0.0 { LEAST + (part.min(1.0) * (FULL - LEAST) as f64).round() as usize } else { 0 };
    let heights: Vec<usize> = cells.iter().map(height).collect();
    let mut path = String::new();
    let mut at = 0;
    for run in heights.chunk_by(|a, b| a == b) {
        if let Some(height) = run.first().filter(|height| **height > 0) {
            // Writing to a String cannot fail.
            let _ = write!(path, "M{at} {FULL}v-{height}h{}v{height}z", run.len());
        }
        at += run.len();
    }
    path
}

fn cell(share: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "a share of one, of few cells")]
    let cell = (share * STRIP as f64) as usize;
    cell.min(STRIP - 1)
}

/// Heights of a cell in which one moment was used, and of one that was busy throughout; the latter is that of the drawing.
const LEAST: usize = 3;
const FULL: usize = 10;

/// The part of a cell that a span without duration is taken to fill, so that it is seen.
const SEEN: f64 = 1e-9;

/// Cells of the strip.
const STRIP: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_as_high_as_the_part_of_it_that_was_busy() {
        let mut cells = [0.0; STRIP];
        let share = |cells: f64| cells / STRIP as f64;
        cover(&mut cells, share(0.0), share(2.0));
        // Most of one cell, in two parts; a moment of another.
        cover(&mut cells, share(4.0), share(4.3));
        cover(&mut cells, share(4.5), share(4.8));
        cover(&mut cells, share(9.5), share(9.5));
        assert_eq!(drawn(&cells), "M0 10v-10h2v10zM4 10v-7h1v7zM9 10v-3h1v3z");
    }

    #[test]
    fn many_short_spans_far_apart_do_not_look_busy() {
        let mut cells = [0.0; STRIP];
        for at in 0..477 {
            let from = f64::from(at) / 477.0;
            cover(&mut cells, from, from + 0.02 / 477.0);
        }
        assert!(!drawn(&cells).contains("v-4") && drawn(&cells).contains("v-3"), "{}", drawn(&cells));
    }
}
