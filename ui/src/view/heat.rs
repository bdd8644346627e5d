//! A heat map of durations over time: geometry for SVG, the part that is selected, and the same as a table.

use std::collections::BTreeMap;

use storage::{Grid, TimeRange, UnixNanos};

use super::chart::{Parts, ticks};
use super::format::{self, Clockface};
use super::link::Address;

/// The map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heat {
    pub(crate) cells: Vec<Cell>,
    /// Label and its place from the top in percent.
    pub(crate) rows: Vec<(String, String)>,
    pub(crate) ticks: Vec<(String, String)>,
    /// Left, top, width and height of what is selected.
    pub(crate) selected: Option<[String; 4]>,
    pub(crate) summary: String,
    pub(crate) has_errors: bool,
    /// Columns, the lowest and the highest row: where the script may select.
    pub(crate) bounds: [usize; 3],
    /// This list in a window that no longer moves, for a selection of any cells.
    pub(crate) page: String,
}

/// What the map counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Root spans: there is no query.
    Requests,
    /// Spans that match the query.
    Matches,
}

/// Spans of about one time and duration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    /// How much of the colour.
    pub(crate) strength: String,
    /// Top and height of the mark of failed ones; empty without.
    pub(crate) failed: Option<(String, String)>,
    pub(crate) title: String,
    pub(crate) href: String,
    /// Column and row, for the script that selects by dragging.
    pub(crate) at: String,
    /// The same for the table: when, how long, how many, failed.
    pub(crate) facts: [String; 4],
}

/// A rectangle of cells: columns and rows, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) columns: (usize, usize),
    pub(crate) rows: (usize, usize),
}

// === impl Selection ===

impl Selection {
    /// Reads `3-5,10-12`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (columns, rows) = text.split_once(',')?;
        let span = |text: &str, below: usize| {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (from.parse::<usize>().ok()?, to.parse::<usize>().ok()?);
            (from <= to && to < below).then_some((from, to))
        };
        Some(Self { columns: span(columns, COLUMNS)?, rows: span(rows, MAX_ROWS)? })
    }

    /// The part of the window.
    pub(crate) fn range(&self, range: TimeRange) -> TimeRange {
        Parts::new(range, COLUMNS).window(self.columns.0, self.columns.1)
    }

    /// The condition on durations.
    pub(crate) fn condition(&self) -> String {
        let (from, to) = (bounds(self.rows.0).0, bounds(self.rows.1).1);
        let upper = if to == u64::MAX { String::new() } else { format!(" duration<{}", format::written(to)) };
        format!("duration>={}{upper}", format::written(from))
    }

    /// In words: `12:00:00 – 12:05:00, 100 ms – 250 ms`.
    pub(crate) fn words(&self, range: TimeRange, clock: &Clockface) -> String {
        let (from, to) = (bounds(self.rows.0).0, bounds(self.rows.1).1);
        let long = if to == u64::MAX { format!("{} or more", format::duration(from)) } else { spanned(from, to) };
        format!("{}, {long}", clock.range(self.range(range)))
    }
}

impl Heat {
    /// Draws a grid; each cell leads to `page` with itself selected, in a window that no longer moves.
    pub(crate) fn new(
        grid: &Grid,
        range: TimeRange,
        selected: Option<Selection>,
        counts_what: Counts,
        (page, clock): (&Address, &Clockface),
    ) -> Self {
        let mut counts: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        for cell in &grid.cells {
            let entry = counts.entry((cell.column, row_of(cell.row))).or_default();
            *entry = (entry.0 + cell.count, entry.1 + cell.errors);
        }
        let rows = || counts.keys().map(|(_, row)| *row);
        let (Some(low), Some(high)) = (rows().min(), rows().max()) else { return Self::default() };
        let frame = Frame { low, high, most: counts.values().map(|(count, _)| *count).max().unwrap_or(1), step: grid.step, range };
        let fixed = page.clone().with("from", &range.from.get().to_string()).with("to", &range.to.get().to_string());
        let all = counts.values().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        Self {
            cells: counts.iter().map(|(place, counts)| frame.cell(*place, *counts, &fixed, clock)).collect(),
            rows: frame.labels(),
            ticks: ticks(range, clock),
            selected: selected.map(|selected| frame.outline(selected)),
            bounds: [COLUMNS, low, high],
            page: fixed.href(),
            summary: format!(
                "{}, {} failed, drawn in rows from {} to {}",
                match counts_what {
                    Counts::Requests => format::counted(all.0, "request (root span)", "requests (root spans)"),
                    Counts::Matches => format::counted(all.0, "span that matches", "spans that match"),
                },
                format::exact(all.1),
                format::duration(bounds(low).0),
                format::duration(bounds(high).1)
            ),
            has_errors: all.1 > 0,
        }
    }
}

/// What cells are placed in.
struct Frame {
    low: usize,
    high: usize,
    most: u64,
    step: u64,
    range: TimeRange,
}

impl Frame {
    fn height(&self) -> f64 {
        HEIGHT / format::ratio((self.high - self.low + 1) as u64, 1)
    }

    fn top(&self, row: usize) -> f64 {
        self.height() * format::ratio(self.high.saturating_sub(row) as u64, 1)
    }

