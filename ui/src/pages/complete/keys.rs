//! Which fields the newest spans and records have. Counting them reads rows, so they are kept for a minute, and nobody waits for them twice.

use std::sync::Arc;

use parking_lot::Mutex;
use storage::{FieldCount, Signal, TimeRange, UnixNanos};

use crate::state::AppState;

/// The fields of spans and of log records, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: Mutex<[Option<Counted>; 2]>,
}

/// When they were asked for, and the answer.
type Counted = (UnixNanos, Arc<Vec<FieldCount>>);

/// The fields of what was received lately, the most frequent first; those of a minute ago while they are counted anew.
pub(super) async fn known(state: &AppState, signal: Signal) -> Arc<Vec<FieldCount>> {
    let now = state.now();
    let kept = {
        let mut known = state.keys().known.lock();
        let [spans, records] = &mut *known;
        let place = if signal == Signal::Logs { records } else { spans };
        place.as_mut().map(|(asked, fields)| {
            let is_old = now.since(*asked) >= MINUTE;
            if is_old {
                *asked = now;
            }
            (fields.clone(), is_old)
        })
    };
    match kept {
        None => ask(state, signal).await,
        Some((fields, is_old)) => {
            if is_old {
                let state = state.clone();
                // It ends by the time limit of questions.
                tokio::spawn(async move { ask(&state, signal).await });
            }
            fields
        }
    }
}

async fn ask(state: &AppState, signal: Signal) -> Arc<Vec<FieldCount>> {
    let now = state.now();
    let range = TimeRange { from: now.minus(LATELY), to: state.newest().max(now).plus(1) };
    let Ok(found) = state.store().fields(signal, "", range).await else { return Arc::default() };
    let fields = Arc::new(found.fields);
    let mut known = state.keys().known.lock();
    let [spans, records] = &mut *known;
    *(if signal == Signal::Logs { records } else { spans }) = Some((now, fields.clone()));
    fields
}

const MINUTE: u64 = 60_000_000_000;

/// How far back: an hour, of which the store looks at the newest rows up to its bound.
const LATELY: u64 = 60 * MINUTE;
