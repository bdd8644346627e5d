//! What surrounds every page: navigation, the box to go anywhere, the window of time, the theme.

use super::format::{self, Clockface};
use super::link::Links;
use crate::params::Window;

mod spoken;

use self::spoken::{PRESETS, in_few, until_now};
pub(crate) use self::spoken::{moves, spoken};

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
    /// Whether nobody has chosen one yet: then the script asks for that of the browser.
    pub(crate) asks_zone: bool,
    /// How far it is ahead of UTC in the window; empty for UTC.
    pub(crate) ahead: String,
    /// Makes all times UTC.
    pub(crate) utc: String,
    /// While times are UTC: the zone that they were in before, and what leads back to it.
    pub(crate) before: Option<(String, String)>,
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
    /// What paper says of the page.
    pub(crate) paper: String,
    /// What lies so far before all else, or ahead of now, that all time leaves it out, and the page about it.
    pub(crate) strays: Vec<(String, String)>,
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
        let typed = |text: &String, at| if is_number(text) { clock.typed(at) } else { in_few(text) };
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
            later: if window.to != "now" && to < clock.now() { at(to, to.plus(span)) } else { String::new() },
            wider: at(from.minus(span / 2), to.plus(span / 2)),
        }
    }
}

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
    fn the_picker_keeps_the_query_and_drops_the_cursor() {
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(3_600_000_000_000) };
        let window = Window { range, from: "now-1h".to_owned(), to: "now".to_owned() };
        let pairs = [("q".to_owned(), "a b".to_owned()), ("cursor".to_owned(), "x".to_owned())];
        let picker = WindowPicker::new(&window, "/logs", &pairs, &Links::default(), &Clockface::new(UnixNanos::new(0), None));
        assert_eq!(picker.label, "Last 1 h");
        let after = Clockface::new(UnixNanos::new(9_000_000_000_000), None);
        let later = |window: &Window, clock| WindowPicker::new(window, "/logs", &pairs, &Links::default(), clock).later;
        assert_eq!(later(&window, &after), "", "what is yet to come is not led to, however late the page was made");
        let over = Window { to: "now-1h".to_owned(), ..window.clone() };
        assert_eq!(later(&over, &after), "/logs?q=a%20b&from=3600000000000&to=7200000000000");
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
