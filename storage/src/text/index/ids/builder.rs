//! Builds the file of ids: tokens become pairs of key and block, which are sorted.

use super::{BLOCK_BITS, ENTRY_BYTES, key, page};

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
    pub(in super::super) fn finish(&mut self, rows: u32) -> Vec<u8> {
        let mut pairs = std::mem::take(&mut self.pairs);
        self.recent.fill(u64::MAX);
        pairs.sort_unstable();
        pairs.dedup();
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        let mut rest = pairs.as_slice();
        while let Some(first) = rest.first() {
            let (now, later) = rest.split_at(page::length(rest, rows));
            directory.extend_from_slice(&(first >> BLOCK_BITS).to_le_bytes());
            directory.extend_from_slice(&u32::try_from(file.len()).unwrap_or(u32::MAX).to_le_bytes());
            page::write(now, rows, &mut file);
            rest = later;
        }
        let pages = u32::try_from(directory.len() / ENTRY_BYTES).unwrap_or(u32::MAX);
        directory.extend_from_slice(&rows.to_le_bytes());
        directory.extend_from_slice(&pages.to_le_bytes());
        let crc = crc32c::crc32c(&directory);
        file.extend_from_slice(&directory);
        file.extend_from_slice(&crc.to_le_bytes());
        // The memory is used again for the next unit.
        pairs.clear();
        self.pairs = pairs;
        file
    }
}
