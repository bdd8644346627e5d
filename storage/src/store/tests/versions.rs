//! Spans that come again with other content: what came last counts, wherever the versions lie.

use super::*;
use crate::deletion::DeleteWhat;
use crate::query::{SqlQuery, TraceOrder, TraceSearch};

/// Spans of some numbers, at the same times as those of [`spans`].
fn named(numbers: impl Iterator<Item = u64>, name: &str) -> Bytes {
    let span = |number: u64| Span {
        trace_id: u128::from(number / 4 + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        start_time_unix_nano: NOW.get() + number,
        end_time_unix_nano: NOW.get() + number + 5,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: numbers.map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

/// How many spans of each name every way of asking finds.
async fn ask(store: &Store, expected: &[(&str, usize)]) {
    let sql = "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY name".to_owned();
    let answer = store.sql(SqlQuery { sql, max_rows: 100, timeout: Duration::from_secs(20) }).await.unwrap();
    let found: Vec<_> = answer.rows.iter().map(|row| (row["name"].as_str().unwrap(), row["n"].as_u64().unwrap())).collect();
    assert_eq!(found, expected.iter().map(|(name, n)| (*name, *n as u64)).collect::<Vec<_>>());
    let mut in_traces: BTreeMap<String, usize> = BTreeMap::new();
    for number in 1..30_u128 {
        let id = crate::model::TraceId::from_slice(&number.to_be_bytes()).unwrap();
        for span in store.trace(id).await.unwrap().into_iter().flat_map(|trace| trace.spans) {
            *in_traces.entry(span.name).or_default() += 1;
        }
    }
    assert_eq!(in_traces.iter().map(|(name, n)| (name.as_str(), *n)).collect::<Vec<_>>(), expected);
    for (name, n) in [("old", 0), ("new", 0)].into_iter().chain(expected.iter().copied()) {
        let search =
            TraceSearch { query: format!("name={name}"), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 100, cursor: None };
        let matched: usize = store.search_traces(search).await.unwrap().traces.iter().map(|trace| trace.matched).sum();
        let expected = expected.iter().find(|(known, _)| *known == name).map_or(n, |(_, n)| *n);
        assert_eq!(matched, expected, "{name}");
    }
    let services = store.services(TimeRange::ALL, 0).await.unwrap();
    let all: usize = expected.iter().map(|(_, n)| n).sum();
    assert_eq!(services.iter().map(|service| service.span_count).sum::<u64>(), all as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_last_counts_in_memory_in_segments_late_and_after_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // The first segment has the newest row, and what is in the second one came later.
    append(&store, Signal::Traces, named((0..8).chain([90]), "old")).await;
    store.flush().await.unwrap();
    append(&store, Signal::Traces, named(0..8, "new")).await;
    ask(&store, &[("new", 8), ("old", 1)]).await;
    store.flush().await.unwrap();
    ask(&store, &[("new", 8), ("old", 1)]).await;
    append(&store, Signal::Traces, named(0..2, "third")).await;
    ask(&store, &[("new", 6), ("old", 1), ("third", 2)]).await;
    let crashed = crash(dir.path());
    let again = open(crashed.path()).await;
    ask(&again, &[("new", 6), ("old", 1), ("third", 2)]).await;
    drop(again);
    store.flush().await.unwrap();
    store.inner.clock.set(AFTER_THE_BUCKET);
    wait_until(&store, |status| status.signals[0].level0_segments == 0).await;
    ask(&store, &[("new", 6), ("old", 1), ("third", 2)]).await;
    assert_eq!(contents(&store)[0].values().sum::<usize>(), 9, "older versions are not written again");
    // The day is over and its spans lie where they stay; then some of them come again.
    append(&store, Signal::Traces, named(20..24, "other")).await;
    store.flush().await.unwrap();
    wait_until(&store, |status| status.signals[0].level0_segments == 0).await;
    store.inner.clock.set(NOW.plus(25 * 3_600_000_000_000));
    wait_until(&store, |status| (status.signals[0].level1_segments, status.signals[0].level2_segments) == (0, 1)).await;
    append(&store, Signal::Traces, named(1..6, "late")).await;
    let expected = [("late", 5), ("new", 2), ("old", 1), ("other", 4), ("third", 1)];
    ask(&store, &expected).await;
    store.flush().await.unwrap();
    wait_until(&store, |status| status.signals[0].level0_segments == 0).await;
    ask(&store, &expected).await;
    store.close().await.unwrap();
    let store = open_with(config(dir.path())).await.unwrap();
    ask(&store, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_judges_the_last_version_and_takes_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, named(0..8, "old")).await;
    store.flush().await.unwrap();
    append(&store, Signal::Traces, named(0..4, "new")).await;
    let delete = async |name: &str| {
        let query = format!("name={name}");
        store.delete(DeleteWhat::Matching { signal: Signal::Traces, query, range: TimeRange::ALL }).await.unwrap()
    };
    // What is named so no more stays.
    assert_eq!(delete("old").await.spans, 4);
    ask(&store, &[("new", 4)]).await;
    append(&store, Signal::Traces, named(20..22, "other")).await;
    let receipt = delete("new").await;
    assert_eq!(receipt.spans, 8, "every version");
    ask(&store, &[("other", 2)]).await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let crashed = crash(dir.path());
        ask(&open(crashed.path()).await, &[("other", 2)]).await;
        if store.deletion(&receipt.id).unwrap().done.is_some() {
            return;
        }
    }
    panic!("it is never done");
}
