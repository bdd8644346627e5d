//! Attributes as people read them: one row per key, long and nested values laid out, nothing hidden.

use storage::{KeyValue, Value};

use super::format;
use super::link::{Links, field, quoted};

mod layout;
mod sql;

/// One attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// As sent.
    pub(crate) key: String,
    /// As text; nested values as indented JSON, SQL in lines.
    pub(crate) value: String,
    /// As it was sent, for copying; empty where it is shown as it is, or not whole.
    pub(crate) original: String,
    /// `string` is not said; all else is.
    pub(crate) kind: &'static str,
    /// Whether it wants a block of its own.
    pub(crate) is_long: bool,
    /// See [`beginning`].
    pub(crate) begin: Option<(String, String)>,
    /// Traces or logs with the same value; empty when that cannot be asked.
    pub(crate) filter: String,
    /// The value when it is an `http` or `https` address, else empty.
    pub(crate) url: String,
}

/// Which page the filter of an attribute leads to, and under which prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    /// `attr.` of spans.
    Spans,
    /// `attr.` of log records.
    Logs,
    /// `resource.` of spans.
    Resource,
    /// Not at all.
    Nowhere,
}

// === impl Row ===

impl Row {
    /// About how many elements it has on a page.
    pub(crate) fn elements(&self) -> usize {
        let value = if self.is_long || self.begin.is_some() { 8 } else { format::pieces(&self.value).count() };
        10 + format::pieces(&self.key).count() + value
    }
}

/// Rows in the order of keys as sent.
pub(crate) fn rows(attributes: &[KeyValue], asked: Asked, links: &Links) -> Vec<Row> {
    attributes.iter().take(MAX_ROWS).map(|attribute| row(attribute, asked, links)).collect()
}

/// A value as one text.
pub(crate) fn shown(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, true);
    out
}

/// A value on one line of at most `max` characters.
pub(crate) fn brief(value: &Value, max: usize) -> String {
    match value {
        Value::String(text) => format::message(text, max),
        value => format::line(&shown(value), max),
    }
}

/// Of a text that is too long to stand whole: its first lines, and how long it is.
pub(crate) fn beginning(text: &str) -> Option<(String, String)> {
    let is_long = text.chars().nth(MAX_CHARACTERS).is_some() || text.lines().nth(MAX_LINES).is_some();
    is_long.then(|| cut_short(text))
}

fn cut_short(text: &str) -> (String, String) {
    let begin = text.trim_start().lines().take(MAX_LINES).collect::<Vec<_>>().join("\n");
    let lines = text.lines().count() as u64;
    let length = if lines > MAX_LINES as u64 {
        format::counted(lines, "line", "lines")
    } else {
        format::counted(text.chars().count() as u64, "character", "characters")
    };
    (begin.chars().take(MAX_BEGIN).collect(), length)
}

/// One attribute as a row.
pub(crate) fn row(attribute: &KeyValue, asked: Asked, links: &Links) -> Row {
    let laid_out = layout::laid_out(attribute);
    let is_laid_out = laid_out.is_some() || matches!(attribute.value, Value::Array(_) | Value::Map(_));
    let full = laid_out.map_or_else(|| shown(&attribute.value), |text| format::text(&text));
    let cut = full.len() > MAX_VALUE;
    let mut value: String = if cut { full.chars().take(MAX_VALUE).collect() } else { full };
    let is_long = value.len() > MAX_CHARACTERS || value.contains('\n');
    // What is laid out is short in its lines.
    let is_read_whole = is_laid_out && value.len() <= MAX_LAID_OUT.0 && value.lines().count() <= MAX_LAID_OUT.1;
    let begin = if is_read_whole { None } else { beginning(&value) };
    let is_url = matches!(&attribute.value, Value::String(text) if is_web_address(text));
    let url = if is_url && !cut { value.clone() } else { String::new() };
    let original = match &attribute.value {
        Value::String(raw) if !cut => format::original(raw, &value),
        _ => String::new(),
    };
    if cut {
        value.push_str("… (shortened; the JSON of the trace has all of it)");
    }
    Row {
        key: key(&attribute.key),
        value,
        original,
        kind: kind(&attribute.value),
        is_long,
        begin,
        filter: filter(attribute, asked, links),
        url,
    }
}

