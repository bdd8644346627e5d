//! Numbers, durations and sizes, written the same way on every page.
//!
//! Durations have three significant digits and a unit chosen per value, joined by a narrow no-break space.

mod time;
mod words;

pub(crate) use self::time::{Clockface, Moment};
pub(crate) use self::words::{begun, ending, hex, line, message, name, offered, original, pieces, said, text};

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
        // Rounded to the smaller of the two units.
        let rounded = |unit: u64| nanos.saturating_add(unit / 2) / unit;
        match (rounded(SECOND), rounded(60 * SECOND), rounded(3_600 * SECOND)) {
            (seconds @ ..3_600, _, _) => format!("{}{NNBSP}min{NBSP}{:02}{NNBSP}s", seconds / 60, seconds % 60),
            (_, minutes @ ..2_880, _) => format!("{}{NNBSP}h{NBSP}{:02}{NNBSP}min", minutes / 60, minutes % 60),
            (_, _, hours) => format!("{}{NNBSP}d{NBSP}{:02}{NNBSP}h", hours / 24, hours % 24),
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

/// From the one to the other; the longest are `1 h or more`.
pub(crate) fn spanned(from: u64, to: u64) -> String {
    if to == u64::MAX { format!("{} or more", duration(from)) } else { format!("{} – {}", duration(from), duration(to)) }
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

/// What one page of a list holds: on later pages `50 more traces`, and `the last of them` where none follow.
pub(crate) fn of_page(n: u64, one: &str, many: &str, is_later: bool, has_more: bool) -> (String, &'static str) {
    let more = if is_later { format!("more{NBSP}") } else { String::new() };
    let end = match (has_more, is_later) {
        (true, _) => ", more follow",
        (false, true) if n > 0 => ", the last of them",
        (false, _) => "",
    };
    (counted(n, &format!("{more}{one}"), &format!("{more}{many}")), end)
}

/// Events per time: `12.4/s`, below a tenth per second `4.20/min`, below that per hour. Less than a hundred events have no more digits than
/// they can say, and a unit of which there is one: `4/min`. Never per more time than was looked at: `2 in 15 min`.
pub(crate) fn rate(n: u64, window_nanos: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1, "s"), (60, "min"), (3_600, "h")];
    if window_nanos == 0 {
        return MISSING.to_owned();
    }
    if n == 0 {
        return "0".to_owned();
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
    format!("{} in {}", exact(n), over(window_nanos))
}

/// A window in one unit, since nobody divides by `1 min 17 s`: seconds below ten minutes, then whole minutes, hours and days.
fn over(nanos: u64) -> String {
    if nanos.is_multiple_of(60 * SECOND) && nanos < 600 * SECOND {
        return round_duration(nanos);
    }
    let unit =
        [86_400, 3_600, 60].into_iter().map(|seconds| seconds * SECOND).find(|unit| nanos >= unit.saturating_mul(10)).unwrap_or(SECOND);
    // Windows up to now begin with a whole minute: the one of 15 min is some seconds longer.
    let whole = if unit != 60 * SECOND { nanos.saturating_add(unit / 2) / unit } else { nanos / unit };
    if unit == SECOND && whole > 0 { format!("{whole}{NNBSP}s") } else { round_duration(whole.saturating_mul(unit)) }
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

/// A plain number: whole ones in full as far as a double holds them, others with four digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || (size < 1e-4 && value != 0.0) {
        return format!("{value:.3e}");
    }
    if size >= 10_000.0 || value.fract() == 0.0 {
        let sign = if value <= -0.5 { "−" } else { "" };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and below 10^15")]
        return format!("{sign}{}", exact(size.round() as u64));
    }
    let decimals = if size >= 1_000.0 {
        0
    } else if size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else if size >= 1.0 {
        3
    } else {
        4
    };
    trimmed(&format!("{value:.decimals$}")).replace('-', "−")
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

const SECOND: u64 = 1_000_000_000;

pub(crate) const NNBSP: char = '\u{202f}';
const NBSP: char = '\u{a0}';

#[cfg(test)]
mod tests;
