//! The page that finds log records, and how one record looks anywhere.

use askama::Template;
use storage::{LogRecord, Severity, Value};

use super::attributes::{self, Asked, Row as Attribute};
use super::chart::Bars;
use super::colour::{Chip, Palette};
use super::facets::Group;
use super::fields::FieldRow;
use super::format::{self, Clockface, Moment};
use super::frame::Frame;
use super::link::{Address, Links};
use super::patterns::PatternRow;
use super::search::{Builder, Problem};
use super::traces::Row as TraceRow;

mod whole;

pub(crate) use self::whole::Raw;

/// `/logs`.
#[derive(Debug, Default, Template)]
#[template(path = "logs.html")]
pub(crate) struct Logs {
    pub(crate) frame: Frame,
    pub(crate) query: String,
    pub(crate) builder: Builder,
    pub(crate) services: Vec<String>,
    /// `from`, `to` and the order, kept by the forms.
    pub(crate) hidden: Vec<(String, String)>,
    pub(crate) problem: Option<Problem>,
    /// Records over time by severity.
    pub(crate) chart: Option<Bars>,
    pub(crate) rows: Vec<Row>,
    /// The record that the address names, when it is not among the rows.
    pub(crate) pinned: Vec<Row>,
    /// Instead of rows: texts that are alike.
    pub(crate) patterns: Vec<PatternRow>,
    /// Or: which fields records have.
    pub(crate) fields: Vec<FieldRow>,
    /// Whether records are shown one by one.
    pub(crate) is_list: bool,
    /// The time that the patterns tell of.
    pub(crate) period: String,
    /// How many records the chart counts.
    pub(crate) total: u64,
    /// That patterns are of a part of them only, and where those of the records before are.
    pub(crate) sampled: Option<(String, String)>,
    /// Word, address and whether it is the present view.
    pub(crate) views: Vec<(&'static str, String, bool)>,
    pub(crate) facets: Vec<Group>,
    /// Keys shown as columns.
    pub(crate) columns: Vec<String>,
    /// Keys that records here have, those that are columns first and in their order.
    pub(crate) keys: Vec<Key>,
    pub(crate) wrap: bool,
    pub(crate) toggle_wrap: String,
    /// Where news are told; empty when the window has an end.
    pub(crate) live: String,
    pub(crate) is_live: bool,
    pub(crate) toggle_live: String,
    /// What completes the query.
    pub(crate) complete: String,
    pub(crate) summary: String,
    /// Word, address and whether it is the present order.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    /// The next page, and what it is called.
    pub(crate) older: String,
    pub(crate) older_label: &'static str,
    /// The first page, when this is not it.
    pub(crate) newest: String,
    pub(crate) notes: Vec<String>,
    /// What to try when nothing was found.
    pub(crate) otherwise: Vec<(String, String)>,
    /// What was perhaps meant when nothing was found.
    pub(crate) hints: Vec<super::hints::Hint>,
    pub(crate) json: String,
    /// Up to ten thousand of these records as CSV.
    pub(crate) csv: String,
    pub(crate) effort: String,
}

/// A key that is a column or may be one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Adds or removes the column.
    pub(crate) toggle: String,
    pub(crate) is_shown: bool,
    /// Moves it; empty at the end.
    pub(crate) left: String,
    pub(crate) right: String,
}

/// One record, one line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Names the row in the page.
    pub(crate) anchor: String,
    pub(crate) time: Moment,
    /// `I`, `W`, `E` …
    pub(crate) letter: &'static str,
    /// The severity in words, as sent when it was.
    pub(crate) severity: String,
    /// Class of the stylesheet.
    pub(crate) class: &'static str,
    pub(crate) chip: Chip,
    /// First line of the body.
    pub(crate) body: String,
    /// `+12 lines`; empty when the body has one.
    pub(crate) more: String,
    /// Opens or closes the row.
    pub(crate) toggle: String,
    /// The trace with the span selected; empty without trace. And what that is called.
    pub(crate) trace: String,
    pub(crate) way: &'static str,
    /// Key and value of the columns that were added.
    pub(crate) extra: Vec<(String, String)>,
    /// Whether a long body takes several lines.
    pub(crate) wrap: bool,
    /// Whether it is the one whose surroundings are shown.
    pub(crate) is_centre: bool,
    /// All of it, when the row is open.
    pub(crate) detail: Option<Detail>,
}

/// All of one record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    pub(crate) body: String,
    /// As it was sent, for copying; empty where it is shown as it is.
    pub(crate) original: String,
    /// Name and value of fields that are not attributes.
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) resource: Vec<Attribute>,
    /// The trace with the span selected; empty without trace.
    pub(crate) trace: String,
    /// All records of the same trace; empty without trace.
    pub(crate) trace_logs: String,
    /// That trace in a list, where it is here.
    pub(crate) preview: Option<TraceRow>,
    /// As the API gives it.
    pub(crate) raw: Raw,
    /// Whose records surround it: word, address, and whether they are shown.
    pub(crate) surroundings: Vec<(&'static str, String, bool)>,
    /// Records before and after it, itself among them, without the query.
    pub(crate) context: Vec<Row>,
}

