//! Equal calls of one parent: loops over single calls, and attempts after failures.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::model::{Span, SpanKind, UnixNanos};

use super::waits::length;
use super::{Brief, Doubt, Finding, FindingKind, MOST_OF_A_KIND, Sheet, target, told_percent};

/// Equal siblings that look like a loop over single calls.
const REPEATED: usize = 5;
/// Up to so many below one parent are told of only for what they take, as in lists of traces.
const FEW: usize = 10;
/// So many below one parent matter whatever they take.
const VERY_MANY: usize = 100;
/// Calls that take this share of the trace or of its critical path, in percent, matter.
const MUCH: u64 = 10;
/// Of so many operations it is asked whether they matter.
const MOST_LOOPS: usize = 16;
/// What may be attempts is compared for so many parents, most of which may ask for other things each time.
const MOST_RETRIES: usize = 8;
/// And for so many calls of one of them, among which are others.
const MOST_ASKED: usize = 20;
/// More attempts than this are a loop in which much fails, not a retry.
const MAX_ATTEMPTS: usize = 10;

/// Parent, service, name and kind: what makes calls equal.
type Call = (usize, u32, u32, SpanKind);

/// Places by call, each list in order of start; only calls that were made more than once, in the order of their first.
fn groups(sheet: &Sheet) -> Vec<Vec<usize>> {
    let mut groups: HashMap<Call, Vec<usize>> = HashMap::new();
    for (place, span) in sheet.spans.iter().enumerate() {
        if let Some(parent) = sheet.tree().parent(place) {
            groups.entry((parent, span.service, span.name, span.kind)).or_default().push(place);
        }
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|places| places.len() > 1).collect();
    groups.sort_unstable_by_key(|places| places.first().copied());
    groups
}

/// Equal calls of one or of several parents, each of which made many.
struct Loop {
    places: Vec<usize>,
    parents: usize,
    /// Durations of all added up.
    total: u64,
    /// Of each parent the time from the begin of its first call to the end of the last, added up.
    passed: u64,
    /// How many of one parent ran at the same time.
    at_once: usize,
    /// Of the parent whose calls take most: how long, the first of them, and how many.
    greatest: (u64, Reverse<usize>, usize),
}

// === impl Loop ===

impl Loop {
    /// `None` where the calls take so little of the trace, and are so few, that they do not matter.
    fn told(&self, sheet: &Sheet, doubt: &Doubt) -> Option<FindingKind> {
        let (.., below_one) = self.greatest;
        let percent = critical_percent(sheet, &self.places, doubt);
        let is_much = percent >= MUCH || super::percent(self.total, sheet.duration()) >= MUCH;
        let has_calls = || self.places.iter().any(|place| !sheet.tree().children(*place).is_empty());
        (is_much || below_one > FEW).then(|| FindingKind::RepeatedCalls {
            count: self.places.len(),
            parents: self.parents,
            below_one,
            total: self.total,
            percent,
            at_once: if self.total / 2 > self.passed { self.at_once } else { 1 },
            has_calls: has_calls(),
            matters: is_much || below_one >= VERY_MANY,
        })
    }
}

/// Equal calls that were made again and again, those that cost most first; and the places of all that are told of, in order.
pub(super) fn repeated(sheet: &Sheet, doubt: &Doubt) -> (Vec<Finding>, Vec<usize>) {
    let (mut found, mut told) = (Vec::new(), Vec::new());
    for one in loops(sheet, doubt).into_iter().take(MOST_LOOPS) {
        let (_, Reverse(first), _) = one.greatest;
        if let Some(kind) = one.told(sheet, doubt).filter(|_| found.len() < MOST_OF_A_KIND) {
            found.push(kind.at(sheet, first));
            told.extend(one.places);
        }
    }
    told.sort_unstable();
    (found, told)
}

/// One per service, name and kind, those that take longest first.
fn loops(sheet: &Sheet, doubt: &Doubt) -> Vec<Loop> {
    let mut loops: HashMap<(u32, u32, SpanKind), Loop> = HashMap::new();
    for places in groups(sheet).into_iter().filter(|places| places.len() >= REPEATED && attempts(sheet, places, doubt).is_none()) {
        let Some((first, span)) = places.first().and_then(|first| Some((*first, sheet.spans.get(*first)?))) else { continue };
        let total = briefs(sheet, &places).fold(0_u64, |sum, span| sum.saturating_add(span.duration()));
        let greatest = (total, Reverse(first), places.len());
        let one = loops.entry((span.service, span.name, span.kind)).or_insert(Loop {
            places: Vec::new(),
            parents: 0,
            total: 0,
            passed: 0,
            at_once: 1,
            greatest,
        });
        let (passed, at_once) = side_by_side(sheet, &places);
        one.passed = one.passed.saturating_add(passed);
        one.at_once = one.at_once.max(at_once);
        one.places.extend(places);
        one.parents += 1;
        one.total = one.total.saturating_add(total);
        one.greatest = one.greatest.max(greatest);
    }
    let mut loops: Vec<Loop> = loops.into_values().collect();
    loops.sort_by_key(|one| (Reverse(one.total), one.places.first().copied()));
    loops
}

