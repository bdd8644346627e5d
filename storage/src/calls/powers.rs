//! Sums that tell exactly what few durations were: two at most, or any number of equal ones.
//!
//! Quantiles of calls come from buckets, whose middle may lie above the longest call. The shortest and the longest cannot be kept beside
//! them, because calls are taken off again; sums can. So one call, two, and calls that all took the same are told exactly, however the rows
//! lie; of others quantiles are within 1 %.

use crate::rollup::{Buckets, bucket_of, rank};

/// The sum of some durations and that of their squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Powers(Option<Both>);

/// Both wrap, so that others than these may look like them: durations that are made for it, by chance one in 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Both {
    sum: u128,
    squares: u128,
}

impl Default for Powers {
    /// Of no durations.
    fn default() -> Self {
        Self(Some(Both::default()))
    }
}

impl Powers {
    /// Of durations that were summed up without.
    pub(super) const UNKNOWN: Self = Self(None);

    pub(crate) fn add(&mut self, duration: u64) {
        self.merge(Self::of(duration));
    }

    /// One less, which was added before.
    pub(crate) fn remove(&mut self, duration: u64) {
        let Self(Some(one)) = Self::of(duration) else { return };
        self.0 = self.0.map(|all| Both { sum: all.sum.wrapping_sub(one.sum), squares: all.squares.wrapping_sub(one.squares) });
    }

    pub(crate) fn merge(&mut self, other: Self) {
        let both = |(a, b): (Both, Both)| Both { sum: a.sum.wrapping_add(b.sum), squares: a.squares.wrapping_add(b.squares) };
        self.0 = self.0.zip(other.0).map(both);
    }

    /// The duration that the share `q` of all does not exceed.
    pub(crate) fn quantile(self, q: f64, durations: &Buckets) -> u64 {
        let count = durations.count();
        let of_ends = |(shortest, longest)| if rank(q, count) == 0 { shortest } else { longest };
        // Sums wrap, and a sender may choose durations for it; buckets do not.
        let is_in = |bucket: Option<(u16, u64)>, duration| bucket.is_some_and(|(bucket, _)| bucket == bucket_of(duration));
        let agree = |ends: &(u64, u64)| is_in(durations.iter().next(), ends.0) && is_in(durations.iter().last(), ends.1);
        self.ends(count).filter(agree).map_or_else(|| durations.quantile(q), of_ends)
    }

    /// As they are written: the sum, and how much the squares are more than those of so many equal durations.
    pub(super) fn parts(self, count: u64) -> Option<(u128, u128)> {
        self.0.map(|Both { sum, squares }| (sum, squares.wrapping_sub(equal(sum, count))))
    }

    /// From what [`Self::parts`] gave.
    pub(super) fn from_parts((sum, more): (u128, u128), count: u64) -> Self {
        Self(Some(Both { sum, squares: more.wrapping_add(equal(sum, count)) }))
    }

    /// The shortest and the longest of so many durations, where the sums tell.
    fn ends(self, count: u64) -> Option<(u64, u64)> {
        let Both { sum, squares } = self.0?;
        let apart = if count == 2 { squares.wrapping_mul(2).wrapping_sub(square(sum)).isqrt() } else { 0 };
        let mean = |sum: u128| sum.checked_div(u128::from(count));
        let (shortest, longest) = (mean(sum.checked_sub(apart)?)?, mean(sum.checked_add(apart)?)?);
        let (short, long) = (u128::from(count - count / 2), u128::from(count / 2));
        let of_both = |shortest: u128, longest: u128| short.wrapping_mul(shortest).wrapping_add(long.wrapping_mul(longest));
        let fits = of_both(shortest, longest) == sum && of_both(square(shortest), square(longest)) == squares;
        if fits { u64::try_from(shortest).ok().zip(u64::try_from(longest).ok()) } else { None }
    }

    fn of(duration: u64) -> Self {
        let sum = u128::from(duration);
        Self(Some(Both { sum, squares: sum * sum }))
    }
}

fn square(number: u128) -> u128 {
    number.wrapping_mul(number)
}

/// The squares of so many equal durations with this sum.
fn equal(sum: u128, count: u64) -> u128 {
    let count = u128::from(count);
    sum.checked_div(count).map_or(0, |mean| count.wrapping_mul(square(mean)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: &[u64]) -> (Powers, Buckets) {
        let (mut powers, mut buckets) = (Powers::default(), Buckets::default());
        for duration in durations {
            powers.add(*duration);
            buckets.add(bucket_of(*duration), 1);
        }
        (powers, buckets)
    }

    #[test]
    fn one_two_and_equal_durations_are_told_exactly_and_others_by_their_buckets() {
        for a in [0, 1, 500_000_000, 400_000_001, u64::MAX] {
            for b in [0, 3, 499_999_999, u64::MAX - 1, u64::MAX] {
                let (powers, buckets) = of(&[a, b]);
                assert_eq!((powers.quantile(0.5, &buckets), powers.quantile(0.95, &buckets)), (a.min(b), a.max(b)));
                let (mut powers, mut buckets) = of(&[a, b, a]);
                let apart = (powers.quantile(0.5, &buckets), powers.quantile(0.99, &buckets));
                assert!(apart == (buckets.quantile(0.5), buckets.quantile(0.99)) || a == b, "{a} {b}");
                powers.remove(b);
                buckets.remove(bucket_of(b), 1);
                assert_eq!((powers.quantile(0.5, &buckets), powers.quantile(0.95, &buckets)), (a, a));
            }
            let (powers, buckets) = of(&[a; 1_000]);
            assert_eq!((powers.quantile(0.5, &buckets), powers.quantile(0.99, &buckets)), (a, a));
        }
        let (powers, buckets) = of(&[]);
        assert_eq!(powers.quantile(0.5, &buckets), 0);
    }

    #[test]
    fn sums_that_wrap_make_no_equal_durations_of_others() {
        for (each, long) in [(32, 1 << 62), (128, 1 << 61)] {
            let durations: Vec<u64> = [0, long].into_iter().flat_map(|duration| vec![duration; each]).collect();
            let (powers, buckets) = of(&durations);
            assert_eq!(powers.ends(2 * each as u64), Some((long / 2, long / 2)), "the sums alone are taken in");
            assert_eq!((powers.quantile(0.5, &buckets), powers.quantile(0.99, &buckets)), (0, buckets.quantile(0.99)));
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_known_stays_so() {
        for durations in [vec![], vec![7], vec![7; 12], vec![1, 2, 3, 500_000_000], vec![u64::MAX, 5, u64::MAX]] {
            let (powers, _) = of(&durations);
            let count = durations.len() as u64;
            let parts = powers.parts(count).unwrap();
            assert_eq!(Powers::from_parts(parts, count), powers);
            assert!(parts.1 == 0 || durations.iter().any(|duration| *duration != durations[0]));
            let mut unknown = powers;
            unknown.merge(Powers::UNKNOWN);
            unknown.add(1);
            assert_eq!((unknown, unknown.parts(count)), (Powers::UNKNOWN, None));
        }
    }
}
