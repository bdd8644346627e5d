//! Geometry of small charts: bars over time and sparklines, as numbers for SVG attributes.

use storage::{Histogram, TimeRange, UnixNanos};

use super::format::{self, Clockface};
use super::link::Address;

mod axis;
mod lines;

pub(crate) use self::axis::{Scale, in_seconds, is_ten, ticks};
pub(crate) use self::lines::Lines;

/// Stacked bars over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bars {
    /// One per bucket, as drawn in a box of [`WIDTH`] by [`HEIGHT`].
    pub(crate) bars: Vec<Bar>,
    /// Labels below, at percent of the width.
    pub(crate) ticks: Vec<(String, String)>,
    /// Labels at the left.
    pub(crate) scale: Scale,
    /// What a bar covers: `per 5 min`.
    pub(crate) per: String,
    /// What the chart says, for those who do not see it.
    pub(crate) summary: String,
    /// Whether there is anything to draw.
    pub(crate) is_empty: bool,
    /// Names and classes of what is stacked, for the legend.
    pub(crate) legend: Vec<(&'static str, &'static str)>,
    /// Moments, at percent of the width, and what happened.
    pub(crate) marks: Vec<(String, String)>,
}

/// One bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bar {
    /// Left edge.
    pub(crate) x: String,
    /// Width.
    pub(crate) width: String,
    /// Parts from the bottom up: class, top edge, height.
    pub(crate) parts: Vec<(&'static str, String, String)>,
    /// Whether its time is not over.
    pub(crate) is_open: bool,
    /// What it counts.
    pub(crate) title: String,
    /// The same page in this bucket's window.
    pub(crate) href: String,
}

/// A window in equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    range: TimeRange,
    count: usize,
    /// Width of a part in nanoseconds.
    pub(crate) step: u64,
}

/// What the counts of a histogram mean: index, word for people, class.
type Series = (usize, &'static str, &'static str);

/// A small line without axes, as SVG path data in a box of 100 by 20, and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spark {
    /// The line.
    pub(crate) line: String,
    /// The area below it.
    pub(crate) area: String,
    /// In words.
    pub(crate) summary: String,
}

/// A small column per part of a window, as SVG path data in a box of 100 by 20, and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) path: String,
    pub(crate) summary: String,
}

/// Spans: those that failed above those that did not.
pub(crate) const SPANS: [Series; 2] = [(0, "ok", "bar-ok"), (5, "error", "bar-error")];

/// Failed spans alone.
pub(crate) const FAILED: [Series; 1] = [(5, "error", "bar-error")];

/// Log records, calm ones at the bottom.
pub(crate) const SEVERITIES: [Series; 7] = [
    (0, "no severity", "bar-none"),
    (1, "trace", "bar-trace"),
    (2, "debug", "bar-debug"),
    (3, "info", "bar-info"),
    (4, "warn", "bar-warn"),
    (5, "error", "bar-error"),
    (6, "fatal", "bar-fatal"),
];

// === impl Bars ===

impl Bars {
    /// Draws a histogram; each bar leads to `page` in its own window.
    pub(crate) fn new(
        histogram: &Histogram,
        range: TimeRange,
        series: &[Series],
        noun: (&str, &str),
        clock: &Clockface,
        page: &Address,
    ) -> Self {
        let total_of = |counts: &[u64; 7]| series.iter().filter_map(|(index, ..)| counts.get(*index)).sum::<u64>();
        let max = histogram.buckets.iter().map(|bucket| total_of(&bucket.counts)).max().unwrap_or(0);
        let all: u64 = histogram.buckets.iter().map(|bucket| total_of(&bucket.counts)).sum();
        let scale = Scale::counts(max);
        let width = WIDTH / format::ratio(histogram.buckets.len().max(1) as u64, 1);
        let mut bars = Vec::with_capacity(histogram.buckets.len());
        for (place, bucket) in histogram.buckets.iter().enumerate() {
            let total = total_of(&bucket.counts);
            if total == 0 {
                continue;
            }
            let end = bucket.start.plus(histogram.step);
            let href = page.clone().with("from", &bucket.start.get().to_string()).with("to", &end.get().to_string()).href();
            let detail: Vec<String> = series
                .iter()
                .filter_map(|(index, word, _)| {
                    bucket.counts.get(*index).filter(|n| **n > 0).map(|n| format!("{} {word}", format::exact(*n)))
                })
                .collect();
            let is_open = is_open(bucket.start, histogram.step, clock);
            bars.push(Bar {
                is_open,
                x: format!("{:.2}", format::ratio(place as u64, 1) * width),
                width: format!("{:.2}", (width - 1.0).max(0.5)),
                parts: parts(&bucket.counts, series, scale.top),
                title: format!("{}: {}{}", clock.second(bucket.start), detail.join(", "), if is_open { SO_FAR } else { "" }),
                href,
            });
        }
        let present = |(index, ..): &&Series| histogram.buckets.iter().any(|bucket| bucket.counts.get(*index).is_some_and(|n| *n > 0));
        Self {
            bars,
            ticks: ticks(range, clock),
            per: format!("per {}", format::each(histogram.step)),
            summary: format!("{} from {}", format::counted(all, noun.0, noun.1), clock.range(range)),
            is_empty: max == 0,
            scale,
            legend: series.iter().filter(present).map(|(_, word, class)| (*word, *class)).collect(),
            marks: Vec::new(),
        }
    }
}

