//! Quantiles of durations: exact for few, within 1 % for many, and mergeable.

/// Counts durations. Up to [`EXACT`] of them are kept as they are; more are counted in buckets whose bounds grow by 2 %.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    few: Vec<u64>,
    /// Counts of buckets `first`, `first + 1`, …
    buckets: Vec<u64>,
    first: usize,
    count: u64,
}

/// Durations kept as they are.
const EXACT: usize = 64;
/// Relative error of a bucket's middle.
const ERROR: f64 = 0.01;

impl Sketch {
    pub(super) fn add(&mut self, duration: u64) {
        self.count += 1;
        if self.buckets.is_empty() {
            self.few.push(duration);
            if self.few.len() > EXACT {
                for duration in std::mem::take(&mut self.few) {
                    self.bucket(bucket_of(duration), 1);
                }
            }
        } else {
            self.bucket(bucket_of(duration), 1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for duration in &other.few {
            self.add(*duration);
        }
        if other.buckets.is_empty() {
            return;
        }
        self.count += other.count;
        for duration in std::mem::take(&mut self.few) {
            self.bucket(bucket_of(duration), 1);
        }
        for (i, n) in other.buckets.iter().enumerate() {
            if *n > 0 {
                self.bucket(other.first + i, *n);
            }
        }
    }

    /// The duration that the share `q` of all durations does not exceed; zero when there are none.
    pub(super) fn quantile(&self, q: f64) -> u64 {
        let rank = rank(q, self.count);
        if self.buckets.is_empty() {
            let mut sorted = self.few.clone();
            sorted.sort_unstable();
            return usize::try_from(rank).ok().and_then(|rank| sorted.get(rank).copied()).unwrap_or_default();
        }
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen > rank {
                return middle_of(self.first + i);
            }
        }
        0
    }

    fn bucket(&mut self, index: usize, n: u64) {
        if self.buckets.is_empty() {
            self.first = index;
        }
        if index < self.first {
            let missing = self.first - index;
            self.buckets.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = index;
        }
        let place = index - self.first;
        if place >= self.buckets.len() {
            self.buckets.resize(place + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(place) {
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

fn growth() -> f64 {
    ((1.0 + ERROR) / (1.0 - ERROR)).ln()
}

/// Bucket 0 holds zero, bucket i + 1 holds what lies above growth^(i - 1) up to growth^i.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "logarithms of durations lie between 0 and 2,300"
)]
fn bucket_of(duration: u64) -> usize {
    if duration == 0 { 0 } else { 1 + ((duration as f64).ln() / growth()).ceil() as usize }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the middle is within the error anyway"
)]
fn middle_of(bucket: usize) -> u64 {
    let Some(exponent) = bucket.checked_sub(1) else { return 0 };
    let upper = (exponent as f64 * growth()).exp();
    (upper * (1.0 - ERROR)).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_exact_and_many_are_within_one_percent() {
        let mut sketch = Sketch::default();
        (1..=50).for_each(|ms| sketch.add(ms * 1_000_000));
        assert_eq!(sketch.quantile(0.5), 25_000_000);
        assert_eq!(sketch.quantile(1.0), 50_000_000);
        (51..=1000).for_each(|ms| sketch.add(ms * 1_000_000));
        for (q, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = sketch.quantile(q) as f64 / 1e6;
            assert!((found / exact - 1.0).abs() < 0.0101, "{q}: {found}");
        }
    }

    #[test]
    fn merging_equals_adding_everything_to_one() {
        let (mut a, mut b, mut all) = (Sketch::default(), Sketch::default(), Sketch::default());
        for i in 0..3_000_u64 {
            let duration = i * i * 37 % 1_000_003;
            all.add(duration);
            if i % 30 == 0 { a.add(duration) } else { b.add(duration) }
        }
        a.merge(&b);
        b = Sketch::default();
        b.merge(&a);
        for q in [0.0, 0.1, 0.5, 0.99, 1.0] {
            assert_eq!(a.quantile(q), all.quantile(q));
            assert_eq!(b.quantile(q), all.quantile(q));
        }
        assert_eq!(Sketch::default().quantile(0.5), 0);
    }

    #[test]
    fn extremes_stay_within_their_error() {
        for duration in [0, 1, 2, u64::MAX] {
            let mut sketch = Sketch::default();
            (0..100).for_each(|_| sketch.add(duration));
            let found = sketch.quantile(0.5) as f64;
            assert!((found - duration as f64).abs() <= duration as f64 * 0.0101 + 0.5, "{duration}: {found}");
        }
    }
}
