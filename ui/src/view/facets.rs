//! Values to narrow a search by: each with its count and the addresses that include, exclude or release it.

use super::format;
use super::link::{Address, term};
use super::search::pieces;

/// Values of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) values: Vec<Value>,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) count: String,
    /// Percent of the most frequent one.
    pub(crate) share: String,
    pub(crate) is_chosen: bool,
    /// Chooses it, or releases it when it is chosen.
    pub(crate) toggle: String,
    pub(crate) exclude: String,
}

impl Group {
    /// Values with counts, for the page at `page` with its query text. Without `ticks` none is chosen: where values are counted of more than
    /// the query finds, one that it names is not what they were narrowed by.
    pub(crate) fn new(title: &str, field: &str, counted: &[(String, u64)], query: &str, (page, ticks): (&Address, bool)) -> Self {
        let most = counted.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let at = |query: &str| page.clone().with("q", query).href();
        let value = |(value, count): &(String, u64)| {
            let only = term(field, value);
            let is_named = has(query, &only);
            let is_chosen = is_named && ticks;
            Value {
                text: format::line(value, 60),
                count: format::count(*count),
                share: format::position(*count, most),
                is_chosen,
                toggle: at(&match (is_chosen, is_named) {
                    (true, _) => without(query, &only),
                    (false, true) => query.to_owned(),
                    (false, false) => with(query, &only),
                }),
                exclude: at(&with(&without(query, &only), &format!("-{only}"))),
            }
        };
        let values: Vec<Value> = counted.iter().map(value).collect();
        Self { title: title.to_owned(), values }
    }
}

/// The query with one more condition.
pub(crate) fn with(query: &str, condition: &str) -> String {
    let query = query.trim();
    if query.is_empty() {
        return condition.to_owned();
    }
    // OR binds less than what follows.
    if pieces(query).contains(&"OR") { format!("({query}) {condition}") } else { format!("{query} {condition}") }
}

/// The query without that condition, where it stands by itself.
pub(crate) fn without(query: &str, condition: &str) -> String {
    pieces(query).into_iter().filter(|piece| *piece != condition).collect::<Vec<_>>().join(" ")
}

fn has(query: &str, condition: &str) -> bool {
    let pieces = pieces(query);
    pieces.contains(&condition) && !pieces.contains(&"OR")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn a_value_is_chosen_released_and_excluded_by_addresses() {
        let counted = [("cart".to_owned(), 40), ("orders".to_owned(), 10)];
        let page = Links::default().plain("/traces");
        let group = Group::new("Service", "service", &counted, "status:error service:cart", (&page, true));
        assert!(group.values[0].is_chosen && !group.values[1].is_chosen);
        assert_eq!(group.values[0].toggle, "/traces?q=status%3Aerror");
        assert_eq!(group.values[0].exclude, "/traces?q=status%3Aerror%20-service%3Acart");
        assert_eq!(group.values[1].share, "25");
        let unticked = Group::new("Service", "service", &counted, "status:error service:cart", (&page, false));
        assert!(!unticked.values[0].is_chosen);
        assert_eq!(unticked.values[0].toggle, "/traces?q=status%3Aerror%20service%3Acart", "it is not asked for twice");
    }

    #[test]
    fn alternatives_are_bound_before_a_condition_follows() {
        assert_eq!(with("a OR b", "c:d"), "(a OR b) c:d");
        assert_eq!(with(" ", "c:d"), "c:d");
        assert_eq!(without("x:\"a b\" y:z", "x:\"a b\""), "y:z");
    }
}
