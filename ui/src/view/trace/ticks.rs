//! Round moments on an axis of durations, all in one unit.

use crate::view::format::{self, NNBSP};

/// A label of an axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick {
    /// Where it stands, in percent.
    pub(crate) x: String,
    pub(crate) label: String,
    /// Class of those at the edges, which stand inside; empty for others.
    pub(crate) class: &'static str,
}

/// The round moments from one to another, in nanoseconds.
pub(super) fn ticks(from: u64, to: u64) -> Vec<Tick> {
    let length = to.saturating_sub(from);
    let Some(step) = steps().find(|step| length / step <= MOST) else { return Vec::new() };
    if length == 0 {
        return Vec::new();
    }
    let (unit, name) = unit(to, step);
    let places = (from.div_ceil(step)..=to / step).map(|place| place * step);
    let tick = |at: u64| {
        let share = format::ratio(at - from, length);
        let class = if share < EDGE {
            "first"
        } else if share > 1.0 - EDGE {
            "last"
        } else {
            ""
        };
        Tick { x: format::position(at - from, length), label: label(at, step, (unit, name)), class }
    };
    places.map(tick).collect()
}

/// Distances that people count in, the smallest first.
fn steps() -> impl Iterator<Item = u64> {
    let of = |unit: u64, counts: &'static [u64]| counts.iter().map(move |count| count * unit);
    let decimal = (0..9).flat_map(move |power| of(10_u64.pow(power), &[1, 2, 5]));
    let clock = of(SECOND, &[1, 2, 5, 10, 20, 30]).chain(of(MINUTE, &[1, 2, 5, 10, 20, 30])).chain(of(HOUR, &[1, 2, 3, 6, 12]));
    let days = (0..5).flat_map(move |power| of(DAY * 10_u64.pow(power), &[1, 2, 5]));
    decimal.chain(clock).chain(days)
}

/// The greatest unit that the last moment reaches; of long ones, that of which every step is a whole number.
fn unit(to: u64, step: u64) -> (u64, &'static str) {
    const LONG: [(u64, &str); 3] = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min")];
    const SHORT: [(u64, &str); 3] = [(SECOND, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let long = LONG.into_iter().find(|(unit, _)| step.is_multiple_of(*unit));
    long.or_else(|| SHORT.into_iter().find(|(unit, _)| to >= *unit)).unwrap_or((1, "ns"))
}

/// With as many decimals as the step has.
fn label(at: u64, step: u64, (unit, name): (u64, &'static str)) -> String {
    if at == 0 {
        return "0".to_owned();
    }
    let decimals = (0..9_u32).find(|decimals| step.is_multiple_of((unit / 10_u64.pow(*decimals)).max(1))).unwrap_or(0);
    let whole = format::exact(at / unit);
    if decimals == 0 {
        return format!("{whole}{NNBSP}{name}");
    }
    let width = decimals as usize;
    let part = at % unit / (unit / 10_u64.pow(decimals)).max(1);
    format!("{whole}.{part:0width$}{NNBSP}{name}")
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Steps that an axis has room for.
const MOST: u64 = 5;

/// Nearer to an edge than this share of the axis, a label stands beside its moment.
const EDGE: f64 = 0.04;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(from: u64, to: u64) -> String {
        let labels: Vec<String> = ticks(from, to).into_iter().map(|tick| tick.label.replace(NNBSP, " ")).collect();
        labels.join(", ")
    }

    #[test]
    fn axes_have_round_moments_of_one_unit() {
        const MS: u64 = 1_000_000;
        for (from, to, expected) in [
            (0, 304 * MS, "0, 100 ms, 200 ms, 300 ms"),
            (0, 100 * MS, "0, 20 ms, 40 ms, 60 ms, 80 ms, 100 ms"),
            (0, 1_200 * MS, "0, 0.5 s, 1.0 s"),
            (0, 1_100 * MS, "0, 0.2 s, 0.4 s, 0.6 s, 0.8 s, 1.0 s"),
            (0, 50 * HOUR, "0, 12 h, 24 h, 36 h, 48 h"),
            (0, 90 * MINUTE, "0, 20 min, 40 min, 60 min, 80 min"),
            (0, 100 * SECOND, "0, 20 s, 40 s, 60 s, 80 s, 100 s"),
            (10_800 * SECOND, 10_801 * SECOND, "10,800.0 s, 10,800.2 s, 10,800.4 s, 10,800.6 s, 10,800.8 s, 10,801.0 s"),
            (190 * MS, 195 * MS, "190 ms, 191 ms, 192 ms, 193 ms, 194 ms, 195 ms"),
            (0, 1_000, "0, 0.2 µs, 0.4 µs, 0.6 µs, 0.8 µs, 1.0 µs"),
            (0, 3, "0, 1 ns, 2 ns, 3 ns"),
            (0, 9 * DAY, "0, 2 d, 4 d, 6 d, 8 d"),
        ] {
            assert_eq!(told(from, to), expected, "{from} to {to}");
        }
        assert_eq!((told(7, 7), told(9, 3)), (String::new(), String::new()));
        assert!(ticks(0, u64::MAX).len() > 1 && ticks(u64::MAX - 9, u64::MAX).len() > 1, "the longest that there are");
    }

    #[test]
    fn labels_at_the_edges_stand_inside() {
        let classes: Vec<_> = ticks(0, 100).into_iter().map(|tick| (tick.x, tick.class)).collect();
        assert_eq!(classes[0], ("0".to_owned(), "first"));
        assert_eq!((classes[1].clone(), classes[5].clone()), (("20".to_owned(), ""), ("100".to_owned(), "last")));
    }
}
