//! Numbers and texts in a row, as roll-ups are written.
//!
//! Numbers of 7 bits a byte, lowest first, the high bit set on all but the last byte; signed ones folded: 0, -1, 1, -2, …

use std::sync::Arc;

use super::buckets::BUCKETS;

pub(crate) fn put(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// As [`put`], of a number of 64 bits: most have one byte, and shifting 128 bits takes several times as long.
#[inline]
pub(crate) fn put_small(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f).to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// A list of texts: their count, then length and UTF-8 of each.
pub(crate) fn put_texts(out: &mut Vec<u8>, texts: &[Arc<str>]) {
    put(out, texts.len() as u128);
    for text in texts {
        put(out, text.len() as u128);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Buckets that are not empty, in order: how many, then per bucket its number after the one before and its count.
pub(crate) fn put_buckets(out: &mut Vec<u8>, buckets: impl Iterator<Item = (u16, u64)> + Clone) {
    put_small(out, buckets.clone().count() as u64);
    put_pairs(out, buckets);
}

/// The same without how many.
pub(super) fn put_pairs(out: &mut Vec<u8>, buckets: impl Iterator<Item = (u16, u64)>) {
    let mut before = 0;
    for (bucket, n) in buckets {
        put_small(out, (bucket - before).into());
        put_small(out, n);
        before = bucket;
    }
}

/// Small signed numbers as small unsigned ones.
pub(crate) fn fold(number: i32) -> u32 {
    (number.cast_unsigned() << 1) ^ (number >> 31).cast_unsigned()
}

pub(crate) fn unfold(number: u32) -> i32 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Takes numbers and texts off the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that were not taken yet.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn number<T: TryFrom<u128>>(&mut self) -> Option<T> {
        if let Some((byte, rest)) = self.0.split_first()
            && *byte < 0x80
        {
            self.0 = rest;
            return T::try_from(u128::from(*byte)).ok();
        }
        let mut number = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let low = u128::from(byte & 0x7f);
            if (low << shift) >> shift != low {
                return None;
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                return T::try_from(number).ok();
            }
        }
        None
    }

    /// How many follow, each at least one byte long.
    pub(crate) fn count(&mut self, max: usize) -> Option<usize> {
        self.number().filter(|count| *count <= self.0.len().min(max))
    }

    pub(crate) fn texts(&mut self) -> Option<Vec<Arc<str>>> {
        let count = self.count(usize::MAX)?;
        (0..count)
            .map(|_| {
                let len = self.number()?;
                std::str::from_utf8(self.take(len)?).ok().map(Arc::from)
            })
            .collect()
    }

    pub(crate) fn buckets(&mut self) -> Option<Vec<(u16, u64)>> {
        let count = self.count(usize::from(BUCKETS))?;
        let mut bucket = 0_u16;
        (0..count)
            .map(|_| {
                bucket = bucket.checked_add(self.number()?)?;
                Some((bucket, self.number()?))
            })
            .collect()
    }
}
