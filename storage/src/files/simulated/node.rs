//! A file's bytes: what the process sees, what is on the disk, and what may be.

use std::collections::BTreeMap;

use crate::segment::fixture::Dice;

/// Bytes that are written as a whole or not at all.
pub(super) const SECTOR: usize = 512;

/// A file or a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    is_folder: bool,
    /// What the process sees.
    live: Vec<u8>,
    /// What is on the disk for sure, but for dirty sectors and the length.
    durable: Vec<u8>,
    dirty: BTreeMap<usize, Sector>,
    /// The durable length, and every later one.
    lens: Vec<usize>,
    len_given_up: bool,
}

/// A sector that was written and not synced.
#[derive(Clone, Debug)]
struct Sector {
    /// The durable one, and every later one.
    images: Vec<[u8; SECTOR]>,
    /// A sync failed: no later one writes it.
    given_up: bool,
}

/// Which of `versions` is kept: the last one with a chance of `luck` in 100, else any.
pub(super) fn pick(versions: usize, luck: u64, dice: &mut Dice) -> usize {
    match luck {
        0 if dice.below(8) > 0 => 0,
        100 if dice.below(8) > 0 => versions - 1,
        _ => usize::try_from(dice.below(versions as u64)).unwrap(),
    }
}

fn image(bytes: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut image = [0; SECTOR];
    let start = bytes.len().min(sector * SECTOR);
    let part = &bytes[start..bytes.len().min(start + SECTOR)];
    image[..part.len()].copy_from_slice(part);
    image
}

fn put(bytes: &mut [u8], sector: usize, image: &[u8; SECTOR]) {
    let start = bytes.len().min(sector * SECTOR);
    let end = bytes.len().min(start + SECTOR);
    bytes[start..end].copy_from_slice(&image[..end - start]);
}

// === impl Node ===

impl Node {
    pub(super) fn file() -> Self {
        Self { lens: vec![0], ..Self::default() }
    }

    pub(super) fn folder() -> Self {
        Self { is_folder: true, ..Self::file() }
    }

    pub(super) fn is_folder(&self) -> bool {
        self.is_folder
    }

    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let start = usize::try_from(offset).unwrap();
        let end = start + bytes.len();
        if end > self.live.len() {
            self.set_len(end as u64);
        }
        // Whoever writes the end again has the system try its length again.
        self.len_given_up &= end < self.live.len();
        self.live[start..end].copy_from_slice(bytes);
        self.touch(start, end);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let (old, len) = (self.live.len(), usize::try_from(len).unwrap());
        self.live.resize(len, 0);
        if len < old {
            self.touch(len, old);
        }
        if len != old {
            self.lens.push(len);
            self.len_given_up = false;
        }
    }

    fn touch(&mut self, start: usize, end: usize) {
        for number in start / SECTOR..end.div_ceil(SECTOR) {
            let sector = self.dirty.entry(number).or_insert_with(|| Sector { images: vec![image(&self.durable, number)], given_up: false });
            sector.images.push(image(&self.live, number));
            sector.given_up = false;
        }
    }

    /// What was written is on the disk, but for what an earlier sync gave up.
    pub(super) fn sync(&mut self) {
        if !self.len_given_up {
            self.lens = vec![self.live.len()];
        }
        let len = self.durable.len().max(self.live.len());
        self.durable.resize(len, 0);
        let Self { live, durable, dirty, .. } = self;
        dirty.retain(|number, sector| {
            if !sector.given_up {
                put(durable, *number, &image(live, *number));
            }
            sector.given_up
        });
    }

    /// A sync failed.
    pub(super) fn give_up(&mut self) {
        self.len_given_up = self.lens.len() > 1;
        for sector in self.dirty.values_mut() {
            sector.given_up = true;
        }
    }

    /// What is left when the process is gone, or the power.
    pub(super) fn restart(&mut self, power_failed: bool, luck: u64, dice: &mut Dice) {
        for (number, sector) in &mut self.dirty {
            // The system may forget what it believes to be on the disk, and then reads what is there.
            if power_failed || (sector.given_up && dice.below(2) == 0) {
                let kept = sector.images[pick(sector.images.len(), luck, dice)];
                if (number + 1) * SECTOR > self.durable.len() && power_failed {
                    self.durable.resize((number + 1) * SECTOR, 0);
                }
                if power_failed {
                    put(&mut self.durable, *number, &kept);
                } else {
                    put(&mut self.live, *number, &kept);
                    sector.images = vec![kept];
                }
            }
        }
        if power_failed {
            let len = self.lens[pick(self.lens.len(), luck, dice)];
            self.durable.resize(len, 0);
            self.live.clone_from(&self.durable);
            self.lens = vec![len];
            self.dirty.clear();
            self.len_given_up = false;
        }
    }

    /// Turns a bit, on the disk and in memory.
    pub(super) fn damage(&mut self, byte: u64, bit: u32) {
        let byte = usize::try_from(byte).unwrap();
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(byte) {
                *byte ^= 1 << bit;
            }
        }
        if let Some(sector) = self.dirty.get_mut(&(byte / SECTOR)) {
            sector.images.iter_mut().for_each(|image| image[byte % SECTOR] ^= 1 << bit);
        }
    }
}
