//! Lines of durations over time, as SVG path data, and what each of their parts says.

use storage::TimeRange;

use super::{HEIGHT, Parts, SO_FAR, Scale, WIDTH, is_open, ticks};
use crate::view::format::{self, Clockface};

/// Values over time, drawn in the box of [`Bars`](super::Bars).
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// Paths: class, line.
    pub(crate) paths: Vec<(&'static str, String)>,
    /// The same of the way to a last part whose time is not over.
    pub(crate) so_far: Vec<(&'static str, String)>,
    /// What they are: word, class.
    pub(crate) legend: Vec<(&'static str, &'static str)>,
    pub(crate) ticks: Vec<(String, String)>,
    pub(crate) scale: Scale,
    pub(crate) summary: String,
    /// Moments, at percent of the width, and what happened.
    pub(crate) marks: Vec<(String, String)>,
    /// Parts in which something happened: left edge, and their values in words.
    pub(crate) told: Vec<(String, String)>,
    /// How wide a part is.
    pub(crate) width: String,
}

/// A word, a class, and a value of each part.
type Line = (&'static str, &'static str, Vec<u64>);

// === impl Lines ===

impl Lines {
    /// Draws series of durations; parts in which nothing happened are gaps.
    pub(crate) fn durations(series: &[Line], range: TimeRange, clock: &Clockface) -> Option<Self> {
        let most = |values: &[u64]| values.iter().copied().max().unwrap_or(0);
        let max = series.iter().map(|(.., values)| most(values)).max().filter(|max| *max > 0)?;
        let least = series.iter().flat_map(|(.., values)| values).copied().filter(|value| *value > 0).min()?;
        let scale = Scale::durations(least, max);
        let parts = Parts::new(range, series.first().map_or(0, |(.., values)| values.len()));
        let open = parts.count.checked_sub(1).filter(|last| is_open(parts.start(*last), parts.step, clock));
        let line = |only: &dyn Fn(usize) -> bool| {
            let kept =
                |values: &[u64]| values.iter().enumerate().map(|(place, value)| if only(place) { *value } else { 0 }).collect::<Vec<_>>();
            series.iter().map(|(_, class, values)| (*class, broken_line(&kept(values), &scale))).collect::<Vec<_>>()
        };
        let paths = line(&|place| open.is_none_or(|open| place < open));
        let so_far = open.map(|open| line(&|place| place + 1 >= open)).unwrap_or_default();
        let legend = series.iter().map(|(word, class, _)| (*word, *class)).collect();
        let most_of: Vec<String> =
            series.iter().map(|(word, _, values)| format!("{word} at most {}", format::duration(most(values)))).collect();
        let summary = format!("{}, {}{}", most_of.join(", "), clock.range(range), if open.is_some() { LAST_SO_FAR } else { "" });
        let (told, width) = told(series, parts, open, clock);
        Some(Self { paths, so_far, legend, ticks: ticks(range, clock), scale, summary, marks: Vec::new(), told, width })
    }
}

/// The parts in which something happened, each at its left edge in words, and how wide a part is.
fn told(series: &[Line], parts: Parts, open: Option<usize>, clock: &Clockface) -> (Vec<(String, String)>, String) {
    let width = WIDTH / format::ratio(parts.count.max(1) as u64, 1);
    let in_words = |part: usize| {
        let known = series.iter().filter_map(|(word, _, values)| Some((word, values.get(part).filter(|value| **value > 0)?)));
        let known: Vec<String> = known.map(|(word, value)| format!("{word} {}", format::duration(*value))).collect();
        let so_far = if open == Some(part) { SO_FAR } else { "" };
        let words = format!("{}: {}{so_far}", clock.second(parts.start(part)), known.join(", "));
        (!known.is_empty()).then(|| (format!("{:.2}", format::ratio(part as u64, 1) * width), words))
    };
    ((0..parts.count).filter_map(in_words).collect(), format!("{width:.2}"))
}

/// A line through values from left to right that breaks at zeros; a value alone is a short stroke.
pub(super) fn broken_line(values: &[u64], scale: &Scale) -> String {
    let step = WIDTH / format::ratio(values.len().max(1) as u64, 1);
    let mut path = String::new();
    let mut before = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > 0 {
            let (x, y) = ((format::ratio(place as u64, 1) + 0.5) * step, HEIGHT - scale.height(*value) * HEIGHT);
            let next = values.get(place + 1).copied().unwrap_or(0);
            match (before, next) {
                (0, 0) => path.push_str(&format!("M{:.1} {y:.1}h{:.1}", x - step / 2.0, step)),
                (0, _) => path.push_str(&format!("M{x:.1} {y:.1}")),
                _ => path.push_str(&format!("L{x:.1} {y:.1}")),
            }
        }
        before = *value;
    }
    path
}

/// Said of a drawing whose last part is not over.
pub(super) const LAST_SO_FAR: &str = "; the last part so far";
