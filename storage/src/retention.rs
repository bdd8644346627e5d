//! How long rows are kept: by age per signal, and longer by rule.
//!
//! Owns what the ages mean, which rows of a segment are past theirs and when that is looked at. Segments are let go whole once their newest row
//! is past every age; what is left of others is written anew by `store::merge`.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;

use crate::model::{TimeRange, UnixNanos};
use crate::query::{self, Among, Control, QueryError};
use crate::schema;
use crate::segment::{RowRanges, Segment, SegmentError, union_rows, without_rows};
use crate::store::Signal;

/// How long data is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Spans that no rule keeps; `None` for ever. Spans that started longer ago than any rule keeps are refused; younger ones are taken,
    /// because only the whole trace says whether a rule keeps them, and let go soon when none does.
    pub traces: Option<Duration>,
    /// Log records that no rule keeps; `None` for ever.
    pub logs: Option<Duration>,
    /// What is kept longer.
    pub rules: Vec<KeepRule>,
}

/// Keeps what a query matches longer than the rest: log records one by one, traces as a whole when one of their spans matches, as far as
/// their spans start within an hour of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRule {
    /// Of which signal.
    pub signal: Signal,
    /// In the query language.
    pub query: String,
    /// How long; `None` for ever.
    pub keep: Option<Duration>,
}

/// What is to be done with a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing in it is past its age, or not for long enough.
    Keep,
    /// Everything in it is past every age.
    LetGo,
    /// Some of it may be past its age.
    Look,
}

// === impl Retention ===

