//! Quantiles of durations within 1 %, mergeable in any order with the same result; count, sum, smallest and largest are exact.
//!
//! A value below 128 has a bucket of its own. Above, each power of two is divided into 64 equal buckets, so that the middle of a bucket
//! is at most 1 in 128 away from every value in it. Buckets are found with integers alone.

/// Counts durations in buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch {
    /// Few different buckets, sorted, with their counts; none is zero.
    few: Vec<(u16, u64)>,
    /// Otherwise the counts of the buckets `first`, `first + 1`, …
    many: Vec<u64>,
    first: u16,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Different buckets that are kept as a list.
const FEW: usize = 96;
/// Values below have their own bucket.
const EXACT: u64 = 128;
/// Buckets of one power of two, as a power of two.
const SUB_BITS: u32 = 6;
const SUBS: u64 = 1 << SUB_BITS;
/// One more than the last bucket.
pub(super) const BUCKETS: u16 = 128 + 57 * 64;

impl Sketch {
    /// One more value.
    pub(crate) fn add(&mut self, value: u64) {
        self.extremes(value, value);
        self.count += 1;
        self.sum += u128::from(value);
        self.bucket(bucket_of(value), 1);
    }

    /// One value less, which was added more than once: the extremes stay.
    pub(crate) fn remove(&mut self, value: u64) {
        let bucket = bucket_of(value);
        let place = if self.many.is_empty() {
            self.few.binary_search_by_key(&bucket, |(bucket, _)| *bucket).ok().and_then(|at| self.few.get_mut(at)).map(|(_, n)| n)
        } else {
            bucket.checked_sub(self.first).and_then(|at| self.many.get_mut(usize::from(at)))
        };
        if let Some(n) = place.filter(|n| **n > 0) {
            *n -= 1;
            self.count -= 1;
            self.sum = self.sum.saturating_sub(u128::from(value));
            self.few.retain(|(_, n)| *n > 0);
        }
    }

