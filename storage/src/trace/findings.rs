//! What stands out in a trace, in sentences. Says nothing where nothing is known.

use std::collections::HashMap;

use crate::model::{Span, SpanId, SpanKind};

use super::summary::error_message;
use super::{Section, Skew, Trace, Tree, critical_path, human, skew};

/// Findings of one kind.
const MOST_OF_A_KIND: usize = 3;
/// Equal siblings that look like a loop over single calls.
const REPEATED: usize = 5;
/// Share of the critical path, in percent, that is worth a word.
const CRITICAL_PERCENT: u64 = 30;
/// Share of the root's duration, in percent, in which a parent waits for nothing that was traced.
const IDLE_PERCENT: u64 = 20;
/// Clocks further apart than this are not corrected: one hour.
const MAX_SKEW: u64 = 3_600_000_000_000;

/// One thing that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, with its figures.
    pub kind: FindingKind,
    /// The span to look at.
    pub span: Option<SpanId>,
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
    },
    /// The first of many equal calls of one parent.
    RepeatedCalls {
        /// How many.
        count: usize,
        /// Their durations added up.
        total: u64,
    },
    /// Has the largest share of the critical path.
    CriticalShare {
        /// Of the root's duration.
        percent: u64,
        /// The share.
        nanos: u64,
    },
    /// Has children, but for this long none of them ran while the request waited.
    IdleGap {
        /// How long.
        nanos: u64,
    },
    /// Its clock contradicts its caller's.
    ClockSkew {
        /// The caller's service.
        caller: String,
        /// By how much this clock is behind; negative when it is ahead.
        behind: i64,
    },
    /// Spans name parents that were not received.
    MissingParents {
        /// How many spans.
        count: usize,
    },
}

/// Everything that stands out, the most telling first.
#[must_use]
pub fn findings(trace: &Trace, tree: &Tree) -> Vec<Finding> {
    let spans = &trace.spans;
    let path = critical_path(spans, tree);
    let mut findings = error_starts(spans, tree);
    findings.extend(repeated_calls(spans, tree));
    findings.extend(critical_share(spans, tree, &path));
    findings.extend(idle_gap(spans, tree, &path));
    findings.extend(clock_skew(spans, &skew(spans, tree, MAX_SKEW)));
    let missing = (0..spans.len()).filter(|span| tree.is_unattached(*span)).count();
    if missing > 0 {
        let kind = FindingKind::MissingParents { count: missing };
        findings.push(Finding { kind, span: None, service: String::new(), name: String::new() });
    }
    findings
}

fn error_starts(spans: &[Span], tree: &Tree) -> Vec<Finding> {
    let mut error_below = vec![false; spans.len()];
    for place in tree.preorder().iter().rev() {
        let failed = spans.get(*place).is_some_and(Span::is_error) || error_below.get(*place).is_some_and(|below| *below);
        if failed && let Some(slot) = tree.parent(*place).and_then(|parent| error_below.get_mut(parent)) {
            *slot = true;
        }
    }
    let starts = spans.iter().zip(error_below).filter(|(span, below)| span.is_error() && !below);
    starts
        .take(MOST_OF_A_KIND)
        .map(|(span, _)| FindingKind::ErrorStart { message: error_message(span).map(str::to_owned) }.at(span))
        .collect()
}

/// Parent, service, name and kind: what makes calls equal.
type Call<'a> = (usize, &'a str, &'a str, SpanKind);

fn repeated_calls(spans: &[Span], tree: &Tree) -> Vec<Finding> {
    let mut groups: HashMap<Call<'_>, (usize, usize, u64)> = HashMap::new();
    for (place, span) in spans.iter().enumerate() {
        let Some(parent) = tree.parent(place) else { continue };
        let group = groups.entry((parent, span.service_name(), &span.name, span.kind)).or_insert((place, 0, 0));
        group.1 += 1;
        group.2 = group.2.saturating_add(span.duration());
    }
    let mut repeated: Vec<(usize, usize, u64)> = groups.into_values().filter(|(_, count, _)| *count >= REPEATED).collect();
    repeated.sort_unstable_by_key(|(first, _, total)| (std::cmp::Reverse(*total), *first));
    repeated.truncate(MOST_OF_A_KIND);
    let find = |(first, count, total): (usize, usize, u64)| Some(FindingKind::RepeatedCalls { count, total }.at(spans.get(first)?));
    repeated.into_iter().filter_map(find).collect()
}

