//! Times and durations as people and programs write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use storage::UnixNanos;

use super::shown;

/// Reads `now`, `now-15m`, RFC 3339 (UTC when it names no zone) or a number since the Unix epoch, whose unit follows from
/// its digits: up to 11 seconds, 12 to 14 milliseconds, 15 to 17 microseconds, 18 to 20 nanoseconds.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn parse_time(text: &str, now: UnixNanos) -> Result<UnixNanos, String> {
    let text = text.trim();
    if let Some(offset) = text.strip_prefix("now") {
        return relative(offset, now).ok_or_else(|| not_a_time(text));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return epoch(text).ok_or_else(|| not_a_time(text));
    }
    let timestamp = timestamp(text).ok_or_else(|| not_a_time(text))?;
    let nanos = timestamp.as_nanosecond();
    u64::try_from(nanos).map(UnixNanos::new).map_err(|_| format!("`{}` lies before 1970 or too far ahead", shown(text)))
}

/// Reads a duration as Go writes it, such as `1.5s`, `250us` or `1h30m`, into nanoseconds.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is not a duration such as 100ms, 1.5s or 1h30m", shown(text));
    let mut rest = text.trim();
    let mut total = 0.0_f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        total += number * unit_nanos(unit).ok_or_else(wrong)?;
        rest = after;
    }
    if total > MAX_NANOS {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just above and never negative")]
    Ok(total.round() as u64)
}

/// Empty, or a sign and a duration with days and weeks.
fn relative(offset: &str, now: UnixNanos) -> Option<UnixNanos> {
    if offset.is_empty() {
        return Some(now);
    }
    // A plus sign that was not percent-encoded arrives as a space.
    let (sign, duration) = offset.split_at_checked(1)?;
    let nanos = parse_duration(duration).ok()?;
    match sign {
        "-" => Some(now.minus(nanos)),
        "+" | " " => Some(now.plus(nanos)),
        _ => None,
    }
}

fn epoch(digits: &str) -> Option<UnixNanos> {
    let factor: u64 = match digits.len() {
        0..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        _ => 1,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).map(UnixNanos::new)
}

fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    // `+02:00` that was not percent-encoded arrives as ` 02:00`.
    if let Some((local, offset)) = text.rsplit_once(' ')
        && let Ok(timestamp) = format!("{local}+{offset}").parse::<Timestamp>()
    {
        return Some(timestamp);
    }
    let local: DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn unit_nanos(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        "d" => 86_400e9,
        "w" => 604_800e9,
        _ => return None,
    })
}

fn not_a_time(text: &str) -> String {
    format!("`{}` is not a time; write now-15m, 2026-01-31T12:00:00Z or a number of s, ms, us or ns since 1970", shown(text))
}

/// Some 292 years.
const MAX_NANOS: f64 = 9.2e18;
