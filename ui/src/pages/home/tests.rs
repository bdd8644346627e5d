//! Which traces Home looks at.

use prost::Message as _;

use super::*;
use crate::harness::{App, NOW, requests};

/// Requests of one name, the numbers of their traces from `first` on, one a second, the newest `age` seconds ago.
async fn sent(app: &App, (first, count): (u8, u8), name: &str, (age, length): (u64, u64), is_failed: bool) {
    let all: Vec<(u8, u64, u64, bool)> = (0..count).map(|n| (first + n, age + u64::from(n), length, is_failed)).collect();
    let mut sent = requests(&all);
    sent.resource_spans[0].scope_spans[0].spans.iter_mut().for_each(|span| span.name = name.to_owned());
    app.append(Signal::Traces, sent.encode_to_vec()).await;
}

fn hour() -> TimeRange {
    TimeRange { from: UnixNanos::new(NOW - 3_600_000_000_000), to: UnixNanos::new(NOW) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slowest_of_another_kind_is_found_behind_many_of_one() {
    let app = App::empty().await;
    sent(&app, (1, 60), "POST /slow", (200, 9), false).await;
    sent(&app, (100, 3), "GET /less", (400, 2), false).await;
    sent(&app, (110, 3), "GET /quick", (500, 1), false).await;
    let found = one_of_each(slowest(app.store(), hour()).await, LISTED);
    let names: Vec<&str> = found.iter().map(|(trace, _)| trace.root_name.as_str()).collect();
    assert_eq!(names, ["POST /slow", "POST /slow", "POST /slow", "GET /less", "GET /quick"]);
    let all = slowest(app.store(), hour()).await;
    let mut ids: Vec<_> = all.iter().map(|trace| trace.trace_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all.len()), (56, 56), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_looked_at_that_more_than_the_newest_failures_came_after() {
    let app = App::empty().await;
    sent(&app, (1, 120), "POST /often", (10, 1), true).await;
    sent(&app, (200, 5), "POST /outage", (2_400, 1), true).await;
    let found = failing(app.store(), hour()).await;
    let of = |name: &str| found.iter().filter(|trace| trace.root_name == name).count();
    assert_eq!((of("POST /outage"), found.len()), (5, 100 + 20 + 5));
}
