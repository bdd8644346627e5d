//! Pages of the file of ids: keys in order, each with the blocks of rows that have it.
//!
//! A page is one byte `shift`; the number of stops and the stops; the keys; then the crc32c of all this. Numbers are LEB128. For each key,
//! whose lowest `shift` bits are left out, there is its difference to the key before (for the first one to the first key of the page in the
//! directory, whose bits are left out as well) and its blocks. A stop is a key at which reading can begin, of about every 512th byte: its
//! difference to the stop before, and that of where it is; the first of them to the first key and where keys begin. Blocks are one number: odd for one block, twice its number plus one; 0 when bits follow, one for each block of the unit; otherwise
//! twice how many there are, followed by the first and the differences between each two.
//!
//! As many bits are left out as make next to no two keys of the page one, and at most 13, so that ten bits of the hash tell tokens of one
//! beginning apart. Where many tokens begin alike, as numbered names do, fewer are left out.

use std::ops::RangeInclusive;

use super::super::blocks::Blocks;
use super::BLOCK_BITS;

/// A checked page.
pub(super) struct Page<'a> {
    /// Stops and keys.
    bytes: &'a [u8],
    shift: u32,
    first: u64,
}

/// About how many bytes a page has.
const PAGE_BYTES: usize = 4_096;
/// About how many bytes are read in vain for a key that is not there.
const STOP_BYTES: usize = 512;
/// Bits of keys that are left out at most.
pub(super) const MAX_SHIFT: u32 = 13;
/// One key of so many may become one with its neighbour.
const ALIKE: usize = 256;
const CRC_BYTES: usize = 4;
const BLOCK_MASK: u64 = (1 << BLOCK_BITS) - 1;

pub(super) fn key_of(pair: u64) -> u64 {
    pair >> BLOCK_BITS
}

fn block_of(pair: u64) -> u32 {
    u32::try_from(pair & BLOCK_MASK).unwrap_or(0)
}

/// How many of these pairs of key and block, which are sorted, make a page, and whether it is full. Keys that are equal but for their lowest
/// `together` bits are in one page.
pub(super) fn length(pairs: &[u64], blocks: u32, together: u32) -> (usize, bool) {
    let (mut taken, mut bytes) = (0, 0);
    for alike in pairs.chunk_by(|a, b| key_of(*a) >> together == key_of(*b) >> together) {
        taken += alike.len();
        for group in alike.chunk_by(|a, b| key_of(*a) == key_of(*b)) {
            bytes += 2 + size(group.iter().map(|pair| block_of(*pair)), blocks);
        }
        if bytes >= PAGE_BYTES {
            return (taken, true);
        }
    }
    (taken, false)
}

/// Writes a page of these pairs, which are sorted and different. Of their keys at least the lowest `lost` bits are left out.
pub(super) fn write(pairs: &[u64], blocks: u32, lost: u32, to: &mut Vec<u8>) {
    let begin = to.len();
    let shift = shift(pairs).max(lost);
    to.push(u8::try_from(shift).unwrap_or(0));
    let first = pairs.first().map_or(0, |pair| key_of(*pair)) >> shift;
    let (mut before, mut stops, mut keys) = (first, vec![(first, 0)], Vec::new());
    let mut joined: Vec<u32> = Vec::new();
    for group in pairs.chunk_by(|a, b| key_of(*a) >> shift == key_of(*b) >> shift) {
        let key = group.first().map_or(0, |pair| key_of(*pair)) >> shift;
        if stops.last().is_some_and(|(_, at)| keys.len() - at >= STOP_BYTES) {
            stops.push((key, keys.len()));
        }
        number(key - before, &mut keys);
        before = key;
        joined.clear();
        joined.extend(group.iter().map(|pair| block_of(*pair)));
        // Of several keys that are one now.
        joined.sort_unstable();
        joined.dedup();
        write_blocks(&joined, blocks, &mut keys);
    }
    number(stops.len() as u64 - 1, to);
    for (one, next) in stops.iter().zip(stops.iter().skip(1)) {
        number(next.0 - one.0, to);
        number((next.1 - one.1) as u64, to);
    }
    to.extend_from_slice(&keys);
    let crc = crc32c::crc32c(to.get(begin..).unwrap_or_default());
    to.extend_from_slice(&crc.to_le_bytes());
}

/// How many bits can be left out.
fn shift(pairs: &[u64]) -> u32 {
    // How many neighbours become one when all but so many bits are left out.
    let mut alike = [0_usize; MAX_SHIFT as usize];
    let mut keys = 1;
    for (one, next) in pairs.iter().zip(pairs.iter().skip(1)) {
        if let Some(highest) = (key_of(*one) ^ key_of(*next)).checked_ilog2() {
            keys += 1;
            alike.get_mut(highest as usize).into_iter().for_each(|count| *count += 1);
        }
    }
    let mut lost = 0;
    let is_enough = |count: &usize| {
        lost += count;
        lost > keys / ALIKE
    };
    alike.iter().position(is_enough).and_then(|shift| u32::try_from(shift).ok()).unwrap_or(MAX_SHIFT)
}