    /// All values of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.extremes(other.min, other.max);
        self.count += other.count;
        self.sum += other.sum;
        other.buckets().for_each(|(bucket, n)| self.bucket(bucket, n));
    }

    /// The value that the share `q` of all values does not exceed; zero when there are none.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let rank = rank(q, self.count);
        if rank == 0 {
            return self.min;
        }
        if rank + 1 >= self.count {
            return self.max;
        }
        let mut seen = 0;
        let found = self.buckets().find(|(_, n)| {
            seen += n;
            seen > rank
        });
        found.map_or(0, |(bucket, _)| middle_of(bucket).clamp(self.min, self.max))
    }

    /// How many values.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub(crate) fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest; zero when there are none.
    pub(crate) fn min(&self) -> u64 {
        self.min
    }

    /// The largest; zero when there are none.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Buckets that are not empty, in order, with their counts.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let many = (self.first..).zip(&self.many).filter(|(_, n)| **n > 0).map(|(bucket, n)| (bucket, *n));
        self.few.iter().copied().chain(many)
    }

    /// From its parts; `None` when they contradict each other.
    pub(super) fn from_parts(sum: u128, min: u64, max: u64, buckets: Vec<(u16, u64)>) -> Option<Self> {
        let sorted = buckets.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        let (first, last) = (buckets.first()?, buckets.last()?);
        let fits = bucket_of(min) >= first.0 && bucket_of(max) <= last.0 && last.0 < BUCKETS && min <= max;
        let count = buckets.iter().try_fold(0_u64, |sum, (_, n)| sum.checked_add(*n).filter(|_| *n > 0))?;
        if !(sorted && fits) {
            return None;
        }
        let mut sketch = Self { count, sum, min, max, ..Self::default() };
        buckets.into_iter().for_each(|(bucket, n)| sketch.bucket(bucket, n));
        Some(sketch)
    }

    /// Bytes of memory beside itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.few.capacity() * size_of::<(u16, u64)>() + self.many.capacity() * size_of::<u64>()
    }

    fn extremes(&mut self, min: u64, max: u64) {
        self.min = if self.count == 0 { min } else { self.min.min(min) };
        self.max = self.max.max(max);
    }

    fn bucket(&mut self, bucket: u16, n: u64) {
        if self.many.is_empty() {
            match self.few.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
                Ok(at) => self.few.get_mut(at).into_iter().for_each(|(_, count)| *count += n),
                Err(at) => self.few.insert(at, (bucket, n)),
            }
            if self.few.len() > FEW {
                for (bucket, n) in std::mem::take(&mut self.few) {
                    self.spread(bucket, n);
                }
            }
        } else {
            self.spread(bucket, n);
        }
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
fn rank(q: f64, count: u64) -> u64 {
    ((q * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1
}

/// The bucket of a value.
fn bucket_of(value: u64) -> u16 {
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

fn middle_of(bucket: u16) -> u64 {
    let (lower, width) = bounds_of(bucket);
    lower.saturating_add(width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of every size that look random.
    fn numbers(seed: u64, count: usize) -> Vec<u64> {
        let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        (0..count).map(|_| next() >> (next() % 64)).collect()
    }

    fn of(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch
    }

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
    fn quantiles_are_within_one_percent_of_the_value_at_their_rank() {
        for seed in 0..40 {
            let mut values = numbers(seed, 1 + usize::try_from(seed * seed).unwrap());
            let sketch = of(&values);
            values.sort_unstable();
            for q in [0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
                let exact = values[usize::try_from(rank(q, values.len() as u64)).unwrap()];
                assert!(sketch.quantile(q).abs_diff(exact) as f64 <= exact as f64 / 100.0, "{q} of {}: {exact}", values.len());
            }
            assert_eq!((sketch.min(), sketch.max()), (values[0], *values.last().unwrap()));
            assert_eq!(sketch.sum(), values.iter().map(|value| u128::from(*value)).sum::<u128>());
        }
        assert_eq!(Sketch::default().quantile(0.5), 0);
        assert_eq!(of(&[25_000_000]).quantile(0.5), 25_000_000);
    }

    #[test]
    fn merging_in_any_order_equals_adding_everything_to_one() {
        for seed in 0..20 {
            let values = numbers(seed, 500);
            let all = of(&values);
            let (a, b) = (of(&values[..37]), of(&values[37..]));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            for q in [0.0, 0.1, 0.5, 0.99, 1.0] {
                assert_eq!((ab.quantile(q), ba.quantile(q)), (all.quantile(q), all.quantile(q)));
            }
            assert_eq!((ab.buckets().collect::<Vec<_>>(), ab.sum()), (all.buckets().collect(), all.sum()));
            ab.merge(&a);
            values[..37].iter().for_each(|value| ab.remove(*value));
            assert_eq!((ab.buckets().collect::<Vec<_>>(), ab.sum(), ab.count()), (all.buckets().collect(), all.sum(), 500));
        }
    }

    #[test]
    fn parts_make_the_same_sketch_and_contradictions_none() {
        for seed in 0..20 {
            let sketch = of(&numbers(seed, 1 + usize::try_from(seed * 20).unwrap()));
            let parts: Vec<_> = sketch.buckets().collect();
            let again = Sketch::from_parts(sketch.sum(), sketch.min(), sketch.max(), parts.clone()).unwrap();
            assert_eq!((again.quantile(0.5), again.buckets().collect::<Vec<_>>()), (sketch.quantile(0.5), parts.clone()));
            let twice = [parts.clone(), parts].concat();
            assert!(Sketch::from_parts(0, 0, 1, twice).is_none());
        }
        assert!(Sketch::from_parts(0, 0, 0, Vec::new()).is_none());
        assert!(Sketch::from_parts(0, 0, 0, vec![(BUCKETS, 1)]).is_none());
    }
}