impl Retention {
    /// What is wrong with the rules: a sentence for each that cannot be used.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        if self.rules.len() > MAX_RULES {
            return vec![format!("{} rules are too many; write at most {MAX_RULES}", self.rules.len())];
        }
        let wrong = |rule| self.check(rule).err().map(|what| format!("`{}`: {what}", rule.query));
        self.rules.iter().filter_map(wrong).collect()
    }

    fn check(&self, rule: &KeepRule) -> Result<(), String> {
        query::check(rule.signal, &rule.query).map_err(|error| error.to_string())?;
        let Some(base) = self.of(rule.signal) else {
            return Err(format!("{} are kept for ever anyway; set their retention", rule.signal.as_str()));
        };
        if rule.keep.is_some_and(|keep| keep <= base) {
            return Err(format!("it keeps no longer than the retention of {}", rule.signal.as_str()));
        }
        Ok(())
    }

    /// How long rows are kept that no rule keeps.
    pub(crate) fn of(&self, signal: Signal) -> Option<Duration> {
        match signal {
            Signal::Traces => self.traces,
            Signal::Logs => self.logs,
        }
    }

    /// How long any row is kept.
    pub(crate) fn longest(&self, signal: Signal) -> Option<Duration> {
        let mut longest = self.of(signal)?;
        for rule in self.rules.iter().filter(|rule| rule.signal == signal) {
            longest = longest.max(rule.keep?);
        }
        Some(longest)
    }

    /// How long the log may have rows in one file: half as long as a row may be past the shortest age, so that it is gone from there as well when
    /// that is over. `None` for as long as there is room in it.
    pub(crate) fn log_file_age(&self) -> Option<Duration> {
        // Rules only keep longer.
        let shortest = [self.traces, self.logs].into_iter().flatten().min()?;
        Some((most_over(shortest) / 2).max(LEAST_LOG_FILE_AGE))
    }

    /// What is to be done with a segment whose rows have times from `oldest` to `newest`, and which was last looked at then. Where some rows are
    /// not past an age, it is looked at when others have been for a while: each look may write it anew.
    pub(crate) fn judge(
        &self,
        signal: Signal,
        (oldest, newest): (UnixNanos, UnixNanos),
        looked_at: Option<UnixNanos>,
        now: UnixNanos,
    ) -> Verdict {
        if self.longest(signal).is_some_and(|age| newest < now.minus(nanos(age))) {
            return Verdict::LetGo;
        }
        let is_due = |age: Duration| {
            let past = now.minus(nanos(age));
            // What was past it at the last look is gone, or kept by a rule.
            let first = looked_at.map_or(oldest, |then| oldest.max(then.minus(nanos(age))));
            let wait = if newest < past { 0 } else { nanos(most_over(age)) };
            first <= newest && first.plus(wait) < past
        };
        let ages = self.of(signal).into_iter().chain(self.rules_of(signal).filter_map(|rule| rule.keep));
        if ages.into_iter().any(is_due) { Verdict::Look } else { Verdict::Keep }
    }

    /// Whether every row of a segment is past the age of those that no rule keeps, when its newest row has this time.
    pub(crate) fn is_past(&self, signal: Signal, newest: UnixNanos, now: UnixNanos) -> bool {
        self.of(signal).is_some_and(|age| newest < now.minus(nanos(age)))
    }

    /// Rows of a segment, of which none are hidden, that are past their age at `now`. `near` is what may hold other spans of their traces, the
    /// segment included; of a span that came again the last version is judged by rules.
    pub(crate) fn gone(&self, segment: &Segment, near: &Among, now: UnixNanos, control: &Control) -> Result<RowRanges, QueryError> {
        let meta = segment.meta();
        let past = |age: Duration| rows_before(segment, now.minus(nanos(age))).map_err(|error| QueryError::Internal(error.to_string()));
        let Some(age) = self.of(meta.signal) else { return Ok(RowRanges::new()) };
        let mut gone = past(age)?;
        let mine = near.clone().of(BTreeSet::from([meta.id]));
        let holds = |rule: &&KeepRule| rule.keep.is_none_or(|keep| meta.max_time >= now.minus(nanos(keep)));
        for rule in self.rules_of(meta.signal).filter(holds) {
            if gone.is_empty() {
                break;
            }
            let mut found = match meta.signal {
                Signal::Logs => query::rows_matching(&mine, &rule.query, TimeRange::ALL, control)?,
                Signal::Traces => {
                    let ids = query::traces_matching(near, &rule.query, TimeRange::ALL, MAX_TRACES, control)?;
                    query::rows_of_traces(&mine, ids.into_iter().collect(), control)?
                }
            };
            let found = found.rows.remove(&meta.id).unwrap_or_default();
            let kept = match rule.keep {
                Some(keep) => without_rows(&found, &past(keep)?),
                None => found,
            };
            gone = without_rows(&gone, &kept);
        }
        Ok(gone)
    }

    fn rules_of(&self, signal: Signal) -> impl Iterator<Item = &KeepRule> {
        self.rules.iter().filter(move |rule| rule.signal == signal)
    }
}

/// The rows of a segment, of which none are hidden, that are older than this.
fn rows_before(segment: &Segment, time: UnixNanos) -> Result<RowRanges, SegmentError> {
    let column = schema::time_column(segment.meta().signal);
    let mut before = RowRanges::new();
    for group in segment.row_groups().iter().filter(|group| group.min_time < time) {
        if group.max_time < time {
            before.push(group.rows.clone());
            continue;
        }
        let mut row = group.rows.start;
        for batch in segment.read(&[column], Some(&std::iter::once(group.rows.clone()).collect()))? {
            let batch = batch?;
            let times = batch.column_by_name(column).and_then(|times| times.as_primitive_opt::<Int64Type>());
            let times = times.ok_or_else(|| SegmentError::damaged(segment.meta().id, "its rows have no times"))?;
            for own in times.values() {
                // A time beyond `i64::MAX` keeps its bits.
                if own.cast_unsigned() < time.get() {
                    before.push(row..row + 1);
                }
                row += 1;
            }
        }
    }
    Ok(union_rows(before, RowRanges::new()))
}

/// How long a row may be past its age before a segment is written anew without it: an eighth of the age, at most an hour.
pub(crate) fn most_over(age: Duration) -> Duration {
    (age / 8).min(MOST_OVER)
}

/// An age in nanoseconds.
pub(crate) fn nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