/// How long these calls took from the first to the last, and how many of them ran at the same time.
fn side_by_side(sheet: &Sheet, places: &[usize]) -> (u64, usize) {
    let mut ends: BinaryHeap<Reverse<UnixNanos>> = BinaryHeap::new();
    let mut calls: Vec<(UnixNanos, UnixNanos)> = briefs(sheet, places).map(|span| (span.start, span.end.max(span.start))).collect();
    calls.sort_unstable();
    let mut most = 1;
    for (start, end) in &calls {
        while ends.peek().is_some_and(|Reverse(end)| end <= start) {
            ends.pop();
        }
        ends.push(Reverse(*end));
        most = most.max(ends.len());
    }
    let passed = calls.first().zip(calls.iter().map(|(_, end)| *end).max()).map_or(0, |((begin, _), end)| end.since(*begin));
    (passed, most)
}

/// Calls that perhaps failed and were made again: only what they ask for says which of them, see [`judged`], and fills in the numbers. First
/// those that are attempts by their times, all of them.
pub(super) fn retries(sheet: &Sheet, doubt: &Doubt) -> Vec<Finding> {
    let failed = |place: &usize| sheet.spans.get(*place).is_some_and(Brief::is_error);
    let mut groups: Vec<Vec<usize>> = groups(sheet)
        .into_iter()
        .filter(|places| places.len() <= MOST_ASKED && places.split_last().is_some_and(|(_, before)| before.iter().any(failed)))
        .collect();
    groups.sort_by_key(|places| attempts(sheet, places, doubt).is_none());
    groups.truncate(MOST_RETRIES);
    let candidate = |places: Vec<usize>| {
        let first = *places.first()?;
        Some(FindingKind::Retries { attempts: places, succeeded: false, lost: 0 }.at(sheet, first))
    };
    groups.into_iter().filter_map(candidate).collect()
}

/// The attempts among calls that [`retries`] found, of each thing that was asked for; none where it is not said what that is.
pub(super) fn judged(sheet: &Sheet, calls: &[usize], spans: &HashMap<usize, Span>) -> Vec<Finding> {
    let doubt = Doubt::of(sheet);
    let told = |places: Vec<usize>| {
        let (succeeded, lost) = attempts(sheet, &places, &doubt).filter(|_| places.len() > 1)?;
        let first = *places.first()?;
        Some(FindingKind::Retries { attempts: places, succeeded, lost }.at(sheet, first))
    };
    target::parted(calls, spans).into_iter().filter_map(told).collect()
}

/// Whether equal calls are attempts at one thing: one after the other, and all before the last failed. Then whether the last went well,
/// and how much time passed until it began. Unknown where clocks that contradict each other say when they were.
fn attempts(sheet: &Sheet, places: &[usize], doubt: &Doubt) -> Option<(bool, u64)> {
    if places.len() > MAX_ATTEMPTS {
        return None;
    }
    let mut spans: Vec<&Brief> = briefs(sheet, places).collect();
    // Corrected times may be in another order than those that were sent.
    spans.sort_by_key(|span| span.start);
    let is_one_clock = spans.windows(2).all(|pair| matches!(pair, [a, b] if a.clock == b.clock));
    if !is_one_clock && places.iter().any(|place| doubt.at(*place) > 0) {
        return None;
    }
    let one_after_the_other = spans.windows(2).all(|pair| matches!(pair, [a, b] if a.is_error() && a.end <= b.start));
    let (first, last) = (spans.first()?, spans.last()?);
    one_after_the_other.then(|| (!last.is_error(), last.start.since(first.start)))
}

/// The share of the critical path that is in these siblings or below them, in percent; zero where clocks decide on it.
fn critical_percent(sheet: &Sheet, places: &[usize], doubt: &Doubt) -> u64 {
    let Some(root) = sheet.main_root() else { return 0 };
    let duration = sheet.spans.get(root).map_or(0, Brief::duration);
    if doubt.reaches(duration, doubt.below(sheet, root)) {
        return 0;
    }
    // Rows of a span and of all that is below it follow each other.
    let mut rows: Vec<(usize, usize)> =
        places.iter().map(|place| (sheet.rank(*place), sheet.rank(*place) + sheet.tree().subtree_size(*place))).collect();
    rows.sort_unstable();
    let is_inside = |span: usize| {
        let row = sheet.rank(span);
        let after = rows.partition_point(|(first, _)| *first <= row);
        after.checked_sub(1).and_then(|at| rows.get(at)).is_some_and(|(_, end)| row < *end)
    };
    let nanos = length(sheet.path().iter().filter(|section| is_inside(section.span)));
    told_percent(nanos, duration)
}

fn briefs<'a>(sheet: &'a Sheet, places: &'a [usize]) -> impl Iterator<Item = &'a Brief> {
    places.iter().filter_map(|place| sheet.spans.get(*place))
}
