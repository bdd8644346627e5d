//! How long spans of an operation usually take: what a trace is measured against.

use std::time::Duration;

use storage::trace::{Sheet, Usual};
use storage::{OpenTrace, TimeRange};

use super::Visit;

/// Of the operation of the main root. `None` when it is not known in time: the page does not wait for it.
pub(super) async fn of_root(visit: &Visit, open: &OpenTrace) -> Option<Usual> {
    of(visit, open.sheet(), open.sheet().main_root()?).await
}

/// Of the operation of a span: the day up to it.
pub(super) async fn of(visit: &Visit, sheet: &Sheet, place: usize) -> Option<Usual> {
    let span = sheet.spans.get(place)?;
    // Whole hours, so that traces of the same hour share an answer.
    let end = span.start.get().saturating_add(HOUR) / HOUR * HOUR;
    let range = TimeRange { from: storage::UnixNanos::new(end.saturating_sub(DAY)), to: storage::UnixNanos::new(end) };
    let asked = visit.state.store().operations(sheet.service(place), range);
    let operations = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    let name = sheet.name(place);
    let operation = operations.iter().find(|operation| operation.name == name && operation.kind == span.kind.as_str())?;
    Some(Usual { count: operation.count, p50: operation.p50, p95: operation.p95, p99: operation.p99 })
}

const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;

/// A finding is not worth a longer wait.
const PATIENCE: Duration = Duration::from_millis(250);
