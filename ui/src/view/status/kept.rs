//! What is kept of each signal, for how long, and what was let go.

use std::time::Duration;

use storage::{Retention, Signal, SignalStatus, StoreStatus};

use super::{Counters, value};
use crate::view::format::{self, Clockface, Moment};

/// What is kept of one signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) name: &'static str,
    pub(crate) rows: String,
    /// How many of them are in memory, and in how many bytes.
    pub(crate) in_memory: String,
    /// Bytes of segments and indexes, and how many per row.
    pub(crate) bytes: String,
    pub(crate) per_row: String,
    /// `3 flushed, 1 merged`.
    pub(crate) segments: String,
    pub(crate) span: Option<(Moment, Moment)>,
    /// How long rows are kept that no rule keeps.
    pub(crate) keep: String,
    /// `1,204 by age, 30 by request`; empty for nothing.
    pub(crate) let_go: String,
}

/// What is kept longer than the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) signal: &'static str,
    pub(crate) query: String,
    pub(crate) keep: String,
}

/// What is kept per signal.
pub(crate) fn kept(status: &StoreStatus, retention: &Retention, counters: &Counters, clock: &Clockface) -> Vec<Kept> {
    let row = |((name, signal, keep), status): ((&'static str, &'static str, Option<Duration>), &SignalStatus)| Kept {
        name,
        rows: format::exact(status.segment_rows.saturating_add(status.buffered_rows)),
        in_memory: format!("{} in {}", format::exact(status.buffered_rows), format::bytes(status.buffered_bytes)),
        bytes: format::bytes(status.segment_bytes),
        per_row: status.segment_bytes.checked_div(status.segment_rows).map_or_else(|| format::MISSING.to_owned(), format::bytes),
        segments: worded(&[("0", "flushed"), ("1", "merged"), ("2", "stacked")], "none yet", |level| {
            value(counters, "throughline_segments", &[("signal", signal), ("level", level)])
        }),
        span: status.time.map(|(first, last)| (clock.moment(first), clock.moment(last))),
        keep: kept_for(keep),
        let_go: worded(&LET_GO, "", |why| value(counters, "throughline_rows_let_go_total", &[("signal", signal), ("why", why)])),
    };
    let names = [("Spans", "traces", retention.traces), ("Log records", "logs", retention.logs)];
    names.into_iter().zip(&status.signals).map(row).collect()
}

/// What rules keep longer.
pub(crate) fn rules(retention: &Retention) -> Vec<Rule> {
    let rule = |rule: &storage::KeepRule| Rule {
        signal: if rule.signal == Signal::Logs { "log records" } else { "whole traces" },
        query: format::line(&rule.query, 300),
        keep: kept_for(rule.keep),
    };
    retention.rules.iter().map(rule).collect()
}

/// `for ever`, `14 d`, `36 h`, or to the second.
pub(crate) fn kept_for(keep: Option<Duration>) -> String {
    keep.map_or_else(|| "for ever".to_owned(), |keep| format::round_duration(u64::try_from(keep.as_nanos()).unwrap_or(u64::MAX)))
}

/// Counts with their words, those that are not zero.
fn worded(words: &[(&str, &str)], none: &str, count: impl Fn(&str) -> u64) -> String {
    let told: Vec<String> = words
        .iter()
        .map(|(key, word)| (count(key), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", format::exact(n)))
        .collect();
    if told.is_empty() { none.to_owned() } else { told.join(", ") }
}

/// What takes rows away, in words.
const LET_GO: [(&str, &str); 4] =
    [("age", "by age"), ("budget", "for the byte budget"), ("deleted", "by request"), ("duplicate", "that were there twice")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_whole_days_or_hours() {
        let hours = |hours: u64| kept_for(Some(Duration::from_secs(hours * 3_600)));
        assert_eq!((kept_for(None), hours(336), hours(36)), ("for ever".to_owned(), "14\u{202f}d".to_owned(), "36\u{202f}h".to_owned()));
        assert!(kept_for(Some(Duration::from_secs(90))).contains("30"));
    }

    #[test]
    fn what_was_let_go_is_told_by_its_cause() {
        let name = "throughline_rows_let_go_total";
        let counters = [
            (name, "signal=\"traces\",why=\"age\"".to_owned(), 1_204),
            (name, "signal=\"traces\",why=\"budget\"".to_owned(), 0),
            (name, "signal=\"logs\",why=\"deleted\"".to_owned(), 3),
            ("throughline_segments", "signal=\"traces\",level=\"1\"".to_owned(), 2),
        ];
        let clock = Clockface::new(storage::UnixNanos::new(0), None);
        let kept = kept(&StoreStatus::default(), &Retention::default(), &counters, &clock);
        assert_eq!((kept[0].let_go.as_str(), kept[1].let_go.as_str()), ("1,204 by age", "3 by request"));
        assert_eq!((kept[0].segments.as_str(), kept[1].segments.as_str(), kept[0].keep.as_str()), ("2 merged", "none yet", "for ever"));
    }
}