/// The address at which a record is open, and where on that page it is: a name that all have in common, since each is in every row.
pub(crate) fn opened(address: Address, record_id: u64) -> String {
    format!("{}#{OPEN}", address.with("row", &record_id.to_string()).href())
}

/// The address at which none is, and where on that page this one was.
pub(crate) fn closed(address: Address, record_id: u64) -> String {
    format!("{}#r{record_id}", address.with("row", "").href())
}

/// A record as a row; `toggle` is where its line leads.
pub(crate) fn row(record: &LogRecord, toggle: String, is_open: bool, links: &Links, clock: &Clockface, palette: &Palette) -> Row {
    let text = body(&record.body, &record.event_name);
    let lines = text.lines().count();
    let (letter, class) = letter(record.severity_number);
    let detail = is_open.then(|| detail(record, &text, links, clock, &toggle));
    Row {
        anchor: if is_open { OPEN.to_owned() } else { format!("r{}", record.record_id) },
        time: clock.moment(record.time),
        letter,
        severity: severity_words(record),
        class,
        chip: palette.chip(record.service_name()),
        body: format::line(&text, 600),
        more: if lines > 1 { format!("+{}", format::counted(lines as u64 - 1, "line", "lines")) } else { String::new() },
        trace: trace_link(record, links, &toggle),
        toggle,
        way: "trace",
        extra: Vec::new(),
        wrap: false,
        is_centre: false,
        detail,
    }
}

/// The value that a record has under a key, of its own or of its resource, as a cell.
pub(crate) fn cell(record: &LogRecord, key: &str) -> String {
    let own = record.attributes.iter().chain(record.resource.attributes.iter()).find(|kv| kv.key == key);
    own.map(|kv| attributes::brief(&kv.value, 120)).unwrap_or_default()
}

/// Keys of the records' own attributes, the most frequent first.
pub(crate) fn keys(records: &[LogRecord]) -> Vec<String> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for key in records.iter().flat_map(|record| record.attributes.iter().map(|kv| kv.key.as_str())).filter(|key| !key.contains(',')) {
        *counts.entry(key).or_default() += 1;
    }
    let mut keys: Vec<(&str, usize)> = counts.into_iter().collect();
    keys.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    keys.into_iter().take(MAX_KEYS).map(|(key, _)| key.to_owned()).collect()
}

/// The body as text, without the colours of a terminal; a record without one is named by its event.
pub(crate) fn body(body: &Value, event_name: &str) -> String {
    match body {
        Value::Empty if !event_name.is_empty() => format::text(event_name),
        Value::Empty => "(no body)".to_owned(),
        Value::String(text) => format::said(text),
        value => attributes::shown(value),
    }
}

fn detail(record: &LogRecord, text: &str, links: &Links, clock: &Clockface, toggle: &str) -> Detail {
    let mut fields = vec![("Time", clock.moment(record.time).full), ("Body", about_body(&record.body, text))];
    let mut field = |name, value: String| {
        if !value.is_empty() {
            fields.push((name, value));
        }
    };
    if record.observed_time.get() > 0 {
        field("Observed", clock.moment(record.observed_time).full);
    }
    field("Severity", format!("{} ({})", severity_words(record), record.severity_number));
    field("Event", format::text(&record.event_name));
    field("Trace", record.trace_id.map(|id| id.to_string()).unwrap_or_default());
    field("Span", record.span_id.map(|id| id.to_string()).unwrap_or_default());
    field("Scope", scope(&record.scope));
    if record.dropped_attributes_count > 0 {
        field("Dropped", format!("{} attributes, by the sender", record.dropped_attributes_count));
    }
    let is_cut = text.chars().nth(MAX_BODY).is_some();
    let original = match &record.body {
        Value::String(raw) if !is_cut => format::original(raw, text),
        _ => String::new(),
    };
    Detail {
        body: text.chars().take(MAX_BODY).collect(),
        original,
        fields,
        attributes: attributes::rows(&record.attributes, Asked::Logs, links),
        resource: attributes::rows(&record.resource.attributes, Asked::Nowhere, links),
        trace: trace_link(record, links, toggle),
        trace_logs: record.trace_id.map(|id| links.trace(&id).with("view", "logs").href()).unwrap_or_default(),
        preview: None,
        raw: Raw::new(record, links),
        surroundings: Vec::new(),
        context: Vec::new(),
    }
}

/// How long the body is, and what is not shown of it.
fn about_body(body: &Value, shown: &str) -> String {
    if matches!(body, Value::Empty) {
        return "none".to_owned();
    }
    let length = shown.chars().count();
    let mut told = format::counted(length as u64, "character", "characters");
    if let Value::String(raw) = body
        && raw.contains("\u{1b}[")
        && raw.chars().count() > length
    {
        told.push_str("; colours of a terminal are left out here, and copied");
    }
    if length > MAX_BODY {
        told = format!("{told}; the first {} stand here, JSON has all", format::exact(MAX_BODY as u64));
    }
    told
}

/// Name and version of what instrumented something.
pub(crate) fn scope(scope: &storage::Scope) -> String {
    format::text(format!("{} {}", scope.name, scope.version).trim())
}

