//! What a window is called: as the menu of time has it, or in the same words.

use crate::params::Window;
use crate::view::format::Clockface;

/// A window as it was written: `Last 1 h`, `now-2h to now`, or two times.
pub(crate) fn spoken(window: &Window, clock: &Clockface) -> String {
    match until_now(window) {
        Some(label) => label,
        None if moves(window) => format!("{} to {}", crate::params::shown(&window.from), crate::params::shown(&window.to)),
        None => clock.range(window.range),
    }
}

/// `Last 1 h`: a window up to now, as the menu calls it, or in the same words when the menu has it not.
pub(super) fn until_now(window: &Window) -> Option<String> {
    if window.to != "now" {
        return None;
    }
    let from = in_few(&window.from);
    if let Some((label, _)) = PRESETS.iter().find(|(_, known)| from == *known) {
        return Some((*label).to_owned());
    }
    let mut label = "Last".to_owned();
    let mut rest = from.strip_prefix("now-").filter(|ago| ago.len() <= MAX_AGO)?;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = UNITS.iter().find(|(known, _)| *known == unit).map(|(_, word)| word)?;
        label = format!("{label} {number} {unit}");
        rest = after;
    }
    Some(label)
}

/// A time before now in the greatest unit up to hours that measures it: `now-10h` for `now-36000s`.
pub(super) fn in_few(text: &str) -> String {
    let units = [("ms", 1_000, "s"), ("s", 60, "m"), ("m", 60, "h")];
    let mut text = text.to_owned();
    for (unit, many, next) in units {
        let number = text.strip_prefix("now-").and_then(|ago| ago.strip_suffix(unit)).and_then(|number| number.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| *number > 0 && number.is_multiple_of(many)) {
            text = format!("now-{}{next}", number / many);
        }
    }
    text
}

/// Units of time as they are typed and as they are shown.
const UNITS: [(&str, &str); 6] = [("ms", "ms"), ("s", "s"), ("m", "min"), ("h", "h"), ("d", "d"), ("w", "w")];

/// Bytes of a time before now that is shown as it was typed.
const MAX_AGO: usize = 16;

/// Whether a window is another one later.
pub(crate) fn moves(window: &Window) -> bool {
    [&window.from, &window.to].iter().any(|end| end.starts_with("now"))
}

/// Windows to choose from.
pub(super) const PRESETS: [(&str, &str); 8] = [
    ("Last 5 min", "now-5m"),
    ("Last 15 min", "now-15m"),
    ("Last 1 h", "now-1h"),
    ("Last 6 h", "now-6h"),
    ("Last 24 h", "now-24h"),
    ("Last 7 d", "now-7d"),
    ("Last 30 d", "now-30d"),
    ("All time", "0"),
];

#[cfg(test)]
mod tests {
    use storage::{TimeRange, UnixNanos};

    use super::*;

    #[test]
    fn a_window_is_told_as_it_was_written() {
        let clock = Clockface::new(UnixNanos::new(0), None);
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(3_600_000_000_000) };
        let told = |from: &str, to: &str| {
            let window = Window { range, from: from.to_owned(), to: to.to_owned() };
            (spoken(&window, &clock), moves(&window))
        };
        assert_eq!(told("now-6h", "now"), ("Last 6 h".to_owned(), true));
        assert_eq!(told("now-45m", "now"), ("Last 45 min".to_owned(), true));
        assert_eq!(told("now-1h30m", "now"), ("Last 1 h 30 min".to_owned(), true));
        assert_eq!(told("now-36000s", "now"), ("Last 10 h".to_owned(), true));
        assert_eq!(told("now-3600000ms", "now"), ("Last 1 h".to_owned(), true));
        let written = ["now-90s", "now-90m", "now-0s", "now-48h", "now-1h30m", "now", "0"];
        assert_eq!(written.map(in_few), written.map(str::to_owned));
        assert_eq!(told("now-3h", "now-1h"), ("now-3h to now-1h".to_owned(), true));
        assert_eq!(told("0", "3600000000000"), (clock.range(range), false));
    }
}
