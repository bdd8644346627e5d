//! Builds the file of ids: tokens become pairs of key and block, which are sorted.

use std::io;

use super::super::blocks;
use super::file::FileWriter;
use super::{BLOCK_BITS, key, page};

/// The ids of a unit that is being built.
#[derive(Debug)]
pub(in super::super) struct IdsBuilder {
    /// Key and block of every token, some twice.
    pairs: Vec<u64>,
    /// Those that came lately, by their lowest bits, so that few come twice.
    recent: Vec<u64>,
}

/// Pairs that end a unit: 24 MiB.
const UNIT_PAIRS: usize = 3 << 20;
/// A power of two.
const RECENT: usize = 4_096;

// === impl IdsBuilder ===

impl Default for IdsBuilder {
    fn default() -> Self {
        Self { pairs: Vec::new(), recent: vec![u64::MAX; RECENT] }
    }
}

impl IdsBuilder {
    pub(in super::super) fn push(&mut self, token: &str, block: u32) {
        let pair = (key::of(token) << BLOCK_BITS) | u64::from(block);
        let place = usize::try_from(pair >> BLOCK_BITS).unwrap_or_default() % RECENT;
        if let Some(recent) = self.recent.get_mut(place)
            && std::mem::replace(recent, pair) != pair
        {
            self.pairs.push(pair);
        }
    }

    /// Whether the unit ends here, to bound its memory.
    pub(in super::super) fn is_full(&self) -> bool {
        self.pairs.len() >= UNIT_PAIRS
    }

    /// The file of a unit of so many rows; begins the next one.
    pub(in super::super) fn finish(&mut self, rows: u32) -> io::Result<Vec<u8>> {
        let mut pairs = std::mem::take(&mut self.pairs);
        self.recent.fill(u64::MAX);
        pairs.sort_unstable();
        pairs.dedup();
        let (mut file, blocks) = (Vec::new(), blocks::count(rows));
        let mut writer = FileWriter::new(&mut file);
        let mut rest = pairs.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(page::length(rest, blocks, 0).0);
            writer.page(now, blocks, 0)?;
            rest = later;
        }
        writer.finish(&[rows])?;
        // The memory is used again for the next unit.
        pairs.clear();
        self.pairs = pairs;
        Ok(file)
    }
}
