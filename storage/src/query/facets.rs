//! The values of a field among what a search would find, and the fields there are, with how many rows have them.
//!
//! Owns what is asked of one field; `survey` counts several of them in one pass, `told` has those that roll-ups tell apart, `source` reads
//! values, `counts` keeps them within bounds.

use super::answer::QueryStats;
use super::language;
use super::predicate::Predicate;
use super::question::{ParseError, QueryError};
use super::rolled::Rolls;
use super::scan::Control;
use crate::model::TimeRange;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod alike;
mod catalogue;
mod counts;
mod source;
mod survey;
mod told;

pub(crate) use self::catalogue::fields;
pub use self::catalogue::{FieldCount, Fields};
use self::counts::Counts;
pub(super) use self::source::{Part, Source};
pub(crate) use self::survey::survey;
pub use self::survey::{Survey, Surveyed};
use self::told::Told;

/// Values of a field with how many rows have them, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    /// Value and count; equal counts by value. A row with several values counts for each.
    pub values: Vec<(String, u64)>,
    /// Rows that the search finds.
    pub rows: u64,
    /// Those of them that have no value.
    pub without: u64,
    /// What it took. Not complete when rare values were not counted.
    pub stats: QueryStats,
}

/// A field whose values are counted.
#[derive(Debug)]
struct Field {
    known: language::Field,
    source: Source,
    /// Values that are told.
    limit: usize,
}

const MAX_LIMIT: usize = 1_000;
const TOO_LONG: &str = "the values are too long to count all of them: those that came first were counted; narrow the query";

/// Counts the values of `field`, any name that the query language knows.
pub(crate) fn facets(
    snapshot: &Snapshot,
    signal: Signal,
    query: &str,
    range: TimeRange,
    (field, limit): (&str, usize),
    rolls: &Rolls,
    control: &Control,
) -> Result<Facets, QueryError> {
    let asked = Survey { signal, query: query.to_owned(), range, fields: vec![(field.to_owned(), limit)], columns: None };
    let counted = survey(snapshot, &asked, rolls, control)?.values.into_iter().next();
    counted.unwrap_or_else(|| Err(QueryError::Internal("the values of a field were not counted".to_owned())))
}

// === impl Field ===

impl Field {
    fn new(signal: Signal, (name, limit): (&str, usize)) -> Result<Self, QueryError> {
        if limit == 0 || limit > MAX_LIMIT {
            return Err(QueryError::Invalid(format!("1 to {MAX_LIMIT} values are counted, not {limit}")));
        }
        let known = read(signal, name)?;
        let source = Source::new(signal, &known).ok_or_else(|| QueryError::Invalid(format!("values of `{name}` cannot be counted")))?;
        Ok(Self { known, source, limit })
    }

    /// From roll-ups; `None` where these do not have it.
    fn told(
        &self,
        snapshot: &Snapshot,
        asked: &Survey,
        filter: &Predicate,
        rolls: &Rolls,
        control: &Control,
    ) -> Result<Option<Facets>, QueryError> {
        let told = Told::new(asked.signal, &self.known, filter);
        told.map_or(Ok(None), |told| told.count(snapshot, asked.range, filter, rolls, (self.limit, control)))
    }

    fn finish(&self, counts: Counts, mut stats: QueryStats) -> Facets {
        if counts.is_full() {
            stats.complete = false;
            stats.notes.push(TOO_LONG.to_owned());
        }
        if let Some(note) = counts.note() {
            stats.complete = false;
            stats.notes.push(note);
        }
        let (rows, without) = (counts.rows(), counts.without());
        Facets { values: counts.most_frequent(self.limit), rows, without, stats }
    }
}

/// A field by its name, in a message that says which parameter is wrong.
fn read(signal: Signal, name: &str) -> Result<language::Field, QueryError> {
    language::Field::parse(signal, name).map_err(|ParseError { message, suggestions, .. }| {
        let hint = if suggestions.is_empty() { String::new() } else { format!("; did you mean {}?", suggestions.join(", ")) };
        QueryError::Invalid(format!("{message}{hint}"))
    })
}

#[cfg(test)]
mod tests;
