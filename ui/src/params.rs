//! Parameters that pages and APIs share: `from`, `to`, `limit`, `cursor` and their words.
//!
//! Owns how they are written in a URL and what is said when they are wrong. Knows nothing of what they select.

use std::fmt::Write as _;

use axum::extract::FromRequestParts;
use http::request::Parts;
use storage::{Cursor, LogOrder, TimeRange, TraceOrder, UnixNanos};

use crate::error::Failure;

mod segment;
mod spoken;
mod time;

pub(crate) use self::segment::Segment;
pub(crate) use self::spoken::{by_clock, parse_spoken};
pub(crate) use self::time::{parse_duration, parse_time};

/// The query string as pairs, in order; names may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

/// The window of time that a page or an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What it means right now.
    pub(crate) range: TimeRange,
    /// `from` as written, or its default, for links that keep it relative.
    pub(crate) from: String,
    /// `to` as written, or its default.
    pub(crate) to: String,
}

const MINUTE: u64 = 60_000_000_000;
/// A window of half an hour is divided into parts of minutes.
const PARTED_BY_MINUTE: u64 = 30 * MINUTE;

// === impl Window ===

impl Window {
    /// From `first` to `last`, both inside. One that is divided into parts of minutes begins with a whole one.
    pub(crate) fn around(first: UnixNanos, last: UnixNanos) -> Self {
        let is_long = last.since(first) >= PARTED_BY_MINUTE;
        let range = TimeRange { from: if is_long { first.minus(first.get() % MINUTE) } else { first }, to: last.plus(1) };
        Self { range, from: range.from.get().to_string(), to: range.to.get().to_string() }
    }

    /// A window whose begin moves with the clock begins with a whole minute, which answers by minute do not need rows for.
    pub(crate) fn in_minutes(self) -> Self {
        let from = self.range.from;
        let from = if self.from.starts_with("now") { from.minus(from.get() % MINUTE) } else { from };
        Self { range: TimeRange { from, ..self.range }, ..self }
    }

    /// At most `most` equal parts of whole minutes, and the range they cover: what is counted by minute falls evenly into them. The last
    /// part may reach beyond the window. A window that begins within a minute is divided as it is.
    pub(crate) fn parts(&self, most: usize) -> (TimeRange, usize) {
        let (from, most) = (self.range.from, most.max(1) as u64);
        let minutes = self.range.to.since(from).div_ceil(MINUTE).max(1);
        let (step, rounded) = (minutes.div_ceil(most), round(minutes.div_ceil(most)));
        // What lies behind a window is counted with its last part: nothing lies behind now.
        let step = if self.to == "now" || minutes.is_multiple_of(rounded) { rounded } else { step };
        let count = minutes.div_ceil(step);
        match usize::try_from(count) {
            Ok(parts) if from.get() % MINUTE == 0 => {
                (TimeRange { from, to: from.plus(count.saturating_mul(step).saturating_mul(MINUTE)) }, parts)
            }
            _ => (self.range, usize::try_from(most).unwrap_or(1)),
        }
    }

    /// About `most` equal parts for a chart and the range they cover: whole minutes where that leaves at least half as many, because they
    /// are counted without reading rows.
    pub(crate) fn bars(&self, most: usize) -> (TimeRange, usize) {
        let window = self.clone().in_minutes();
        let minutes = window.range.to.since(window.range.from) / MINUTE;
        if minutes.saturating_mul(2) < most as u64 {
            return (self.range, most);
        }
        // A window of sixty minutes up to now touches sixty-one.
        window.parts(most + most / 16)
    }
}

/// So many minutes or a few more: what is longer than an hour is whole hours, half days and days.
fn round(minutes: u64) -> u64 {
    const DAY: u64 = 1_440;
    let known = [120, 180, 240, 360, 480, 720, DAY].into_iter().find(|round| *round >= minutes);
    if minutes <= 60 { minutes } else { known.unwrap_or_else(|| minutes.div_ceil(DAY) * DAY) }
}

// === impl Params ===

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

impl Params {
    /// Reads the query string or the form of a request.
    ///
    /// # Errors
    /// When there are more than [`MAX_PAIRS`], or one is not UTF-8.
    pub(crate) fn read(query: &str) -> Result<Self, Failure> {
        if written(query).nth(MAX_PAIRS).is_some() {
            return Err(Failure::bad_request("invalid_parameter", format!("there are more than {MAX_PAIRS} parameters")));
        }
        let pair = |(name, value)| {
            let name = String::from_utf8(decoded(name)).map_err(|error| {
                let name = String::from_utf8_lossy(error.as_bytes());
                Failure::bad_request("invalid_parameter", format!("the name of parameter `{}` {NOT_UTF8}", shown(&name)))
            })?;
            let value = String::from_utf8(decoded(value)).map_err(|_| wrong(&shown(&name), &format!("its value {NOT_UTF8}")))?;
            Ok((name, value))
        };
        Ok(Self { pairs: written(query).map(pair).collect::<Result<_, Failure>>()? })
    }

    /// Reads what this program wrote itself. Never fails: pairs beyond [`MAX_PAIRS`] are left out, what is not UTF-8 is shown as such.
    pub(crate) fn parse(query: &str) -> Self {
        let text = |text| String::from_utf8_lossy(&decoded(text)).into_owned();
        Self { pairs: written(query).take(MAX_PAIRS).map(|(name, value)| (text(name), text(value))).collect() }
    }

    /// With what is called `other` under `name` instead, unless something is under that name.
    pub(crate) fn also_called(mut self, name: &str, other: &str) -> Self {
        if self.get(name).is_none() {
            for (known, _) in self.pairs.iter_mut().filter(|(known, _)| known == other) {
                name.clone_into(known);
            }
        }
        self
    }