/// The trace of a record, with the way back to it when it stands on the page of logs: `toggle` is where its line leads.
fn trace_link(record: &LogRecord, links: &Links, toggle: &str) -> String {
    let span = record.span_id.map(|id| id.to_string()).unwrap_or_default();
    let via = toggle.strip_prefix(links.base()).filter(|way| way.starts_with("/logs") && way.len() <= MAX_VIA).unwrap_or_default();
    record.trace_id.map(|id| links.trace(&id).with("span", &span).with("via", via).href()).unwrap_or_default()
}

fn severity_words(record: &LogRecord) -> String {
    let range = Severity::from_number(record.severity_number).map_or("no severity", Severity::as_str);
    if record.severity_text.is_empty() { range.to_owned() } else { format::line(&record.severity_text, 24) }
}

fn letter(number: i32) -> (&'static str, &'static str) {
    letter_of(Severity::from_number(number))
}

/// Letter and class of a severity.
pub(crate) fn letter_of(severity: Option<Severity>) -> (&'static str, &'static str) {
    match severity {
        None => ("–", "sev-none"),
        Some(Severity::Trace) => ("T", "sev-trace"),
        Some(Severity::Debug) => ("D", "sev-debug"),
        Some(Severity::Info) => ("I", "sev-info"),
        Some(Severity::Warn) => ("W", "sev-warn"),
        Some(Severity::Error) => ("E", "sev-error"),
        Some(Severity::Fatal) => ("F", "sev-fatal"),
    }
}

/// What the open row is called on its page.
pub(crate) const OPEN: &str = "open";

/// Keys that are offered as columns.
const MAX_KEYS: usize = 24;

/// Bytes of an address that a link carries as the way back.
const MAX_VIA: usize = 600;

/// More of one body is not shown.
const MAX_BODY: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::{Resource, Scope, TraceId, UnixNanos};

    use super::*;

    fn record(body: Value) -> LogRecord {
        LogRecord {
            record_id: 9,
            time: UnixNanos::new(1),
            time_unix_nano: UnixNanos::new(1),
            observed_time: UnixNanos::new(0),
            trace_id: TraceId::from_slice(&[1; 16]),
            span_id: None,
            severity_number: 17,
            severity_text: String::new(),
            body,
            attributes: Vec::new(),
            dropped_attributes_count: 2,
            flags: 0,
            event_name: String::new(),
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
        }
    }

    fn shown(record: &LogRecord, is_open: bool) -> Row {
        row(record, String::new(), is_open, &Links::default(), &Clockface::new(UnixNanos::new(1), None), &Palette::default())
    }

    #[test]
    fn a_body_of_many_lines_shows_its_first_and_counts_the_rest() {
        let row = shown(&record(Value::String("first\nsecond\nthird".to_owned())), false);
        assert_eq!((row.body.as_str(), row.more.as_str(), row.letter), ("first", "+2\u{a0}lines", "E"));
        assert_eq!(row.trace, "/trace/01010101010101010101010101010101");
        assert!(row.detail.is_none());
    }

    #[test]
    fn an_open_row_keeps_the_whole_body_and_what_was_dropped() {
        let detail = shown(&record(Value::String("a\nb".to_owned())), true).detail.unwrap();
        assert_eq!(detail.body, "a\nb");
        assert!(detail.fields.contains(&("Dropped", "2 attributes, by the sender".to_owned())));
    }

    #[test]
    fn an_open_record_is_there_as_the_api_gives_it() {
        let raw = |body: &str| shown(&record(Value::String(body.to_owned())), true).detail.unwrap().raw;
        let short = raw("a\u{202e}b");
        assert!(short.text.starts_with("{\n  \"record_id\": \"9\"") && short.text.contains("\"body\": \"a\u{fffd}b\""), "{}", short.text);
        assert_eq!((short.is_cut, short.href.as_str()), (false, "/api/v1/logs/9"));
        assert!(raw(&"y".repeat(20_000)).is_cut);
    }

    #[test]
    fn colours_of_a_terminal_are_left_out_of_the_page_and_kept_for_copying() {
        let coloured = Value::String("\u{1b}[32mINFO\u{1b}[0m ready".to_owned());
        let row = shown(&record(coloured), true);
        assert_eq!(row.body, "INFO ready");
        let detail = row.detail.unwrap();
        assert_eq!((detail.body.as_str(), detail.original.as_str()), ("INFO ready", r#""\u001b[32mINFO\u001b[0m ready""#));
        assert_eq!(detail.fields[1].1, "10\u{a0}characters; colours of a terminal are left out here, and copied");
        assert_eq!(shown(&record(Value::String("plain".to_owned())), true).detail.unwrap().original, "");
    }

    #[test]
    fn a_body_that_is_too_long_says_so() {
        let detail = shown(&record(Value::String("y".repeat(70_000))), true).detail.unwrap();
        assert_eq!(detail.body.len(), 65_536);
        assert!(detail.fields[1].1.ends_with("; the first 65,536 stand here, JSON has all"), "{}", detail.fields[1].1);
    }
}