fn key(raw: &str) -> String {
    let full = format::text(raw);
    let Some((end, _)) = full.char_indices().nth(MAX_KEY) else { return full };
    format!("{}…", full.get(..end).unwrap_or_default())
}

fn filter(attribute: &KeyValue, asked: Asked, links: &Links) -> String {
    let value = match &attribute.value {
        Value::String(text) if text.len() <= 200 => quoted(text),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        _ => return String::new(),
    };
    if attribute.key.is_empty() || attribute.key.len() > 200 {
        return String::new();
    }
    let has = |prefix: &str| format!("{}={value}", field(prefix, &attribute.key));
    match asked {
        Asked::Spans => links.traces(&has("attr")).href(),
        Asked::Logs => links.logs(&has("attr")).href(),
        Asked::Resource => links.traces(&has("resource")).href(),
        Asked::Nowhere => String::new(),
    }
}

/// Whether a text may become a link: an absolute address of the web without spaces or control characters.
fn is_web_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.len() < 2_000
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Empty => "empty",
        Value::String(_) => "",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Double(_) => "double",
        Value::Bytes(_) => "bytes",
        Value::Array(_) => "array",
        Value::Map(_) => "map",
    }
}

/// Appends JSON of nested values, and the bare text of a value that stands alone.
fn write(out: &mut String, value: &Value, depth: usize, alone: bool) {
    if out.len() > MAX_VALUE {
        return;
    }
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', 2 * depth.min(MAX_INDENT)));
    };
    match value {
        Value::Empty => out.push_str(if alone { "(empty)" } else { "null" }),
        Value::String(text) if alone => out.push_str(&format::text(text)),
        Value::String(text) => out.push_str(&serde_json::Value::from(format::text(text)).to_string()),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) if number.is_finite() => out.push_str(&number.to_string()),
        // In the words that find it.
        Value::Double(_) => out.push_str(&value.to_string()),
        Value::Bytes(bytes) => out.push_str(&format::hex(bytes.get(..bytes.len().min(MAX_VALUE)).unwrap_or_default())),
        Value::Array(values) => {
            out.push('[');
            let flat = values.iter().all(|value| !matches!(value, Value::Array(_) | Value::Map(_)));
            for (place, value) in values.iter().enumerate() {
                out.push_str(if place > 0 { if flat { ", " } else { "," } } else { "" });
                if !flat {
                    indent(out, depth + 1);
                }
                write(out, value, depth + 1, false);
            }
            if !flat {
                indent(out, depth);
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (place, pair) in pairs.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                indent(out, depth + 1);
                out.push_str(&serde_json::Value::from(format::text(&pair.key)).to_string());
                out.push_str(": ");
                write(out, &pair.value, depth + 1, false);
            }
            if !pairs.is_empty() {
                indent(out, depth);
            }
            out.push('}');
        }
    }
}

/// More attributes than this are counted, not listed.
const MAX_ROWS: usize = 500;

/// More characters of a key are not shown.
const MAX_KEY: usize = 1_000;

/// More bytes of one value than this are not shown.
const MAX_VALUE: usize = 16_384;

/// A text of more characters or lines shows its beginning alone, of at most so many characters.
const MAX_CHARACTERS: usize = 160;
const MAX_LINES: usize = 3;
const MAX_BEGIN: usize = 300;

/// Bytes and lines of a value that is laid out and stands whole.
const MAX_LAID_OUT: (usize, usize) = (1_000, 12);

