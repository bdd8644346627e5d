//! Sets of blocks of rows of one unit.

use crate::segment::RowRanges;

use super::{BLOCK_ROWS, UNIT_ROWS};

/// Blocks, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    rows: u32,
    bits: Vec<u64>,
}

/// Blocks of so many rows.
pub(super) fn count(rows: u32) -> u32 {
    rows.div_ceil(BLOCK_ROWS)
}

impl Blocks {
    /// None of the blocks of a unit.
    pub(super) fn new(rows: u32) -> Self {
        let rows = rows.min(UNIT_ROWS);
        Self { rows, bits: vec![0; count(rows).div_ceil(u64::BITS) as usize] }
    }

    /// How many blocks there are, whether in the set or not.
    pub(super) fn all(&self) -> u32 {
        count(self.rows)
    }

    /// Adds a block; `None` when there is none of this number.
    pub(super) fn add(&mut self, block: u32) -> Option<()> {
        if block >= self.all() {
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

    /// Adds the rows of the blocks, which follow those that are there.
    pub(super) fn add_rows(&self, first_row: u32, to: &mut RowRanges) {
        for (at, word) in (0_u32..).zip(&self.bits) {
            let mut word = *word;
            while word != 0 {
                let block = at * u64::BITS + word.trailing_zeros();
                word &= word - 1;
                let start = first_row + block * BLOCK_ROWS;
                let end = first_row + ((block + 1) * BLOCK_ROWS).min(self.rows);
                match to.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ if start < end => to.push(start..end),
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_rows_of_the_unit_and_touching_ones_are_joined() {
        let mut blocks = Blocks::new(2_050);
        for block in [0, 1, 64, 127, 128] {
            blocks.add(block).unwrap();
        }
        assert_eq!(blocks.add(129), None);
        let mut rows = RowRanges::new();
        rows.push(5..100);
        blocks.add_rows(100, &mut rows);
        assert_eq!(rows, [5..132, 1_124..1_140, 2_132..2_150]);
        let mut others = Blocks::new(2_050);
        others.add_bits(&[0b10, 0, 0, 0, 0, 0, 0, 0, 1]);
        let mut rows = RowRanges::new();
        blocks.both(&others).add_rows(0, &mut rows);
        assert_eq!(rows, [16..32, 1_024..1_040]);
    }
}
