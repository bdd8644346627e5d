//! What surrounds every page: navigation, the box to go anywhere, the window of time, the theme.

use super::format::{self, Clockface};
use super::link::Links;
use crate::params::Window;

/// The frame of one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Unique among pages.
    pub(crate) title: String,
    /// Base path, then `/a/` and the hash of all assets.
    pub(crate) assets: String,
    /// Base path.
    pub(crate) base: String,
    /// `light`, `dark` or empty to follow the system.
    pub(crate) theme: &'static str,
    /// The rail.
    pub(crate) nav: Vec<NavItem>,
    /// The picker of time; absent on pages without.
    pub(crate) window: Option<WindowPicker>,
    /// What the zone is called.
    pub(crate) zone: String,
    /// How far it is ahead of UTC; empty for UTC.
    pub(crate) ahead: String,
    /// Makes all times UTC.
    pub(crate) utc: String,
    /// Choices of theme.
    pub(crate) themes: Vec<Choice>,
    /// The present address, for forms that lead back.
    pub(crate) here: String,
    /// The present address with its window as times; what is copied.
    pub(crate) absolute: String,
    /// How long that address is where other programs may cut it; empty where they do not.
    pub(crate) long: String,
    /// The present address with its window as the reader chose it, and whether that moves with time; what is saved.
    pub(crate) kept: String,
    pub(crate) moves: bool,
    /// The window in words; empty on pages without.
    pub(crate) time: String,
    /// The present address as it is.
    pub(crate) relative: String,
    /// Whether the reader wants no single-letter keys.
    pub(crate) quiet_keys: bool,
    /// What is in the box that goes anywhere.
    pub(crate) search: String,
    /// What lies so far before all else that all time does not begin with it, and the page about it.
    pub(crate) stray: Option<(String, String)>,
    /// What everybody must know, such as that writes are refused.
    pub(crate) alerts: Vec<String>,
}

/// One of several that a reader may prefer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

/// One place of the rail.
#[derive(Clone, Debug, Default)]
pub(crate) struct NavItem {
    /// For people.
    pub(crate) label: &'static str,
    /// Name in the icon sprite.
    pub(crate) icon: &'static str,
    /// Where it leads.
    pub(crate) href: String,
    /// Whether it is the present page.
    pub(crate) is_current: bool,
    /// Second key of `g` and this.
    pub(crate) key: &'static str,
}

/// The picker of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowPicker {
    /// `Last 1 h`, or two times.
    pub(crate) label: String,
    /// Both ends as written; numbers as times in the zone of the reader.
    pub(crate) from: String,
    pub(crate) to: String,
    /// Both ends as a calendar has them, in the zone of the reader.
    pub(crate) ends: [(&'static str, &'static str, String); 2],
    /// Why what was typed was not understood; empty when it was.
    pub(crate) problem: String,
    /// The zone of what is typed.
    pub(crate) zone: String,
    /// Label, address, whether it is the present one.
    pub(crate) presets: Vec<(&'static str, String, bool)>,
    /// Where the form leads.
    pub(crate) action: String,
    /// What else the page's address says, so that the form keeps it.
    pub(crate) hidden: Vec<(String, String)>,
    /// Both ends with all digits, in UTC.
    pub(crate) exact: String,
    /// The window before this one, and the one twice as wide around it.
    pub(crate) earlier: String,
    /// See `earlier`.
    pub(crate) wider: String,
    /// The window after this one; empty when that is yet to come.
    pub(crate) later: String,
}

/// Pages of the rail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// None of them.
    #[default]
    Elsewhere,
    /// `/`
    Home,
    /// `/services`
    Services,
    /// `/traces`
    Traces,
    /// `/map`
    Map,
    /// `/logs`
    Logs,
    /// `/query`
    Sql,
    /// `/saved`
    Saved,
    /// `/status`
    Status,
}

/// Places of the rail: label, icon, address and key.
const ITEMS: [(Place, &str, &str, &str, &str); 8] = [
    (Place::Home, "Home", "home", "/", "h"),
    (Place::Services, "Services", "services", "/services", "s"),
    (Place::Traces, "Traces", "traces", "/traces", "t"),
    (Place::Map, "Map", "map", "/map", "m"),
    (Place::Logs, "Logs", "logs", "/logs", "l"),
    (Place::Sql, "SQL", "sql", "/query", "q"),
    (Place::Saved, "Saved", "saved", "/saved", "v"),
    (Place::Status, "Status", "status", "/status", "x"),
];

/// What the page of the rail at this address is called.
pub(crate) fn called(path: &str) -> Option<&'static str> {
    ITEMS.iter().find(|(_, _, _, known, _)| *known == path).map(|(_, label, ..)| *label)
}

/// How long the address of a path at a host is, where it is longer than what all programs take; empty where it is not. The script makes a short
/// link where an address has more characters.
pub(crate) fn length(host: &str, path: &str) -> String {
    let length = "http://".len() + host.len() + path.len();
    if length > MAX_SHARED { format::counted(length as u64, "character", "characters") } else { String::new() }
}

/// Characters of an address that mail, chats and wikis keep whole.
const MAX_SHARED: usize = 1_800;

/// The rail, with the window kept.
pub(crate) fn navigation(links: &Links, place: Place) -> Vec<NavItem> {
    ITEMS
        .into_iter()
        .map(|(item, label, icon, path, key)| {
            let timed = !matches!(item, Place::Sql | Place::Saved | Place::Status);
            let address = if timed { links.windowed(path) } else { links.plain(path) };
            NavItem { label, icon, href: address.href(), is_current: item == place, key }
        })
        .collect()
}