/// Deeper values are not indented further.
const MAX_INDENT: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value }
    }

    #[test]
    fn nested_values_are_laid_out_and_typed() {
        let value = Value::Map(vec![pair("a", Value::Array(vec![Value::Int(1), Value::String("x\"y".to_owned())]))]);
        assert_eq!(shown(&value), "{\n  \"a\": [1, \"x\\\"y\"]\n}");
        assert_eq!(shown(&Value::Bytes(vec![0, 255])), "00ff");
        assert_eq!(shown(&Value::String("plain".to_owned())), "plain");
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        let row_of = |text: &str| row(&pair("url.full", Value::String(text.to_owned())), Asked::Spans, &Links::default());
        assert_eq!(row_of("https://example.org/?q=1").url, "https://example.org/?q=1");
        assert_eq!(row_of("javascript:alert(1)").url, "");
        assert_eq!(row_of("https://a b").url, "");
    }

    #[test]
    fn filters_are_offered_where_the_query_language_can_ask() {
        let links = Links::default();
        let filter = |key: &str, value: Value| row(&pair(key, value), Asked::Spans, &links).filter;
        assert_eq!(filter("db.system", Value::String("mysql".to_owned())), "/traces?q=attr.db.system%3Dmysql");
        assert_eq!(filter("odd key", Value::Int(1)), "/traces?q=attr.%22odd%20key%22%3D1");
        assert_eq!(filter("", Value::Int(1)), "");
        assert_eq!(filter("x", Value::Double(1.0)), "");
    }

    #[test]
    fn long_values_are_cut_and_deep_ones_stay_bounded() {
        let long = row(&pair("x", Value::String("y".repeat(100_000))), Asked::Nowhere, &Links::default());
        assert!(long.value.len() < 17_000 && long.is_long);
        let dotted = row(&pair(&"a.".repeat(50_000), Value::Int(1)), Asked::Nowhere, &Links::default());
        assert_eq!((dotted.key.chars().count(), dotted.elements() < 100), (1_001, true), "{}", dotted.elements());
        let deep = (0..100).fold(Value::Int(1), |inner, _| Value::Array(vec![inner]));
        assert!(shown(&deep).len() < 12_000);
    }

    #[test]
    fn long_texts_begin_with_three_lines_and_say_how_long_they_are() {
        let begin = |text: &str| row(&pair("x", Value::String(text.to_owned())), Asked::Nowhere, &Links::default()).begin;
        assert_eq!(begin("short"), None);
        assert_eq!(begin("one\ntwo\nthree"), None);
        assert_eq!(begin("one\ntwo\nthree\nfour").unwrap(), ("one\ntwo\nthree".to_owned(), "4\u{a0}lines".to_owned()));
        let (text, length) = begin(&"ä".repeat(5_000)).unwrap();
        assert_eq!((text.chars().count(), length.as_str()), (300, "5,000\u{a0}characters"));
    }

    #[test]
    fn what_is_laid_out_stands_whole_and_is_copied_as_it_was_sent() {
        let sent = "SELECT a FROM t WHERE b = 'x  y' AND c IN (SELECT c FROM u) ORDER BY a";
        let shown = row(&pair("db.query.text", Value::String(sent.to_owned())), Asked::Spans, &Links::default());
        assert_eq!(shown.value, "SELECT a\nFROM t\nWHERE b = 'x  y'\n  AND c IN (\n    SELECT c\n    FROM u\n)\nORDER BY a");
        assert_eq!((shown.begin, serde_json::from_str::<String>(&shown.original).unwrap().as_str()), (None, sent));
        assert!(shown.filter.ends_with(&crate::params::encoded(&format!("attr.db.query.text={}", quoted(sent)))), "{}", shown.filter);
        let json = row(&pair("payload", Value::String("{\"a\":[2],\"b\":1}".to_owned())), Asked::Nowhere, &Links::default());
        assert_eq!(json.value, "{\n  \"a\": [\n    2\n  ],\n  \"b\": 1\n}");
        assert_eq!(serde_json::from_str::<String>(&json.original).unwrap(), "{\"a\":[2],\"b\":1}");
    }
}
