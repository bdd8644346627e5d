//! Times as people type them into a page: in the zone that they chose, and with words.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use storage::UnixNanos;

use super::shown;
use super::time::parse_time;

/// Reads what [`parse_time`] reads, a date and time without a zone as one of `zone`, `11:00` as today there, `today` and `yesterday` as their
/// beginning there or with a time of day behind them, and `now-2mo` and `now-1y` as so many times 30 and 365 days ago.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn parse_spoken(text: &str, now: UnixNanos, zone: &TimeZone) -> Result<UnixNanos, String> {
    let text = text.trim();
    spoken(text, now, zone).map_or_else(|| parse_time(text, now).map_err(|_| not_spoken(text)), Ok)
}

/// What is meant by the clock and the calendar of a reader, and is another moment for others and tomorrow: `11:00`, `yesterday`, a date without a
/// zone. `None` for all else.
pub(crate) fn by_clock(text: &str, now: UnixNanos, zone: &TimeZone) -> Option<UnixNanos> {
    let text = text.trim();
    if text.starts_with("now") { None } else { spoken(text, now, zone) }
}

/// Names the forms that the field for it offers.
fn not_spoken(text: &str) -> String {
    let text = shown(text);
    format!("`{text}` is not a time since 1970; write now-15m, 11:00, yesterday, yesterday 14:00, 2026-01-31 12:00 or a Unix time")
}

/// `None` for what is not written so, and for what lies before 1970.
fn spoken(text: &str, now: UnixNanos, zone: &TimeZone) -> Option<UnixNanos> {
    if let Some(ago) = text.strip_prefix("now-") {
        return Some(now.minus(calendar(ago)?));
    }
    let today = Timestamp::from_nanosecond(i128::from(now.get())).ok()?.to_zoned(zone.clone()).date();
    let lower = text.to_ascii_lowercase();
    let (word, time) = lower.split_once(' ').unwrap_or((lower.as_str(), ""));
    let time = if time.trim().is_empty() { Some(Time::midnight()) } else { time.trim().parse::<Time>().ok() };
    let local: DateTime = match word {
        "today" => today.to_datetime(time?),
        "yesterday" => today.yesterday().ok()?.to_datetime(time?),
        _ if text.ends_with(['Z', 'z', ']']) || text.bytes().all(|b| b.is_ascii_digit()) => return None,
        _ if text.contains(':') && !text.contains('-') => today.to_datetime(text.parse::<Time>().ok()?),
        _ if has_offset(text) => return None,
        _ => text.parse().ok()?,
    };
    let nanos = zone.to_zoned(local).ok()?.timestamp().as_nanosecond();
    u64::try_from(nanos).ok().map(UnixNanos::new)
}

/// Whether a date and time says how far it is from UTC; a plus sign may have arrived as a space.
fn has_offset(text: &str) -> bool {
    let time = text.get("2026-01-31T".len()..).unwrap_or_default();
    time.contains(['+', '-']) || time.trim().contains(' ')
}

/// So many times 30 or 365 days.
fn calendar(text: &str) -> Option<u64> {
    let (number, days) = match text.strip_suffix("mo") {
        Some(number) => (number, 30),
        None => (text.strip_suffix('y')?, 365),
    };
    number.parse::<u64>().ok()?.checked_mul(days)?.checked_mul(DAY)
}

const DAY: u64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_are_of_the_zone_that_was_chosen() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let now: Timestamp = "2026-11-26T16:30:00Z".parse().unwrap();
        let nanos = |text: &str| UnixNanos::new(u64::try_from(text.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap());
        let now = UnixNanos::new(u64::try_from(now.as_nanosecond()).unwrap());
        for (text, expected) in [
            ("2026-11-26T11:00", "2026-11-26T16:00:00Z"),
            ("2026-11-26 11:00", "2026-11-26T16:00:00Z"),
            ("2026-07-26 11:00:01.5", "2026-07-26T15:00:01.5Z"),
            ("2026-11-26", "2026-11-26T05:00:00Z"),
            ("11:00", "2026-11-26T16:00:00Z"),
            ("11:00:30", "2026-11-26T16:00:30Z"),
            ("today", "2026-11-26T05:00:00Z"),
            ("Yesterday", "2026-11-25T05:00:00Z"),
            ("yesterday 14:00", "2026-11-25T19:00:00Z"),
            ("Today 09:30:15", "2026-11-26T14:30:15Z"),
            ("2026-11-26T11:00:00Z", "2026-11-26T11:00:00Z"),
            ("2026-11-26T11:00:00+02:00", "2026-11-26T09:00:00Z"),
            ("2026-11-26T11:00:00 02:00", "2026-11-26T09:00:00Z"),
            ("1769860800", "2026-01-31T12:00:00Z"),
            ("now-1mo", "2026-10-27T16:30:00Z"),
            ("now-10y", "2016-11-28T16:30:00Z"),
            ("now-15m", "2026-11-26T16:15:00Z"),
        ] {
            assert_eq!(parse_spoken(text, now, &zone), Ok(nanos(expected)), "{text}");
        }
        for (text, is_by_clock) in [("11:00", true), ("yesterday", true), ("2026-11-26 11:00", true), ("2026-11-26T11:00:00Z", false)] {
            assert_eq!(by_clock(text, now, &zone).is_some(), is_by_clock, "{text}");
        }
        assert!(["now", "now-1mo", "now-15m", "1769860800", "abc", ""].iter().all(|text| by_clock(text, now, &zone).is_none()));
        for text in ["", "25:00", "yesterday noon", "tomorrow-ish", "abc", "2026-13-01", "now-1x", "1950-01-01"] {
            assert!(parse_spoken(text, now, &zone).unwrap_err().contains(text), "{text}");
        }
    }
}
