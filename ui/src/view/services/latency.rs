//! How long an operation takes: bars on a logarithmic axis, with its percentiles where they stand.

use storage::{Grid, GridCell, TimeRange};

use crate::view::chart::Scale;
use crate::view::format;
use crate::view::link::Links;

/// How many spans took how long, on a logarithmic axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    pub(crate) bars: Vec<LatencyBar>,
    /// Position in percent and duration.
    pub(crate) ticks: Vec<(String, String)>,
    /// Labels at the left.
    pub(crate) scale: Scale,
    pub(crate) marks: Vec<Mark>,
    pub(crate) summary: String,
}

/// A percentile on the axis of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Position in percent.
    pub(crate) x: String,
    /// Height of its label, and how many lines lower it is on a narrow screen: close neighbours are below each other.
    pub(crate) y: u8,
    pub(crate) lower: u8,
    /// `p50`.
    pub(crate) word: &'static str,
    pub(crate) duration: String,
}

/// Spans of about one duration.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatencyBar {
    pub(crate) x: String,
    pub(crate) width: String,
    /// Top edge and height of all, and of those that failed, in a box of 100.
    pub(crate) y: String,
    pub(crate) height: String,
    pub(crate) failed_y: String,
    pub(crate) failed_height: String,
    pub(crate) title: String,
    pub(crate) href: String,
}

// === impl Latency ===