fn write_blocks(list: &[u32], blocks: u32, to: &mut Vec<u8>) {
    if let [block] = list {
        return number(u64::from(*block) * 2 + 1, to);
    }
    if size(list.iter().copied(), blocks) > bits_bytes(blocks) {
        to.push(0);
        let begin = to.len();
        to.resize(begin + bits_bytes(blocks), 0);
        for block in list {
            to.get_mut(begin + (block / 8) as usize).into_iter().for_each(|byte| *byte |= 1 << (block % 8));
        }
        return;
    }
    number(list.len() as u64 * 2, to);
    let mut before = 0;
    for block in list {
        number(u64::from(block - before), to);
        before = *block;
    }
}

fn bits_bytes(blocks: u32) -> usize {
    blocks.div_ceil(8) as usize
}

/// Bytes of blocks, ascending, but no more than their bits take.
fn size(list: impl ExactSizeIterator<Item = u32>, blocks: u32) -> usize {
    let of = |number: u32| (number.max(1).ilog2() / 7) as usize + 1;
    let (count, most) = (list.len(), bits_bytes(blocks) + 1);
    if count == 1 {
        return 2;
    }
    let (mut bytes, mut before) = (2, 0);
    for block in list {
        bytes += of(block - before);
        before = block;
        if bytes > most {
            return most;
        }
    }
    bytes
}

fn number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push((value & 0x7f) as u8);
}

/// Takes a number off the front.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl<'a> Page<'a> {
    /// Checks the bytes of a page that begins with a key; `None` when it is damaged.
    pub(super) fn new(bytes: &'a [u8], first: u64) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return None;
        }
        let (shift, bytes) = body.split_first()?;
        let shift = u32::from(*shift);
        (shift < u64::BITS).then_some(Self { bytes, shift, first })
    }

    /// Adds the blocks of all these keys; `None` when the page makes no sense.
    pub(super) fn collect(&self, keys: &RangeInclusive<u64>, found: &mut Blocks) -> Option<()> {
        let (from, to) = (keys.start() >> self.shift, keys.end() >> self.shift);
        let (mut key, mut rest) = self.last_stop(from)?;
        while !rest.is_empty() && key <= to {
            if key < from {
                skip(&mut rest, found)?
            } else {
                add(&mut rest, found)?
            }
            key = if rest.is_empty() { key } else { key.checked_add(take(&mut rest)?)? };
        }
        Some(())
    }

    /// How many lowest bits of its keys are left out.
    pub(super) fn shift(&self) -> u32 {
        self.shift
    }

    /// Adds all its keys, with 0 for the bits that are left out, with their blocks, of which there are so many and which are counted from
    /// `first_block` on; `None` when the page makes no sense.
    pub(super) fn pairs(&self, blocks: u32, first_block: u32, to: &mut Vec<u64>) -> Option<()> {
        let (mut key, mut rest) = self.last_stop(self.first >> self.shift)?;
        loop {
            let pair = (key << self.shift) << BLOCK_BITS;
            each(&mut rest, blocks, |block| to.push(pair | u64::from(first_block + block)))?;
            if rest.is_empty() {
                return Some(());
            }
            key = key.checked_add(take(&mut rest)?)?;
        }
    }

    /// The last key at which reading can begin and that is not above one, or else the first one, and what follows it.
    fn last_stop(&self, key: u64) -> Option<(u64, &'a [u8])> {
        let mut rest = self.bytes;
        let count = take(&mut rest)?;
        let (mut best, mut stop, mut at) = ((self.first >> self.shift, 0), self.first >> self.shift, 0);
        for _ in 0..count {
            stop = stop.checked_add(take(&mut rest)?)?;
            at += usize::try_from(take(&mut rest)?).ok().filter(|step| *step <= self.bytes.len())?;
            if stop <= key {
                best = (stop, at);
            }
        }
        let mut keys = rest.get(best.1..)?;
        // How far it is from the key before it.
        take(&mut keys)?;
        Some((best.0, keys))
    }
}

fn add(rest: &mut &[u8], found: &mut Blocks) -> Option<()> {
    match take(rest)? {
        0 => {
            let (bits, later) = rest.split_at_checked(found.all().div_ceil(8) as usize)?;
            *rest = later;
            found.add_bits(bits);
        }
        one if one % 2 == 1 => found.add(u32::try_from(one / 2).ok()?)?,
        many => {
            let mut block = 0_u32;
            for _ in 0..many / 2 {
                block = block.checked_add(u32::try_from(take(rest)?).ok()?)?;
                found.add(block)?;
            }
        }
    }
    Some(())
}

