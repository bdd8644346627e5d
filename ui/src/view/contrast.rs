//! What tells one group of spans from another: values whose share differs most.

use super::chance::{margin, share};
use super::format;
use super::link::{Links, term};

pub(crate) mod calls;
pub(crate) mod numbers;

/// Values by how much their shares differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contrast {
    /// Values that the selection has more often, and less often.
    pub(crate) more: Vec<ContrastRow>,
    pub(crate) less: Vec<ContrastRow>,
    /// How many spans each group has.
    pub(crate) selected: String,
    pub(crate) rest: String,
}

/// A value of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContrastRow {
    pub(crate) field: String,
    pub(crate) value: String,
    /// Values of other fields that as many spans have on both sides; empty for none.
    pub(crate) also: String,
    /// Share in each group, for bars of 100 and as text.
    pub(crate) selected: String,
    pub(crate) selected_text: String,
    pub(crate) rest: String,
    pub(crate) rest_text: String,
    /// Only spans with this value, and only those without.
    pub(crate) with: String,
    pub(crate) without: String,
}

/// Counts of the values of one field in both groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) field: String,
    pub(crate) selected: Vec<(String, u64)>,
    pub(crate) rest: Vec<(String, u64)>,
}

// === impl Counted ===

impl Counted {
    /// Whether its values tell spans apart instead of what they have in common: no two of the selection, or none at all, share one.
    pub(crate) fn is_identifying(&self) -> bool {
        let of = |counts: &[(String, u64)], value: &str| counts.iter().find(|(known, _)| known == value).map_or(0, |(_, count)| *count);
        let is_shared_by_selected = self.selected.iter().any(|(_, count)| *count > 1);
        let all =
            || self.selected.iter().map(|(value, count)| count + of(&self.rest, value)).chain(self.rest.iter().map(|(_, count)| *count));
        let is_shared = all().any(|count| count > 1);
        (self.selected.len() > 1 && !is_shared_by_selected) || (self.values() > 1 && !is_shared)
    }

    /// How many different values there are.
    fn values(&self) -> usize {
        let mut values: Vec<&String> = self.selected.iter().chain(&self.rest).map(|(value, _)| value).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    }

    /// Whether it is called an id and has many values.
    fn is_id(&self) -> bool {
        let last = self.field.rsplit(['.', '_', '-']).next().unwrap_or_default().to_lowercase();
        matches!(last.as_str(), "id" | "uid" | "uuid" | "guid") && self.values() >= MANY
    }
}

// === impl Contrast ===

impl Contrast {
    /// Ranks values by the difference of their shares; `query` is what both groups have in common.
    pub(crate) fn new(counted: &[Counted], totals: (u64, u64), query: &str, links: &Links) -> Self {
        let (selected, rest) = totals;
        let mut ranked: Vec<Ranked<'_>> = Vec::new();
        for field in counted {
            let is_id = field.is_id();
            let mut values: Vec<&String> = field.selected.iter().chain(&field.rest).map(|(value, _)| value).collect();
            values.sort();
            values.dedup();
            for value in values {
                let of = |counts: &[(String, u64)]| counts.iter().find(|(known, _)| known == value).map_or(0, |(_, count)| *count);
                let counts = (of(&field.selected).min(selected), of(&field.rest).min(rest));
                let difference = share(counts.0, selected) - share(counts.1, rest);
                if difference.abs() >= LEAST.max(margin(counts, totals)) {
                    // One id of many explains something only when much of the selection has it.
                    let is_last = is_id && counts.0 < (selected / 5).max(FEW);
                    ranked.push(Ranked { is_last, difference, counts, field: &field.field, value });
                }
            }
        }
        ranked.sort_by(|a, b| {
            let name = |one: &Ranked<'_>| (place(one.field), one.field.to_owned(), one.value.to_owned());
            let order = a.is_last.cmp(&b.is_last).then_with(|| b.difference.abs().total_cmp(&a.difference.abs()));
            order.then_with(|| b.counts.cmp(&a.counts)).then_with(|| name(a).cmp(&name(b)))
        });
        let alike: Vec<&[Ranked<'_>]> = ranked.chunk_by(|a, b| a.counts == b.counts && a.is_last == b.is_last).collect();
        let side = |is_more: bool| {
            let of_side = alike.iter().filter(|alike| alike.first().is_some_and(|one| (one.difference > 0.0) == is_more));
            of_side.take(MAX_ROWS).filter_map(|alike| row(alike, totals, query, links)).collect()
        };
        Self {
            more: side(true),
            less: side(false),
            selected: format::counted(selected, "span", "spans"),
            rest: format::counted(rest, "span", "spans"),
        }
    }
}

/// Whether a field is the one that a query names, which may leave the place of an attribute open.
pub(crate) fn is_same(field: &str, named: &str) -> bool {
    field == named || ["attr.", "resource."].iter().any(|place| field.strip_prefix(place) == Some(named))
}

/// A value with how many spans of each side have it.
struct Ranked<'a> {
    /// Whether it comes after the others, however much it differs.
    is_last: bool,
    difference: f64,
    counts: (u64, u64),
    field: &'a str,
    value: &'a str,
}

/// What every span has before attributes, and these before those of resources.
fn place(field: &str) -> u8 {
    if field.starts_with("resource.") { 2 } else { u8::from(field.contains('.')) }
}

