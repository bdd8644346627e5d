//! What lies ahead of the clock of this server, because the clocks of senders are fast. Pages whose window ends now do not show it, and say so.

use storage::{Signal, TimeRange};

use super::Visit;
use crate::view::format;
use crate::view::hints::Hint;

/// How much of it there is, and where it is shown; `None` for none.
pub(super) async fn told(visit: &Visit, signal: Signal) -> Option<Hint> {
    let (now, newest, links) = (visit.state.now(), visit.state.newest(), visit.links());
    let ahead = newest.since(now);
    if ahead == 0 {
        return None;
    }
    let range = TimeRange { from: now, to: newest.plus(1) };
    let counted = visit.state.store().histogram(signal, "", range, 1).await.ok()?;
    let count = counted.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add);
    let (path, (one, many)) =
        if signal == Signal::Logs { ("/logs", ("log record", "log records")) } else { ("/traces", ("span", "spans")) };
    let were = if count == 1 { "was" } else { "were" };
    let words = format!(
        "{} {were} received with times up to {} ahead: the clock of a sender is fast. Show what lies ahead",
        format::counted(count, one, many),
        format::duration(ahead)
    );
    let to = range.to.get().to_string();
    (count > 0).then(|| (words, links.plain(path).with("from", "now").with("to", &to).href()))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_lies_ahead_is_confirmed_and_found() {
        let app = App::empty().await;
        let mut sent = requests(&[(1, 0, 1, false)]);
        let span = &mut sent.resource_spans[0].scope_spans[0].spans[0];
        (span.start_time_unix_nano, span.end_time_unix_nano) =
            (span.start_time_unix_nano + 7_200_000_000_000, span.end_time_unix_nano + 7_200_000_000_000);
        app.append(Signal::Traces, sent.encode_to_vec()).await;
        let text = |answer: crate::harness::Answer| answer.text().replace(['\u{a0}', '\u{202f}'], " ");
        let start = text(app.get("/start").await);
        assert!(start.contains("checkout</span>") && start.contains("its clock is 2 h 00 min ahead of this one"), "{start}");
        for path in ["/", "/traces"] {
            let page = text(app.get(path).await);
            assert!(page.contains("1 span was received with times up to 2 h 00 min ahead"), "{path}: {page}");
            let way = page.split("href=\"").find(|rest| rest.contains("Show what lies ahead")).unwrap().split('"').next().unwrap();
            let shown = text(app.get(&way.replace("&#38;", "&")).await);
            assert!(shown.contains("1 trace with a span in this window"), "{way}: {shown}");
        }
        for path in ["/traces?from=0", "/services?from=0", "/services/checkout?from=0"] {
            assert!(text(app.get(path).await).contains("checkout"), "{path}");
        }
        assert!(text(app.get("/traces?from=0").await).contains("1 trace with a span in this window"));
        assert!(!text(app.get("/logs").await).contains("ahead"));
    }
}
