//! Numbers, durations, sizes and text, written the same way on every page.
//!
//! Durations have three significant digits and a unit chosen per value, joined by a narrow no-break space.

use std::fmt::Write as _;

mod quiet;
mod time;

pub(crate) use self::quiet::quiet;
pub(crate) use self::time::{Clockface, Moment};

/// A duration in nanoseconds: `812 ns`, `41.3 µs`, `2.10 ms`, `1.24 s`, `2 min 05 s`, `3 h 12 min`, `4 d 02 h`.
pub(crate) fn duration(nanos: u64) -> String {
    const MICRO: u64 = 1_000;
    const MILLI: u64 = 1_000_000;
    // A value that would round up to four digits is written in the next unit.
    let fits = |unit: u64| nanos.saturating_mul(2) < unit.saturating_mul(1_999);
    if nanos < MICRO {
        format!("{nanos}{NNBSP}ns")
    } else if fits(MICRO) {
        format!("{}{NNBSP}µs", three_digits(ratio(nanos, MICRO)))
    } else if fits(MILLI) {
        format!("{}{NNBSP}ms", three_digits(ratio(nanos, MILLI)))
    } else if nanos < 60 * SECOND - SECOND / 20 {
        format!("{}{NNBSP}s", three_digits(ratio(nanos, SECOND)))
    } else {
        let seconds = nanos.saturating_add(SECOND / 2) / SECOND;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match (days, hours) {
            (0, 0) => format!("{minutes}{NNBSP}min{NBSP}{:02}{NNBSP}s", seconds % 60),
            (0 | 1, _) => format!("{hours}{NNBSP}h{NBSP}{:02}{NNBSP}min", minutes % 60),
            _ => format!("{days}{NNBSP}d{NBSP}{:02}{NNBSP}h", hours % 24),
        }
    }
}

/// A duration that is a round number of one unit: `5 ms`, `2.5 s`, `10 min`, `36 h`, `14 d`.
pub(crate) fn round_duration(nanos: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "min")];
    let long = UNITS.into_iter().find(|(unit, _)| nanos >= *unit && nanos.is_multiple_of(*unit));
    if let Some((unit, name)) = long {
        return format!("{}{NNBSP}{name}", exact(nanos / unit));
    }
    let said = duration(nanos);
    match said.split_once(NNBSP) {
        Some((number, unit)) if !unit.contains(NNBSP) => format!("{}{NNBSP}{unit}", trimmed(number)),
        _ => said,
    }
}

/// What happens once in so long, after `per`: `minute`, `5 min`.
pub(crate) fn each(nanos: u64) -> String {
    match nanos {
        1_000_000_000 => "second".to_owned(),
        60_000_000_000 => "minute".to_owned(),
        3_600_000_000_000 => "hour".to_owned(),
        86_400_000_000_000 => "day".to_owned(),
        _ => round_duration(nanos),
    }
}

/// A duration with all its digits, for titles: `1,203,456 ns`.
pub(crate) fn exact_nanos(nanos: u64) -> String {
    format!("{}{NNBSP}ns", exact(nanos))
}

/// A duration as queries take it, to the nanosecond: `1.5s`, `287.309824ms`.
pub(crate) fn written(nanos: u64) -> String {
    const UNITS: [(&str, u64, usize); 3] = [("s", 1_000_000_000, 9), ("ms", 1_000_000, 6), ("us", 1_000, 3)];
    let Some((unit, scale, digits)) = UNITS.into_iter().find(|(_, scale, _)| nanos >= *scale) else { return format!("{nanos}ns") };
    let fraction = format!("{:0digits$}", nanos % scale);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}{unit}", nanos / scale)
}

/// A count: `9,412`, `12.4 k`, `3.10 M`.
pub(crate) fn count(n: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    if n < 10_000 {
        return exact(n);
    }
    for (unit, letter) in UNITS {
        if n.saturating_mul(2) >= unit.saturating_mul(2) - unit / 1_000 {
            return format!("{}{NNBSP}{letter}", three_digits(ratio(n, unit)));
        }
    }
    exact(n)
}

