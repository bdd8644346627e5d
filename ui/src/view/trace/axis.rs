//! The axis of time: which part of the trace is shown, and where a moment lies on it.

use super::Wanted;
use super::ticks::{Tick, ticks};
use crate::view::format;

/// Offsets are nanoseconds after the start of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Of the whole trace.
    pub(crate) whole: u64,
    /// What is shown.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// What is shown without zoom: the trace, or the span that is shown as its root.
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Axis {
    /// The part that is asked for of `whole`, as far as there is something; `root` is where the span that is shown as the root begins, and
    /// how long it lasts.
    pub(crate) fn new(whole: u64, root: Option<(u64, u64)>, wanted: &Wanted) -> Self {
        let (first, last) = root.map_or((0, whole), |(first, duration)| (first, first.saturating_add(duration)));
        let from = wanted.t0.map_or(first, |edge| edge.of(whole));
        let to = wanted.t1.map_or(last, |edge| edge.of(whole));
        // An empty window shows everything.
        let (from, to) = if from < to { (from, to) } else { (first, last) };
        Self { whole, from, to, first, last }
    }

    /// Nanoseconds that are shown.
    pub(crate) fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    /// Whether only a part is shown.
    pub(crate) fn is_zoomed(&self) -> bool {
        (self.from, self.to) != (self.first, self.last)
    }

    /// Whether a stretch can be seen.
    pub(crate) fn shows(&self, from: u64, to: u64) -> bool {
        from <= self.to && to >= self.from
    }

    /// Where an offset lies, in percent; what is outside lies at the edge.
    pub(crate) fn x(&self, offset: u64) -> String {
        format::position(offset.saturating_sub(self.from), self.length())
    }

    /// The same as a share of one.
    pub(crate) fn share(&self, offset: u64) -> f64 {
        format::ratio(offset.clamp(self.from, self.to.max(self.from)) - self.from, self.length().max(1))
    }

    /// The width of a stretch as far as it is shown, in percent, never nothing.
    pub(crate) fn width(&self, from: u64, to: u64) -> String {
        let (from, to) = (from.clamp(self.from, self.to), to.clamp(self.from, self.to));
        let width = format::position(to.saturating_sub(from), self.length());
        if width == "0" { "0.02".to_owned() } else { width }
    }

    /// Labels at round moments of what is shown.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        ticks(self.from, self.to)
    }

    /// Half as much around `centre`, twice as much, and the same much earlier or later; all inside the trace.
    pub(crate) fn zoomed(&self, centre: u64) -> [(u64, u64); 4] {
        let length = self.length();
        let inner = (length / 2).max(2).min(self.whole.max(2));
        let wider = length.saturating_mul(2);
        let middle = self.from + length / 2;
        let step = (length / 4).max(1);
        [
            self.inside(centre.saturating_sub(inner / 2), inner),
            self.inside(middle.saturating_sub(length), wider),
            self.inside(self.from.saturating_sub(step), length),
            self.inside(self.from.saturating_add(step), length),
        ]
    }

    fn inside(&self, from: u64, length: u64) -> (u64, u64) {
        let length = length.min(self.whole);
        let from = from.min(self.whole - length);
        (from, from + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::trace::wanted::Edge;

    const MS: u64 = 1_000_000;

    fn axis(t0: u64, t1: u64) -> Axis {
        Axis::new(100 * MS, None, &Wanted { t0: Some(Edge::Nanos(t0 * MS)), t1: Some(Edge::Nanos(t1 * MS)), ..Wanted::default() })
    }

    #[test]
    fn moments_lie_within_the_part_that_is_shown() {
        let axis = axis(20, 60);
        assert_eq!((axis.x(30 * MS), axis.x(0), axis.x(90 * MS)), ("25".to_owned(), "0".to_owned(), "100".to_owned()));
        assert_eq!((axis.width(0, 30 * MS), axis.width(40 * MS, 40 * MS)), ("25".to_owned(), "0.02".to_owned()));
        assert!(axis.shows(0, 20 * MS) && !axis.shows(0, 19 * MS) && axis.is_zoomed());
    }

    #[test]
    fn an_empty_or_reversed_window_shows_everything() {
        assert!(!axis(60, 60).is_zoomed() && !axis(60, 20).is_zoomed());
    }

    #[test]
    fn zooming_and_panning_stay_inside_the_trace() {
        let [inner, wider, left, right] = axis(0, 40).zoomed(30 * MS);
        assert_eq!(inner, (20 * MS, 40 * MS));
        assert_eq!(wider, (0, 80 * MS));
        assert_eq!((left, right), ((0, 40 * MS), (10 * MS, 50 * MS)));
        assert_eq!(axis(90, 100).zoomed(100 * MS)[3], (90 * MS, 100 * MS));
    }
}
