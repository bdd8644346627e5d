//! Writes queries: turns single parameters into a text of the one query language.
//!
//! Owns quoting. Values come from anywhere, so nothing of a value is ever read as language.

use crate::params::shown;

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    written: String,
    conditions: Vec<String>,
}

impl Filter {
    /// Begins with a query that a person wrote; the caller has checked that it is one.
    pub(crate) fn written(query: &str) -> Self {
        Self { written: query.trim().to_owned(), conditions: Vec::new() }
    }

    /// The query.
    pub(crate) fn into_query(self) -> String {
        match (self.written.as_str(), self.conditions.as_slice()) {
            ("", conditions) => conditions.join(" "),
            (written, []) => written.to_owned(),
            // What was written may hold an OR, which binds less than what follows.
            (written, conditions) => format!("({written}) {}", conditions.join(" ")),
        }
    }

    /// `field` has exactly this text.
    pub(crate) fn is(&mut self, field: &str, value: &str) {
        self.conditions.push(format!("{field}={}", quoted(value)));
    }

    /// `field` compares with something that needs no quotes: a word, a number with unit, an id.
    pub(crate) fn compares(&mut self, field: &str, operator: &str, plain: impl std::fmt::Display) {
        self.conditions.push(format!("{field}{operator}{plain}"));
    }

    /// The opposite of [`Self::compares`].
    pub(crate) fn does_not_compare(&mut self, field: &str, operator: &str, plain: impl std::fmt::Display) {
        self.conditions.push(format!("NOT {field}{operator}{plain}"));
    }

    /// The text occurs somewhere.
    pub(crate) fn contains(&mut self, text: &str) {
        self.conditions.push(quoted(text));
    }

    /// An attribute of the record in `scope` (`attr`, `resource` or `event`) has this value, of whatever type it was sent.
    pub(crate) fn attribute(&mut self, scope: &str, key: &str, value: &str) {
        self.conditions.push(attribute(scope, key, value));
    }

    /// At least one of the conditions of `ways` holds.
    pub(crate) fn any_of(&mut self, ways: &Self) {
        self.conditions.push(format!("({})", ways.conditions.join(" OR ")));
    }
}

/// `key=value` of a parameter; the key is everything before the first `=`.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub(crate) fn key_value(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(format!("`{}` is not of the form key=value", shown(text))),
    }
}

fn attribute(scope: &str, key: &str, value: &str) -> String {
    format!("{scope}.{}={}", quoted(key), bare(value))
}

/// In quotes: text only.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Without quotes, so that `200` also means the number: every character that means something is escaped.
fn bare(text: &str) -> String {
    if text.is_empty() {
        return quoted(text);
    }
    let keyword = ["AND", "OR", "NOT"].contains(&text);
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        if c.is_whitespace() || "(),\"\\*".contains(c) || (keyword && i == 0) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_bound_before_conditions_follow() {
        let mut filter = Filter::written(" a OR b ");
        assert_eq!(filter.clone().into_query(), "a OR b");
        filter.is("service", "x \"y\"\n");
        filter.compares("duration", ">=", "5ns");
        assert_eq!(filter.into_query(), "(a OR b) service=\"x \\\"y\\\"\\n\" duration>=5ns");
    }

    #[test]
    fn values_of_attributes_stay_typeless_and_cannot_end() {
        let mut filter = Filter::default();
        filter.attribute("attr", "http.status", "200");
        filter.attribute("resource", "a b\"", "x) OR (*,\\\"");
        filter.attribute("attr", "e", "");
        filter.attribute("attr", "k", "OR");
        assert_eq!(
            filter.into_query(),
            "attr.\"http.status\"=200 resource.\"a b\\\"\"=x\\)\\ OR\\ \\(\\*\\,\\\\\\\" attr.\"e\"=\"\" attr.\"k\"=\\OR"
        );
    }

    #[test]
    fn an_attribute_filter_is_split_at_its_first_equals_sign() {
        assert_eq!(key_value("a.b=c=d"), Ok(("a.b", "c=d")));
        assert_eq!(key_value("a="), Ok(("a", "")));
        assert!(key_value("a").is_err());
        assert!(key_value("=a").is_err());
    }
}
