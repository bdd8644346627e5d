//! The most frequent values of several fields, asked a few at a time, all of the same moment: their numbers add up.

use futures::StreamExt as _;
use storage::{Moment, Signal, Store, TimeRange};

use crate::view::facets::{Alternatives, MAX_CHOSEN};

/// Heading, field, and values with counts.
pub(in crate::pages) type Counted = (&'static str, &'static str, Vec<(String, u64)>);

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
    of: ValuesOf,
}

/// Values of `fields`, each with its heading. Fields without values, and those that cannot be counted, are left out.
pub(in crate::pages) async fn facets(
    store: &Store,
    signal: Signal,
    (query, of): (&str, ValuesOf),
    range: TimeRange,
    fields: &[(&'static str, &'static str)],
) -> Vec<Counted> {
    let asking = &Asking { store, moment: store.moment(), signal, range, query, of };
    let ask = |(title, field): (&'static str, &'static str)| async move { (title, field, asking.values(field).await) };
    let asked: Vec<_> = fields.iter().map(|field| ask(*field)).collect();
    let counted: Vec<Counted> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
    counted.into_iter().filter(|(.., values)| !values.is_empty()).collect()
}

impl Asking<'_> {
    async fn values(&self, field: &str) -> Vec<(String, u64)> {
        let chosen = Alternatives::of(self.query, field).filter(|_| self.of == ValuesOf::Others);
        let Some(chosen) = chosen else { return self.count(self.query, field, LISTED).await };
        let mut counted = self.count(&chosen.rest(), field, LISTED).await;
        let is_listed = |counted: &[(String, u64)], value: &String| counted.iter().any(|(known, _)| known == value);
        // Those that are chosen stay, however rare they are.
        if !chosen.values().iter().all(|value| is_listed(&counted, value)) {
            let found = self.count(self.query, field, LISTED + chosen.values().len().min(MAX_CHOSEN)).await;
            let rare: Vec<_> = found.into_iter().filter(|(value, _)| chosen.has(value) && !is_listed(&counted, value)).collect();
            counted.extend(rare);
        }
        counted
    }

    async fn count(&self, query: &str, field: &str, limit: usize) -> Vec<(String, u64)> {
        let found = self.store.facets_at(&self.moment, self.signal, query, self.range, (field, limit)).await;
        found.map(|facets| facets.values).unwrap_or_default()
    }
}

/// Values of one field.
const LISTED: usize = 8;

/// Questions of one page that run side by side.
pub(in crate::pages) const AT_ONCE: usize = 2;
