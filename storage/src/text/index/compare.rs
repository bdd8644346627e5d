//! Compares an index of words with the bodies that it was made of, by making it again.

use std::io;

use super::super::Tokenizer;
use super::builder::{UnitBuilder, WrittenUnit};
use super::ids::{self, Ids, Source};
use super::words::Written;
use super::{Index, Unit};

/// An index, and the bodies so far.
#[derive(Debug)]
pub(crate) struct Comparison {
    index: Index,
    /// The unit that the next body belongs to.
    unit: usize,
    /// Its parts so far.
    made: Vec<WrittenUnit>,
    builder: UnitBuilder,
    tokenizer: Tokenizer,
    is_equal: bool,
}

impl Comparison {
    pub(crate) fn new(index: Index) -> Self {
        Self { index, unit: 0, made: Vec::new(), builder: UnitBuilder::default(), tokenizer: Tokenizer::default(), is_equal: true }
    }

    /// Adds the body of the next row.
    pub(crate) fn push(&mut self, body: Option<&str>) -> io::Result<()> {
        let unit = self.index.units.get(self.unit);
        let Some((unit, rows)) = unit.and_then(|unit| Some((unit, *unit.ids.parts().get(self.made.len())?))) else {
            self.is_equal = false;
            return Ok(());
        };
        self.builder.push(body, &mut self.tokenizer)?;
        if self.builder.rows() >= rows {
            self.made.push(self.builder.finish()?);
            if self.made.len() == unit.ids.parts().len() {
                self.is_equal &= is_made_again(std::mem::take(&mut self.made), unit, &self.index)?;
                self.unit += 1;
            }
        }
        Ok(())
    }

    /// Whether the index has the words of all bodies, and no others.
    pub(crate) fn finish(self) -> bool {
        self.is_equal && self.unit == self.index.units.len()
    }
}

/// Whether the parts of a unit make its files: the bytes of its ids, and the blocks of its words.
fn is_made_again(made: Vec<WrittenUnit>, unit: &Unit, index: &Index) -> io::Result<bool> {
    let made = joined(made)?;
    let stored = index.bundle.read_blob(&unit.ids_blob)?;
    let ids = Ids::open(&Source::Bytes(&made.ids))?;
    // What follows is how many rows they are, which is known.
    let is_same = made.ids.get(..ids.content()) == stored.get(..unit.ids.content());
    let words = unit.words.reader(&index.bundle)?;
    Ok(is_same && made.words.reader(unit.ids.blocks())?.equals(&words)?)
}

/// The unit of which these are the parts.
fn joined(mut parts: Vec<WrittenUnit>) -> io::Result<WrittenUnit> {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return Ok(part);
    }
    let sources: Vec<Source<'_>> = parts.iter().map(|part| Source::Bytes(&part.ids)).collect();
    let of_parts: Vec<Ids> = sources.iter().map(Ids::open).collect::<io::Result<_>>()?;
    let mut file = Vec::new();
    ids::join(&of_parts.iter().zip(sources).collect::<Vec<_>>(), &mut file)?;
    let words = Written::join(&parts.iter().map(|part| part.words.index().clone()).collect::<Vec<_>>())?;
    Ok(WrittenUnit { ids: file, words })
}
