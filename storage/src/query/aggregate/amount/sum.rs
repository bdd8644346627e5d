//! The exact sum of doubles, whatever their order.

/// An exact sum: digits by place, lowest first, each times 2^(32 * place - 1074). A digit has a sign, and may be larger than a digit should.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    digits: Vec<(u8, i64)>,
}

/// Digits are carried before they get larger.
const MAX_DIGIT: i64 = 1 << 61;
/// Places that the largest sums reach.
const PLACES: u8 = 70;

impl Sum {
    /// Bytes that are held beside this itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.digits.capacity() * size_of::<(u8, i64)>()
    }

    pub(super) fn add(&mut self, number: f64) {
        let bits = number.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        // The number is `whole` times 2^(shift - 1074).
        let (shift, whole) = if exponent == 0 { (0, fraction) } else { (exponent - 1, fraction | 1 << 52) };
        let wide = u128::from(whole) << (shift % 32);
        let first = u8::try_from(shift / 32).unwrap_or(u8::MAX);
        for (place, digit) in (first..).zip([wide, wide >> 32, wide >> 64]) {
            let digit = i64::from(u32::try_from(digit & 0xffff_ffff).unwrap_or_default());
            self.put(place, if number.is_sign_negative() { -digit } else { digit });
        }
    }

    fn put(&mut self, place: u8, more: i64) {
        if more == 0 {
            return;
        }
        match self.digits.binary_search_by_key(&place, |(place, _)| *place) {
            Err(at) => self.digits.insert(at, (place, more)),
            Ok(at) => {
                let Some((_, digit)) = self.digits.get_mut(at) else { return };
                *digit += more;
                if digit.abs() > MAX_DIGIT {
                    self.carry();
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.digits.iter().for_each(|(place, digit)| self.put(*place, *digit));
    }

    /// Makes digits as small as they should be; only the highest keeps a sign.
    fn carry(&mut self) {
        let digits = std::mem::take(&mut self.digits);
        let mut known = digits.into_iter().peekable();
        let mut over = 0;
        for place in 0..=PLACES {
            let digit = over + known.next_if(|(next, _)| *next == place).map_or(0, |(_, digit)| digit);
            over = digit.div_euclid(1 << 32);
            let rest = digit.rem_euclid(1 << 32);
            if rest != 0 {
                self.digits.push((place, rest));
            }
        }
        // The sign of before, which may cancel what came up to it.
        over += known.map(|(_, digit)| digit).sum::<i64>();
        if over != 0 {
            self.digits.push((PLACES + 1, over));
        }
    }

    /// The nearest double.
    pub(super) fn rounded(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let is_negative = sum.digits.last().is_some_and(|(place, _)| *place > PLACES);
        if is_negative {
            sum.digits.iter_mut().for_each(|(_, digit)| *digit = -*digit);
            sum.carry();
        }
        let Some((top, _)) = sum.digits.last().copied() else { return 0.0 };
        let lowest = i32::from(top) - 2;
        let mut whole = 0_u128;
        for (place, digit) in &sum.digits {
            let digit = u128::from(digit.unsigned_abs());
            match u32::try_from(i32::from(*place) - lowest) {
                Ok(above) => whole |= digit << (32 * above),
                // Whatever lies below only says that it is not exactly between two doubles.
                Err(_) => whole |= 1,
            }
        }
        let number = scaled(whole, 32 * lowest - 1_074);
        if is_negative { -number } else { number }
    }
}

/// Times a power of two, in two steps because one of them alone may be no double.
#[expect(clippy::cast_precision_loss, reason = "this is where it is rounded")]
fn scaled(whole: u128, exponent: i32) -> f64 {
    let half = exponent / 2;
    whole as f64 * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_grow_too_large_are_carried() {
        let mut many = Sum::default();
        (0..1_000).for_each(|_| many.add(1.0));
        many.digits.iter_mut().for_each(|(_, digit)| *digit = MAX_DIGIT);
        let before = many.rounded();
        many.add(f64::from_bits(1));
        many.carry();
        assert!((many.rounded() - before).abs() <= before * 1e-15);
    }
}