/// Values that as many spans have, as one row.
fn row(alike: &[Ranked<'_>], (selected, rest): (u64, u64), query: &str, links: &Links) -> Option<ContrastRow> {
    let (first, others) = alike.split_first()?;
    let only = term(first.field, first.value);
    let mut also: Vec<String> = others.iter().take(MAX_ALSO).map(|one| format::line(&format!("{} {}", one.field, one.value), 80)).collect();
    if others.len() > MAX_ALSO {
        also.push(format!("{} more", others.len() - MAX_ALSO));
    }
    Some(ContrastRow {
        field: format::line(first.field, 80),
        value: format::line(first.value, 160),
        also: also.join(", "),
        selected: format::position(first.counts.0, selected),
        selected_text: format::percent(first.counts.0, selected),
        rest: format::position(first.counts.1, rest),
        rest_text: format::percent(first.counts.1, rest),
        with: links.traces(&super::facets::with(query, &only)).href(),
        without: links.traces(&super::facets::with(query, &format!("-{only}"))).href(),
    })
}

/// Smaller differences explain nothing.
const LEAST: f64 = 0.05;

/// Fields with so many values may be ids, of which one must have so many spans.
const MANY: usize = 10;
const FEW: u64 = 5;

/// Values listed on each side.
const MAX_ROWS: usize = 20;

/// Values named beside one that as many spans have.
const MAX_ALSO: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_differs_most_comes_first_and_alike_ones_are_left_out() {
        let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect::<Vec<_>>();
        let counted = [
            Counted { field: "name".to_owned(), selected: counts(&[("a", 5), ("b", 5)]), rest: counts(&[("a", 50), ("b", 50)]) },
            Counted { field: "attr.region".to_owned(), selected: counts(&[("eu", 9), ("us", 1)]), rest: counts(&[("eu", 10), ("us", 90)]) },
        ];
        let contrast = Contrast::new(&counted, (10, 100), "service:x", &Links::default());
        let told = |rows: &[ContrastRow]| -> Vec<_> {
            rows.iter().map(|row| [row.value.as_str(), row.selected.as_str(), row.rest.as_str()].map(str::to_owned)).collect()
        };
        assert_eq!(told(&contrast.more), [["eu", "90", "10"].map(str::to_owned)]);
        assert_eq!(told(&contrast.less), [["us", "10", "90"].map(str::to_owned)]);
        assert_eq!(contrast.more[0].with, "/traces?q=service%3Ax%20attr.region%3Aeu");
        assert_eq!(contrast.more[0].without, "/traces?q=service%3Ax%20-attr.region%3Aeu");
    }

    #[test]
    fn what_may_be_chance_is_left_out_and_the_same_difference_of_many_is_listed() {
        let of = |selected, rest| {
            let pair = |count| vec![("a".to_owned(), count)];
            [Counted { field: "attr.pod".to_owned(), selected: pair(selected), rest: pair(rest) }]
        };
        let listed = |counted: &[Counted], totals| {
            let contrast = Contrast::new(counted, totals, "", &Links::default());
            contrast.more.len() + contrast.less.len()
        };
        // 40 % and 30 % of few and of many: 0.6 and 6.5 standard errors apart.
        assert_eq!(listed(&of(4, 27), (10, 90)), 0);
        assert_eq!(listed(&of(400, 2_700), (1_000, 9_000)), 1);
        // However certain, 3 points explain nothing.
        assert_eq!(listed(&of(33_000, 270_000), (100_000, 900_000)), 0);
        // Spread evenly over twenty values, small selections differ by several points from all others.
        let even = |n: u64| (0..20).map(|value| (format!("v{value}"), n + value % 3)).collect::<Vec<_>>();
        let spread = [Counted { field: "attr.pod".to_owned(), selected: even(1), rest: even(20) }];
        assert_eq!(listed(&spread, (39, 419)), 0);
        assert_eq!(listed(&of(9, 0), (9, 0)), 1, "without a rest there is nothing to be unsure of");
    }

    #[test]
    fn ids_are_left_out_or_come_last() {
        let ids = |count: u64, each: u64| (0..count).map(|n| (format!("id{n}"), each)).collect::<Vec<_>>();
        let shared = |value: &str, count| vec![(value.to_owned(), count)];
        let of = |field: &str, selected, rest| Counted { field: field.to_owned(), selected, rest };
        assert!(of("attr.request", ids(9, 1), ids(40, 1)).is_identifying());
        assert!(of("attr.request", shared("x", 1), ids(40, 1)).is_identifying(), "one span is selected");
        assert!(of("attr.request", ids(9, 1), shared("x", 40)).is_identifying());
        assert!(!of("attr.route", shared("/pay", 9), ids(40, 1)).is_identifying());
        assert!(!of("attr.route", shared("/pay", 1), shared("/pay", 40)).is_identifying());
        let all = [of("attr.order.id", ids(4, 4), ids(20, 4)), of("attr.route", shared("/pay", 15), shared("/pay", 40))];
        let contrast = Contrast::new(&all, (16, 100), "", &Links::default());
        assert_eq!(contrast.more.iter().map(|row| row.field.as_str()).collect::<Vec<_>>(), ["attr.route", "attr.order.id"]);
        let one = [of("attr.tenant.id", shared("acme", 12), ids(20, 4)), of("attr.route", shared("/pay", 12), shared("/pay", 60))];
        assert_eq!(Contrast::new(&one, (16, 100), "", &Links::default()).more[0].value, "acme");
    }

    #[test]
    fn values_that_as_many_spans_have_are_one_row() {
        let counted = |field: &str, value: &str| Counted {
            field: field.to_owned(),
            selected: vec![(value.to_owned(), 9)],
            rest: vec![(value.to_owned(), 2)],
        };
        let all = [counted("resource.host", "h1"), counted("attr.route", "/pay"), counted("name", "POST /pay")];
        let contrast = Contrast::new(&all, (10, 100), "", &Links::default());
        let [row] = contrast.more.as_slice() else { panic!("{contrast:?}") };
        assert_eq!((row.field.as_str(), row.value.as_str(), row.also.as_str()), ("name", "POST /pay", "attr.route /pay, resource.host h1"));
    }
}
