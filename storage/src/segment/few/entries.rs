//! Which entries of a page of maps pass.

use std::ops::Range;

use parquet::basic::Encoding;

use super::page::{Asked, EachPassing, Page};
use super::walk::Walk;

/// Goes over the values of a page in order, and says where they are.
struct Places<'a> {
    definition: Walk<'a>,
    repetition: Walk<'a>,
    /// The level of what has a value.
    most: u32,
    /// Levels in the page.
    count: usize,
    /// Values that were gone over, rows that were begun, and the number of the last entry in its row.
    values: usize,
    begun: usize,
    entry: usize,
}

/// Goes over rows in order, some of which are wanted.
struct Wanted<'a>(&'a [Range<usize>]);

// === impl Page ===

impl Page<'_> {
    /// Hands over the entries of some rows that pass.
    pub(super) fn entries_passing(&self, rows: &[Range<usize>], asked: Asked<'_>, found: EachPassing<'_>) -> Option<()> {
        let most = u32::try_from(self.column.max_def_level()).ok()?;
        if self.encoding == Encoding::RLE_DICTIONARY {
            let (width, codes) = self.values.split_first()?;
            let (mut codes, mut of) = (Walk::new(codes, u32::from(*width))?, Places::new(self, most)?);
            let (all, mut wanted) = (of.definition.clone().count(self.count, most)?, Wanted(rows));
            let mut hand = |value| {
                let (row, entry) = of.place(value)?;
                if wanted.has(row) { found(row..row + 1, entry) } else { Some(()) }
            };
            return codes.passing(all, asked.known, &mut |mut values| values.try_for_each(&mut hand));
        }
        let levels = self.levels(rows)?;
        let mut levels_of = levels.repetition.iter().zip(&levels.definition);
        let (mut rows, mut row, mut entry) = (rows.iter().cloned().flatten(), 0, 0);
        self.values(&levels.values, None, &mut |value| {
            loop {
                let (repetition, definition) = levels_of.next()?;
                (row, entry) = if *repetition == 0 { (rows.next()?, 0) } else { (row, entry + 1) };
                if *definition == most {
                    break;
                }
            }
            if (asked.pass)(value) { found(row..row + 1, entry) } else { Some(()) }
        })
    }
}

// === impl Places ===

impl<'a> Places<'a> {
    fn new(page: &Page<'a>, most: u32) -> Option<Self> {
        let definition = Walk::new(page.definition, u32::BITS - most.leading_zeros())?;
        let repetition = Walk::new(page.repetition, 1)?;
        Some(Self { definition, repetition, most, count: page.count, values: 0, begun: 0, entry: 0 })
    }

    /// The row of a value and the number of its entry there, by its number among the values of the page; later ones than before alone.
    fn place(&mut self, value: usize) -> Option<(usize, u32)> {
        let over = self.definition.past((value + 1).checked_sub(self.values)?, self.most, self.count)?;
        self.values = value + 1;
        let (begun, behind) = self.repetition.count_and_behind(over, 0)?;
        self.begun += begun;
        self.entry = if begun > 0 { behind } else { self.entry + over };
        Some((self.begun.checked_sub(1)?, u32::try_from(self.entry).ok()?))
    }
}

// === impl Wanted ===

impl Wanted<'_> {
    fn has(&mut self, row: usize) -> bool {
        let over = self.0.iter().take_while(|rows| rows.end <= row).count();
        self.0 = self.0.get(over..).unwrap_or_default();
        self.0.first().is_some_and(|rows| rows.start <= row)
    }
}
