//! The fields of what a search finds, and the values of those that most records have.

use storage::{FieldCount, QueryError, Signal, Store, Survey, TimeRange};

use super::{Asked, Logs, MAX_COLUMNS, View, Visit};
use crate::view::{fields, format};

pub(super) async fn fill(page: &mut Logs, visit: &Visit, asked: &Asked, range: TimeRange) -> Result<(), QueryError> {
    let store = visit.state.store();
    let found = store.fields(Signal::Logs, &asked.query, range).await?;
    let values = values(store, &found.fields, asked, range).await;
    let list = Asked { view: View::List, ..asked.clone() };
    let column = |key: &str| (list.with_column(key, visit), list.columns.iter().any(|known| known == key));
    page.fields = fields::rows(&found, values, (&asked.query, &list.address(&visit.links())), column);
    if list.columns.len() == MAX_COLUMNS {
        page.notes.push(format!("There are {MAX_COLUMNS} columns, as many as there may be; remove one to add another."));
    }
    let records = format::counted(found.rows, "record", "records");
    page.summary = format!("{} in {records}", format::counted(found.fields.len() as u64, "field", "fields"));
    page.notes.extend(found.stats.notes);
    Ok(())
}

/// Values of the first fields, those that cannot be counted without any.
async fn values(store: &Store, fields: &[FieldCount], asked: &Asked, range: TimeRange) -> Vec<Vec<(String, u64)>> {
    // Ids are as many as records.
    let is_counted = |field: &&FieldCount| field.kind != "id";
    let fields = || fields.iter().take(COUNTED);
    let wanted = fields().filter(is_counted).map(|field| (field.name.clone(), VALUES)).collect();
    let survey = Survey { signal: Signal::Logs, query: asked.query.clone(), range, fields: wanted, columns: None };
    let counted = store.survey_at(&store.moment(), survey).await.map(|counted| counted.values).unwrap_or_default();
    let mut counted = counted.into_iter().map(|found| found.map(|facets| facets.values).unwrap_or_default());
    fields().map(|field| Some(field).filter(is_counted).and_then(|_| counted.next()).unwrap_or_default()).collect()
}

/// Fields whose values are counted; the others are rarer.
const COUNTED: usize = 40;

/// Values of each.
const VALUES: usize = 4;
