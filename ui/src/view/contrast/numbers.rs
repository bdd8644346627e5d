//! Attributes that are numbers, where those of one group of spans lie above or below those of another: the middle of each beside the other's.

use std::collections::{BTreeMap, BTreeSet};

use storage::{Span, Value};

use super::is_same;
use crate::view::chance::{CERTAIN, certainty};
use crate::view::format;
use crate::view::link::Links;

/// Numbers that differ by more than chance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Those that differ most surely come first.
    pub(crate) rows: Vec<NumberRow>,
    /// What was looked at; empty for nothing.
    pub(crate) remark: String,
    /// Fields whose numbers were compared.
    pub(crate) compared: BTreeSet<String>,
}

/// An attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberRow {
    pub(crate) field: String,
    /// For the selection and the rest: the median, and what the middle half lies between.
    pub(crate) selected: (String, String),
    pub(crate) rest: (String, String),
    /// Spans with such a number as most of the selection has.
    pub(crate) href: String,
}

/// Numbers of both groups under one key, in order.
#[derive(Debug, Default)]
struct Both {
    selected: Vec<f64>,
    rest: Vec<f64>,
}

// === impl Numbers ===

impl Numbers {
    /// Compares the attributes of spans of both groups, without those that the selection was `made_by`; `query` is what both have in common.
    pub(crate) fn new((selected, rest): (&[Span], &[Span]), made_by: &[String], query: &str, links: &Links) -> Self {
        let mut found: BTreeMap<&str, Both> = BTreeMap::new();
        for (key, number) in selected.iter().flat_map(numbers) {
            found.entry(key).or_default().selected.push(number);
        }
        for (key, number) in rest.iter().flat_map(numbers) {
            if let Some(both) = found.get_mut(key) {
                both.rest.push(number);
            }
        }
        let is_new = |key: &str| !made_by.iter().any(|known| is_same(&format!("attr.{key}"), known));
        found.retain(|key, both| is_new(key) && is_measure(key) && both.is_comparable());
        let mut ranked: Vec<(f64, &str, &Both)> =
            found.iter().map(|(key, both)| (certainty(&both.selected, &both.rest), *key, both)).collect();
        ranked.retain(|(certainty, _, _)| certainty.abs() >= CERTAIN);
        ranked.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then_with(|| a.1.cmp(b.1)));
        let looked = format!("{} of the selection and {} of the rest", format::counted(selected.len() as u64, "span", "spans"), rest.len());
        Self {
            rows: ranked.into_iter().take(MAX_ROWS).map(|(certainty, key, both)| both.row(key, certainty > 0.0, query, links)).collect(),
            remark: if found.is_empty() { String::new() } else { format!("Numbers: those of {looked}, the newest of each.") },
            compared: found.keys().map(|key| format!("attr.{key}")).collect(),
        }
    }

    /// Whether the numbers of a field were compared.
    pub(crate) fn has_compared(&self, field: &str) -> bool {
        self.compared.contains(field)
    }
}

// === impl Both ===

impl Both {
    /// Whether both sides have enough of them, and these are not a few values that shares tell more of.
    fn is_comparable(&mut self) -> bool {
        self.selected.sort_by(f64::total_cmp);
        self.rest.sort_by(f64::total_cmp);
        let different: BTreeSet<u64> = self.selected.iter().chain(&self.rest).map(|number| number.to_bits()).collect();
        self.selected.len() >= FEWEST && self.rest.len() >= FEWEST && different.len() >= VALUES
    }

    fn row(&self, key: &str, is_higher: bool, query: &str, links: &Links) -> NumberRow {
        let [lower, upper] = [1, 3].map(|quarter| quantile(&self.selected, quarter));
        let bound = if is_higher { format!("attr.{key}>={lower}") } else { format!("attr.{key}<={upper}") };
        NumberRow {
            field: format::line(&format!("attr.{key}"), 80),
            selected: told(&self.selected),
            rest: told(&self.rest),
            href: links.traces(&crate::view::facets::with(query, &bound)).href(),
        }
    }
}

