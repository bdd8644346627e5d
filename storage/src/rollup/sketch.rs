//! Quantiles of durations within 1 %, mergeable in any order with the same result; count, sum, smallest and largest are exact.

use super::buckets::{Buckets, bucket_of, middle_of, rank};

/// Counts durations in buckets, and knows their sum and extremes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch {
    buckets: Buckets,
    sum: u128,
    min: u64,
    max: u64,
}

impl Sketch {
    /// One more value.
    pub(crate) fn add(&mut self, value: u64) {
        self.extremes(value, value);
        self.sum += u128::from(value);
        self.buckets.add(bucket_of(value), 1);
    }

    /// One value less, which was added before; the extremes stay.
    pub(crate) fn remove(&mut self, value: u64) {
        if self.buckets.remove(bucket_of(value), 1) {
            self.sum = self.sum.saturating_sub(u128::from(value));
        }
    }

    /// All values of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count() == 0 {
            return;
        }
        if self.count() == 0 {
            self.clone_from(other);
            return;
        }
        self.extremes(other.min, other.max);
        self.sum += other.sum;
        self.buckets.merge(&other.buckets);
    }

    /// The value that the share `q` of all values does not exceed; zero when there are none.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let rank = rank(q, self.count());
        if rank == 0 {
            return self.min;
        }
        if rank + 1 >= self.count() {
            return self.max;
        }
        self.buckets.at(rank).map_or(0, |bucket| middle_of(bucket).clamp(self.min, self.max))
    }

    /// How many values.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.count()
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
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u16, u64)> + Clone + '_ {
        self.buckets.iter()
    }

    /// From its parts; `None` when they contradict each other.
    pub(super) fn from_parts(sum: u128, min: u64, max: u64, buckets: Buckets) -> Option<Self> {
        let (first, last) = (buckets.iter().next()?.0, buckets.iter().last()?.0);
        let fits = bucket_of(min) >= first && bucket_of(max) <= last && min <= max;
        fits.then_some(Self { buckets, sum, min, max })
    }

    /// The same in as little memory as there is, to be read only.
    pub(super) fn pack(&mut self) {
        self.buckets.pack();
    }

    /// Bytes of memory beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.buckets.heap_bytes()
    }

    fn extremes(&mut self, min: u64, max: u64) {
        self.min = if self.count() == 0 { min } else { self.min.min(min) };
        self.max = self.max.max(max);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::buckets::BUCKETS;
    use super::super::numbers::{Reader, put_buckets};
    use super::*;

    /// Numbers of every size that look random.
    pub(in super::super) fn numbers(seed: u64, count: usize) -> Vec<u64> {
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
            let of = |parts: &[(u16, u64)]| {
                let mut written = Vec::new();
                put_buckets(&mut written, parts.iter().copied());
                Buckets::read(&mut Reader::new(&written))
            };
            let again = Sketch::from_parts(sketch.sum(), sketch.min(), sketch.max(), of(&parts).unwrap()).unwrap();
            assert_eq!((again.quantile(0.5), again.buckets().collect::<Vec<_>>()), (sketch.quantile(0.5), parts.clone()));
            assert!(Sketch::from_parts(0, sketch.max(), sketch.min().wrapping_sub(1), of(&parts).unwrap()).is_none());
            assert!(of(&[(BUCKETS, 1)]).is_none());
        }
        assert!(Sketch::from_parts(0, 0, 0, Buckets::default()).is_none());
    }
}
