//! What the list of services may be narrowed by: namespaces and environments. Counting them reads rows, and they hardly change, so they are
//! kept: a page waits for them once per window, later ones get what is known while it is asked for anew.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::{Facets, QueryError, Signal, Survey, TimeRange, UnixNanos};

use super::part::FIELDS;
use crate::state::AppState;

/// Values by window.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    known: Mutex<HashMap<Key, Known>>,
}

/// The length of a window in minutes, and when it ends; 0 stands for a window up to the present, which moves with it.
type Key = (u64, u64);

/// The values of each of [`FIELDS`], the most frequent first.
type Values = [Vec<String>; 2];

#[derive(Debug)]
struct Known {
    values: Arc<Values>,
    asked: UnixNanos,
}

/// The values of a window, at most a minute and one page old.
pub(super) async fn offered(state: &AppState, range: TimeRange) -> Arc<Values> {
    let now = state.now();
    let key = key(range, now);
    let kept = state.offered().known.lock().get_mut(&key).map(|known| {
        let is_old = now.since(known.asked) >= MINUTE;
        if is_old {
            known.asked = now;
        }
        (known.values.clone(), is_old)
    });
    match kept {
        None => ask(state, range, key).await,
        Some((values, false)) => values,
        Some((values, true)) => {
            let state = state.clone();
            // It ends by the time limit of questions.
            tokio::spawn(async move { ask(&state, range, key).await });
            values
        }
    }
}

async fn ask(state: &AppState, range: TimeRange, key: Key) -> Arc<Values> {
    let fields = FIELDS.map(|(_, _, field)| (field.to_owned(), MOST)).to_vec();
    let survey = Survey { signal: Signal::Traces, query: String::new(), range, fields, columns: None };
    let store = state.store();
    let counted = store.survey_at(&store.moment(), survey).await.map(|counted| counted.values).unwrap_or_default();
    let values = |found: Result<Facets, QueryError>| found.map(|facets| facets.values.into_iter().map(|(value, _)| value).collect());
    let mut counted = counted.into_iter().map(|found| values(found).unwrap_or_default());
    let values: Arc<Values> = Arc::new(FIELDS.map(|_| counted.next().unwrap_or_default()));
    let mut known = state.offered().known.lock();
    if known.len() >= MAX_WINDOWS && !known.contains_key(&key) {
        known.clear();
    }
    known.insert(key, Known { values: values.clone(), asked: state.now() });
    values
}

fn key(range: TimeRange, now: UnixNanos) -> Key {
    let is_moving = now.since(range.to) < MINUTE && range.to <= now;
    // A window that moves begins with a whole minute.
    (range.to.since(range.from) / MINUTE, if is_moving { 0 } else { range.to.get() })
}

const MINUTE: u64 = 60_000_000_000;

/// Values that are offered of each field.
const MOST: usize = 12;

/// Windows that are kept.
const MAX_WINDOWS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_end_now_share_what_is_known() {
        let at = |minutes: u64| UnixNanos::new(minutes * MINUTE);
        let window = |from, to| TimeRange { from: at(from), to: at(to) };
        assert_eq!(key(window(40, 100), at(100)), key(window(41, 101), at(101)));
        assert_ne!(key(window(40, 100), at(100)), key(window(0, 100), at(100)), "another length");
        assert_ne!(key(window(40, 100), at(200)), key(window(41, 101), at(200)), "windows that are over");
    }
}