/// The numbers among the attributes of a span.
fn numbers(span: &Span) -> impl Iterator<Item = (&str, f64)> {
    span.attributes.iter().filter_map(|attribute| {
        let number = match attribute.value {
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the order of numbers still is right to 16 digits")]
            Value::Int(number) => number as f64,
            Value::Double(number) if number.is_finite() => number,
            _ => return None,
        };
        Some((attribute.key.as_str(), number))
    })
}

/// Whether more of it means something: neither codes nor ids nor ports.
fn is_measure(key: &str) -> bool {
    let last = key.rsplit(['.', '_', '-']).next().unwrap_or_default().to_lowercase();
    !matches!(last.as_str(), "id" | "pid" | "port" | "code" | "lineno" | "number" | "offset" | "partition" | "timestamp" | "time")
}

/// So many quarters of sorted numbers lie below it.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    sorted.get(sorted.len() * quarters / 4).or(sorted.last()).copied().unwrap_or_default()
}

fn told(sorted: &[f64]) -> (String, String) {
    let [lower, middle, upper] = [1, 2, 3].map(|quarters| format::number(quantile(sorted, quarters)));
    (middle, format!("half from {lower} to {upper}"))
}

/// Numbers that each side must have: with fewer no difference is beyond chance.
const FEWEST: usize = 4;

/// Fewer different values are compared by their shares.
const VALUES: usize = 10;

/// Attributes that are listed.
const MAX_ROWS: usize = 8;

#[cfg(test)]
mod tests {
    use storage::KeyValue;

    use super::*;
    use crate::view::trace::sample;

    fn spans(key: &str, values: impl Iterator<Item = Value>) -> Vec<Span> {
        let of = |value| Span { attributes: vec![KeyValue { key: key.to_owned(), value }], ..sample::span(1, 0, "recsys", "rank", 0, 1) };
        values.map(of).collect()
    }

    fn told(key: &str, selected: &[f64], rest: &[f64]) -> Vec<NumberRow> {
        let of = |numbers: &[f64]| spans(key, numbers.iter().map(|number| Value::Double(*number)));
        Numbers::new((&of(selected), &of(rest)), &["status".to_owned()], "service:recsys", &Links::default()).rows
    }

    #[test]
    fn numbers_that_lie_higher_are_told_by_their_medians() {
        let high: Vec<f64> = (0..20).map(|n| 0.7 + f64::from(n) / 100.0).collect();
        let low: Vec<f64> = (0..40).map(|n| 0.35 + f64::from(n) / 1_000.0).collect();
        let rows = told("heap.used_ratio", &high, &low);
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.field.as_str(), row.selected.0.as_str(), row.rest.0.as_str()), ("attr.heap.used_ratio", "0.8", "0.37"));
        assert_eq!(row.selected.1, "half from 0.75 to 0.85");
        assert_eq!(row.href, Links::default().traces("service:recsys attr.heap.used_ratio>=0.75").href());
        assert_eq!(
            told("heap.used_ratio", &low, &high)[0].href,
            Links::default().traces("service:recsys attr.heap.used_ratio<=0.38").href()
        );
    }

    #[test]
    fn what_is_chance_or_a_code_or_has_few_values_is_left_out() {
        let even: Vec<f64> = (0..40).map(f64::from).collect();
        let odd: Vec<f64> = even.iter().map(|n| n + 0.5).collect();
        let far: Vec<f64> = even.iter().map(|n| n + 100.0).collect();
        assert!(told("size", &even, &odd).is_empty(), "they lie side by side");
        assert_eq!(told("size", &even, &far).len(), 1);
        assert!(told("http.response.status_code", &even, &far).is_empty());
        assert!(told("attempt", &[1.0; 40], &[3.0; 40]).is_empty(), "shares of two values tell more");
        assert!(told("size", &even[..3], &far).is_empty());
        assert!(Numbers::new((&spans("size", even.iter().map(|n| Value::Double(*n))), &[]), &[], "", &Links::default()).remark.is_empty());
        let made_by = ["size".to_owned()];
        let of = |numbers: &[f64]| spans("size", numbers.iter().map(|n| Value::Double(*n)));
        assert!(Numbers::new((&of(&even), &of(&far)), &made_by, "", &Links::default()).rows.is_empty());
    }
}
