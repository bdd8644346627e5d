//! What must be there, what must not, and what may.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{LogRecord, Span, UnixNanos};
use crate::store::Signal;

mod request;

pub(super) use self::request::{Request, log_number, span_number, span_version, word};
use super::keeping::Keeping;
use super::losses::Excused;

/// All requests, by the number of their first item, and what became of items.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) requests: BTreeMap<u64, Request>,
    /// Items that a delete took, with a receipt.
    pub(super) deleted: BTreeSet<u64>,
    /// Deletes without an answer: all of it is gone or nothing.
    pub(super) undecided: Vec<BTreeSet<u64>>,
    /// Items that were past their age, or too many, and are gone.
    let_go: BTreeSet<u64>,
    next: u64,
}

/// When the store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// While it runs.
    Live,
    /// It has just started: what is found or not found is so for good.
    Settle,
    /// Something is damaged; another look follows when it is whole again.
    Damaged,
    /// It was repaired, and will be as it was before: what was let go may be there again.
    Repaired,
}

/// What a look saw for the first time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) let_go: u64,
    pub(super) kept_by_rule: u64,
    /// What damage took.
    pub(super) lost: u64,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was acknowledged, or a start brought it back: it is there, wholly.
    Stored,
    /// Its sender heard nothing certain: it is there wholly or not at all.
    Unknown,
    /// It was refused, or a start did not bring it back: it is not there.
    Absent,
}

/// Everything that could be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) logs: Vec<LogRecord>,
    pub(super) spans: Vec<Span>,
    /// What could not be read, in the words of the store.
    pub(super) reports: Vec<String>,
    /// What may be missing because of damage.
    pub(super) excused: Excused,
}

// === impl Model ===

impl Model {
    /// A new request of `count` items.
    pub(super) fn request(&mut self, signal: Signal, count: u64, sent: UnixNanos) -> u64 {
        let first = self.next;
        self.next += count;
        self.requests.insert(first, Request { signal, first, count, sent, fate: Fate::Unknown, versions: 0, replaced: 0 });
        first
    }

    /// Holds what was found against what must be there.
    pub(super) fn compare(&mut self, found: &Found, keeping: &Keeping<'_>, look: Look) -> Result<Seen, String> {
        let present = self.numbers(found)?;
        if let Some(number) = present.intersection(&self.deleted).next() {
            return Err(format!("item {number} was deleted and is there"));
        }
        if let Some(number) = present.intersection(&self.let_go).next().filter(|_| look != Look::Repaired) {
            return Err(format!("item {number} was let go and is there again"));
        }
        let mut seen = Seen::default();
        let mut missing = BTreeSet::new();
        for request in self.requests.values() {
            let is_here = request.numbers().any(|number| present.contains(&number));
            if request.fate == Fate::Absent && is_here {
                return Err(format!("{request:?} is not to be there"));
            }
            let must_be_whole = request.fate == Fate::Stored || (request.fate == Fate::Unknown && is_here);
            for number in request.numbers().filter(|number| must_be_whole && !present.contains(number) && !self.is_gone(*number)) {
                if !keeping.may_be_gone(request, number) {
                    if !found.excused.covers(number) {
                        return Err(format!("item {number} of {request:?} is not there"));
                    }
                    seen.lost += 1;
                }
                missing.insert(number);
            }
            let ruled = |number: &u64| present.contains(number) && keeping.is_kept_by_rule(request, *number);
            seen.kept_by_rule += request.numbers().filter(ruled).count() as u64;
        }
        self.compare_undecided(&present, keeping, found.excused == Excused::Nothing)?;
        if matches!(look, Look::Live | Look::Settle) {
            self.compare_versions(&found.spans, keeping)?;
        }
        if matches!(look, Look::Live | Look::Settle) {
            seen.let_go = missing.len() as u64;
            self.let_go.extend(missing);
        }
        if look == Look::Settle {
            self.settle(&present);
        }
        Ok(seen)
    }

