//! Many similar siblings as one row: how many, how long, how many failed, and when each ran.

use std::fmt::Write as _;

use storage::trace::Brief;

use super::{Context, Line, Row, exceptions};
use crate::view::format;

/// Totals of similar spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// `×212`.
    pub(crate) times: String,
    /// `p50 9.00 ms · max 41.0 ms`.
    pub(crate) facts: String,
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
        let matches = line.group.iter().filter(|place| self.matches.contains(place)).count();
        let below: usize = line.group.iter().map(|place| sheet.tree().subtree_size(*place)).sum();
        let chosen = |place: usize| scene.to_span(place);
        let slowest = spans().max_by_key(|(place, span)| (span.duration(), std::cmp::Reverse(*place))).map(|(place, _)| place);
        let id = sheet.spans.get(line.place).map(|span| span.span_id);
        let count = line.group.len() as u64;
        row.has_error_below = errors == 0 && line.group.iter().any(|place| sheet.errors_below(*place) > 0);
        row.is_error = errors > 0;
        row.is_match = matches > 0;
        row.is_critical = line.group.iter().any(|place| sheet.is_critical(*place));
        row.is_open = Some(line.is_open);
        row.below = format::count(below as u64);
        row.id = id.map(|id| format!("g{id}")).unwrap_or_default();
        if let Some(id) = id {
            let groups = exceptions(&scene.wanted.groups, id, !line.is_open);
            row.toggle = format!("{}#sg{id}", scene.here().with("groups", &groups).with("span", "").with("tab", "").href());
        }
        row.href.clone_from(&row.toggle);
        row.duration = format!("Σ {}", format::duration(total));
        row.exact = format!("{} in {count} spans", format::exact_nanos(total));
        let facts = format!("p50 {} · max {}", format::duration(median), format::duration(longest));
        row.words = format!("{count} similar spans, {} in all, {facts}", format::duration(total));
        row.group = Some(Group {
            times: format!("×{}", format::exact(count)),
            errors: if errors > 0 { format::counted(errors as u64, "error", "errors") } else { String::new() },
            matches: if matches > 0 { format::counted(matches as u64, "match", "matches") } else { String::new() },
            strip: self.strip(spans().map(|(place, span)| (place, *span))),
            slowest: slowest.map(chosen).unwrap_or_default(),
            failed: spans().find(|(_, span)| span.is_error()).map(|(place, _)| chosen(place)).unwrap_or_default(),
            facts,
        });
    }

    /// One stroke per run of cells in which at least one ran.
    fn strip(&self, spans: impl Iterator<Item = (usize, Brief)>) -> String {
        let (scene, axis) = (self.scene, &self.scene.axis);
        let mut cells = vec![false; STRIP];
        for (place, span) in spans {
            let from = scene.offset(place);
            let to = from.saturating_add(span.duration());
            if !axis.shows(from, to) {
                continue;
            }
            let (first, last) = (cell(axis.share(from)), cell(axis.share(to)));
            if let Some(run) = cells.get_mut(first..=last) {
                run.fill(true);
            }
        }
        let mut path = String::new();
        let mut at = 0;
        for run in cells.chunk_by(|a, b| a == b) {
            if run.first() == Some(&true) {
                // Writing to a String cannot fail.
                let _ = write!(path, "M{at} 5h{}", run.len());
            }
            at += run.len();
        }
        path
    }
}

fn cell(share: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "a share of one, of few cells")]
    let cell = (share * STRIP as f64) as usize;
    cell.min(STRIP - 1)
}

/// Cells of the strip.
const STRIP: usize = 300;
