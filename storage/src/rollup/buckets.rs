//! Counts of durations by size: within 1 %, and what was added can be taken off again with nothing left of it.
//!
//! A value below 128 has a bucket of its own. Above, each power of two is divided into 64 equal buckets, so that the middle of a bucket
//! is at most 1 in 128 away from every value in it. Buckets are found with integers alone.

/// Counts by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// Few different buckets, sorted, with their counts; none is zero.
    few: Vec<(u16, u64)>,
    /// Otherwise the counts of the buckets `first`, `first + 1`, …
    many: Vec<u64>,
    first: u16,
    count: u64,
}

/// Different buckets that are kept as a list.
const FEW: usize = 96;
/// Values below have their own bucket.
const EXACT: u64 = 128;
/// Buckets of one power of two, as a power of two.
const SUB_BITS: u32 = 6;
const SUBS: u64 = 1 << SUB_BITS;
/// One more than the last bucket.
pub(crate) const BUCKETS: u16 = 128 + 57 * 64;

impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Buckets {}

impl Buckets {
    /// `n` more values in a bucket.
    pub(crate) fn add(&mut self, bucket: u16, n: u64) {
        self.count += n;
        if !self.many.is_empty() {
            return self.spread(bucket, n);
        }
        match self.few.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.few.get_mut(at).into_iter().for_each(|(_, count)| *count += n),
            Err(at) => self.few.insert(at, (bucket, n)),
        }
        if self.few.len() > FEW {
            for (bucket, n) in std::mem::take(&mut self.few) {
                self.spread(bucket, n);
            }
        }
    }

    /// `n` values less. False, and nothing happens, when there are not so many.
    pub(crate) fn remove(&mut self, bucket: u16, n: u64) -> bool {
        let place = if self.many.is_empty() {
            self.few.binary_search_by_key(&bucket, |(bucket, _)| *bucket).ok().and_then(|at| self.few.get_mut(at)).map(|(_, n)| n)
        } else {
            bucket.checked_sub(self.first).and_then(|at| self.many.get_mut(usize::from(at)))
        };
        let Some(known) = place.filter(|known| **known >= n) else { return false };
        *known -= n;
        self.count -= n;
        if self.many.is_empty() {
            self.few.retain(|(_, n)| *n > 0);
        }
        true
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(bucket, n)| self.add(bucket, n));
    }

    /// How many values.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Buckets that are not empty, in order, with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> + Clone + '_ {
        let many = (self.first..).zip(&self.many).filter(|(_, n)| **n > 0).map(|(bucket, n)| (bucket, *n));
        self.few.iter().copied().chain(many)
    }

    /// The middle of the bucket that the share `q` of all values does not exceed; zero when there are none.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        self.at(rank(q, self.count)).map_or(0, middle_of)
    }

    /// The bucket of the value with a rank, counted from zero.
    pub(super) fn at(&self, rank: u64) -> Option<u16> {
        let mut seen = 0;
        let mut iter = self.iter();
        iter.find(|(_, n)| {
            seen += n;
            seen > rank
        })
        .map(|(bucket, _)| bucket)
    }

    /// From its parts; `None` when they are none.
    pub(crate) fn from_parts(buckets: Vec<(u16, u64)>) -> Option<Self> {
        let sorted = buckets.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        let fits = buckets.last().is_none_or(|(last, _)| *last < BUCKETS);
        let count = buckets.iter().try_fold(0_u64, |sum, (_, n)| sum.checked_add(*n).filter(|_| *n > 0))?;
        if !(sorted && fits) {
            return None;
        }
        if buckets.len() <= FEW {
            return Some(Self { few: buckets, count, ..Self::default() });
        }
        let mut all = Self::default();
        buckets.into_iter().for_each(|(bucket, n)| all.add(bucket, n));
        Some(all)
    }

    /// Bytes of memory beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.few.capacity() * size_of::<(u16, u64)>() + self.many.capacity() * size_of::<u64>()
    }

    fn spread(&mut self, bucket: u16, n: u64) {
        if self.many.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = usize::from(self.first - bucket);
            self.many.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let place = usize::from(bucket - self.first);
        if place >= self.many.len() {
            self.many.resize(place + 1, 0);
        }
        if let Some(count) = self.many.get_mut(place) {
            *count += n;
        }
    }
}

/// Nearest rank, counted from zero.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank may be off by 2^-52 of the count"
)]
pub(crate) fn rank(q: f64, count: u64) -> u64 {
    ((q * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1
}

/// The bucket of a value.
pub(crate) fn bucket_of(value: u64) -> u16 {
    if value < EXACT {
        return u16::try_from(value).unwrap_or_default();
    }
    let exponent = value.ilog2();
    let sub = (value >> (exponent - SUB_BITS)) & (SUBS - 1);
    let bucket = EXACT + u64::from(exponent - SUB_BITS - 1) * SUBS + sub;
    u16::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// The smallest value of a bucket, and how many values it holds.
pub(crate) fn bounds_of(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let Some(above) = bucket.checked_sub(EXACT) else { return (bucket, 1) };
    let shift = u32::try_from(above / SUBS).unwrap_or_default() + 1;
    let lower = (SUBS + above % SUBS).checked_shl(shift).unwrap_or(u64::MAX);
    (lower, 1_u64.checked_shl(shift).unwrap_or(1))
}

pub(super) fn middle_of(bucket: u16) -> u64 {
    let (lower, width) = bounds_of(bucket);
    lower.saturating_add(width / 2)
}

#[cfg(test)]
mod tests {
    use super::super::sketch::tests::numbers;
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_within_one_percent_of_its_middle() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain(numbers(1, 10_000)).chain([u64::MAX]) {
            let bucket = bucket_of(value);
            let (lower, width) = bounds_of(bucket);
            assert!(bucket < BUCKETS && lower <= value && value - lower < width, "{value}: {bucket} {lower} {width}");
            assert!(middle_of(bucket).abs_diff(value) as f64 <= value as f64 / 128.0, "{value}");
        }
        assert!((1..BUCKETS).all(|bucket| bounds_of(bucket - 1).0 + bounds_of(bucket - 1).1 == bounds_of(bucket).0));
    }

    #[test]
    fn nothing_is_left_of_what_was_taken_off() {
        for seed in 0..40 {
            let values = numbers(seed, 40 + usize::try_from(seed * seed).unwrap());
            let (kept, gone) = values.split_at(values.len() / 3);
            let of = |values: &[u64]| {
                let mut buckets = Buckets::default();
                values.iter().for_each(|value| buckets.add(bucket_of(*value), 1));
                buckets
            };
            let mut all = of(&values);
            assert!(gone.iter().all(|value| all.remove(bucket_of(*value), 1)));
            assert_eq!((all.count(), all.quantile(0.5), &all), (kept.len() as u64, of(kept).quantile(0.5), &of(kept)));
            assert!(!all.remove(bucket_of(kept[0]), 1_000));
            assert_eq!(Buckets::from_parts(all.iter().collect()), Some(all));
        }
    }
}
