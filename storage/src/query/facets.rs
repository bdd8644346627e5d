//! The most frequent values of a field among what a search would find.

use std::collections::HashMap;

use super::answer::QueryStats;
use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Scan, Wanted};
use crate::model::{Severity, SpanKind, StatusCode, TimeRange};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Values of a field with how many rows have them, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    /// Value and count; equal counts by value.
    pub values: Vec<(String, u64)>,
    /// What it took. Not complete when rare values were not counted.
    pub stats: QueryStats,
}

/// Different values that are counted; what comes later and is new is not.
const MAX_VALUES: usize = 10_000;

/// How a field is read.
#[derive(Clone, Copy)]
enum Source {
    Text(&'static str),
    Word(&'static str, fn(i32) -> &'static str),
}

/// Counts the values of `field`: `service`, and of spans `name`, `kind`, `status` and `exception.type`, of logs `severity`.
pub(crate) fn facets(
    snapshot: &Snapshot,
    signal: Signal,
    query: &str,
    range: TimeRange,
    field: &str,
    limit: usize,
    control: &Control,
) -> Result<Facets, QueryError> {
    let source = source(signal, field)?;
    let (Source::Text(name) | Source::Word(name, _)) = source;
    let predicate = Predicate::new(&Query::parse(signal, query).map_err(QueryError::Parse)?);
    let mut scan = Scan::new(snapshot, signal, range, &predicate.hints, control)?;
    let states = scan.fold(Wanted { columns: &[name], predicate: &predicate }, Counts::default, |counts, rows| {
        match source {
            Source::Text(name) => {
                let texts = columns::text(rows.batch, name)?;
                rows.alive.set_indices().for_each(|row| counts.add(columns::text_or_empty(texts, row)));
            }
            Source::Word(name, word) => {
                let numbers = columns::int(rows.batch, name)?;
                rows.alive.set_indices().for_each(|row| counts.add(word(numbers.value(row))));
            }
        }
        Ok(())
    })?;
    let mut all: HashMap<String, u64> = HashMap::new();
    let mut full = false;
    for counts in states {
        full |= counts.full;
        for (value, count) in counts.values {
            *all.entry(value).or_default() += count;
        }
    }
    if full {
        scan.note(format!("only {MAX_VALUES} different values were counted"));
    }
    let mut values: Vec<_> = all.into_iter().filter(|(value, _)| !value.is_empty()).collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(limit);
    Ok(Facets { values, stats: scan.stats })
}

fn source(signal: Signal, field: &str) -> Result<Source, QueryError> {
    Ok(match (signal, field) {
        (_, "service") => Source::Text(column::SERVICE_NAME),
        (Signal::Traces, "name" | "operation") => Source::Text(column::NAME),
        (Signal::Traces, "exception.type") => Source::Text(column::EXCEPTION_TYPE),
        (Signal::Traces, "kind") => Source::Word(column::KIND, |number| SpanKind::from(number).as_str()),
        (Signal::Traces, "status") => Source::Word(column::STATUS_CODE, |number| StatusCode::from(number).as_str()),
        (Signal::Logs, "severity") => {
            Source::Word(column::SEVERITY_NUMBER, |number| Severity::from_number(number).map_or("unknown", Severity::as_str))
        }
        _ => return Err(QueryError::Invalid(format!("values of `{field}` cannot be counted"))),
    })
}

#[derive(Debug, Default)]
struct Counts {
    values: HashMap<String, u64>,
    full: bool,
}

impl Counts {
    fn add(&mut self, value: &str) {
        if let Some(count) = self.values.get_mut(value) {
            *count += 1;
        } else if self.values.len() < MAX_VALUES {
            self.values.insert(value.to_owned(), 1);
        } else {
            self.full = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures;
    use super::*;

    #[test]
    fn values_are_counted_where_the_query_matches_most_frequent_first() {
        let mut snapshot = Snapshot::default();
        let span = |id, service: &str, name: &str| fixtures::span(1, id, 0, service, name, id, 1);
        snapshot.spans.buffered = vec![fixtures::spans(&[span(1, "a", "x"), span(2, "b", "x"), span(3, "b", "y"), span(4, "b", "x")])];
        let control = Control::new(Duration::from_secs(60));
        let ask = |query, field, limit| facets(&snapshot, Signal::Traces, query, TimeRange::ALL, field, limit, &control);
        assert_eq!(ask("", "service", 9).unwrap().values, [("b".to_owned(), 3), ("a".to_owned(), 1)]);
        assert_eq!(ask("service:b", "name", 1).unwrap().values, [("x".to_owned(), 2)]);
        assert_eq!(ask("", "kind", 9).unwrap().values, [("internal".to_owned(), 4)]);
        assert!(matches!(ask("", "severity", 9), Err(QueryError::Invalid(_))));
    }
}
