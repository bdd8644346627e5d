//! A heat map of durations over time: geometry for SVG, the part that is selected, and the same as a table.
//!
//! Cells are drawn by one path for each strength, and the script knows them by one attribute: a link for each would make most of the page.
//! Without a script five columns are a link, and the table has a button for each of its cells. Few spans are drawn one by one: see `scatter`.

use std::collections::BTreeMap;

use storage::{Grid, TimeRange, UnixNanos};

use super::chart::{Parts, in_seconds, is_ten, ticks};
use super::format::{self, Clockface};
use super::link::Address;

mod scatter;
mod table;

pub(crate) use self::scatter::Dot;
pub(crate) use self::table::Table;

/// The map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heat {
    /// Strength and path of the cells that have it.
    pub(crate) layers: Vec<(String, String)>,
    /// How high a cell is drawn.
    pub(crate) height: String,
    /// The marks of failures: strength and path of those that have it.
    pub(crate) failed: Vec<(String, String)>,
    /// Spans in place of cells.
    pub(crate) dots: Vec<Dot>,
    /// Left edge, address and words of several columns each, where they hold something.
    pub(crate) strips: Vec<(String, String, String)>,
    /// Their width.
    pub(crate) strip: String,
    /// For each column row, how many and how many failed, of its cells; empty without any.
    pub(crate) cells: String,
    /// When columns begin, and what rows hold from the lowest up, for the script.
    pub(crate) times: String,
    pub(crate) lengths: String,
    pub(crate) table: Table,
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
    /// The first span of each trace: there is no query.
    Roots,
    /// Spans that match the query.
    Matches,
    /// All spans of the traces that the query finds.
    Found,
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

    /// As [`Selection::parse`] reads it.
    pub(crate) fn written(&self) -> String {
        let Self { columns, rows } = self;
        format!("{}-{},{}-{}", columns.0, columns.1, rows.0, rows.1)
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
        format!("{}, {}", clock.range(self.range(range)), format::spanned(from, to))
    }
}

impl Heat {
    /// Draws a grid; what is selected of it is shown by `page`, in a window that no longer moves.
    pub(crate) fn new(
        grid: &Grid,
        range: TimeRange,
        selected: Option<Selection>,
        counts_what: Counts,
        (page, clock): (&Address, &Clockface),
    ) -> Self {
        let mut counts: Cells = BTreeMap::new();
        for cell in &grid.cells {
            let entry = counts.entry((cell.column, row_of(cell.row))).or_default();
            *entry = (entry.0 + cell.count, entry.1 + cell.errors);
        }
        let rows = || counts.keys().map(|(_, row)| *row);
        let (Some(low), Some(high)) = (rows().min(), rows().max()) else { return Self::default() };
        let frame = Frame { low, high, most: counts.values().map(|(count, _)| *count).max().unwrap_or(1), step: grid.step, range };
        let fixed = page.clone().with("from", &range.from.get().to_string()).with("to", &range.to.get().to_string());
        let all = counts.values().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        let lengths: Vec<String> = (low..=high).map(|row| format::spanned(bounds(row).0, bounds(row).1)).collect();
        Self {
            layers: frame.layers(&counts),
            height: format!("{:.2}", (frame.height() - 0.6).max(0.4)),
            failed: frame.failed(&counts),
            dots: Vec::new(),
            strips: frame.strips(&counts, &fixed, clock),
            strip: left(TOGETHER),
            cells: Frame::cells(&counts),
            times: (0..COLUMNS).map(|column| clock.second(frame.start(column))).collect::<Vec<_>>().join("|"),
            table: Table::new(&counts, &frame, &fixed, (&lengths, clock)),
            lengths: lengths.join("|"),
            rows: frame.labels(),
            ticks: ticks(range, clock),
            selected: selected.map(|selected| frame.outline(selected)),
            bounds: [COLUMNS, low, high],
            page: fixed.href(),
            summary: format!(
                "{}, {} failed, drawn in rows from {} to {}",
                match counts_what {
                    Counts::Roots => format::counted(all.0, "trace (by its root span)", "traces (by their root spans)"),
                    Counts::Matches => format::counted(all.0, "span that matches", "spans that match"),
                    Counts::Found => format::counted(all.0, "span of the traces found", "spans of the traces found"),
                },
                format::exact(all.1),
                format::duration(bounds(low).0),
                match bounds(high) {
                    (from, u64::MAX) => format!("{} and more", format::duration(from)),
                    (_, to) => format::duration(to),
                }
            ),
            has_errors: all.1 > 0,
        }
    }
}