/// A count with all its digits, grouped by thousands.
pub(crate) fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 span`, `12.4 k spans`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1{NBSP}{one}") } else { format!("{}{NBSP}{many}", count(n)) }
}

/// Events per time: `12.4/s`, below a tenth per second `4.20/min`, below that per hour. Less than a hundred events have no more digits than
/// they can say, and a unit of which there is one: `4/min`. Never per more time than was looked at: `2 in 15 min`.
pub(crate) fn rate(n: u64, window_nanos: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1, "s"), (60, "min"), (3_600, "h")];
    if window_nanos == 0 {
        return MISSING.to_owned();
    }
    if n == 0 {
        return "0/s".to_owned();
    }
    let per_second = ratio(n, 1) / ratio(window_nanos, SECOND);
    if per_second >= 10_000.0 {
        return format!("{}{NNBSP}k/s", three_digits(per_second / 1_000.0));
    }
    let is_few = n < 100;
    let least = if is_few { 0.95 } else { 0.1 };
    for (seconds, unit) in UNITS {
        let value = per_second * ratio(seconds, 1);
        if value >= least && window_nanos >= seconds * SECOND {
            let few = || if value >= 9.95 { format!("{value:.0}") } else { trimmed(&format!("{value:.1}")) };
            return format!("{}/{unit}", if is_few { few() } else { three_digits(value) });
        }
    }
    format!("{} in {}", exact(n), round_duration(window_nanos))
}

/// A share: `15.0 %`, `0.42 %`, `<0.01 %`, with as many digits as its neighbours; `0 %` only when it is exactly that, `—` when there is no whole.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return MISSING.to_owned();
    }
    let share = ratio(part, whole) * 100.0;
    if part == 0 {
        format!("0{NNBSP}%")
    } else if share < 0.01 {
        format!("<0.01{NNBSP}%")
    } else if part < whole && share > 99.9 {
        format!(">99.9{NNBSP}%")
    } else {
        format!("{}{NNBSP}%", three_digits(share))
    }
}

/// A size in binary units: `812 B`, `4.10 KiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if n >= unit {
            return format!("{}{NNBSP}{name}", three_digits(ratio(n, unit)));
        }
    }
    format!("{n}{NNBSP}B")
}

/// Text from outside as it may be shown: control characters and marks that reorder text become visible signs.
pub(crate) fn text(raw: &str) -> String {
    if !raw.chars().any(is_treacherous) {
        return raw.to_owned();
    }
    raw.chars()
        .map(|c| match c {
            '\u{1b}' => '␛',
            '\u{7f}' => '␡',
            c if is_treacherous(c) => char::from_u32(0x2400 + u32::from(c)).filter(|_| u32::from(c) < 0x20).unwrap_or('\u{fffd}'),
            c => c,
        })
        .collect()
}

/// Names that a reader may choose from a list and type: without control characters and marks that reorder text.
pub(crate) fn offered(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().filter(|name| !name.chars().any(|c| c.is_control() || is_treacherous(c))).collect()
}

