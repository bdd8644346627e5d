//! Which condition of a search left nothing: how much each of them took away, or which find nothing by themselves.
//!
//! Owns how much is asked for it: a few counts of the same window, and no longer than a reader waits.

use std::time::Duration;

use storage::{Signal, Store, TimeRange, TraceOrder, TraceSearch};

use super::Visit;
use crate::view::conditions::{Found, alone, barren, conditions, removed, without};
use crate::view::hints::Hint;

/// What is said of the conditions of a query that found nothing; nothing of a query with one, with alternatives, or with very many.
pub(super) async fn told(visit: &Visit, signal: Signal, query: &str, range: TimeRange) -> Vec<Hint> {
    let store = visit.state.store();
    let Some(conditions) = conditions(query).filter(|found| (2..=MOST).contains(&found.len())) else { return Vec::new() };
    if conditions.iter().any(|condition| store.check_query(signal, condition).is_err()) {
        return Vec::new();
    }
    let mut told = Vec::new();
    // What is known when the time is over is said.
    let _ = tokio::time::timeout(PATIENCE, ask(visit, signal, (&conditions, range), &mut told)).await;
    told
}

async fn ask(visit: &Visit, signal: Signal, (conditions, range): (&[&str], TimeRange), told: &mut Vec<Hint>) {
    let (store, links) = (visit.state.store(), visit.links());
    for (place, condition) in conditions.iter().enumerate() {
        let rest = without(conditions, place);
        let Some(found) = count(store, signal, &rest, range).await else { return };
        if found.is_some() {
            told.push(removed(signal, condition, (&rest, found), &links));
        }
    }
    if !told.is_empty() || conditions.len() == 2 {
        return;
    }
    let (mut some, mut none) = (Vec::new(), Vec::new());
    for condition in conditions {
        match count(store, signal, condition, range).await {
            Some(found) if found.is_some() => some.push((*condition, found)),
            Some(_) => none.push(*condition),
            None => return,
        }
    }
    let rest: Vec<&str> = some.iter().map(|(condition, _)| *condition).collect();
    if none.is_empty() {
        told.extend(some.iter().map(|(condition, found)| alone(signal, condition, *found, &links)));
    } else if !rest.is_empty() {
        told.push(barren(signal, &none, &rest.join(" "), &links));
    }
}

/// What a query finds in a window; `None` when that is not known.
async fn count(store: &Store, signal: Signal, query: &str, range: TimeRange) -> Option<Found> {
    if signal == Signal::Traces && store.asks_for_whole_traces(query) {
        let search = TraceSearch { query: query.to_owned(), range, order: TraceOrder::Newest, limit: 1, cursor: None };
        return store.search_traces(search).await.ok().map(|page| Found::Traces(!page.traces.is_empty()));
    }
    let counted = store.histogram(signal, query, range, 1).await.ok()?;
    Some(Found::Rows(counted.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add)))
}

/// Conditions that are looked at.
const MOST: usize = 6;

/// The list says that it found nothing either way.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_list_says_how_much_each_condition_took_away() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 60, 1, false), (2, 50, 1, true)]).encode_to_vec()).await;
        let text = async |path: &str| app.get(path).await.text().replace('\u{a0}', " ").replace("&#62;", ">").replace("&#38;", "&");
        let page = text("/traces?q=service%3Acheckout+status%3Aerror+duration%3E1h").await;
        assert!(page.contains(">Without “duration>1h” 1 span matches<"), "{page}");
        assert!(page.contains("href=\"/traces?q=service%3Acheckout%20status%3Aerror\""), "{page}");
        assert!(!page.contains("Without “status:error”"), "without it there is nothing either: {page}");
        let page = text("/traces?q=duration%3E1h+name%3Anothing+status%3Aerror").await;
        assert!(page.contains(">No span of this window matches “duration>1h”, and none “name:nothing”: search without<"), "{page}");
        for query in ["duration%3E1h", "duration%3E1h+OR+name%3Anothing", "status%3Aerror"] {
            let page = text(&format!("/traces?q={query}")).await;
            assert!(!page.contains("Without “") && !page.contains("matches “"), "{query}: {page}");
        }
        let whole = text("/traces?q=root%3A(service%3Acheckout)+duration%3E1h").await;
        assert!(whole.contains(">Without “duration>1h” there are traces that match<"), "{whole}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_list_of_logs_does_so_too() {
        let app = App::filled().await;
        let all = app.get("/logs?from=0").await.text();
        assert!(all.contains("data-row"), "{all}");
        let page = app.get("/logs?from=0&q=severity%3E%3Dtrace+zebra").await.text().replace('\u{a0}', " ");
        assert!(page.contains("Without “zebra” ") && page.contains(" match"), "{page}");
    }
}
