//! What the tables of a service show over time, beside what they count.

use std::collections::HashMap;

use storage::{Aggregate, AggregateGroup, Measure, Measured, Signal, Store, TimeRange};

use super::POINTS;
use crate::ask;
use crate::params::Window;
use crate::view::link::term;
use crate::view::services::Trends;

/// Spans of each operation of a service, in whole minutes: those are counted from roll-ups. The first and the last part are left out where they
/// are not whole, which would look like a rise and a fall.
pub(super) async fn of_operations(store: &Store, service: &str, range: TimeRange) -> Trends {
    let minutes = range.to.since(range.from).div_ceil(MINUTE).div_ceil(POINTS as u64).max(1);
    let step = minutes.saturating_mul(MINUTE);
    let ask = Aggregate {
        signal: Signal::Traces,
        query: term("service", service),
        range,
        group_by: vec!["name".to_owned(), "kind".to_owned()],
        measures: vec![Measure::Count],
        step: Some(step),
        limit: MAX_OPERATIONS,
    };
    // Without them the table is as true as before.
    let Ok(found) = store.aggregate(ask).await else { return Trends::default() };
    let skipped = usize::from(!range.from.get().is_multiple_of(step));
    let whole = found.starts.len().saturating_sub(skipped + usize::from(!range.to.get().is_multiple_of(step)));
    let counts = |group: AggregateGroup| {
        let [Some(name), Some(kind)] = <[Option<String>; 2]>::try_from(group.values).ok()? else { return None };
        let counts = group.parts.into_iter().skip(skipped).take(whole).map(|part| match part.first() {
            Some(Measured::Count(count)) => *count,
            _ => 0,
        });
        Some(((name, kind), counts.collect()))
    };
    Trends::new(found.groups.into_iter().filter_map(counts).collect::<HashMap<_, Vec<u64>>>(), step)
}

/// Failed spans of each error of a service.
pub(super) async fn of_errors(store: &Store, service: &str, window: &Window) -> Trends {
    let (range, parts) = window.parts(POINTS);
    let step = range.to.since(range.from).div_ceil(parts.max(1) as u64);
    let counts = ask::trends::of_errors(store, service, range, step).await;
    Trends::new(counts.unwrap_or_default(), step)
}

const MINUTE: u64 = 60_000_000_000;

/// Operations that are told apart, those with the most spans.
const MAX_OPERATIONS: usize = 1_000;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::UnixNanos;

    use super::*;
    use crate::harness::{App, NOW, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn operations_and_errors_are_drawn_over_the_window() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 3_000, 1, false), (2, 2_990, 1, true), (3, 600, 1, false)]).encode_to_vec()).await;
        let range = TimeRange { from: UnixNanos::new(NOW - 3_600_000_000_000), to: UnixNanos::new(NOW) };
        let line = of_operations(app.store(), "checkout", range).await.line("POST /pay", "server");
        assert_eq!(line.summary.replace(['\u{a0}', '\u{202f}'], " "), "over time, at most 2 in 2 min 00 s");
        let page = app.get("/services/checkout").await.text();
        assert!(page.contains("<th scope=\"col\" class=\"trend\">Over time</th>") && page.contains("class=\"line\""), "{page}");
        let errors = app.get("/services/checkout?tab=errors").await.text();
        assert!(errors.contains("class=\"cols\" d=\"M"), "{errors}");
    }
}
