//! How long rows are kept: by age per signal, and longer by rule.
//!
//! Owns what the ages mean and which rows of a segment are past theirs. Segments are let go whole once their newest row is past its age;
//! what rules keep of them is written anew by `store::merge`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{TimeRange, UnixNanos};
use crate::query::{self, Among, Control, QueryError};
use crate::segment::{RowRanges, Segment, union_rows};
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
    /// Nothing in it is past its age.
    Keep,
    /// Everything in it is past every age.
    LetGo,
    /// It is past this many ages; rules say what is kept.
    Look(usize),
}

// === impl Retention ===

impl Retention {
    /// Says what is wrong with the rules.
    ///
    /// # Errors
    /// With the first rule that cannot be used.
    pub fn check(&self) -> Result<(), String> {
        if self.rules.len() > MAX_RULES {
            return Err(format!("{} rules are too many; write at most {MAX_RULES}", self.rules.len()));
        }
        for rule in &self.rules {
            query::check(rule.signal, &rule.query).map_err(|error| format!("`{}`: {error}", rule.query))?;
            let Some(base) = self.of(rule.signal) else {
                return Err(format!("`{}`: {} are kept for ever anyway; set their retention", rule.query, rule.signal.as_str()));
            };
            if rule.keep.is_some_and(|keep| keep <= base) {
                return Err(format!("`{}`: it keeps no longer than the retention of {}", rule.query, rule.signal.as_str()));
            }
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

    /// What is to be done with a segment whose newest row has this time.
    pub(crate) fn judge(&self, signal: Signal, newest: UnixNanos, now: UnixNanos) -> Verdict {
        let past = |age: Option<Duration>| age.is_some_and(|age| newest < now.minus(nanos(age)));
        if past(self.longest(signal)) {
            return Verdict::LetGo;
        }
        let rules = self.rules.iter().filter(|rule| rule.signal == signal).map(|rule| rule.keep);
        match std::iter::once(self.of(signal)).chain(rules).filter(|age| past(*age)).count() {
            0 => Verdict::Keep,
            ages => Verdict::Look(ages),
        }
    }

    /// Rows of a segment that rules keep at `now`, of one whose rows are all past the plain age. `near` is what may hold other spans of its
    /// traces, itself included; of a span that came again the last version is judged.
    pub(crate) fn kept(&self, segment: &Segment, near: &Among, now: UnixNanos, control: &Control) -> Result<RowRanges, QueryError> {
        let meta = segment.meta();
        let alive = |rule: &&KeepRule| rule.keep.is_none_or(|keep| meta.max_time >= now.minus(nanos(keep)));
        let mut kept = RowRanges::new();
        let mine = near.clone().of(BTreeSet::from([meta.id]));
        for rule in self.rules.iter().filter(|rule| rule.signal == meta.signal).filter(alive) {
            let mut found = match meta.signal {
                Signal::Logs => query::rows_matching(&mine, &rule.query, TimeRange::ALL, control)?,
                Signal::Traces => {
                    let ids = query::traces_matching(near, &rule.query, TimeRange::ALL, MAX_TRACES, control)?;
                    query::rows_of_traces(&mine, ids.into_iter().collect(), control)?
                }
            };
            kept = union_rows(kept, found.rows.remove(&meta.id).unwrap_or_default());
        }
        Ok(kept)
    }
}

/// An age in nanoseconds.
pub(crate) fn nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

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
    fn a_segment_is_judged_by_its_newest_row_and_every_age() {
        let mut retention = Retention { traces: Some(DAY), logs: None, rules: vec![rule("status=error", Some(5 * DAY))] };
        let now = UnixNanos::new(nanos(100 * DAY));
        let judge = |retention: &Retention, days: u32| retention.judge(Signal::Traces, now.minus(nanos(days * DAY)), now);
        assert_eq!(judge(&retention, 0), Verdict::Keep);
        assert_eq!(judge(&retention, 2), Verdict::Look(1));
        assert_eq!(judge(&retention, 6), Verdict::LetGo);
        assert_eq!(retention.judge(Signal::Logs, UnixNanos::new(0), now), Verdict::Keep);
        retention.rules.push(rule("service.name=bank", None));
        assert_eq!(judge(&retention, 6), Verdict::Look(2));
        assert_eq!(retention.longest(Signal::Traces), None);
    }

    #[test]
    fn rules_that_cannot_matter_are_refused() {
        let with = |rule| Retention { traces: Some(DAY), logs: None, rules: vec![rule] }.check();
        with(rule("status=error", Some(2 * DAY))).unwrap();
        assert!(with(rule("status=", None)).is_err());
        assert!(with(rule("status=error", Some(DAY))).unwrap_err().contains("no longer"));
        assert!(with(KeepRule { signal: Signal::Logs, ..rule("a", None) }).unwrap_err().contains("for ever"));
    }
}
