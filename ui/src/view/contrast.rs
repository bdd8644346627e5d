//! What tells one group of spans from another: values whose share differs most.

use super::format;
use super::link::{Links, term};

/// Values by how much their shares differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contrast {
    pub(crate) rows: Vec<ContrastRow>,
    /// How many spans each group has.
    pub(crate) selected: String,
    pub(crate) rest: String,
}

/// A value of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContrastRow {
    pub(crate) field: String,
    pub(crate) value: String,
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

// === impl Contrast ===

impl Contrast {
    /// Ranks values by the difference of their shares; `query` is what both groups have in common.
    pub(crate) fn new(counted: &[Counted], totals: (u64, u64), query: &str, links: &Links) -> Self {
        let (selected, rest) = totals;
        let mut ranked: Vec<(f64, ContrastRow)> = Vec::new();
        for field in counted {
            let mut values: Vec<&String> = field.selected.iter().chain(&field.rest).map(|(value, _)| value).collect();
            values.sort();
            values.dedup();
            for value in values {
                let of = |counts: &[(String, u64)]| counts.iter().find(|(known, _)| known == value).map_or(0, |(_, count)| *count);
                let (inside, outside) = (of(&field.selected).min(selected), of(&field.rest).min(rest));
                let difference = share(inside, selected) - share(outside, rest);
                if difference.abs() >= LEAST {
                    ranked.push((difference, row(&field.field, value, (inside, selected), (outside, rest), query, links)));
                }
            }
        }
        ranked.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then_with(|| (&a.1.field, &a.1.value).cmp(&(&b.1.field, &b.1.value))));
        Self {
            rows: ranked.into_iter().take(MAX_ROWS).map(|(_, row)| row).collect(),
            selected: format::counted(selected, "span", "spans"),
            rest: format::counted(rest, "span", "spans"),
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { format::ratio(part, whole) }
}

fn row(field: &str, value: &str, inside: (u64, u64), outside: (u64, u64), query: &str, links: &Links) -> ContrastRow {
    let only = term(field, value);
    ContrastRow {
        field: format::line(field, 80),
        value: format::line(value, 160),
        selected: format::position(inside.0, inside.1),
        selected_text: format::percent(inside.0, inside.1),
        rest: format::position(outside.0, outside.1),
        rest_text: format::percent(outside.0, outside.1),
        with: links.traces(&super::facets::with(query, &only)).href(),
        without: links.traces(&super::facets::with(query, &format!("-{only}"))).href(),
    }
}

/// Smaller differences are chance.
const LEAST: f64 = 0.05;

/// Values listed.
const MAX_ROWS: usize = 40;

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
        let rows: Vec<_> = contrast.rows.iter().map(|row| (row.value.as_str(), row.selected.as_str(), row.rest.as_str())).collect();
        assert_eq!(rows, [("eu", "90", "10"), ("us", "10", "90")]);
        assert_eq!(contrast.rows[0].with, "/traces?q=service%3Ax%20attr.region%3Aeu");
        assert_eq!(contrast.rows[0].without, "/traces?q=service%3Ax%20-attr.region%3Aeu");
    }
}
