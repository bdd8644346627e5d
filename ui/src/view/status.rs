//! How this process is doing: what came in, what was refused and why, what is stored and for how long, what takes memory and disk.

use askama::Template;

use super::colour::{Chip, Palette};
use super::format::{self, Clockface, Moment};
use super::frame::Frame;
use super::link::Links;
use crate::ask::Sender;

mod books;
mod days;
mod deleted;
mod doors;
mod kept;
mod refused;
mod room;

pub(crate) use self::books::{Book, balance, books};
pub(crate) use self::days::{Day, days, range as range_of_days};
pub(crate) use self::deleted::deletes;
pub(crate) use self::doors::{Door, doors};
pub(crate) use self::kept::{Kept, Rule, kept, kept_for, rules};
pub(crate) use self::refused::{Loss, Refusal, losses, recent, warnings};
pub(crate) use self::room::{Consumer, Disk, consumers, disk};

/// `/status`.
#[derive(Debug, Default, Template)]
#[template(path = "status.html")]
pub(crate) struct Status {
    pub(crate) frame: Frame,
    /// What is wrong now; empty when nothing is.
    pub(crate) faults: Vec<String>,
    pub(crate) facts: Vec<(&'static str, String)>,
    /// What every client sent and what became of it, their sums first.
    pub(crate) books: Vec<Book>,
    /// How fast it came, by protocol and signal.
    pub(crate) doors: Vec<Door>,
    /// Whether the books balance, in words.
    pub(crate) balance: String,
    /// What was not stored and should be mended, the most frequent first.
    pub(crate) losses: Vec<Loss>,
    pub(crate) recent: Vec<Refusal>,
    pub(crate) warnings: Vec<Loss>,
    pub(crate) clients: Vec<Client>,
    pub(crate) signals: Vec<Kept>,
    pub(crate) rules: Vec<Rule>,
    /// What is kept by day, when that was asked for, and the page with it or without.
    pub(crate) days: Vec<Day>,
    pub(crate) toggle_days: String,
    pub(crate) disk: Disk,
    pub(crate) memory: Vec<Consumer>,
    /// Every counter: name, labels, value.
    pub(crate) counters: Vec<(String, String, String)>,
    /// Receipts of deletes.
    pub(crate) deletes: String,
    pub(crate) now: Moment,
}

/// Who sent spans lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) chip: Chip,
    pub(crate) href: String,
    pub(crate) sdk: String,
    pub(crate) rate: String,
    pub(crate) last: Moment,
}

/// Counters and gauges as the registry gives them: name, labels and value.
pub(crate) type Counters = [(&'static str, String, i64)];

/// Senders of a window of this length.
pub(crate) fn clients(senders: &[Sender], window: u64, links: &Links, clock: &Clockface, palette: &Palette) -> Vec<Client> {
    let row = |sender: &Sender| Client {
        chip: palette.chip(&sender.service),
        href: links.service(&sender.service).href(),
        sdk: if sender.sdk.is_empty() { format::MISSING.to_owned() } else { format::line(&sender.sdk, 80) },
        rate: format::rate(sender.spans, window),
        last: clock.moment(sender.last),
    };
    senders.iter().map(row).collect()
}

/// `12 spans, 3 log records`, since the start of this process.
pub(crate) fn received(counters: &Counters) -> String {
    let accepted = |signal: &str| value(counters, "throughline_items_total", &[("outcome", "accepted"), ("signal", signal)]);
    format!("{}, {}", format::counted(accepted("traces"), "span", "spans"), format::counted(accepted("logs"), "log record", "log records"))
}

/// Every counter as text.
pub(crate) fn listed(counters: &Counters) -> Vec<(String, String, String)> {
    counters.iter().map(|(name, labels, value)| ((*name).to_owned(), format::text(labels), value.to_string())).collect()
}

/// The sum of all series of that name with these labels.
pub(crate) fn value(counters: &Counters, name: &str, labels: &[(&str, &str)]) -> u64 {
    let fits = |all: &str| labels.iter().all(|(key, value)| label(all, key) == Some(value));
    named(counters, name).filter(|(all, _)| fits(all)).map(|(_, n)| n).fold(0, u64::saturating_add)
}

fn named<'a>(counters: &'a Counters, name: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
    let mine = counters.iter().filter(move |(known, ..)| *known == name);
    mine.map(|(_, labels, value)| (labels.as_str(), u64::try_from(*value).unwrap_or(0)))
}

/// The value of a label in `a="1",b="2"`.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split("\",").find_map(|pair| {
        let (known, value) = pair.split_once("=\"")?;
        (known == name).then(|| value.trim_end_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let counters = [
            ("throughline_items_total", "signal=\"logs\",outcome=\"rejected\"".to_owned(), 7),
            ("throughline_items_total", "signal=\"traces\",outcome=\"accepted\"".to_owned(), 12),
            ("other", "signal=\"traces\",outcome=\"accepted\"".to_owned(), 5),
        ];
        assert_eq!(value(&counters, "throughline_items_total", &[]), 19);
        assert_eq!(value(&counters, "throughline_items_total", &[("signal", "logs")]), 7);
        assert_eq!(received(&counters), "12\u{a0}spans, 0\u{a0}log records");
    }
}
