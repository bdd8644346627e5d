//! What stands out in a trace, in sentences. Says nothing where nothing is known.

mod calls;
mod doubt;
mod errors;
mod queued;
mod sentence;
mod target;
mod waits;

use std::cmp::Reverse;
use std::collections::HashMap;

use self::doubt::Doubt;
pub(crate) use self::errors::{are_alike, is_long_after};
pub use self::queued::{insert as insert_queued, queued, takers};
use self::waits::IDLE_PERCENT;
use super::{Brief, Sheet, Skew};
use crate::model::{Span, SpanId, TraceId, UnixNanos};

/// Findings of one kind.
const MOST_OF_A_KIND: usize = 3;
/// Fewer spans do not say what is usual.
const ENOUGH: u64 = 20;
/// Senders hold spans back for about this long, in nanoseconds: what ended later may have siblings on their way.
const ON_ITS_WAY: u64 = 10_000_000_000;
/// A trace without root is waited for this long after its last span.
const ROOT_ON_ITS_WAY: u64 = 120_000_000_000;

/// One thing that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, with its figures.
    pub kind: FindingKind,
    /// The place of the span to look at.
    pub span: Option<usize>,
    /// Service of that span; empty without span.
    pub service: String,
    /// Name of that span; empty without span.
    pub name: String,
}

/// What stands out. Times are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Failed, and nothing below it did.
    ErrorStart {
        /// What it says of its failure.
        message: Option<String>,
        /// How many failures of the trace are like this one, itself included.
        count: usize,
        /// Whether its request did not fail with it.
        survived: bool,
        /// How long before its request it failed, where that was long and the request failed by itself.
        before: Option<u64>,
    },
    /// The main root, which failed long after what failed below it and says something else of it.
    FailsAfter {
        /// What it says of its failure.
        message: String,
        /// From the end of the last failure below to its own.
        after: u64,
    },
    /// Lasts longer than spans of its operation usually do.
    Slower {
        /// It is slower than this many percent of them; all of them when none took longer.
        than_percent: u64,
        /// Their median.
        typical: u64,
        /// How many were looked at.
        of: u64,
    },
    /// The first of many equal calls of one parent: of the one whose calls take most.
    RepeatedCalls {
        /// How many, of all parents that made many.
        count: usize,
        /// How many such parents there are.
        parents: usize,
        /// How many calls the parent of the first made.
        below_one: usize,
        /// Their durations added up.
        total: u64,
        /// The share of the critical path that is in them or in what they called, in percent.
        percent: u64,
        /// How many of one parent ran at the same time, where that saved it more than half of their durations; otherwise 1.
        at_once: usize,
        /// Whether they called anything.
        has_calls: bool,
        /// Whether they take much of the trace, or are very many.
        matters: bool,
    },
    /// Failed and was tried again.
    Retries {
        /// The places of all attempts.
        attempts: Vec<usize>,
        /// Whether the last one went well.
        succeeded: bool,
        /// From the begin of the first to the begin of the last.
        lost: u64,
    },
    /// Its operation has the largest share of the critical path: all spans of one service and name together.
    CriticalShare {
        /// Of the root's duration, which is the length of its critical path.
        percent: u64,
        /// The share.
        nanos: u64,
        /// In how many spans.
        spans: usize,
    },
    /// Has children, but for this long none of them ran while the request waited.
    IdleGap {
        /// How long.
        nanos: u64,
        /// After the start of the trace.
        at: u64,
        /// What ran next, if anything did.
        before: Option<String>,
    },
    /// The last span to end; the trace goes on after its main root ended, and the critical path ends with that.
    GoesOn {
        /// For so long.
        after: u64,
        /// How long the main root lasts.
        root: u64,
        /// How long the trace lasts.
        whole: u64,
        /// The operation that the one who took it up last mostly waited for: service, name and percent of its time.
        mostly: Option<(String, String, u64)>,
    },
    /// A consumer that began long after its producer had ended; no other waited longer.
    HandOver {
        /// The producer's service and name.
        from: (String, String),
        /// From the producer's end to the consumer's begin.
        nanos: u64,
    },
    /// A consumer that began long after the producer had ended that it links to; of those that are known no other waited longer.
    Queued {
        /// The producer's service and name.
        from: (String, String),
        /// Where the producer is.
        trace: TraceId,
        /// See `trace`.
        producer: SpanId,
        /// From the producer's end to the consumer's begin.
        nanos: u64,
        /// Of how many messages it is known how long they waited.
        known: usize,
        /// How many spans are linked to by consumers: the producers of their messages, and what else they name.
        linked: usize,
        /// How often the message was taken up before in the same way, as far as whoever asks has counted it: then it did not wait all the time.
        before: u64,
    },
    /// Its clock contradicts its caller's.
    ClockSkew {
        /// The caller's service.
        caller: String,
        /// By how much this clock is behind; negative when it is ahead.
        behind: i64,
        /// By how much that may be wrong; `None` when nothing bounds it.
        uncertainty: Option<u64>,
    },
    /// Spans name parents that were not received.
    MissingParents {
        /// How many spans.
        count: usize,
    },
    /// More spans may be on their way.
    StillArriving {
        /// Whether the root was received.
        has_root: bool,
        /// Since the last span ended.
        ago: u64,
    },
}

