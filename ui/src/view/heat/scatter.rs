//! Few spans each by itself, where the cells of the map would be: same axes, same selection.

use storage::{SpanPoint, TimeRange};

use super::{Clockface, Counts, Heat, bounds, row_of};
use crate::view::format;
use crate::view::link::Links;

/// One span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dot {
    /// Percent from the left and from the top.
    pub(crate) x: String,
    pub(crate) y: String,
    /// The span in its trace; a whole trace when it is the first of it.
    pub(crate) href: String,
    pub(crate) words: String,
    pub(crate) is_failed: bool,
}

impl Heat {
    /// Draws spans in place of cells; failed ones come last, so that they lie above.
    pub(crate) fn scattered(mut self, spans: &[SpanPoint], range: TimeRange, counts: Counts, (links, clock): (&Links, &Clockface)) -> Self {
        let [_, low, high] = self.bounds;
        let rows = format::ratio((high + 1 - low) as u64, 1);
        let whole = range.to.since(range.from);
        let dot = |span: &SpanPoint| {
            let trace = links.trace(&span.trace_id);
            let address = if counts == Counts::Roots { trace } else { trace.with("span", &span.span_id.to_string()) };
            let height = (place_of(span.duration) - format::ratio(low as u64, 1)) / rows;
            Dot {
                x: format::position(span.start.since(range.from), whole),
                y: format!("{:.1}", (1.0 - height.clamp(0.0, 1.0)) * 100.0),
                href: address.href(),
                words: format!(
                    "{}, {}: {} {}{}",
                    clock.second(span.start),
                    format::duration(span.duration),
                    format::line(&span.service, 40),
                    format::line(&span.name, 60),
                    if span.failed { ", failed" } else { "" }
                ),
                is_failed: span.failed,
            }
        };
        self.dots = spans.iter().map(dot).collect();
        self.dots.sort_by_key(|dot| dot.is_failed);
        self.summary = self.summary.replace("drawn in rows", "each a point");
        (self.layers, self.failed) = (Vec::new(), Vec::new());
        self
    }
}

/// Where a duration stands among the rows of the map, with the part of its row that lies below it.
fn place_of(nanos: u64) -> f64 {
    let row = row_of(storage::Grid::row_of(nanos));
    let (from, to) = bounds(row);
    // Below the first power of ten there is no logarithm to go by.
    let within = if from == 0 { format::ratio(nanos, to.max(1)) } else { format::ratio(nanos, from).ln() / format::ratio(to, from).ln() };
    format::ratio(row as u64, 1) + within.clamp(0.0, 1.0)
}
