//! Where *All time* begins: with what is stored, but not with a few rows whose clock was decades off.
//!
//! Owns when rows are so few and so far before all others that an axis should not begin with them. They are counted and said, never hidden; what
//! it costs to look is paid once in a while, because the begin of a store moves slowly. See `docs/adr/097`.

use parking_lot::Mutex;
use storage::{Signal, TimeRange, UnixNanos};

use crate::state::AppState;
use crate::view::format::{self, Clockface};

/// The first minute that all time shows, and the spans and log records before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) at: UnixNanos,
    pub(crate) left_out: [u64; 2],
}

/// What was found last.
#[derive(Debug, Default)]
pub(crate) struct Known {
    last: Mutex<Option<Found>>,
}

/// The oldest time stored and the time when it was looked at, and what was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    oldest: UnixNanos,
    asked: UnixNanos,
    begin: Begin,
}

/// Where all time begins now; nothing in an empty store.
pub(crate) async fn of(state: &AppState) -> Option<Begin> {
    let oldest = state.store().status().signals.iter().filter_map(|signal| signal.time).map(|(oldest, _)| oldest).min()?;
    let now = state.now();
    let whole = Begin { at: minute(oldest), left_out: [0, 0] };
    if now.since(oldest) < FAR {
        return Some(whole);
    }
    let last = *state.begin().last.lock();
    if let Some(last) = last.filter(|last| last.oldest == oldest && now.since(last.asked) < LASTING) {
        return Some(last.begin);
    }
    // What cannot be counted is shown as it is.
    let begin = found(state, oldest).await.unwrap_or(whole);
    *state.begin().last.lock() = Some(Found { oldest, asked: now, begin });
    Some(begin)
}

/// Counts in ever narrower parts, until the begin is known to ten minutes.
async fn found(state: &AppState, oldest: UnixNanos) -> Option<Begin> {
    let end = state.now().max(state.newest()).plus(1);
    let (mut from, mut left_out) = (minute(oldest), [0, 0]);
    let mut all = None;
    for _ in 0..ROUNDS {
        let step = end.since(from).div_ceil(PARTS).div_ceil(MINUTE).max(1) * MINUTE;
        let count = end.since(from).div_ceil(step);
        let range = TimeRange { from, to: from.plus(step.saturating_mul(count)) };
        let [spans, logs] = [counts(state, Signal::Traces, range, count).await?, counts(state, Signal::Logs, range, count).await?];
        let parts: Vec<[u64; 2]> = spans.into_iter().zip(logs).map(|(spans, logs)| [spans, logs]).collect();
        let sum = |parts: &[[u64; 2]]| parts.iter().fold([0, 0], |[spans, logs], part| [spans + part[0], logs + part[1]]);
        let total = *all.get_or_insert_with(|| sum(&parts).iter().sum::<u64>());
        let is_filled = |part: usize| parts.get(part).is_some_and(|part| *part != [0, 0]);
        let mut begin = None;
        let mut before = None;
        for part in (0..parts.len()).filter(|part| is_filled(*part)) {
            let [spans, logs] = sum(parts.get(..part)?);
            let strays = [left_out[0] + spans, left_out[1] + logs];
            let gap = before.map_or(0, |before: usize| (part - before - 1) as u64 * step);
            if begin.is_none() || (gap >= FAR && is_few(strays.iter().sum(), total)) {
                begin = Some((part, strays));
            }
            before = Some(part);
        }
        let (part, strays) = begin?;
        (from, left_out) = (from.plus(step * part as u64), strays);
        if step <= 10 * MINUTE {
            break;
        }
    }
    Some(Begin { at: from, left_out })
}

/// Whether so many rows of all may be left out of an axis.
fn is_few(rows: u64, all: u64) -> bool {
    rows <= all / 1_000 || (rows <= 20 && rows <= all / 20)
}

