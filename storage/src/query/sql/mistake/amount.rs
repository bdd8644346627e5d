//! Amounts of time as people write them, and the numbers that stand for them here.

use super::super::super::language;
use crate::model::Severity;

/// Nanoseconds of `1s`, `1.5 seconds`, `1 hour 30 minutes`.
pub(super) fn nanos(text: &str) -> Option<i64> {
    let (mut rest, mut total) = (text.trim(), 0_u64);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let lower = unit.to_lowercase();
        let short = UNITS.iter().find(|(_, names)| names.contains(&lower.as_str())).map_or(lower.as_str(), |(short, _)| short);
        total = total.checked_add(language::duration(&format!("{number}{short}")).ok()?)?;
        rest = after.trim_start();
    }
    i64::try_from(total).ok().filter(|_| !text.trim().is_empty())
}

/// What a duration is written as here.
pub(super) fn said(nanos: i64) -> String {
    format!("durations are numbers of nanoseconds here: {nanos}")
}

/// An amount as intervals have it, in the largest unit of which it is a whole number.
pub(super) fn in_words(nanos: i64) -> String {
    const NAMED: [(i64, &str); 5] = [
        (86_400_000_000_000, "day"),
        (3_600_000_000_000, "hour"),
        (60_000_000_000, "minute"),
        (1_000_000_000, "second"),
        (1_000_000, "millisecond"),
    ];
    let found = NAMED.iter().find(|(scale, _)| nanos >= *scale && nanos % scale == 0);
    let (scale, unit) = found.copied().unwrap_or((1, "nanosecond"));
    let number = nanos / scale;
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The first and the last number of a severity.
pub(super) fn severity(word: &str) -> Option<(i32, i32)> {
    let all = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal];
    let found = all.into_iter().find(|severity| word.eq_ignore_ascii_case(severity.as_str()))?;
    Some((found.first_number(), found.first_number() + 3))
}

/// Units as searches write them, and their other names.
const UNITS: [(&str, &[&str]); 7] = [
    ("ns", &["nanosecond", "nanoseconds"]),
    ("us", &["microsecond", "microseconds"]),
    ("ms", &["millisecond", "milliseconds", "msec", "msecs"]),
    ("s", &["second", "seconds", "sec", "secs"]),
    ("m", &["minute", "minutes", "min", "mins"]),
    ("h", &["hour", "hours", "hr", "hrs"]),
    ("d", &["day", "days"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        for (text, known) in [
            ("1s", Some(1_000_000_000)),
            ("1.5 seconds", Some(1_500_000_000)),
            ("1 HOUR 30 minutes", Some(5_400_000_000_000)),
            ("250ms", Some(250_000_000)),
            ("2 d", Some(172_800_000_000_000)),
            ("1 month", None),
            ("1", None),
            ("soon", None),
            ("", None),
            ("99999999999 days", None),
        ] {
            assert_eq!(nanos(text), known, "{text}");
        }
    }

    #[test]
    fn amounts_are_told_in_their_largest_unit() {
        for (nanos, said) in
            [(3_600_000_000_000, "1 hour"), (5_400_000_000_000, "90 minutes"), (2_000_000_000, "2 seconds"), (5, "5 nanoseconds")]
        {
            assert_eq!(in_words(nanos), said);
        }
    }
}