/// How long spans of an operation usually take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    /// Requests that were looked at.
    pub count: u64,
    /// Median, 95th and 99th percentile of their durations.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
}

impl Usual {
    /// Than how many percent of them such a duration is longer for certain: 50, 95, 99, or 100 where none took longer. Percentiles are within
    /// 1 % of the duration that they stand for, so what is not beyond that may be one of very many.
    #[must_use]
    pub fn slower_than(&self, duration: u64) -> Option<u64> {
        let is_beyond = |percentile: u64| duration > percentile.saturating_add(percentile / 99);
        // Of fewer than a hundred the 99th is the longest.
        let is_longest = self.count < 100 && duration.saturating_add(duration / 100) >= self.p99;
        match () {
            () if is_beyond(self.p95) && is_longest => Some(100),
            () if is_beyond(self.p99) => Some(99),
            () if is_beyond(self.p95) => Some(95),
            () if is_beyond(self.p50) => Some(50),
            () => None,
        }
    }

    /// Whether a duration is shorter than the median for certain.
    #[must_use]
    pub fn is_faster_than_half(&self, duration: u64) -> bool {
        duration.saturating_add(duration / 99) < self.p50
    }
}

/// The places of spans that may be attempts at one thing: only their attributes tell whether they are.
#[must_use]
pub fn attempts(sheet: &Sheet) -> Vec<usize> {
    let places = |finding: &Finding| match &finding.kind {
        FindingKind::Retries { attempts, .. } => attempts.clone(),
        _ => Vec::new(),
    };
    sheet.lasting().iter().flat_map(places).collect()
}

/// Everything that stands out, the most telling first. `usual` is of the main root's operation; `spans` has the [`attempts`] whole, by
/// place; `now` tells what may still arrive.
#[must_use]
pub fn findings(sheet: &Sheet, usual: Option<Usual>, spans: &HashMap<usize, Span>, now: UnixNanos) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for finding in sheet.lasting() {
        match &finding.kind {
            FindingKind::Retries { attempts, .. } => findings.extend(calls::judged(sheet, attempts, spans)),
            FindingKind::RepeatedCalls { count, .. } if are_attempts(&findings, finding, *count) => {}
            _ => findings.push(finding.clone()),
        }
    }
    let is_retry = |finding: &Finding| matches!(finding.kind, FindingKind::Retries { .. });
    let mut retries = 0;
    findings.retain(|finding| {
        retries += usize::from(is_retry(finding));
        !is_retry(finding) || retries <= MOST_OF_A_KIND
    });
    if let Some(slower) = slower(sheet, usual) {
        let errors = findings.iter().take_while(|finding| matches!(finding.kind, FindingKind::ErrorStart { .. })).count();
        findings.insert(errors, slower);
    }
    findings.extend(still_arriving(sheet, now));
    findings
}

/// Whether most of so many equal calls are told as attempts at one thing.
fn are_attempts(told: &[Finding], calls: &Finding, count: usize) -> bool {
    told.iter().any(|finding| {
        let FindingKind::Retries { attempts, .. } = &finding.kind else { return false };
        (&finding.service, &finding.name) == (&calls.service, &calls.name) && attempts.len() * 2 > count
    })
}