    fn cell(&self, (column, row): (usize, usize), (count, errors): (u64, u64), fixed: &Address, clock: &Clockface) -> Cell {
        let (from, to) = bounds(row);
        let start: UnixNanos = self.range.from.plus(self.step.saturating_mul(column as u64));
        let strength = 0.22 + 0.78 * (1.0 + format::ratio(count, 1)).ln() / (1.0 + format::ratio(self.most, 1)).ln();
        let (top, height) = (self.top(row), self.height());
        let mark = (height * format::ratio(errors, count)).clamp(height.min(3.0) * 0.6, height);
        let facts = [clock.second(start), spanned(from, to), format::exact(count), format::exact(errors)];
        Cell {
            x: format!("{:.2}", WIDTH / COLUMNS_F * format::ratio(column as u64, 1)),
            y: format!("{top:.2}"),
            width: format!("{:.2}", WIDTH / COLUMNS_F - 0.6),
            height: format!("{:.2}", (height - 0.6).max(0.4)),
            strength: format!("{strength:.2}"),
            failed: (errors > 0).then(|| (format!("{:.2}", top + height - mark), format!("{:.2}", (mark - 0.6).max(0.4)))),
            title: format!("{}, {}: {}, {} failed", facts[0], facts[1], format::counted(count, "span", "spans"), facts[3]),
            href: fixed.clone().with("sel", &format!("{column}-{column},{row}-{row}")).href(),
            at: format!("{column},{row}"),
            facts,
        }
    }

    /// At powers of ten, at most six.
    fn labels(&self) -> Vec<(String, String)> {
        let tens: Vec<usize> = (self.low..=self.high + 1).filter(|row| is_ten(bounds(*row).0)).collect();
        let chosen = if tens.len() >= 2 { tens } else { vec![self.low, self.high + 1] };
        let every = chosen.len().div_ceil(6);
        let place =
            |row: usize| format!("{:.1}", 100.0 - format::ratio((row - self.low) as u64, (self.high + 1 - self.low) as u64) * 100.0);
        chosen.into_iter().step_by(every).map(|row| (format::duration(bounds(row).0), place(row))).collect()
    }

    fn outline(&self, selected: Selection) -> [String; 4] {
        let width = WIDTH / COLUMNS_F;
        let left = width * format::ratio(selected.columns.0 as u64, 1);
        let right = width * format::ratio(selected.columns.1 as u64 + 1, 1);
        let high = selected.rows.1.min(self.high);
        let low = selected.rows.0.clamp(self.low, high.max(self.low));
        let (top, bottom) = (self.top(high.max(low)), self.top(low) + self.height());
        [left, top, right - left, bottom - top].map(|value| format!("{value:.2}"))
    }
}

/// The row of a row of the store: two of them each, after the first, so that rows begin at powers of ten.
fn row_of(row: usize) -> usize {
    row.div_ceil(PER_ROW)
}

/// The durations of a row.
fn bounds(row: usize) -> (u64, u64) {
    let last = row.saturating_mul(PER_ROW);
    (Grid::bounds(last.saturating_sub(PER_ROW - 1)).0, Grid::bounds(last).1)
}

fn is_ten(nanos: u64) -> bool {
    nanos > 0 && 10_u64.checked_pow(nanos.ilog10()) == Some(nanos)
}

fn spanned(from: u64, to: u64) -> String {
    format!("{} – {}", format::duration(from), format::duration(to))
}

/// Parts of the window.
pub(crate) const COLUMNS: usize = 60;
const COLUMNS_F: f64 = 60.0;

/// Rows of the store in one row here.
const PER_ROW: usize = 2;

/// More rows than the store has.
const MAX_ROWS: usize = 60;

/// Of the box of the drawing.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

#[cfg(test)]
mod tests {
    use storage::GridCell;

    use super::*;
    use crate::view::link::Links;

    fn range() -> TimeRange {
        TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(6_000) }
    }

    #[test]
    fn a_selection_is_read_bounded_and_becomes_a_condition() {
        let selected = Selection::parse("3-5,10-12").unwrap();
        assert_eq!(selected.range(range()), TimeRange { from: UnixNanos::new(300), to: UnixNanos::new(600) });
        let (from, to) = (Grid::bounds(19).0, Grid::bounds(24).1);
        assert_eq!(selected.condition(), format!("duration>={} duration<{}", format::written(from), format::written(to)));
        for bad in ["", "3,4", "5-3,1-2", "0-60,1-2", "0-1,1-99999999999999999999", "-,-"] {
            assert_eq!(Selection::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn cells_of_two_rows_are_one_and_lead_to_themselves_selected() {
        let cell = |row, count, errors| GridCell { column: 2, row, count, errors };
        let grid = Grid { step: 100, columns: COLUMNS, cells: vec![cell(19, 3, 0), cell(20, 4, 1), cell(30, 1, 0)], ..Grid::default() };
        let clock = Clockface::new(UnixNanos::new(0), None);
        let page = Links::default().plain("/traces");
        let heat = Heat::new(&grid, range(), Selection::parse("2-2,10-10"), Counts::Requests, (&page, &clock));
        assert_eq!((heat.bounds, heat.page.as_str()), ([COLUMNS, 10, 15], "/traces?from=0&to=6000"));
        assert!(heat.summary.replace('\u{a0}', " ").starts_with("8 requests (root spans), 1 failed"), "{}", heat.summary);
        assert!(Heat::new(&grid, range(), None, Counts::Matches, (&page, &clock)).summary.contains("spans that match"));
        assert_eq!(heat.cells.len(), 2);
        assert_eq!((heat.cells[0].facts[2].as_str(), heat.cells[0].facts[3].as_str()), ("7", "1"));
        assert_eq!(heat.cells[0].href, "/traces?from=0&to=6000&sel=2-2%2C10-10");
        let [x, y, width, _] = heat.selected.unwrap();
        assert_eq!((x, y, width), ("20.00".to_owned(), "100.00".to_owned(), "10.00".to_owned()));
        assert!(Heat::new(&Grid::default(), range(), None, Counts::Matches, (&page, &clock)).cells.is_empty());
    }
}
