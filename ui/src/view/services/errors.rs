//! Errors of a service as a table, and in which order they are listed.

use std::cmp::Reverse;

use super::Trends;
use crate::ask::ErrorGroup;
use crate::view::chart::Columns;
use crate::view::format::{self, Clockface, Moment};
use crate::view::link::{Address, Links};

/// Failed spans that say the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorRow {
    pub(crate) kind: String,
    pub(crate) message: String,
    /// Requests to the service, calls that it makes, and steps within it.
    pub(crate) requests: String,
    pub(crate) calls: String,
    pub(crate) steps: String,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    /// How many over the window.
    pub(crate) trend: Columns,
    /// The newest and the first of them.
    pub(crate) example: String,
    pub(crate) oldest: String,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ErrorOrder {
    /// Those that say why, the most frequent before others.
    #[default]
    Most,
    Requests,
    Calls,
    Steps,
    /// What began last: new errors.
    First,
    /// What was seen last.
    Last,
}

// === impl ErrorOrder ===

impl ErrorOrder {
    /// Words of the address.
    pub(crate) const WORDS: [(&'static str, Self); 6] = [
        ("most", Self::Most),
        ("requests", Self::Requests),
        ("calls", Self::Calls),
        ("steps", Self::Steps),
        ("first", Self::First),
        ("last", Self::Last),
    ];

    /// The orders as links of a page without one; behind the first, the headings of the columns of numbers.
    pub(crate) fn list(self, page: &Address) -> Vec<(&'static str, String, bool)> {
        let link = |(label, (word, order)): (&'static str, (&'static str, Self))| {
            let word = if order == Self::Most { "" } else { word };
            (label, format!("{}#order", page.clone().with("sort", word).href()), order == self)
        };
        ["Most", "Requests", "Calls", "Steps", "First", "Last"].into_iter().zip(Self::WORDS).map(link).collect()
    }

    /// Orders groups of which the most frequent stand first.
    fn sort(self, groups: &mut [&ErrorGroup]) {
        match self {
            Self::Most => groups.sort_by_key(|group| group.message.is_empty()),
            Self::Requests => groups.sort_by_key(|group| Reverse(group.requests)),
            Self::Calls => groups.sort_by_key(|group| Reverse(group.calls)),
            Self::Steps => groups.sort_by_key(|group| Reverse(steps(group))),
            Self::First => groups.sort_by_key(|group| Reverse(group.first)),
            Self::Last => groups.sort_by_key(|group| Reverse(group.last)),
        }
    }
}

fn steps(group: &ErrorGroup) -> u64 {
    group.count.saturating_sub(group.requests).saturating_sub(group.calls)
}

/// Groups of errors as rows.
pub(crate) fn error_rows(groups: &[ErrorGroup], order: ErrorOrder, trends: &Trends, (links, clock): (&Links, &Clockface)) -> Vec<ErrorRow> {
    let row = |group: &ErrorGroup| ErrorRow {
        kind: if group.message.is_empty() { String::new() } else { format::message(&group.kind, 120) },
        message: match (group.shown.as_str(), group.kind.as_str()) {
            ("", "") => "(says nothing of why)".to_owned(),
            ("", said) => format::message(said, 120),
            (said, _) => format::message(said, 300),
        },
        requests: format::count(group.requests),
        calls: format::count(group.calls),
        steps: format::count(steps(group)),
        first: clock.moment(group.first),
        last: clock.moment(group.last),
        trend: trends.columns(&group.kind, &group.message),
        example: group.newest(links),
        oldest: group.oldest(links),
    };
    let mut ordered: Vec<&ErrorGroup> = groups.iter().collect();
    order.sort(&mut ordered);
    ordered.into_iter().take(MAX_ROWS).map(row).collect()
}

/// More errors are not listed.
const MAX_ROWS: usize = 100;

#[cfg(test)]
mod tests {
    use storage::UnixNanos;

    use super::*;

    fn group(kind: &str, message: &str, requests: u64, first: u64) -> ErrorGroup {
        ErrorGroup {
            service: "payment".to_owned(),
            kind: kind.to_owned(),
            message: message.to_owned(),
            shown: message.to_owned(),
            count: 3,
            requests,
            calls: 0,
            first: UnixNanos::new(first),
            last: UnixNanos::new(9),
        }
    }

    fn told(groups: &[ErrorGroup], order: ErrorOrder) -> Vec<(String, String)> {
        let clock = Clockface::new(UnixNanos::new(9), None);
        error_rows(groups, order, &Trends::default(), (&Links::default(), &clock)).into_iter().map(|row| (row.message, row.kind)).collect()
    }

    #[test]
    fn errors_that_say_something_come_first() {
        let groups = [group("", "", 1, 1), group("Timeout", "", 1, 1), group("Timeout", "after 2 s", 1, 1)];
        let expected = [("after 2 s", "Timeout"), ("(says nothing of why)", ""), ("Timeout", "")];
        assert_eq!(told(&groups, ErrorOrder::Most), expected.map(|(message, kind)| (message.to_owned(), kind.to_owned())));
    }

    #[test]
    fn errors_come_in_the_order_that_is_asked_for_and_what_is_equal_stays() {
        let groups = [group("a", "", 1, 5), group("b", "b", 3, 2), group("c", "", 1, 7)];
        let order = |order| told(&groups, order).into_iter().map(|(message, _)| message).collect::<Vec<_>>().join(" ");
        assert_eq!((order(ErrorOrder::Requests), order(ErrorOrder::Steps)), ("b a c".to_owned(), "a c b".to_owned()));
        assert_eq!((order(ErrorOrder::First), order(ErrorOrder::Last)), ("c a b".to_owned(), "a b c".to_owned()));
        let list = ErrorOrder::Calls.list(&Links::default().plain("/services/x").with("tab", "errors"));
        assert_eq!(list[0], ("Most", "/services/x?tab=errors#order".to_owned(), false));
        assert_eq!(list[2], ("Calls", "/services/x?tab=errors&sort=calls#order".to_owned(), true));
    }
}
