//! Compares an index of words with the bodies that it was made of, by making it again.

use std::io;

use super::super::Tokenizer;
use super::builder::UnitBuilder;
use super::{Index, Unit};

/// An index, and the bodies so far.
#[derive(Debug)]
pub(crate) struct Comparison {
    index: Index,
    /// The unit that the next body belongs to.
    unit: usize,
    builder: UnitBuilder,
    tokenizer: Tokenizer,
    is_equal: bool,
}

impl Comparison {
    pub(crate) fn new(index: Index) -> Self {
        Self { index, unit: 0, builder: UnitBuilder::default(), tokenizer: Tokenizer::default(), is_equal: true }
    }

    /// Adds the body of the next row.
    pub(crate) fn push(&mut self, body: Option<&str>) -> io::Result<()> {
        let Some(unit) = self.index.units.get(self.unit) else {
            self.is_equal = false;
            return Ok(());
        };
        self.builder.push(body, &mut self.tokenizer)?;
        if self.builder.rows() >= unit.rows {
            self.is_equal &= is_made_again(&mut self.builder, unit, &self.index)?;
            self.unit += 1;
        }
        Ok(())
    }

    /// Whether the index has the words of all bodies, and no others.
    pub(crate) fn finish(self) -> bool {
        self.is_equal && self.unit == self.index.units.len()
    }
}

/// Whether the bodies of a unit make both its parts: the bytes of its ids, and the blocks of its words.
fn is_made_again(builder: &mut UnitBuilder, unit: &Unit, index: &Index) -> io::Result<bool> {
    let made = builder.finish()?;
    let found = unit.words.reader(&index.bundle)?;
    Ok(made.ids == index.bundle.read_blob(unit.ids.blob())? && made.words.reader(unit.rows)?.equals(&found)?)
}
