//! The values of one field that a query names as alternatives: `service:a,b`, `(service:a OR service:b)`, or one value alone.
//!
//! Owns the reading and writing of that one condition in the text of a query. All else of the text stays as it was written; what a query
//! means is the matter of the store.

use crate::view::link::value as written;

/// Values of a field, any of which a query asks for, in one place of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternatives {
    field: String,
    values: Vec<String>,
    /// The conditions before and behind it.
    before: String,
    after: String,
}

// === impl Alternatives ===

impl Alternatives {
    /// Those of `field`. Nothing where the query names none, names some in several places, or says more of them than what they are.
    pub(crate) fn of(query: &str, field: &str) -> Option<Self> {
        let Some(all) = conditions(query) else {
            return Some(Self { field: field.to_owned(), values: any(query, field)?, before: String::new(), after: String::new() });
        };
        let mut found = all.iter().enumerate().filter_map(|(place, condition)| Some((place, said(condition, field)?)));
        let (place, values) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let (before, after) = (all.get(..place)?.join(" "), all.get(place + 1..)?.join(" "));
        Some(Self { field: field.to_owned(), values, before, after })
    }

    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    pub(crate) fn has(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value)
    }

    /// The query without this condition.
    pub(crate) fn rest(&self) -> String {
        self.around("")
    }

    /// The query with one more of them.
    pub(crate) fn with(&self, value: &str) -> String {
        self.query(self.values.iter().map(String::as_str).chain([value]))
    }

    /// The query with one less.
    pub(crate) fn without(&self, value: &str) -> String {
        self.query(self.values.iter().map(String::as_str).filter(|known| *known != value))
    }

    fn query<'a>(&self, values: impl Iterator<Item = &'a str>) -> String {
        let list = values.map(written).collect::<Vec<_>>().join(",");
        if list.is_empty() { self.rest() } else { self.around(&format!("{}:{list}", self.field)) }
    }

    fn around(&self, condition: &str) -> String {
        let parts = [self.before.as_str(), condition, self.after.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// The conditions of a query that must all hold. Nothing where some of them are alternatives, or joined in another way.
pub(super) fn conditions(query: &str) -> Option<Vec<&str>> {
    let parts = split(query);
    let joins = |part: &&str| matches!(*part, "OR" | "NOT") || part.starts_with(RELATIONS) || part.ends_with(RELATIONS);
    if parts.iter().any(joins) { None } else { Some(parts.into_iter().filter(|part| *part != "AND").collect()) }
}

/// What relates sets of spans begins and ends with these.
const RELATIONS: [char; 4] = ['>', '<', '~', '!'];

/// Splits at spaces outside of quotes and parentheses.
pub(super) fn split(query: &str) -> Vec<&str> {
    parted(query, char::is_whitespace).into_iter().filter(|part| !part.is_empty()).collect()
}

fn parted(text: &str, is_between: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if is_between(c) && !quoted && depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// The values of which a condition names one: `field:a,b`, or the same as alternatives in parentheses.
fn said(condition: &str, field: &str) -> Option<Vec<String>> {
    let grouped = || any(condition.strip_prefix('(')?.strip_suffix(')')?, field);
    listed(condition, field).or_else(grouped)
}

/// The values of `field:a OR field:b,c`.
fn any(text: &str, field: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for (place, part) in split(text).into_iter().enumerate() {
        match (place % 2, part) {
            (0, part) => values.extend(listed(part, field)?),
            (_, "OR") => {}
            _ => return None,
        }
    }
    (!values.is_empty()).then_some(values)
}

fn listed(condition: &str, field: &str) -> Option<Vec<String>> {
    let list = condition.strip_prefix(field)?.strip_prefix(':')?;
    let mut values = Vec::new();
    for value in parted(list, |c| c == ',') {
        let value = plain(value)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values)
}

/// A value as it is, of one that stands for nothing but itself.
fn plain(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let has_meaning = text.is_empty() || text.contains("..") || text.contains(['*', '\\', '"', '(', ')']);
        return (!has_meaning).then(|| text.to_owned());
    };
    let (mut value, mut escaped) = (String::new(), false);
    for c in quoted.strip_suffix('"')?.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, '"') => return None,
            (false, c) => value.push(c),
            (true, c) => {
                escaped = false;
                value.push(match c {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    c => c,
                });
            }
        }
    }
    (!escaped).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<(Vec<String>, String)> {
        Alternatives::of(query, "service").map(|found| (found.values().to_vec(), found.rest()))
    }

    fn found(values: &[&str], rest: &str) -> Option<(Vec<String>, String)> {
        Some((values.iter().map(|value| (*value).to_owned()).collect(), rest.to_owned()))
    }

    #[test]
    fn alternatives_are_read_however_they_are_written() {
        assert_eq!(read("service:a"), found(&["a"], ""));
        assert_eq!(read("service:a,\"b c\" status:error"), found(&["a", "b c"], "status:error"));
        assert_eq!(read("service:a OR service:b"), found(&["a", "b"], ""));
        assert_eq!(read("x AND (service:a OR service:b,c) y"), found(&["a", "b", "c"], "x y"));
        assert_eq!(read("service:a -service:b"), found(&["a"], "-service:b"));
        assert_eq!(read("service:\"a \\\"(b\\\\\" x"), found(&["a \"(b\\"], "x"));
    }

    #[test]
    fn what_says_more_than_values_is_left_alone() {
        for query in [
            "",
            "status:error",
            "service:a service:b",
            "service:a OR status:error",
            "service:a OR service:b status:error",
            "NOT service:a",
            "-service:a",
            "service:a*",
            "service:a..b",
            "service:*",
            "service:a >> service:b",
            "trace:(service:a)",
            "service.name:a",
            "service:\"a",
            "(service:a",
            "((service:a OR service:b))",
            "service:a,",
        ] {
            assert_eq!(read(query), None, "{query}");
        }
    }

    #[test]
    fn values_are_added_and_released_where_they_stand() {
        let of = |query| Alternatives::of(query, "service").unwrap();
        assert_eq!(of("x service:a y").with("b c"), "x service:a,\"b c\" y");
        assert_eq!(of("service:a OR service:b").with("c"), "service:a,b,c");
        assert_eq!(of("x (service:a OR service:b) y").without("a"), "x service:b y");
        assert_eq!(of("x service:a y").without("a"), "x y");
        let numbers = Alternatives::of("attr.n:-2.5,7", "attr.n").unwrap();
        assert_eq!((numbers.has("-2.5"), numbers.with("-x")), (true, "attr.n:-2.5,7,\"-x\"".to_owned()));
    }
}
