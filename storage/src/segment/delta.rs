//! Parquet's `DELTA_BINARY_PACKED`: the first number, then differences, each block by its least one, packed by as many bits as the largest takes.

use super::hybrid::varint;

/// Appends numbers.
pub(super) fn encode(numbers: &[i64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINI) as u64, out);
    varint(numbers.len() as u64, out);
    let Some((first, rest)) = numbers.split_first() else { return varint(0, out) };
    varint(zigzag(*first), out);
    let mut before = *first;
    for numbers in rest.chunks(BLOCK) {
        let mut differences = [0; BLOCK];
        for (difference, number) in differences.iter_mut().zip(numbers) {
            *difference = number.wrapping_sub(before);
            before = *number;
        }
        block(differences.get(..numbers.len()).unwrap_or_default(), out);
    }
}

/// Differences are at most those of a block. Parts without any have no bits; the last part that has some is filled up.
fn block(differences: &[i64], out: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or(0);
    varint(zigzag(least), out);
    let widths = out.len();
    out.resize(widths + BLOCK / MINI, 0);
    for (number, differences) in differences.chunks(MINI).enumerate() {
        let mut above = [0_u64; MINI];
        above.iter_mut().zip(differences).for_each(|(above, difference)| *above = difference.wrapping_sub(least).cast_unsigned());
        let width = u64::BITS - above.iter().fold(0, |all, above| all | above).leading_zeros();
        out.get_mut(widths + number).into_iter().for_each(|place| *place = u8::try_from(width).unwrap_or(u8::MAX));
        if width > 0 {
            pack(&above, width, out);
        }
    }
}

fn pack(numbers: &[u64; MINI], width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u128, 0);
    for number in numbers {
        bits |= u128::from(*number) << held;
        held += width;
        if held >= u64::BITS {
            out.extend_from_slice(bits.to_le_bytes().first_chunk::<8>().map_or(&[], |bytes| bytes.as_slice()));
            bits >>= u64::BITS;
            held -= u64::BITS;
        }
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// Numbers of a block, and of each of its parts: 64 numbers of any width are whole words.
const BLOCK: usize = 256;
const MINI: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::Dice;
    use super::*;

    fn number(bytes: &mut &[u8]) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    fn signed(bytes: &mut &[u8]) -> i64 {
        let number = number(bytes);
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    /// As the format's description says, bit by bit.
    fn decode(mut bytes: &[u8]) -> Vec<i64> {
        let block = usize::try_from(number(&mut bytes)).unwrap();
        let parts = usize::try_from(number(&mut bytes)).unwrap();
        assert!(block.is_multiple_of(128) && (block / parts).is_multiple_of(32));
        let count = usize::try_from(number(&mut bytes)).unwrap();
        let mut numbers = vec![signed(&mut bytes)];
        while numbers.len() < count {
            let least = signed(&mut bytes);
            let (widths, rest) = bytes.split_at(parts);
            bytes = rest;
            for width in widths.iter().map(|width| usize::from(*width)).filter(|_| numbers.len() < count).collect::<Vec<_>>() {
                let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
                for at in 0..block / parts {
                    let above = (0..width).fold(0, |sum, place| sum | bit(at * width + place) << place);
                    numbers.push(numbers.last().unwrap().wrapping_add(least).wrapping_add(above.cast_signed()));
                }
                bytes = &bytes[block / parts * width / 8..];
            }
        }
        assert!(bytes.is_empty());
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(seed: u64, shift in 0u32..64, count in 0usize..1_000) {
            let mut dice = Dice(seed);
            let numbers: Vec<i64> = (0..count).map(|_| (dice.roll() >> shift).cast_signed()).collect();
            let mut bytes = Vec::new();
            encode(&numbers, &mut bytes);
            prop_assert_eq!(decode(&bytes), numbers);
        }
    }
}
