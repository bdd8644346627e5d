//! The list that a trace was opened from, asked again as it was then.

use storage::{TraceId, UnixNanos};

use super::super::traces::{Asked, DEFAULT_WINDOW};
use super::Visit;
use crate::params::Params;
use crate::view::trace::{Neighbours, Wanted};

/// `None` without a list in the address, and when it cannot be asked.
pub(super) async fn of(visit: &Visit, id: TraceId, wanted: &Wanted) -> Option<Neighbours> {
    if wanted.list.is_empty() {
        return None;
    }
    let params = Params::parse(&wanted.list);
    let seen = params.get("seen").and_then(|seen| seen.parse().ok()).map_or(visit.state.now(), UnixNanos::new);
    let asked = Asked::read(&params, params.window(seen, DEFAULT_WINDOW).ok()?.range).ok()?;
    // One more says whether the list goes on, and where.
    let found = visit.state.store().search_traces(asked.search(asked.limit + 1)).await.ok()?;
    Some(Neighbours::new(&wanted.list, &asked.search(asked.limit), &found.traces, id, wanted.view, &visit.links()))
}
