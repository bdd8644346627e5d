//! Chance, repeatable: the same seed plays the same shop.
//!
//! Not for secrets. Splitmix64 is small, fast and even enough for traffic; a dependency would buy nothing here.

/// A stream of random numbers that follows from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

// === impl Random ===

impl Random {
    /// The stream of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high.saturating_sub(low) + 1)
    }

    /// From 0 up to, not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of the items, each as likely.
    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the remainder of N is under N")]
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        items[(self.number() % N as u64) as usize]
    }

    /// A duration in nanoseconds as services have them: log-normal around `median_us` microseconds. `sigma` 0.3 is steady,
    /// 1.0 has a long tail.
    pub(crate) fn duration(&mut self, median_us: f64, sigma: f64) -> u64 {
        // Twelve uniform numbers less six are near enough to a normal one, and bounded: no day-long request at dawn.
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        nanos(median_us * 1_000.0 * (sigma * normal).exp())
    }

    /// Nanoseconds until the next of events that come by chance, `per_second` on average.
    pub(crate) fn until_next(&mut self, per_second: f64) -> u64 {
        nanos(-(1.0 - self.unit()).ln() * 1e9 / per_second)
    }

    /// A trace id; never zero.
    pub(crate) fn trace_id(&mut self) -> [u8; 16] {
        ((u128::from(self.number()) << 64) | u128::from(self.number() | 1)).to_be_bytes()
    }

    /// A span id; never zero.
    pub(crate) fn span_id(&mut self) -> [u8; 8] {
        self.number().max(1).to_be_bytes()
    }

    /// `digits` lower-case hexadecimal digits, at most sixteen.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = format!("{:016x}", self.number());
        text.truncate(digits);
        text
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn nanos(value: f64) -> u64 {
    value.clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.number() == b.number()));
    }

    #[test]
    fn durations_centre_on_the_median() {
        let mut random = Random::new(1);
        let mut nanos: Vec<u64> = (0..2_001).map(|_| random.duration(1_000.0, 0.5)).collect();
        nanos.sort_unstable();
        assert!((900_000..1_100_000).contains(&nanos[1_000]), "{}", nanos[1_000]);
        assert!(nanos[2_000] < 50_000_000);
    }

    #[test]
    fn between_reaches_both_ends() {
        let mut random = Random::new(3);
        let seen: std::collections::BTreeSet<u64> = (0..200).map(|_| random.between(12, 15)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [12, 13, 14, 15]);
    }
}
