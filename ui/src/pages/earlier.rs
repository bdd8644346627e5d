//! The window before: as long as the window of a page, and compared with it only where it holds data throughout.
//!
//! Owns when a comparison is honest. A store that began to receive a moment ago would otherwise find everything new and everything grown.

use storage::{Histogram, Signal, Store, TimeRange, UnixNanos};

use crate::params::Window;
use crate::view::format::{self, Clockface};

/// The window before that of a page.
pub(super) fn before(range: TimeRange) -> TimeRange {
    TimeRange { from: range.from.minus(range.to.since(range.from)), to: range.from }
}

/// Why nothing should be compared with the window before; `None` when it holds data throughout, or when that is not known.
pub(super) async fn gap(store: &Store, signal: Signal, earlier: TimeRange, clock: &Clockface) -> Option<String> {
    // Parts of whole minutes are counted without reading rows.
    let from = earlier.from.minus(earlier.from.get() % MINUTE);
    let window = Window { range: TimeRange { from, ..earlier }, from: String::new(), to: String::new() };
    let (parted, parts) = window.parts(PARTS);
    let counted = store.histogram(signal, "", parted, parts).await.ok()?;
    let filled = filled(&counted);
    if filled * 4 >= parts * 3 {
        return None;
    }
    let begin = store.status().signals.iter().filter_map(|signal| signal.time.map(|(oldest, _)| oldest)).min();
    Some(sentence(earlier, (filled, parts), begin, clock))
}

/// Two parts of the time since data begins: its first quarter, and the later half of the window or of what is in it. What takes longer than at
/// first is seen there as well, for as long as it does. `None` where they would be too short.
pub(super) fn parts(store: &Store, range: TimeRange) -> Option<[TimeRange; 2]> {
    let begin = store.status().signals.iter().filter_map(|signal| signal.time.map(|(oldest, _)| oldest)).min()?;
    let from = begin.max(before(range).from);
    let from = from.minus(from.get() % MINUTE);
    let minutes = range.to.since(from) / MINUTE;
    let first = TimeRange { from, to: from.plus(minutes.div_ceil(4) * MINUTE) };
    let middle = range.to.minus(range.to.since(range.from.max(from)) / 2);
    let later = TimeRange { from: middle.minus(middle.get() % MINUTE), to: range.to };
    (minutes >= FEWEST && first.to <= later.from).then_some([first, later])
}

fn filled(counted: &Histogram) -> usize {
    counted.buckets.iter().filter(|bucket| bucket.counts.iter().any(|count| *count > 0)).count()
}

fn sentence(earlier: TimeRange, (filled, parts): (usize, usize), begin: Option<UnixNanos>, clock: &Clockface) -> String {
    let why = match begin.filter(|begin| *begin > earlier.from) {
        Some(begin) => format!("the data begins at {}", clock.second(begin)),
        None if filled == 0 => "it holds nothing".to_owned(),
        None => format!("data came in only in {} of it", format::percent(filled as u64, parts as u64)),
    };
    format!("Nothing is compared with the window before ({}): {why}.", clock.range(earlier))
}

const MINUTE: u64 = 60_000_000_000;

/// So many minutes are parted.
const FEWEST: u64 = 6;

/// Parts in which the window before is looked at; three quarters of them must hold something.
const PARTS: usize = 8;

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::{App, NOW, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_compared_within_a_window_is_the_first_quarter_of_what_there_is_and_the_later_half() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 40 * 60, 1, false)]).encode_to_vec()).await;
        let ago = |minutes: u64| UnixNanos::new(NOW / MINUTE * MINUTE - minutes * MINUTE);
        let within = |minutes: u64| parts(app.store(), TimeRange { from: ago(minutes), to: ago(0) });
        let first = TimeRange { from: ago(40), to: ago(30) };
        assert_eq!(within(60), Some([first, TimeRange { from: ago(20), to: ago(0) }]));
        assert_eq!(within(30), Some([first, TimeRange { from: ago(15), to: ago(0) }]), "data begins in the window before");
        assert_eq!(within(2), None, "too short");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_window_that_data_begins_in_is_not_compared() {
        let app = App::empty().await;
        let every_minute =
            |from: u64, to: u64| (from..to).map(|age| (u8::try_from(age).unwrap(), age * 60 + 5, 1, false)).collect::<Vec<_>>();
        app.append(Signal::Traces, requests(&every_minute(1, 25)).encode_to_vec()).await;
        let clock = Clockface::new(UnixNanos::new(NOW), None);
        let ago = |minutes: u64| UnixNanos::new(NOW / MINUTE * MINUTE - minutes * MINUTE);
        let of = |minutes: u64| TimeRange { from: ago(2 * minutes), to: ago(minutes) };
        assert_eq!(gap(app.store(), Signal::Traces, of(10), &clock).await, None);
        let begun = gap(app.store(), Signal::Traces, of(20), &clock).await.unwrap();
        assert!(begun.contains("the data begins at"), "{begun}");
        app.append(Signal::Traces, requests(&[(200, 36_000, 1, false)]).encode_to_vec()).await;
        let holes = gap(app.store(), Signal::Traces, of(20), &clock).await.unwrap();
        assert!(holes.contains("data came in only in "), "{holes}");
        for path in ["/?from=now-20m", "/map?from=now-20m&change=1"] {
            let page = app.get(path).await.text();
            assert!(page.contains("Nothing is compared with the window before"), "{path}: {page}");
        }
        let halves = app.get("/?from=now-20m").await.text();
        assert!(halves.contains("How long requests take is compared with the time before"), "{halves}");
        for path in ["/?from=now-10m", "/map?from=now-10m&change=1"] {
            let page = app.get(path).await.text();
            assert!(!page.contains("Nothing is compared with the window before"), "{path}: {page}");
        }
    }
}