    /// The first value under `name`; an empty one counts as absent, as forms send it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value under `name` that is not empty, in order.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every pair, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `from` and `to`, by default `default_from` (such as `now-1h`) until `now`; `to` is the first nanosecond outside. With `to` alone the
    /// window begins as long before it as the default one is, or with the default one where `to` is still to come.
    pub(crate) fn window(&self, now: UnixNanos, default_from: &str) -> Result<Window, Failure> {
        self.window_by(default_from, |text| parse_time(text, now))
    }

    /// [`Self::window`] with another reading of times.
    pub(crate) fn window_by(&self, default_from: &str, read: impl Fn(&str) -> Result<UnixNanos, String>) -> Result<Window, Failure> {
        let from = self.get("from").unwrap_or(default_from);
        let to = self.get("to").unwrap_or("now");
        let at = |name: &str, text: &str| read(text).map_err(|reason| wrong(name, &reason));
        let range = TimeRange { from: at("from", from)?, to: at("to", to)? };
        if self.get("from").is_none() && self.get("to").is_some() && default_from.starts_with("now") {
            let from = range.from.min(range.to.minus(at("to", "now")?.since(range.from)));
            let written = if from == range.from { default_from.to_owned() } else { from.get().to_string() };
            return Ok(Window { range: TimeRange { from, ..range }, from: written, to: to.to_owned() });
        }
        if range.from > range.to {
            return Err(wrong("from", &format!("`{}` is later than `to`, which is `{}`", shown(from), shown(to))));
        }
        Ok(Window { range, from: from.to_owned(), to: to.to_owned() })
    }

    /// `limit`, 1 to `max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, Failure> {
        self.number("limit", default, max)
    }

    /// A whole number from 1 to `max`.
    pub(crate) fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, Failure> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(wrong(name, &format!("`{}` is not a whole number from 1 to {max}", shown(text)))),
        }
    }

    /// `cursor`, where the page before ended.
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Failure> {
        self.get("cursor").map(str::parse).transpose().map_err(|_| wrong("cursor", "it is not one that this server gave"))
    }

    /// One of some words, or `None` when absent.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return Ok(Some(*value));
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let mut failure = wrong(name, &format!("`{}` is not one of {}", shown(text), known.join(", ")));
        failure.suggestions = nearest(text, &known);
        Err(failure)
    }

    /// Refuses a second value of those parameters in `once` that take one, so that neither value is silently left out.
    pub(crate) fn refuse_repeated(&self, once: &[&str]) -> Result<(), Failure> {
        let repeated = once.iter().filter(|name| !LISTS.contains(name)).find(|name| self.all(name).nth(1).is_some());
        repeated.map_or(Ok(()), |name| Err(wrong(name, "it is given more than once and takes one value")))
    }

    /// Refuses parameters that are not in `known`, so that a misspelt filter is not silently left out, and second values.
    pub(crate) fn refuse_unknown(&self, known: &[&str]) -> Result<(), Failure> {
        self.refuse_repeated(known)?;
        let Some((name, _)) = self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) else { return Ok(()) };
        let mut message = format!("there is no parameter `{}` here", shown(name));
        let suggestions = nearest(name, known);
        if known.is_empty() {
            message.push_str("; none is taken");
        } else if suggestions.is_empty() {
            let _ = write!(message, "; there are {}", known.join(", "));
        }
        Err(Failure { suggestions, ..Failure::bad_request("unknown_parameter", message) })
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self { pairs: pairs.into_iter().take(MAX_PAIRS).collect() }
    }
}

/// A parameter is wrong; `reason` completes the sentence.
pub(crate) fn wrong(name: &str, reason: &str) -> Failure {
    Failure::bad_request("invalid_parameter", format!("parameter `{name}`: {reason}"))
}

/// A value as errors repeat it: its beginning, without control characters.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() { short + "…" } else { short }
}

/// Known names that `name` was perhaps meant to be, best first.
pub(crate) fn nearest(name: &str, known: &[&str]) -> Vec<String> {
    storage::nearest(&name.to_ascii_lowercase(), known.iter().copied())
}

/// Percent-encodes a value for a query string or a path segment.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Names and values as they are written in a query string.
fn written(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// `+` and `%XX` undone; a lone `%` stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push((hex_digit(*high) << 4) | hex_digit(*low));
                rest = after;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*byte),
        }
    }
    bytes
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// How found traces can be sorted, as addresses of pages and of the API say it.
pub(crate) const TRACE_ORDERS: [(&str, TraceOrder); 5] = [
    ("newest", TraceOrder::Newest),
    ("oldest", TraceOrder::Oldest),
    ("slowest", TraceOrder::Slowest),
    ("spans", TraceOrder::MostSpans),
    ("errors", TraceOrder::MostErrors),
];

/// How found log records can be sorted.
pub(crate) const LOG_ORDERS: [(&str, LogOrder); 2] = [("newest", LogOrder::Newest), ("oldest", LogOrder::Oldest)];

/// Parameters that may be given more than once, each time with one more of something.
const LISTS: [&str; 7] = ["attr", "resource", "group_by", "measure", "tag", "tags", "traceID"];

/// The end of a sentence about a name or a value.
const NOT_UTF8: &str = "is not text in UTF-8; encode its UTF-8 bytes, such as %C3%A9 for é";

/// More than any link or form sends.
const MAX_PAIRS: usize = 1_000;

/// How much of a wrong value an error repeats.
const MAX_SHOWN: usize = 80;

#[cfg(test)]
mod tests;