    /// Numbers of everything found, each of which is what was sent.
    fn numbers(&self, found: &Found) -> Result<BTreeSet<u64>, String> {
        let mut present = BTreeSet::new();
        // Where something cannot be read, it is not known what came again.
        let is_whole = found.reports.is_empty();
        let mut once = |number: u64| {
            let is_new = present.insert(number);
            if is_new || !is_whole { Ok(()) } else { Err(format!("item {number} is there twice")) }
        };
        for log in &found.logs {
            let number = log_number(log).ok_or_else(|| format!("a record that nobody sent: {log:?}"))?;
            self.request_of(number, Signal::Logs)?.check_log(number, log)?;
            once(number)?;
        }
        for span in &found.spans {
            let number = span_number(span);
            self.request_of(number, Signal::Traces)?.check_span(number, span)?;
            once(number)?;
        }
        Ok(present)
    }

    /// Whether an item may be missing for a reason that is known.
    fn is_gone(&self, number: u64) -> bool {
        self.deleted.contains(&number) || self.let_go.contains(&number) || self.undecided.iter().any(|set| set.contains(&number))
    }

    /// Of spans that were sent again with other content, what came last is there; what was found once is not replaced by what came before.
    fn compare_versions(&mut self, spans: &[Span], keeping: &Keeping<'_>) -> Result<(), String> {
        for span in spans {
            let (number, version) = (span_number(span), span_version(span).unwrap_or_default());
            let Some((_, request)) = self.requests.range_mut(..=number).next_back() else { continue };
            if version < request.replaced && !keeping.may_be_gone(request, number) {
                return Err(format!("span {number} is of version {version} of {request:?}"));
            }
            request.replaced = request.replaced.max(version);
        }
        Ok(())
    }

    /// Spans that are there for certain, whole, by the number of their first one.
    pub(super) fn repeatable(&self, keeping: &Keeping<'_>) -> Vec<u64> {
        let is_there = |request: &&Request| {
            let whole = request.numbers().all(|number| !self.is_gone(number) && !keeping.may_be_gone(request, number));
            request.signal == Signal::Traces && request.fate == Fate::Stored && whole
        };
        self.requests.values().filter(is_there).map(|request| request.first).collect()
    }

    fn compare_undecided(&self, present: &BTreeSet<u64>, keeping: &Keeping<'_>, is_whole: bool) -> Result<(), String> {
        for set in &self.undecided {
            // Of others it is not known, or known better.
            let alone = set.iter().filter(|number| {
                let others = self.undecided.iter().filter(|other| other.contains(number)).count();
                let request = self.requests.range(..=**number).next_back().map(|(_, request)| request);
                let may_be_gone = request.is_some_and(|request| keeping.may_be_gone(request, **number));
                others == 1 && !may_be_gone && !self.deleted.contains(number) && !self.let_go.contains(number)
            });
            let (here, gone): (Vec<&u64>, Vec<&u64>) = alone.partition(|number| present.contains(number));
            if is_whole && !here.is_empty() && !gone.is_empty() {
                return Err(format!("a delete was done in part: {gone:?} are gone and {here:?} are there"));
            }
        }
        Ok(())
    }

    fn settle(&mut self, present: &BTreeSet<u64>) {
        for set in std::mem::take(&mut self.undecided) {
            self.deleted.extend(set.into_iter().filter(|number| !present.contains(number) && !self.let_go.contains(number)));
        }
        for request in self.requests.values_mut().filter(|request| request.fate == Fate::Unknown) {
            let is_here = request.numbers().any(|number| present.contains(&number));
            request.fate = if is_here { Fate::Stored } else { Fate::Absent };
        }
    }

    fn request_of(&self, number: u64, signal: Signal) -> Result<&Request, String> {
        let request = self.requests.range(..=number).next_back().map(|(_, request)| request);
        request
            .filter(|request| number < request.first + request.count && request.signal == signal)
            .ok_or_else(|| format!("item {number} was never sent"))
    }
}
