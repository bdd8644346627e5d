//! Rows in columns, for people.

use std::io::{self, Write};

/// Rows with names of their columns.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

// === impl Table ===

impl Table {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, rows: Vec::new() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Columns as wide as their widest cell, up to a bound; the last one is not cut.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let lines: Vec<Vec<String>> =
            std::iter::once(&self.names).chain(&self.rows).map(|cells| cells.iter().map(|cell| shown(cell)).collect()).collect();
        let mut widths = vec![0; self.names.len()];
        for cells in &lines {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count()).min(MAX_WIDTH);
            }
        }
        for cells in &lines {
            let mut line = String::new();
            for (place, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let is_last = place + 1 == cells.len();
                let cut: String = if is_last { cell.clone() } else { cell.chars().take(*width).collect() };
                line.push_str(&cut);
                if !is_last {
                    line.extend(std::iter::repeat_n(' ', width - cut.chars().count() + 2));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Telemetry is text from others: what would move the cursor of a terminal is shown as a mark.
fn shown(cell: &str) -> String {
    cell.chars()
        .map(|c| if c.is_control() || is_directional(c) { if c == '\n' || c == '\t' { ' ' } else { '\u{fffd}' } } else { c })
        .collect()
}

/// Marks that turn the direction of what follows.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Of a column that is not the last.
const MAX_WIDTH: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec!["name".to_owned(), "body".to_owned()]);
        table.row(vec!["a\u{1b}[2J".to_owned(), "one\ntwo".to_owned()]);
        table.row(vec!["=1+1".to_owned(), "say \"hi\", then".to_owned()]);
        table
    }

    #[test]
    fn columns_line_up_and_nothing_moves_the_cursor() {
        let mut out = Vec::new();
        table().write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name   body\na\u{fffd}[2J  one two\n=1+1   say \"hi\", then\n");
    }
}
