//! What was received lately with times before the window of a page, because the clocks of senders are behind or they send late.

use storage::{Arrival, Signal, TimeRange, UnixNanos};

use super::Visit;
use crate::view::format;
use crate::view::hints::Hint;

/// Who sent so, as far as it is what `query` asks for, and where it is shown: below `path`. `None` when nobody did.
pub(super) async fn told(visit: &Visit, (path, signal, query): (&str, Signal, &str), from: UnixNanos) -> Option<Hint> {
    let (now, links) = (visit.state.now(), visit.links());
    let mut found = visit.state.store().arrivals(now.minus(LATELY));
    found.retain(|arrival| arrival.signal == signal && arrival.newest < from && arrival.heard.since(arrival.newest) >= BEHIND);
    let range = around(&found)?;
    if !query.trim().is_empty() {
        // Nobody is blamed for what was not asked of them.
        let matching = visit.state.store().facets(signal, query, range, "service", MAX_SERVICES).await.ok()?.values;
        found.retain(|arrival| matching.iter().any(|(service, _)| *service == arrival.service));
    }
    let range = around(&found)?;
    let last = found.iter().max_by_key(|arrival| arrival.heard)?;
    let who = match found.len() {
        1 => format::line(&last.service, 60),
        many => format!("{} and {}", format::line(&last.service, 60), format::counted(many as u64 - 1, "other service", "other services")),
    };
    let words = format!(
        "{who} sent to this server in the last ten minutes, with times that were {} old: a clock may be behind. Show what was sent",
        format::duration(last.heard.since(last.newest))
    );
    let address = if path == "/" { links.plain(path) } else { links.plain(path).with("q", query) };
    Some((words, address.with("from", &range.from.get().to_string()).with("to", &range.to.get().to_string()).href()))
}

/// Where what was sent lies; `None` when nothing was.
fn around(found: &[Arrival]) -> Option<TimeRange> {
    let times = || found.iter().map(|arrival| arrival.newest);
    Some(TimeRange { from: times().min()?.minus(AROUND), to: times().max()?.plus(1) })
}

/// How far back senders are looked for.
pub(super) const LATELY: u64 = 600_000_000_000;

/// Exporters send in batches and again after failures: what is younger than this when it comes is on time.
pub(super) const BEHIND: u64 = 180_000_000_000;

/// How much before the times that were sent is shown with them.
const AROUND: u64 = 900_000_000_000;

/// Services that are asked whether they match.
const MAX_SERVICES: usize = 100;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sender_whose_clock_is_behind_is_confirmed_and_found() {
        for (age, told) in [(1_201, "20 min 00 s"), (7_201, "2 h 00 min")] {
            let app = App::empty().await;
            app.append(Signal::Traces, requests(&[(1, age, 1, false)]).encode_to_vec()).await;
            let text = |answer: crate::harness::Answer| answer.text().replace(['\u{a0}', '\u{202f}'], " ").replace("&#38;", "&");
            let start = text(app.get("/start").await);
            assert!(start.contains(&format!("with times that were {told} old: its clock may be behind")), "{start}");
            assert!(!start.contains("Nothing yet"), "{start}");
            let way = start.split("href=\"").find(|rest| rest.starts_with("/services/checkout")).unwrap().split('"').next().unwrap();
            assert!(!text(app.get(way).await).contains("Nothing was received"), "{way}");
            for path in ["/?from=now-15m", "/traces?from=now-15m"] {
                let page = text(app.get(path).await);
                assert!(page.contains("checkout sent to this server in the last ten minutes"), "{path}: {page}");
                let way = page.split("href=\"").find(|rest| rest.contains("Show what was sent")).unwrap().split('"').next().unwrap();
                assert!(text(app.get(way).await).contains("checkout"), "{way}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sender_is_not_blamed_for_what_was_not_asked_of_it() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 7_201, 1, false)]).encode_to_vec()).await;
        for (path, is_told) in [
            ("/traces?from=now-15m&q=service%3Acheckout", true),
            ("/traces?from=now-15m&q=root%3A%28service%3Acheckout%29", true),
            ("/traces?from=now-15m&q=service%3Apayment", false),
            ("/traces?from=now-15m&q=status%3Aerror", false),
            // It sent no log record.
            ("/logs?from=now-15m", false),
            ("/logs?from=now-15m&q=service%3Acheckout", false),
        ] {
            let page = app.get(path).await.text().replace("&#38;", "&");
            assert_eq!(page.contains("checkout sent to this server in the last ten minutes"), is_told, "{path}: {page}");
            if is_told {
                let way = page.split("href=\"").find(|rest| rest.contains("Show what was sent")).unwrap().split('"').next().unwrap();
                assert!(way.contains("q=") && app.get(way).await.text().contains("data-row"), "{path}: {way}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sender_that_is_on_time_is_not_suspected() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 60, 1, false)]).encode_to_vec()).await;
        assert!(!app.get("/start").await.text().contains("clock"));
        assert!(!app.get("/traces?q=nothing").await.text().contains("sent to this server"));
    }
}
