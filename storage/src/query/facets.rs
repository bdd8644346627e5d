//! The values of a field among what a search would find, and the fields there are, with how many rows have them.

use super::answer::QueryStats;
use super::language::{Field, Query};
use super::predicate::Predicate;
use super::question::{ParseError, QueryError};
use super::rolled::Rolls;
use super::scan::{Control, Scan, Wanted};
use crate::model::TimeRange;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod alike;
mod catalogue;
mod counts;
mod source;
mod told;

pub(crate) use self::catalogue::fields;
pub use self::catalogue::{FieldCount, Fields};
use self::counts::Counts;
pub(super) use self::source::{Part, Source};
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

const MAX_LIMIT: usize = 1_000;
const TOO_MANY: &str = "only the first different values were counted: there are too many; narrow the query";

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
    if limit == 0 || limit > MAX_LIMIT {
        return Err(QueryError::Invalid(format!("1 to {MAX_LIMIT} values are counted, not {limit}")));
    }
    let known = read_field(signal, field)?;
    let source = Source::new(signal, &known).ok_or_else(|| QueryError::Invalid(format!("values of `{field}` cannot be counted")))?;
    let (query, note) = Query::rows(signal, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let told = Told::new(signal, &known, &predicate).map(|told| told.count(snapshot, range, &predicate, rolls, (limit, control)));
    if let Some(mut facets) = told.transpose()?.flatten() {
        facets.stats.complete &= note.is_none();
        facets.stats.notes.extend(note);
        return Ok(facets);
    }
    let mut scan = Scan::new(snapshot, signal, range, &predicate.hints, control)?;
    note.into_iter().for_each(|note| scan.note(note));
    let columns = source.columns();
    let wanted = Wanted { columns: &columns, keys: source.keys(), predicate: &predicate };
    let states = scan.fold(wanted, Counts::default, |counts, rows| source.count(rows.batch, &rows.alive, counts))?;
    let counts = states.into_iter().reduce(Counts::join).unwrap_or_default();
    if counts.is_full() {
        scan.note(TOO_MANY.to_owned());
    }
    let (rows, without) = (counts.rows(), counts.without());
    Ok(Facets { values: counts.most_frequent(limit), rows, without, stats: scan.stats })
}

/// A field by its name, in a message that says which parameter is wrong.
fn read_field(signal: Signal, name: &str) -> Result<Field, QueryError> {
    Field::parse(signal, name).map_err(|ParseError { message, suggestions, .. }| {
        let hint = if suggestions.is_empty() { String::new() } else { format!("; did you mean {}?", suggestions.join(", ")) };
        QueryError::Invalid(format!("{message}{hint}"))
    })
}

#[cfg(test)]
mod tests;
