//! Addresses of pages: every link is made here, so that base path, window and escaping are never forgotten.

use std::collections::HashSet;

use crate::params::{Segment, Window, encoded};

/// Makes links below the base path that keep the window of time the reader chose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    base: String,
    window: Option<(String, String)>,
}

/// A query string that is being put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

// === impl Links ===

impl Links {
    /// `window` is what the reader chose, and `None` while it is the default.
    pub(crate) fn new(base: &str, window: Option<&Window>) -> Self {
        Self { base: base.to_owned(), window: window.map(|window| (window.from.clone(), window.to.clone())) }
    }

    /// What every address begins with.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// An address without window: a thing that has its own time, such as a trace.
    pub(crate) fn plain(&self, path: &str) -> Address {
        Address { path: format!("{}{path}", self.base), pairs: Vec::new() }
    }

    /// An address in the window of the reader.
    pub(crate) fn windowed(&self, path: &str) -> Address {
        let mut address = self.plain(path);
        if let Some((from, to)) = &self.window {
            address = address.with("from", from);
            if to != "now" {
                address = address.with("to", to);
            }
        }
        address
    }

    /// `/trace/{id}`.
    pub(crate) fn trace(&self, id: &storage::TraceId) -> Address {
        self.plain(&format!("/trace/{id}"))
    }

    /// `/services/{service}`.
    pub(crate) fn service(&self, name: &str) -> Address {
        self.windowed(&format!("/services/{}", Segment::of(name)))
    }

    /// `/services/{service}/ops/{operation}`.
    pub(crate) fn operation(&self, service: &str, operation: &str) -> Address {
        self.windowed(&format!("/services/{}/ops/{}", Segment::of(service), Segment::of(operation)))
    }

    /// `/traces?q=…`.
    pub(crate) fn traces(&self, query: &str) -> Address {
        self.windowed("/traces").with("q", query)
    }

    /// `/logs?q=…`.
    pub(crate) fn logs(&self, query: &str) -> Address {
        self.windowed("/logs").with("q", query)
    }
}

// === impl Address ===

impl Address {
    /// Adds a pair, or replaces the one of that name; an empty value leaves it out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.pairs.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds every pair that is not one of `except`.
    pub(crate) fn with_all<'a>(mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>, except: &[&str]) -> Self {
        for (name, value) in pairs.filter(|(name, _)| !except.contains(name)) {
            self = self.with(name, value);
        }
        self
    }

    /// The address without what is asked of it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What is asked of it, for forms.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The address.
    pub(crate) fn href(&self) -> String {
        let mut out = self.path.clone();
        for (place, (name, value)) in self.pairs.iter().enumerate() {
            out.push(if place == 0 { '?' } else { '&' });
            out.push_str(&encoded(name));
            out.push('=');
            out.push_str(&encoded(value));
        }
        out
    }
}

/// A value as the query language takes it: bare when it is a plain word, else quoted.
pub(crate) fn quoted(value: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    let has_meaning = value.starts_with('-') || value.contains("..") || matches!(value, "AND" | "OR" | "NOT");
    if !value.is_empty() && value.chars().all(bare) && !has_meaning {
        return value.to_owned();
    }
    in_quotes(value)
}

fn in_quotes(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

/// An attribute as the query language names it: `attr.http.route`, or with the key in quotes when it is no plain one.
pub(crate) fn field(prefix: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if is_plain { format!("{prefix}.{key}") } else { format!("{prefix}.{}", in_quotes(key)) }
}

/// `field:value` of the query language.
pub(crate) fn term(field: &str, text: &str) -> String {
    format!("{field}:{}", value(text))
}

/// A value as it stands behind a field. Numbers below zero stay bare: in quotes they would be text alone.
pub(crate) fn value(text: &str) -> String {
    let is_negative = text.strip_prefix('-').is_some_and(|rest| rest == "Infinity" || rest.parse::<f64>().is_ok_and(f64::is_finite));
    if is_negative && !text.contains("..") { text.to_owned() } else { quoted(text) }
}

/// Names as one value: with commas between them, those inside of names escaped.
pub(crate) fn listed(names: &[String]) -> String {
    let escaped = names.iter().map(|name| name.replace('%', "%25").replace(',', "%2C"));
    escaped.collect::<Vec<_>>().join(",")
}

/// The names of such a value, each once.
pub(crate) fn names(list: &str) -> impl Iterator<Item = String> {
    let mut seen = HashSet::new();
    let names = list.split(',').map(|name| name.replace("%2C", ",").replace("%25", "%"));
    names.filter(move |name| !name.is_empty() && seen.insert(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_base_path_and_window_and_encode_values() {
        let window = Window { range: storage::TimeRange::ALL, from: "now-15m".to_owned(), to: "now".to_owned() };
        let links = Links::new("/tl", Some(&window));
        assert_eq!(links.traces("a:\"b c\"&d").href(), "/tl/traces?from=now-15m&q=a%3A%22b%20c%22%26d");
        assert_eq!(links.service("../x?y").href(), "/tl/services/..%2Fx%3Fy?from=now-15m");
        assert_eq!(Links::default().traces("").href(), "/traces");
    }

    #[test]
    fn values_are_quoted_when_they_are_not_plain_words() {
        assert_eq!(term("service", "api-gateway"), "service:api-gateway");
        assert_eq!(term("name", "POST /pay \"x\""), "name:\"POST /pay \\\"x\\\"\"");
        assert_eq!(quoted("a*b"), "\"a*b\"");
        let words = ["-2.5", "-Infinity", "Infinity", "-x", "OR", "1..2"].map(|value| term("attr.n", value));
        assert_eq!(words, ["attr.n:-2.5", "attr.n:-Infinity", "attr.n:Infinity", "attr.n:\"-x\"", "attr.n:\"OR\"", "attr.n:\"1..2\""]);
    }
}