/// What stands out of the spans alone, whenever it is asked.
pub(super) fn lasting(sheet: &Sheet) -> Vec<Finding> {
    let doubt = Doubt::of(sheet);
    let mut findings = errors::error_starts(sheet);
    findings.extend(errors::fails_after(sheet, &doubt, &findings));
    findings.extend(calls::retries(sheet, &doubt));
    let (repeated, told) = calls::repeated(sheet, &doubt);
    findings.extend(repeated);
    findings.extend(waits::goes_on(sheet, &doubt));
    findings.extend(waits::hand_over(sheet, &doubt));
    findings.extend(waits::critical_share(sheet, &doubt, &told));
    findings.extend(waits::idle_gap(sheet, &doubt));
    findings.extend(clock_skew(sheet, sheet.skew()));
    findings.extend(missing_parents(sheet));
    findings
}

fn slower(sheet: &Sheet, usual: Option<Usual>) -> Option<Finding> {
    let usual = usual.filter(|usual| usual.count >= ENOUGH)?;
    let root = sheet.main_root()?;
    let duration = sheet.spans.get(root)?.duration();
    let than_percent = usual.slower_than(duration).filter(|percent| *percent >= 95)?;
    Some(FindingKind::Slower { than_percent, typical: usual.p50, of: usual.count }.at(sheet, root))
}

fn clock_skew(sheet: &Sheet, skew: &Skew) -> Vec<Finding> {
    let mut jumps = skew.jumps.clone();
    jumps.sort_by_key(|jump| (Reverse(jump.delta.unsigned_abs()), jump.server));
    let mut found: Vec<Finding> = Vec::new();
    for jump in jumps {
        let told = found.iter().any(|finding| finding.service == sheet.service(jump.server));
        if !told && found.len() < MOST_OF_A_KIND {
            let caller = sheet.service(jump.client).to_owned();
            found.push(FindingKind::ClockSkew { caller, behind: jump.delta, uncertainty: jump.uncertainty }.at(sheet, jump.server));
        }
    }
    found
}

fn missing_parents(sheet: &Sheet) -> Option<Finding> {
    let mut missing = (0..sheet.spans.len()).filter(|span| sheet.tree().is_unattached(*span));
    let first = missing.next()?;
    Some(FindingKind::MissingParents { count: missing.count() + 1 }.at(sheet, first))
}

/// What ended a moment ago may have siblings on their way; what has no root has an ancestor on its way, for a while.
fn still_arriving(sheet: &Sheet, now: UnixNanos) -> Option<Finding> {
    // Spans that are their own ancestors wait for nobody.
    let is_waited_for = |place: usize| sheet.tree().is_unattached(place);
    let has_root = sheet.spans.iter().any(|span| span.parent_span_id.is_none()) || !(0..sheet.spans.len()).any(is_waited_for);
    let end = sheet.start().plus(sheet.duration());
    let ago = now.since(end);
    // A clock that is ahead of ours says nothing about what is on its way.
    let is_recent = end <= now && ago < if has_root { ON_ITS_WAY } else { ROOT_ON_ITS_WAY };
    is_recent.then(|| Finding {
        kind: FindingKind::StillArriving { has_root, ago },
        span: None,
        service: String::new(),
        name: String::new(),
    })
}

/// Whole percent, of which each is reached: what is asked whether it is much.
fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100)
}

/// The nearest whole percent, as it is told: 100 is all, and 0 is less than a half.
fn told_percent(part: u64, whole: u64) -> u64 {
    let (part, whole) = (u128::from(part), u128::from(whole.max(1)));
    let nearest = u64::try_from((part * 100 + whole / 2) / whole).unwrap_or(100);
    if part < whole { nearest.min(99) } else { nearest }
}

impl FindingKind {
    fn at(self, sheet: &Sheet, place: usize) -> Finding {
        Finding { kind: self, span: Some(place), service: sheet.service(place).to_owned(), name: sheet.name(place).to_owned() }
    }
}
