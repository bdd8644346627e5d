//! What stands on an arrow, and where lines break.

use super::super::Facts;
use super::super::change::Change;
use super::{Px, letters};

/// What stands on an arrow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Card {
    pub(crate) x: Px,
    pub(crate) y: Px,
    pub(crate) width: Px,
    pub(crate) height: Px,
    /// The middle of it, where its text is.
    pub(crate) middle: Px,
    /// Height within the card, class and text.
    pub(crate) lines: Vec<(Px, &'static str, String)>,
}

/// A line as class and text.
pub(super) type Line = (&'static str, String);

// === impl Card ===

impl Card {
    /// With lines that take no more than so much room, as far as they can be broken.
    pub(super) fn new(lines: Vec<Line>, room: f64) -> Self {
        let lines: Vec<Line> = lines.into_iter().flat_map(|line| broken(line, room)).collect();
        let width = lines.iter().map(|(_, text)| letters::width(text, 12.0, false) + 10.0).fold(0.0, f64::max);
        let lines = below(lines, 13.0, 13.5);
        let height = lines.last().map_or(0.0, |(y, _, _)| y.0 + 5.5);
        Self { width: Px(width), height: Px(height), lines, ..Self::default() }
    }
}

/// Lines with their heights: the first, and what is between two.
pub(super) fn below(lines: Vec<Line>, first: f64, step: f64) -> Vec<(Px, &'static str, String)> {
    lines.into_iter().zip(0_u8..).map(|((class, text), place)| (Px(first + step * f64::from(place)), class, text)).collect()
}

/// How often, how many failed and how long, each with what it was before where it changed.
pub(super) fn told(facts: &Facts) -> Vec<Line> {
    let Change { is_new, failed, p95, rate, .. } = &facts.changed;
    let or = |changed: &String, now: String| if changed.is_empty() { now } else { changed.clone() };
    let rate = or(rate, format!("{}{}", if *is_new { "new, " } else { "" }, facts.rate));
    let failed = or(failed, if facts.is_failing { format!("{} ✕", facts.errors) } else { String::new() });
    let lines = [("", rate), (facts.changed.failing(), failed), ("muted", or(p95, format!("p95 {}", facts.p95)))];
    lines.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// A line as it is, or on two lines where it would be too long.
pub(super) fn broken((class, line): Line, room: f64) -> Vec<Line> {
    let parts = |separator| line.split_once(separator).filter(|_| letters::width(&line, 12.0, false) > room);
    let both = |first: &str, second: &str| vec![(class, first.to_owned()), (class, second.to_owned())];
    if let Some((old, now)) = parts(" → ") {
        both(old, &format!("→ {now}"))
    } else if let Some((new, rate)) = parts(", ") {
        both(&format!("{new},"), rate)
    } else if let Some((numbers, last)) = line.rsplit_once(" · ").filter(|_| parts(" · ").is_some()) {
        both(numbers, last)
    } else {
        vec![(class, line)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_less_is_not_in_the_colour_of_failure() {
        let class = |is_mended| {
            let changed = Change { failed: "failed 9 % → 3 %".to_owned(), is_mended, ..Change::default() };
            let told = told(&Facts { is_failing: true, changed, ..Facts::default() });
            told.into_iter().find(|(_, text)| text.starts_with("failed")).map(|(class, _)| class)
        };
        assert_eq!((class(true), class(false)), (Some("good"), Some("bad")));
        let now = told(&Facts { errors: "3 %".to_owned(), is_failing: true, ..Facts::default() });
        assert!(now.contains(&("bad", "3 % ✕".to_owned())), "{now:?}");
    }

    #[test]
    fn lines_break_before_the_number_that_is_now() {
        let told = |text: &str| broken(("", text.to_owned()), 75.0).into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        assert_eq!(told("failed 17.6 % → 11.4 %"), ["failed 17.6 %", "→ 11.4 %"]);
        assert_eq!(told("p95 83.4 ms → 1.20 s"), ["p95 83.4 ms", "→ 1.20 s"]);
        assert_eq!(told("new, 1 in 10 min"), ["new,", "1 in 10 min"]);
        assert_eq!(told("3.40/s · 10.0 % · 346 ms"), ["3.40/s · 10.0 %", "346 ms"]);
        assert_eq!(told("4/s → 9/s"), ["4/s → 9/s"]);
    }
}
