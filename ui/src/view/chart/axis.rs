//! Axes of charts: round values at the left, round times below.

use storage::TimeRange;

use crate::view::format::{self, Clockface};

/// The axis at the left of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The value at the upper edge: the nearest round one that is not below any value drawn.
    pub(crate) top: u64,
    /// The value at the lower edge: above nothing on a logarithmic axis, where it is the nearest round one below all values drawn.
    bottom: u64,
    /// Where lines and labels stand, in percent from the upper edge, and what they say.
    pub(crate) marks: Vec<(String, String)>,
}

// === impl Scale ===

impl Scale {
    /// An axis of counts up to `max`.
    pub(crate) fn counts(max: u64) -> Self {
        Self::to(round_up(max.max(1)), format::count)
    }

    /// A logarithmic axis of durations, in nanoseconds, of which `least` is above nothing: what is usual is told apart beside what is rare.
    pub(crate) fn durations(least: u64, most: u64) -> Self {
        let bottom = steps().take_while(|step| *step < least).last().unwrap_or(1);
        let top = steps().find(|step| *step >= most && *step > bottom).unwrap_or(u64::MAX);
        let scale = Self { top, bottom, marks: Vec::new() };
        let mut chosen: Vec<u64> = steps().filter(|step| (bottom..=top).contains(step)).collect();
        if chosen.len() > MOST_MARKS {
            chosen.retain(|step| is_ten(*step));
        }
        let every = chosen.len().div_ceil(MOST_MARKS).max(1);
        let mark = |step: u64| (format!("{:.1}", (1.0 - scale.height(step)) * 100.0), in_seconds(step));
        let marks = chosen.into_iter().rev().step_by(every).map(mark).collect();
        Self { marks, ..scale }
    }

    /// How high a value stands: 0 at the lower edge, 1 at the upper one.
    pub(crate) fn height(&self, value: u64) -> f64 {
        if self.bottom == 0 {
            return format::ratio(value, self.top.max(1));
        }
        let above = |value: u64| format::ratio(value.max(1), self.bottom).ln();
        (above(value) / above(self.top)).clamp(0.0, 1.0)
    }

    /// An axis with these lines and labels, whose values are drawn by who knows them.
    pub(crate) fn of(marks: Vec<(String, String)>) -> Self {
        Self { marks, ..Self::default() }
    }

    fn to(top: u64, say: impl Fn(u64) -> String) -> Self {
        let mark = |at: &str, value| (at.to_owned(), say(value));
        let half = if top.is_multiple_of(2) { vec![mark("50", top / 2)] } else { Vec::new() };
        let marks = std::iter::once(mark("0", top)).chain(half).chain(std::iter::once(("100".to_owned(), "0".to_owned())));
        Self { top, bottom: 0, marks: marks.collect() }
    }
}

/// 1, 2, 5, 10, 20, 50 …
fn steps() -> impl Iterator<Item = u64> {
    (0..20)
        .filter_map(|power| 10_u64.checked_pow(power))
        .flat_map(|ten| [1, 2, 5].into_iter().filter_map(move |digit| ten.checked_mul(digit)))
}

/// Whether it is a power of ten.
pub(crate) fn is_ten(value: u64) -> bool {
    value > 0 && 10_u64.checked_pow(value.ilog10()) == Some(value)
}

/// A round duration in no longer unit than seconds, which are what such an axis counts in: `100 s` stands above `10 s`.
pub(crate) fn in_seconds(nanos: u64) -> String {
    if nanos >= 60 * SECOND { format!("{}{}s", format::exact(nanos / SECOND), format::NNBSP) } else { format::round_duration(nanos) }
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
    // Parts of a minute have seconds, however many of them there are.
    let said = if step < MINUTE { span.min(120 * SECOND) } else { span };
    let label = |at: u64| {
        let time = range.from.plus(at);
        let (label, now) = (clock.tick(time, said), clock.offset_nanos(time));
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

/// Labels of an axis at the left.
const MOST_MARKS: usize = 5;

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
    }

    #[test]
    fn axes_of_durations_are_logarithmic_between_round_values() {
        const MS: u64 = 1_000_000;
        for (least, most, expected) in [
            (150 * MS, 6_000 * MS, "10 s, 1 s, 100 ms"),
            (15 * MS, 90 * MS, "100 ms, 50 ms, 20 ms, 10 ms"),
            (3, 281_000, "100 µs, 10 µs, 1 µs, 100 ns, 10 ns"),
            (45 * SECOND, 61 * SECOND, "100 s, 50 s, 20 s"),
            (MS, MS, "1 ms, 500 µs"),
            (1, 1, "2 ns, 1 ns"),
        ] {
            assert_eq!(said(&Scale::durations(least, most)), expected, "{least} {most}");
        }
        let wide = Scale::durations(3, 90 * MINUTE);
        assert!(wide.marks.len() <= MOST_MARKS && wide.marks.len() > 2, "{wide:?}");
        let axis = Scale::durations(150 * MS, 6_000 * MS);
        let places: Vec<&str> = axis.marks.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["0.0", "50.0", "100.0"], "from 100 ms to 10 s");
        assert!((axis.height(100 * MS), axis.height(10_000 * MS)) == (0.0, 1.0) && (axis.height(1_000 * MS) - 0.5).abs() < 1e-9);
        assert!((0.0..=1.0).contains(&Scale::durations(1, u64::MAX).height(u64::MAX)));
        assert!((Scale::counts(4).height(1) - 0.25).abs() < 1e-9, "counts are not");
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
        assert_eq!(labels(3 * MINUTE, None), "12:03:30 12:04:00 12:04:30 12:05:00 12:05:30 12:06:00", "no minute twice");
        assert_eq!(labels(0, None), "");
        let night = TimeRange { from: UnixNanos::new(1_792_879_200_000_000_000), to: UnixNanos::new(1_792_900_800_000_000_000) };
        let told = ticks(night, &Clockface::new(night.to, Some("Europe/Berlin"))).into_iter().map(|(_, text)| text);
        assert_eq!(told.collect::<Vec<_>>().join(" "), "00:00 01:00 02:00 02:00 (+01:00) 03:00 04:00", "clocks were set back");
        let at = ticks(range(60 * MINUTE), &Clockface::new(UnixNanos::new(from), None))[0].0.parse::<f64>().unwrap();
        assert!((at - 11.05).abs() < 0.1, "{at}");
    }
}
