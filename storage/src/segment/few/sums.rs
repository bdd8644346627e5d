//! Numbers as pages have them that grow: differences, which are added up.

use std::ops::Range;

use super::page::MAX_VALUES;
use super::walk::{bits, each_packed};
use crate::encoded::varint;

/// Reads differences (Parquet's `DELTA_BINARY_PACKED`), adds them up and hands over the sums, at most `most`; what is behind them when these
/// are all.
pub(super) fn sums(bytes: &[u8], most: usize, mut each: impl FnMut(i64) -> Option<()>) -> Option<&[u8]> {
    let (mut parts, first) = Parts::new(bytes, most)?;
    let Some(mut sum) = first else { return Some(parts.rest) };
    each(sum)?;
    while let Some(part) = parts.next()? {
        part.each(0..part.count, |difference| {
            sum = sum.wrapping_add(difference);
            each(sum)
        })?;
    }
    Some(parts.rest)
}

/// The same of some sums, by ranges of places in their order: what lies between is added up without a look at each. Fails when there are fewer.
pub(super) fn some_sums(bytes: &[u8], wanted: &[Range<usize>], mut each: impl FnMut(i64) -> Option<()>) -> Option<()> {
    let end = wanted.iter().rfind(|range| !range.is_empty()).map_or(0, |range| range.end);
    let (mut parts, first) = Parts::new(bytes, end)?;
    let Some(mut sum) = first else { return (end == 0).then_some(()) };
    let mut wanted = wanted.iter().filter(|range| !range.is_empty()).peekable();
    if wanted.peek().is_some_and(|range| range.start == 0) {
        each(sum)?;
    }
    let mut at = 1;
    while let Some(part) = parts.next()? {
        let (start, behind) = (at, at + part.count);
        while at < behind {
            while wanted.next_if(|range| range.end <= at).is_some() {}
            let next = wanted.peek().map_or(behind, |range| range.start.clamp(at, behind));
            if at < next {
                sum = sum.wrapping_add(part.total(at - start..next - start)?);
                at = next;
                continue;
            }
            let until = wanted.peek().map_or(behind, |range| range.end.min(behind));
            part.each(at - start..until - start, |difference| {
                sum = sum.wrapping_add(difference);
                each(sum)
            })?;
            at = until;
        }
    }
    (at >= end).then_some(())
}

/// Goes over the parts that differences are packed in.
struct Parts<'a> {
    rest: &'a [u8],
    /// Of a block.
    parts: usize,
    of_part: usize,
    /// Of the parts of this block that are to come.
    widths: &'a [u8],
    least: i64,
    /// Differences that are to come.
    left: usize,
}

/// Some differences: so much, and what is packed.
struct Part<'a> {
    packed: &'a [u8],
    width: u32,
    least: i64,
    count: usize,
}

// === impl Parts ===

impl<'a> Parts<'a> {
    /// Those of the first `most` numbers, and the first number if there is one.
    fn new(mut rest: &'a [u8], most: usize) -> Option<(Self, Option<i64>)> {
        let block = usize::try_from(varint(&mut rest)?).ok()?;
        let parts = usize::try_from(varint(&mut rest)?).ok()?;
        let of_part = block.checked_div(parts)?;
        let all = usize::try_from(varint(&mut rest)?).ok().filter(|all| *all <= MAX_VALUES)?;
        let first = signed(varint(&mut rest)?);
        let left = all.min(most).checked_sub(1);
        let parts = Self { rest, parts, of_part, widths: &[], least: 0, left: left.unwrap_or(0) };
        Some((parts, left.map(|_| first)))
    }

    /// The next one; within, `None` after the last.
    #[inline]
    fn next(&mut self) -> Option<Option<Part<'a>>> {
        if self.left == 0 {
            return Some(None);
        }
        if self.widths.is_empty() {
            self.least = signed(varint(&mut self.rest)?);
            (self.widths, self.rest) = self.rest.split_at_checked(self.parts)?;
        }
        let (width, widths) = self.widths.split_first()?;
        self.widths = widths;
        let width = u32::from(*width);
        let (packed, behind) = self.rest.split_at_checked(self.of_part.checked_mul(width as usize)? / 8)?;
        self.rest = behind;
        let count = self.left.min(self.of_part);
        self.left -= count;
        Some(Some(Part { packed, width, least: self.least, count }))
    }
}

// === impl Part ===

