//! How long messages waited whose producers are in other traces: reads those that consumers of this one link to.

use std::collections::BTreeSet;

use storage::trace::{Sheet, insert_queued, queued, takers};
use storage::{OpenTrace, QueryError, TraceId};

use super::Visit;
use crate::view::trace::Scene;

/// Adds what there is to say of it to the findings.
pub(super) async fn tell(visit: &Visit, open: &OpenTrace, scene: &mut Scene) -> Result<(), QueryError> {
    let places = takers(&scene.sheet);
    if places.is_empty() {
        return Ok(());
    }
    let store = visit.state.store();
    let missing: Vec<usize> = places.iter().copied().filter(|place| !scene.details.contains_key(place)).collect();
    if !missing.is_empty() {
        scene.details.extend(store.trace_spans(open, missing).await?);
    }
    let links = places.iter().filter_map(|place| scene.details.get(place)).flat_map(|span| &span.links);
    let linked: BTreeSet<TraceId> =
        links.filter_map(|link| TraceId::from_slice(&link.trace_id)).filter(|id| *id != scene.sheet.id).collect();
    let mut others = Vec::new();
    for id in linked.into_iter().take(MAX_TRACES) {
        others.extend(store.open_trace(id).await?);
    }
    let sheets: Vec<&Sheet> = others.iter().map(|other| other.sheet().as_ref()).collect();
    if let Some(finding) = queued(&scene.sheet, &scene.details, &sheets) {
        insert_queued(&mut scene.findings, finding);
    }
    Ok(())
}

/// Traces that are opened for it.
const MAX_TRACES: usize = 8;
