//! Levels and codes as pages have them: runs of equal numbers, and numbers in groups of eight.

use std::ops::Range;

use super::asked::{Passing, few_packed};
use crate::encoded::varint;

/// Walks over numbers in Parquet's run-length and bit-packed hybrid (`segment/hybrid.rs`). Runs are gone over at once.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    width: u32,
    run: Run<'a>,
    /// Numbers of the run that are left, and the place of the first of them.
    left: usize,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Run<'a> {
    Same(u32),
    Packed(&'a [u8]),
}

/// So many numbers are worth looking at several at once.
const MANY: usize = 24;

// === impl Walk ===

impl<'a> Walk<'a> {
    /// Over numbers of so many bits; `None` for more than 32.
    pub(super) fn new(bytes: &'a [u8], width: u32) -> Option<Self> {
        (width <= 32).then_some(Self { rest: bytes, width, run: Run::Same(0), left: 0, at: 0 })
    }

    /// Makes sure that there is a number left.
    fn fill(&mut self) -> Option<()> {
        while self.left == 0 {
            let header = varint(&mut self.rest)?;
            let many = usize::try_from(header >> 1).ok()?;
            self.at = 0;
            if header & 1 == 0 {
                let (value, rest) = self.rest.split_at_checked(self.width.div_ceil(8) as usize)?;
                self.run = Run::Same(value.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
                (self.rest, self.left) = (rest, many);
            } else {
                let (packed, rest) = self.rest.split_at_checked(many.checked_mul(self.width as usize)?)?;
                self.run = Run::Packed(packed);
                (self.rest, self.left) = (rest, many.checked_mul(8)?);
            }
        }
        Some(())
    }

    fn step(&mut self, count: usize) {
        self.left -= count;
        self.at += count;
    }

    #[inline]
    fn number(&self, ahead: usize) -> u32 {
        match self.run {
            Run::Same(value) => value,
            Run::Packed(packed) => u32::try_from(bits(packed, (self.at + ahead) * self.width as usize, self.width)).unwrap_or(u32::MAX),
        }
    }

    /// Appends the next numbers.
    pub(super) fn take(&mut self, mut count: usize, out: &mut Vec<u32>) -> Option<()> {
        while count > 0 {
            self.fill()?;
            let now = count.min(self.left);
            out.extend((0..now).map(|ahead| self.number(ahead)));
            self.step(now);
            count -= now;
        }
        Some(())
    }

    /// Goes over the next numbers.
    pub(super) fn skip(&mut self, mut count: usize) -> Option<()> {
        while count > 0 {
            self.fill()?;
            let now = count.min(self.left);
            self.step(now);
            count -= now;
        }
        Some(())
    }

    /// Goes over the next numbers and counts those that are `wanted`.
    pub(super) fn count(&mut self, mut count: usize, wanted: u32) -> Option<usize> {
        let mut found = 0;
        while count > 0 {
            self.fill()?;
            let mut now = count.min(self.left);
            found += match self.run {
                Run::Same(value) => usize::from(value == wanted) * now,
                // Eight of one bit are a byte.
                Run::Packed(packed) if self.width == 1 && self.at.is_multiple_of(8) && now >= 8 => {
                    now -= now % 8;
                    let bytes = packed.get(self.at / 8..(self.at + now) / 8)?;
                    let ones = bytes.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
                    if wanted == 1 { ones } else { now - ones }
                }
                Run::Packed(_) => (0..now).filter(|ahead| self.number(*ahead) == wanted).count(),
            };
            self.step(now);
            count -= now;
        }
        Some(found)
    }

    /// Goes over the next numbers and counts those that are `wanted`, and how many are behind the last of these.
    pub(super) fn count_and_behind(&mut self, mut count: usize, wanted: u32) -> Option<(usize, usize)> {
        let (mut found, mut behind) = (0, 0);
        while count > 0 {
            self.fill()?;
            let mut now = count.min(self.left);
            let (many, after) = match self.run {
                Run::Same(value) if value == wanted => (now, 0),
                Run::Same(_) => (0, 0),
                // Eight of one bit are a byte.
                Run::Packed(packed) if self.width == 1 && wanted <= 1 && self.at.is_multiple_of(8) && now >= 8 => {
                    now = 8;
                    let byte = *packed.get(self.at / 8)?;
                    let byte = if wanted == 1 { byte } else { !byte };
                    (byte.count_ones() as usize, byte.leading_zeros() as usize)
                }
                Run::Packed(_) => {
                    now = 1;
                    (usize::from(self.number(0) == wanted), 0)
                }
            };
            behind = if many > 0 { after } else { behind + now };
            found += many;
            self.step(now);
            count -= now;
        }
        Some((found, behind))
    }

    /// Goes over the next numbers, until so many of them were `wanted`; how many these are, which may be no more than `most`.
    pub(super) fn past(&mut self, mut count: usize, wanted: u32, most: usize) -> Option<usize> {
        let mut over = 0;
        while count > 0 {
            self.fill()?;
            let room = self.left.min(most - over);
            let (now, found) = match self.run {
                Run::Same(value) if value == wanted => (room.min(count), room.min(count)),
                Run::Same(_) => (room, 0),
                // Eight of one bit are a byte.
                Run::Packed(packed) if self.width == 1 && wanted == 1 && count >= 8 && room >= 8 && self.at.is_multiple_of(8) => {
                    (8, packed.get(self.at / 8)?.count_ones() as usize)
                }
                Run::Packed(_) => (1.min(room), usize::from(self.number(0) == wanted)),
            };
            if now == 0 {
                return None;
            }
            self.step(now);
            over += now;
            count -= found;
        }
        Some(over)
    }

    /// Goes over the next numbers and hands over the places, among these, of those that pass. May fail at one of which nothing is said.
    pub(super) fn passing(&mut self, count: usize, asked: &Passing, found: &mut dyn FnMut(Range<usize>) -> Option<()>) -> Option<()> {
        let mut place = 0;
        while place < count {
            self.fill()?;
            let now = self.left.min(count - place);
            match self.run {
                Run::Same(value) => {
                    if asked.passes(value as usize)? {
                        found(place..place + now)?;
                    }
                }
                Run::Packed(packed) => {
                    let (start, places) = (self.at, self.at..self.at + now);
                    let mut hand = |at| found(at - start + place..at - start + place + 1);
                    match asked.few().filter(|_| self.width > 0 && now >= MANY) {
                        Some(few) => few_packed(packed, self.width, places, few, hand)?,
                        None => each_packed(packed, self.width, places, |at, number| {
                            if asked.passes(usize::try_from(number).ok()?)? { hand(at) } else { Some(()) }
                        })?,
                    }
                }
            }
            self.step(now);
            place += now;
        }
        Some(())
    }

    /// Of repetition levels: goes over so many rows, with all that belongs to them; how many levels these were, at most `most`.
    pub(super) fn rows(&mut self, rows: usize, most: usize) -> Option<usize> {
        let (mut begun, mut over) = (0, 0);
        while over < most {
            self.fill()?;
            let room = self.left.min(most - over);
            let now = match self.run {
                Run::Same(0) => room.min(rows - begun),
                Run::Same(_) => room,
                Run::Packed(packed) if self.at.is_multiple_of(8) && room >= 8 => {
                    let zeros = packed.get(self.at / 8)?.count_zeros() as usize;
                    if zeros <= rows - begun { 8 } else { 1 }
                }
                Run::Packed(_) => 1,
            };
            let zeros = match self.run {
                Run::Packed(packed) if now == 8 => packed.get(self.at / 8)?.count_zeros() as usize,
                Run::Packed(_) => usize::from(self.number(0) == 0),
                Run::Same(value) => usize::from(value == 0) * now,
            };
            if now == 0 || begun + zeros > rows {
                break;
            }
            begun += zeros;
            over += now;
            self.step(now);
        }
        (begun == rows).then_some(over)
    }
}

/// Hands over some packed numbers, at most 57 bits wide, with their places. Several lie in what is read at once.
#[inline]
pub(super) fn each_packed(packed: &[u8], width: u32, places: Range<usize>, mut each: impl FnMut(usize, u64) -> Option<()>) -> Option<()> {
    let at_once = 57_u32.checked_div(width).map_or(places.len(), |numbers| numbers as usize);
    let mask = (1 << width) - 1;
    let mut at = places.start;
    while at < places.end {
        let mut word = bits(packed, at * width as usize, 57);
        let end = places.end.min(at + at_once);
        while at < end {
            each(at, word & mask)?;
            word >>= width;
            at += 1;
        }
    }
    Some(())
}

/// So many bits, at most 57, from this one on.
#[inline]
pub(super) fn bits(packed: &[u8], bit: usize, width: u32) -> u64 {
    let tail = packed.get(bit / 8..).unwrap_or_default();
    let word = tail.first_chunk::<8>().copied().unwrap_or_else(|| {
        let mut word = [0; 8];
        word.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        word
    });
    u64::from_le_bytes(word) >> (bit % 8) & ((1 << width) - 1)
}

#[cfg(test)]
mod tests;
