//! Where the nearest spans or log records are that a query finds, when a window holds none of them.
//!
//! Owns how long is looked for them: all that is kept lies before a window, and a reader waits.

use std::time::Duration;

use storage::{LogOrder, LogSearch, Signal, Store, TimeRange, TraceOrder, TraceSearch, UnixNanos};

use super::Visit;
use crate::view::format;
use crate::view::hints::Hint;

/// The last one before a window and the first one after it, with windows around them; nothing of what is not found in time.
pub(super) async fn told(visit: &Visit, signal: Signal, query: &str, range: TimeRange) -> Vec<Hint> {
    around(visit, signal, query, range, &|visit, query| {
        let links = visit.links();
        if signal == Signal::Logs { links.logs(query) } else { links.traces(query) }
    })
    .await
}

/// As [`told`], of everything that a service sent, leading to its own page.
pub(super) async fn of_service(visit: &Visit, name: &str, range: TimeRange) -> Vec<Hint> {
    let query = crate::view::link::term("service", name);
    for signal in [Signal::Traces, Signal::Logs] {
        let told = around(visit, signal, &query, range, &|visit, _| visit.links().service(name)).await;
        if !told.is_empty() {
            return told;
        }
    }
    Vec::new()
}

type Page<'a> = &'a (dyn Fn(&Visit, &str) -> crate::view::link::Address + Sync);

async fn around(visit: &Visit, signal: Signal, query: &str, range: TimeRange, page: Page<'_>) -> Vec<Hint> {
    let (store, clock) = (visit.state.store(), visit.clock());
    // What has not been is not looked for: times that lie ahead are told elsewhere.
    let after = TimeRange { from: range.to, to: clock.now().max(range.to) };
    let before = TimeRange { from: UnixNanos::new(0), to: range.from };
    let asked =
        |range, is_newest| async move { tokio::time::timeout(PATIENCE, one(store, signal, query, range, is_newest)).await.ok().flatten() };
    let (last, first) = tokio::join!(asked(before, true), asked(after, false));
    let what = if signal == Signal::Logs { "record" } else { "span" };
    let half = range.to.since(range.from).clamp(LEAST, MOST) / 2;
    let hint = |time: UnixNanos, words: String| {
        let window = page(visit, query).with("from", &time.minus(half).get().to_string());
        (format!("{words}: {}", clock.second(time)), window.with("to", &time.plus(half).get().to_string()).href())
    };
    let last =
        last.map(|time| hint(time, format!("The last {what} before this window is {} older", format::duration(range.from.since(time)))));
    let first =
        first.map(|time| hint(time, format!("The first {what} after this window came {} later", format::duration(time.since(range.to)))));
    last.into_iter().chain(first).collect()
}

/// When the newest or the oldest one of a window began.
async fn one(store: &Store, signal: Signal, query: &str, range: TimeRange, is_newest: bool) -> Option<UnixNanos> {
    if range.to.since(range.from) < LEAST {
        return None;
    }
    let query = query.to_owned();
    if signal == Signal::Logs {
        let order = if is_newest { LogOrder::Newest } else { LogOrder::Oldest };
        let found = store.search_logs(LogSearch { query, range, order, limit: 1, cursor: None }).await.ok()?;
        return found.records.first().map(|record| record.time);
    }
    let order = if is_newest { TraceOrder::Newest } else { TraceOrder::Oldest };
    let found = store.search_traces(TraceSearch { query, range, order, limit: 1, cursor: None }).await.ok()?;
    found.traces.first().map(|trace| UnixNanos::new(trace.key))
}

/// The list says that it found nothing either way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much is shown around what was found: as much as was asked for, from a minute to an hour.
const LEAST: u64 = 60_000_000_000;
const MOST: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_window_leads_to_what_is_nearest() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 7_200, 1, false), (2, 60, 1, false)]).encode_to_vec()).await;
        for (path, list) in [
            ("/traces?q=service%3Acheckout&from=now-1h&to=now-30m", "/traces?q=service%3Acheckout&from="),
            ("/services/checkout?from=now-1h&to=now-30m", "/services/checkout?from="),
        ] {
            let page = app.get(path).await.text().replace(['\u{a0}', '\u{202f}'], " ").replace("&#38;", "&");
            for words in
                ["The last span before this window is 1 h 00 min older: ", "The first span after this window came 29 min 00 s later: "]
            {
                let found = page
                    .split("<a href=\"")
                    .find(|link| link.contains(&format!("\">{words}")))
                    .unwrap_or_else(|| panic!("{path}: {words}: {page}"));
                let way = found.split('"').next().unwrap();
                assert!(way.starts_with(list), "{way}");
                assert!(app.get(way).await.text().contains("data-row"), "{way}");
            }
        }
        let page = app.get("/traces?q=name%3Anothing&from=now-1h&to=now-30m").await.text();
        assert!(!page.contains("this window is") && !page.contains("this window came"), "{page}");
    }
}
