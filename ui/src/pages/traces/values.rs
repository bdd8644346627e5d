//! The most frequent values of several fields, all of the same moment: their numbers add up. What is counted of the same rows is counted in
//! one pass, the chart among it.

use futures::StreamExt as _;
use storage::{Grid, Moment, QueryError, Signal, Store, Survey, TimeRange};

use crate::view::facets::{Alternatives, LISTED, MAX_CHOSEN};

/// Values with how many rows have them.
type Values = Vec<(String, u64)>;

/// Heading, field, and values with counts.
pub(in crate::pages) type Counted = (&'static str, &'static str, Values);

/// The grid, when it was asked for, and values.
pub(super) type WithGrid<V> = (Option<Result<Grid, QueryError>>, Vec<V>);

/// Of what values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pages) enum ValuesOf {
    /// What the query finds.
    Found,
    /// What it would find with any other value of the field in place of those that it names: what can be chosen beside them.
    Others,
}

/// What all values of a page have in common.
struct Asking<'a> {
    store: &'a Store,
    moment: Moment,
    signal: Signal,
    range: TimeRange,
    query: &'a str,
}

/// Values of `fields`, each with its heading. Fields without values, and those that cannot be counted, are left out.
pub(in crate::pages) async fn facets(
    store: &Store,
    signal: Signal,
    of: (&str, ValuesOf),
    range: TimeRange,
    fields: &[(&'static str, &'static str)],
) -> Vec<Counted> {
    with_grid(store, signal, of, range, (fields, None)).await.1
}

/// [`facets`], and a grid of so many columns of what the query finds.
pub(super) async fn with_grid(
    store: &Store,
    signal: Signal,
    (query, of): (&str, ValuesOf),
    range: TimeRange,
    (fields, columns): (&[(&'static str, &'static str)], Option<usize>),
) -> WithGrid<Counted> {
    let asking = &Asking { store, moment: store.moment(), signal, range, query };
    let chosen = |field: &str| Alternatives::of(query, field).filter(|_| of == ValuesOf::Others);
    let chosen: Vec<Option<Alternatives>> = fields.iter().map(|(_, field)| chosen(field)).collect();
    let limit = |chosen: &Option<Alternatives>| LISTED + chosen.as_ref().map_or(0, |chosen| chosen.values().len().min(MAX_CHOSEN));
    let wanted = fields.iter().zip(&chosen).map(|((_, field), chosen)| ((*field).to_owned(), limit(chosen))).collect();
    let others: Vec<_> = fields.iter().zip(&chosen).map(|((_, field), chosen)| asking.others(field, chosen.as_ref())).collect();
    let others = futures::stream::iter(others).buffered(1).collect::<Vec<_>>();
    let ((grid, found), others) = tokio::join!(asking.found(wanted, columns), others);
    let values = found.into_iter().zip(others).zip(&chosen).map(|((found, others), chosen)| listed(found, others, chosen.as_ref()));
    let counted = fields.iter().zip(values).map(|((title, field), values)| (*title, *field, values));
    (grid, counted.filter(|(.., values)| !values.is_empty()).collect())
}

impl Asking<'_> {
    /// Values of what the query finds, and the grid.
    async fn found(&self, fields: Vec<(String, usize)>, columns: Option<usize>) -> WithGrid<Values> {
        let count = fields.len();
        let asked = Survey { signal: self.signal, query: self.query.to_owned(), range: self.range, fields, columns };
        match self.store.survey_at(&self.moment, asked).await {
            Ok(counted) => {
                let values = counted.values.into_iter().map(|found| found.map(|facets| facets.values).unwrap_or_default());
                (counted.grid.map(Ok), values.collect())
            }
            Err(error) => (columns.map(|_| Err(error)), vec![Vec::new(); count]),
        }
    }

    /// Values of what would be found without those that are chosen; `None` where none are.
    async fn others(&self, field: &str, chosen: Option<&Alternatives>) -> Option<Values> {
        let fields = vec![(field.to_owned(), LISTED)];
        let asked = Survey { signal: self.signal, query: chosen?.rest(), range: self.range, fields, columns: None };
        let found = self.store.survey_at(&self.moment, asked).await.ok()?.values.into_iter().next();
        Some(found?.ok().map(|facets| facets.values).unwrap_or_default())
    }
}

/// What can be chosen beside those that are; these stay, however rare they are.
fn listed(found: Values, others: Option<Values>, chosen: Option<&Alternatives>) -> Values {
    let Some(chosen) = chosen else { return found };
    let mut counted = others.unwrap_or_default();
    let is_rare = |(value, _): &(String, u64)| chosen.has(value) && !counted.iter().any(|(known, _)| known == value);
    let rare: Vec<_> = found.into_iter().filter(is_rare).collect();
    counted.extend(rare);
    counted
}
