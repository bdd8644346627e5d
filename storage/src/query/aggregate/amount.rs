//! Sums, extremes and sizes of numbers, mergeable in any order with the same result to the last bit.
//!
//! Two threads read rows in an order of chance, and sums of doubles depend on the order. So the sum is kept exactly, as a number of 32-bit
//! digits over the whole range of doubles, and rounded once (`sum`).

use std::collections::BTreeMap;

use crate::rollup::rank;

mod sum;

use self::sum::Sum;

/// What is known of some finite numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Amount {
    count: u64,
    sum: Sum,
    min: f64,
    max: f64,
    sizes: Sizes,
}

/// How many numbers there are of which size.
#[derive(Clone, Debug, Default)]
struct Sizes {
    /// By the upper bits of a number, negative ones below zero.
    counts: BTreeMap<i32, u64>,
    /// Bits that were given up so that there are not more than [`MAX_SIZES`].
    coarse: u32,
}

/// Lower bits of a double that do not matter: numbers of one size differ by less than one in 128.
const LOWER_BITS: u32 = 45;
/// Sizes that are told apart; 64 powers of two have so many.
const MAX_SIZES: usize = 8_192;

impl Amount {
    /// One more number; its size is only kept when that matters.
    pub(super) fn add(&mut self, number: f64, is_sized: bool) {
        self.extremes(number, number);
        self.count += 1;
        self.sum.add(number);
        if is_sized {
            self.sizes.add(Sizes::of(number), 1);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        self.extremes(other.min, other.max);
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.sizes.merge(other.sizes);
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.sum.heap_bytes() + self.sizes.counts.len() * 2 * size_of::<(i32, u64)>()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum.rounded()
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody has so many rows")]
    pub(super) fn mean(&self) -> f64 {
        self.sum() / self.count as f64
    }

    pub(super) fn min(&self) -> f64 {
        self.min
    }

    pub(super) fn max(&self) -> f64 {
        self.max
    }

    /// What the share `q` of all numbers does not exceed.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        let rank = rank(q, self.count);
        if rank == 0 {
            return self.min;
        }
        if rank + 1 >= self.count {
            return self.max;
        }
        self.sizes.at(rank).clamp(self.min, self.max)
    }

    fn extremes(&mut self, min: f64, max: f64) {
        self.min = if self.count == 0 { min } else { self.min.min(min) };
        self.max = if self.count == 0 { max } else { self.max.max(max) };
    }
}

impl Sizes {
    fn of(number: f64) -> i32 {
        let size = i32::try_from(number.abs().to_bits() >> LOWER_BITS).unwrap_or(i32::MAX);
        if number < 0.0 { -1 - size } else { size }
    }

    fn add(&mut self, size: i32, count: u64) {
        *self.counts.entry(size >> self.coarse).or_default() += count;
        while self.counts.len() > MAX_SIZES {
            self.coarsen();
        }
    }

    /// Halves the number of sizes. How often that happens depends only on which sizes there are, not on their order.
    fn coarsen(&mut self) {
        self.coarse += 1;
        for (size, count) in std::mem::take(&mut self.counts) {
            *self.counts.entry(size >> 1).or_default() += count;
        }
    }

    fn merge(&mut self, mut other: Self) {
        while self.coarse < other.coarse {
            self.coarsen();
        }
        while other.coarse < self.coarse {
            other.coarsen();
        }
        for (size, count) in other.counts {
            *self.counts.entry(size).or_default() += count;
        }
        while self.counts.len() > MAX_SIZES {
            self.coarsen();
        }
    }