impl Latency {
    /// Draws the rows of a grid; `marks` are percentiles. A bar leads to the traces of its durations.
    pub(crate) fn new(grid: &Grid, query: &str, marks: &[(&'static str, u64)], range: TimeRange, links: &Links) -> Self {
        let mut rows: std::collections::BTreeMap<usize, GridCell> = std::collections::BTreeMap::new();
        for cell in &grid.cells {
            let row = rows.entry(cell.row).or_default();
            row.count += cell.count;
            row.errors += cell.errors;
        }
        let (Some(first), Some(last)) = (rows.keys().next().copied(), rows.keys().next_back().copied()) else { return Self::default() };
        // A little air on both sides.
        let (first, last) = (first.saturating_sub(1), last + 2);
        let whole = (last - first) as u64;
        let scale = Scale::counts(rows.values().map(|row| row.count).max().unwrap_or(1));
        let max = scale.top;
        let all: u64 = rows.values().map(|row| row.count).sum();
        let bar = |(row, cell): (&usize, &GridCell)| {
            let (from, to) = Grid::bounds(*row);
            let height = (format::ratio(cell.count, max) * 100.0).max(1.5);
            let failed = if cell.errors == 0 { 0.0 } else { (format::ratio(cell.errors, max) * 100.0).max(1.5) };
            let shorter = if to == u64::MAX { String::new() } else { format!(" duration<{}", format::written(to)) };
            let only = format!("{query} duration>={}{shorter}", format::written(from));
            LatencyBar {
                x: format::position((row - first) as u64, whole),
                width: format::position(1, whole),
                y: format!("{:.2}", 100.0 - height),
                height: format!("{height:.2}"),
                failed_y: format!("{:.2}", 100.0 - failed),
                failed_height: format!("{failed:.2}"),
                title: format!(
                    "{}: {}, {} failed",
                    format::spanned(from, to),
                    format::counted(cell.count, "span", "spans"),
                    format::exact(cell.errors)
                ),
                href: links.traces(&only).href(),
            }
        };
        let position = |row: usize| format::position(row.saturating_sub(first) as u64, whole);
        let every = ((last - first) / 6).max(1);
        let tick = |row: usize| (position(row), format::round_duration(Grid::bounds(row).0));
        let (mut before, mut lines) = (f64::NEG_INFINITY, [0_u8; 2]);
        let mark = |(word, nanos): &(&'static str, u64)| {
            let x = (place_of(*nanos) - format::ratio(first as u64, 1)).max(0.0) / format::ratio(whole, 100);
            for (line, close) in lines.iter_mut().zip(CLOSE) {
                *line = if x - before < close { *line + 1 } else { 0 };
            }
            before = x;
            let [wide, narrow] = lines;
            Mark { x: format!("{x:.2}"), y: (wide + 1) * LABEL, lower: narrow - wide, word, duration: format::duration(*nanos) }
        };
        let seconds = range.to.since(range.from);
        Self {
            bars: rows.iter().map(bar).collect(),
            ticks: (first + 1..last).step_by(every).filter(|row| Grid::bounds(*row).0 != u64::MAX).map(tick).collect(),
            marks: marks.iter().map(mark).collect(),
            scale,
            summary: format!("{} by duration, {}", format::counted(all, "span", "spans"), format::rate(all, seconds)),
        }
    }
}

impl Latency {
    /// Room for the labels of the percentiles.
    pub(crate) fn marks_height(&self) -> u8 {
        self.marks.iter().map(|mark| mark.y + mark.lower * LABEL).max().unwrap_or(0) + 4
    }
}

/// Where a duration stands among the rows of a grid, which are equally wide on a logarithmic axis.
fn place_of(nanos: u64) -> f64 {
    let row = Grid::row_of(nanos);
    let (from, to) = Grid::bounds(row);
    let within = (format::ratio(nanos.max(1), from.max(1)).ln() / format::ratio(to.max(2), from.max(1)).ln()).clamp(0.0, 1.0);
    format::ratio(row as u64, 1) + if within.is_finite() { within } else { 0.0 }
}

/// Height of a label, and the part of the axis in percent that one takes on a wide and on a narrow screen.
const LABEL: u8 = 13;
const CLOSE: [f64; 2] = [4.0, 12.0];

#[cfg(test)]
mod tests {
    use storage::UnixNanos;

    use super::*;

    #[test]
    fn labels_of_percentiles_are_on_one_line_unless_they_would_touch() {
        let cell = |row| GridCell { column: 0, row, count: 10, errors: 0 };
        let grid = Grid { step: 1, columns: 1, cells: vec![cell(21), cell(61)], ..Grid::default() };
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(1_000_000_000) };
        let heights = |marks: [u64; 3]| {
            let marks = [("p50", marks[0]), ("p95", marks[1]), ("p99", marks[2])];
            let latency = Latency::new(&grid, "", &marks, range, &Links::default());
            latency.marks.iter().map(|mark| (mark.y, mark.lower)).collect::<Vec<_>>()
        };
        assert_eq!(heights([300_000, 5_000_000, 90_000_000]), [(13, 0), (13, 0), (13, 0)]);
        assert_eq!(heights([300_000, 5_000_000, 5_100_000]), [(13, 0), (13, 0), (26, 0)]);
        assert_eq!(heights([5_000_000, 5_010_000, 5_100_000]), [(13, 0), (26, 0), (39, 0)]);
        assert_eq!(heights([300_000, 5_000_000, 10_000_000]), [(13, 0), (13, 0), (13, 1)]);
    }

    #[test]
    fn latencies_are_drawn_on_a_logarithmic_axis_and_lead_to_their_traces() {
        let cell = |row, count, errors| GridCell { column: 0, row, count, errors };
        let grid = Grid { step: 1, columns: 1, cells: vec![cell(31, 10, 0), cell(41, 5, 5)], ..Grid::default() };
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(1_000_000_000) };
        let latency = Latency::new(&grid, "service:a", &[("p50", 1_000_000)], range, &Links::default());
        assert_eq!(latency.bars.len(), 2);
        assert_eq!((latency.bars[0].height.as_str(), latency.bars[0].failed_height.as_str()), ("100.00", "0.00"));
        assert_eq!((latency.bars[1].y.as_str(), latency.bars[1].failed_height.as_str()), ("50.00", "50.00"));
        assert_eq!(latency.bars[0].href, "/traces?q=service%3Aa%20duration%3E%3D1ms%20duration%3C1.25ms");
        let number = |text: &str| text.parse::<f64>().unwrap();
        assert!((number(&latency.marks[0].x) - number(&latency.bars[0].x)).abs() < 0.01, "at the edge of its bar");
        let inside = Latency::new(&grid, "service:a", &[("p50", 1_118_000), ("p95", 1_240_000)], range, &Links::default());
        let x: Vec<f64> = inside.marks.iter().map(|mark| mark.x.parse().unwrap()).collect();
        let (left, width): (f64, f64) = (inside.bars[0].x.parse().unwrap(), inside.bars[0].width.parse().unwrap());
        assert!((x[0] - left - width / 2.0).abs() < 0.1 && x[1] > x[0] && x[1] < left + width, "{x:?} in {left} + {width}");
    }
}
