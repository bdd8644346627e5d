//! What only one of two traces has beside spans: attributes of the spans that are compared, and log records.

use std::collections::{HashMap, HashSet};

use storage::{KeyValue, LogRecord, Severity, Span, Value};

use crate::view::attributes;
use crate::view::colour::{Chip, Palette};
use crate::view::format;
use crate::view::link::Links;
use crate::view::logs;
use crate::view::patterns::{Shape, shape};

/// The same work in both traces.
pub(crate) type Pair<'a> = [&'a Span; 2];

/// An attribute that differs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unlike {
    pub(crate) chip: Chip,
    /// Name of the span; empty for an attribute of the service's resource.
    pub(crate) span: String,
    pub(crate) key: String,
    pub(crate) sides: [String; 2],
    /// `only in B`, `not in B`; empty when both have one.
    pub(crate) only: &'static str,
}

/// Log records of one kind that one side has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) letter: &'static str,
    pub(crate) class: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) chip: Chip,
    /// Of the first.
    pub(crate) body: String,
    /// `×3`; empty for one.
    pub(crate) count: String,
    pub(crate) only: &'static str,
    /// The first of them, among the records of its trace.
    pub(crate) href: String,
}

/// What differs between spans, those that only one side has first; and how many are left out.
pub(crate) fn values(pairs: &[Pair<'_>], palette: &Palette) -> (Vec<Unlike>, usize) {
    let mut found: Vec<Unlike> = Vec::new();
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for [a, b] in pairs {
        let service = a.resource.service_name();
        let row = |span: &str, (key, sides): (&str, [Option<&Value>; 2])| Unlike {
            chip: palette.chip(service),
            span: span.to_owned(),
            key: format::line(key, 120),
            only: match sides {
                [Some(_), None] => "not in B",
                [None, _] => "only in B",
                _ => "",
            },
            sides: sides.map(|value| value.map_or_else(|| format::MISSING.to_owned(), |value| attributes::brief(value, 160))),
        };
        found.extend(unlike([&a.attributes, &b.attributes]).map(|one| row(&format::name(&a.name), one)));
        // Spans of one service share it.
        found.extend(
            unlike([&a.resource.attributes, &b.resource.attributes]).filter(|(key, _)| told.insert((service, key))).map(|one| row("", one)),
        );
    }
    found.sort_by_key(|one| one.only.is_empty());
    let left_out = found.len().saturating_sub(MAX_VALUES);
    found.truncate(MAX_VALUES);
    (found, left_out)
}

/// Keys whose first values are not the same, in the order of the first side, then of the second.
fn unlike<'a>([a, b]: [&'a [KeyValue]; 2]) -> impl Iterator<Item = (&'a str, [Option<&'a Value>; 2])> {
    let first = |pairs: &'a [KeyValue]| {
        let mut values: HashMap<&str, &Value> = HashMap::new();
        for pair in pairs {
            values.entry(pair.key.as_str()).or_insert(&pair.value);
        }
        values
    };
    let (in_a, in_b) = (first(a), first(b));
    let mut seen: HashSet<&str> = HashSet::new();
    let keys = a.iter().chain(b).map(|pair| pair.key.as_str()).filter(move |key| seen.insert(key));
    keys.map(move |key| (key, [in_a.get(key).copied(), in_b.get(key).copied()])).filter(|(_, [a, b])| a != b)
}

/// Kinds of records that one side has and the other has none of, the worst first.
pub(crate) fn records(sides: [&[LogRecord]; 2], links: &Links, palette: &Palette) -> Vec<Record> {
    let kinds = sides.map(kinds);
    let [of_a, of_b] = &kinds;
    let only = |mine: &[Kind<'_>], others: &[Kind<'_>], words: &'static str| {
        let known: HashSet<&Key<'_>> = others.iter().map(|kind| &kind.key).collect();
        mine.iter().filter(|kind| !known.contains(&kind.key)).map(|kind| (kind.key.1, kind.row(words, links, palette))).collect::<Vec<_>>()
    };
    let mut found = [only(of_b, of_a, "only in B"), only(of_a, of_b, "not in B")].concat();
    found.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    found.into_iter().take(MAX_RECORDS).map(|(_, row)| row).collect()
}

/// What records have in common that are taken for the same: who says them, how bad they are, and their words.
type Key<'a> = (&'a str, Option<Severity>, Shape);

/// Records that are taken for the same.
struct Kind<'a> {
    key: Key<'a>,
    first: &'a LogRecord,
    count: u64,
}

fn kinds(records: &[LogRecord]) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let mut places: HashMap<Key<'_>, usize> = HashMap::new();
    for record in records {
        let key = (record.service_name(), Severity::from_number(record.severity_number), shape(record));
        if let Some(kind) = places.get(&key).and_then(|place| kinds.get_mut(*place)) {
            kind.count += 1;
            continue;
        }
        places.insert(key.clone(), kinds.len());
        kinds.push(Kind { key, first: record, count: 1 });
    }
    kinds
}

// === impl Kind ===

impl Kind<'_> {
    fn row(&self, only: &'static str, links: &Links, palette: &Palette) -> Record {
        let (service, severity, _) = &self.key;
        let (letter, class) = logs::letter_of(*severity);
        let trace = self.first.trace_id.map(|id| links.trace(&id).with("view", "logs"));
        Record {
            letter,
            class,
            severity: severity.map_or("no severity", Severity::as_str),
            chip: palette.chip(service),
            body: format::line(&logs::body(&self.first.body, &self.first.event_name), 300),
            count: if self.count == 1 { String::new() } else { format!("×{}", format::exact(self.count)) },
            only,
            href: trace.map(|trace| logs::opened(trace, self.first.record_id)).unwrap_or_default(),
        }
    }
}

/// More rows are not shown.
const MAX_VALUES: usize = 60;
const MAX_RECORDS: usize = 60;