/// The first `max` characters of [`text`] on one line, with `…` when more follows.
pub(crate) fn line(raw: &str, max: usize) -> String {
    let first = raw.trim_start().lines().next().unwrap_or_default();
    let mut out = text(first).chars().take(max).collect::<String>();
    if first.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

/// A name as shown; an empty one is said to be empty.
pub(crate) fn name(raw: &str) -> String {
    if raw.trim().is_empty() { "(no name)".to_owned() } else { line(raw, MAX_NAME) }
}

/// A name in pieces between which a line may break: after its separators, and within a word only when it is longer than any that people
/// write, so that one name does not make a page as wide as it is.
pub(crate) fn pieces(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive(|c: char| "/._-:,@=&?".contains(c)).flat_map(short)
}

/// Text in parts without words of more than so many characters.
fn short(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut run = 0_usize;
        let end = rest.char_indices().find(|(_, c)| {
            run = if c.is_whitespace() { 0 } else { run + 1 };
            run > MAX_WORD
        });
        let (part, after) = rest.split_at_checked(end.map_or(rest.len(), |(at, _)| at))?;
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Longer than words and identifiers that stand in code: `AbstractAutowireCapableBeanFactory` has 34.
const MAX_WORD: usize = 36;

/// Bytes as lower-case hex.
pub(crate) fn hex(raw: &[u8]) -> String {
    raw.iter().fold(String::with_capacity(raw.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A share of a whole as a position on an SVG axis of 100 %, with two decimals.
pub(crate) fn position(part: u64, whole: u64) -> String {
    if whole == 0 { "0".to_owned() } else { trimmed(&format!("{:.3}", (ratio(part, whole) * 100.0).min(100.0))) }
}

/// Shown where a number is not known.
pub(crate) const MISSING: &str = "—";

/// `a / b` of whole numbers; the loss of precision beyond 2^53 is far below three digits.
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A decimal without zeros at its end.
fn trimmed(decimal: &str) -> String {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.').to_owned() } else { decimal.to_owned() }
}

fn is_treacherous(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

const SECOND: u64 = 1_000_000_000;

const NNBSP: char = '\u{202f}';
const NBSP: char = '\u{a0}';

/// Longer names are cut in lists; the whole one is in the detail.
const MAX_NAME: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace([NNBSP, NBSP], " ")
    }

    #[test]
    fn durations_in_queries_are_exact() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1us"),
            (1_050, "1.05us"),
            (287_309_824, "287.309824ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_001, "60.000000001s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(written(nanos), text);
        }
    }

    #[test]
    fn names_that_cannot_be_typed_are_not_offered() {
        let names = ["cart", "a\u{1}b", "\u{202e}drac", "two\nlines", "Käse 🧀"];
        assert_eq!(offered(names.map(str::to_owned)), ["cart", "Käse 🧀"]);
    }

    #[test]
    fn durations_have_three_digits_and_a_unit_of_their_own() {
        let cases: [(u64, &str); 15] = [
            (0, "0 ns"),
            (812, "812 ns"),
            (41_300, "41.3 µs"),
            (999_949, "1.00 ms"),
            (2_100_000, "2.10 ms"),
            (9_999_000, "10.0 ms"),
            (999_400_000, "999 ms"),
            (999_600_000, "1.00 s"),
            (1_240_000_000, "1.24 s"),
            (59_990_000_000, "1 min 00 s"),
            (125_000_000_000, "2 min 05 s"),
            (11_520_000_000_000, "3 h 12 min"),
            (100_000_000_000_000, "27 h 46 min"),
            (360_000_000_000_000, "4 d 04 h"),
            (u64::MAX, "213503 d 23 h"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(plain(&duration(nanos)), expected, "{nanos}");
        }
    }

    #[test]
    fn round_durations_are_written_without_zeros() {
        let second = 1_000_000_000;
        for (nanos, expected) in [
            (5_000_000, "5 ms"),
            (2_500_000_000, "2.5 s"),
            (600 * second, "10 min"),
            (36 * 3_600 * second, "36 h"),
            (14 * 86_400 * second, "14 d"),
            (90 * second, "1 min 30 s"),
            (0, "0 ns"),
        ] {
            assert_eq!(plain(&round_duration(nanos)), expected);
        }
        assert_eq!((each(60 * second).as_str(), plain(&each(300 * second)).as_str()), ("minute", "5 min"));
    }

    #[test]
    fn counts_stay_exact_below_ten_thousand() {
        for (n, expected) in [(0, "0"), (9_412, "9,412"), (12_400, "12.4 k"), (999_600, "1.00 M"), (3_100_000, "3.10 M")] {
            assert_eq!(plain(&count(n)), expected, "{n}");
        }
        assert_eq!(exact(1_234_567), "1,234,567");
        assert_eq!(plain(&counted(1, "span", "spans")), "1 span");
    }

    #[test]
    fn shares_say_zero_only_for_zero() {
        for (part, whole, expected) in [
            (0, 10, "0 %"),
            (1, 100_000, "<0.01 %"),
            (42, 10_000, "0.42 %"),
            (1, 3, "33.3 %"),
            (3, 20, "15.0 %"),
            (1, 20, "5.00 %"),
            (3, 3, "100 %"),
            (99_999, 100_000, ">99.9 %"),
            (0, 0, "—"),
        ] {
            assert_eq!(plain(&percent(part, whole)), expected);
        }
    }

    #[test]
    fn rates_choose_their_unit_of_time() {
        let minute = 60_000_000_000;
        assert_eq!(rate(744, minute), "12.4/s");
        assert_eq!(rate(3, minute), "3/min");
        assert_eq!(rate(120, 20 * minute), "0.10/s");
        assert_eq!(
            (rate(1, 61 * minute), rate(40, 61 * minute), rate(9, 5 * minute)),
            ("1/h".to_owned(), "39/h".to_owned(), "1.8/min".to_owned())
        );
        assert_eq!((plain(&rate(1, 15 * minute)).as_str(), plain(&rate(1, 90 * 60 * minute)).as_str()), ("1 in 15 min", "1 in 90 h"));
        assert_eq!(rate(0, minute), "0/s");
        assert_eq!(rate(1, 0), "—");
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(plain(&bytes(812)), "812 B");
        assert_eq!(plain(&bytes(4_200)), "4.10 KiB");
        assert_eq!(plain(&bytes(3 << 30)), "3.00 GiB");
    }

    #[test]
    fn marks_that_reorder_text_and_control_characters_become_visible() {
        assert_eq!(text("a\u{202e}b\u{1b}[31m\u{0}"), "a\u{fffd}b␛[31m␀");
        assert_eq!(line("one\ntwo", 10), "one");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(name("  "), "(no name)");
    }

    #[test]
    fn names_break_after_separators_and_keep_every_character() {
        let name = "com.shop.payment/Card_Declined";
        assert_eq!(pieces(name).collect::<Vec<_>>(), ["com.", "shop.", "payment/", "Card_", "Declined"]);
        assert_eq!(pieces(name).collect::<String>(), name);
        assert_eq!(pieces("").count(), 0);
        let long = "ä".repeat(100);
        assert_eq!(pieces(&long).map(|part| part.chars().count()).collect::<Vec<_>>(), [36, 36, 28]);
        assert_eq!(pieces(&long).collect::<String>(), long);
        assert_eq!(pieces("many words that are short break where they end, as ever").count(), 2);
    }
}