/// The root that lasts longest, when something happens below it.
fn main_root(spans: &[Span], tree: &Tree) -> Option<(usize, u64)> {
    let durations = tree.roots().iter().filter_map(|root| Some((*root, spans.get(*root)?.duration())));
    let (root, duration) = durations.max_by_key(|(root, duration)| (*duration, std::cmp::Reverse(*root)))?;
    (duration > 0 && tree.subtree_size(root) > 1).then_some((root, duration))
}

fn critical_share(spans: &[Span], tree: &Tree, path: &[Section]) -> Option<Finding> {
    let (root, duration) = main_root(spans, tree)?;
    let mut shares: HashMap<usize, u64> = HashMap::new();
    for section in path.iter().filter(|section| section.root == root) {
        *shares.entry(section.span).or_default() += section.to.since(section.from);
    }
    let (place, nanos) = shares.into_iter().max_by_key(|(place, nanos)| (*nanos, std::cmp::Reverse(*place)))?;
    let percent = percent(nanos, duration);
    (percent >= CRITICAL_PERCENT).then(|| spans.get(place).map(|span| FindingKind::CriticalShare { percent, nanos }.at(span)))?
}

fn idle_gap(spans: &[Span], tree: &Tree, path: &[Section]) -> Option<Finding> {
    let (root, duration) = main_root(spans, tree)?;
    let waits = path.iter().filter(|section| section.root == root && !tree.children(section.span).is_empty());
    let longest = waits.max_by_key(|section| (section.to.since(section.from), std::cmp::Reverse(section.from)))?;
    let nanos = longest.to.since(longest.from);
    if percent(nanos, duration) < IDLE_PERCENT {
        return None;
    }
    Some(FindingKind::IdleGap { nanos }.at(spans.get(longest.span)?))
}

fn clock_skew(spans: &[Span], skew: &Skew) -> Vec<Finding> {
    let mut jumps = skew.jumps.clone();
    jumps.sort_by_key(|jump| (std::cmp::Reverse(jump.delta.unsigned_abs()), jump.server));
    let mut found: Vec<Finding> = Vec::new();
    for jump in jumps {
        let (Some(client), Some(server)) = (spans.get(jump.client), spans.get(jump.server)) else { continue };
        let told = found.iter().any(|finding| finding.service == server.service_name());
        if !told && found.len() < MOST_OF_A_KIND {
            found.push(FindingKind::ClockSkew { caller: client.service_name().to_owned(), behind: jump.delta }.at(server));
        }
    }
    found
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100)
}

impl FindingKind {
    fn at(self, span: &Span) -> Finding {
        Finding { kind: self, span: Some(span.span_id), service: span.service_name().to_owned(), name: span.name.clone() }
    }
}

impl Finding {
    /// The finding as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { service, name, .. } = self;
        match &self.kind {
            FindingKind::ErrorStart { message: Some(message) } => format!("The error starts in {service}, {name}: {message}"),
            FindingKind::ErrorStart { message: None } => format!("The error starts in {service}, {name}."),
            FindingKind::RepeatedCalls { count, total } => {
                format!("{service}, {name} ran {count} times under one parent, {} in all.", human(*total))
            }
            FindingKind::CriticalShare { percent, nanos } => {
                format!("{service}, {name} makes up {percent} % of the critical path ({}).", human(*nanos))
            }
            FindingKind::IdleGap { nanos } => format!("In {service}, {name}, nothing below was traced for {}.", human(*nanos)),
            FindingKind::ClockSkew { caller, behind } => {
                let direction = if *behind > 0 { "behind" } else { "ahead of" };
                format!("The clock of {service} seems to be {} {direction} the clock of {caller}.", human(behind.unsigned_abs()))
            }
            FindingKind::MissingParents { count: 1 } => "1 span names a parent that was not received.".to_owned(),
            FindingKind::MissingParents { count } => format!("{count} spans name parents that were not received."),
        }
    }
}
