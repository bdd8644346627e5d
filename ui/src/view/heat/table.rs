//! The heat map as a table: wider columns of time, the same rows of durations, and a button that selects each cell.

use super::{COLUMNS, Cells, Clockface, Frame, TOGETHER};
use crate::view::format;
use crate::view::link::Address;

/// Durations by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Where the buttons lead, and what they carry along.
    pub(crate) action: String,
    pub(crate) hidden: Vec<(String, String)>,
    /// When columns begin.
    pub(crate) columns: Vec<String>,
    /// The durations, longest first, and a cell for each column.
    pub(crate) rows: Vec<(String, Vec<TableCell>)>,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableCell {
    /// What selects it.
    pub(crate) sel: String,
    /// Empty for none.
    pub(crate) count: String,
    pub(crate) errors: String,
}

impl Table {
    pub(super) fn new(counts: &Cells, frame: &Frame, fixed: &Address, (lengths, clock): (&[String], &Clockface)) -> Self {
        let firsts = || (0..COLUMNS).step_by(TOGETHER);
        let cell = |row: usize, first: usize| {
            let last = first + TOGETHER - 1;
            let inside = counts.range((first, 0)..=(last, usize::MAX)).filter(|((_, its), _)| *its == row);
            let (count, errors) = inside.fold((0, 0), |sum, (_, counts)| (sum.0 + counts.0, sum.1 + counts.1));
            let shown = |n: u64| if n == 0 { String::new() } else { format::count(n) };
            TableCell { sel: format!("{first}-{last},{row}-{row}"), count: shown(count), errors: shown(errors) }
        };
        let rows = (frame.low..frame.high + 1).zip(lengths).rev();
        Self {
            action: fixed.path().to_owned(),
            hidden: fixed.pairs().to_vec(),
            columns: firsts().map(|first| clock.second(frame.start(first))).collect(),
            rows: rows.map(|(row, length)| (length.clone(), firsts().map(|first| cell(row, first)).collect())).collect(),
        }
    }
}