impl WindowPicker {
    /// The picker for the page at `path`, whose other parameters are `pairs`.
    pub(crate) fn new(window: &Window, path: &str, pairs: &[(String, String)], links: &Links, clock: &Clockface) -> Self {
        let keep = || pairs.iter().filter(|(name, _)| !["from", "to", "cursor", "row"].contains(&name.as_str()));
        let address = || links.plain(path).with_all(keep().map(|(name, value)| (name.as_str(), value.as_str())), &[]);
        let is_live = window.to == "now";
        let preset =
            |(label, from): (&'static str, &'static str)| (label, address().with("from", from).href(), is_live && window.from == from);
        let label = until_now(window).unwrap_or_else(|| clock.range(window.range));
        let span = window.range.to.since(window.range.from);
        let at = |from: storage::UnixNanos, to: storage::UnixNanos| {
            address().with("from", &from.get().to_string()).with("to", &to.get().to_string()).href()
        };
        let (from, to) = (window.range.from, window.range.to);
        let is_number = |text: &str| text != "0" && text.bytes().all(|b| b.is_ascii_digit());
        let typed = |text: &String, at| if is_number(text) { clock.typed(at) } else { text.clone() };
        Self {
            label,
            from: typed(&window.from, from),
            to: typed(&window.to, to),
            ends: [("from", "From", clock.to_the_second(from)), ("to", "To", clock.to_the_second(to))],
            problem: String::new(),
            zone: clock.label().to_owned(),
            presets: PRESETS.into_iter().map(preset).collect(),
            action: links.plain(path).href(),
            hidden: keep().cloned().collect(),
            exact: format!("{} – {}", clock.moment(from).full, clock.moment(to).full),
            earlier: at(from.minus(span), from),
            later: if to < clock.now() { at(to, to.plus(span)) } else { String::new() },
            wider: at(from.minus(span / 2), to.plus(span / 2)),
        }
    }
}

/// A window as it was written: `Last 1 h`, `now-2h to now`, or two times.
pub(crate) fn spoken(window: &Window, clock: &Clockface) -> String {
    match until_now(window) {
        Some(label) => label,
        None if moves(window) => format!("{} to {}", crate::params::shown(&window.from), crate::params::shown(&window.to)),
        None => clock.range(window.range),
    }
}

/// `Last 1 h`: a window up to now, as the menu calls it, or in the same words when the menu has it not.
fn until_now(window: &Window) -> Option<String> {
    if window.to != "now" {
        return None;
    }
    if let Some((label, _)) = PRESETS.iter().find(|(_, from)| window.from == *from) {
        return Some((*label).to_owned());
    }
    let mut label = "Last".to_owned();
    let mut rest = window.from.strip_prefix("now-").filter(|ago| ago.len() <= MAX_AGO)?;
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

/// Units of time as they are typed and as they are shown.
const UNITS: [(&str, &str); 6] = [("ms", "ms"), ("s", "s"), ("m", "min"), ("h", "h"), ("d", "d"), ("w", "w")];

/// Bytes of a time before now that is shown as it was typed.
const MAX_AGO: usize = 16;

/// Whether a window is another one later.
pub(crate) fn moves(window: &Window) -> bool {
    [&window.from, &window.to].iter().any(|end| end.starts_with("now"))
}

/// Windows to choose from.
const PRESETS: [(&str, &str); 8] = [
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
    fn the_rail_marks_one_place_and_keeps_the_window() {
        let window = Window { range: TimeRange::ALL, from: "now-6h".to_owned(), to: "now".to_owned() };
        let items = navigation(&Links::new("", Some(&window)), Place::Traces);
        assert_eq!(items.iter().filter(|item| item.is_current).count(), 1);
        assert_eq!(items[2].href, "/traces?from=now-6h");
        assert_eq!(items[7].href, "/status");
    }

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
        assert_eq!(told("now-3h", "now-1h"), ("now-3h to now-1h".to_owned(), true));
        assert_eq!(told("0", "3600000000000"), (clock.range(range), false));
    }

    #[test]
    fn the_picker_keeps_the_query_and_drops_the_cursor() {
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(3_600_000_000_000) };
        let window = Window { range, from: "now-1h".to_owned(), to: "now".to_owned() };
        let pairs = [("q".to_owned(), "a b".to_owned()), ("cursor".to_owned(), "x".to_owned())];
        let picker = WindowPicker::new(&window, "/logs", &pairs, &Links::default(), &Clockface::new(UnixNanos::new(0), None));
        assert_eq!(picker.label, "Last 1 h");
        assert_eq!(picker.later, "", "what is yet to come is not led to");
        let after = Clockface::new(UnixNanos::new(9_000_000_000_000), None);
        let picker_later = WindowPicker::new(&window, "/logs", &pairs, &Links::default(), &after).later;
        assert_eq!(picker_later, "/logs?q=a%20b&from=3600000000000&to=7200000000000");
        assert_eq!(picker.presets[3].1, "/logs?q=a%20b&from=now-6h");
        assert_eq!(picker.hidden, [("q".to_owned(), "a b".to_owned())]);
        assert_eq!((picker.from.as_str(), picker.to.as_str()), ("now-1h", "now"));
        let fixed = Window { from: "0".to_owned(), to: "3600000000000".to_owned(), ..window };
        let berlin = Clockface::new(UnixNanos::new(0), Some("Europe/Berlin"));
        let picker = WindowPicker::new(&fixed, "/logs", &pairs, &Links::default(), &berlin);
        assert_eq!((picker.from.as_str(), picker.to.as_str()), ("0", "1970-01-01 02:00:00"));
        assert_eq!(
            picker.ends.map(|(name, _, value)| (name, value)),
            [("from", "1970-01-01T01:00:00".to_owned()), ("to", "1970-01-01T02:00:00".to_owned())]
        );
    }
}
