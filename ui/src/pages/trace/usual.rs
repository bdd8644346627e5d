//! How long spans of an operation usually take: what a trace is measured against.
//!
//! A page waits for this a moment only. What comes later is kept for the next page, which has it at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use storage::trace::{Sheet, Usual};
use storage::{OpenTrace, Operation, TimeRange, UnixNanos};

use super::Visit;

/// Operations by service and end of the day they were counted in.
#[derive(Debug, Default)]
pub(crate) struct Known {
    days: Mutex<HashMap<(String, u64), Answer>>,
}

/// `None` while it is asked for.
type Answer = Option<Arc<Vec<Operation>>>;

/// Of the operation of the main root. `None` when it is not known in time.
pub(super) async fn of_root(visit: &Visit, open: &OpenTrace) -> Option<Usual> {
    of(visit, open.sheet(), open.sheet().main_root()?).await
}

/// Of the operation of a span: the day up to the hour in which it began.
pub(super) async fn of(visit: &Visit, sheet: &Sheet, place: usize) -> Option<Usual> {
    let span = sheet.spans.get(place)?;
    let end = span.start.get() / HOUR * HOUR + HOUR;
    let operations = operations(visit, sheet.service(place), end).await?;
    let name = sheet.name(place);
    let operation = operations.iter().find(|operation| operation.name == name && operation.kind == span.kind.as_str())?;
    Some(Usual { count: operation.count, p50: operation.p50, p95: operation.p95, p99: operation.p99 })
}

async fn operations(visit: &Visit, service: &str, end: u64) -> Answer {
    // An hour that is not over yet is asked for anew every minute.
    let now = visit.state.now().get();
    let key = (service.to_owned(), if end > now { now / MINUTE * MINUTE } else { end });
    {
        let mut days = visit.state.usual().days.lock();
        if let Some(known) = days.get(&key) {
            return known.clone();
        }
        if days.len() >= MAX_DAYS {
            days.clear();
        }
        days.insert(key.clone(), None);
    }
    let (state, range) = (visit.state.clone(), TimeRange { from: UnixNanos::new(end.saturating_sub(DAY)), to: UnixNanos::new(end) });
    // It ends by the time limit of questions.
    let asked = tokio::spawn(async move {
        let answer = state.store().operations(&key.0, range).await.ok().map(Arc::new);
        let mut days = state.usual().days.lock();
        if answer.is_some() {
            days.insert(key, answer.clone());
        } else {
            days.remove(&key);
        }
        answer
    });
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?
}

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A finding is not worth a longer wait.
const PATIENCE: Duration = Duration::from_millis(80);

/// Services and days that are kept.
const MAX_DAYS: usize = 256;