async fn counts(state: &AppState, signal: Signal, range: TimeRange, parts: u64) -> Option<Vec<u64>> {
    let counted = state.store().histogram(signal, "", range, usize::try_from(parts).ok()?).await.ok()?;
    Some(counted.buckets.iter().map(|bucket| bucket.counts.iter().sum()).collect())
}

fn minute(time: UnixNanos) -> UnixNanos {
    time.minus(time.get() % MINUTE)
}

// === impl Begin ===

impl Begin {
    /// `2 spans before 2026-11-26 11:00:00 are not shown.`
    pub(crate) fn said(&self, clock: &Clockface) -> String {
        let [spans, logs] = self.left_out;
        let said = [(spans, "span", "spans"), (logs, "log record", "log records")];
        let said: Vec<String> = said.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| format::counted(n, one, more)).collect();
        let are = if spans + logs == 1 { "is" } else { "are" };
        format!("{} before {} {are} not shown.", said.join(" and "), clock.second(self.at))
    }
}

const MINUTE: u64 = 60_000_000_000;

/// What lies nearer to the rest, or to now, is no stray: thirty days.
const FAR: u64 = 30 * 24 * 60 * MINUTE;

/// How long a begin is taken as known: a minute.
const LASTING: u64 = MINUTE;

/// In which a stretch is counted.
const PARTS: u64 = 500;

/// Of counting: 60 years take three.
const ROUNDS: usize = 5;

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::{App, NOW, requests};

    const DAY: u64 = 86_400;

    #[tokio::test(flavor = "multi_thread")]
    async fn all_time_begins_with_what_is_stored_and_tells_of_a_span_of_long_ago() {
        let app = App::empty().await;
        let near: Vec<(u8, u64, u64, bool)> = (1..=40).map(|number| (number, u64::from(number) * 60, 1, false)).collect();
        app.append(Signal::Traces, requests(&near).encode_to_vec()).await;
        // Forty minutes, and not decades.
        let is_fine = |page: &str| ["minute", "2 min"].iter().any(|part| page.contains(&format!("Requests to all services per {part}: ")));
        let page = app.get("/?from=0").await.text().replace(['\u{a0}', '\u{202f}'], " ");
        assert!(!page.contains("not shown"), "{page}");
        assert!(is_fine(&page) && page.contains("All time"), "{page}");
        assert!(is_fine(&app.get("/?from=0&to=now").await.text().replace(['\u{a0}', '\u{202f}'], " ")), "the same with its end written");
        app.append(Signal::Traces, requests(&[(100, 9_000 * DAY, 1, false)]).encode_to_vec()).await;
        let page = app.get("/?from=0").await.text().replace(['\u{a0}', '\u{202f}'], " ");
        assert!(page.contains("1 span before ") && page.contains(" is not shown."), "{page}");
        assert!(is_fine(&page), "{page}");
        let href = page.split(" is not shown. <a href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().replace("&#38;", "&");
        let at = href.strip_prefix("/?from=0&to=").and_then(|to| to.parse::<u64>().ok()).unwrap();
        assert!(at <= NOW - 2_400_000_000_000 && at > NOW - 3_700_000_000_000, "{href}");
        assert!(!app.get(&href).await.text().contains("not shown"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_rows_or_rows_without_a_gap_are_no_strays() {
        let app = App::empty().await;
        // As many before the gap as behind it.
        let rows: Vec<(u8, u64, u64, bool)> = (1..=10).flat_map(|n| [(n, 60, 1, false), (n + 10, 400 * DAY, 1, false)]).collect();
        app.append(Signal::Traces, requests(&rows).encode_to_vec()).await;
        assert!(!app.get("/?from=0").await.text().contains("not shown"));
        let steady = App::empty().await;
        let rows: Vec<(u8, u64, u64, bool)> =
            (1..=100).map(|n| (n, if n < 60 { 60 } else { u64::from(n - 59) * 10 * DAY }, 1, false)).collect();
        steady.append(Signal::Traces, requests(&rows).encode_to_vec()).await;
        assert!(!steady.get("/?from=0").await.text().contains("not shown"));
    }
}
