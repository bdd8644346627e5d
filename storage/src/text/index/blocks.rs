//! Sets of blocks of rows of one unit, and which rows they are.

use crate::segment::RowRanges;

use super::{BLOCK_ROWS, MAX_BLOCKS};

/// Blocks, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    all: u32,
    bits: Vec<u64>,
}

/// Blocks of so many rows.
pub(super) fn count(rows: u32) -> u32 {
    rows.div_ceil(BLOCK_ROWS)
}

/// Blocks of parts of so many rows each: each part begins with a block of its own.
pub(super) fn count_all(parts: &[u32]) -> u32 {
    parts.iter().fold(0, |sum, rows| sum.saturating_add(count(*rows)))
}

impl Blocks {
    /// None of so many blocks.
    pub(super) fn new(all: u32) -> Self {
        let all = all.min(MAX_BLOCKS);
        Self { all, bits: vec![0; all.div_ceil(u64::BITS) as usize] }
    }

    /// How many blocks there are, whether in the set or not.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// Adds a block; `None` when there is none of this number.
    pub(super) fn add(&mut self, block: u32) -> Option<()> {
        if block >= self.all {
            return None;
        }
        *self.bits.get_mut((block / u64::BITS) as usize)? |= 1 << (block % u64::BITS);
        Some(())
    }

    /// Adds blocks whose bits are set, the first block in the lowest bit of the first byte.
    pub(super) fn add_bits(&mut self, bytes: &[u8]) {
        for (word, bytes) in self.bits.iter_mut().zip(bytes.chunks(8)) {
            *word |= bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// Blocks in both.
    pub(super) fn both(mut self, other: &Self) -> Self {
        self.bits.iter_mut().zip(&other.bits).for_each(|(word, other)| *word &= other);
        self
    }

    /// Adds the rows of the blocks, which follow those that are there; the blocks are those of parts of so many rows each.
    pub(super) fn add_rows(&self, first_row: u32, parts: &[u32], to: &mut RowRanges) {
        let mut rest = parts.iter().copied();
        // First block, first row and rows of a part.
        let (mut block_of, mut row_of, mut rows) = (0, first_row, rest.next().unwrap_or(0));
        for block in self.iter() {
            while block - block_of >= count(rows) {
                let Some(next) = rest.next() else { return };
                block_of += count(rows);
                row_of += rows;
                rows = next;
            }
            let within = (block - block_of) * BLOCK_ROWS;
            let (start, end) = (row_of + within, row_of + (within + BLOCK_ROWS).min(rows));
            match to.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => to.push(start..end),
            }
        }
    }

    /// Numbers of the blocks, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.bits).flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * u64::BITS + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_rows_of_the_unit_and_touching_ones_are_joined() {
        let mut blocks = Blocks::new(count(2_050));
        for block in [0, 1, 64, 127, 128] {
            blocks.add(block).unwrap();
        }
        assert_eq!(blocks.add(129), None);
        let mut rows = RowRanges::new();
        rows.push(5..100);
        blocks.add_rows(100, &[2_050], &mut rows);
        assert_eq!(rows, [5..132, 1_124..1_140, 2_132..2_150]);
        let mut others = Blocks::new(count(2_050));
        others.add_bits(&[0b10, 0, 0, 0, 0, 0, 0, 0, 1]);
        let mut rows = RowRanges::new();
        blocks.both(&others).add_rows(0, &[2_050], &mut rows);
        assert_eq!(rows, [16..32, 1_024..1_040]);
    }

    #[test]
    fn each_part_begins_with_a_block_of_its_own() {
        let parts = [20, 1, 40];
        let mut blocks = Blocks::new(count_all(&parts));
        assert_eq!(blocks.all(), 2 + 1 + 3);
        for block in [1, 2, 4, 5] {
            blocks.add(block).unwrap();
        }
        let mut rows = RowRanges::new();
        blocks.add_rows(1_000, &parts, &mut rows);
        assert_eq!(rows, [1_016..1_021, 1_037..1_061]);
    }
}
