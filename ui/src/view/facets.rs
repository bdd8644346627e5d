//! Values to narrow a search by: each with its count and the addresses that include, exclude or release it.

use super::format;
use super::link::{Address, term};

mod alternatives;

pub(crate) use self::alternatives::Alternatives;
use self::alternatives::{conditions, split};

/// Values of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) values: Vec<Value>,
    /// Whether there may be others, which are less frequent.
    pub(crate) is_cut: bool,
    /// Whether the query names values of this field, without which all are counted here.
    pub(crate) is_narrowed: bool,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    /// Empty where it is not known.
    pub(crate) count: String,
    /// Percent of the most frequent one.
    pub(crate) share: String,
    pub(crate) is_chosen: bool,
    /// Chooses it, beside the others that are chosen; releases it when it is one of them.
    pub(crate) toggle: String,
    pub(crate) exclude: String,
}

/// How values that a query names are told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Not at all: where values are counted of more than the query finds, they are not what these were narrowed by.
    None,
    /// They are chosen.
    Chosen,
    /// They are, and the numbers of all values are those without them.
    ChosenOfAll,
}

/// Values of one field that are listed, the most frequent ones.
pub(crate) const LISTED: usize = 10;

/// Chosen values that are listed though they are not among the most frequent.
pub(crate) const MAX_CHOSEN: usize = 24;

/// How many of the values are chosen.
pub(crate) fn chosen<'a>(groups: impl Iterator<Item = &'a Group>) -> usize {
    groups.flat_map(|group| &group.values).filter(|value| value.is_chosen).count()
}

impl Group {
    /// Values with counts, for the page at `page` with its query text.
    pub(crate) fn new(title: &str, field: &str, counted: &[(String, u64)], query: &str, (page, marks): (&Address, Marks)) -> Self {
        let ticks = marks != Marks::None;
        let most = counted.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let named = Alternatives::of(query, field);
        let value = |value: &str, count: Option<u64>| {
            let only = term(field, value);
            let is_named = named.as_ref().map_or_else(|| has(query, &only), |named| named.has(value));
            let is_chosen = is_named && ticks;
            let released = || named.as_ref().map_or_else(|| without(query, &only), |named| named.without(value));
            let toggled = match (&named, is_named) {
                (_, true) if is_chosen => released(),
                (_, true) => query.to_owned(),
                (Some(named), false) if ticks => named.with(value),
                (_, false) => with(query, &only),
            };
            let at = |query: &str| page.clone().with("q", query).href();
            Value {
                text: format::line(value, 60),
                count: count.map(format::count).unwrap_or_default(),
                share: format::position(count.unwrap_or(0), most),
                is_chosen,
                toggle: at(&toggled),
                exclude: at(&with(&if is_named { released() } else { query.to_owned() }, &format!("-{only}"))),
            }
        };
        let mut values: Vec<Value> = counted.iter().map(|(text, count)| value(text, Some(*count))).collect();
        // What was chosen can be released, however rare it is.
        let chosen = named.iter().filter(|_| ticks).flat_map(Alternatives::values);
        let unlisted = chosen.filter(|chosen| !counted.iter().any(|(text, _)| text == *chosen));
        values.extend(unlisted.take(MAX_CHOSEN).map(|text| value(text, None)));
        Self {
            title: title.to_owned(),
            values,
            is_cut: counted.len() >= LISTED,
            is_narrowed: marks == Marks::ChosenOfAll && named.is_some(),
        }
    }
}

/// The query with one more condition.
pub(crate) fn with(query: &str, condition: &str) -> String {
    let query = query.trim();
    if query.is_empty() {
        return condition.to_owned();
    }
    // OR binds less than what follows.
    if split(query).contains(&"OR") { format!("({query}) {condition}") } else { format!("{query} {condition}") }
}

/// The query without that condition, where it is one of those that must all hold.
pub(crate) fn without(query: &str, condition: &str) -> String {
    match conditions(query) {
        Some(all) if all.contains(&condition) => all.into_iter().filter(|one| *one != condition).collect::<Vec<_>>().join(" "),
        _ => query.to_owned(),
    }
}

fn has(query: &str, condition: &str) -> bool {
    conditions(query).is_some_and(|all| all.contains(&condition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn a_value_is_chosen_released_and_excluded_by_addresses() {
        let counted = [("cart".to_owned(), 40), ("orders".to_owned(), 10)];
        let page = Links::default().plain("/traces");
        let group = Group::new("Service", "service", &counted, "status:error service:cart", (&page, Marks::ChosenOfAll));
        assert!(group.values[0].is_chosen && !group.values[1].is_chosen);
        assert!(group.is_narrowed);
        assert_eq!(group.values[0].toggle, "/traces?q=status%3Aerror");
        assert_eq!(group.values[0].exclude, "/traces?q=status%3Aerror%20-service%3Acart");
        assert_eq!(group.values[1].share, "25");
        assert_eq!(group.values[1].toggle, "/traces?q=status%3Aerror%20service%3Acart%2Corders", "beside the one that is chosen");
        assert_eq!(group.values[1].exclude, "/traces?q=status%3Aerror%20service%3Acart%20-service%3Aorders");
        let unticked = Group::new("Service", "service", &counted, "status:error service:cart", (&page, Marks::None));
        assert!(!unticked.values[0].is_chosen && !unticked.is_narrowed);
        assert_eq!(unticked.values[0].toggle, "/traces?q=status%3Aerror%20service%3Acart", "it is not asked for twice");
    }

    #[test]
    fn a_chosen_value_that_is_not_among_the_most_frequent_can_be_released() {
        let page = Links::default().plain("/logs");
        let group =
            Group::new("Service", "service", &[("cart".to_owned(), 40)], "service:cart OR service:rare", (&page, Marks::ChosenOfAll));
        let rare = &group.values[1];
        assert_eq!((rare.text.as_str(), rare.count.as_str(), rare.is_chosen), ("rare", "", true));
        assert_eq!((rare.toggle.as_str(), group.values[0].toggle.as_str()), ("/logs?q=service%3Acart", "/logs?q=service%3Arare"));
        assert_eq!(group.values[0].exclude, "/logs?q=service%3Arare%20-service%3Acart");
    }

    #[test]
    fn values_that_must_all_hold_are_released_one_by_one() {
        let page = Links::default().plain("/traces");
        let counted = [("retry".to_owned(), 2), ("cache".to_owned(), 1)];
        let group = Group::new("Event", "event", &counted, "event:retry event:cache", (&page, Marks::ChosenOfAll));
        assert!(group.values.iter().all(|value| value.is_chosen));
        assert_eq!(group.values[0].toggle, "/traces?q=event%3Acache");
    }

    #[test]
    fn alternatives_are_bound_before_a_condition_follows() {
        assert_eq!(with("a OR b", "c:d"), "(a OR b) c:d");
        assert_eq!(with(" ", "c:d"), "c:d");
        assert_eq!(with("(a OR b) c:d", "e:f"), "(a OR b) c:d e:f");
        assert_eq!(without("x:\"a b\" y:z", "x:\"a b\""), "y:z");
        assert_eq!(without("x:a AND y:z", "x:a"), "y:z");
        for query in ["trace:(a x:y b)", "NOT x:y", "x:y >> z", "x:y OR z"] {
            assert_eq!(without(query, "x:y"), query, "it does not stand by itself");
        }
    }
}
