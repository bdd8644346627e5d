//! Parquet's run-length and bit-packed hybrid, for levels and dictionary codes.
//!
//! Runs of eight equal values or more become one number and a count; what is between them is packed in groups of eight, padded at the end.

/// Appends `values`, each below `2^width`.
pub(super) fn encode<T: Copy + Eq + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    let mut packed = 0;
    let mut at = 0;
    while let Some(first) = values.get(at) {
        let run = values.get(at..).unwrap_or_default().iter().take_while(|value| *value == first).count();
        // Groups before a run are whole.
        let fill = (at - packed).next_multiple_of(GROUP) - (at - packed);
        if run >= GROUP + fill {
            pack(values.get(packed..at + fill).unwrap_or_default(), width, out);
            varint(((run - fill) as u64) << 1, out);
            out.extend((*first).into().to_le_bytes().iter().take(width.div_ceil(8) as usize));
            packed = at + run;
        }
        at += run;
    }
    pack(values.get(packed..).unwrap_or_default(), width, out);
}

/// Appends a run of so many zeros of one byte or less.
pub(super) fn run_of_zeros(count: usize, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.push(0);
}

/// The bits that numbers up to `most` need.
pub(super) fn width(most: usize) -> u32 {
    usize::BITS - most.leading_zeros()
}

fn pack<T: Copy + Into<u64>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    let (mut bits, mut held) = (0_u64, 0);
    for value in values {
        bits |= (*value).into() << held;
        held += width;
        if held >= 32 {
            out.extend_from_slice(&bits.to_le_bytes().first_chunk::<4>().copied().unwrap_or_default());
            bits >>= 32;
            held -= 32;
        }
    }
    out.extend(bits.to_le_bytes().iter().take(held.div_ceil(8) as usize));
    out.resize(end, 0);
}

/// Appends a number by seven bits a byte, the lowest first.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

/// Values of a group.
const GROUP: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the format's description says, value by value.
    fn decode(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let (byte, rest) = bytes.split_first().unwrap();
                bytes = rest;
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let many = usize::try_from(header >> 1).unwrap();
            let bit = |bytes: &[u8], at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
            let width = width as usize;
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(width.div_ceil(8));
                bytes = rest;
                values.extend(vec![value.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)); many]);
            } else {
                let (packed, rest) = bytes.split_at(many * width);
                bytes = rest;
                values.extend((0..many * 8).map(|at| (0..width).fold(0, |sum, place| sum | bit(packed, at * width + place) << place)));
            }
        }
        assert!(bytes.is_empty());
        values.truncate(count);
        values
    }

    #[test]
    fn a_run_of_zeros_is_as_it_is_encoded() {
        for count in [8, 100, 131_072] {
            let (mut run, mut encoded) = (Vec::new(), Vec::new());
            run_of_zeros(count, &mut run);
            encode(&vec![0_u32; count], 1, &mut encoded);
            assert_eq!(run, encoded);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(runs in prop::collection::vec((0..300_u32, 1..40_usize), 0..40)) {
            let values: Vec<u32> = runs.into_iter().flat_map(|(value, times)| vec![value; times]).collect();
            let bits = width(values.iter().max().map_or(0, |most| *most as usize));
            let mut bytes = Vec::new();
            encode(&values, bits, &mut bytes);
            prop_assert_eq!(decode(&bytes, bits, values.len()), values);
        }
    }
}