    /// A number of the size that the one with this rank has; the one nearest to zero, so that small whole numbers are what they are.
    fn at(&self, rank: u64) -> f64 {
        let mut before = 0;
        for (size, count) in &self.counts {
            before += count;
            if before > rank {
                let size = size << self.coarse;
                let bits = |size: i32| u64::from(size.unsigned_abs()) << LOWER_BITS;
                return if size < 0 { -f64::from_bits(bits(-1 - size)) } else { f64::from_bits(bits(size)) };
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::Dice;
    use super::*;

    fn of(numbers: &[f64]) -> Amount {
        let mut amount = Amount::default();
        numbers.iter().for_each(|number| amount.add(*number, true));
        amount
    }

    #[test]
    fn sums_are_exact_and_rounded_once() {
        for (numbers, sum) in [
            (&[0.1, 0.2, 0.3, -0.3, -0.2, -0.1][..], 0.0),
            (&[1e308, 1.0, -1e308], 1.0),
            (&[1e16, 1.0, 1.0], 1e16 + 2.0),
            (&[f64::MIN_POSITIVE, -5e-324, 5e-324], f64::MIN_POSITIVE),
            (&[-5e-324, -5e-324], -1e-323),
            (&[f64::MAX, f64::MAX, -f64::MAX], f64::MAX),
            (&[f64::MAX, f64::MAX], f64::INFINITY),
            (&[-1.5, -2.25, 0.5], -3.25),
            (&[-0.0], 0.0),
            (&[], 0.0),
        ] {
            assert_eq!(of(numbers).sum(), sum, "{numbers:?}");
        }
    }

    #[test]
    fn the_order_of_numbers_and_parts_never_matters() {
        for seed in 1..30 {
            let mut dice = Dice(seed * 7_919);
            let mut numbers: Vec<f64> = (0..400).map(|_| f64::from_bits(dice.roll(u64::MAX))).filter(|n| n.is_finite()).collect();
            numbers.extend((0..200).map(|i| f64::from(i - 100) / 7.0));
            let all = of(&numbers);
            let (a, b) = numbers.split_at(numbers.len() / 3);
            let mut parts = of(b);
            parts.merge(of(a));
            numbers.reverse();
            for amount in [&parts, &of(&numbers)] {
                let seen = |amount: &Amount| {
                    let quantiles = [0.0, 0.1, 0.5, 0.9, 1.0].map(|q| amount.quantile(q).to_bits());
                    (amount.count(), amount.sum().to_bits(), amount.min().to_bits(), amount.max().to_bits(), quantiles)
                };
                assert_eq!(seen(amount), seen(&all), "seed {seed}");
            }
        }
    }

    #[test]
    fn quantiles_are_within_one_percent_and_small_whole_numbers_exact() {
        let mut dice = Dice(77);
        let mut numbers: Vec<f64> = (0..5_000).map(|_| (dice.roll(1 << 30) as f64 - 3e8) / 1_000.0).collect();
        let amount = of(&numbers);
        numbers.sort_by(f64::total_cmp);
        for (q, at) in [(0.0, 0), (0.25, 1_249), (0.5, 2_499), (0.95, 4_749), (1.0, 4_999)] {
            let exact = numbers[at];
            assert!((amount.quantile(q) - exact).abs() <= exact.abs() / 100.0, "{q}: {} is not {exact}", amount.quantile(q));
        }
        let whole = of(&(-128..=128).map(f64::from).collect::<Vec<_>>());
        assert_eq!([0.25, 0.5, 0.75].map(|q| whole.quantile(q)), [-64.0, 0.0, 64.0]);
    }

    #[test]
    fn sizes_that_are_too_many_get_coarser_in_any_order() {
        let numbers: Vec<f64> = (0..40_000_u32).map(|i| f64::from_bits((1_u64 << 62) + (u64::from(i) << LOWER_BITS))).collect();
        let (a, b) = numbers.split_at(30_000);
        let (mut ab, mut ba) = (of(a), of(b));
        ab.merge(of(b));
        ba.merge(of(a));
        assert!(ab.sizes.counts.len() <= MAX_SIZES && ab.sizes.coarse > 0);
        assert_eq!((ab.sizes.coarse, &ab.sizes.counts), (ba.sizes.coarse, &ba.sizes.counts));
        assert_eq!(ab.quantile(0.5), ba.quantile(0.5));
    }
}
