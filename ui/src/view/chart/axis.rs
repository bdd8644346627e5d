//! Axes of charts: round values at the left, round times below.

use storage::TimeRange;

use crate::view::format::{self, Clockface};

/// The axis at the left of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The value at the upper edge: the nearest round one that is not below any value drawn.
    pub(crate) top: u64,
    /// Where lines and labels stand, in percent from the upper edge, and what they say.
    pub(crate) marks: Vec<(&'static str, String)>,
}

// === impl Scale ===

impl Scale {
    /// An axis of counts up to `max`.
    pub(crate) fn counts(max: u64) -> Self {
        Self::to(round_up(max.max(1)), format::count)
    }

    /// An axis of durations up to `max` nanoseconds.
    pub(crate) fn durations(max: u64) -> Self {
        let long = LONG.iter().map(|minutes| minutes * MINUTE).find(|top| *top >= max);
        let top = if max <= MINUTE { round_up(max.max(1)).min(MINUTE) } else { long.unwrap_or_else(|| max.div_ceil(DAY) * DAY) };
        Self::to(top, format::round_duration)
    }

    fn to(top: u64, say: impl Fn(u64) -> String) -> Self {
        let half = if top.is_multiple_of(2) { vec![("50", say(top / 2))] } else { Vec::new() };
        let marks = std::iter::once(("0", say(top))).chain(half).chain(std::iter::once(("100", "0".to_owned())));
        Self { top, marks: marks.collect() }
    }
}

/// The smallest of 1, 2, 4, 6, 8 and 10, 20, 40 … that is not below `value`.
fn round_up(value: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        if let Some(round) = [1, 2, 4, 6, 8].into_iter().filter_map(|digit| unit.checked_mul(digit)).find(|round| *round >= value) {
            return round;
        }
        let Some(next) = unit.checked_mul(10) else { return u64::MAX };
        unit = next;
    }
}

/// Where the labels of a time axis stand, in percent, and what they say: round times of the reader's zone.
pub(crate) fn ticks(range: TimeRange, clock: &Clockface) -> Vec<(String, String)> {
    let span = range.to.since(range.from);
    let days = |days: u64| days * DAY;
    let small = [1, 2, 5, 10, 20, 50, 100, 200, 500].map(|millis| millis * SECOND / 1_000);
    let clock_like =
        [1, 2, 5, 10, 15, 30].map(|n| n * SECOND).into_iter().chain([1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map(|n| n * MINUTE));
    let calendar = [1, 2, 7, 14, 30, 91, 182, 365, 1_826, 3_652].map(days);
    let steps = small.into_iter().chain(clock_like).chain(calendar);
    let Some(step) = steps.into_iter().find(|step| span / step <= MOST_TICKS) else { return Vec::new() };
    let offset = i128::from(clock.offset_nanos(range.from));
    let local = i128::from(range.from.get()) + offset;
    // The first round time in the window, as its distance from the begin.
    let first = u64::try_from((-local).rem_euclid(i128::from(step))).unwrap_or(0);
    let places = (0..=MOST_TICKS).map(|place| first + place * step).filter(|at| at.saturating_mul(1_000) <= span.saturating_mul(985));
    let mut before = clock.offset_nanos(range.from);
    let label = |at: u64| {
        let time = range.from.plus(at);
        let (label, now) = (clock.tick(time, span), clock.offset_nanos(time));
        // Where clocks were set, an hour is there twice or not at all.
        let is_set = std::mem::replace(&mut before, now) != now && step < DAY;
        (format::position(at, span), if is_set { format!("{label} ({})", clock.offset(time)) } else { label })
    };
    places.map(label).collect()
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 1_440 * MINUTE;

/// Labels of a time axis.
const MOST_TICKS: u64 = 6;

/// Ends of axes of long durations, in minutes.
const LONG: [u64; 14] = [2, 4, 6, 10, 20, 30, 60, 120, 240, 360, 720, 1_440, 2_880, 5_760];

#[cfg(test)]
mod tests {
    use storage::UnixNanos;

    use super::*;

    fn said(scale: &Scale) -> String {
        scale.marks.iter().map(|(_, text)| text.replace('\u{202f}', " ")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn axes_end_at_round_values_that_are_not_below_what_is_drawn() {
        for (max, expected) in [(0, "1, 0"), (1, "1, 0"), (3, "4, 2, 0"), (9, "10, 5, 0"), (41, "60, 30, 0"), (10_001, "20.0 k, 10.0 k, 0")]
        {
            assert_eq!(said(&Scale::counts(max)), expected, "{max}");
        }
        for (max, expected) in [
            (4_010_000_000, "6 s, 3 s, 0"),
            (281_000, "400 µs, 200 µs, 0"),
            (45 * SECOND, "1 min, 30 s, 0"),
            (61 * SECOND, "2 min, 1 min, 0"),
            (100 * MINUTE, "2 h, 1 h, 0"),
        ] {
            assert_eq!(said(&Scale::durations(max)), expected, "{max}");
        }
        assert!(Scale::durations(u64::MAX / 2).top >= u64::MAX / 2);
    }

    #[test]
    fn ticks_stand_at_round_times_of_the_zone() {
        let from = 1_795_176_202_123_456_789; // 2026-11-20T12:03:22.123456789Z
        let range = |length: u64| TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(from + length) };
        let labels = |length, zone| {
            let clock = Clockface::new(UnixNanos::new(from), zone);
            ticks(range(length), &clock).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(60 * MINUTE, None), "12:10 12:20 12:30 12:40 12:50 13:00");
        assert_eq!(labels(24 * 60 * MINUTE, Some("Asia/Kolkata")), "18:00 00:00 06:00 12:00");
        assert_eq!(labels(10 * SECOND, None), "12:03:24 12:03:26 12:03:28 12:03:30", "none at the very edge");
        assert_eq!(labels(0, None), "");
        let night = TimeRange { from: UnixNanos::new(1_792_879_200_000_000_000), to: UnixNanos::new(1_792_900_800_000_000_000) };
        let told = ticks(night, &Clockface::new(night.to, Some("Europe/Berlin"))).into_iter().map(|(_, text)| text);
        assert_eq!(told.collect::<Vec<_>>().join(" "), "00:00 01:00 02:00 02:00 (+01:00) 03:00 04:00", "clocks were set back");
        let at = ticks(range(60 * MINUTE), &Clockface::new(UnixNanos::new(from), None))[0].0.parse::<f64>().unwrap();
        assert!((at - 11.05).abs() < 0.1, "{at}");
    }
}
