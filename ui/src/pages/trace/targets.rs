//! What the links of a span lead to: other traces and the spans in them, as far as they are stored.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, stream};
use storage::{SpanId, TimeRange, TraceId, TraceOrder, TraceSearch, TraceSummary};

use super::Visit;
use crate::view::trace::{LinkedSpan, PanelTab, Scene};

/// Asks for what the chosen span links to.
pub(super) async fn tell(visit: &Visit, scene: &mut Scene, chosen: usize) {
    let linked = linked(scene, chosen);
    scene.targets = traces(visit, &linked).await;
    let is_small = |trace: &&TraceSummary| trace.span_count <= MAX_SPANS;
    let small: BTreeSet<TraceId> =
        scene.targets.iter().flatten().filter_map(|(id, trace)| trace.as_ref().filter(is_small).map(|_| *id)).collect();
    let store = visit.state.store();
    let open = |id: TraceId| async move { (id, store.open_trace(id).await) };
    let mut opened = stream::iter(small.into_iter().take(MAX_TRACES)).map(open).buffer_unordered(AT_ONCE);
    while let Some((id, open)) = opened.next().await {
        // What cannot be read is told of by its trace alone.
        let Ok(Some(open)) = open else { continue };
        let sheet = open.sheet();
        for (trace, span) in linked.iter().filter(|(trace, _)| *trace == id) {
            let Some(span) = span else { continue };
            let found = sheet.place_of(*span).and_then(|place| {
                let brief = sheet.spans.get(place)?;
                let (service, name) = (sheet.service(place).to_owned(), sheet.name(place).to_owned());
                Some(LinkedSpan { service, name, start: brief.start, duration: brief.duration() })
            });
            scene.target_spans.insert((*trace, *span), found);
        }
    }
}

/// The other traces that those links of a span lead to which are shown, and the spans in them.
fn linked(scene: &Scene, chosen: usize) -> BTreeSet<(TraceId, Option<SpanId>)> {
    let links = scene.details.get(&chosen).map_or(&[][..], |span| span.links.as_slice());
    let first = Some(scene.wanted.first).filter(|first| scene.wanted.tab == Some(PanelTab::Links) && *first < links.len());
    let target = |link: &storage::Link| Some((TraceId::from_slice(&link.trace_id)?, SpanId::from_slice(&link.span_id)));
    links.iter().skip(first.unwrap_or(0)).take(MAX_LINKS).filter_map(target).filter(|(trace, _)| *trace != scene.sheet.id).collect()
}

/// These traces, all asked for at once. `None` when it cannot be said which are stored.
async fn traces(visit: &Visit, linked: &BTreeSet<(TraceId, Option<SpanId>)>) -> Option<HashMap<TraceId, Option<TraceSummary>>> {
    let ids: BTreeSet<TraceId> = linked.iter().map(|(trace, _)| *trace).collect();
    if ids.is_empty() {
        return None;
    }
    let query = format!("trace:{}", ids.iter().map(TraceId::to_string).collect::<Vec<_>>().join(","));
    let search = TraceSearch { query, range: TimeRange::ALL, order: TraceOrder::Newest, limit: MAX_LINKS, cursor: None };
    let found = visit.state.store().search_traces(search).await.ok()?;
    // A part that could not be read may hold the others.
    let is_whole = found.next.is_none() && found.stats.notes.is_empty();
    let mut targets: HashMap<TraceId, Option<TraceSummary>> = ids.into_iter().filter(|_| is_whole).map(|id| (id, None)).collect();
    targets.extend(found.traces.into_iter().map(|trace| (trace.trace_id, Some(trace))));
    Some(targets)
}

/// More links than a part of the detail shows: either all that are shown say what they lead to, or none.
const MAX_LINKS: usize = 70;

/// Traces that are opened to name spans of them, and how large those may be.
const MAX_TRACES: usize = 8;
const MAX_SPANS: usize = 20_000;

/// Traces that are opened at once.
const AT_ONCE: usize = 4;