/// Visits the blocks of a key, of which there are so many in all.
fn each(rest: &mut &[u8], blocks: u32, mut visit: impl FnMut(u32)) -> Option<()> {
    let mut check = |block: u32| (block < blocks).then(|| visit(block));
    match take(rest)? {
        0 => {
            let (bits, later) = rest.split_at_checked(bits_bytes(blocks))?;
            *rest = later;
            for (at, byte) in (0_u32..).zip(bits) {
                (0..8).filter(|bit| byte >> bit & 1 != 0).try_for_each(|bit| check(at * 8 + bit))?;
            }
        }
        one if one % 2 == 1 => check(u32::try_from(one / 2).ok()?)?,
        many => {
            let mut block = 0_u32;
            for _ in 0..many / 2 {
                block = block.checked_add(u32::try_from(take(rest)?).ok()?)?;
                check(block)?;
            }
        }
    }
    Some(())
}

fn skip(rest: &mut &[u8], all: &Blocks) -> Option<()> {
    match take(rest)? {
        0 => *rest = rest.split_at_checked(all.all().div_ceil(8) as usize)?.1,
        one if one % 2 == 1 => {}
        many => {
            for _ in 0..many / 2 {
                take(rest)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::blocks;
    use super::*;

    proptest! {
        #[test]
        fn every_pair_is_found_and_few_others(
            rows in 1u32..131_073, keys in prop::collection::vec((0u64..1 << 47, 1usize..40), 1..60), seed: u64, dense in any::<bool>(), lost in 0..=MAX_SHIFT,
        ) {
            let all = blocks::count(rows);
            let mut x = seed | 1;
            let mut pairs: Vec<u64> = Vec::new();
            for (key, blocks) in &keys {
                // Close to each other, as keys of one beginning are.
                let key = if dense { (1 << 40) + key % 5_000 } else { *key };
                for _ in 0..*blocks * if seed % 3 == 0 { 40 } else { 1 } {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    pairs.push((key << BLOCK_BITS) | ((x >> 33) % u64::from(all)));
                }
            }
            pairs.sort_unstable();
            pairs.dedup();
            let first = key_of(pairs[0]);
            let mut bytes = Vec::new();
            write(&pairs, all, lost, &mut bytes);
            prop_assert!(bytes.len() < 60 * 1_100);
            let page = Page::new(&bytes, first).unwrap();
            for group in pairs.chunk_by(|a, b| key_of(*a) == key_of(*b)) {
                let key = key_of(group[0]);
                let mut found = Blocks::new(all);
                page.collect(&(key..=key), &mut found).unwrap();
                // What is one key in the page.
                let mut expected = Blocks::new(all);
                let alike = pairs.iter().filter(|pair| key_of(**pair) >> page.shift == key >> page.shift);
                alike.for_each(|pair| expected.add(block_of(*pair)).unwrap());
                prop_assert_eq!(found, expected);
            }
            let (from, to) = (keys[0].0.min(keys[keys.len() - 1].0), keys[0].0.max(keys[keys.len() - 1].0));
            let mut found = Blocks::new(all);
            page.collect(&(from..=to), &mut found).unwrap();
            let mut expected = Blocks::new(all);
            let within = pairs.iter().filter(|pair| (from >> page.shift..=to >> page.shift).contains(&(key_of(**pair) >> page.shift)));
            within.for_each(|pair| expected.add(block_of(*pair)).unwrap());
            prop_assert_eq!(found, expected);
            prop_assert!(length(&pairs, all, 0).0 >= 1);
            let together = length(&pairs, all, MAX_SHIFT).0;
            prop_assert!(pairs.get(together).is_none_or(|next| key_of(*next) >> MAX_SHIFT > key_of(pairs[together - 1]) >> MAX_SHIFT));
            let mut all_pairs = Vec::new();
            page.pairs(all, 0, &mut all_pairs).unwrap();
            let mut expected: Vec<u64> =
                pairs.iter().map(|pair| (key_of(*pair) >> page.shift() << page.shift()) << BLOCK_BITS | u64::from(block_of(*pair))).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(all_pairs, expected);
        }

        #[test]
        fn damaged_pages_are_refused_and_no_bytes_are_trusted(bytes in prop::collection::vec(any::<u8>(), 0..300), at: prop::sample::Index, first: u64) {
            let mut whole = bytes.clone();
            whole.extend(crc32c::crc32c(&bytes).to_le_bytes());
            // Any bytes of a right checksum are read without panicking.
            if let Some(page) = Page::new(&whole, first) {
                let _ = page.collect(&(0..=u64::MAX), &mut Blocks::new(63));
                let _ = page.pairs(63, 100, &mut Vec::new());
            }
            let at = at.index(whole.len());
            whole[at] ^= 1;
            prop_assert!(Page::new(&whole, first).is_none());
        }
    }

    #[test]
    fn keys_that_lie_close_to_each_other_keep_their_bits() {
        for (distance, shift) in [(36, 13), (14, 13), (9, 9), (0, 0)] {
            let pairs: Vec<u64> = (0..1_000_u64).map(|number| (number << distance) << BLOCK_BITS).collect();
            let mut bytes = Vec::new();
            write(&pairs, 7, 0, &mut bytes);
            assert_eq!(bytes[0], shift, "{distance}");
        }
    }
}
