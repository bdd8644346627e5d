//! The conditions of a query one by one, and what is said of each when they find nothing together.
//!
//! Owns where one condition ends and the next begins. Counts nothing.

use storage::Signal;

use super::format;
use super::hints::Hint;
use super::link::Links;
use super::search::places;

/// The conditions that must hold together; `None` where the query is made of alternatives. What stands in parentheses is one of them.
pub(crate) fn conditions(query: &str) -> Option<Vec<&str>> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let text = |(from, to): (usize, usize)| query.get(from..to).unwrap_or_default();
    for piece in places(query, true) {
        match text(piece) {
            "OR" => return None,
            "AND" => {}
            next => match found.last_mut() {
                Some(last) if goes_on(text(*last), next) => last.1 = piece.1,
                _ => found.push(piece),
            },
        }
    }
    Some(found.into_iter().map(text).collect())
}

/// All conditions but one as a query.
pub(crate) fn without(conditions: &[&str], left_out: usize) -> String {
    let others = conditions.iter().enumerate().filter(|(place, _)| *place != left_out);
    others.map(|(_, condition)| *condition).collect::<Vec<_>>().join(" ")
}

/// How many match when one condition is left out, and where they are.
pub(crate) fn removed(signal: Signal, condition: &str, (rest, found): (&str, Found), links: &Links) -> Hint {
    (format!("Without “{}” {}", format::line(condition, SHOWN), found.words(signal)), address(signal, rest, links))
}

/// What one condition finds by itself.
pub(crate) fn alone(signal: Signal, condition: &str, found: Found, links: &Links) -> Hint {
    (format!("By itself “{}” finds some: {}", format::line(condition, SHOWN), found.words(signal)), address(signal, condition, links))
}

/// Conditions that find nothing by themselves, and where those are that are left without them.
pub(crate) fn barren(signal: Signal, barren: &[&str], rest: &str, links: &Links) -> Hint {
    let what = if signal == Signal::Logs { "record" } else { "span" };
    let named: Vec<String> = barren.iter().map(|condition| format!("“{}”", format::line(condition, SHOWN))).collect();
    let words = format!("No {what} of this window matches {}: search without", named.join(", and none "));
    (words, address(signal, rest, links))
}

/// What a query finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// So many spans or records.
    Rows(u64),
    /// Traces, of which it is only known whether there are some.
    Traces(bool),
}

// === impl Found ===

impl Found {
    pub(crate) fn is_some(self) -> bool {
        matches!(self, Self::Rows(1..) | Self::Traces(true))
    }

    fn words(self, signal: Signal) -> String {
        match (self, signal) {
            (Self::Rows(n), Signal::Logs) => format::counted(n, "record matches", "records match"),
            (Self::Rows(n), Signal::Traces) => format::counted(n, "span matches", "spans match"),
            (Self::Traces(_), _) => "there are traces that match".to_owned(),
        }
    }
}

fn address(signal: Signal, query: &str, links: &Links) -> String {
    if signal == Signal::Logs { links.logs(query).href() } else { links.traces(query).href() }
}

/// Whether what follows belongs to the condition before: behind a negation, or around an operator that stands alone.
fn goes_on(before: &str, next: &str) -> bool {
    let is_operator = |c: char| matches!(c, ':' | '=' | '<' | '>' | '~' | ',');
    before == "NOT" || before.ends_with(" NOT") || before.ends_with(is_operator) || next.starts_with(is_operator) || next.starts_with("!=")
}

/// Letters of a condition that are repeated.
const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_end_at_spaces_that_are_not_within_one() {
        for (query, expected) in [
            ("service:orders status:error", vec!["service:orders", "status:error"]),
            ("a AND duration > 1s  -b", vec!["a", "duration > 1s", "-b"]),
            ("NOT a \"b OR c\"", vec!["NOT a", "\"b OR c\""]),
            ("root:(a OR b) name:\"x (y\" c", vec!["root:(a OR b)", "name:\"x (y\"", "c"]),
            ("", vec![]),
        ] {
            assert_eq!(conditions(query), Some(expected), "{query}");
        }
        assert_eq!(conditions("a OR b c"), None);
    }

    #[test]
    fn one_condition_is_left_out_of_all() {
        assert_eq!(without(&["a", "b", "c"], 1), "a c");
        let (words, href) = removed(Signal::Traces, "duration>9s", ("status:error", Found::Rows(2)), &Links::default());
        assert_eq!(
            (words.replace('\u{a0}', " ").as_str(), href.as_str()),
            ("Without “duration>9s” 2 spans match", "/traces?q=status%3Aerror")
        );
        let (words, _) = barren(Signal::Logs, &["a", "b"], "c", &Links::default());
        assert_eq!(words, "No record of this window matches “a”, and none “b”: search without");
    }
}