impl Part<'_> {
    /// Hands over differences.
    #[inline]
    fn each(&self, places: Range<usize>, mut each: impl FnMut(i64) -> Option<()>) -> Option<()> {
        let least = self.least;
        self.each_packed(places, |above| each(least.wrapping_add(above.cast_signed())))
    }

    /// What differences are together.
    fn total(&self, places: Range<usize>) -> Option<i64> {
        let (count, mut above) = (places.len() as u64, 0_u64);
        self.each_packed(places, |number| {
            above = above.wrapping_add(number);
            Some(())
        })?;
        Some(self.least.wrapping_mul(count.cast_signed()).wrapping_add(above.cast_signed()))
    }

    #[inline]
    fn each_packed(&self, mut places: Range<usize>, mut each: impl FnMut(u64) -> Option<()>) -> Option<()> {
        let (packed, width) = (self.packed, self.width);
        match width {
            0..=28 => each_packed(packed, width, places, |_, number| each(number)),
            29..=57 => places.try_for_each(|at| each(bits(packed, at * width as usize, width))),
            58..=64 => places.try_for_each(|at| each(wide(packed, at * width as usize, width))),
            _ => None,
        }
    }
}

/// More than 32 bits, from this one on.
fn wide(packed: &[u8], bit: usize, width: u32) -> u64 {
    bits(packed, bit, 32) | bits(packed, bit + 32, width - 32) << 32
}

fn signed(zigzag: u64) -> i64 {
    (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_the_numbers_that_a_writer_of_parquet_was_given(numbers in prop::collection::vec(any::<i64>(), 1..400), small in any::<bool>()) {
            let numbers: Vec<i64> = numbers.into_iter().map(|number| if small { number % 1_000 } else { number }).collect();
            let bytes = encoded(&numbers);
            let mut found = Vec::new();
            let mut each = |number| {
                found.push(number);
                Some(())
            };
            prop_assert_eq!(sums(&bytes, usize::MAX, &mut each).unwrap().len(), 0);
            prop_assert_eq!(&found, &numbers);
            let mut first = 0;
            sums(&bytes, numbers.len() / 2, |_| { first += 1; Some(()) }).unwrap();
            prop_assert_eq!(first, numbers.len() / 2);
            prop_assert_eq!(sums(&bytes[..bytes.len() - 1], usize::MAX, |_| Some(())), None);
        }
    }

    proptest! {
        #[test]
        fn some_sums_are_those_of_all_at_their_places(
            numbers in prop::collection::vec(any::<i64>(), 1..700),
            shift in 0_u32..64,
            cuts in prop::collection::vec(0_usize..750, 0..12),
        ) {
            let numbers: Vec<i64> = numbers.into_iter().map(|number| number >> shift).collect();
            let bytes = encoded(&numbers);
            let mut cuts = cuts;
            cuts.sort_unstable();
            let wanted: Vec<Range<usize>> = cuts.chunks_exact(2).map(|two| two[0]..two[1]).collect();
            let places: Vec<usize> = wanted.iter().cloned().flatten().collect();
            let mut found = Vec::new();
            let all = some_sums(&bytes, &wanted, |number| {
                found.push(number);
                Some(())
            });
            prop_assert_eq!(all.is_some(), places.iter().all(|place| *place < numbers.len()));
            let there: Vec<i64> = places.iter().filter_map(|place| numbers.get(*place).copied()).collect();
            prop_assert_eq!(found, there);
            if let Some(last) = places.last().filter(|last| **last + 1 == numbers.len() && **last > 0) {
                prop_assert_eq!(some_sums(&bytes[..bytes.len() - 1], std::slice::from_ref(&(*last..*last + 1)), |_| Some(())), None);
            }
        }
    }

    /// As the format's description says, in blocks of 128 and parts of 32.
    fn encoded(numbers: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        let varint = |mut number: u64, out: &mut Vec<u8>| {
            while number >= 0x80 {
                out.push((number & 0x7f) as u8 | 0x80);
                number >>= 7;
            }
            out.push(number as u8);
        };
        let zigzag = |number: i64| (number << 1 ^ number >> 63).cast_unsigned();
        [128, 4, numbers.len() as u64, zigzag(numbers[0])].into_iter().for_each(|number| varint(number, &mut out));
        let differences: Vec<i64> = numbers.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        for block in differences.chunks(128) {
            let least = *block.iter().min().unwrap();
            varint(zigzag(least), &mut out);
            let over: Vec<u64> = block.iter().map(|number| number.wrapping_sub(least).cast_unsigned()).collect();
            let width = |part: &[u64]| u64::BITS - part.iter().max().unwrap().leading_zeros();
            let mut widths: Vec<u8> = over.chunks(32).map(|part| width(part) as u8).collect();
            widths.resize(4, 0);
            out.extend(&widths);
            for part in over.chunks(32) {
                let mut packed = vec![0_u8; 4 * width(part) as usize];
                for (at, number) in part.iter().enumerate() {
                    for bit in (0..width(part) as usize).filter(|bit| number >> bit & 1 == 1) {
                        let place = at * width(part) as usize + bit;
                        packed[place / 8] |= 1 << (place % 8);
                    }
                }
                out.extend(packed);
            }
        }
        out
    }
}
