//! The view of a text or of bytes, as Arrow defines it: length, then either all bytes, or the first four and where they lie.
//!
//! Arrow's own function is a call for each view, and there are some twenty of them in a span.

/// The view of bytes that lie at `at` in a block.
#[inline]
pub(super) fn make_view(bytes: &[u8], block: u32, at: u32) -> u128 {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let rest = match (bytes.first_chunk(), bytes.len()) {
        (Some(first), 13..) => u128::from(u32::from_le_bytes(*first)) | u128::from(block) << 32 | u128::from(at) << 64,
        _ => short(bytes),
    };
    u128::from(length) | rest << 32
}

/// Up to twelve bytes as a number, the first one lowest: their two ends, which overlap.
#[inline]
fn short(bytes: &[u8]) -> u128 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (bytes.len() - 8));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
    }
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_those_of_arrow() {
        let bytes: Vec<u8> = (1..=40).map(|byte| byte * 6).collect();
        for length in 0..=bytes.len() {
            let text = &bytes[..length];
            assert_eq!(make_view(text, 1, 0x0102_0304), arrow::array::make_view(text, 1, 0x0102_0304), "{length}");
        }
    }
}
