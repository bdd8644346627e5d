//! What may be chance: how far the shares of two groups differ although both were drawn from one.

use super::format;

/// Standard errors that a difference has at least. Of a hundred values that differ by chance alone five are beyond two and none beyond three,
/// and hundreds are compared.
pub(crate) const CERTAIN: f64 = 3.0;

/// A part of a whole; nothing of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { format::ratio(part, whole) }
}

/// How much two shares may differ by chance: so many standard errors of their difference where both groups were taken from one. Given are the
/// parts of both, and the wholes.
pub(crate) fn margin((part, other_part): (u64, u64), (whole, other_whole): (u64, u64)) -> f64 {
    if whole == 0 || other_whole == 0 {
        return 0.0;
    }
    let both = share(part.saturating_add(other_part), whole.saturating_add(other_whole));
    let size = 1.0 / format::ratio(whole, 1) + 1.0 / format::ratio(other_whole, 1);
    CERTAIN * (both * (1.0 - both).max(0.0) * size).sqrt()
}

/// How many standard errors the ranks of one group lie above those of the other (Mann and Whitney): one slow span among many does not move them.
pub(crate) fn certainty(these: &[f64], others: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = these.iter().map(|value| (*value, true)).chain(others.iter().map(|value| (*value, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let number = |count: usize| format::ratio(count as u64, 1);
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0);
    for alike in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let (count, of_these) = (number(alike.len()), alike.iter().filter(|(_, is_these)| *is_these).count());
        ranks += (number(before) + (count + 1.0) / 2.0) * number(of_these);
        ties += count * (count * count - 1.0);
        before += alike.len();
    }
    let (n, m, both) = (number(these.len()), number(others.len()), number(all.len()));
    let variance = n * m / 12.0 * (both + 1.0 - ties / (both * (both - 1.0)).max(1.0));
    if variance <= 0.0 { 0.0 } else { (ranks - n * (n + 1.0) / 2.0 - n * m / 2.0) / variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_differ_by_much_and_many_by_little() {
        // 40 % and 30 % of 10 and 90, and of a hundred times as many: 0.6 and 6.5 standard errors.
        assert!(margin((4, 27), (10, 90)) > 0.1 && margin((400, 2_700), (1_000, 9_000)) < 0.1);
        assert!(margin((9, 0), (9, 0)).abs() < f64::EPSILON, "without a rest there is nothing to be unsure of");
    }
}
