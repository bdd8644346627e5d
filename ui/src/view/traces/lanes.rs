//! The small picture of a trace in a list: when each of its services ran.

use storage::ServiceInTrace;

use crate::view::colour::Palette;

/// The four busiest services, one lane each, in the order of their first span: class, and a path in a box of 1,000 by 16.
pub(super) fn lanes(by_size: &[&ServiceInTrace], whole: u64, palette: &Palette) -> Vec<(String, String)> {
    let mut chosen: Vec<&&ServiceInTrace> = by_size.iter().take(4).collect();
    chosen.sort_by_key(|service| service.spans.iter().map(|(start, _)| *start).min().unwrap_or(0));
    let lane = |(lane, service): (usize, &&ServiceInTrace)| {
        (
            palette.chip(&service.name).class,
            strokes(&service.spans, whole).map(|(x, width)| format!("M{x} {}h{width}", lane * 4 + 2)).collect(),
        )
    };
    chosen.into_iter().enumerate().map(|(place, service)| lane((place, service))).collect()
}

/// Left edges and widths in thousandths of the whole: spans that touch or lie over each other are one stroke.
fn strokes(spans: &[(u64, u64)], whole: u64) -> impl Iterator<Item = (u64, u64)> {
    let thousandth = |nanos: u64| nanos.saturating_mul(1_000).checked_div(whole).unwrap_or(0).min(1_000);
    let mut ends: Vec<(u64, u64)> = spans
        .iter()
        .map(|(start, length)| (thousandth(*start), thousandth(start.saturating_add(*length))))
        // What has hardly any length is still seen.
        .map(|(from, to)| (from.min(995), to.max(from + 5)))
        .collect();
    ends.sort_unstable();
    let mut strokes: Vec<(u64, u64)> = Vec::new();
    for (from, to) in ends {
        match strokes.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => strokes.push((from, to)),
        }
    }
    strokes.into_iter().map(|(from, to)| (from, to - from))
}
