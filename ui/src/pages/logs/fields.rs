//! The fields of what a search finds, and the values of those that most records have.

use futures::StreamExt as _;
use storage::{FieldCount, QueryError, Signal, TimeRange};

use super::super::traces::AT_ONCE;
use super::{Asked, Logs, MAX_COLUMNS, View, Visit};
use crate::view::{fields, format};

pub(super) async fn fill(page: &mut Logs, visit: &Visit, asked: &Asked, range: TimeRange) -> Result<(), QueryError> {
    let store = visit.state.store();
    let found = store.fields(Signal::Logs, &asked.query, range).await?;
    let values = |field: FieldCount| async move {
        // Ids are as many as records.
        if field.kind == "id" {
            return Vec::new();
        }
        let counted = store.facets(Signal::Logs, &asked.query, range, &field.name, VALUES).await;
        counted.map(|counted| counted.values).unwrap_or_default()
    };
    let wanted: Vec<_> = found.fields.iter().take(COUNTED).cloned().map(values).collect();
    let values: Vec<_> = futures::stream::iter(wanted).buffered(AT_ONCE).collect().await;
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

/// Fields whose values are counted; the others are rarer.
const COUNTED: usize = 40;

/// Values of each.
const VALUES: usize = 4;
