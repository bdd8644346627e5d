//! Whole numbers from decimal text, exact in every form that JSON allows: `10`, `1e1`, `1.0e1`, `100e-1`.

/// Why a text is not a whole number of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NotANumber,
    Fraction,
    Range,
}

/// Reads a whole number. No floating point is involved, so nothing is rounded.
pub(super) fn integer(text: &[u8]) -> Result<i128, Problem> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (text.get(..at).unwrap_or_default(), exponent(text.get(at + 1..).unwrap_or_default())?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|b| *b == b'.') {
        Some(at) => (mantissa.get(..at).unwrap_or_default(), mantissa.get(at + 1..).filter(|f| !f.is_empty()).ok_or(Problem::NotANumber)?),
        None => (mantissa, &[][..]),
    };
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(Problem::NotANumber);
    }
    let magnitude = magnitude(whole, fraction, exponent)?;
    Ok(if negative { -magnitude } else { magnitude })
}

/// Shifts the point by `exponent` digits and reads what is left of it.
fn magnitude(whole: &[u8], fraction: &[u8], exponent: i64) -> Result<i128, Problem> {
    let digits = || whole.iter().chain(fraction);
    let Some(first) = digits().position(|d| *d != b'0') else { return Ok(0) };
    let trailing = fraction.iter().rev().chain(whole.iter().rev()).take_while(|d| **d == b'0').count();
    let total = i64::try_from(whole.len() + fraction.len()).unwrap_or(i64::MAX);
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
    if total - i64::try_from(trailing).unwrap_or(i64::MAX) > point {
        return Err(Problem::Fraction);
    }
    let significant = point.saturating_sub(i64::try_from(first).unwrap_or(i64::MAX));
    let significant = usize::try_from(significant).ok().filter(|n| *n <= MAX_DIGITS).ok_or(Problem::Range)?;
    let padded = digits().skip(first).chain(std::iter::repeat(&b'0')).take(significant);
    Ok(padded.fold(0, |all, digit| all * 10 + i128::from(digit - b'0')))
}

fn exponent(text: &[u8]) -> Result<i64, Problem> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Problem::NotANumber);
    }
    let size = digits.iter().fold(0_i64, |all, digit| all.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(MAX_EXPONENT));
    Ok(if negative { -size } else { size })
}

/// Digits of the largest number of 64 bits.
const MAX_DIGITS: usize = 20;
/// Beyond any text; keeps sums from overflowing.
const MAX_EXPONENT: i64 = 1 << 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_whole_number_is_exact() {
        for (text, number) in [
            ("0", 0),
            ("-0", 0),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("1e3", 1000),
            ("1.5E1", 15),
            ("1.0", 1),
            ("1000e-3", 1),
            ("0.0001e4", 1),
            ("0e999999999999999999999", 0),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9.007199254740993e15", 9_007_199_254_740_993),
        ] {
            assert_eq!(integer(text.as_bytes()), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_number_of_64_bits_is_named() {
        for (text, problem) in [
            ("1.5", Problem::Fraction),
            ("1e-1", Problem::Fraction),
            ("1e-99999999999999999999", Problem::Fraction),
            ("1e400", Problem::Range),
            ("123456789012345678901", Problem::Range),
            ("1e99999999999999999999", Problem::Range),
            ("", Problem::NotANumber),
            ("-", Problem::NotANumber),
            ("+1", Problem::NotANumber),
            ("1.", Problem::NotANumber),
            ("1e", Problem::NotANumber),
            (".5", Problem::NotANumber),
            ("0x10", Problem::NotANumber),
            ("1 ", Problem::NotANumber),
        ] {
            assert_eq!(integer(text.as_bytes()), Err(problem), "{text}");
        }
    }

    #[test]
    fn a_number_of_very_many_digits_is_read_in_linear_time() {
        let zeros = "0".repeat(100_000);
        assert_eq!(integer(format!("1{zeros}").as_bytes()), Err(Problem::Range));
        assert_eq!(integer(format!("1{zeros}e-100000").as_bytes()), Ok(1));
        assert_eq!(integer(format!("0.{zeros}1e100001").as_bytes()), Ok(1));
    }
}
