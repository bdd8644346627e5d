//! What stands out in a trace, in sentences. Says nothing where nothing is known.

mod calls;
mod sentence;

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Brief, Section, Sheet, Skew};
use crate::model::UnixNanos;

/// Findings of one kind.
const MOST_OF_A_KIND: usize = 3;
/// Share of the critical path, in percent, that is worth a word.
const CRITICAL_PERCENT: u64 = 30;
/// Share of the root's duration, in percent, in which a parent waits for nothing that was traced.
const IDLE_PERCENT: u64 = 20;
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
    },
    /// Lasts longer than spans of its operation usually do.
    Slower {
        /// It is slower than this many percent of them.
        than_percent: u64,
        /// Their median.
        typical: u64,
        /// How many were looked at.
        of: u64,
    },
    /// The first of many equal calls of one parent.
    RepeatedCalls {
        /// How many.
        count: usize,
        /// Their durations added up.
        total: u64,
        /// The share of the critical path that is in them or in what they called, in percent.
        percent: u64,
        /// Whether they called anything.
        has_calls: bool,
    },
    /// Failed and was tried again.
    Retries {
        /// Attempts in all.
        attempts: usize,
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

/// Everything that stands out, the most telling first. `usual` is of the main root's operation; `now` tells what may still arrive.
#[must_use]
pub fn findings(sheet: &Sheet, usual: Option<Usual>, now: UnixNanos) -> Vec<Finding> {
    let mut findings = sheet.lasting().to_vec();
    if let Some(slower) = slower(sheet, usual) {
        let errors = findings.iter().take_while(|finding| matches!(finding.kind, FindingKind::ErrorStart { .. })).count();
        findings.insert(errors, slower);
    }
    findings.extend(still_arriving(sheet, now));
    findings
}

/// What stands out of the spans alone, whenever it is asked.
pub(super) fn lasting(sheet: &Sheet) -> Vec<Finding> {
    let mut findings = error_starts(sheet);
    findings.extend(calls::retries(sheet));
    findings.extend(calls::repeated(sheet));
    findings.extend(critical_share(sheet));
    findings.extend(idle_gap(sheet));
    findings.extend(clock_skew(sheet, sheet.skew()));
    findings.extend(missing_parents(sheet));
    findings
}

fn error_starts(sheet: &Sheet) -> Vec<Finding> {
    let failed = |place: &usize| sheet.spans.get(*place).is_some_and(Brief::is_error);
    let starts = (0..sheet.spans.len()).filter(|place| failed(place) && sheet.errors_below(*place) == 0);
    let mut found: Vec<Finding> = Vec::new();
    for place in starts {
        let said = sheet.message(place);
        let is_like = |finding: &Finding| finding.service == sheet.service(place) && finding.name == sheet.name(place);
        let like = found.iter_mut().filter(|finding| is_like(finding)).find_map(|finding| match &mut finding.kind {
            FindingKind::ErrorStart { message, count } if message.as_deref() == said => Some(count),
            _ => None,
        });
        if let Some(count) = like {
            *count += 1;
        } else if found.len() < MOST_OF_A_KIND {
            found.push(FindingKind::ErrorStart { message: said.map(str::to_owned), count: 1 }.at(sheet, place));
        }
    }
    found
}

fn slower(sheet: &Sheet, usual: Option<Usual>) -> Option<Finding> {
    let usual = usual.filter(|usual| usual.count >= ENOUGH)?;
    let root = sheet.main_root()?;
    let duration = sheet.spans.get(root)?.duration();
    let than_percent = match duration {
        _ if duration > usual.p99 => 99,
        _ if duration > usual.p95 => 95,
        _ => return None,
    };
    Some(FindingKind::Slower { than_percent, typical: usual.p50, of: usual.count }.at(sheet, root))
}

/// The root that lasts longest, when something happens below it.
fn busy_root(sheet: &Sheet) -> Option<(usize, u64)> {
    let root = sheet.main_root()?;
    let duration = sheet.spans.get(root)?.duration();
    (duration > 0 && sheet.tree().subtree_size(root) > 1).then_some((root, duration))
}

fn critical_share(sheet: &Sheet) -> Option<Finding> {
    let (root, duration) = busy_root(sheet)?;
    let mut shares: HashMap<(u32, u32), Share> = HashMap::new();
    for sections in sheet.path().chunk_by(|a, b| a.span == b.span) {
        let nanos = length(sections.iter().filter(|section| section.root == root));
        let Some((place, span)) = sections.first().and_then(|first| Some((first.span, sheet.spans.get(first.span)?))) else { continue };
        if nanos > 0 {
            let share = shares.entry((span.service, span.name)).or_default();
            share.nanos = share.nanos.saturating_add(nanos);
            share.spans += 1;
            share.longest = share.longest.max((nanos, Reverse(place)));
        }
    }
    let Share { nanos, spans, longest: (_, Reverse(place)) } = shares.into_values().max_by_key(|share| (share.nanos, share.longest))?;
    let percent = percent(nanos, duration);
    (percent >= CRITICAL_PERCENT).then(|| FindingKind::CriticalShare { percent, nanos, spans }.at(sheet, place))
}

/// What an operation has of the critical path.
#[derive(Clone, Copy, Debug)]
struct Share {
    nanos: u64,
    spans: usize,
    /// Most of it in one span, and the place of that.
    longest: (u64, Reverse<usize>),
}

impl Default for Share {
    fn default() -> Self {
        Self { nanos: 0, spans: 0, longest: (0, Reverse(usize::MAX)) }
    }
}

fn length<'a>(sections: impl Iterator<Item = &'a Section>) -> u64 {
    sections.map(|section| section.to.since(section.from)).fold(0, u64::saturating_add)
}

fn idle_gap(sheet: &Sheet) -> Option<Finding> {
    let (root, duration) = busy_root(sheet)?;
    let tree = sheet.tree();
    let waits = sheet.path().iter().filter(|section| section.root == root && !tree.children(section.span).is_empty());
    let length = |section: &&Section| (section.to.since(section.from), Reverse(section.from));
    let longest = waits.max_by_key(length)?;
    let nanos = longest.to.since(longest.from);
    if percent(nanos, duration) < IDLE_PERCENT {
        return None;
    }
    let next =
        tree.children(longest.span).iter().copied().find(|child| sheet.spans.get(*child).is_some_and(|span| span.start >= longest.to));
    let before = next.map(|child| sheet.name(child).to_owned());
    Some(FindingKind::IdleGap { nanos, at: longest.from.since(sheet.start()), before }.at(sheet, longest.span))
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
    let has_root = sheet.spans.iter().any(|span| span.parent_span_id.is_none());
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

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100)
}

impl FindingKind {
    fn at(self, sheet: &Sheet, place: usize) -> Finding {
        Finding { kind: self, span: Some(place), service: sheet.service(place).to_owned(), name: sheet.name(place).to_owned() }
    }
}
