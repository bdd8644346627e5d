//! What the end of a trace waited for: shares of the critical path, gaps in it, and what goes on beside it.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::Section;
use super::super::critical::{critical_path, is_handed_over};
use super::{Brief, Doubt, Finding, FindingKind, Sheet, percent, told_percent};
use crate::model::UnixNanos;

/// Share of the critical path, in percent, that is worth a word.
const CRITICAL_PERCENT: u64 = 30;
/// Share of the root's duration, in percent, in which a parent waits for nothing that was traced; of the trace's, in which it goes on
/// without its root, or a message waits.
pub(super) const IDLE_PERCENT: u64 = 20;

/// A wait that is shorter is no cause, whatever its share of a trace that is over at once: 5 ms.
pub(super) const SHORT: u64 = 5_000_000;

/// What an operation has of the critical path.
#[derive(Clone, Copy, Debug)]
struct Share {
    nanos: u64,
    /// Of them, those that no other finding tells of.
    untold: u64,
    spans: usize,
    /// Most of it in one span, and the place of that.
    longest: (u64, Reverse<usize>),
}

impl Default for Share {
    fn default() -> Self {
        Self { nanos: 0, untold: 0, spans: 0, longest: (0, Reverse(usize::MAX)) }
    }
}

/// The operation with the largest share of the path beside the spans at the places `told`, of which something else says it; none where
/// clocks decide on it.
pub(super) fn critical_share(sheet: &Sheet, doubt: &Doubt, told: &[usize]) -> Option<Finding> {
    let (root, duration) = busy_root(sheet)?;
    if doubt.reaches(duration, doubt.below(sheet, root)) {
        return None;
    }
    let mut shares: HashMap<(u32, u32), Share> = HashMap::new();
    for sections in sheet.path().chunk_by(|a, b| a.span == b.span) {
        let nanos = length(sections.iter());
        let Some((place, span)) = sections.first().and_then(|first| Some((first.span, sheet.spans.get(first.span)?))) else { continue };
        let share = shares.entry((span.service, span.name)).or_default();
        share.nanos = share.nanos.saturating_add(nanos);
        share.untold = share.untold.saturating_add(if told.binary_search(&place).is_ok() { 0 } else { nanos });
        share.spans += 1;
        share.longest = share.longest.max((nanos, Reverse(place)));
    }
    let greatest = shares.into_values().max_by_key(|share| (share.untold, share.longest))?;
    let Share { nanos, untold, spans, longest: (_, Reverse(place)) } = greatest;
    let is_news = percent(untold, duration) >= CRITICAL_PERCENT;
    is_news.then(|| FindingKind::CriticalShare { percent: told_percent(nanos, duration), nanos, spans }.at(sheet, place))
}

/// The longest wait of a span with children for none of them. What may be the work of a clock is none.
pub(super) fn idle_gap(sheet: &Sheet, doubt: &Doubt) -> Option<Finding> {
    let (_, duration) = busy_root(sheet)?;
    let tree = sheet.tree();
    let length = |section: &Section| section.to.since(section.from);
    let is_certain = |section: &Section| {
        let shift = tree.children(section.span).iter().map(|child| doubt.at(*child)).max().unwrap_or(0);
        !doubt.reaches(length(section), shift.max(doubt.at(section.span)))
    };
    let waits = sheet.path().iter().filter(|section| !tree.children(section.span).is_empty());
    let is_long = |section: &Section| length(section) >= SHORT && percent(length(section), duration) >= IDLE_PERCENT;
    let long = waits.filter(|section| is_long(section)).map(|section| untraced(sheet, doubt, section)).filter(is_long);
    let longest = long.filter(is_certain).max_by_key(|section| (length(section), Reverse(section.from)))?;
    let begins = |child: usize| Some((sheet.spans.get(child)?.start, child));
    let next = tree.children(longest.span).iter().filter_map(|child| begins(*child)).filter(|(start, _)| *start >= longest.to).min();
    let before = next.map(|(_, child)| sheet.name(child).to_owned());
    Some(FindingKind::IdleGap { nanos: length(&longest), at: longest.from.since(sheet.start()), before }.at(sheet, longest.span))
}

/// The longest stretch of a section in which nothing below its span ran either that it did not wait for, such as a consumer. What a clock in
/// doubt says of that does not count.
fn untraced(sheet: &Sheet, doubt: &Doubt, section: &Section) -> Section {
    let row = sheet.rank(section.span);
    let below = sheet.tree().preorder().get(row + 1..row + sheet.tree().subtree_size(section.span)).unwrap_or_default();
    let certain = below.iter().filter(|place| doubt.at(**place) == 0);
    let beside = certain.filter_map(|place| sheet.spans.get(*place)).filter(|span| span.start < section.to && span.end > section.from);
    let mut busy: Vec<(UnixNanos, UnixNanos)> = beside.map(|span| (span.start, span.end)).collect();
    busy.sort_unstable();
    busy.push((section.to, section.to));
    let (mut from, mut longest) = (section.from, Section { to: section.from, ..*section });
    for (start, end) in busy {
        if start.since(from) > length([longest].iter()) {
            longest = Section { from, to: start, ..*section };
        }
        from = from.max(end);
    }
    longest
}

