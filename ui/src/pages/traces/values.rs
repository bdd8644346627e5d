//! The most frequent values of several fields, asked a few at a time, all of the same moment: their numbers add up.

use futures::StreamExt as _;
use storage::{Signal, Store, TimeRange};

/// Heading, field, and values with counts.
pub(in crate::pages) type Counted = (&'static str, &'static str, Vec<(String, u64)>);

/// Values of `fields`, each with its heading. Fields without values, and those that cannot be counted, are left out.
pub(in crate::pages) async fn facets(
    store: &Store,
    signal: Signal,
    query: &str,
    range: TimeRange,
    fields: &[(&'static str, &'static str)],
) -> Vec<Counted> {
    let moment = &store.moment();
    let ask = |(title, field): (&'static str, &'static str)| async move {
        let found = store.facets_at(moment, signal, query, range, (field, LISTED)).await;
        (title, field, found.map(|facets| facets.values).unwrap_or_default())
    };
    let asked: Vec<_> = fields.iter().map(|field| ask(*field)).collect();
    let counted: Vec<Counted> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
    counted.into_iter().filter(|(.., values)| !values.is_empty()).collect()
}

/// Values of one field.
const LISTED: usize = 8;

/// Questions of one page that run side by side.
pub(in crate::pages) const AT_ONCE: usize = 2;