/// Whether more than a tenth of a part is still to come.
fn is_open(start: UnixNanos, step: u64, clock: &Clockface) -> bool {
    start <= clock.now() && start.plus(step).since(clock.now()) > step / 10
}

/// Said of what is not over.
const SO_FAR: &str = ", so far";

/// Requests of equal parts of a window as a histogram, failed ones apart.
pub(crate) fn requests(points: &[storage::ServicePoint], range: TimeRange) -> Histogram {
    let parts = Parts::new(range, points.len());
    let bucket = |(place, point): (usize, &storage::ServicePoint)| storage::HistogramBucket {
        start: parts.start(place),
        counts: [point.requests.saturating_sub(point.errors), 0, 0, 0, 0, point.errors, 0],
    };
    Histogram { buckets: points.iter().enumerate().map(bucket).collect(), step: parts.step, ..Histogram::default() }
}

// === impl Parts ===

impl Parts {
    /// At least one part of at least a nanosecond.
    pub(crate) fn new(range: TimeRange, count: usize) -> Self {
        let step = range.to.since(range.from).div_ceil(count.max(1) as u64).max(1);
        Self { range, count, step }
    }

    /// When a part begins.
    pub(crate) fn start(&self, part: usize) -> UnixNanos {
        self.range.from.plus(self.step.saturating_mul(part as u64))
    }

    /// The window from the begin of one part to the end of another.
    pub(crate) fn window(&self, first: usize, last: usize) -> TimeRange {
        TimeRange { from: self.start(first), to: self.start(last.saturating_add(1)).min(self.range.to) }
    }

    /// The part in which a time lies.
    pub(crate) fn of(&self, time: UnixNanos) -> Option<usize> {
        let part = usize::try_from(time.since(self.range.from) / self.step).ok()?;
        Some(part).filter(|part| *part < self.count && self.range.contains(time))
    }
}

// === impl Columns ===

impl Columns {
    /// One column per value, scaled to the greatest; what is not nothing is seen.
    pub(crate) fn new(values: &[u64], summary: String) -> Self {
        let max = values.iter().copied().max().unwrap_or(0);
        let slot = 100.0 / format::ratio(values.len().max(1) as u64, 1);
        let column = |(place, value): (usize, &u64)| {
            let height = (format::ratio(*value, max) * 19.0).max(1.5);
            format!("M{:.1} 20v-{height:.1}h{:.1}v{height:.1}z", format::ratio(place as u64, 1) * slot, slot * 0.8)
        };
        Self { path: values.iter().enumerate().filter(|(_, value)| **value > 0).map(column).collect(), summary }
    }
}

// === impl Spark ===

impl Spark {
    /// Draws values from left to right, scaled to their greatest.
    pub(crate) fn new(values: &[u64], summary: String) -> Self {
        let max = values.iter().copied().max().unwrap_or(0);
        if max == 0 || values.len() < 2 {
            return Self { line: String::new(), area: String::new(), summary };
        }
        let last = (values.len() - 1) as u64;
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(place, value)| {
                format!("{:.1} {:.1}", format::ratio(place as u64, last) * 100.0, 19.0 - format::ratio(*value, max) * 17.5)
            })
            .collect();
        let line = format!("M{}", points.join("L"));
        Self { area: format!("{line}L100 20L0 20Z"), line, summary }
    }
}

fn parts(counts: &[u64; 7], series: &[Series], top_of_scale: u64) -> Vec<(&'static str, String, String)> {
    let mut below = 0_u64;
    let mut parts = Vec::new();
    for (index, _, class) in series {
        let Some(n) = counts.get(*index).filter(|n| **n > 0) else { continue };
        let top = HEIGHT - format::ratio(below + n, top_of_scale) * HEIGHT;
        // One failure among thousands must still be seen.
        let height = (format::ratio(*n, top_of_scale) * HEIGHT).max(1.5);
        parts.push((*class, format!("{:.2}", top.min(HEIGHT - height)), format!("{height:.2}")));
        below += n;
    }
    parts
}

/// Width of the box of [`Bars`].
const WIDTH: f64 = 600.0;

/// Height of the box of [`Bars`].
const HEIGHT: f64 = 60.0;

#[cfg(test)]
mod tests;