const MOST_OVER: Duration = Duration::from_secs(3_600);
/// No more files of the log are begun than one in so long.
const LEAST_LOG_FILE_AGE: Duration = Duration::from_secs(10);
/// Spans of one trace that lie further apart than this are judged apart: an hour.
pub(crate) const NEAR_NANOS: u64 = 3_600_000_000_000;
const MAX_RULES: usize = 100;
/// Traces that a rule may match around one segment.
const MAX_TRACES: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn rule(query: &str, keep: Option<Duration>) -> KeepRule {
        KeepRule { signal: Signal::Traces, query: query.to_owned(), keep }
    }

    #[test]
    fn a_segment_that_is_past_an_age_is_looked_at_once_for_each() {
        let mut retention = Retention { traces: Some(DAY), logs: None, rules: vec![rule("status=error", Some(5 * DAY))] };
        let now = UnixNanos::new(nanos(100 * DAY));
        let ago = |days: u32| now.minus(nanos(days * DAY));
        let judge = |retention: &Retention, days, looked_at| retention.judge(Signal::Traces, (ago(days), ago(days)), looked_at, now);
        assert_eq!(judge(&retention, 0, None), Verdict::Keep);
        assert_eq!(judge(&retention, 2, None), Verdict::Look);
        assert_eq!(judge(&retention, 3, Some(ago(1))), Verdict::Keep);
        assert_eq!(judge(&retention, 2, Some(ago(1))), Verdict::Look, "it was not past its age then");
        assert_eq!(judge(&retention, 6, None), Verdict::LetGo);
        assert_eq!(retention.judge(Signal::Logs, (ago(99), ago(99)), None, now), Verdict::Keep);
        retention.rules.push(rule("service.name=bank", None));
        assert_eq!(judge(&retention, 7, Some(ago(3))), Verdict::Look, "past the age of the rule only since");
        assert_eq!(retention.longest(Signal::Traces), None);
    }

    #[test]
    fn what_is_past_its_age_in_part_is_looked_at_again_when_it_has_been_for_long_enough() {
        let retention = Retention { traces: Some(DAY), ..Retention::default() };
        let now = UnixNanos::new(nanos(100 * DAY));
        let hours = |hours: u32| nanos(hours * Duration::from_secs(3_600));
        let judge = |oldest: u32, looked_at| retention.judge(Signal::Traces, (now.minus(hours(oldest)), now), looked_at, now);
        assert_eq!(judge(24, None), Verdict::Keep);
        assert_eq!(judge(25, None), Verdict::Keep);
        assert_eq!(judge(26, None), Verdict::Look);
        assert_eq!(judge(60, Some(now.minus(hours(1)))), Verdict::Keep, "an hour ago, what a rule kept was kept");
        assert_eq!(judge(60, Some(now.minus(hours(2)))), Verdict::Look);
        assert_eq!(most_over(Duration::from_secs(80)), Duration::from_secs(10));
    }

    #[test]
    fn the_log_lets_rows_go_in_half_the_time_that_they_may_be_past_the_shortest_age() {
        let of = |traces: Option<u64>, logs: Option<u64>| {
            let [traces, logs] = [traces, logs].map(|hours| hours.map(|hours| Duration::from_secs(hours * 3_600)));
            Retention { traces, logs, rules: vec![rule("status=error", Some(90 * DAY))] }.log_file_age().map(|age| age.as_secs())
        };
        assert_eq!([of(None, None), of(Some(720), None), of(Some(720), Some(4))], [None, Some(1_800), Some(900)]);
        let short = Retention { logs: Some(Duration::from_secs(60)), ..Retention::default() };
        assert_eq!(short.log_file_age(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn rules_that_cannot_matter_are_refused() {
        let right = rule("status=error", Some(2 * DAY));
        let wrong = [rule("status=", None), rule("status=error", Some(DAY)), KeepRule { signal: Signal::Logs, ..rule("a", None) }];
        let rules = std::iter::once(right).chain(wrong).collect();
        let mistakes = Retention { traces: Some(DAY), logs: None, rules }.mistakes();
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        for (said, part) in mistakes.iter().zip(["`status=`: ", "no longer", "for ever"]) {
            assert!(said.contains(part), "{said}");
        }
    }
}
