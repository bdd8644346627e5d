//! Numbers as pages have them that grow: differences, which are added up.

use super::page::MAX_VALUES;
use super::walk::{bits, each_packed};
use crate::encoded::varint;

/// Reads differences (Parquet's `DELTA_BINARY_PACKED`), adds them up and hands over the sums, at most `most`; what is behind them when these
/// are all.
pub(super) fn sums(mut rest: &[u8], most: usize, mut each: impl FnMut(i64) -> Option<()>) -> Option<&[u8]> {
    let block = usize::try_from(varint(&mut rest)?).ok()?;
    let parts = usize::try_from(varint(&mut rest)?).ok()?;
    let of_part = block.checked_div(parts)?;
    let all = usize::try_from(varint(&mut rest)?).ok().filter(|all| *all <= MAX_VALUES)?;
    let mut left = all.min(most);
    let mut sum = signed(varint(&mut rest)?);
    if left == 0 {
        return Some(rest);
    }
    each(sum)?;
    left -= 1;
    while left > 0 {
        let least = signed(varint(&mut rest)?);
        let (widths, behind) = rest.split_at_checked(parts)?;
        rest = behind;
        for width in widths.iter().map(|width| u32::from(*width)) {
            if left == 0 {
                break;
            }
            let (packed, behind) = rest.split_at_checked(of_part.checked_mul(width as usize)? / 8)?;
            rest = behind;
            let now = left.min(of_part);
            let mut add = |_, difference: u64| {
                sum = sum.wrapping_add(least).wrapping_add(difference.cast_signed());
                each(sum)
            };
            match width {
                0..=28 => each_packed(packed, width, 0..now, add)?,
                29..=57 => (0..now).try_for_each(|at| add(at, bits(packed, at * width as usize, width)))?,
                58..=64 => (0..now).try_for_each(|at| add(at, wide(packed, at * width as usize, width)))?,
                _ => return None,
            }
            left -= now;
        }
    }
    Some(rest)
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