/// How many, and how many of them failed, by column and row.
type Cells = BTreeMap<(usize, usize), (u64, u64)>;

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

    fn start(&self, column: usize) -> UnixNanos {
        self.range.from.plus(self.step.saturating_mul(column as u64))
    }

    /// Cells of about the same number as strokes along their middle; those in which everything failed are marks alone.
    fn layers(&self, counts: &Cells) -> Vec<(String, String)> {
        let mut paths: BTreeMap<u64, String> = BTreeMap::new();
        for ((column, row), (count, _)) in counts.iter().filter(|(_, (count, errors))| errors < count) {
            let middle = self.top(*row) + (self.height() - 0.6) / 2.0;
            paths.entry(self.level(*count)).or_default().push_str(&format!("M{} {middle:.1}h9.4", left(*column)));
        }
        paths.into_iter().map(|(level, path)| (strength(0.22, level), path)).collect()
    }

    /// At the bottom of cells, as high as the part that failed. Where everything did, as strong as there are many; else to be seen.
    fn failed(&self, counts: &Cells) -> Vec<(String, String)> {
        let height = self.height();
        let mut paths: BTreeMap<u64, String> = BTreeMap::new();
        for ((column, row), (count, errors)) in counts.iter().filter(|(_, (_, errors))| *errors > 0) {
            let mark = (height * format::ratio(*errors, *count)).clamp(height.min(3.0) * 0.6, height);
            let (top, mark) = (self.top(*row) + height - mark, (mark - 0.6).max(0.4));
            let level = if errors < count { STRENGTHS } else { self.level(*count) };
            paths.entry(level).or_default().push_str(&format!("M{} {top:.1}h9.4v{mark:.1}h-9.4z", left(*column)));
        }
        paths.into_iter().map(|(level, path)| (strength(0.3, level), path)).collect()
    }

    /// How strong a cell is, by the logarithm of its number.
    fn level(&self, count: u64) -> u64 {
        let logarithm = |n: u64| (1.0 + format::ratio(n, 1)).ln();
        let part = logarithm(count) / logarithm(self.most);
        (1..STRENGTHS).find(|level| part <= format::ratio(*level, STRENGTHS)).unwrap_or(STRENGTHS)
    }

    /// Columns, several together, that hold something, each with the address at which they are selected.
    fn strips(&self, counts: &Cells, fixed: &Address, clock: &Clockface) -> Vec<(String, String, String)> {
        let mut firsts: Vec<usize> = counts.keys().map(|(column, _)| column / TOGETHER * TOGETHER).collect();
        firsts.dedup();
        let strip = |first: usize| {
            let href = fixed.clone().with("sel", &format!("{first}-{},{}-{}", first + TOGETHER - 1, self.low, self.high)).href();
            (left(first), href, clock.second(self.start(first)))
        };
        firsts.into_iter().map(strip).collect()
    }

    /// Cells for the script, column by column: `row,count`, and `,errors` where there are any.
    fn cells(counts: &Cells) -> String {
        let mut columns = vec![String::new(); COLUMNS];
        for ((column, row), (count, errors)) in counts {
            let Some(cells) = columns.get_mut(*column) else { continue };
            let failed = if *errors > 0 { format!(",{errors}") } else { String::new() };
            cells.push_str(&format!("{}{row},{count}{failed}", if cells.is_empty() { "" } else { " " }));
        }
        columns.join("|")
    }

    /// At powers of ten, at most six.
    fn labels(&self) -> Vec<(String, String)> {
        let tens: Vec<usize> = (self.low..=self.high + 1).filter(|row| is_ten(bounds(*row).0)).collect();
        let mut chosen = if tens.len() >= 2 { tens } else { vec![self.low, self.high + 1] };
        chosen.retain(|row| bounds(*row).0 != u64::MAX);
        let every = chosen.len().div_ceil(6);
        let place =
            |row: usize| format!("{:.1}", 100.0 - format::ratio((row - self.low) as u64, (self.high + 1 - self.low) as u64) * 100.0);
        chosen.into_iter().step_by(every).map(|row| (said(bounds(row).0), place(row))).collect()
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

/// A level as an opacity, of which the weakest has a little more than `least`.
fn strength(least: f64, level: u64) -> String {
    format!("{:.2}", least + (1.0 - least) * format::ratio(level, STRENGTHS))
}

/// The left edge of a column; columns are ten wide.
fn left(column: usize) -> String {
    format!("{}", column * 10)
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

/// Powers of ten in one unit.
fn said(nanos: u64) -> String {
    if is_ten(nanos) { in_seconds(nanos) } else { format::round_duration(nanos) }
}

/// How many strengths of the colour are told apart.
const STRENGTHS: u64 = 8;

/// Columns that are selected together without the script.
const TOGETHER: usize = 5;

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
mod tests;
