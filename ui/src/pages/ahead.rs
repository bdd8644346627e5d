//! What lies ahead of the clock of this server, because the clocks of senders are fast. Pages whose window ends now do not show it, and say so.

use storage::{Signal, TimeRange, UnixNanos};

use super::Visit;
use crate::state::AppState;
use crate::view::format;
use crate::view::hints::Hint;

/// Spans and log records that all time leaves out because they are ahead, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    counts: [u64; 2],
    pub(super) range: TimeRange,
}

/// Where all time ends: now, or with the newest row where clocks are hardly fast.
pub(super) fn end(now: UnixNanos, newest: UnixNanos) -> UnixNanos {
    if newest.since(now) <= HARDLY { now.max(newest.plus(1)) } else { now }
}

/// What all time leaves out at its end; `None` for nothing.
pub(super) async fn of(state: &AppState) -> Option<Ahead> {
    let (now, newest) = (state.now(), state.newest());
    if end(now, newest) > newest {
        return None;
    }
    let range = TimeRange { from: now, to: newest.plus(1) };
    let counts = [count(state, Signal::Traces, range).await?, count(state, Signal::Logs, range).await?];
    (counts != [0, 0]).then_some(Ahead { counts, range })
}

async fn count(state: &AppState, signal: Signal, range: TimeRange) -> Option<u64> {
    let counted = state.store().histogram(signal, "", range, 1).await.ok()?;
    Some(counted.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add))
}

// === impl Ahead ===

impl Ahead {
    /// `1 span is up to 2 h 00 min ahead of now and not shown: the clock of a sender is fast.`
    pub(super) fn said(&self) -> String {
        let Self { counts: [spans, logs], range } = self;
        let said = [(*spans, "span", "spans"), (*logs, "log record", "log records")];
        let said: Vec<String> = said.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| format::counted(n, one, more)).collect();
        let are = if spans + logs == 1 { "is" } else { "are" };
        let far = format::duration(range.to.since(range.from));
        format!("{} {are} up to {far} ahead of now and not shown: the clock of a sender is fast.", said.join(" and "))
    }
}

/// How much of it there is, and where it is shown; `None` for none.
pub(super) async fn told(visit: &Visit, signal: Signal) -> Option<Hint> {
    let (now, newest, links) = (visit.state.now(), visit.state.newest(), visit.links());
    let ahead = newest.since(now);
    if ahead == 0 {
        return None;
    }
    let range = TimeRange { from: now, to: newest.plus(1) };
    let count = count(&visit.state, signal, range).await?;
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

/// What is this little ahead is shown with all time: clocks are never quite alike. A minute.
const HARDLY: u64 = 60_000_000_000;

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
        assert!(!text(app.get("/logs").await).contains("ahead"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_time_ends_now_and_tells_of_a_span_of_tomorrow() {
        let app = App::empty().await;
        let text = |answer: crate::harness::Answer| answer.text().replace(['\u{a0}', '\u{202f}'], " ").replace("&#38;", "&");
        let of = |number: u8, seconds_ahead: u64| {
            let mut sent = requests(&[(number, 0, 1, false)]);
            let span = &mut sent.resource_spans[0].scope_spans[0].spans[0];
            (span.start_time_unix_nano, span.end_time_unix_nano) =
                (span.start_time_unix_nano + seconds_ahead * 1_000_000_000, span.end_time_unix_nano + seconds_ahead * 1_000_000_000);
            sent.encode_to_vec()
        };
        app.append(Signal::Traces, of(1, 20)).await;
        let page = text(app.get("/traces?from=0").await);
        assert!(page.contains("1 trace with a span in this window") && !page.contains("ahead of now"), "hardly fast: {page}");
        app.append(Signal::Traces, of(2, 86_400)).await;
        for path in ["/traces?from=0", "/traces?from=0&to=now", "/services/checkout?from=0", "/?from=0", "/logs?from=0"] {
            let page = text(app.get(path).await);
            assert!(page.contains("2 spans are up to 24 h 00 min ahead of now and not shown"), "{path}: {page}");
            let way = page.split("the clock of a sender is fast. <a href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let shown = text(app.get(way).await);
            assert!(!shown.contains("ahead of now"), "{way}: {shown}");
            assert!(path == "/logs?from=0" || shown.contains("checkout"), "{way}: {shown}");
        }
    }
}