/// That the trace goes on for long after its root, which the path ends with.
pub(super) fn goes_on(sheet: &Sheet, doubt: &Doubt) -> Option<Finding> {
    let root = sheet.spans.get(sheet.main_root()?).filter(|root| root.parent_span_id.is_none())?;
    let ends = |span: &Brief| span.end.max(span.start);
    let (place, last) = sheet.spans.iter().enumerate().max_by_key(|(place, span)| (ends(span), Reverse(*place)))?;
    let (after, whole) = (ends(last).since(ends(root)), sheet.duration());
    let is_long = percent(after, whole) >= IDLE_PERCENT && !doubt.reaches(after, doubt.at(place));
    let mostly = || taker(sheet, place).and_then(|taker| mostly(sheet, taker));
    is_long.then(|| FindingKind::GoesOn { after, root: root.duration(), whole, mostly: mostly() }.at(sheet, place))
}

/// The consumer that a span works for.
fn taker(sheet: &Sheet, place: usize) -> Option<usize> {
    let parent = |place: usize| sheet.tree().parent(place);
    let is_taken = |place: &usize| {
        let above = parent(*place).and_then(|above| sheet.spans.get(above));
        above.zip(sheet.spans.get(*place)).is_some_and(|(above, span)| is_handed_over(above, span))
    };
    std::iter::successors(Some(place), |place| parent(*place)).find(is_taken)
}

/// The operation below a span that makes up most of its time, when it is much.
fn mostly(sheet: &Sheet, top: usize) -> Option<(String, String, u64)> {
    let duration = sheet.spans.get(top)?.duration();
    let mut shares: HashMap<(u32, u32), (u64, Reverse<usize>)> = HashMap::new();
    for section in critical_path(&sheet.spans, sheet.tree(), top) {
        let Some(span) = sheet.spans.get(section.span).filter(|_| section.span != top) else { continue };
        let share = shares.entry((span.service, span.name)).or_insert((0, Reverse(section.span)));
        share.0 = share.0.saturating_add(length([section].iter()));
    }
    let (nanos, Reverse(place)) = shares.into_values().max()?;
    let told = (sheet.service(place).to_owned(), sheet.name(place).to_owned(), told_percent(nanos, duration));
    (percent(nanos, duration) >= CRITICAL_PERCENT).then_some(told)
}

/// The longest that a message waited.
pub(super) fn hand_over(sheet: &Sheet, doubt: &Doubt) -> Option<Finding> {
    let taken = |place: usize| {
        let producer = sheet.tree().parent(place)?;
        let (above, span) = (sheet.spans.get(producer)?, sheet.spans.get(place)?);
        is_handed_over(above, span).then_some((producer, above, span))
    };
    // Who takes what others of its name have failed on takes it again: it did not wait all the time.
    let mut failed: HashMap<(usize, u32, u32), UnixNanos> = HashMap::new();
    for (producer, _, span) in (0..sheet.spans.len()).filter_map(taken).filter(|(_, _, span)| span.is_error()) {
        let first = failed.entry((producer, span.service, span.name)).or_insert(span.end);
        *first = span.end.min(*first);
    }
    let waited = |place: usize| {
        let (producer, above, span) = taken(place)?;
        let is_first = failed.get(&(producer, span.service, span.name)).is_none_or(|end| *end > span.start);
        is_first.then(|| (span.start.since(above.end.max(above.start)), Reverse(place), producer))
    };
    let certain = (0..sheet.spans.len()).filter_map(waited).filter(|(nanos, place, _)| !doubt.reaches(*nanos, doubt.at(place.0)));
    let (nanos, Reverse(place), producer) = certain.max()?;
    let from = || (sheet.service(producer).to_owned(), sheet.name(producer).to_owned());
    (nanos > 0 && percent(nanos, sheet.duration()) >= IDLE_PERCENT).then(|| FindingKind::HandOver { from: from(), nanos }.at(sheet, place))
}

/// The main root, when something happens below it.
fn busy_root(sheet: &Sheet) -> Option<(usize, u64)> {
    let root = sheet.main_root()?;
    let duration = sheet.spans.get(root)?.duration();
    (duration > 0 && sheet.tree().subtree_size(root) > 1).then_some((root, duration))
}

/// How long sections are together.
pub(super) fn length<'a>(sections: impl Iterator<Item = &'a Section>) -> u64 {
    sections.map(|section| section.to.since(section.from)).fold(0, u64::saturating_add)
}
